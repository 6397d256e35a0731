//! Names by how well they fit what was typed, and lists of names for people.

/// All names, the best first: those that begin with what was typed, then those that hold it, then by the fewest slips of the finger.
pub fn ranked<'a>(names: impl IntoIterator<Item = &'a str>, typed: &str) -> Vec<&'a str> {
    let typed = typed.trim().to_lowercase();
    let mut ranked: Vec<_> = names
        .into_iter()
        .enumerate()
        .map(|(place, name)| {
            let lower = name.to_lowercase();
            let rank = match lower.find(&typed) {
                Some(0) => (0, 0),
                Some(_) => (1, 0),
                None => (2, strsim::damerau_levenshtein(&lower, &typed)),
            };
            (rank, place, name)
        })
        .collect();
    ranked.sort();
    ranked.into_iter().map(|(_, _, name)| name).collect()
}

/// Names as `a, b or c`.
pub fn name_list(names: &[&str]) -> String {
    joined(names, "or")
}

/// Names as `a, b and c`.
pub(super) fn and_list(names: &[&str]) -> String {
    joined(names, "and")
}

fn joined(names: &[&str], word: &str) -> String {
    match names {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [start @ .., last] => format!("{} {word} {last}", start.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_come_before_parts_and_parts_before_likenesses() {
        let names = ["inkwash", "dreamy", "pink", "ibk"];
        assert_eq!(ranked(names, "ink"), ["inkwash", "pink", "ibk", "dreamy"]);
        assert_eq!(ranked(names, " DREAM"), ["dreamy", "pink", "ibk", "inkwash"]);
        assert_eq!(ranked(names, ""), names);
    }
}
