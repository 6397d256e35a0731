//! What a line's parameters say, each checked by itself.

use inference::{
    sampler::{Sampler, SamplerChoice},
    schedule::ScheduleKind,
    task::{ImageSize, MAX_CHAOS, MAX_WEIRD, MIN_STOP, Seed},
};
use storage::Tier;

use super::{
    Aspect, GUIDANCE, MAX_CHARACTERS, MAX_CLIP_SKIP, MAX_HIRES, MAX_PICTURE_WEIGHT, ModelDefaults, ParseContext, PromptError, Start,
    meant_sampler, near, parameter::Key, picture, size_of_aspect, slot::Slot, split::Given,
};

/// What a line's parameters say.
#[derive(Default)]
pub(super) struct Options {
    pub(super) negative: Option<Slot<String>>,
    pub(super) aspect: Option<Slot<Aspect>>,
    pub(super) width: Option<Slot<u32>>,
    pub(super) height: Option<Slot<u32>>,
    pub(super) strength: Option<Slot<f64>>,
    pub(super) picture_weight: Option<Slot<f64>>,
    pub(super) seed: Option<Slot<Seed>>,
    pub(super) steps: Option<Slot<u32>>,
    pub(super) quality: Option<Slot<f64>>,
    pub(super) guidance: Option<Slot<f64>>,
    pub(super) stylize: Option<Slot<f64>>,
    pub(super) exp: Option<Slot<f64>>,
    pub(super) chaos: Option<Slot<u32>>,
    pub(super) weird: Option<Slot<u32>>,
    pub(super) sampler: Option<Slot<Sampler>>,
    pub(super) schedule: Option<Slot<ScheduleKind>>,
    pub(super) images: Option<Slot<u32>>,
    pub(super) repeat: Option<Slot<u32>>,
    pub(super) model: Option<Slot<String>>,
    pub(super) clip_skip: Option<Slot<u32>>,
    pub(super) rescale: Option<Slot<f64>>,
    pub(super) hires: Option<Slot<f64>>,
    pub(super) stop: Option<Slot<u32>>,
    pub(super) speed: Option<Slot<Tier>>,
    /// Adapters as they are written, each once.
    pub(super) loras: Vec<String>,
    /// Parameters without a value, with how they were written.
    flags: Vec<(Key, String)>,
    /// Each that was given and how it was written, in its order.
    given: Vec<(Key, String)>,
}

impl Options {
    /// Checks one and puts it where it belongs.
    pub(super) fn set(&mut self, given: Given, context: &ParseContext) -> Result<(), PromptError> {
        let Given { key, value, shown } = given;
        let kept = shown.clone();
        self.put(Given { key, value, shown }, context)?;
        if !self.given.iter().any(|(known, _)| *known == key) {
            self.given.push((key, kept));
        }
        Ok(())
    }

    fn put(&mut self, given: Given, context: &ParseContext) -> Result<(), PromptError> {
        let Given { key, value, shown } = given;
        match key {
            Key::Negative => put(&mut self.negative, check_length("negative prompt", value)?, shown),
            Key::Aspect => put(&mut self.aspect, Aspect::parse(&value, &shown)?, shown),
            Key::Width | Key::Height => match value.parse() {
                Ok(pixels) if pixels > 0 => put(if key == Key::Width { &mut self.width } else { &mut self.height }, pixels, shown),
                _ => Err(PromptError::Side { shown }),
            },
            Key::Strength | Key::PictureWeight if context.start == Start::Nothing => Err(PromptError::NeedsPicture { shown }),
            Key::Strength => match value.parse() {
                Ok(strength) if strength > 0.0 && strength <= 1.0 => put(&mut self.strength, strength, shown),
                _ => Err(PromptError::Strength { shown }),
            },
            Key::PictureWeight => match value.parse() {
                Ok(weight) if (0.0..=MAX_PICTURE_WEIGHT).contains(&weight) => put(&mut self.picture_weight, weight, shown),
                _ => Err(PromptError::PictureWeight { shown }),
            },
            Key::Seed => match value.parse() {
                Ok(seed) if seed <= context.max_seed => put(&mut self.seed, Seed(seed), shown),
                _ => Err(PromptError::Seed { shown, max: context.max_seed }),
            },
            Key::Steps => match value.parse() {
                Ok(steps) if (1..=context.max_steps).contains(&steps) => put(&mut self.steps, steps, shown),
                _ => Err(PromptError::Steps { shown, max: context.max_steps }),
            },
            Key::Quality => number(&mut self.quality, 0.25..=4.0, &value, (key, shown)),
            Key::Stylize => number(&mut self.stylize, 0.0..=1000.0, &value, (key, shown)),
            Key::Exp => number(&mut self.exp, 0.0..=100.0, &value, (key, shown)),
            Key::Repeat => match value.parse() {
                Ok(0) | Err(_) => Err(PromptError::out_of_range(key, shown)),
                Ok(repeat) if repeat > context.max_jobs => Err(PromptError::TooManyJobs { found: repeat.into(), max: context.max_jobs }),
                Ok(repeat) => put(&mut self.repeat, repeat, shown),
            },
            Key::Chaos => whole(&mut self.chaos, MAX_CHAOS, &value, (key, shown)),
            Key::Weird => whole(&mut self.weird, MAX_WEIRD, &value, (key, shown)),
            Key::Guidance => match value.parse() {
                Ok(guidance) if GUIDANCE.contains(&guidance) => put(&mut self.guidance, guidance, shown),
                _ => Err(PromptError::Guidance { shown }),
            },
            Key::Sampler => match value.parse() {
                Ok(SamplerChoice { sampler, schedule }) => {
                    if let Some(schedule) = schedule {
                        put(&mut self.schedule, schedule, shown.clone())?;
                        self.given.push((Key::Schedule, shown.clone()));
                    }
                    put(&mut self.sampler, sampler, shown)
                }
                Err(_) => Err(PromptError::Sampler { shown, near: meant_sampler(&value) }),
            },
            Key::Schedule => match value.parse() {
                Ok(schedule) => put(&mut self.schedule, schedule, shown),
                Err(_) => Err(PromptError::Schedule { shown, near: near::meant(ScheduleKind::ALL.map(ScheduleKind::name), &value) }),
            },
            Key::Model => match context.model(Some(&value)) {
                Some(model) => put(&mut self.model, model.name.clone(), shown),
                None => Err(context.unknown_model(shown, &value)),
            },
            Key::Lora => {
                if !self.loras.contains(&value) {
                    self.loras.push(value);
                }
                Ok(())
            }
            Key::ClipSkip => match value.parse() {
                Ok(clip_skip) if clip_skip <= MAX_CLIP_SKIP => put(&mut self.clip_skip, clip_skip, shown),
                _ => Err(PromptError::ClipSkip { shown }),
            },
            Key::Rescale => match value.parse() {
                Ok(rescale) if (0.0..=1.0).contains(&rescale) => put(&mut self.rescale, rescale, shown),
                _ => Err(PromptError::Rescale { shown }),
            },
            Key::Hires => match value.parse() {
                Ok(scale) if scale > 1.0 && scale <= MAX_HIRES => put(&mut self.hires, scale, shown),
                _ => Err(PromptError::Hires { shown }),
            },
            Key::Stop => match value.strip_suffix('%').unwrap_or(&value).parse() {
                Ok(percent) if (MIN_STOP..=100).contains(&percent) => put(&mut self.stop, percent, shown),
                _ => Err(PromptError::Stop { shown }),
            },
            Key::Speed => match value.to_lowercase().as_str() {
                "fast" => put(&mut self.speed, Tier::Fast, shown),
                "relax" | "relaxed" => put(&mut self.speed, Tier::Relax, shown),
                _ => Err(PromptError::Speed { shown }),
            },
            Key::Seamless | Key::Draft | Key::Hd | Key::Raw => {
                self.flags.push((key, shown));
                Ok(())
            }
            Key::Images => match value.parse() {
                Ok(n_images) if (1..=context.max_images).contains(&n_images) => put(&mut self.images, n_images, shown),
                _ => Err(PromptError::Images { shown, max: context.max_images }),
            },
        }
    }

    /// How a parameter without a value was written, if it was.
    pub(super) fn flag(&self, key: Key) -> Option<&String> {
        self.flags.iter().find(|(flag, _)| *flag == key).map(|(_, shown)| shown)
    }

    /// Each that was set and how it was written.
    pub(super) fn given(&self) -> &[(Key, String)] {
        &self.given
    }

    /// The size that was asked for: by its aspect or by its sides, not by both.
    pub(super) fn size(&self, model: &ModelDefaults, context: &ParseContext) -> Result<ImageSize, PromptError> {
        let start = context.start;
        match (&self.aspect, self.width.as_ref().or(self.height.as_ref())) {
            (Some(aspect), Some(side)) => Err(PromptError::Twice { first: aspect.shown.clone(), second: side.shown.clone() }),
            (Some(aspect), None) => Ok(size_of_aspect(aspect.value, model)),
            (None, None) if matches!(start, Start::Shaped(_)) => picture::size(start, model),
            (None, side) => {
                if let Some(aspect) = context.usual.aspect.filter(|_| side.is_none()) {
                    return Ok(size_of_aspect(aspect, model));
                }
                let of = |slot: &Option<Slot<u32>>, own: u32| slot.as_ref().map_or(own, |slot| slot.value);
                Ok(ImageSize::new(of(&self.width, model.native_size.width), of(&self.height, model.native_size.height)))
            }
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

/// A number whose row of the table says its range.
fn number(
    slot: &mut Option<Slot<f64>>,
    range: std::ops::RangeInclusive<f64>,
    value: &str,
    (key, shown): (Key, String),
) -> Result<(), PromptError> {
    match value.parse() {
        Ok(value) if range.contains(&value) => put(slot, value, shown),
        _ => Err(PromptError::out_of_range(key, shown)),
    }
}

/// The same of a whole number from 0.
fn whole(slot: &mut Option<Slot<u32>>, max: u32, value: &str, (key, shown): (Key, String)) -> Result<(), PromptError> {
    match value.parse() {
        Ok(value) if value <= max => put(slot, value, shown),
        _ => Err(PromptError::out_of_range(key, shown)),
    }
}

/// The text, if it is not too long.
pub(super) fn check_length(what: &'static str, text: String) -> Result<String, PromptError> {
    let found = text.chars().count();
    if found > MAX_CHARACTERS { Err(PromptError::TooLong { what, found }) } else { Ok(text) }
}
