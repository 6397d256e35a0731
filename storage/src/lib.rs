//! What was recorded: jobs, pictures, quotas and deliveries. Knows no Discord type, no tensor and no prompt syntax.

mod api;
mod error;
mod ids;

pub use api::*;
pub use error::StorageError;
pub use ids::*;
