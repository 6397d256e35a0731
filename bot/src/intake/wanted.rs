//! What somebody typed together with the pictures that they named.

use std::borrow::Cow;

use inference::task::{ImageToImage, Inpaint, Note, Task};
use storage::Tier;

use super::{Hosts, Intake, Kept, Named, NotTaken, TakeError};
use crate::{
    pictures::BLEND,
    prompt::{self, MASKED_STRENGTH, ParseContext, Parsed, PromptError, Start, TypedOptions, leading_addresses},
};

/// How much of pictures that lie over each other changes: more than of one picture, or their edges would be seen through each other.
const BLEND_STRENGTH: f64 = 0.7;
/// Stands for words that are not known before the pictures are there.
const UNKNOWN: &str = "words";

/// What somebody typed together with the pictures that they named.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    line: String,
    options: TypedOptions,
    /// The pictures.
    pub named: Named,
}

/// What somebody typed as a task.
#[derive(Clone, Debug, PartialEq)]
pub struct Ready {
    /// The task.
    pub task: Task,
    /// How the job takes its turns, if the person said it.
    pub speed: Option<Tier>,
    /// What the person should know of what they typed.
    pub notes: Vec<Note>,
}

impl Wanted {
    /// A line that may begin with a picture's address, the options beside it, and the pictures that were given with it.
    ///
    /// # Errors
    /// An address that is none of a picture, and more than one picture.
    pub fn new(line: &str, options: TypedOptions, mut named: Named, hosts: &Hosts) -> Result<Self, NotTaken> {
        let (addresses, rest) = leading_addresses(line);
        for address in addresses {
            let address = hosts.read(address)?;
            if named.init.replace(address).is_some() {
                return Err(NotTaken::Several);
            }
        }
        if named.mask.is_some() && named.init.is_none() {
            return Err(NotTaken::MaskAlone);
        }
        Ok(Self { line: rest.to_owned(), options, named })
    }

    /// What a job of it is asked for with.
    pub fn action(&self) -> &'static str {
        if self.named.others.is_empty() { "imagine" } else { BLEND }
    }

    /// Every grid that it asks for, as far as it can be told before the pictures are there; what is wrong with it is told too. `has_picture` says whether
    /// there is one already.
    ///
    /// # Errors
    /// As [`prompt::parse_all`].
    pub fn check(&self, context: &ParseContext, has_picture: bool) -> Result<Vec<Parsed>, PromptError> {
        let is_there = has_picture || self.named.init.is_some();
        self.parse(&self.with_words(UNKNOWN), context, if is_there { Start::There } else { Start::Nothing })
    }

    fn parse(&self, line: &str, context: &ParseContext, start: Start) -> Result<Vec<Parsed>, PromptError> {
        prompt::parse_all(line, &self.options, &ParseContext { start, ..context.clone() })
    }

    /// Whether its words are those that its pictures were drawn from.
    fn has_their_words(&self) -> bool {
        !self.named.others.is_empty() && prompt::words_before_parameters(&self.line).is_empty()
    }

    /// The line, with words where it has none of its own and may be without.
    fn with_words(&self, words: &str) -> Cow<'_, str> {
        if self.has_their_words() { format!("{words} {}", self.line).into() } else { (&self.line).into() }
    }

    /// The line with the words of its pictures, as parts of equal weight where every model that it asks for reads those.
    fn told_by(&self, kept: &Kept, context: &ParseContext, start: Start) -> Result<Vec<Parsed>, TakeError> {
        if self.has_their_words() && kept.words.is_empty() {
            return Err(NotTaken::Wordless.into());
        }
        let found = self.parse(&self.with_words(&kept.words.join(", ")), context, start)?;
        let reads_parts = |parsed: &Parsed| context.model(parsed.task.model.as_deref()).is_some_and(|model| model.reads_parts);
        if self.has_their_words() && kept.words.len() > 1 && found.iter().all(reads_parts) {
            let parts: Vec<_> = kept.words.iter().map(|words| format!("{words}::")).collect();
            return Ok(self.parse(&self.with_words(&parts.join(" ")), context, start)?);
        }
        Ok(found)
    }

    fn ready(&self, context: &ParseContext, kept: &Kept) -> Result<Vec<Ready>, TakeError> {
        let start = kept.init.as_ref().map_or(Start::Nothing, |(_, size)| Start::Shaped(*size));
        let of = |Parsed { task: base, strength, speed, notes, .. }: Parsed| {
            let task = match (&kept.init, &kept.mask) {
                (None, _) => Task::from(base),
                (Some((init, _)), None) => {
                    let usual = if self.named.others.is_empty() { context.strength } else { BLEND_STRENGTH };
                    let strength = strength.unwrap_or(usual);
                    Task::image_to_image(ImageToImage { base, strength }, init.as_str())
                }
                (Some((init, _)), Some(mask)) => {
                    let strength = strength.unwrap_or(MASKED_STRENGTH);
                    Task::inpaint(Inpaint { base, strength }, init.as_str(), mask.as_str())
                }
            };
            Ready { task, speed, notes }
        };
        Ok(self.told_by(kept, context, start)?.into_iter().map(of).collect())
    }
}

impl Intake {
    /// What was typed as the task of one grid. Its pictures are fetched and kept.
    ///
    /// # Errors
    /// As for [`Intake::tasks`]; it asks for several.
    pub async fn task(&self, wanted: &Wanted, context: &ParseContext) -> Result<Ready, TakeError> {
        let mut all = self.tasks(wanted, context).await?;
        match (all.len(), all.pop()) {
            (1, Some(only)) => Ok(only),
            (n, _) => Err(PromptError::Several { n }.into()),
        }
    }

    /// What was typed as a task for each grid that it asks for. Its pictures are fetched and kept.
    ///
    /// # Errors
    /// What was typed is wrong, or a picture is not taken.
    pub async fn tasks(&self, wanted: &Wanted, context: &ParseContext) -> Result<Vec<Ready>, TakeError> {
        let kept = self.take(&wanted.named).await?;
        wanted.ready(context, &kept)
    }
}
