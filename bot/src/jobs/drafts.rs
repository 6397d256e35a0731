//! What people typed and did not get drawn: kept for a day, so that nobody types it twice.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use storage::{Draft, DraftId, JobId, JobStore, RoleId, Timestamp, UserId};
use tokio_util::sync::CancellationToken;

use crate::{
    answer::{Answer, MAX_FIELD, MAX_FIELDS},
    error::BotError,
    intake::{Hosts, Named, Wanted},
    jobs::after::Onto,
    messages::{self, UserError},
    policy::Venue,
    prompt::{self, ParseContext, PromptError, TypedOptions, with_lora},
    system::{clock::Clock, log::chain},
};

/// A draft is kept for so long.
const KEPT_FOR: Duration = Duration::from_secs(24 * 3600);
/// Whoever typed it must be answered within 3 s.
const KEEP_WITHIN: Duration = Duration::from_secs(1);
/// Old ones are looked for this often.
const SWEEP_EVERY: Duration = Duration::from_secs(10 * 60);

/// A part of what is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// What to draw.
    Prompt,
    /// What to stay away from.
    Negative,
    /// Everything else.
    Parameters,
}

impl Part {
    /// The name of its `number`th field, from 0.
    pub fn field_name(self, number: usize) -> String {
        let word = match self {
            Self::Prompt => "prompt",
            Self::Negative => "negative",
            Self::Parameters => "parameters",
        };
        format!("{word}{number}")
    }
}

/// What stands in the fields of a form, to the letter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Typed {
    /// The prompt, also with parameters in it, field by field.
    prompt: Vec<String>,
    /// What to stay away from, field by field.
    negative: Vec<String>,
    /// Parameters.
    parameters: String,
    /// Where the form opens, or the words were refused.
    pub venue: Venue,
    /// The job that is drawn again with changes.
    of: Option<String>,
    /// The roles of whoever typed it, where a guild pays.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    roles: Vec<u64>,
    /// Pictures that were given beside the words.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    named: Named,
    /// Which picture of the job is varied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    varied: Option<u32>,
    /// Whether the words say all of a task.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_whole: bool,
    /// What of one picture of that job the form is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    onto: Option<Onto>,
}

impl Typed {
    /// Words that were typed, or that a job was drawn from.
    pub fn new(prompt: &str, negative: &str, parameters: String, venue: Venue) -> Self {
        let fit = |length: fn(char) -> usize| (split(prompt, length), split(negative, length));
        let (mut prompts, mut negatives) = fit(char::len_utf16);
        // Discord's servers count characters; its clients count more only for the rarer ones.
        if prompts.len() + negatives.len() + 1 > MAX_FIELDS {
            (prompts, negatives) = fit(|_| 1);
        }
        Self {
            prompt: prompts,
            negative: negatives,
            parameters,
            venue,
            of: None,
            roles: Vec::new(),
            named: Named::default(),
            varied: None,
            is_whole: false,
            onto: None,
        }
    }

    /// The job that is drawn again with changes.
    pub fn of(mut self, job: JobId) -> Self {
        self.of = Some(job.to_string());
        self
    }

    /// Of the job, this picture is varied.
    pub fn varying(mut self, picture: u32) -> Self {
        self.varied = Some(picture);
        self
    }

    /// Which picture of the job is varied, if one is.
    pub fn varied(&self) -> Option<u32> {
        self.varied
    }

    /// The words say all of a task: nothing that was chosen for other prompts is added to them.
    pub fn whole(mut self) -> Self {
        self.is_whole = true;
        self
    }

    /// What they are read with, where this holds for their writer.
    pub fn context(&self, context: ParseContext) -> ParseContext {
        if self.is_whole { context.bare() } else { context }
    }

    /// Who typed it, as far as their roles say what they may.
    pub fn by(mut self, roles: &[RoleId]) -> Self {
        self.roles = roles.iter().map(|role| role.0).collect();
        self
    }

    /// The roles of whoever typed it.
    pub fn roles(&self) -> Vec<RoleId> {
        self.roles.iter().copied().map(RoleId).collect()
    }

    /// With pictures beside the words.
    pub fn with(mut self, named: Named) -> Self {
        self.named = named;
        self
    }

    /// For something of one picture of that job alone.
    pub fn onto(mut self, onto: Onto) -> Self {
        if let Onto::Zoom { .. } = onto {
            self.parameters = format!("--zoom {} {}", prompt::USUAL_ZOOM, self.parameters);
        }
        self.onto = Some(onto);
        self
    }

    /// What of one picture it is for.
    pub fn is_onto(&self) -> Option<Onto> {
        self.onto
    }

    /// How many times smaller the picture is shown, where that can be said.
    ///
    /// # Errors
    /// What was typed is no such number.
    pub fn zoom(&self) -> Result<f64, PromptError> {
        let line = format!("{} {}", self.prompt.concat(), self.parameters);
        Ok(prompt::take_zoom(&line)?.0.unwrap_or(1.0))
    }

    /// Pictures that were given beside the words.
    pub fn named(&self) -> &Named {
        &self.named
    }

    /// The job that is drawn again with changes, if it is one.
    pub fn job(&self) -> Option<JobId> {
        self.of.as_ref()?.parse().ok()
    }

    /// What the options of a command say, by their names.
    pub fn of_options(options: Vec<(String, String)>, venue: Venue) -> Self {
        let (mut prompt, mut negative, mut lora, mut parameters) = (String::new(), String::new(), None, Vec::new());
        for (name, value) in options {
            match name.as_str() {
                "prompt" => prompt = value,
                "negative" => negative = value,
                "lora" => lora = Some(value),
                _ if value.is_empty() => {}
                _ if value.contains(char::is_whitespace) && !value.contains('"') => parameters.push(format!("--{name} \"{value}\"")),
                _ => parameters.push(format!("--{name} {value}")),
            }
        }
        Self::new(&with_lora(&prompt, lora.as_deref()), &negative, parameters.join(" "), venue)
    }

    /// What was sent from the fields of a form that opened with this, by their names. A field that is not there is empty.
    pub fn of_fields(sent: Vec<(String, String)>, venue: Venue, opened: Option<&Self>) -> Self {
        let all = |part: Part| {
            let numbered = (0..MAX_FIELDS).map(move |number| part.field_name(number));
            numbered.filter_map(|name| sent.iter().find(|(known, _)| *known == name)).map(|(_, value)| value.clone()).collect::<Vec<_>>()
        };
        let (prompt, negative, parameters) = (all(Part::Prompt), all(Part::Negative), all(Part::Parameters).concat());
        let (of, named) = opened.map(|opened| (opened.of.clone(), opened.named.clone())).unwrap_or_default();
        let (varied, is_whole) = opened.map(|opened| (opened.varied, opened.is_whole)).unwrap_or_default();
        Self {
            prompt,
            negative,
            parameters,
            venue,
            of,
            roles: Vec::new(),
            named,
            varied,
            is_whole,
            onto: opened.and_then(|opened| opened.onto),
        }
    }

    /// The fields of a form: part, number among its fields, and value.
    pub fn fields(&self) -> impl Iterator<Item = (Part, usize, &str)> {
        let all = |part: Part, texts: &[String]| {
            // There is always one to type into.
            let n_fields = texts.len().max(1);
            (0..n_fields).map(move |number| (part, number)).collect::<Vec<_>>()
        };
        let value = move |(part, number): (Part, usize)| {
            let texts = match part {
                Part::Prompt => &self.prompt[..],
                Part::Negative => &self.negative[..],
                Part::Parameters => std::slice::from_ref(&self.parameters),
            };
            (part, number, texts.get(number).map_or("", String::as_str))
        };
        let places = [all(Part::Prompt, &self.prompt), all(Part::Negative, &self.negative), vec![(Part::Parameters, 0)]];
        places.into_iter().flatten().map(value)
    }

    /// Reads it as `/imagine` is read, up to its parameters.
    ///
    /// # Errors
    /// Words among the parameters, and addresses that are none of a picture.
    pub fn wanted(&self, hosts: &Hosts) -> Result<Wanted, UserError> {
        let (mut words, mut parameters) = (self.prompt.concat(), self.parameters.clone());
        if let Some(Onto::Zoom { .. }) = self.onto {
            (words, parameters) = (prompt::take_zoom(&words)?.1, prompt::take_zoom(&parameters)?.1);
        }
        let stray = prompt::words_before_parameters(&parameters);
        if !stray.is_empty() {
            return Err(UserError::NotParameters(stray));
        }
        let line = format!("{words} {parameters}");
        let negative = Some(self.negative.concat()).filter(|negative| !negative.is_empty());
        let options = TypedOptions { negative, ..TypedOptions::default() };
        Wanted::new(&line, options, self.named.clone(), hosts).map_err(UserError::Picture)
    }
}

/// A text in pieces that fit a field each, not cut beside white space where that can be: what is put together again is the same to the letter,
/// also where a client trims a field.
fn split(text: &str, length: fn(char) -> usize) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (mut n_units, mut end, mut inside) = (0, 0, 0);
        let mut previous: Option<char> = None;
        for (place, character) in rest.char_indices() {
            if !character.is_whitespace() && previous.is_some_and(|previous| !previous.is_whitespace()) {
                inside = place;
            }
            end = place;
            n_units += length(character);
            if n_units > MAX_FIELD {
                break;
            }
            (end, previous) = (place + character.len_utf8(), Some(character));
        }
        if end < rest.len() && end - inside < MAX_FIELD / 10 && inside > 0 {
            end = inside;
        }
        let (piece, after) = rest.split_at(end);
        pieces.push(piece.to_owned());
        rest = after;
    }
    pieces
}

/// What people typed, kept.
pub struct Drafts {
    /// Remembers.
    pub jobs: Arc<dyn JobStore>,
    /// Tells the time.
    pub clock: Clock,
}

impl Drafts {
    /// Puts the button under a refusal that opens what was typed, or, without a place to keep it (the disk may be full), what was typed itself.
    pub async fn give_back(&self, user: UserId, typed: &Typed, refusal: &mut Answer) {
        match self.keep(user, typed).await {
            Some(draft) => refusal.buttons.push(vec![messages::reopen_button(draft)]),
            None => refusal.files.push(messages::as_file(typed)),
        }
    }

    /// Keeps what somebody typed; `None` when it cannot be kept.
    pub async fn keep(&self, user: UserId, typed: &Typed) -> Option<DraftId> {
        let id = DraftId::new();
        let write = async {
            let content = serde_json::to_value(typed).map_err(|error| error.to_string())?;
            let draft = Draft { id, user, content, created: self.clock.now() };
            self.jobs.keep_draft(&draft).await.map_err(|error| chain(&error))
        };
        let kept = tokio::time::timeout(KEEP_WITHIN, write).await.unwrap_or_else(|_| Err("the database is busy".to_owned()));
        match kept {
            Ok(()) => Some(id),
            Err(error) => {
                tracing::error!(error, user.id = user.0, "what somebody typed could not be kept");
                None
            }
        }
    }

    /// What somebody typed before.
    ///
    /// # Errors
    /// It is older than a day, or of somebody else.
    pub async fn find(&self, user: UserId, id: DraftId) -> Result<Typed, BotError> {
        let draft =
            self.jobs.draft(id).await?.filter(|draft| self.clock.now() < draft.created.after(KEPT_FOR)).ok_or(UserError::DraftGone)?;
        if draft.user != user {
            return Err(UserError::NotYourDraft.into());
        }
        Ok(serde_json::from_value(draft.content)?)
    }

    /// Forgets what is older than a day, until shutdown.
    pub async fn run(&self, shutdown: &CancellationToken) {
        let mut ticks = self.clock.ticks(SWEEP_EVERY);
        loop {
            tokio::select! {
                () = ticks.tick() => {}
                () = shutdown.cancelled() => break,
            }
            let kept_for_ms = i64::try_from(KEPT_FOR.as_millis()).unwrap_or(i64::MAX);
            let before = Timestamp(self.clock.now().0.saturating_sub(kept_for_ms));
            if let Err(error) = self.jobs.forget_drafts(before).await {
                tracing::warn!(error = %chain(&error), "what was typed long ago could not be forgotten");
            }
        }
    }
}

#[cfg(test)]
mod tests;
