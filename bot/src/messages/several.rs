//! Several grids of one line: asked before they are drawn.

use storage::DraftId;

use super::{
    parts::text_button,
    words::{escape, number, shorten},
};
use crate::{
    answer::{Answer, Button, Style},
    buttons::custom_id::ButtonAction,
    system::printable::printable,
};

/// Prompts that are shown.
const MAX_SHOWN: usize = 5;

/// Asks whether so many grids shall be drawn, which cost so many row-megapixels together.
pub fn several(prompts: &[&str], cost: f64, draft: DraftId) -> Answer {
    let n = prompts.len();
    let shown = prompts.iter().take(MAX_SHOWN).map(|prompt| format!("\n· {}", shorten(&escape(&printable(prompt)), 200)));
    let more = n.saturating_sub(MAX_SHOWN);
    let more = if more > 0 { format!("\n· and {more} more") } else { String::new() };
    let content = format!("Draw {n} grids? They cost about {} row-megapixels together.{}{more}", number(cost), shown.collect::<String>());
    Answer { content, buttons: vec![asking(n, draft)], ..Answer::default() }
}

fn asking(n: usize, draft: DraftId) -> Vec<Button> {
    let draw = Button { style: Style::Primary, ..text_button(&format!("Draw {n} grids"), ButtonAction::DrawAll { draft }) };
    vec![draw, text_button("Leave it", ButtonAction::LeaveAll { draft })]
}

/// What became of several grids: so many of them wait or are drawn, and why the others do not. The button for these stays.
pub fn queued_all(n_queued: usize, n: usize, refusal: Option<&str>, draft: DraftId) -> Answer {
    match refusal {
        None => Answer::text(format!("{n} grids are on their way.")),
        Some(reason) => Answer {
            content: format!("{n_queued} of {n} grids are on their way. {}", shorten(&printable(reason), super::MAX_REFUSAL)),
            buttons: vec![vec![
                text_button("Draw the rest", ButtonAction::DrawAll { draft }),
                text_button("Leave it", ButtonAction::LeaveAll { draft }),
            ]],
            ..Answer::default()
        },
    }
}

/// Nothing is drawn.
pub fn left() -> Answer {
    Answer::text("Nothing more is drawn.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_names_number_cost_and_prompts() {
        let draft = DraftId::new();
        let asked = several(&["a red fox", "a *blue* fox"], 12.34, draft);
        assert_eq!(asked.content, "Draw 2 grids? They cost about 12.3 row-megapixels together.\n· a red fox\n· a \\*blue\\* fox");
        let ids: Vec<_> = asked.buttons[0].iter().map(|button| button.custom_id.parse()).collect();
        assert_eq!(ids, [Ok(ButtonAction::DrawAll { draft }), Ok(ButtonAction::LeaveAll { draft })]);
        let long = "@x`".repeat(2000);
        let many = several(&[long.as_str(); 10], 1e6, draft);
        assert!(many.content.chars().count() <= 2000 && many.content.ends_with("and 5 more"), "{}", many.content.chars().count());
        assert!(queued_all(3, 10, Some(&long), draft).content.chars().count() <= 2000);
    }
}
