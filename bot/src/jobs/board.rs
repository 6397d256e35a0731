//! Where unfinished jobs stand, and the bells by which handlers and loops wake each other.

use std::sync::atomic::AtomicBool;

use tokio::sync::Notify;

use super::live::LiveJobs;

/// Where unfinished jobs stand, and the bells by which handlers and loops wake each other.
#[derive(Default)]
pub struct Board {
    /// Progress of unfinished jobs.
    pub live: LiveJobs,
    /// Rung after a job was enqueued or released.
    pub queue: Notify,
    /// Rung after a job ended.
    pub outbox: Notify,
    /// Rung when a job's message should change soon.
    pub progress: Notify,
    /// Whether endings wait until others have been delivered.
    pub is_crowded: AtomicBool,
}
