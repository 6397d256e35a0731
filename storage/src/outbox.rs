//! Endings on their way to a user.

use crate::ids::JobId;

/// A terminal message that must reach its user.
#[derive(Clone, Debug)]
pub struct OutboxItem {
    /// The job that ended; at most one row a job.
    pub job: JobId,
    /// Deliveries tried.
    pub attempts: u32,
    /// The channel in which a new message with it was tried, and may be.
    pub posting: Option<u64>,
}
