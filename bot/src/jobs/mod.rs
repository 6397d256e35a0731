//! A job's way: through the one door, to the engine, and back to who asked.

pub(crate) mod delivery;
pub mod dispatcher;
pub mod drafts;
pub mod enqueue;
pub mod failure;
pub mod limits;
pub mod live;
pub mod parents;
pub mod progress;
pub mod queue_time;
