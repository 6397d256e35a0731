//! Buttons of rules and privacy, as they stand in a `custom_id`: `action:subject:number`.

use std::fmt;

use storage::AppealId;

/// What a press asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyAction {
    /// Ask the moderators to let a line through.
    Ask(AppealId),
    /// Let it through.
    Approve(AppealId),
    /// Do not.
    Deny(AppealId),
    /// Another page of the book.
    Audit {
        /// That of all places, or this guild's.
        is_everywhere: bool,
        /// Which page, from 0.
        page: u32,
    },
    /// Delete everything that is kept of the presser.
    Erase,
    /// Delete nothing after all.
    KeepAll,
}

impl PolicyAction {
    /// Reads the parts of an id; `None` for another one.
    pub fn read(action: &str, subject: &str, number: u32) -> Option<Self> {
        let appeal = || subject.parse::<AppealId>().ok();
        match (action, subject, number) {
            ("appeal", _, 0) => appeal().map(Self::Ask),
            ("approve", _, 0) => appeal().map(Self::Approve),
            ("deny", _, 0) => appeal().map(Self::Deny),
            ("audit", "here", page) => Some(Self::Audit { is_everywhere: false, page }),
            ("audit", "everywhere", page) => Some(Self::Audit { is_everywhere: true, page }),
            ("erase", "all", 0) => Some(Self::Erase),
            ("erase", "none", 0) => Some(Self::KeepAll),
            _ => None,
        }
    }
}

impl fmt::Display for PolicyAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ask(appeal) => write!(f, "appeal:{appeal}:0"),
            Self::Approve(appeal) => write!(f, "approve:{appeal}:0"),
            Self::Deny(appeal) => write!(f, "deny:{appeal}:0"),
            Self::Audit { is_everywhere: false, page } => write!(f, "audit:here:{page}"),
            Self::Audit { is_everywhere: true, page } => write!(f, "audit:everywhere:{page}"),
            Self::Erase => f.write_str("erase:all:0"),
            Self::KeepAll => f.write_str("erase:none:0"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_is_read_back() {
        let appeal = AppealId::new();
        for action in [
            PolicyAction::Ask(appeal),
            PolicyAction::Approve(appeal),
            PolicyAction::Deny(appeal),
            PolicyAction::Audit { is_everywhere: false, page: 7 },
            PolicyAction::Audit { is_everywhere: true, page: u32::MAX },
            PolicyAction::Erase,
            PolicyAction::KeepAll,
        ] {
            let text = action.to_string();
            let parts: Vec<&str> = text.split(':').collect();
            let [word, subject, number] = parts[..] else { panic!("{text}") };
            assert_eq!(PolicyAction::read(word, subject, number.parse().expect("a number")), Some(action), "{text}");
        }
        assert_eq!(PolicyAction::read("erase", "all", 1), None);
        assert_eq!(PolicyAction::read("approve", "nobody", 0), None);
    }
}
