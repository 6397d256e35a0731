//! DEIS with polynomials in log rho: Zhang and Chen 2022, equation 15, rho being sigma over alpha.

use candle_core::Tensor;

use super::{Denoiser, NoiseLevel, Plan, SamplerState, Step, dpmpp_multistep::SHORT, tensors::mix};
use crate::{error::InferenceError, schedule::noise};

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

pub(super) async fn step(plan: &Plan, denoiser: &impl Denoiser, state: SamplerState) -> Result<Step, InferenceError> {
    let i = state.step;
    let planned = plan.steps[i];
    let (at, to) = (planned.at, planned.to);
    let denoised = plan.denoise(denoiser, &state.latents, at).await?;
    let mut outputs = state.history.clone();
    outputs.push(noise(&state.latents, &denoised, at)?);
    let order = order(plan, i);
    let newest: Vec<&Tensor> = outputs.iter().rev().take(order).collect();
    let latents = if order == 1 {
        let h = to.lambda() - at.lambda();
        mix([(to.alpha / at.alpha, &state.latents), (-to.sigma * h.exp_m1(), newest[0])])?
    } else {
        let rho = |level: NoiseLevel| level.sigma / level.alpha;
        let nodes: Vec<f64> = (0..order).map(|back| rho(plan.steps[i - back].at)).collect();
        let weights = coefficients(&nodes, rho(to)).into_iter().map(|weight| weight * to.alpha);
        mix([(to.alpha / at.alpha, &state.latents)].into_iter().chain(weights.zip(newest)))?
    };
    let n_old = outputs.len().saturating_sub(plan.settings.order - 1);
    outputs.drain(..n_old);
    Ok(state.advance_with(latents, outputs, denoised))
}

fn order(plan: &Plan, i: usize) -> usize {
    let is_short = plan.settings.lower_order_final && plan.steps.len() < SHORT;
    let limit = match plan.steps.len() - i {
        left @ 1..=2 if is_short => left,
        _ => plan.settings.order,
    };
    plan.settings.order.min(limit).min(plan.n_made(i) + 1)
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
