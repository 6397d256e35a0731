//! Schedules: how the noise levels of a run are chosen. Pure `f64`, no tensors.
//!
//! A function of what the configuration says of a model's training, of what a sampler asks (`spec::Spec`) and of what a run asks
//! ([`Asked`]). Timesteps and sigmas are those of the class in diffusers that stands for the sampler (huggingface/diffusers 0.42,
//! `src/diffusers/schedulers/`), in the same precision wherever a rounding could move a timestep.

mod betas;
mod config;
mod conversion;
mod flow;
pub(crate) mod keys;
mod lambdas;
mod level;
mod numpy;
mod prediction;
mod quantile;
mod shift;
mod sigmas;
pub(crate) mod spec;
mod table;
mod timesteps;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use self::spec::{Space, Spec};
pub use self::{
    config::{Pipeline, ScheduleConfig},
    level::NoiseLevel,
    prediction::Prediction,
    shift::{InvalidShift, Shift},
};
pub(crate) use self::{
    config::{plain_class, unsupported},
    sigmas::level_between,
    table::{Levels, Table},
};

/// What a run asks of its schedule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Asked {
    /// How the levels are chosen.
    pub kind: ScheduleKind,
    /// Steps from noise to picture.
    pub n_steps: usize,
    /// The share of them that changes a given picture; `None` draws from noise.
    pub strength: Option<f64>,
    /// Tokens of the picture, of 16 × 16 pixels: schedules of flow matching may depend on its size.
    pub n_tokens: usize,
    /// Whether the model is a latent consistency model. Its pipeline in diffusers changes a picture by spreading all steps over the last `strength`
    /// of the timesteps (`set_timesteps` with `strength`), where the others leave out the first steps.
    pub is_consistency_model: bool,
    /// Share of fresh noise for the samplers that leave it open: 0 is none, as diffusers' pipelines have it, 1 is all.
    pub eta: f64,
}

/// The levels that a sampler asks for, from what the configuration says of the model's training.
pub(crate) fn levels(config: &ScheduleConfig, spec: &Spec, asked: &Asked) -> Levels {
    match spec.space {
        Space::Timesteps(laid) => timesteps::timestep_levels(config, spec, laid, asked),
        Space::Sigmas(laid) => sigmas::sigma_levels(config, spec, laid, asked),
        Space::Lambdas(laid) => lambdas::lambda_levels(config, spec, laid, asked),
        Space::Flow => flow::flow_levels(config, asked),
    }
}

/// How the noise levels are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleKind {
    /// Evenly spaced training timesteps, as the model's configuration spaces them.
    #[default]
    Normal,
    /// Karras et al. 2022, equation 5, rho 7.
    Karras,
    /// Even in the logarithm of sigma.
    Exponential,
    /// Quantiles of the beta distribution with both parameters 0.6 (Lee et al. 2024, "Beta Sampling is All You Need").
    Beta,
    /// Evenly spaced training timesteps from the last one down ("trailing" in diffusers).
    SgmUniform,
}

impl ScheduleKind {
    /// Every kind, in the order of menus.
    pub const ALL: [Self; 5] = [Self::Normal, Self::Karras, Self::Exponential, Self::Beta, Self::SgmUniform];

    /// The name, as in tasks and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Karras => "karras",
            Self::Exponential => "exponential",
            Self::Beta => "beta",
            Self::SgmUniform => "sgm_uniform",
        }
    }

    /// Whether it spaces timesteps evenly.
    pub(crate) fn is_even(self) -> bool {
        matches!(self, Self::Normal | Self::SgmUniform)
    }

    /// The name that menus and pictures of other programs show.
    pub fn shown(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Karras => "Karras",
            Self::Exponential => "Exponential",
            Self::Beta => "Beta",
            Self::SgmUniform => "SGM Uniform",
        }
    }
}

impl fmt::Display for ScheduleKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that no schedule has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no schedule `{0}`; there are normal, karras, exponential, beta and sgm_uniform")]
pub struct UnknownSchedule(pub String);

impl FromStr for ScheduleKind {
    type Err = UnknownSchedule;

    /// Knows the names, whatever the case and the separators: `SGM Uniform`, `sgm-uniform`, …
    fn from_str(name: &str) -> Result<Self, UnknownSchedule> {
        let plain = |text: &str| text.to_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "");
        let found = plain(name);
        match found.as_str() {
            "trailing" => Ok(Self::SgmUniform),
            // A1111's, which k-diffusion calls the usual one.
            "uniform" => Ok(Self::Normal),
            _ => Self::ALL.into_iter().find(|kind| plain(kind.name()) == found).ok_or_else(|| UnknownSchedule(name.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_and_are_what_jobs_store() {
        for kind in ScheduleKind::ALL {
            assert_eq!((kind.to_string().parse(), kind.shown().parse()), (Ok(kind), Ok(kind)));
            assert_eq!(serde_json::to_string(&kind).ok(), Some(format!("\"{kind}\"")));
        }
        assert_eq!("SGM Uniform".parse(), Ok(ScheduleKind::SgmUniform));
        let error = "kerras".parse::<ScheduleKind>().expect_err("there is none");
        assert_eq!(error.to_string(), "there is no schedule `kerras`; there are normal, karras, exponential, beta and sgm_uniform");
    }
}
