//! `/model` and `/lora`: what can be drawn with, in words.

use super::{
    parts::text_button,
    words::{escape, shorten},
};
use crate::{
    answer::{Answer, File, Menu, MenuEntry},
    buttons::custom_id::{ButtonAction, NameHash, Picker},
};

/// In place of the name of what was shown and is gone.
pub const WHAT_WAS_SHOWN: &str = "What was shown";
/// Words that bring an adapter out which are shown.
const MAX_WORDS: usize = 20;

/// One entry of a picker.
pub struct Picked {
    /// Its name.
    pub name: String,
    /// What it is and can do.
    pub facts: Vec<String>,
    /// Words that its maker says bring it out.
    pub trigger_words: Vec<String>,
    /// A picture that was drawn with it.
    pub sample: Option<File>,
}

/// What a picker shows.
pub struct PickerPage {
    /// What it picks.
    pub picker: Picker,
    /// The page's names, each with a word about it.
    pub entries: Vec<(String, String)>,
    /// How many there are on all pages.
    pub n: usize,
    /// Which page, from 0, of how many.
    pub page: (u32, u32),
    /// The entry that was chosen.
    pub picked: Option<Picked>,
    /// The default that holds for the person here.
    pub default: Option<String>,
    /// Whether they may choose for the channel.
    pub is_manager: bool,
}

/// A page of a picker.
pub fn picker(shown: PickerPage) -> Answer {
    let PickerPage { picker, entries, n, page: (page, n_pages), picked, default, is_manager } = shown;
    let (one, many) = match picker {
        Picker::Model => ("model", "models"),
        Picker::Lora => ("LoRA", "LoRAs"),
    };
    if n == 0 {
        return Answer::text(format!("There are no {many} here. The person who runs me can add some."));
    }
    let mut lines = Vec::new();
    let mut buttons = Vec::new();
    let mut files = Vec::new();
    match picked {
        None => {
            let count = if n == 1 { format!("There is one {one}.") } else { format!("There are {n} {many}.") };
            lines.push(format!("**{count}** Choose one in the menu to see what it does."));
            lines.extend(default.as_ref().map(|name| format!("-# Your default here is `{}`.", code(name))));
        }
        Some(Picked { name, facts, trigger_words, sample }) => {
            let is_default = default.as_ref() == Some(&name);
            lines.push(format!("**{}**{}", escape(&name), if is_default { " · your default here" } else { "" }));
            lines.extend(facts.iter().map(|fact| format!("• {fact}")));
            if !trigger_words.is_empty() {
                let words: Vec<String> = trigger_words.iter().take(MAX_WORDS).map(|word| format!("`{}`", code(word))).collect();
                lines.push(format!("• words that bring it out: {}", words.join(", ")));
            }
            lines.push(match picker {
                Picker::Model => format!("-# `--model {}` in a prompt draws with it.", quoted(&name)),
                Picker::Lora => format!("-# `<lora:{}:0.8>` in a prompt draws with it; the number says how strongly.", code(&name)),
            });
            let hash = NameHash::of(&name);
            let label = if is_default { "No default of mine" } else { "Use as my default" };
            buttons.push(text_button(label, ButtonAction::UseAsDefault { picker, name: hash }));
            if is_manager {
                buttons.push(text_button("Default in this channel", ButtonAction::UseInChannel { picker, name: hash }));
            }
            files.extend(sample);
        }
    }
    if n_pages > 1 {
        let turned = |page| ButtonAction::Picker { picker, page };
        lines.push(format!("-# Page {} of {n_pages}", page + 1));
        if page > 0 {
            buttons.push(text_button("◀", turned(page - 1)));
        }
        if page + 1 < n_pages {
            buttons.push(text_button("▶", turned(page + 1)));
        }
    }
    let entry = |(name, about): (String, String)| MenuEntry {
        label: shorten(&crate::system::printable::printable(&name), 100),
        about: shorten(&about, 100),
        value: name,
        is_chosen: false,
    };
    let menu = Menu {
        most: 1,
        custom_id: ButtonAction::Pick { picker, page }.to_string(),
        hint: format!("Which {one}?"),
        entries: entries.into_iter().map(entry).collect(),
    };
    let buttons = if buttons.is_empty() { Vec::new() } else { vec![buttons] };
    Answer { menus: vec![menu], buttons, files, ..Answer::text(shorten(&lines.join("\n"), 2000)) }
}

fn code(text: &str) -> String {
    crate::system::printable::printable(text).replace('`', "'")
}

/// A name as it stands behind a parameter.
fn quoted(name: &str) -> String {
    let name = code(name);
    if name.contains(' ') { format!("\"{name}\"") } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_fits_discord_whatever_it_lists() {
        for (n, page, n_pages) in [(0, 0, 1), (1, 0, 1), (25, 0, 1), (60, 1, 3)] {
            for is_picked in [false, true] {
                for picker_of in [Picker::Model, Picker::Lora] {
                    let name = "*".repeat(80);
                    let picked = Picked {
                        name: name.clone(),
                        facts: vec!["f".repeat(300); 4],
                        trigger_words: vec!["`w".repeat(40); 60],
                        sample: None,
                    };
                    let answer = picker(PickerPage {
                        picker: picker_of,
                        entries: (0..n.min(25)).map(|n| (format!("{n}{}", "x".repeat(70)), "y".repeat(200))).collect(),
                        n,
                        page: (page, n_pages),
                        picked: Some(picked).filter(|_| is_picked),
                        default: Some(name),
                        is_manager: true,
                    });
                    assert!(answer.content.chars().count() <= 2000, "{n}");
                    assert!(answer.menus.iter().all(|menu| (1..=25).contains(&menu.entries.len())), "{n}");
                    let ids = answer.buttons.iter().flatten().map(|button| button.custom_id.clone());
                    let ids: Vec<String> = ids.chain(answer.menus.iter().map(|menu| menu.custom_id.clone())).collect();
                    let unique: std::collections::HashSet<_> = ids.iter().collect();
                    assert!(unique.len() == ids.len() && ids.iter().all(|id| id.len() <= 100), "{ids:?}");
                }
            }
        }
    }
}
