//! UniPC: Zhao et al. 2023, Algorithms 5 and 6, a predictor whose every step is corrected with the next network call. The memory holds the older
//! outputs and, last, the latents that the step before began with.

use candle_core::Tensor;

use crate::{
    error::InferenceError,
    sampler::{
        Denoiser,
        bounds::Bounds,
        method::{Method, Names, Run, Setup},
        prediction::noise,
        state::{SamplerState, Step},
        tensors::mix,
    },
    schedule::{
        Levels, NoiseLevel, ScheduleConfig, ScheduleKind,
        keys::SolverType,
        spec::{Lambdas, Space, Spec, ZeroSnr},
    },
};

/// UniPC.
#[derive(Clone, Debug)]
pub(in crate::sampler) struct UniPc {
    bounds: Bounds,
    order: usize,
    /// Whether runs end with steps of lower order.
    lower_order_final: bool,
    /// B(h) is h ("bh1") and not e^h − 1 ("bh2").
    is_bh1: bool,
    /// Whether the solver works on the clean latents, and not on the noise.
    predicts_clean: bool,
    /// Steps after which nothing is corrected.
    uncorrected: Vec<usize>,
}

impl Method for UniPc {
    const NAMES: Names = Names {
        ours: "unipc",
        shown: "UniPC",
        class: "UniPCMultistepScheduler",
        others: &["unipcmultistep", "unipcbh2"],
        about: "good with few steps",
        automatic: ScheduleKind::Normal,
    };

    fn spec(config: &ScheduleConfig) -> Spec {
        let usual = Lambdas::dpm_solver(config.ends_at_sigma_min());
        let laid = Lambdas { repeats_last: true, is_clipped: false, takes_flow_sigmas: true, ..usual };
        Spec { zero_snr: ZeroSnr::Approached, ..Spec::of(Self::NAMES.class, Space::Lambdas(laid)) }
    }

    fn new(setup: &Setup<'_>, _: &Levels) -> Self {
        let (config, keys) = (setup.config, &setup.config.keys);
        Self {
            bounds: Bounds::thresholding(config),
            order: config.solver_order(),
            lower_order_final: keys.lower_order_final.unwrap_or(true),
            is_bh1: keys.solver_type == Some(SolverType::Bh1),
            predicts_clean: keys.predict_x0.unwrap_or(true),
            uncorrected: keys.disable_corrector.clone().unwrap_or_default(),
        }
    }

    async fn step(&self, run: Run<'_>, denoiser: &impl Denoiser, mut state: SamplerState) -> Result<Step, InferenceError> {
        let i = state.step;
        let at = run.at(i);
        let denoised = denoiser.denoise(&state.latents, at).await?;
        let (denoised, output) = if self.predicts_clean {
            let bounded = self.bounds.bounded(denoiser, &denoised).await?;
            (bounded.clone(), bounded)
        } else {
            let output = noise(&state.latents, &denoised, at)?;
            (denoised, output)
        };
        let mut outputs = std::mem::take(&mut state.history);
        let began = outputs.pop();
        let latents = match began {
            Some(began) if !self.uncorrected.contains(&(i - 1)) => self.update(run, i - 1).corrected(&began, &outputs, &output)?,
            _ => state.latents.clone(),
        };
        outputs.push(output);
        let next = self.update(run, i).predicted(&latents, &outputs)?;
        let n_old = outputs.len().saturating_sub(self.order);
        outputs.drain(..n_old);
        outputs.push(latents);
        Ok(state.advance_with(next, outputs, denoised))
    }
}

impl UniPc {
    /// The order of a step.
    fn order(&self, run: Run<'_>, i: usize) -> usize {
        let limit = if self.lower_order_final { self.order.min(run.n_steps() - i) } else { self.order };
        // To a level without noise the step is infinitely long.
        let limit = if run.levels(i).1.sigma == 0.0 { 1 } else { limit };
        limit.min(run.n_made(i) + 1)
    }

    /// A step's update.
    fn update(&self, run: Run<'_>, i: usize) -> Update {
        let (order, (at, to)) = (self.order(run, i), run.levels(i));
        let lambda = |level: NoiseLevel| level.lambda();
        let h = lambda(to) - lambda(at);
        let hh = if self.predicts_clean { -h } else { h };
        let phi = hh.exp_m1();
        let b = if self.is_bh1 { hh } else { phi };
        let older = (1..order).map(|back| (lambda(run.at(i - back)) - lambda(at)) / h);
        let mut conditions = Vec::with_capacity(order);
        let (mut phi_k, mut factorial) = (phi / hh - 1.0, 1.0);
        for k in 1..=order {
            conditions.push(phi_k * factorial / b);
            factorial *= (k + 1) as f64;
            phi_k = phi_k / hh - 1.0 / factorial;
        }
        let (latents_weight, scale) = if self.predicts_clean { (to.sigma / at.sigma, to.alpha) } else { (to.alpha / at.alpha, to.sigma) };
        Update {
            latents_weight,
            output_weight: -scale * phi,
            difference_weight: -scale * b,
            nodes: older.chain([1.0]).collect(),
            conditions,
        }
    }
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
