//! What holds for samplers whatever the reference: order of convergence, the distribution that fresh noise keeps, going on from a copy.

use candle_core::{Device, Tensor};
use futures::executor::block_on;

use super::{asked, config};
use crate::{
    error::InferenceError,
    noise::TorchGenerator,
    sampler::{Denoiser, NoiseLevel, Plan, Sampler, SamplerState},
    schedule::{Asked, ScheduleConfig, ScheduleKind},
};

/// The exact denoiser of data that are normal with this mean and deviation.
struct Gaussian;
const MEAN: f64 = 0.3;
const DEVIATION: f64 = 0.5;

impl Gaussian {
    /// Standard deviation of the noisy data.
    fn spread(at: NoiseLevel) -> f64 {
        (at.alpha * DEVIATION).hypot(at.sigma)
    }

    /// Along the probability-flow ODE the distance from the mean shrinks with the spread of the noisy data.
    fn moved(latents: f64, from: NoiseLevel, to: NoiseLevel) -> f64 {
        to.alpha * MEAN + (latents - from.alpha * MEAN) * Self::spread(to) / Self::spread(from)
    }
}

impl Denoiser for Gaussian {
    async fn denoise(&self, latents: &Tensor, at: NoiseLevel) -> Result<Tensor, InferenceError> {
        let gain = DEVIATION.powi(2) * at.alpha / Self::spread(at).powi(2);
        Ok(latents.affine(gain, MEAN * (1.0 - gain * at.alpha))?)
    }
}

fn run(plan: &Plan, mut state: SamplerState, n_steps: usize) -> SamplerState {
    while state.step < n_steps {
        state = block_on(plan.step(&Gaussian, state)).expect("a step").state;
    }
    state
}

fn state(latents: Tensor) -> SamplerState {
    SamplerState { step: 0, latents, history: Vec::new(), noise: TorchGenerator::new(3) }
}

fn value(latents: &Tensor) -> f64 {
    latents.flatten_all().and_then(|flat| flat.to_vec1::<f64>()).expect("f64")[0]
}

/// Error of a run against the closed form: up to its last level but one, for PNDM half-way, since its equal steps in time are ever longer ones
/// of the noise towards the end.
fn error(sampler: Sampler, config: &ScheduleConfig, kind: ScheduleKind, n_steps: usize) -> f64 {
    let plan = sampler.plan(config, &asked(kind, n_steps, None));
    let first = plan.levels.at[0];
    let begin = first.alpha * MEAN + 0.7 * Gaussian::spread(first);
    let latents = Tensor::full(begin, (1, 1, 1, 1), &Device::Cpu).expect("latents");
    let last = if sampler == Sampler::Pndm { plan.n_steps() / 2 } else { plan.n_steps() - 1 };
    let found = value(&run(&plan, state(latents), last).latents);
    (found - Gaussian::moved(begin, first, plan.levels.at[last])).abs()
}

#[test]
fn each_solver_converges_with_its_order() {
    use Sampler::{Ddim, Deis, Dpm2, DpmPp2M, DpmPp2S, DpmPp3M, Euler, FlowEuler, Heun, Lms, Pndm, UniPc};
    use ScheduleKind::{Exponential, Normal};
    let even = config(r#"{"sigma_min": 0.1, "sigma_max": 10.0}"#);
    let skip = config(r#"{"skip_prk_steps": true}"#);
    let flow = config(r#"{"_class_name": "FlowMatchEulerDiscreteScheduler"}"#);
    for (sampler, config, kind, n_steps, order) in [
        (Euler, &even, Exponential, 80, 1.0),
        (Ddim, &even, Exponential, 80, 1.0),
        (FlowEuler, &flow, Normal, 80, 1.0),
        (Heun, &even, Exponential, 80, 2.0),
        (Dpm2, &even, Exponential, 80, 2.0),
        (Lms, &even, Exponential, 80, 2.0),
        (DpmPp2M, &even, Exponential, 80, 2.0),
        (DpmPp3M, &even, Exponential, 80, 2.0),
        (DpmPp2S, &even, Exponential, 81, 2.0),
        (Deis, &even, Exponential, 80, 2.0),
        (UniPc, &even, Exponential, 80, 3.0),
        (Pndm, &skip, Normal, 50, 2.0),
    ] {
        let (coarse, fine) = (error(sampler, config, kind, n_steps), error(sampler, config, kind, 2 * n_steps - n_steps % 2));
        let found = (coarse / fine).log2();
        assert!(found > order - 0.25, "{sampler}: order {found:.3}, errors {coarse:.2e} and {fine:.2e}");
        assert!(fine < 0.1, "{sampler}: error {fine:.2e}");
    }
}

/// How far the spread of many runs with fresh noise is from that of the noisy data at the last level but one.
fn error_of_spread(sampler: Sampler, config: &ScheduleConfig, n_steps: usize) -> f64 {
    const SIDE: usize = 1000;
    let plan = sampler.plan(config, &asked(ScheduleKind::Exponential, n_steps, None));
    let (first, last) = (plan.levels.at[0], plan.n_steps() - 1);
    let mut noise = TorchGenerator::new(7);
    let unit = Tensor::from_vec(noise.randn(SIDE * SIDE), (1, 1, SIDE, SIDE), &Device::Cpu).expect("noise");
    let latents = unit.affine(Gaussian::spread(first), first.alpha * MEAN).expect("latents");
    let state = run(&plan, SamplerState { step: 0, latents, history: Vec::new(), noise }, last);
    let values = state.latents.flatten_all().and_then(|tensor| tensor.to_vec1::<f32>()).expect("values");
    let mean = values.iter().map(|&value| f64::from(value)).sum::<f64>() / values.len() as f64;
    let variance = values.iter().map(|&value| (f64::from(value) - mean).powi(2)).sum::<f64>() / values.len() as f64;
    (variance.sqrt() - Gaussian::spread(plan.levels.at[last])).abs()
}

/// In expectation the solver is exact for normal data, so it is the spread that converges. (DPM++ SDE has no other reference: diffusers draws its noise
/// from torchsde's tree.)
#[test]
fn dpmpp_sde_converges_with_its_order() {
    let even = config(r#"{"sigma_min": 0.1, "sigma_max": 10.0}"#);
    let (coarse, fine) = (error_of_spread(Sampler::DpmPpSde, &even, 6), error_of_spread(Sampler::DpmPpSde, &even, 11));
    let found = (coarse / fine).log2();
    assert!((found - 2.0).abs() < 0.3, "order {found:.3}, errors {coarse:.2e} and {fine:.2e}");
}

/// Every schedule works with every sampler, also where the reference lacks the pair.
#[test]
fn every_pair_draws_what_the_noise_holds() {
    let config = config(r#"{"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012, "clip_sample": false}"#);
    for sampler in Sampler::ALL {
        for kind in ScheduleKind::ALL {
            let plan = sampler.plan(&config, &asked(kind, 25, None));
            let first = plan.levels.at[0];
            let begin = first.alpha * MEAN + 0.7 * Gaussian::spread(first);
            let latents = Tensor::full(begin, (1, 1, 4, 4), &Device::Cpu).expect("latents");
            let found = value(&run(&plan, state(latents), plan.n_steps()).latents);
            // Deterministic samplers keep the place in the distribution, others stay inside it.
            let distance = (found - MEAN) / DEVIATION;
            let is_stochastic = matches!(
                sampler,
                Sampler::EulerA | Sampler::Dpm2A | Sampler::DpmPp2MSde | Sampler::DpmPpSde | Sampler::Ddpm | Sampler::Lcm
            );
            let is_right = if is_stochastic { distance.abs() < 4.0 } else { (distance - 0.7).abs() < 0.25 };
            assert!(is_right, "{sampler} {kind}: {distance}");
        }
    }
}

/// Those that fit models of flow matching draw what the noise holds there, with every schedule.
#[test]
fn samplers_that_fit_follow_the_straight_lines_of_flow_matching() {
    let flow = config(r#"{"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 3.0}"#);
    let fitting: Vec<Sampler> = Sampler::ALL.into_iter().filter(|sampler| sampler.fits(flow.prediction)).collect();
    assert!((8..Sampler::ALL.len()).contains(&fitting.len()), "{fitting:?}");
    for sampler in fitting {
        for kind in ScheduleKind::ALL {
            let plan = sampler.plan(&flow, &asked(kind, 25, None));
            let first = plan.levels.at[0];
            let latents = Tensor::full(first.alpha * MEAN + 0.7 * Gaussian::spread(first), (1, 1, 4, 4), &Device::Cpu).expect("latents");
            let distance = (value(&run(&plan, state(latents), plan.n_steps()).latents) - MEAN) / DEVIATION;
            let is_right = match (sampler, kind) {
                (Sampler::DpmPp2MSde, _) => distance.abs() < 4.0,
                // Those that remember several steps overshoot where steps are as uneven as those of a beta distribution.
                (_, ScheduleKind::Beta) => (distance - 0.7).abs() < 0.75,
                _ => (distance - 0.7).abs() < 0.25,
            };
            assert!(is_right, "{sampler} {kind}: {distance}");
        }
    }
}

#[test]
fn fresh_noise_keeps_the_distribution() {
    use Sampler::{Ddim, Ddpm, Dpm2A, DpmPp2MSde, DpmPpSde, EulerA};
    let config = config(r#"{"clip_sample": false}"#);
    for (sampler, kind, n_steps) in [
        (EulerA, ScheduleKind::Karras, 60),
        (Dpm2A, ScheduleKind::Karras, 40),
        (DpmPpSde, ScheduleKind::Karras, 40),
        (DpmPp2MSde, ScheduleKind::Karras, 60),
        (Ddpm, ScheduleKind::Normal, 120),
        (Ddim, ScheduleKind::Normal, 120),
    ] {
        let plan = sampler.plan(&config, &Asked { eta: 1.0, ..asked(kind, n_steps, None) });
        let mut noise = TorchGenerator::new(3);
        let latents = Tensor::from_vec(noise.randn(10_000), (1, 1, 100, 100), &Device::Cpu).expect("noise");
        let first = plan.levels.at[0];
        let latents = latents.affine(Gaussian::spread(first), first.alpha * MEAN).expect("latents");
        let state = SamplerState { step: 0, latents, history: Vec::new(), noise };
        let state = run(&plan, state, plan.n_steps());
        let values = state.latents.flatten_all().and_then(|tensor| tensor.to_vec1::<f32>()).expect("values");
        let mean = values.iter().map(|&value| f64::from(value)).sum::<f64>() / values.len() as f64;
        let variance = values.iter().map(|&value| (f64::from(value) - mean).powi(2)).sum::<f64>() / values.len() as f64;
        assert!((mean - MEAN).abs() < 0.03, "{sampler}: mean {mean}");
        assert!((variance.sqrt() - DEVIATION).abs() < 0.05, "{sampler}: deviation {}", variance.sqrt());
    }
}

#[test]
fn a_run_goes_on_from_a_copy_of_its_state_bit_for_bit() {
    let bits = |state: &SamplerState| {
        let values = state.latents.flatten_all().and_then(|flat| flat.to_vec1::<f32>()).expect("f32");
        values.into_iter().map(f32::to_bits).collect::<Vec<_>>()
    };
    for (config, eta) in [(config("{}"), 0.5), (config(r#"{"skip_prk_steps": true, "solver_order": 3}"#), 0.0)] {
        let asked = Asked { eta, ..asked(ScheduleKind::Normal, 8, None) };
        for sampler in Sampler::ALL {
            let plan = sampler.plan(&config, &asked);
            let mut noise = TorchGenerator::new(1);
            let latents = Tensor::from_vec(noise.randn(16), (1, 1, 4, 4), &Device::Cpu).expect("noise");
            let begun = SamplerState { step: 0, latents: plan.first_latents(&latents).expect("latents"), history: Vec::new(), noise };
            let whole = run(&plan, begun.clone(), plan.n_steps());
            for stop in 1..plan.n_steps() {
                let stopped = run(&plan, begun.clone(), stop);
                let plan = sampler.plan(&config, &asked);
                let resumed = run(&plan, stopped.clone(), plan.n_steps());
                assert_eq!(bits(&resumed), bits(&whole), "{sampler} stopped after {stop}");
                assert_eq!(resumed.noise, whole.noise, "{sampler} stopped after {stop}");
            }
        }
    }
}
