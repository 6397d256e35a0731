//! DPM-Solver++ (2S): Lu et al. 2022, Algorithm 1. As in the reference, one step of second order is two steps of the plan: to a level in between,
//! and again from where it began. The memory holds the older outputs and, last, the latents where the block began.

use super::{Denoiser, Plan, SamplerState, Step, dpm_solver::Differences, tensors::mix};
use crate::{error::InferenceError, schedule::SolverType};

/// The order of every step of a run of `n`.
fn orders(order: usize, n: usize, lower_order_final: bool, euler_at_final: bool) -> Vec<usize> {
    let block = |order: usize| 1..=order;
    let blocks = |order: usize, n: usize| (0..n).flat_map(move |_| block(order)).collect::<Vec<_>>();
    let mut orders = match (order, lower_order_final) {
        (1, _) => vec![1; n],
        (order, false) => blocks(order, n / order),
        (2, true) if n.is_multiple_of(2) => [blocks(2, (n / 2).saturating_sub(1)), vec![1, 1]].concat(),
        (2, true) => [blocks(2, n / 2), vec![1]].concat(),
        (_, true) if n.is_multiple_of(3) => [blocks(3, (n / 3).saturating_sub(1)), vec![1, 2, 1]].concat(),
        (_, true) => [blocks(3, n / 3), (1..=n % 3).collect()].concat(),
    };
    if let Some(last) = orders.last_mut().filter(|_| euler_at_final) {
        *last = 1;
    }
    orders
}

pub(super) async fn step(plan: &Plan, denoiser: &impl Denoiser, mut state: SamplerState) -> Result<Step, InferenceError> {
    let i = state.step;
    let (planned, settings) = (plan.steps[i], &plan.settings);
    let denoised = plan.denoise(denoiser, &state.latents, planned.at).await?;
    let output = settings.algorithm.output(&state.latents, &denoised, planned.at)?;
    let fresh = if settings.algorithm.is_stochastic() { Some(state.draw()?) } else { None };
    let mut outputs = std::mem::take(&mut state.history);
    let began = outputs.pop();
    outputs.push(output.clone());
    let orders = orders(settings.order, plan.steps.len(), settings.lower_order_final, settings.euler_at_final);
    let order = orders.get(i).copied().unwrap_or(1).min(outputs.len());
    let began = match (order, began) {
        (2.., Some(began)) => began,
        _ => state.latents.clone(),
    };
    let lambda = |back: usize| plan.steps[i - back].at.lambda();
    let base = plan.steps[i + 1 - order].at;
    let weights = settings.algorithm.weights(base, planned.to);
    let h = planned.to.lambda() - base.lambda();
    let newest: Vec<_> = outputs.iter().rev().collect();
    let latents = match (order, newest.as_slice()) {
        (2, [m0, m1, ..]) => {
            let r0 = (lambda(0) - lambda(1)) / h;
            let first = mix([(1.0 / r0, *m0), (-1.0 / r0, m1)])?;
            weights.applied(plan, &began, m1, Differences::First(&first), fresh.as_ref())?
        }
        (3, [m0, m1, m2, ..]) => {
            let (r0, r1) = ((lambda(0) - lambda(2)) / h, (lambda(1) - lambda(2)) / h);
            let near = mix([(1.0 / r1, *m1), (-1.0 / r1, m2)])?;
            let far = mix([(1.0 / r0, *m0), (-1.0 / r0, m2)])?;
            let zero = near.zeros_like()?;
            let (first, second) = match settings.solver_type {
                SolverType::Midpoint => (far, zero),
                SolverType::Heun => {
                    (mix([(r0 / (r0 - r1), &near), (-r1 / (r0 - r1), &far)])?, mix([(2.0 / (r0 - r1), &far), (-2.0 / (r0 - r1), &near)])?)
                }
            };
            weights.applied(plan, &began, m2, Differences::Both(&first, &second), fresh.as_ref())?
        }
        _ => weights.applied(plan, &began, &output, Differences::None, fresh.as_ref())?,
    };
    let n_old = outputs.len().saturating_sub(settings.order - 1);
    outputs.drain(..n_old);
    outputs.push(began);
    Ok(state.advance_with(latents, outputs, denoised))
}

#[cfg(test)]
mod tests {
    use super::orders;

    /// What `get_order_list` of the reference gives.
    #[test]
    fn orders_are_the_references() {
        assert_eq!(orders(2, 5, true, true), [1, 2, 1, 2, 1]);
        assert_eq!(orders(2, 4, true, true), [1, 2, 1, 1]);
        assert_eq!(orders(2, 4, false, false), [1, 2, 1, 2]);
        assert_eq!(orders(3, 6, true, false), [1, 2, 3, 1, 2, 1]);
        assert_eq!(orders(3, 7, true, false), [1, 2, 3, 1, 2, 3, 1]);
        assert_eq!(orders(3, 8, true, true), [1, 2, 3, 1, 2, 3, 1, 1]);
        assert_eq!(orders(2, 1, true, true), [1]);
        assert_eq!(orders(3, 2, true, true), [1, 1]);
    }
}
