//! What the words of a prompt do, and shorter ones.

use storage::JobId;

use super::{
    Heading,
    marks::{Deleting, delete_buttons},
    parts::text_button,
    words::{escape, shorten},
};
use crate::{
    answer::{Answer, Button},
    buttons::custom_id::{ButtonAction, PictureAction},
    jobs::shorten::{pieces, shorter_prompts},
};

/// Characters of the prompt that are shown with its words marked.
const MAX_MARKED: usize = 700;
/// Characters of each shorter prompt that are shown.
const MAX_SHOWN: usize = 150;
/// Words with so many times the usual effect are bold.
const STRONG: f64 = 1.3;
/// Words with so much of the usual effect at most are struck out.
const WEAK: f64 = 0.6;

/// What the words of a job's prompt do; `None` for the effects where they cannot be told any more.
pub fn shortened(heading: &Heading, job: JobId, prompt: &str, effects: Option<&[f64]>) -> Answer {
    let Some(effects) = effects else {
        let content = format!("{}\nSome of the pictures that tell what its words do are gone: please ask for it again.", heading.line());
        return Answer { content, buttons: vec![delete_buttons(job, Deleting::No)], ..Answer::default() };
    };
    let numbered = (1..).zip(shorter_prompts(prompt, effects));
    let shorter: Vec<_> = numbered.map(|(number, prompt)| format!("{number}. {}", shorten(&escape(&prompt), MAX_SHOWN))).collect();
    let content = format!(
        "**What each word does** · <@{}>\n{}\n{}\n-# Drawn once with all of them, and once without each (in long prompts, without a few together), from the \
         same noise for a few steps. Bold are those without which the picture differs most, struck out those without which it hardly does. A number draws \
         that prompt.",
        heading.user,
        marked(prompt, effects),
        shorter.join("\n")
    );
    Answer { content, buttons: shortened_buttons(job, shorter.len() as u32, Deleting::No), ..Answer::default() }
}

/// The buttons under it: one for each shorter prompt.
pub fn shortened_buttons(job: JobId, n_shorter: u32, deleting: Deleting) -> Vec<Vec<Button>> {
    let number = |index: u32| text_button(&(index + 1).to_string(), ButtonAction::Picture { action: PictureAction::Shorter, job, index });
    let rows = [(0..n_shorter).map(number).collect(), delete_buttons(job, deleting)];
    rows.into_iter().filter(|row: &Vec<Button>| !row.is_empty()).collect()
}

/// The prompt with its words as strong as they are.
fn marked(prompt: &str, effects: &[f64]) -> String {
    let usual = 1.0 / effects.len().max(1) as f64;
    let (mut text, mut place) = (String::new(), 0);
    for (piece, effect) in pieces(prompt).into_iter().zip(effects) {
        let mark = match effect / usual {
            much if much >= STRONG => "**",
            little if little <= WEAK => "~~",
            _ => "",
        };
        for word in piece {
            let shown = format!("{}{mark}{}{mark}", escape(&prompt[place..word.start]), escape(&prompt[word.clone()]));
            // A mark is never cut in two.
            if text.chars().count() + shown.chars().count() > MAX_MARKED {
                return format!("{text} …");
            }
            text.push_str(&shown);
            place = word.end;
        }
    }
    let rest = escape(&prompt[place..]);
    format!("{text}{}", shorten(&rest, MAX_MARKED.saturating_sub(text.chars().count()).max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::Made;

    fn heading() -> Heading {
        Heading {
            title: "a frog".into(),
            made: Made::Drawn,
            parameters: String::new(),
            user: u64::MAX,
            notes: Vec::new(),
            is_relaxed: false,
        }
    }

    #[test]
    fn words_are_as_strong_as_they_are() {
        assert_eq!(marked("a (red:1.2) *frog*, ink", &[0.05, 0.25, 0.5, 0.2]), r"~~a~~ (red:1.2) \***frog**\*, ink");
    }

    #[test]
    fn the_longest_prompt_fits_and_nothing_of_it_acts_as_markdown() {
        for prompt in ["*_`@everyone ".repeat(400), "w".repeat(5000), "(w) ".repeat(1500), "a b".into()] {
            let n = pieces(&prompt).len();
            let effects: Vec<f64> = (0..n).map(|place| if place % 2 == 0 { 2.0 / n as f64 } else { 0.0 }).collect();
            let answer = shortened(&heading(), JobId::new(), &prompt, Some(&effects));
            assert!(answer.content.chars().count() <= 2000, "{}", answer.content.chars().count());
            assert!(answer.buttons.len() <= 2 && answer.buttons.iter().all(|row| (1..=5).contains(&row.len())));
        }
        assert!(shortened(&heading(), JobId::new(), "a frog", None).content.contains("ask for it again"));
    }
}
