//! How a job takes its turns: what was said, else what the person chose, else as the job that it comes from.

use storage::{Job, Tier, UserId};

use crate::messages::UserError;

/// How a job shall take its turns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Speed {
    /// As the person chose for all of theirs.
    #[default]
    Usual,
    /// As the person chose, and where they did not, as the job of theirs that it comes from.
    As(Tier),
    /// As was said with it.
    Said(Tier),
}

impl Speed {
    /// Of what was typed.
    pub fn of(said: Option<Tier>) -> Self {
        said.map_or(Self::Usual, Self::Said)
    }

    /// Of a button under a job. Others' jobs say nothing of how the presser would wait.
    pub fn under(job: &Job, presser: UserId) -> Self {
        if job.user == presser { Self::As(job.tier) } else { Self::Usual }
    }

    /// The tier, where a person chose `chosen` for theirs and the guild offers `only` that one, if it offers one alone.
    ///
    /// # Errors
    /// What was said is not offered.
    pub fn tier(self, chosen: Option<Tier>, only: Option<Tier>) -> Result<Tier, UserError> {
        let wished = match self {
            Self::Said(tier) => match only.filter(|only| *only != tier) {
                Some(only) => return Err(UserError::SpeedNotOffered { only }),
                None => Some(tier),
            },
            Self::As(tier) => chosen.or(Some(tier)),
            Self::Usual => chosen,
        };
        Ok(only.or(wished).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_decides_and_a_guild_decides_above_it() {
        use Speed::{As, Said, Usual};
        use Tier::{Fast, Relax};
        for (speed, chosen, only, expected) in [
            (Usual, None, None, Some(Fast)),
            (Usual, Some(Relax), None, Some(Relax)),
            (As(Relax), None, None, Some(Relax)),
            (As(Relax), Some(Fast), None, Some(Fast)),
            (As(Fast), Some(Relax), None, Some(Relax)),
            (Said(Fast), Some(Relax), None, Some(Fast)),
            (Said(Relax), Some(Fast), None, Some(Relax)),
            (Usual, Some(Fast), Some(Relax), Some(Relax)),
            (As(Fast), None, Some(Relax), Some(Relax)),
            (Usual, None, Some(Fast), Some(Fast)),
            (Said(Relax), None, Some(Relax), Some(Relax)),
            (Said(Fast), Some(Fast), Some(Relax), None),
            (Said(Relax), None, Some(Fast), None),
        ] {
            assert_eq!(speed.tier(chosen, only).ok(), expected, "{speed:?} {chosen:?} {only:?}");
        }
    }
}
