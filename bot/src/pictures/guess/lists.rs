//! The words that a picture is compared with.

use std::sync::Arc;

use anyhow::{bail, ensure};

/// Ours, which stand for all where the host has none.
const OURS: &str = include_str!("words.txt");
/// Fewer of a kind would give the same prompt twice.
const LEAST: usize = 4;
/// More take minutes to learn.
const MOST: usize = 5000;
/// Longest entry, in characters.
const LONGEST: usize = 100;

/// A kind of words. The order is that of [`KINDS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Medium,
    Subject,
    Style,
    Light,
    Colour,
}

/// All kinds, with their names in a file.
const KINDS: [(Kind, &str); 5] =
    [(Kind::Medium, "medium"), (Kind::Subject, "subject"), (Kind::Style, "style"), (Kind::Light, "light"), (Kind::Colour, "colour")];

/// Words of every kind, in the order of the kinds.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Lists([Vec<String>; 5]);

impl Lists {
    /// Ours.
    pub(super) fn ours() -> anyhow::Result<Self> {
        Self::parse(OURS)
    }

    /// Reads `[medium]`, `[subject]`, `[style]`, `[light]` and `[colour]`, each with a line an entry.
    ///
    /// # Errors
    /// One sentence: which line, or which list has too few.
    pub(super) fn parse(text: &str) -> anyhow::Result<Self> {
        let (mut lists, mut at) = (<[Vec<String>; 5]>::default(), None);
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(name) = line.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
                at = KINDS.iter().position(|(_, known)| *known == name);
                ensure!(at.is_some(), "line {number}: there is no list `{name}`; there are medium, subject, style, light and colour");
                continue;
            }
            let Some(list) = at.and_then(|at| lists.get_mut(at)) else {
                bail!("line {number}: it stands before any list, such as [medium]")
            };
            ensure!(line.chars().count() <= LONGEST, "line {number}: entries have at most {LONGEST} characters");
            list.push(line.to_owned());
        }
        for ((_, name), list) in KINDS.iter().zip(&lists) {
            ensure!(list.len() >= LEAST, "the list `{name}` has {} entries, and {LEAST} are the fewest", list.len());
        }
        let n: usize = lists.iter().map(Vec::len).sum();
        ensure!(n <= MOST, "the lists have {n} entries together, and {MOST} are the most");
        Ok(Self(lists))
    }

    /// Entries of all kinds.
    pub(super) fn n(&self) -> usize {
        self.0.iter().map(Vec::len).sum()
    }

    /// What is compared with pictures, kind after kind.
    pub(super) fn sentences(&self) -> Arc<[String]> {
        let of = |(kind, list): (Kind, &Vec<String>)| {
            let said = move |word: &String| match kind {
                Kind::Medium => word.clone(),
                Kind::Subject => format!("a picture of {word}"),
                Kind::Style | Kind::Light | Kind::Colour => format!("a picture, {word}"),
            };
            list.iter().map(said).collect::<Vec<_>>()
        };
        KINDS.iter().map(|(kind, _)| *kind).zip(&self.0).flat_map(of).collect()
    }

    /// Four prompts, no two alike: `fits` says for each sentence how well it fits.
    pub(super) fn prompts(&self, fits: &[f32]) -> [String; 4] {
        let mut rest = fits;
        let ranked = self.0.each_ref().map(|list| {
            let (own, others) = rest.split_at(list.len().min(rest.len()));
            rest = others;
            let mut ranked: Vec<(&String, f32)> = list.iter().zip(own.iter().copied()).collect();
            ranked.sort_by(|(_, a), (_, b)| b.total_cmp(a));
            ranked.into_iter().map(|(word, _)| word.as_str()).collect::<Vec<_>>()
        });
        // Which place of each kind's ranking a prompt takes. That of the style is another in each of them.
        const PLACES: [[usize; 5]; 4] = [[0, 0, 0, 0, 0], [1, 0, 1, 1, 1], [0, 1, 2, 0, 1], [1, 2, 3, 2, 2]];
        PLACES.map(|places| {
            let [medium, subject, style, light, colour] =
                std::array::from_fn(|kind| ranked[kind].get(places[kind]).copied().unwrap_or_default());
            format!("{medium} of {subject}, {style}, {light}, {colour}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_are_several_hundred_and_no_two_of_a_kind_are_alike() {
        let lists = Lists::ours().expect("they can be read");
        assert!((300..=500).contains(&lists.n()), "{}", lists.n());
        for list in &lists.0 {
            let unlike: std::collections::BTreeSet<_> = list.iter().collect();
            assert_eq!(unlike.len(), list.len());
            assert!(list.iter().all(|word| !word.contains(['{', '}', '_', '<', ':', '`']) && !word.contains("--")), "{list:?}");
        }
        assert_eq!(lists.sentences().len(), lists.n());
    }

    fn small() -> String {
        KINDS.map(|(_, name)| format!("[{name}]\n{}\n", [0, 1, 2, 3].map(|i| format!("{name} {i}")).join("\n"))).join("# a remark\n\n")
    }

    #[test]
    fn the_words_that_fit_best_come_first_and_each_prompt_is_another() {
        let lists = Lists::parse(&small()).expect("they can be read");
        assert_eq!(lists.sentences()[3..6], ["medium 3", "a picture of subject 0", "a picture of subject 1"].map(str::to_owned));
        // Of each kind the last fits best.
        let fits: Vec<f32> = (0..20).map(|i| (i % 4) as f32).collect();
        assert_eq!(
            lists.prompts(&fits),
            [
                "medium 3 of subject 3, style 3, light 3, colour 3",
                "medium 2 of subject 3, style 2, light 2, colour 2",
                "medium 3 of subject 2, style 1, light 3, colour 2",
                "medium 2 of subject 1, style 0, light 1, colour 1",
            ]
        );
    }

    #[test]
    fn what_is_wrong_with_lists_is_named() {
        for (text, expected) in [
            (small().replace("[light]", "[lights]"), "there is no list `lights`; there are medium, "),
            (format!("stray\n{}", small()), "line 1: it stands before any list"),
            (small().replace("colour 3\n", ""), "the list `colour` has 3 entries, and 4 are the fewest"),
            (small().replace("style 3", &"x".repeat(101)), "entries have at most 100 characters"),
            (format!("{}{}", small(), "more\n".repeat(5000)), "5000 are the most"),
        ] {
            let error = Lists::parse(&text).expect_err(expected).to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
