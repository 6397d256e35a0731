//! What operators watch of the engine: metrics of the `metrics` facade, recorded by whatever recorder the program installs, and none without.

use std::time::Duration;

use metrics::{gauge, histogram};

/// A call of the denoising network has run.
pub(crate) fn network_call(n_rows: usize, took: Duration) {
    histogram!("atelier_batch_rows").record(n_rows as f64);
    histogram!("atelier_step_seconds").record(took);
}

/// A model, or a part of one, was read into memory.
pub(crate) fn loaded(took: Duration) {
    histogram!("atelier_model_load_seconds").record(took);
}

/// The weights on a device take so much memory now.
pub(crate) fn resident(device: &str, n_bytes: u64) {
    gauge!("atelier_residency_bytes", "device" => device.to_owned()).set(n_bytes as f64);
}
