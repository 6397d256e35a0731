//! What a person typed, as a task: the prompt's words and the `--parameters` after them. Pure; a wrong value is an error that names it.

mod aspect;
mod context;
mod derived;
mod describe;
mod error;
mod foreign;
mod lookup;
mod lora;
mod near;
mod options;
mod parameter;
mod permute;
mod personal;
mod picture;
mod ranking;
mod reference;
mod samplers;
mod several;
mod size;
mod slot;
mod split;
mod table;
mod typed;
mod usual;
mod wildcards;
mod zoom;

use inference::task::{Enlarger, Hires, Note, StopAt, TextToImage};
use storage::Tier;

pub use aspect::Aspect;
pub use context::{Gone, ModelDefaults, ParseContext, Start};
pub use describe::{describe, describe_task, describe_task_without_negative, describe_without_negative, own_negative};
pub use error::PromptError;
pub use lora::{check_loras, known_loras};
pub use personal::{MAX_PIECE, Personal, PieceError, option_name, piece, style_name};
pub use picture::{MASKED_STRENGTH, leading_addresses, strength_of_weight};
pub use ranking::{name_list, ranked};
pub use reference::reference;
pub use samplers::meant_sampler;
pub use several::parse_all;
pub use size::size_of_aspect;
pub use split::words_before_parameters;
pub use typed::{Filled, Flag, Typed, flags, other_spellings, spellings};
pub use usual::Usual;
pub use wildcards::{WildcardError, Wildcards};
pub use zoom::{USUAL_ZOOM, take_zoom};

use options::{Options, check_length};
use parameter::Key;
use slot::Slot;
use split::{Given, Line, clean, first_parameter, split, unquoted};

/// Most characters of a prompt and of a negative prompt; Discord's own limit of an option.
pub const MAX_CHARACTERS: usize = 6000;
/// Most pictures that `--images` may ask for: one grid.
pub const MAX_IMAGES: u32 = 4;
/// Range of the guidance scale; what is off at its lower end is the model's own rule.
pub const GUIDANCE: std::ops::RangeInclusive<f64> = 0.0..=30.0;
/// How many times smaller a picture may be shown on its canvas.
pub const ZOOM: std::ops::RangeInclusive<f64> = 1.0..=2.0;
/// Largest seed that a person can type in Discord: its options carry whole numbers below 2⁵³.
pub const MAX_SEED: u64 = (1 << 53) - 1;
/// Most layers of a text encoder that can be left out.
pub const MAX_CLIP_SKIP: u32 = 12;
/// Largest enlargement between two passes.
pub const MAX_HIRES: f64 = 4.0;
/// The widest aspect is this to 1, the tallest 1 to this.
pub const MAX_ASPECT: u64 = 14;
/// Largest weight of a picture.
pub const MAX_PICTURE_WEIGHT: f64 = 3.0;
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
    /// Grids of the same words.
    pub repeat: u32,
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
    options.check_rivals()?;
    let given = options.given().to_vec();
    if prompt.is_empty() {
        return Err(PromptError::Empty);
    }
    let named = options.model.as_ref().map(|slot| slot.value.as_str());
    let gone = context.usual.gone.as_ref().filter(|_| named.is_none());
    let named = named.or(context.usual.model.as_deref());
    let model = context.model_or_first(named);
    let names_none = options.loras.is_empty() && !prompt.contains("<lora:");
    if let Some(lora) = context.usual.lora_of(&model.name).filter(|_| names_none) {
        options.loras.push(lora.to_owned());
    }
    let gone = gone.into_iter().chain(context.usual.gone_lora.as_ref().filter(|_| names_none));
    let prompt = check_length("prompt", options.loras.iter().rev().fold(prompt, |line, lora| with_lora(&line, Some(lora))))?;
    let seed = options.seed.as_ref().map_or(context.random_seed, |seed| context.offset(seed.value));
    let prompt = check_length("prompt", context.wildcards.chosen(&prompt, seed.0)?)?;
    check_loras(&prompt, &context.loras, &context.gone)?;
    let has_parts = inference::text::parts(&prompt).map_err(|error| PromptError::Parts(error.to_string()))?.is_some();
    if let (None, Some(usual)) = (named, &context.gone.usual) {
        return Err(context.unknown_model(usual.clone(), usual));
    }
    let chosen = context.usual.sampler_of(&model.name).filter(|_| options.sampler.is_none());
    let size = options.size(model, context)?;
    let (guidance_scale, guidance_rescale) = options.guidance_of(model)?;
    let (steps, hires, negative_prompt) = (options.steps_of(model, context)?, options.hires_of(), options.negative_of(model));
    let seamless = options.flag(Key::Seamless).is_some();
    let task = TextToImage {
        prompt,
        negative_prompt,
        has_parts,
        model: Some(model.name.clone()),
        clip_skip: options.clip_skip.map_or(model.clip_skip, Slot::value),
        size,
        steps,
        guidance_scale,
        guidance_rescale,
        sampler: options.sampler.map_or(chosen.map_or(model.sampler, |chosen| chosen.sampler), Slot::value),
        schedule: options.schedule.map_or(chosen.and_then(|chosen| chosen.schedule).unwrap_or(model.schedule), Slot::value),
        seed,
        n_images: options.images.map_or(context.n_images, Slot::value),
        chaos: options.chaos.map_or(0, Slot::value),
        weird: options.weird.map_or(0, Slot::value),
        seamless,
        hires,
        stop_at: options.stop.map(Slot::value).filter(|percent| *percent < 100).map(StopAt::Percent),
        ..TextToImage::default()
    };
    let gone = gone.map(|name| Note::ChoiceGone { name: name.clone() });
    let notes = foreign.into_iter().map(|name| Note::ForeignParameter { name }).chain(gone).collect();
    let repeat = options.repeat.map_or(1, Slot::value);
    let strength = picture::strength(options.strength, options.picture_weight)?;
    let parsed = Parsed { task, strength, repeat, seed_given: options.seed.is_some(), speed: options.speed.map(Slot::value), notes };
    Ok(Filled { parsed, given })
}

/// A second pass as `--hires` asks for it.
pub fn hires(scale: f64) -> Hires {
    Hires { scale, strength: HIRES_STRENGTH, steps: None, enlarger: Enlarger::Latent }
}

impl TypedOptions {
    /// What they say, whatever it is.
    fn keys(&self) -> impl Iterator<Item = Key> {
        self.given().map(|given| given.key)
    }

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
