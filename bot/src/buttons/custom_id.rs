//! Every `custom_id` is made and read here: `version:action:job:index`, under 100 characters. All state is in the database.

mod kinds;

use std::{fmt, str::FromStr};

use storage::{Beside, DraftId, JobId};

use super::policy_action::PolicyAction;

pub use kinds::{HistoryScope, NameHash, Picker, QueueAct, Setting, Whose};

pub use super::picture_action::PictureAction;
use crate::jobs::after::After;

/// Written into every id; a change of meaning takes a new number, and old buttons are told so.
const VERSION: &str = "1";

/// What a press asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ButtonAction {
    /// Enlarge picture `index` (U1–U4).
    Upscale {
        /// The job with the picture.
        job: JobId,
        /// Which picture.
        index: u32,
    },
    /// Four variations of picture `index` (V1–V4).
    Variation {
        /// The job with the picture.
        job: JobId,
        /// Which picture.
        index: u32,
    },
    /// What else is made of picture `index`, by the buttons under an enlarged one.
    After {
        /// The job with the picture.
        job: JobId,
        /// Which picture.
        index: u32,
        /// What is made of it.
        after: After,
    },
    /// Parts of picture `index` were chosen, which are drawn anew.
    Cells {
        /// The job with the picture.
        job: JobId,
        /// Which picture.
        index: u32,
    },
    /// The same task with a new seed.
    Reroll {
        /// The job to draw again.
        job: JobId,
    },
    /// Stop a job that is not finished (❌ on its progress).
    Cancel {
        /// The job.
        job: JobId,
    },
    /// Hand a job's pictures out as they are at the next step (■ on its progress).
    Stop {
        /// The job.
        job: JobId,
    },
    /// Leave picture `index` of a job out that is being drawn (✂1–✂4).
    Cull {
        /// The job.
        job: JobId,
        /// Which picture.
        index: u32,
    },
    /// Go on where a job was stopped (▶️).
    Continue {
        /// The job that was stopped.
        job: JobId,
    },
    /// Ask whether a finished job's message and pictures shall go (❌ on its result).
    AskDelete {
        /// The job.
        job: JobId,
    },
    /// Delete a finished job's message and pictures.
    Delete {
        /// The job.
        job: JobId,
    },
    /// Do not delete them after all.
    Keep {
        /// The job.
        job: JobId,
    },
    /// Open a form with what a job was drawn from (✏️).
    Remix {
        /// The job to change.
        job: JobId,
    },
    /// Open a form with what was typed and refused (✏️).
    Reopen {
        /// What was typed.
        draft: DraftId,
    },
    /// Draw words that were offered.
    DrawDraft {
        /// The words.
        draft: DraftId,
    },
    /// Draw all grids that a line asks for.
    DrawAll {
        /// What was typed.
        draft: DraftId,
    },
    /// Draw none of them.
    LeaveAll {
        /// What was typed.
        draft: DraftId,
    },
    /// A finished job's pictures as files (📥).
    Files {
        /// The job.
        job: JobId,
    },
    /// Something with one picture.
    Picture {
        /// What.
        action: PictureAction,
        /// The job with the picture.
        job: JobId,
        /// Which picture.
        index: u32,
    },
    /// Another page of what the presser marked.
    Favourites {
        /// Which page, from 0.
        page: u32,
    },
    /// What stands under rules' and privacy's messages.
    Policy(PolicyAction),
    /// Another page of the history.
    History {
        /// Jobs before it, as they were counted when the button was made.
        offset: u32,
        /// Everybody's jobs, or only the presser's.
        scope: HistoryScope,
        /// The job that it lies beside; `None` on buttons of older versions, which are turned by the count.
        beside: Option<Beside>,
    },
    /// Change something in the panel of `/settings`.
    Panel {
        /// Whose.
        whose: Whose,
        /// What.
        setting: Setting,
    },
    /// Show the entry of a picker that is chosen in its menu.
    Pick {
        /// What it picks.
        picker: Picker,
        /// The menu's page.
        page: u32,
    },
    /// Another page of a picker.
    Picker {
        /// What it picks.
        picker: Picker,
        /// The page, from 0.
        page: u32,
    },
    /// Make an entry of a picker the presser's default, or take that back.
    UseAsDefault {
        /// What it picks.
        picker: Picker,
        /// Which entry.
        name: NameHash,
    },
    /// The same for the channel.
    UseInChannel {
        /// What it picks.
        picker: Picker,
        /// Which entry.
        name: NameHash,
    },
    /// Draw an example of `/help`.
    Example {
        /// Which one.
        index: u32,
    },
    /// A page of the newcomer's tour.
    Tour {
        /// Which one, from 0.
        page: u32,
        /// Whether it is a message of its own, and not in the place of another page.
        is_opened: bool,
    },
    /// See or change what waits and runs (`/queue`).
    Queue {
        /// Of whom.
        whose: Whose,
        /// What is done.
        act: QueueAct,
    },
}

/// An id that is not ours, or not any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownButton;

impl ButtonAction {
    /// The job that it is about.
    pub fn job(self) -> Option<JobId> {
        match self {
            Self::Upscale { job, .. }
            | Self::Variation { job, .. }
            | Self::After { job, .. }
            | Self::Cells { job, .. }
            | Self::Reroll { job }
            | Self::Cancel { job }
            | Self::Stop { job }
            | Self::Cull { job, .. }
            | Self::Continue { job }
            | Self::AskDelete { job }
            | Self::Delete { job }
            | Self::Keep { job }
            | Self::Remix { job }
            | Self::Picture { job, .. }
            | Self::Files { job } => Some(job),
            Self::Reopen { .. }
            | Self::DrawDraft { .. }
            | Self::DrawAll { .. }
            | Self::LeaveAll { .. }
            | Self::Policy(_)
            | Self::History { .. }
            | Self::Favourites { .. }
            | Self::Panel { .. }
            | Self::Pick { .. }
            | Self::Picker { .. }
            | Self::UseAsDefault { .. }
            | Self::UseInChannel { .. }
            | Self::Example { .. }
            | Self::Tour { .. }
            | Self::Queue { .. } => None,
        }
    }
}

impl fmt::Display for ButtonAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Upscale { job, index } => write!(f, "{VERSION}:upscale:{job}:{index}"),
            Self::Variation { job, index } => write!(f, "{VERSION}:variation:{job}:{index}"),
            Self::After { job, index, after } => write!(f, "{VERSION}:{}:{job}:{index}", after.word()),
            Self::Cells { job, index } => write!(f, "{VERSION}:cells:{job}:{index}"),
            Self::Reroll { job } => write!(f, "{VERSION}:reroll:{job}:0"),
            Self::Cancel { job } => write!(f, "{VERSION}:cancel:{job}:0"),
            Self::Stop { job } => write!(f, "{VERSION}:stop:{job}:0"),
            Self::Cull { job, index } => write!(f, "{VERSION}:cull:{job}:{index}"),
            Self::Continue { job } => write!(f, "{VERSION}:continue:{job}:0"),
            Self::AskDelete { job } => write!(f, "{VERSION}:delete:{job}:0"),
            Self::Delete { job } => write!(f, "{VERSION}:delete-now:{job}:0"),
            Self::Keep { job } => write!(f, "{VERSION}:keep:{job}:0"),
            Self::Remix { job } => write!(f, "{VERSION}:remix:{job}:0"),
            Self::Reopen { draft } => write!(f, "{VERSION}:reopen:{draft}:0"),
            Self::DrawDraft { draft } => write!(f, "{VERSION}:draw:{draft}:0"),
            Self::DrawAll { draft } => write!(f, "{VERSION}:draw-all:{draft}:0"),
            Self::LeaveAll { draft } => write!(f, "{VERSION}:leave-all:{draft}:0"),
            Self::Policy(action) => write!(f, "{VERSION}:{action}"),
            Self::Files { job } => write!(f, "{VERSION}:files:{job}:0"),
            Self::Picture { action, job, index } => write!(f, "{VERSION}:{action}:{job}:{index}"),
            Self::Favourites { page } => write!(f, "{VERSION}:favourites:mine:{page}"),
            Self::Pick { picker, page } => write!(f, "{VERSION}:pick-{}:{page}:0", picker.word()),
            Self::Picker { picker, page } => write!(f, "{VERSION}:turn-{}:{page}:0", picker.word()),
            Self::UseAsDefault { picker, name } => write!(f, "{VERSION}:use-{}:{:016x}:0", picker.word(), name.0),
            Self::UseInChannel { picker, name } => write!(f, "{VERSION}:here-{}:{:016x}:0", picker.word(), name.0),
            Self::Example { index } => write!(f, "{VERSION}:example:{index}:0"),
            Self::Tour { page, is_opened } => write!(f, "{VERSION}:tour:{page}:{}", u8::from(*is_opened)),
            Self::Queue { whose, act } => write!(f, "{VERSION}:queue-{}:{}:0", whose.word(), act.word()),
            Self::Panel { whose, setting } => write!(f, "{VERSION}:panel-{}:{}:0", whose.word(), setting.word()),
            Self::History { offset, scope, beside: None } => write!(f, "{VERSION}:history:{scope}:{offset}"),
            Self::History { offset, scope, beside: Some(Beside::Older(job)) } => write!(f, "{VERSION}:older-{scope}:{job}:{offset}"),
            Self::History { offset, scope, beside: Some(Beside::Newer(job)) } => write!(f, "{VERSION}:newer-{scope}:{job}:{offset}"),
        }
    }
}

impl FromStr for ButtonAction {
    type Err = UnknownButton;

    fn from_str(text: &str) -> Result<Self, UnknownButton> {
        let parts: Vec<&str> = text.split(':').collect();
        let [VERSION, action, subject, number] = parts[..] else { return Err(UnknownButton) };
        let number: u32 = number.parse().map_err(|_| UnknownButton)?;
        if let Some(action) = PolicyAction::read(action, subject, number) {
            return Ok(Self::Policy(action));
        }
        let job = || subject.parse::<JobId>().map_err(|_| UnknownButton);
        if let Some(after) = After::of(action) {
            return Ok(Self::After { job: job()?, index: number, after });
        }
        match (action, subject, number) {
            ("upscale", _, index) => Ok(Self::Upscale { job: job()?, index }),
            ("variation", _, index) => Ok(Self::Variation { job: job()?, index }),
            ("cells", _, index) => Ok(Self::Cells { job: job()?, index }),
            ("reroll", _, 0) => Ok(Self::Reroll { job: job()? }),
            ("cancel", _, 0) => Ok(Self::Cancel { job: job()? }),
            ("stop", _, 0) => Ok(Self::Stop { job: job()? }),
            ("cull", _, index) => Ok(Self::Cull { job: job()?, index }),
            ("continue", _, 0) => Ok(Self::Continue { job: job()? }),
            ("delete", _, 0) => Ok(Self::AskDelete { job: job()? }),
            ("delete-now", _, 0) => Ok(Self::Delete { job: job()? }),
            ("keep", _, 0) => Ok(Self::Keep { job: job()? }),
            ("remix", _, 0) => Ok(Self::Remix { job: job()? }),
            ("reopen", _, 0) => Ok(Self::Reopen { draft: subject.parse().map_err(|_| UnknownButton)? }),
            ("draw", _, 0) => Ok(Self::DrawDraft { draft: subject.parse().map_err(|_| UnknownButton)? }),
            ("draw-all", _, 0) => Ok(Self::DrawAll { draft: subject.parse().map_err(|_| UnknownButton)? }),
            ("leave-all", _, 0) => Ok(Self::LeaveAll { draft: subject.parse().map_err(|_| UnknownButton)? }),
            ("example", index, 0) => Ok(Self::Example { index: index.parse().map_err(|_| UnknownButton)? }),
            ("tour", page, 0 | 1) => Ok(Self::Tour { page: page.parse().map_err(|_| UnknownButton)?, is_opened: number == 1 }),
            ("files", _, 0) => Ok(Self::Files { job: job()? }),
            ("favourites", "mine", page) => Ok(Self::Favourites { page }),
            ("history", scope, offset) => Ok(Self::History { offset, scope: scope.parse()?, beside: None }),
            (action, _, offset) => {
                if let Ok(action) = action.parse() {
                    return Ok(Self::Picture { action, job: job()?, index: offset });
                }
                let (side, scope) = action.split_once('-').ok_or(UnknownButton)?;
                let number = || subject.parse::<u32>().map_err(|_| UnknownButton);
                let name = || u64::from_str_radix(subject, 16).map(NameHash).map_err(|_| UnknownButton);
                match (side, offset) {
                    ("pick", 0) => return Ok(Self::Pick { picker: Picker::read(scope)?, page: number()? }),
                    ("turn", 0) => return Ok(Self::Picker { picker: Picker::read(scope)?, page: number()? }),
                    ("use", 0) => return Ok(Self::UseAsDefault { picker: Picker::read(scope)?, name: name()? }),
                    ("here", 0) => return Ok(Self::UseInChannel { picker: Picker::read(scope)?, name: name()? }),
                    _ => {}
                }
                if (side, offset) == ("queue", 0) {
                    return Ok(Self::Queue { whose: Whose::read(scope)?, act: QueueAct::read(subject)? });
                }
                if (side, offset) == ("panel", 0) {
                    return Ok(Self::Panel { whose: Whose::read(scope)?, setting: Setting::read(subject)? });
                }
                let beside = match side {
                    "older" => Beside::Older(job()?),
                    "newer" => Beside::Newer(job()?),
                    _ => return Err(UnknownButton),
                };
                Ok(Self::History { offset, scope: scope.parse()?, beside: Some(beside) })
            }
        }
    }
}

/// A form: its fields are of this draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FormId {
    /// What it held when it opened.
    pub draft: DraftId,
}

impl fmt::Display for FormId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{VERSION}:form:{}:0", self.draft)
    }
}

impl FromStr for FormId {
    type Err = UnknownButton;

    fn from_str(text: &str) -> Result<Self, UnknownButton> {
        let parts: Vec<&str> = text.split(':').collect();
        let [VERSION, "form", draft, "0"] = parts[..] else { return Err(UnknownButton) };
        Ok(Self { draft: draft.parse().map_err(|_| UnknownButton)? })
    }
}

#[cfg(test)]
mod tests;
