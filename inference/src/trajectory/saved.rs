//! Pictures as states: told at borders between steps, and gone on with.

use candle_core::Device;

use super::{
    Job,
    drawing::{Begin, Drawing},
    pass::Pass,
    picture::Picture,
};
use crate::{
    engine::Event,
    error::InferenceError,
    noise::{GeneratorState, TorchGenerator},
    sampler::SamplerState,
    state::{self, BelongsTo, PassKind, SavedTensor, StateError, TrajectoryState},
};

impl Job {
    /// What this job's states belong to.
    fn belongs_to(&self) -> Result<BelongsTo, StateError> {
        let submission = &self.submission;
        let task = state::of_task(&submission.task, &submission.inputs);
        Ok(BelongsTo { task, model: self.facts.files.digest()?, device: self.facts.device_class.clone() })
    }
}

impl Drawing<'_> {
    /// Where each picture that is missing begins.
    ///
    /// # Errors
    /// A state that does not belong here, or is of no picture that is missing.
    pub(super) fn begins(&self) -> Result<Vec<(u32, Begin)>, InferenceError> {
        let submission = &self.job.submission;
        let mut begins: Vec<(u32, Begin)> = self.job.missing().map(|index| (index, Begin::Fresh)).collect();
        if submission.resume.is_empty() {
            return Ok(begins);
        }
        let here = self.job.belongs_to()?;
        for saved in &submission.resume {
            state::check(&saved.belongs_to, &here)?;
            let TrajectoryState { index, seed, .. } = *saved;
            if index >= self.base.n_images || seed != self.base.seed_of(index) {
                return Err(StateError::Picture { index, seed: seed.0 }.into());
            }
            let begin = begins.iter_mut().find(|(missing, begin)| *missing == index && matches!(begin, Begin::Fresh));
            let (_, begin) = begin.ok_or(StateError::Twice { index })?;
            *begin = self.begin(saved)?;
        }
        Ok(begins)
    }

    fn begin(&self, saved: &TrajectoryState) -> Result<Begin, InferenceError> {
        let pass = match (saved.pass, &self.second) {
            (PassKind::First, _) => Some(&self.first),
            (PassKind::Second, second) => second.as_ref().map(|(_, pass)| pass),
        };
        let is_there = |pass: &&Pass| {
            let shape = self.job.facts.limits.rules.latent_shape(pass.size);
            let shapes = std::iter::once(&saved.latents).chain(&saved.history).map(SavedTensor::shape);
            (pass.plan.start..=pass.plan.n_steps()).contains(&(saved.step as usize)) && shapes.into_iter().all(|found| found == shape)
        };
        if pass.filter(is_there).is_none() {
            return Err(StateError::Place { step: saved.step, shape: saved.latents.shape().to_vec() }.into());
        }
        let state = restored(saved, &self.job.facts.device)?;
        Ok(if saved.pass == PassKind::First { Begin::First(state) } else { Begin::Second(state) })
    }

    /// What the task's states belong to; `None`, and a line in the log, if that cannot be told.
    fn belongs_to(&self) -> Option<&BelongsTo> {
        let told = || self.job.belongs_to().inspect_err(|error| tracing::warn!(%error, "pictures are drawn without being saved")).ok();
        self.belongs_to.get_or_init(told).as_ref()
    }
}

fn restored(saved: &TrajectoryState, device: &Device) -> Result<SamplerState, InferenceError> {
    let noise = TorchGenerator::restored(&saved.generator).ok_or(StateError::Damaged { what: "its generator cannot be" })?;
    let history = saved.history.iter().map(|tensor| tensor.on(device)).collect::<Result<_, _>>()?;
    Ok(SamplerState { step: saved.step as usize, latents: saved.latents.on(device)?, history, noise })
}

impl Picture<'_> {
    /// Tells the picture's state if it is time for it or somebody asked. One of latents that are no numbers is not worth it: the picture is about to fail.
    pub(super) fn save(&self, pass: &Pass, state: &SamplerState) -> Result<(), InferenceError> {
        // What was noted of a picture does not go with its state.
        if !self.drawing.base.study.is_empty() {
            return Ok(());
        }
        let job = self.drawing.job;
        let (every, n_asked) = (job.submission.checkpoint_every, job.meter.n_states_asked());
        let is_due = every > 0 && pass.n_done(state.step).is_multiple_of(every);
        if !is_due && self.n_answered.get() == n_asked {
            return Ok(());
        }
        if let Some(saved) = self.saved(pass, state)?
            && job.events.may_send(Event::Checkpoint { index: self.index, state: Box::new(saved) })
        {
            self.n_answered.set(n_asked);
        }
        Ok(())
    }

    /// The picture's state; `None` where it cannot be told what it belongs to, or it is no numbers.
    pub(super) fn saved(&self, pass: &Pass, state: &SamplerState) -> Result<Option<TrajectoryState>, InferenceError> {
        let Some(belongs_to) = self.drawing.belongs_to() else { return Ok(None) };
        let saved = TrajectoryState {
            index: self.index,
            seed: self.seed(),
            pass: pass.kind,
            step: state.step as u32,
            latents: SavedTensor::of(&state.latents)?,
            history: state.history.iter().map(SavedTensor::of).collect::<Result<_, _>>()?,
            generator: GeneratorState::from(&state.noise),
            belongs_to: belongs_to.clone(),
        };
        Ok(Some(saved).filter(|saved| saved.latents.values().iter().all(|value| value.is_finite())))
    }
}
