//! Buttons.

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
