//! `/describe`, in words.

use storage::DraftId;

use super::{menu::parameters, parts::text_button};
use crate::{answer::Answer, buttons::custom_id::ButtonAction, system::printable::printable};

/// How a picture was made, as its file says it.
pub fn described(text: &str) -> Answer {
    let answer = parameters(text, None);
    Answer { content: format!("Its file says how it was made:\n{}", answer.content), ..answer }
}

/// Prompts that were guessed by looking at a picture, each with what draws it where it could be kept.
pub fn guessed(prompts: &[(String, Option<DraftId>)]) -> Answer {
    let mut content =
        "Its file does not say how it was made, so I looked at it and guessed: these words fit what it shows, as far as a CLIP \
                       can tell; they are not what it was drawn from. A number draws them:"
            .to_owned();
    let mut row = Vec::new();
    for (number, (prompt, draft)) in (1..).zip(prompts) {
        content.push_str(&format!("\n{number}. `{}`", printable(prompt).replace('`', "\u{2cb}")));
        row.extend(draft.map(|draft| text_button(&format!("{number}"), ButtonAction::DrawDraft { draft })));
    }
    let buttons = if row.is_empty() { Vec::new() } else { vec![row] };
    Answer { buttons, ..Answer::text(content) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guesses_are_told_as_such_and_fit_a_message() {
        let prompts = [0, 1, 2, 3].map(|_| ("x`".repeat(210), Some(DraftId::new())));
        let answer = guessed(&prompts);
        assert!(answer.content.contains("guessed") && answer.content.chars().count() <= 2000, "{}", answer.content);
        let pressed: Vec<_> = answer.buttons[0].iter().map(|button| button.custom_id.parse()).collect();
        assert_eq!(pressed, prompts.map(|(_, draft)| Ok(ButtonAction::DrawDraft { draft: draft.expect("kept") })));
        assert_eq!(guessed(&[("a fox".into(), None)]).buttons, Vec::<Vec<_>>::new());
    }
}
