//! A line on the command line: what it says replaces what was there, and a flag that says otherwise is named beside it.

use inference::task::{SkippedFor, TextToImage};

use super::{
    ParseContext, Parsed, PromptError, TypedOptions, fill,
    spelling::{EXAMPLES, Key},
    split::{Line, split},
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

    /// Checks every value.
    ///
    /// # Errors
    /// As [`super::parse`].
    pub fn fill(self, context: &ParseContext) -> Result<Filled, PromptError> {
        fill(self.0, &TypedOptions::default(), context)
    }
}

impl Filled {
    /// How the line set what a flag of this name sets, if it did.
    pub fn shown(&self, flag: &str) -> Option<&str> {
        let key = key_of(flag)?;
        self.given.iter().find(|(given, _)| *given == key).map(|(_, shown)| shown.as_str())
    }

    /// Puts the prompt and what the line says into a task; the rest stays.
    pub fn onto(&self, base: &mut TextToImage) {
        let said = &self.parsed.task;
        base.prompt.clone_from(&said.prompt);
        for (key, _) in &self.given {
            match key {
                Key::Negative => base.negative_prompt.clone_from(&said.negative_prompt),
                Key::Aspect => base.size = said.size,
                Key::Width => base.size.width = said.size.width,
                Key::Height => base.size.height = said.size.height,
                Key::Seed => base.seed = said.seed,
                Key::Steps => base.steps = said.steps,
                Key::Guidance => base.guidance_scale = said.guidance_scale,
                Key::Rescale => base.guidance_rescale = said.guidance_rescale,
                Key::Sampler => base.sampler = said.sampler,
                Key::Schedule => base.schedule = said.schedule,
                Key::Images => base.n_images = said.n_images,
                Key::ClipSkip => (base.clip_skip, base.clip_skip_of) = (said.clip_skip, SkippedFor::Both),
                Key::Hires => base.hires = said.hires,
                Key::Stop => base.stop_at = said.stop_at,
                Key::Seamless => base.seamless = said.seamless,
                // These stand beside the task's base.
                Key::Model | Key::Strength | Key::PictureWeight | Key::Speed => {}
            }
        }
    }
}

fn key_of(spelling: &str) -> Option<Key> {
    EXAMPLES.iter().find(|(known, ..)| *known == spelling).map(|(_, key, _)| *key)
}

/// The other spellings of a parameter, which the command line takes too.
pub fn other_spellings(flag: &'static str) -> Vec<&'static str> {
    let key = key_of(flag);
    EXAMPLES.iter().filter(|(spelling, of, _)| Some(*of) == key && *spelling != flag).map(|(spelling, ..)| *spelling).collect()
}

/// Every spelling of every parameter of a task, with a value to try; empty where it takes none.
pub fn spellings() -> impl Iterator<Item = (&'static str, &'static str)> {
    EXAMPLES.iter().filter(|(_, key, _)| *key != Key::Speed).map(|(spelling, _, value)| (*spelling, *value))
}
