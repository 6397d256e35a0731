//! What a job's messages begin with.

use inference::task::Note;

use super::{
    after, notes,
    words::{escape, shorten},
};
use crate::{jobs::after::After, system::printable::printable};

/// What a job's messages begin with.
#[derive(Clone, Debug, PartialEq)]
pub struct Heading {
    /// The prompt.
    pub title: String,
    /// Whether something was done with a picture.
    pub made: Made,
    /// The parameters, to copy.
    pub parameters: String,
    /// Who asked.
    pub user: u64,
    /// What the person who asked should know.
    pub notes: Vec<Note>,
    /// Whether others go first.
    pub is_relaxed: bool,
}

/// What was done.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Made {
    /// Pictures were drawn.
    #[default]
    Drawn,
    /// They were drawn from a picture that somebody brought.
    FromPicture,
    /// They were drawn from pictures that somebody brought, laid over each other.
    Blended,
    /// They were drawn from a picture of ours, if it is known.
    Varied(Option<Source>),
    /// Something else was made of a picture of ours, if it is known.
    After(After, Option<Source>),
    /// A picture was enlarged, if it is known.
    Enlarged(Option<Source>),
}

/// The picture that something was done with.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// Its number in its grid, from 1.
    pub number: u32,
    /// Where the grid's message is.
    pub link: Option<String>,
}

impl Source {
    fn named(&self) -> String {
        let name = format!("picture {}", self.number);
        self.link.as_ref().map_or_else(|| name.clone(), |link| format!("[{name}]({link})"))
    }
}

impl Heading {
    /// Prompt and what was done, in bold.
    pub(super) fn titled(&self, max_chars: usize) -> String {
        let title = shorten(&escape(&self.title), max_chars);
        match &self.made {
            Made::Varied(Some(source)) => format!("**Variation of {} of {title}**", source.named()),
            Made::Varied(None) => format!("**Variation of {title}**"),
            Made::After(made, Some(source)) => format!("**{} {} of {title}**", after::made(*made), source.named()),
            Made::After(made, None) => format!("**{} a picture of {title}**", after::made(*made)),
            Made::Enlarged(Some(source)) => format!("**{title}** · Image #{}", source.number),
            Made::Enlarged(None) => format!("**{title}** · enlarged"),
            Made::FromPicture => format!("**{title}** · from a picture"),
            Made::Blended => format!("**{title}** · a blend of pictures"),
            Made::Drawn => format!("**{title}**"),
        }
    }

    /// The line that tells the notes, with its line break.
    pub(super) fn told(&self) -> String {
        notes::line(&self.notes)
    }

    pub(super) fn line(&self) -> String {
        let speed = if self.is_relaxed { " · relaxed" } else { "" };
        format!("{}{} · <@{}>{speed}", self.titled(900), self.code(450), self.user)
    }

    /// The parameters as code, at most so long; a negative prompt can be as long as a prompt.
    pub(super) fn code(&self, max_chars: usize) -> String {
        if self.parameters.is_empty() {
            String::new()
        } else {
            format!(" `{}`", shorten(&printable(&self.parameters).replace('`', "'"), max_chars))
        }
    }
}
