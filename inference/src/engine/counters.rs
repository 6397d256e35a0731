//! What the device thread counts and everyone may read.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tracing::Span;

use super::{
    EngineStats, Usage,
    pulse::{Beat, Heart},
};
use crate::telemetry;

/// What the device thread has done since it started.
#[derive(Default)]
pub(crate) struct Counters {
    n_network_calls: AtomicU64,
    n_network_rows: AtomicU64,
    n_active: AtomicU64,
    /// Bits of an `f64`; 0 before the first batch.
    seconds_per_row_megapixel: AtomicU64,
    /// Beats with every batch and every message.
    heart: Heart,
}

/// Weight of the newest batch in the running average: about the last twenty count.
const NEWEST: f64 = 0.05;

impl Counters {
    /// Counts one U-Net batch.
    pub(crate) fn network_call(&self, n_rows: usize, took: Duration, row_megapixels: f64) {
        telemetry::network_call(n_rows, took);
        self.n_network_calls.fetch_add(1, Relaxed);
        self.n_network_rows.fetch_add(n_rows as u64, Relaxed);
        let newest = took.as_secs_f64() / row_megapixels;
        let average = self.seconds_per_row_megapixel().map_or(newest, |average| average + NEWEST * (newest - average));
        self.seconds_per_row_megapixel.store(average.to_bits(), Relaxed);
    }

    /// The device thread has done something.
    pub(crate) fn beat(&self) {
        self.heart.beat();
    }

    /// When it last did something.
    pub(crate) fn last_beat(&self) -> Beat {
        self.heart.last()
    }

    pub(crate) fn seconds_per_row_megapixel(&self) -> Option<f64> {
        Some(f64::from_bits(self.seconds_per_row_megapixel.load(Relaxed))).filter(|&seconds| seconds > 0.0)
    }

    pub(crate) fn stats(&self) -> EngineStats {
        EngineStats {
            n_network_calls: self.n_network_calls.load(Relaxed),
            n_network_rows: self.n_network_rows.load(Relaxed),
            n_active: self.n_active.load(Relaxed),
        }
    }

    /// Counts pictures as on their way until the answer is dropped.
    pub(crate) fn activate(self: &Arc<Self>, n_images: u32) -> Active {
        self.n_active.fetch_add(n_images.into(), Relaxed);
        Active { counters: self.clone(), n_images: n_images.into() }
    }
}

/// Pictures on their way.
pub(crate) struct Active {
    counters: Arc<Counters>,
    n_images: u64,
}

impl Drop for Active {
    fn drop(&mut self) {
        self.counters.n_active.fetch_sub(self.n_images, Relaxed);
    }
}

/// One task between its handle and the device thread: what was computed for it, whether it is still wanted, and what it belongs to.
pub(crate) struct Meter {
    span: Span,
    /// Bits of an `f64`.
    row_megapixels: AtomicU64,
    is_cancelled: AtomicBool,
    is_stopped: AtomicBool,
    /// A bit for each picture that nobody wants any more.
    culled: AtomicU32,
    n_states_asked: AtomicU32,
    heart: Heart,
}

impl Default for Meter {
    /// Of a task that belongs to whatever span its caller is in.
    fn default() -> Self {
        Self {
            span: Span::current(),
            row_megapixels: AtomicU64::new(0),
            is_cancelled: AtomicBool::new(false),
            is_stopped: AtomicBool::new(false),
            culled: AtomicU32::new(0),
            n_states_asked: AtomicU32::new(0),
            heart: Heart::default(),
        }
    }
}

impl Meter {
    /// The span that the task was handed in under; what is done for it on another thread is done inside.
    pub(crate) fn span(&self) -> &Span {
        &self.span
    }

    /// Counts one row; called by the device thread alone.
    pub(crate) fn add(&self, row_megapixels: f64) {
        let sum = f64::from_bits(self.row_megapixels.load(Relaxed)) + row_megapixels;
        self.row_megapixels.store(sum.to_bits(), Relaxed);
        self.heart.beat();
    }

    /// When a row of it was last counted.
    pub(crate) fn last_beat(&self) -> Beat {
        self.heart.last()
    }

    pub(crate) fn usage(&self) -> Usage {
        Usage { row_megapixels: f64::from_bits(self.row_megapixels.load(Relaxed)) }
    }

    pub(crate) fn cancel(&self) {
        self.is_cancelled.store(true, Relaxed);
    }

    /// Has every picture handed out at its next border.
    pub(crate) fn stop(&self) {
        self.is_stopped.store(true, Relaxed);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.is_stopped.load(Relaxed)
    }

    /// Leaves a picture out from its next border on. A task has fewer pictures than there are bits.
    pub(crate) fn cull(&self, index: u32) {
        self.culled.fetch_or(1_u32.checked_shl(index).unwrap_or(0), Relaxed);
    }

    pub(crate) fn is_culled(&self, index: u32) -> bool {
        self.culled.load(Relaxed) & 1_u32.checked_shl(index).unwrap_or(0) != 0
    }

    /// Asks every picture for its state at its next border.
    pub(crate) fn ask_for_states(&self) {
        self.n_states_asked.fetch_add(1, Relaxed);
    }

    /// How often the pictures' states were asked for.
    pub(crate) fn n_states_asked(&self) -> u32 {
        self.n_states_asked.load(Relaxed)
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Relaxed)
    }
}
