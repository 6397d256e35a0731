//! DPM-Solver++ (2S): Lu et al. 2022, "DPM-Solver++", Algorithm 1. As in the reference, one step of second order is two steps of the plan: to a
//! level in between, and again from where it began. The memory holds the older outputs and, last, the latents where the block began.

use candle_core::Tensor;

use crate::{
    error::InferenceError,
    sampler::{
        Denoiser,
        dpm_solver::{Algorithm, Begun, Differences, Form, Solver},
        method::{Method, Names, Run, Setup},
        state::{SamplerState, Step},
        tensors::mix,
    },
    schedule::{
        Levels, ScheduleConfig, ScheduleKind,
        spec::{Lambdas, Space, Spec},
    },
};

/// DPM++ 2S.
#[derive(Clone, Debug)]
pub(in crate::sampler) struct DpmPp2S {
    solver: Solver,
    /// The order of every step.
    orders: Vec<usize>,
}

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

impl Method for DpmPp2S {
    const NAMES: Names = Names {
        ours: "dpmpp_2s",
        shown: "DPM++ 2S",
        class: "DPMSolverSinglestepScheduler",
        others: &["dpmsolverpp2s", "dpmsolversinglestep"],
        about: "careful, takes twice as long",
        automatic: ScheduleKind::Normal,
    };

    fn spec(config: &ScheduleConfig) -> Spec {
        let laid = Lambdas::dpm_solver(Algorithm::of(config).ends_at_sigma_min(config));
        Spec { takes_spacing: false, ..Spec::of(Self::NAMES.class, Space::Lambdas(laid)) }
    }

    fn new(setup: &Setup<'_>, levels: &Levels) -> Self {
        let (config, n) = (setup.config, levels.at.len());
        let (algorithm, order) = (Algorithm::of(config), config.solver_order());
        // Short blocks at the end stand wherever the run otherwise could not end.
        let is_uneven = !n.is_multiple_of(order) || !algorithm.ends_at_sigma_min(config);
        let lower_order_final = config.keys.lower_order_final.unwrap_or(false) || is_uneven;
        let solver = Solver::new(config, algorithm, order);
        Self { solver, orders: orders(order, n, lower_order_final, solver.euler_at_final) }
    }

    async fn step(&self, run: Run<'_>, denoiser: &impl Denoiser, mut state: SamplerState) -> Result<Step, InferenceError> {
        let (i, solver) = (state.step, self.solver);
        let (at, to) = run.levels(i);
        let Begun { denoised, output, fresh } = solver.begin(denoiser, &mut state, at).await?;
        let mut outputs = std::mem::take(&mut state.history);
        let began = outputs.pop();
        outputs.push(output.clone());
        let order = self.orders.get(i).copied().unwrap_or(1).min(outputs.len());
        let began = match (order, began) {
            (2.., Some(began)) => began,
            _ => state.latents.clone(),
        };
        let lambda = |back: usize| run.at(i - back).lambda();
        let base = run.at(i + 1 - order);
        let weights = solver.algorithm.weights(base, to);
        let applied =
            |output: &Tensor, differences: Differences<'_>| weights.applied(solver.form, &began, output, differences, fresh.as_ref());
        let h = to.lambda() - base.lambda();
        let newest: Vec<_> = outputs.iter().rev().collect();
        let latents = match (order, newest.as_slice()) {
            (2, [m0, m1, ..]) => {
                let r0 = (lambda(0) - lambda(1)) / h;
                let first = mix([(1.0 / r0, *m0), (-1.0 / r0, m1)])?;
                applied(m1, Differences::First(&first))?
            }
            (3, [m0, m1, m2, ..]) => {
                let (r0, r1) = ((lambda(0) - lambda(2)) / h, (lambda(1) - lambda(2)) / h);
                let near = mix([(1.0 / r1, *m1), (-1.0 / r1, m2)])?;
                let far = mix([(1.0 / r0, *m0), (-1.0 / r0, m2)])?;
                let zero = near.zeros_like()?;
                let (first, second) = match solver.form {
                    Form::Midpoint => (far, zero),
                    Form::Heun => (
                        mix([(r0 / (r0 - r1), &near), (-r1 / (r0 - r1), &far)])?,
                        mix([(2.0 / (r0 - r1), &far), (-2.0 / (r0 - r1), &near)])?,
                    ),
                };
                applied(m2, Differences::Both(&first, &second))?
            }
            _ => applied(&output, Differences::None)?,
        };
        let n_old = outputs.len().saturating_sub(solver.order - 1);
        outputs.drain(..n_old);
        outputs.push(began);
        Ok(state.advance_with(latents, outputs, denoised))
    }
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
