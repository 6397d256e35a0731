//! The identity of what is loaded.

use std::sync::atomic::{AtomicU64, Ordering};

/// Tells a part in memory from every other one of the process, also of those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PartId(u64);

impl PartId {
    /// One that nobody has.
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}
