//! The multistep DPM-Solver: Lu et al. 2022, "DPM-Solver++", Algorithm 2, with rising order at the start and falling order at the end.

use candle_core::Tensor;

use super::{
    Denoiser,
    dpm_solver::{Algorithm, Begun, Differences, Solver},
    method::{Run, Setup},
    state::{SamplerState, Step},
    tensors::mix,
};
use crate::{
    error::InferenceError,
    schedule::{
        ScheduleConfig,
        keys::AlgorithmType,
        spec::{Lambdas, Space, Spec, ZeroSnr},
    },
};

/// The class in diffusers for all of these samplers.
pub(super) const CLASS: &str = "DPMSolverMultistepScheduler";

/// Runs shorter than this end with steps of lower order where the configuration wants it.
pub(super) const SHORT: usize = 15;

/// A multistep DPM-Solver with its settings for one run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Multistep {
    solver: Solver,
    /// Whether short runs end with steps of lower order.
    lower_order_final: bool,
}

/// What these samplers ask of a schedule.
pub(super) fn spec(config: &ScheduleConfig, algorithm: Algorithm) -> Spec {
    let laid = Lambdas { takes_lu_lambdas: true, ..Lambdas::dpm_solver(algorithm.ends_at_sigma_min(config)) };
    Spec { zero_snr: ZeroSnr::Approached, ..Spec::of(CLASS, Space::Lambdas(laid)) }
}

/// Whether the configuration means a sampler with fresh noise.
pub(super) fn wants_noise(config: &ScheduleConfig) -> bool {
    matches!(config.keys.algorithm_type, Some(AlgorithmType::SdeDpmSolver | AlgorithmType::SdeDpmSolverPp))
}

impl Multistep {
    pub(super) fn new(setup: &Setup<'_>, algorithm: Algorithm, order: usize) -> Self {
        let lower_order_final = setup.config.keys.lower_order_final.unwrap_or(true);
        Self { solver: Solver::new(setup.config, algorithm, order), lower_order_final }
    }

    pub(super) async fn step(&self, run: Run<'_>, denoiser: &impl Denoiser, mut state: SamplerState) -> Result<Step, InferenceError> {
        let (i, solver) = (state.step, self.solver);
        let (at, to) = run.levels(i);
        let Begun { denoised, output, fresh } = solver.begin(denoiser, &mut state, at).await?;
        let mut outputs = std::mem::take(&mut state.history);
        outputs.push(output.clone());
        let lambda = |back: usize| run.at(i - back).lambda();
        let h = to.lambda() - lambda(0);
        let weights = solver.algorithm.weights(at, to);
        let applied = |output: &Tensor, differences: Differences<'_>| {
            weights.applied(solver.form, &state.latents, output, differences, fresh.as_ref())
        };
        let newest: Vec<_> = outputs.iter().rev().collect();
        let latents = match (self.order(run, i, h), newest.as_slice()) {
            (2, [m0, m1, ..]) => {
                let r0 = (lambda(0) - lambda(1)) / h;
                let first = mix([(1.0 / r0, *m0), (-1.0 / r0, m1)])?;
                applied(m0, Differences::First(&first))?
            }
            (3, [m0, m1, m2, ..]) => {
                let (r0, r1) = ((lambda(0) - lambda(1)) / h, (lambda(1) - lambda(2)) / h);
                let newer = mix([(1.0 / r0, *m0), (-1.0 / r0, m1)])?;
                let older = mix([(1.0 / r1, *m1), (-1.0 / r1, m2)])?;
                let change = (&newer - &older)?;
                let first = mix([(1.0, &newer), (r0 / (r0 + r1), &change)])?;
                let second = (change / (r0 + r1))?;
                applied(m0, Differences::Both(&first, &second))?
            }
            _ => applied(&output, Differences::None)?,
        };
        let n_old = outputs.len().saturating_sub(solver.order - 1);
        outputs.drain(..n_old);
        Ok(state.advance_with(latents, outputs, denoised))
    }

    /// The order of a step.
    fn order(&self, run: Run<'_>, i: usize, h: f64) -> usize {
        let (solver, n) = (&self.solver, run.n_steps());
        let is_short = self.lower_order_final && n < SHORT;
        let highest = if solver.algorithm == Algorithm::NoiseSde { solver.order.min(2) } else { solver.order };
        let limit = match n - i {
            _ if h == 0.0 => 1,
            1 if solver.euler_at_final || is_short => 1,
            2 if is_short => 2,
            _ => highest,
        };
        highest.min(limit).min(run.n_made(i) + 1)
    }
}
