//! Buttons.

use storage::JobId;

use crate::{
    answer::{Button, Label, Style},
    buttons::custom_id::ButtonAction,
};

pub(super) fn text_button(label: &str, action: ButtonAction) -> Button {
    Button { custom_id: action.to_string(), label: Label::Text(label.to_owned()), style: Style::Secondary, is_disabled: false }
}

pub(super) fn emoji_button(emoji: &'static str, action: ButtonAction) -> Button {
    Button { custom_id: action.to_string(), label: Label::Emoji(emoji), style: Style::Secondary, is_disabled: false }
}

/// An emoji with words.
pub(super) fn named_button(emoji: &'static str, label: &'static str, action: ButtonAction) -> Button {
    Button { custom_id: action.to_string(), label: Label::Both(emoji, label), style: Style::Secondary, is_disabled: false }
}

/// Opens a form with what a job was drawn from.
pub fn remix_button(job: JobId) -> Button {
    named_button("✏️", "Remix", ButtonAction::Remix { job })
}
