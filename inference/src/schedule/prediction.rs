//! What the network's output means.

use serde::{Deserialize, Serialize};

use super::NoiseLevel;

/// What the network's output means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prediction {
    /// The noise.
    Epsilon,
    /// The velocity (Salimans and Ho 2022).
    Velocity,
    /// The clean latents themselves.
    Sample,
    /// Noise minus clean latents, along the straight line between them (Lipman et al. 2022).
    Flow,
}

impl std::fmt::Display for Prediction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Epsilon => "epsilon",
            Self::Velocity => "v",
            Self::Sample => "sample",
            Self::Flow => "flow",
        })
    }
}

impl std::str::FromStr for Prediction {
    type Err = String;

    /// Reads what people write: `v`, `v_prediction`, `epsilon`, `eps`, `sample`.
    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim().to_lowercase().replace('-', "_").as_str() {
            "v" | "v_pred" | "v_prediction" | "velocity" => Ok(Self::Velocity),
            "epsilon" | "eps" | "noise" => Ok(Self::Epsilon),
            "sample" => Ok(Self::Sample),
            _ => Err(format!("there is no prediction `{text}`; there are v, epsilon and sample")),
        }
    }
}

impl Prediction {
    /// Factor on the latents before they go into the network, which was trained on latents of unit variance; 1 for flow matching.
    pub fn input_scale(self, at: NoiseLevel) -> f64 {
        match self {
            Self::Flow => 1.0,
            Self::Epsilon | Self::Velocity | Self::Sample => 1.0 / at.alpha.hypot(at.sigma),
        }
    }
}
