//! Samplers against diffusers' runs and its own tests, and their order of convergence on a distribution with a known answer.

mod own_tests;
mod properties;
mod reference;

use std::path::Path;

use inference::schedule::ScheduleConfig;

fn config(json: &str) -> ScheduleConfig {
    ScheduleConfig::parse(json, Path::new("scheduler_config.json")).expect("a configuration")
}
