//! Schedules: how the noise levels of a run are chosen. Pure `f64`, no tensors.

use serde::{Deserialize, Serialize};

/// How the noise levels are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleKind {
    /// Evenly spaced training timesteps.
    #[default]
    Normal,
    /// Karras et al. 2022, equation 5, rho 7.
    Karras,
}
