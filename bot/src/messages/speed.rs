//! How jobs take their turns, in words.

use storage::Tier;

use crate::answer::Answer;

/// A person's jobs take their turns in another way from now on.
pub fn speed(tier: Tier, is_relax_free: bool) -> Answer {
    let text = match (tier, is_relax_free) {
        (Tier::Fast, _) => "From now on your jobs here are fast. `--relax` in a prompt lets others go before that one; /relax goes back.",
        (Tier::Relax, true) => {
            "From now on your jobs here are relaxed: fast ones of others go before them, and they take nothing from your quota. `--fast` in a prompt \
             makes that one fast; /fast goes back."
        }
        (Tier::Relax, false) => {
            "From now on your jobs here are relaxed: fast ones of others go before them. `--fast` in a prompt makes that one fast; /fast goes back."
        }
    };
    Answer::text(text)
}

/// What a tier is called.
pub(super) fn named(tier: Tier) -> &'static str {
    match tier {
        Tier::Fast => "fast",
        Tier::Relax => "relaxed",
    }
}
