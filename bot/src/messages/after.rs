//! The buttons under one picture: what else is made of it.

use storage::JobId;

use super::{
    parts::{emoji_button, text_button},
    words::{escape, shorten},
};
use crate::{
    answer::{Answer, Button, File, Menu, MenuEntry},
    buttons::custom_id::ButtonAction,
    jobs::after::After,
    pictures::canvas::{Cells, Side},
};

/// What stands on a button.
pub(super) fn label(after: After) -> &'static str {
    match after {
        After::VarySubtle => "Vary (Subtle)",
        After::VaryStrong => "Vary (Strong)",
        After::UpscaleSubtle => "Upscale 2x (Subtle)",
        After::UpscaleCreative => "Upscale 2x (Creative)",
        After::UpscaleFour => "Upscale 4x",
        After::ZoomHalf => "Zoom Out 1.5x",
        After::ZoomTwice => "Zoom Out 2x",
        After::Zoom => "Custom Zoom",
        After::Region => "Vary (Region)",
        After::Square => "Make Square",
        After::Pan(Side::Left) => "⬅️",
        After::Pan(Side::Right) => "➡️",
        After::Pan(Side::Up) => "⬆️",
        After::Pan(Side::Down) => "⬇️",
    }
}

/// What was done with a picture, before its name.
pub(super) fn made(after: After) -> &'static str {
    match after {
        After::VarySubtle => "Subtle variation of",
        After::VaryStrong => "Strong variation of",
        After::UpscaleSubtle => "Subtle upscale (2×) of",
        After::UpscaleCreative => "Creative upscale (2×) of",
        After::UpscaleFour => "Upscale (4×) of",
        After::ZoomHalf => "Zoom out (1.5×) of",
        After::ZoomTwice => "Zoom out (2×) of",
        After::Zoom => "Zoom out of",
        After::Region => "Region variation of",
        After::Square => "Square of",
        After::Pan(Side::Left) => "Pan left of",
        After::Pan(Side::Right) => "Pan right of",
        After::Pan(Side::Up) => "Pan up of",
        After::Pan(Side::Down) => "Pan down of",
    }
}

/// The rows under an enlarged picture, which is the only one of its job: larger ones, others like it, what lies around it, what lies beside it.
pub(super) fn rows(job: JobId, larger: Option<Button>, others: Vec<Button>, is_square: bool) -> Vec<Vec<Button>> {
    let button = |after: After| {
        let action = ButtonAction::After { job, index: 0, after };
        if let After::Pan(_) = after { emoji_button(label(after), action) } else { text_button(label(after), action) }
    };
    let row = |all: &[After]| all.iter().copied().map(button).collect::<Vec<_>>();
    let upscales = row(&[After::UpscaleSubtle, After::UpscaleCreative, After::UpscaleFour]).into_iter().chain(larger).collect();
    let varied = row(&[After::VarySubtle, After::VaryStrong, After::Region]).into_iter().chain(others).collect();
    let mut zooms = row(&[After::ZoomHalf, After::ZoomTwice, After::Zoom]);
    zooms.extend((!is_square).then(|| button(After::Square)));
    vec![upscales, varied, zooms, row(&Side::ALL.map(After::Pan))]
}

/// Says what the picture with the cells shows.
pub const CELLS: &str = "The picture under five columns, A to E, and five rows, 1 to 5";

/// The picture under letters, and a menu of its cells.
pub fn cells((job, index): (JobId, u32), prompt: &str, file: File) -> Answer {
    let entry = |name: String| MenuEntry { value: name.clone(), label: name, about: String::new(), is_chosen: false };
    let entries: Vec<_> = Cells::names().map(entry).collect();
    let most = entries.len() as u8;
    let custom_id = ButtonAction::Cells { job, index }.to_string();
    Answer {
        content: format!(
            "Which parts of **{}** shall be drawn anew? Choose their letters; then a form opens for the words.",
            shorten(&escape(prompt), 900)
        ),
        files: vec![file],
        menus: vec![Menu { custom_id, hint: "Parts to draw anew".into(), entries, most }],
        ..Answer::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Label;

    #[test]
    fn every_one_has_a_button_where_it_makes_sense() {
        for is_square in [false, true] {
            let rows = rows(JobId::new(), None, Vec::new(), is_square);
            assert!(rows.len() == 4 && rows.iter().all(|row| (1..=5).contains(&row.len())), "{rows:?}");
            let found: Vec<ButtonAction> = rows.iter().flatten().filter_map(|button| button.custom_id.parse().ok()).collect();
            for after in After::ALL {
                let is_there = found.iter().any(|action| matches!(action, ButtonAction::After { after: found, .. } if *found == after));
                assert_eq!(is_there, after != After::Square || !is_square, "{after:?}");
            }
            let is_named =
                |button: &Button| matches!(&button.label, Label::Text(text) if text.is_ascii()) || matches!(button.label, Label::Emoji(_));
            assert!(rows.iter().flatten().all(is_named), "{rows:?}");
        }
    }
}
