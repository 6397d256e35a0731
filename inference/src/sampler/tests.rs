//! Samplers against diffusers' runs and its own tests, and their order of convergence on a distribution with a known answer.

mod own_tests;
mod properties;
mod reference;
mod registry;
mod schedules;

use std::path::Path;

use super::Plan;
use crate::schedule::{Asked, ScheduleConfig, ScheduleKind};

fn config(json: &str) -> ScheduleConfig {
    ScheduleConfig::parse(json, Path::new("scheduler_config.json")).expect("a configuration")
}

/// What a run with a small picture asks.
fn asked(kind: ScheduleKind, n_steps: usize, strength: Option<f64>) -> Asked {
    Asked { kind, n_steps, strength, n_tokens: 16, is_consistency_model: false, eta: 0.0 }
}

/// Network calls from start to end.
fn n_calls(plan: &Plan) -> usize {
    (plan.start..plan.n_steps()).map(|step| plan.calls_of(step)).sum()
}
