//! What every sampler says of itself.

use super::{
    Denoiser,
    state::{SamplerState, Step},
};
use crate::{
    error::InferenceError,
    schedule::{self, Asked, Levels, NoiseLevel, ScheduleConfig, ScheduleKind, spec::Spec},
};

/// A sampler with its settings for one run.
pub(super) trait Method: Sized {
    /// What everybody calls it.
    const NAMES: Names;

    /// Whether it has a way along the straight lines of flow matching. Those from timestep to timestep have none, nor those with ancestral noise,
    /// which is right only where the clean latents are not scaled.
    const TAKES_FLOW: bool = true;

    /// What it asks of a schedule.
    fn spec(config: &ScheduleConfig) -> Spec;

    /// Whether a configuration that names its class means it, and not another sampler of the same class.
    fn is_asked_by(_: &ScheduleConfig) -> bool {
        true
    }

    /// The levels of a run: those that its spec asks for, unless it lays them itself.
    fn levels(setup: &Setup<'_>) -> Levels {
        schedule::levels(setup.config, &setup.spec, setup.asked)
    }

    /// Its settings for a run with these levels.
    fn new(setup: &Setup<'_>, levels: &Levels) -> Self;

    /// One step. Owns its copy of the state, so a step that is dropped half-way changes nothing.
    async fn step(&self, run: Run<'_>, denoiser: &impl Denoiser, state: SamplerState) -> Result<Step, InferenceError>;
}

/// What a sampler is called by whom.
pub(super) struct Names {
    /// The name in tasks and on the command line.
    pub(super) ours: &'static str,
    /// The name in menus and in pictures of other programs (A1111's).
    pub(super) shown: &'static str,
    /// The class in diffusers that it stands for.
    pub(super) class: &'static str,
    /// Further names, without signs and in small letters.
    pub(super) others: &'static [&'static str],
    /// What it is good for, in a word.
    pub(super) about: &'static str,
    /// The schedule that A1111 takes when nobody chooses (`modules/sd_samplers_kdiffusion.py`, `scheduler` of `samplers_k_diffusion`).
    pub(super) automatic: ScheduleKind,
}

/// What a sampler gets its settings from.
pub(super) struct Setup<'a> {
    pub(super) config: &'a ScheduleConfig,
    pub(super) spec: Spec,
    pub(super) asked: &'a Asked,
    /// Steps to leave out, if there are more.
    pub(super) n_skipped: usize,
}

/// The levels of a run's steps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run<'a> {
    pub(super) levels: &'a Levels,
    /// The step that the run starts at.
    pub(super) start: usize,
}

impl Run<'_> {
    /// Steps, those before the start too.
    pub(super) fn n_steps(&self) -> usize {
        self.levels.at.len()
    }

    /// Where a step calls the network first.
    pub(super) fn at(&self, step: usize) -> NoiseLevel {
        self.levels.at[step]
    }

    /// The same, and where the step goes.
    pub(super) fn levels(&self, step: usize) -> (NoiseLevel, NoiseLevel) {
        (self.levels.at[step], self.levels.to[step])
    }

    /// Steps that the run has made before this one.
    pub(super) fn n_made(&self, step: usize) -> usize {
        step - self.start
    }
}
