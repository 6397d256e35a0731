//! Sigmas over a range, for the kinds that do not space timesteps.

use super::{ScheduleConfig, ScheduleKind, numpy::linspace, quantile::beta_quantile};

/// `n` sigmas from `largest` to `smallest`; none for the kinds that space timesteps instead.
pub(super) fn converted(kind: ScheduleKind, (smallest, largest): (f64, f64), n: usize) -> Option<Vec<f64>> {
    match kind {
        ScheduleKind::Normal | ScheduleKind::SgmUniform => None,
        ScheduleKind::Karras => {
            let (from, to) = (largest.powf(1.0 / 7.0), smallest.powf(1.0 / 7.0));
            Some(linspace(0.0, 1.0, n).into_iter().map(|ramp| (from + ramp * (to - from)).powf(7.0)).collect())
        }
        ScheduleKind::Exponential => Some(linspace(largest.ln(), smallest.ln(), n).into_iter().map(f64::exp).collect()),
        ScheduleKind::Beta => {
            let sigma = |ramp: f64| smallest + beta_quantile(1.0 - ramp) * (largest - smallest);
            Some(linspace(0.0, 1.0, n).into_iter().map(sigma).collect())
        }
    }
}

/// The range with the ends that the configuration gives.
pub(super) fn within(config: &ScheduleConfig, (smallest, largest): (f64, f64)) -> (f64, f64) {
    (config.keys.sigma_min.unwrap_or(smallest), config.keys.sigma_max.unwrap_or(largest))
}
