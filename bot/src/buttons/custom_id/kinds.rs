//! What buttons of panels, pickers and queues say beside what they do.

use std::{fmt, str::FromStr};

use super::UnknownButton;

/// What a picker picks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Picker {
    /// What draws.
    Model,
    /// What is added to a model.
    Lora,
}

impl Picker {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Lora => "lora",
        }
    }

    pub(super) fn read(word: &str) -> Result<Self, UnknownButton> {
        [Self::Model, Self::Lora].into_iter().find(|one| one.word() == word).ok_or(UnknownButton)
    }
}

/// Stands for a name, which may be too long for an id. FNV-1a: the same in every version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameHash(pub(super) u64);

impl NameHash {
    /// Of a name.
    pub fn of(name: &str) -> Self {
        Self(name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)))
    }
}

/// What is done with what waits and runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueAct {
    /// It is shown.
    Show,
    /// One job ends.
    Cancel,
    /// All of a person end.
    CancelAll,
    /// What waits in the guild is held back.
    Pause,
    /// It goes on.
    Resume,
}

impl QueueAct {
    pub(super) const ALL: [(Self, &'static str); 5] =
        [(Self::Show, "show"), (Self::Cancel, "cancel"), (Self::CancelAll, "cancel-all"), (Self::Pause, "pause"), (Self::Resume, "resume")];

    pub(super) fn word(self) -> &'static str {
        Self::ALL.iter().find(|(one, _)| *one == self).map_or("", |(_, word)| word)
    }

    pub(super) fn read(word: &str) -> Result<Self, UnknownButton> {
        Self::ALL.iter().find(|(_, known)| *known == word).map(|(one, _)| *one).ok_or(UnknownButton)
    }
}

/// Whose choices a panel changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The presser's.
    Mine,
    /// The guild's.
    Guild,
}

impl Whose {
    pub(super) const ALL: [Self; 2] = [Self::Mine, Self::Guild];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Mine => "mine",
            Self::Guild => "guild",
        }
    }

    pub(super) fn read(word: &str) -> Result<Self, UnknownButton> {
        Self::ALL.into_iter().find(|one| one.word() == word).ok_or(UnknownButton)
    }
}

/// What a panel changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// Nothing: it is shown.
    Open,
    /// What draws.
    Model,
    /// Width to height.
    Aspect,
    /// The sampler.
    Sampler,
    /// How much V changes.
    Variation,
    /// How jobs take their turns.
    Speed,
    /// Whether V and 🔄 open a form first.
    Remix,
    /// Whether answers are for their person alone.
    Private,
    /// All of it, to what it was at first.
    Reset,
}

impl Setting {
    pub(super) const ALL: [(Self, &'static str); 9] = [
        (Self::Open, "open"),
        (Self::Model, "model"),
        (Self::Aspect, "aspect"),
        (Self::Sampler, "sampler"),
        (Self::Variation, "variation"),
        (Self::Speed, "speed"),
        (Self::Remix, "remix"),
        (Self::Private, "private"),
        (Self::Reset, "reset"),
    ];

    pub(super) fn word(self) -> &'static str {
        Self::ALL.iter().find(|(one, _)| *one == self).map_or("", |(_, word)| word)
    }

    pub(super) fn read(word: &str) -> Result<Self, UnknownButton> {
        Self::ALL.iter().find(|(_, known)| *known == word).map(|(one, _)| *one).ok_or(UnknownButton)
    }
}

/// Whose jobs a history shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistoryScope {
    /// The caller's.
    Mine,
    /// The guild's.
    Everyone,
}

impl fmt::Display for HistoryScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mine => "mine",
            Self::Everyone => "everyone",
        })
    }
}

impl FromStr for HistoryScope {
    type Err = UnknownButton;

    fn from_str(text: &str) -> Result<Self, UnknownButton> {
        match text {
            "mine" => Ok(Self::Mine),
            "everyone" => Ok(Self::Everyone),
            _ => Err(UnknownButton),
        }
    }
}
