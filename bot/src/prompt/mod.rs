//! What a person typed, as a task: the prompt's words and the `--parameters` after them. Pure; a wrong value is an error that names it.

mod describe;
mod error;
mod names;
mod size;
mod split;

use inference::{
    engine::ModelInfo,
    sampler::Sampler,
    schedule::ScheduleKind,
    task::{ImageSize, Seed, TextToImage},
};

pub use describe::describe;
pub use error::PromptError;
pub use names::{SAMPLERS, SCHEDULES, name_list, parse_sampler, parse_schedule, sampler_name, schedule_name};
pub use size::{Aspect, size_of_aspect};

use crate::{config::Config, models};
use split::{Given, Key, clean, first_parameter, split};

/// Most characters of a prompt and of a negative prompt; Discord's own limit of an option.
pub const MAX_CHARACTERS: usize = 6000;
/// Most pictures that `--images` may ask for: one grid.
pub const MAX_IMAGES: u32 = 4;
/// Range of the guidance scale.
pub const GUIDANCE: std::ops::RangeInclusive<f64> = 1.0..=30.0;

/// What holds where nothing was typed, and how far a person may go.
#[derive(Clone, Debug, PartialEq)]
pub struct ParseContext {
    /// The size that the model was trained at.
    pub native_size: ImageSize,
    /// Sides are a multiple of this.
    pub size_multiple: u32,
    /// Longest side in pixels.
    pub max_side: u32,
    /// Steps when nobody says otherwise.
    pub steps: u32,
    /// Most steps.
    pub max_steps: u32,
    /// Guidance scale when nobody says otherwise.
    pub guidance_scale: f64,
    /// Sampler when nobody says otherwise.
    pub sampler: Sampler,
    /// Schedule when nobody says otherwise.
    pub schedule: ScheduleKind,
    /// Pictures when nobody says otherwise.
    pub n_images: u32,
    /// The seed when nobody says otherwise.
    pub random_seed: Seed,
    /// Largest seed: what a Discord option carries without loss, or `u64::MAX`.
    pub max_seed: u64,
}

impl ParseContext {
    /// What the configuration and the loaded model say.
    pub fn new(config: &Config, model: &ModelInfo, random_seed: Seed, max_seed: u64) -> Self {
        let ModelInfo { native_size, size_multiple, max_side, .. } = *model;
        Self {
            native_size,
            size_multiple,
            max_side,
            steps: config.defaults.steps,
            max_steps: config.limits.max_steps,
            guidance_scale: models::default_guidance_scale(config),
            sampler: config.defaults.sampler,
            schedule: config.defaults.schedule,
            n_images: config.defaults.n_images,
            random_seed,
            max_seed,
        }
    }
}

/// Options that came beside the prompt, unchecked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TypedOptions {
    /// What to stay away from.
    pub negative: Option<String>,
    /// Guidance scale.
    pub guidance: Option<f64>,
    /// Denoising steps.
    pub steps: Option<i64>,
    /// Seed.
    pub seed: Option<i64>,
    /// Width to height, such as `3:2`.
    pub aspect: Option<String>,
    /// Sampler's name.
    pub sampler: Option<String>,
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// The task, every value in its range.
    pub task: TextToImage,
    /// Whether the person chose the seed.
    pub seed_given: bool,
}

/// Reads a prompt with the `--parameters` after it, and the options beside it.
///
/// A parameter is a word that begins with `--` (or with the em dash that phones make of it) and goes on with a letter or digit. An option may
/// be given more than once, as a parameter or beside the prompt, while it says the same.
///
/// # Errors
/// An unknown parameter, a value out of range, two values that differ, an empty or too long prompt. The message names the value.
pub fn parse(line: &str, typed: &TypedOptions, context: &ParseContext) -> Result<Parsed, PromptError> {
    let (prompt, parameters) = split(line)?;
    if let Some(name) = typed.negative.as_deref().and_then(first_parameter) {
        return Err(PromptError::InNegative { name });
    }
    let mut options = Options::default();
    for given in parameters.into_iter().chain(typed.given()) {
        options.set(given, context)?;
    }
    let prompt = check_length("prompt", prompt)?;
    if prompt.is_empty() {
        return Err(PromptError::Empty);
    }
    let task = TextToImage {
        prompt,
        negative_prompt: options.negative.map(Slot::value),
        size: options.aspect.map_or(context.native_size, |slot| size_of_aspect(slot.value, context)),
        steps: options.steps.map_or(context.steps, Slot::value),
        guidance_scale: options.guidance.map_or(context.guidance_scale, Slot::value),
        sampler: options.sampler.map_or(context.sampler, Slot::value),
        schedule: options.schedule.map_or(context.schedule, Slot::value),
        seed: options.seed.as_ref().map_or(context.random_seed, |slot| slot.value),
        n_images: options.images.map_or(context.n_images, Slot::value),
        ..TextToImage::default()
    };
    Ok(Parsed { task, seed_given: options.seed.is_some() })
}

/// A checked value and the words that gave it, to name both when a second one differs.
struct Slot<T> {
    value: T,
    shown: String,
}

impl<T> Slot<T> {
    fn value(self) -> T {
        self.value
    }
}

#[derive(Default)]
struct Options {
    negative: Option<Slot<String>>,
    aspect: Option<Slot<Aspect>>,
    seed: Option<Slot<Seed>>,
    steps: Option<Slot<u32>>,
    guidance: Option<Slot<f64>>,
    sampler: Option<Slot<Sampler>>,
    schedule: Option<Slot<ScheduleKind>>,
    images: Option<Slot<u32>>,
}

impl Options {
    fn set(&mut self, given: Given, context: &ParseContext) -> Result<(), PromptError> {
        let Given { key, value, shown } = given;
        match key {
            Key::Negative => put(&mut self.negative, check_length("negative prompt", value)?, shown),
            Key::Aspect => put(&mut self.aspect, Aspect::parse(&value, &shown)?, shown),
            Key::Seed => match value.parse() {
                Ok(seed) if seed <= context.max_seed => put(&mut self.seed, Seed(seed), shown),
                _ => Err(PromptError::Seed { shown, max: context.max_seed }),
            },
            Key::Steps => match value.parse() {
                Ok(steps) if (1..=context.max_steps).contains(&steps) => put(&mut self.steps, steps, shown),
                _ => Err(PromptError::Steps { shown, max: context.max_steps }),
            },
            Key::Guidance => match value.parse() {
                Ok(guidance) if GUIDANCE.contains(&guidance) => put(&mut self.guidance, guidance, shown),
                _ => Err(PromptError::Guidance { shown }),
            },
            Key::Sampler => match parse_sampler(&value) {
                Some(sampler) => put(&mut self.sampler, sampler, shown),
                None => Err(PromptError::Sampler { shown }),
            },
            Key::Schedule => match parse_schedule(&value) {
                Some(schedule) => put(&mut self.schedule, schedule, shown),
                None => Err(PromptError::Schedule { shown }),
            },
            Key::Images => match value.parse() {
                Ok(n_images) if (1..=MAX_IMAGES).contains(&n_images) => put(&mut self.images, n_images, shown),
                _ => Err(PromptError::Images { shown }),
            },
        }
    }
}

fn put<T: PartialEq>(slot: &mut Option<Slot<T>>, value: T, shown: String) -> Result<(), PromptError> {
    match slot {
        Some(first) if first.value != value => Err(PromptError::Twice { first: first.shown.clone(), second: shown }),
        _ => {
            *slot = Some(Slot { value, shown });
            Ok(())
        }
    }
}

fn check_length(what: &'static str, text: String) -> Result<String, PromptError> {
    let found = text.chars().count();
    if found > MAX_CHARACTERS { Err(PromptError::TooLong { what, found }) } else { Ok(text) }
}

impl TypedOptions {
    fn given(&self) -> impl Iterator<Item = Given> {
        let Self { negative, guidance, steps, seed, aspect, sampler } = self;
        let options = [
            (Key::Negative, "negative", negative.clone()),
            (Key::Guidance, "guidance", guidance.map(|value| value.to_string())),
            (Key::Steps, "steps", steps.map(|value| value.to_string())),
            (Key::Seed, "seed", seed.map(|value| value.to_string())),
            (Key::Aspect, "aspect", aspect.clone()),
            (Key::Sampler, "sampler", sampler.clone()),
        ];
        options.into_iter().filter_map(|(key, name, value)| {
            let value = clean(&value?);
            // An option that was opened and left empty asks for nothing.
            (!value.is_empty()).then(|| Given { key, shown: format!("{name}: {value}"), value })
        })
    }
}

#[cfg(test)]
mod tests;
