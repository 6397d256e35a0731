//! What a sampler asks of a schedule: how the class in diffusers that it stands for lays its levels.

use super::{
    Asked, ScheduleKind,
    keys::{BetaSchedule, Spacing},
};

/// What a sampler asks of a schedule.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spec {
    /// The class in diffusers, whose defaults stand for the keys that a configuration lacks.
    pub(crate) class: &'static str,
    /// Its defaults for the noise of training.
    pub(crate) betas: BetaDefaults,
    /// What it makes of `rescale_betas_zero_snr`.
    pub(crate) zero_snr: ZeroSnr,
    /// How it spaces timesteps where the configuration does not say it.
    pub(crate) spacing: Spacing,
    /// Whether the configuration's spacing reaches it.
    pub(crate) takes_spacing: bool,
    /// Whether a step calls the network twice, unless it ends without noise.
    pub(crate) calls_twice: bool,
    /// The space of its latents, and how it lays levels there.
    pub(crate) space: Space,
}

/// The space of a sampler's latents.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Space {
    /// Variance-preserving, from timestep to timestep.
    Timesteps(Timesteps),
    /// Clean latents plus sigma times unit noise.
    Sigmas(Sigmas),
    /// Variance-preserving, laid in sigma.
    Lambdas(Lambdas),
    /// The straight line of flow matching, whatever the configuration says that the network predicts.
    Flow,
}

/// How levels are laid from timestep to timestep.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timesteps {
    /// Where the last step goes.
    pub(crate) end: End,
    /// Whether evenly spaced steps go back by a whole number of timesteps, wherever the next one lies.
    pub(crate) steps_back: bool,
    /// Whether timesteps are chosen among those that a consistency model was distilled on.
    pub(crate) is_distilled: bool,
    /// Whether changing a picture with a consistency model chooses among the last of those, and leaves out no steps.
    pub(crate) spreads_strength: bool,
}

/// Where the last step from timestep to timestep goes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    /// To no noise.
    Clean,
    /// To the first timestep.
    FirstTimestep,
    /// To no noise if `set_alpha_to_one` says so, or else to the first timestep.
    AlphaToOne {
        /// What holds without that key.
        default: bool,
    },
}

/// How levels are laid in sigma.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sigmas {
    /// Whether the class converts sigmas, over the timesteps that would be visited; or else k-diffusion does, over all of training's.
    pub(crate) converts: bool,
    /// Whether its Karras schedule keeps within `sigma_min` and `sigma_max`.
    pub(crate) bounds_karras: bool,
    /// Whether the timesteps of its Karras schedule are whole.
    pub(crate) rounds_karras: bool,
    /// Whether linearly spaced timesteps are float32.
    pub(crate) rounds_to_f32: bool,
    /// Whether the last step ends at the smallest sigma of training.
    pub(crate) ends_at_sigma_min: bool,
    /// Whether sigmas are even in their logarithm over all of training's.
    pub(crate) is_log_linear: bool,
    /// Whether the network is told a quarter of the logarithm of sigma.
    pub(crate) tells_log_sigma: bool,
}

/// How levels are laid in sigma for solvers in λ.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lambdas {
    /// Whether the last step ends at the smallest sigma of training.
    pub(crate) ends_at_sigma_min: bool,
    /// Whether it then ends at the smallest of the converted sigmas, if there are such.
    pub(crate) repeats_last: bool,
    /// Whether `lambda_min_clipped` cuts off timesteps.
    pub(crate) is_clipped: bool,
    /// Whether `use_lu_lambdas` is known, and the timesteps of cosine noise are always cut off.
    pub(crate) takes_lu_lambdas: bool,
    /// Whether flow matching's sigmas are even in themselves, and may be a pipeline's; or else their complements are even.
    pub(crate) takes_flow_sigmas: bool,
}

/// What stands in a class's signature for the noise of training.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BetaDefaults {
    /// `beta_start`.
    pub(crate) start: f64,
    /// `beta_end`.
    pub(crate) end: f64,
    /// `beta_schedule`.
    pub(crate) schedule: BetaSchedule,
}

/// What a class makes of `rescale_betas_zero_snr` (Lin et al. 2023, section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ZeroSnr {
    /// It has no such key.
    Unknown,
    /// The last timestep is nothing but noise.
    Reached,
    /// The last timestep is all but nothing but noise, so that its sigma stays finite.
    Approached,
}

impl BetaDefaults {
    /// Of most classes.
    pub(crate) const LINEAR: Self = Self { start: 0.0001, end: 0.02, schedule: BetaSchedule::Linear };
    /// Of those that k-diffusion's samplers with two calls stand in.
    pub(crate) const STABLE_LINEAR: Self = Self { start: 0.00085, end: 0.012, schedule: BetaSchedule::Linear };
    /// Of those for consistency models.
    pub(crate) const STABLE: Self = Self { start: 0.00085, end: 0.012, schedule: BetaSchedule::ScaledLinear };
}

impl Spec {
    /// What most classes ask.
    pub(crate) const fn of(class: &'static str, space: Space) -> Self {
        let (betas, zero_snr, spacing) = (BetaDefaults::LINEAR, ZeroSnr::Unknown, Spacing::Linspace);
        Self { class, betas, zero_snr, spacing, takes_spacing: true, calls_twice: false, space }
    }
}

impl Spec {
    /// The share of the timesteps of distillation that all steps of a run are spread over, the least noisy first.
    pub(crate) fn spread(&self, asked: &Asked) -> Option<f64> {
        let spreads = matches!(self.space, Space::Timesteps(Timesteps { spreads_strength: true, .. }));
        let is_asked = asked.is_consistency_model && asked.kind == ScheduleKind::Normal;
        asked.strength.filter(|_| spreads && is_asked).map(|strength| strength.clamp(0.0, 1.0))
    }
}

impl Timesteps {
    /// From timestep to timestep to the end.
    pub(crate) const fn to(end: End) -> Self {
        Self { end, steps_back: false, is_distilled: false, spreads_strength: false }
    }
}

impl Sigmas {
    /// What most classes do.
    pub(crate) const USUAL: Self = Self {
        converts: true,
        bounds_karras: true,
        rounds_karras: false,
        rounds_to_f32: true,
        ends_at_sigma_min: false,
        is_log_linear: false,
        tells_log_sigma: false,
    };
}

impl Lambdas {
    /// What DPM-Solvers do.
    pub(crate) const fn dpm_solver(ends_at_sigma_min: bool) -> Self {
        Self { ends_at_sigma_min, repeats_last: false, is_clipped: true, takes_lu_lambdas: false, takes_flow_sigmas: false }
    }
}
