//! A line on the command line: what it says replaces what was there, and a flag that says otherwise is named beside it.

use inference::task::{SkippedFor, TextToImage};

use super::{
    ParseContext, Parsed, PromptError, TypedOptions, fill,
    lookup::find,
    parameter::{Key, Parameter, Takes},
    split::{Line, parameter, split},
    table::PARAMETERS,
};

/// A prompt with the `--parameters` after it, read but not yet checked.
pub struct Typed(Line);

/// A prompt with its parameters, every value in its range.
#[derive(Debug, PartialEq)]
pub struct Filled {
    /// The task of the line alone.
    pub parsed: Parsed,
    /// Each parameter of the line and how it was written.
    pub(super) given: Vec<(Key, String)>,
}

impl Typed {
    /// Reads a line.
    ///
    /// # Errors
    /// An unknown parameter, or one without a value or with words behind it.
    pub fn read(line: &str) -> Result<Self, PromptError> {
        split(line).map(Self)
    }

    /// The words before the parameters.
    pub fn prompt(&self) -> &str {
        &self.0.prompt
    }

    /// The model that the line names, taken out of it, and how it was written: on the command line a model may be a path, which no name is.
    ///
    /// # Errors
    /// It names two.
    pub fn take_model(&mut self) -> Result<Option<(String, String)>, PromptError> {
        let given = std::mem::take(&mut self.0.parameters).into_iter();
        let (models, others): (Vec<_>, Vec<_>) = given.partition(|given| given.key == Key::Model);
        self.0.parameters = others;
        let mut found: Option<(String, String)> = None;
        for given in models {
            match found {
                Some((value, shown)) if value != given.value => return Err(PromptError::Twice { first: shown, second: given.shown }),
                _ => found = Some((given.value, given.shown)),
            }
        }
        Ok(found)
    }

    /// Adds parameters that were given beside the line, by their names and values.
    ///
    /// # Errors
    /// There is none of that name, or it has no value.
    pub fn add(&mut self, flags: &[(String, String)]) -> Result<(), PromptError> {
        for (name, value) in flags {
            let values: Vec<&str> = Some(value.as_str()).filter(|value| !value.is_empty()).into_iter().collect();
            self.0.parameters.push(parameter(name, &values)?);
        }
        Ok(())
    }

    /// The adapters that its parameters name.
    pub fn loras(&self) -> impl Iterator<Item = &str> {
        let loras = self.0.parameters.iter().filter(|given| given.key == Key::Lora);
        loras.map(|given| given.value.split(':').next().unwrap_or_default().trim())
    }

    /// Checks every value.
    ///
    /// # Errors
    /// As [`super::parse`].
    pub fn fill(self, context: &ParseContext) -> Result<Filled, PromptError> {
        fill(self.0, &TypedOptions::default(), context)
    }
}

impl Filled {
    /// How the line set what a flag of this name sets, by that name or another way.
    pub fn shown(&self, flag: &str) -> Option<&str> {
        let key = find(flag)?.key;
        let sets = |given: &Key| *given == key || key.rivals().contains(given);
        self.given.iter().find(|(given, _)| sets(given)).map(|(_, shown)| shown.as_str())
    }

    /// Puts the prompt and what the line says into a task; the rest stays.
    pub fn onto(&self, base: &mut TextToImage) {
        let said = &self.parsed.task;
        base.prompt.clone_from(&said.prompt);
        base.has_parts = said.has_parts;
        for (key, _) in &self.given {
            match key {
                Key::Negative | Key::Raw => base.negative_prompt.clone_from(&said.negative_prompt),
                Key::Aspect => base.size = said.size,
                Key::Width => base.size.width = said.size.width,
                Key::Height => base.size.height = said.size.height,
                Key::Seed => base.seed = said.seed,
                Key::Steps | Key::Quality | Key::Draft => base.steps = said.steps,
                Key::Guidance | Key::Stylize => base.guidance_scale = said.guidance_scale,
                Key::Exp => (base.guidance_scale, base.guidance_rescale) = (said.guidance_scale, said.guidance_rescale),
                Key::Rescale => base.guidance_rescale = said.guidance_rescale,
                Key::Chaos => base.chaos = said.chaos,
                Key::Weird => base.weird = said.weird,
                Key::Sampler => base.sampler = said.sampler,
                Key::Schedule => base.schedule = said.schedule,
                Key::Images => base.n_images = said.n_images * self.parsed.repeat,
                // Here all of them are one job.
                Key::Repeat => base.n_images = said.n_images * self.parsed.repeat,
                Key::ClipSkip => (base.clip_skip, base.clip_skip_of) = (said.clip_skip, SkippedFor::Both),
                Key::Hires | Key::Hd => base.hires = said.hires,
                Key::Stop => base.stop_at = said.stop_at,
                Key::Seamless => base.seamless = said.seamless,
                // These stand beside the task's base, or in its prompt.
                Key::Model | Key::Strength | Key::PictureWeight | Key::Lora | Key::Speed => {}
            }
        }
    }
}

/// The other spellings of a parameter, which the command line takes too.
pub fn other_spellings(flag: &'static str) -> Vec<&'static str> {
    let others = find(flag).map_or(&[][..], |found| found.spellings);
    others.iter().copied().filter(|spelling| *spelling != flag).collect()
}

/// Every spelling of every parameter of a task, with a value to try; empty where it takes none.
pub fn spellings() -> impl Iterator<Item = (&'static str, &'static str)> {
    of_tasks().flat_map(|of| of.spellings.iter().map(|spelling| (*spelling, of.example)))
}

/// Those that say what is drawn, and not how long one waits for it.
fn of_tasks() -> impl Iterator<Item = &'static Parameter> {
    PARAMETERS.iter().filter(|of| of.key != Key::Speed)
}

/// A parameter as a flag of the command line.
pub struct Flag {
    /// Its name without dashes, which may be said shorter or longer too.
    pub name: &'static str,
    /// Its other spellings.
    pub others: &'static [&'static str],
    /// What its value may be, in words; `None` where it takes none.
    pub range: Option<&'static str>,
    /// What it means.
    pub about: &'static str,
}

/// Every parameter as a flag of the command line.
pub fn flags() -> impl Iterator<Item = Flag> {
    of_tasks().map(|of| Flag {
        name: of.name(),
        others: &of.spellings[1..],
        range: Some(of.range).filter(|_| of.takes != Takes::Nothing),
        about: of.about,
    })
}
