//! Samplers: how one noise level goes to the next. A sampler knows neither model nor guidance.

use serde::{Deserialize, Serialize};

/// How one noise level goes to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sampler {
    /// Denoising diffusion implicit models, eta 0 (Song et al. 2020).
    Ddim,
    /// Euler's method (Karras et al. 2022, Algorithm 2 without churn).
    Euler,
    /// Euler's method with ancestral noise.
    EulerA,
    /// DPM-Solver++ (2M), multistep of second order (Lu et al. 2022).
    #[serde(rename = "dpmpp_2m")]
    DpmPp2M,
}
