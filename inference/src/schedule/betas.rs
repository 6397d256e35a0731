//! How noisy training was at each timestep: ᾱ of every one, in float32 as torch computes it.

use super::{
    keys::{BetaSchedule, Keys},
    numpy::linspace_f32,
    spec::BetaDefaults,
};

/// ᾱ of every training timestep, before any rescaling.
pub(super) fn betas(keys: &Keys, defaults: BetaDefaults) -> Vec<f32> {
    if let Some(betas) = &keys.trained_betas {
        return betas.clone();
    }
    let n = keys.num_train_timesteps.unwrap_or(1000);
    let (start, end) = (keys.beta_start.unwrap_or(defaults.start), keys.beta_end.unwrap_or(defaults.end));
    match keys.beta_schedule.unwrap_or(defaults.schedule) {
        BetaSchedule::ScaledLinear => linspace_f32(start.sqrt() as f32, end.sqrt() as f32, n).into_iter().map(|root| root * root).collect(),
        BetaSchedule::Cosine => of_alpha_bar(n, |t| ((t + 0.008) / 1.008 * std::f64::consts::PI / 2.0).cos().powi(2)),
        BetaSchedule::Exponential => of_alpha_bar(n, |t| (t * -12.0).exp()),
        BetaSchedule::Laplace => of_alpha_bar(n, |t| {
            let half = 0.5 - t;
            let snr = (-0.5 * 1f64.copysign(half) * (1.0 - 2.0 * half.abs() + 1e-6).ln()).exp();
            (snr / (1.0 + snr)).sqrt()
        }),
        BetaSchedule::Sigmoid => {
            let (start, span) = (start as f32, (end - start) as f32);
            linspace_f32(-6.0, 6.0, n).into_iter().map(|x| 1.0 / (1.0 + (-x).exp()) * span + start).collect()
        }
        BetaSchedule::Linear => linspace_f32(start as f32, end as f32, n),
    }
}

fn of_alpha_bar(n: usize, alpha_bar: impl Fn(f64) -> f64) -> Vec<f32> {
    let time = |i: usize| i as f64 / n as f64;
    (0..n).map(|i| (1.0 - alpha_bar(time(i + 1)) / alpha_bar(time(i))).min(0.999) as f32).collect()
}

/// `torch.cumprod(1 - betas)` in float32: torch keeps the running product in `f64`.
pub(super) fn cumulative_product(betas: &[f32]) -> Vec<f32> {
    let mut product = 1.0;
    let step = |beta: &f32| {
        product *= f64::from(1.0 - beta);
        product as f32
    };
    betas.iter().map(step).collect()
}

/// Betas whose last ᾱ is zero: Lin et al. 2023, algorithm 1.
pub(super) fn rescaled_to_zero_snr(betas: &[f32]) -> Vec<f32> {
    let roots: Vec<f32> = cumulative_product(betas).iter().map(|alpha| alpha.sqrt()).collect();
    let (first, last) = (roots[0], roots[roots.len() - 1]);
    let scale = first / (first - last);
    let rescaled: Vec<f32> = roots.iter().map(|root| ((root - last) * scale).powi(2)).collect();
    let before = [1.0].into_iter().chain(rescaled.iter().copied());
    rescaled.iter().zip(before).map(|(alpha, before)| 1.0 - alpha / before).collect()
}
