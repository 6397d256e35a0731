//! Signs of life, so that a device that hangs is noticed.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

/// A sign of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beat {
    /// How many there were until then.
    pub n: u64,
    /// When it was, by the clock that never goes back; before the first one, when the counting began.
    pub at: Instant,
}

/// What a task and its device last did. A device whose number stays the same while a task of it has not ended hangs, or loads something large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pulse {
    /// A row was computed for the task.
    pub task: Beat,
    /// The task's device ended a batch of whatever task, or took in what it was told, such as a task or that a part was loaded.
    pub device: Beat,
}

/// Counts signs of life.
pub(super) struct Heart {
    began: Instant,
    n: AtomicU64,
    nanoseconds: AtomicU64,
}

impl Default for Heart {
    /// Begins to count now.
    fn default() -> Self {
        Self { began: Instant::now(), n: AtomicU64::new(0), nanoseconds: AtomicU64::new(0) }
    }
}

impl Heart {
    /// One more; of one thread alone.
    pub(super) fn beat(&self) {
        self.nanoseconds.store(self.began.elapsed().as_nanos() as u64, Relaxed);
        self.n.fetch_add(1, Relaxed);
    }

    /// The last one.
    pub(super) fn last(&self) -> Beat {
        let at = self.began + Duration::from_nanos(self.nanoseconds.load(Relaxed));
        Beat { n: self.n.load(Relaxed), at }
    }
}
