//! What a person may have meant by a name that nobody knows.

/// Shorter names are like too many others.
const SHORTEST: usize = 3;

/// The known name that somebody meant: one that begins with what was typed, or has the fewest slips of the finger, if they are at most a third
/// of the letters (or one). Of equals, the first.
pub(super) fn meant<'a>(known: impl IntoIterator<Item = &'a str> + Clone, typed: &str) -> Option<&'a str> {
    let typed = typed.trim().to_lowercase();
    let length = typed.chars().count();
    let begins = known.clone().into_iter().filter(|name| length >= 2 && name.to_lowercase().starts_with(&typed));
    begins.min_by_key(|name| name.chars().count()).or_else(|| slipped(known, &typed))
}

/// The known name with the fewest slips of the finger; short ones are never meant.
pub(super) fn slipped<'a>(known: impl IntoIterator<Item = &'a str>, typed: &str) -> Option<&'a str> {
    let length = typed.chars().count();
    if length < SHORTEST {
        return None;
    }
    let most = (length / 3).max(1);
    let long = known.into_iter().filter(|name| name.chars().count() >= SHORTEST);
    let slips = long.map(|name| (strsim::damerau_levenshtein(&name.to_lowercase(), typed), name));
    slips.filter(|(slips, _)| *slips <= most).min_by_key(|(slips, _)| *slips).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_meant_by_their_start_or_with_few_slips() {
        let known = ["euler_a", "euler", "heun", "no", "ddim"];
        for (typed, expected) in [
            ("eu", Some("euler")),
            ("EULER_", Some("euler_a")),
            ("eular", Some("euler")),
            ("huen", Some("heun")),
            ("e", None),
            ("n", None),
            ("np", None),
            ("not", None),
            ("restart", None),
            ("", None),
        ] {
            assert_eq!(meant(known, typed), expected, "{typed}");
        }
        assert_eq!(slipped(known, "eul"), None);
    }
}
