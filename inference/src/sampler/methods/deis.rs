//! DEIS with polynomials in log rho: Zhang and Chen 2022, equation 15, rho being sigma over alpha.

use candle_core::Tensor;

use crate::{
    error::InferenceError,
    sampler::{
        Denoiser,
        bounds::Bounds,
        dpm_multistep::SHORT,
        method::{Method, Names, Run, Setup},
        prediction::noise,
        state::{SamplerState, Step},
        tensors::mix,
    },
    schedule::{
        Levels, NoiseLevel, ScheduleConfig, ScheduleKind,
        spec::{Lambdas, Space, Spec},
    },
};

/// DEIS.
#[derive(Clone, Debug)]
pub(in crate::sampler) struct Deis {
    bounds: Bounds,
    order: usize,
    /// Whether short runs end with steps of lower order.
    lower_order_final: bool,
}

/// Weights of the last outputs, newest first: integrals over rho of the polynomials in log rho that are 1 at one of `nodes` and 0 at the others.
fn coefficients(nodes: &[f64], to: f64) -> Vec<f64> {
    let logs: Vec<f64> = nodes.iter().map(|node| node.ln()).collect();
    let weight = |j: usize| {
        let others: Vec<f64> = (0..nodes.len()).filter(|&k| k != j).map(|k| logs[k]).collect();
        let scale: f64 = others.iter().map(|other| logs[j] - other).product();
        (antiderivative(to, &others) - antiderivative(nodes[0], &others)) / scale
    };
    (0..nodes.len()).map(weight).collect()
}

/// Of the product of (ln rho − root) over one or two roots.
fn antiderivative(rho: f64, roots: &[f64]) -> f64 {
    let log = rho.ln();
    match roots {
        [root] => rho * (log - root - 1.0),
        [first, second] => rho * (log * log - (first + second + 2.0) * log + first * second + first + second + 2.0),
        _ => rho,
    }
}

impl Method for Deis {
    const NAMES: Names = Names {
        ours: "deis",
        shown: "DEIS",
        class: "DEISMultistepScheduler",
        others: &["deismultistep"],
        about: "good with few steps",
        automatic: ScheduleKind::Normal,
    };

    fn spec(_: &ScheduleConfig) -> Spec {
        let laid = Lambdas { repeats_last: true, is_clipped: false, ..Lambdas::dpm_solver(true) };
        Spec::of(Self::NAMES.class, Space::Lambdas(laid))
    }

    fn new(setup: &Setup<'_>, _: &Levels) -> Self {
        let config = setup.config;
        let lower_order_final = config.keys.lower_order_final.unwrap_or(true);
        Self { bounds: Bounds::thresholding(config), order: config.solver_order(), lower_order_final }
    }

    async fn step(&self, run: Run<'_>, denoiser: &impl Denoiser, state: SamplerState) -> Result<Step, InferenceError> {
        let i = state.step;
        let (at, to) = run.levels(i);
        let denoised = self.bounds.denoise(denoiser, &state.latents, at).await?;
        let mut outputs = state.history.clone();
        outputs.push(noise(&state.latents, &denoised, at)?);
        let order = self.order(run, i);
        let newest: Vec<&Tensor> = outputs.iter().rev().take(order).collect();
        let latents = if order == 1 {
            let h = to.lambda() - at.lambda();
            mix([(to.alpha / at.alpha, &state.latents), (-to.sigma * h.exp_m1(), newest[0])])?
        } else {
            let rho = |level: NoiseLevel| level.sigma / level.alpha;
            let nodes: Vec<f64> = (0..order).map(|back| rho(run.at(i - back))).collect();
            let weights = coefficients(&nodes, rho(to)).into_iter().map(|weight| weight * to.alpha);
            mix([(to.alpha / at.alpha, &state.latents)].into_iter().chain(weights.zip(newest)))?
        };
        let n_old = outputs.len().saturating_sub(self.order - 1);
        outputs.drain(..n_old);
        Ok(state.advance_with(latents, outputs, denoised))
    }
}

impl Deis {
    /// The order of a step.
    fn order(&self, run: Run<'_>, i: usize) -> usize {
        let is_short = self.lower_order_final && run.n_steps() < SHORT;
        let limit = match run.n_steps() - i {
            left @ 1..=2 if is_short => left,
            _ => self.order,
        };
        self.order.min(limit).min(run.n_made(i) + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::coefficients;

    /// Weights integrate what they interpolate: 1, ln rho and its square.
    #[test]
    fn coefficients_integrate_polynomials_in_log_rho() {
        let (nodes, to) = ([2.0f64, 3.0, 5.0], 1.2f64);
        let found = coefficients(&nodes, to);
        let sum = |power: i32| found.iter().zip(&nodes).map(|(weight, node)| weight * node.ln().powi(power)).sum::<f64>();
        let primitive: [fn(f64) -> f64; 3] =
            [|rho| rho, |rho| rho * (rho.ln() - 1.0), |rho| rho * (rho.ln().powi(2) - 2.0 * rho.ln() + 2.0)];
        for (power, primitive) in primitive.into_iter().enumerate() {
            let wanted = primitive(to) - primitive(nodes[0]);
            assert!((sum(power as i32) - wanted).abs() < 1e-12, "{power}");
        }
    }
}
