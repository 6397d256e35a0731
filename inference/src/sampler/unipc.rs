//! UniPC: Zhao et al. 2023, Algorithms 5 and 6, a predictor whose every step is corrected with the next network call. The memory holds the older
//! outputs and, last, the latents that the step before began with.

use candle_core::Tensor;

use super::{Denoiser, NoiseLevel, Plan, SamplerState, Step, tensors::mix};
use crate::{error::InferenceError, schedule::noise};

pub(super) async fn step(plan: &Plan, denoiser: &impl Denoiser, mut state: SamplerState) -> Result<Step, InferenceError> {
    let i = state.step;
    let (planned, corrector) = (plan.steps[i], &plan.settings.corrector);
    let denoised = denoiser.denoise(&state.latents, planned.at).await?;
    let (denoised, output) = if corrector.predicts_clean {
        let bounded = plan.bounded(&denoised)?;
        (bounded.clone(), bounded)
    } else {
        let output = noise(&state.latents, &denoised, planned.at)?;
        (denoised, output)
    };
    let mut outputs = std::mem::take(&mut state.history);
    let began = outputs.pop();
    let latents = match began {
        Some(began) if !corrector.disabled.contains(&(i - 1)) => {
            let update = Update::new(plan, i - 1, order(plan, i - 1));
            update.corrected(&began, &outputs, &output)?
        }
        _ => state.latents.clone(),
    };
    outputs.push(output);
    let next = Update::new(plan, i, order(plan, i)).predicted(&latents, &outputs)?;
    let n_old = outputs.len().saturating_sub(plan.settings.order);
    outputs.drain(..n_old);
    outputs.push(latents);
    Ok(state.advance_with(next, outputs, denoised))
}

fn order(plan: &Plan, i: usize) -> usize {
    let highest = plan.settings.order;
    let limit = if plan.settings.lower_order_final { highest.min(plan.steps.len() - i) } else { highest };
    // To a level without noise the step is infinitely long.
    let limit = if plan.steps[i].to.sigma == 0.0 { 1 } else { limit };
    limit.min(plan.n_made(i) + 1)
}

/// What predictor and corrector of one step share.
struct Update {
    latents_weight: f64,
    output_weight: f64,
    /// Factor on the weighted differences.
    difference_weight: f64,
    /// Where the older outputs lie, in units of the step, newest first; then 1 for the step's end.
    nodes: Vec<f64>,
    /// The right-hand side of the order conditions.
    conditions: Vec<f64>,
}

impl Update {
    fn new(plan: &Plan, i: usize, order: usize) -> Self {
        let (at, to) = (plan.steps[i].at, plan.steps[i].to);
        let corrector = &plan.settings.corrector;
        let lambda = |level: NoiseLevel| level.lambda();
        let h = lambda(to) - lambda(at);
        let hh = if corrector.predicts_clean { -h } else { h };
        let phi = hh.exp_m1();
        let b = if corrector.is_bh1 { hh } else { phi };
        let older = (1..order).map(|back| (lambda(plan.steps[i - back].at) - lambda(at)) / h);
        let mut conditions = Vec::with_capacity(order);
        let (mut phi_k, mut factorial) = (phi / hh - 1.0, 1.0);
        for k in 1..=order {
            conditions.push(phi_k * factorial / b);
            factorial *= (k + 1) as f64;
            phi_k = phi_k / hh - 1.0 / factorial;
        }
        let (latents_weight, scale) =
            if corrector.predicts_clean { (to.sigma / at.sigma, to.alpha) } else { (to.alpha / at.alpha, to.sigma) };
        Self { latents_weight, output_weight: -scale * phi, difference_weight: -scale * b, nodes: older.chain([1.0]).collect(), conditions }
    }

    /// The latents at the step's end, from those at its start and the outputs up to there (newest last).
    fn predicted(&self, latents: &Tensor, outputs: &[Tensor]) -> Result<Tensor, InferenceError> {
        let n = self.nodes.len() - 1;
        // Of second order the reference takes the limit of small steps.
        let weights = if n == 1 { vec![0.5] } else { solve(&self.nodes[..n], &self.conditions[..n]) };
        self.applied(latents, outputs, &weights, None)
    }

    /// The latents at the step's end, once the output there is known too.
    fn corrected(&self, latents: &Tensor, outputs: &[Tensor], there: &Tensor) -> Result<Tensor, InferenceError> {
        let weights = if self.nodes.len() == 1 { vec![0.5] } else { solve(&self.nodes, &self.conditions) };
        self.applied(latents, outputs, &weights, Some(there))
    }

    fn applied(&self, latents: &Tensor, outputs: &[Tensor], weights: &[f64], there: Option<&Tensor>) -> Result<Tensor, InferenceError> {
        let newest = &outputs[outputs.len() - 1];
        let n_older = self.nodes.len() - 1;
        let others = outputs.iter().rev().skip(1).take(n_older).chain(there);
        let nodes = self.nodes[..n_older].iter().chain(&[1.0]);
        let weighted = others.zip(nodes).zip(weights);
        let terms: Vec<(f64, &Tensor)> =
            weighted.map(|((output, node), weight)| (self.difference_weight * weight / node, output)).collect();
        let on_newest = self.output_weight - terms.iter().map(|(weight, _)| weight).sum::<f64>();
        mix([(self.latents_weight, latents), (on_newest, newest)].into_iter().chain(terms))
    }
}

/// Weights whose sums over the nodes' powers, from the zeroth on, are these: Gaussian elimination with pivots.
fn solve(nodes: &[f64], sums: &[f64]) -> Vec<f64> {
    let n = nodes.len();
    let mut rows: Vec<Vec<f64>> = (0..n).map(|i| nodes.iter().map(|node| node.powi(i as i32)).chain([sums[i]]).collect()).collect();
    for column in 0..n {
        let pivot = (column..n).max_by(|&a, &b| rows[a][column].abs().total_cmp(&rows[b][column].abs())).unwrap_or(column);
        rows.swap(column, pivot);
        let row = rows[column].clone();
        for other in rows.iter_mut().skip(column + 1) {
            let factor = other[column] / row[column];
            other.iter_mut().zip(&row).for_each(|(value, above)| *value -= factor * above);
        }
    }
    let mut weights = vec![0.0; n];
    for i in (0..n).rev() {
        let known: f64 = (i + 1..n).map(|k| rows[i][k] * weights[k]).sum();
        weights[i] = (rows[i][n] - known) / rows[i][i];
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::solve;

    #[test]
    fn weights_fulfil_their_conditions() {
        let (nodes, sums) = ([-2.5, -1.0, 1.0], [0.7, 0.2, 0.9]);
        let weights = solve(&nodes, &sums);
        for (power, wanted) in sums.into_iter().enumerate() {
            let found: f64 = weights.iter().zip(nodes).map(|(weight, node)| weight * f64::powi(node, power as i32)).sum();
            assert!((found - wanted).abs() < 1e-12, "{power}: {found}");
        }
        assert!(solve(&[], &[]).is_empty());
    }
}
