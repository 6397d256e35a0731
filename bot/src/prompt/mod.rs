//! What a person typed, as a task: the prompt's words and the `--parameters` after them. Pure; a wrong value is an error that names it.

mod context;
mod describe;
mod error;
mod foreign;
mod lora;
mod near;
mod picture;
mod ranking;
mod samplers;
mod size;
mod spelling;
mod split;
mod typed;

use inference::{
    sampler::{Sampler, SamplerChoice},
    schedule::ScheduleKind,
    task::{Enlarger, Hires, ImageSize, MIN_STOP, Note, Seed, StopAt, TextToImage},
};
use storage::Tier;

pub use context::{Gone, ModelDefaults, ParseContext, Start};
pub use describe::{describe, describe_task, describe_task_without_negative, describe_without_negative, own_negative};
pub use error::PromptError;
pub use lora::{check_loras, known_loras};
pub use picture::{MASKED_STRENGTH, MAX_PICTURE_WEIGHT, leading_addresses, strength_of_weight};
pub use ranking::{name_list, ranked};
pub use samplers::meant_sampler;
pub use size::{Aspect, size_of_aspect};
pub use split::words_before_parameters;
pub use typed::{Filled, Typed, other_spellings, spellings};

use spelling::Key;
use split::{Given, Line, clean, first_parameter, split, unquoted};

/// Most characters of a prompt and of a negative prompt; Discord's own limit of an option.
pub const MAX_CHARACTERS: usize = 6000;
/// Most pictures that `--images` may ask for: one grid.
pub const MAX_IMAGES: u32 = 4;
/// Range of the guidance scale; what is off at its lower end is the model's own rule.
pub const GUIDANCE: std::ops::RangeInclusive<f64> = 0.0..=30.0;
/// Largest seed that a person can type in Discord: its options carry whole numbers below 2⁵³.
pub const MAX_SEED: u64 = (1 << 53) - 1;
/// Most layers of a text encoder that can be left out.
pub const MAX_CLIP_SKIP: u32 = 12;
/// Largest enlargement between two passes.
pub const MAX_HIRES: f64 = 4.0;
/// The widest aspect is this to 1, the tallest 1 to this.
pub const MAX_ASPECT: u64 = 14;
/// Weights go from minus this to this.
pub const MAX_WEIGHT: f64 = 5.0;
/// How much of the enlarged picture a second pass replaces when nobody says otherwise.
pub const HIRES_STRENGTH: f64 = 0.6;

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
    /// Model's name.
    pub model: Option<String>,
    /// How the job takes its turns.
    pub speed: Option<String>,
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// The task, every value in its range.
    pub task: TextToImage,
    /// How much of the start picture changes, where the person said it.
    pub strength: Option<f64>,
    /// Whether the person chose the seed.
    pub seed_given: bool,
    /// How the job takes its turns, if the person said it.
    pub speed: Option<Tier>,
    /// What the person should know of the line beside what [`Task::notes`](inference::task::Task::notes) says.
    pub notes: Vec<Note>,
}

/// Reads a prompt with the `--parameters` after it, and the options beside it.
///
/// A parameter is a word that begins with `--` (or with the em dash that phones make of it) and goes on with a letter or digit. An option may
/// be given more than once, as a parameter or beside the prompt, while it says the same.
///
/// # Errors
/// An unknown parameter (those of Midjourney are left out and noted), a value out of range, two values that differ, an empty or too long
/// prompt. The message names the value.
pub fn parse(line: &str, typed: &TypedOptions, context: &ParseContext) -> Result<Parsed, PromptError> {
    fill(split(line)?, typed, context).map(|filled| filled.parsed)
}

/// A line with the adapter that was typed beside it, such as `ink` or `ink:0.8`.
pub fn with_lora(line: &str, lora: Option<&str>) -> String {
    match lora.map(|lora| unquoted(lora.trim())).filter(|lora| !lora.is_empty()) {
        Some(lora) => {
            let (_, words) = leading_addresses(line);
            format!("{}<lora:{lora}> {words}", &line[..line.len() - words.len()])
        }
        None => line.to_owned(),
    }
}

/// As [`parse`], of a line that was split.
fn fill(line: Line, typed: &TypedOptions, context: &ParseContext) -> Result<Filled, PromptError> {
    let Line { prompt, parameters, foreign } = line;
    if let Some(name) = typed.negative.as_deref().and_then(first_parameter) {
        return Err(PromptError::InNegative { name });
    }
    let mut options = Options::default();
    for given in parameters.into_iter().chain(typed.given()) {
        options.set(given, context)?;
    }
    let given = options.given();
    let prompt = check_length("prompt", prompt)?;
    if prompt.is_empty() {
        return Err(PromptError::Empty);
    }
    check_loras(&prompt, &context.loras, &context.gone)?;
    if let (None, Some(usual)) = (&options.model, &context.gone.usual) {
        return Err(PromptError::unknown_model(usual.clone(), usual, context));
    }
    let model = context.model_or_first(options.model.as_ref().map(|slot| slot.value.as_str()));
    let size = options.size(model, context.start)?;
    let strength = picture::strength(options.strength, options.picture_weight)?;
    let task = TextToImage {
        prompt,
        negative_prompt: options.negative.map(Slot::value).or_else(|| model.negative_prompt.clone()),
        model: Some(model.name.clone()),
        clip_skip: options.clip_skip.map_or(model.clip_skip, Slot::value),
        size,
        steps: options.steps.map_or(model.steps, Slot::value),
        guidance_scale: options.guidance.map_or(model.guidance_scale, Slot::value),
        guidance_rescale: options.rescale.map_or(0.0, Slot::value),
        sampler: options.sampler.map_or(model.sampler, Slot::value),
        schedule: options.schedule.map_or(model.schedule, Slot::value),
        seed: options.seed.as_ref().map_or(context.random_seed, |slot| slot.value),
        n_images: options.images.map_or(context.n_images, Slot::value),
        seamless: options.is_seamless,
        hires: options.hires.map(|slot| hires(slot.value)),
        stop_at: options.stop.map(Slot::value).filter(|percent| *percent < 100).map(StopAt::Percent),
        ..TextToImage::default()
    };
    let notes = foreign.into_iter().map(|name| Note::ForeignParameter { name }).collect();
    let parsed = Parsed { task, strength, seed_given: options.seed.is_some(), speed: options.speed.map(Slot::value), notes };
    Ok(Filled { parsed, given })
}

/// A second pass as `--hires` asks for it.
pub fn hires(scale: f64) -> Hires {
    Hires { scale, strength: HIRES_STRENGTH, steps: None, enlarger: Enlarger::Latent }
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
    width: Option<Slot<u32>>,
    height: Option<Slot<u32>>,
    strength: Option<Slot<f64>>,
    picture_weight: Option<Slot<f64>>,
    seed: Option<Slot<Seed>>,
    steps: Option<Slot<u32>>,
    guidance: Option<Slot<f64>>,
    sampler: Option<Slot<Sampler>>,
    schedule: Option<Slot<ScheduleKind>>,
    images: Option<Slot<u32>>,
    model: Option<Slot<String>>,
    clip_skip: Option<Slot<u32>>,
    rescale: Option<Slot<f64>>,
    hires: Option<Slot<f64>>,
    stop: Option<Slot<u32>>,
    speed: Option<Slot<Tier>>,
    is_seamless: bool,
}

impl Options {
    fn set(&mut self, given: Given, context: &ParseContext) -> Result<(), PromptError> {
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
            Key::Guidance => match value.parse() {
                Ok(guidance) if GUIDANCE.contains(&guidance) => put(&mut self.guidance, guidance, shown),
                _ => Err(PromptError::Guidance { shown }),
            },
            Key::Sampler => match value.parse() {
                Ok(SamplerChoice { sampler, schedule }) => {
                    if let Some(schedule) = schedule {
                        put(&mut self.schedule, schedule, shown.clone())?;
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
                None => Err(PromptError::unknown_model(shown, &value, context)),
            },
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
            Key::Seamless => {
                self.is_seamless = true;
                Ok(())
            }
            Key::Images => match value.parse() {
                Ok(n_images) if (1..=context.max_images).contains(&n_images) => put(&mut self.images, n_images, shown),
                _ => Err(PromptError::Images { shown, max: context.max_images }),
            },
        }
    }
}

impl Options {
    /// Each that was set and how it was written.
    fn given(&self) -> Vec<(Key, String)> {
        fn shown<T>(slot: &Option<Slot<T>>) -> Option<&String> {
            slot.as_ref().map(|slot| &slot.shown)
        }
        let seamless = "--seamless".to_owned();
        let all = [
            (Key::Negative, shown(&self.negative)),
            (Key::Aspect, shown(&self.aspect)),
            (Key::Width, shown(&self.width)),
            (Key::Height, shown(&self.height)),
            (Key::Strength, shown(&self.strength)),
            (Key::PictureWeight, shown(&self.picture_weight)),
            (Key::Seed, shown(&self.seed)),
            (Key::Steps, shown(&self.steps)),
            (Key::Guidance, shown(&self.guidance)),
            (Key::Sampler, shown(&self.sampler)),
            (Key::Schedule, shown(&self.schedule)),
            (Key::Images, shown(&self.images)),
            (Key::Model, shown(&self.model)),
            (Key::ClipSkip, shown(&self.clip_skip)),
            (Key::Rescale, shown(&self.rescale)),
            (Key::Hires, shown(&self.hires)),
            (Key::Stop, shown(&self.stop)),
            (Key::Speed, shown(&self.speed)),
            (Key::Seamless, self.is_seamless.then_some(&seamless)),
        ];
        all.into_iter().filter_map(|(key, shown)| Some((key, shown?.clone()))).collect()
    }

    /// The size that was asked for: by its aspect or by its sides, not by both; else that of the start picture's shape.
    fn size(&self, model: &ModelDefaults, start: Start) -> Result<ImageSize, PromptError> {
        match (&self.aspect, self.width.as_ref().or(self.height.as_ref())) {
            (Some(aspect), Some(side)) => Err(PromptError::Twice { first: aspect.shown.clone(), second: side.shown.clone() }),
            (Some(aspect), None) => Ok(size_of_aspect(aspect.value, model)),
            (None, None) if matches!(start, Start::Shaped(_)) => picture::size(start, model),
            (None, _) => {
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

fn check_length(what: &'static str, text: String) -> Result<String, PromptError> {
    let found = text.chars().count();
    if found > MAX_CHARACTERS { Err(PromptError::TooLong { what, found }) } else { Ok(text) }
}

impl TypedOptions {
    fn given(&self) -> impl Iterator<Item = Given> {
        let Self { negative, guidance, steps, seed, aspect, sampler, model, speed } = self;
        let options = [
            (Key::Negative, "negative", negative.clone()),
            (Key::Guidance, "guidance", guidance.map(|value| value.to_string())),
            (Key::Steps, "steps", steps.map(|value| value.to_string())),
            (Key::Seed, "seed", seed.map(|value| value.to_string())),
            (Key::Aspect, "aspect", aspect.clone()),
            (Key::Sampler, "sampler", sampler.clone()),
            (Key::Model, "model", model.clone()),
            (Key::Speed, "speed", speed.clone()),
        ];
        options.into_iter().filter_map(|(key, name, value)| {
            let value = clean(&value?);
            // People quote a name of several words here as they do behind a parameter.
            let value = if key == Key::Negative { value } else { unquoted(&value).to_owned() };
            // An option that was opened and left empty asks for nothing.
            (!value.is_empty()).then(|| Given { key, shown: format!("{name}: {value}"), value })
        })
    }
}

#[cfg(test)]
mod tests;
