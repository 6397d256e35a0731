//! `/settings` as a panel: what holds for lines that do not say it, with menus that change it.

use storage::Tier;

use super::{parts::text_button, words::shorten};
use crate::{
    answer::{Answer, Button, Menu, MenuEntry, Style},
    buttons::custom_id::{ButtonAction, Setting, Whose},
    chosen::{Chosen, Variation},
};

/// Shapes that the panel offers.
pub const ASPECTS: [&str; 9] = ["1:1", "3:2", "2:3", "4:3", "3:4", "16:9", "9:16", "2:1", "21:9"];
/// Stands for the entry that chooses nothing.
pub const AS_USUAL: &str = "-";
/// Entries of a menu, with the one that chooses nothing.
const MAX_ENTRIES: usize = 25;

/// What a panel shows.
pub struct Panel<'a> {
    /// Whose choices it changes.
    pub whose: Whose,
    /// What they chose.
    pub own: &'a Chosen,
    /// What holds for the person who looks, with what channel and guild chose.
    pub here: &'a Chosen,
    /// The models that may be named, with a word about each.
    pub models: Vec<(String, String)>,
    /// The samplers, with a word about each.
    pub samplers: Vec<(String, String)>,
    /// How their jobs take their turns, where they chose it.
    pub tier: Option<Tier>,
    /// Whether they may change what holds for the guild.
    pub is_manager: bool,
    /// The guild's limits in words, in its own panel.
    pub limits: Option<String>,
}

/// The panel.
pub fn panel(panel: &Panel<'_>) -> Answer {
    let Panel { whose, own, here, .. } = panel;
    let mut lines = Vec::new();
    match whose {
        Whose::Mine => lines.push("**Your settings**: they hold for you in all places. What a prompt says stands before them.".to_owned()),
        Whose::Guild => lines.push(
            "**This server's settings**: they hold for everybody here who chose nothing else. Only people who manage it may change them."
                .to_owned(),
        ),
    }
    let model = here.model.as_deref().filter(|name| panel.models.iter().any(|(known, _)| known == name));
    if *whose == Whose::Mine {
        lines.push(format!("-# Here you draw with {}.", holding(here, model, panel.models.first().map(|(name, _)| name.as_str()))));
    }
    if let Some(gone) = own.model.as_deref().filter(|name| !panel.models.iter().any(|(known, _)| known == name)) {
        lines.push(format!("-# ⚠ The model `{}` that was chosen is not there any more; the usual one draws.", gone.replace('`', "'")));
    }
    if panel.models.len() >= MAX_ENTRIES {
        lines.push("-# There are more models than the menu holds: /model has all of them.".to_owned());
    }
    lines.extend(panel.limits.clone());
    Answer { menus: menus(panel), buttons: vec![buttons(panel)], ..Answer::text(lines.join("\n")) }
}

/// What holds, in a row of words.
fn holding(here: &Chosen, model: Option<&str>, usual: Option<&str>) -> String {
    let mut parts = vec![format!("`{}`", model.or(usual).unwrap_or("no model"))];
    parts.extend(here.aspect.map(|aspect| format!("the shape {aspect}")));
    parts.extend(here.sampler.map(|sampler| format!("the sampler {sampler}")));
    parts.extend(here.variation.map(|variation| format!("{} variations", variation.word())));
    if here.is_remix == Some(true) {
        parts.push("a form before V and 🔄".to_owned());
    }
    if here.is_private == Some(true) {
        parts.push("answers that you alone see".to_owned());
    }
    parts.join(", ")
}

fn menus(panel: &Panel<'_>) -> Vec<Menu> {
    let Panel { whose, own, .. } = panel;
    let menu = |setting, hint: &str, usual: &str, entries: Vec<(String, String)>, chosen: Option<String>| {
        let first = (AS_USUAL.to_owned(), usual.to_owned(), String::new());
        let all = [first].into_iter().chain(entries.into_iter().map(|(name, about)| (name.clone(), name, about)));
        let entry = |(value, label, about): (String, String, String)| MenuEntry {
            is_chosen: chosen.as_ref().map_or(value == AS_USUAL, |chosen| *chosen == value),
            label: shorten(&format!("{hint}: {label}"), 100),
            about: shorten(&about, 100),
            value,
        };
        Menu {
            most: 1,
            custom_id: ButtonAction::Panel { whose: *whose, setting }.to_string(),
            hint: hint.to_owned(),
            entries: all.take(MAX_ENTRIES).map(entry).collect(),
        }
    };
    let variations = [(Variation::Subtle, "little of the picture changes"), (Variation::Strong, "much of the picture changes")];
    let aspects = ASPECTS.map(|aspect| (aspect.to_owned(), String::new())).into();
    let variations = variations.map(|(variation, about)| (variation.word().to_owned(), about.to_owned())).into();
    vec![
        menu(Setting::Model, "Model", "the usual one here", panel.models.clone(), own.model.clone()),
        menu(Setting::Aspect, "Shape", "the model's own", aspects, own.aspect.map(|aspect| aspect.to_string())),
        menu(Setting::Sampler, "Sampler", "the model's own", panel.samplers.clone(), own.sampler.map(|sampler| sampler.to_string())),
        menu(Setting::Variation, "Variations", "as usual", variations, own.variation.map(|variation| variation.word().to_owned())),
    ]
}

fn buttons(panel: &Panel<'_>) -> Vec<Button> {
    let whose = panel.whose;
    let button = |label: &str, setting| text_button(label, ButtonAction::Panel { whose, setting });
    let switch = |label: &str, setting, is_on: bool| Button {
        style: if is_on { Style::Primary } else { Style::Secondary },
        ..button(&format!("{label}: {}", if is_on { "on" } else { "off" }), setting)
    };
    let mut row = Vec::new();
    if whose == Whose::Mine {
        let speed = if panel.tier == Some(Tier::Relax) { "🐢 Relaxed" } else { "🐇 Fast" };
        row.push(button(speed, Setting::Speed));
    }
    row.push(switch("Remix", Setting::Remix, panel.own.is_remix == Some(true)));
    row.push(switch("Private", Setting::Private, panel.own.is_private == Some(true)));
    row.push(button("Reset", Setting::Reset));
    let (other, label) = match whose {
        Whose::Mine => (Whose::Guild, "This server"),
        Whose::Guild => (Whose::Mine, "Mine"),
    };
    if panel.is_manager {
        row.push(text_button(label, ButtonAction::Panel { whose: other, setting: Setting::Open }));
    }
    row
}

/// Answers are for the person alone from now on, or for everybody.
pub fn privacy(is_private: bool) -> Answer {
    Answer::text(match is_private {
        true => {
            "From now on what you draw is for you alone: I answer where only you see it, and in direct messages where that takes too long. Nothing of it is posted \
             in a channel, and it is in nobody's /history but yours. /public goes back."
        }
        false => "From now on what you draw is posted where you ask for it, for everybody there. /private goes back.",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panel_fits_discord_however_many_models_there_are() {
        let own = Chosen { model: Some("gone".into()), is_remix: Some(true), ..Chosen::default() };
        for n_models in [0, 1, 24, 25, 300] {
            for (whose, is_manager) in [(Whose::Mine, false), (Whose::Mine, true), (Whose::Guild, true)] {
                let models = (0..n_models).map(|n| (format!("{n}{}", "x".repeat(75)), "y".repeat(300))).collect();
                let samplers = (0..19).map(|n| (format!("s{n}"), "z".repeat(300))).collect();
                let limits = Some("l".repeat(900)).filter(|_| whose == Whose::Guild);
                let answer = panel(&Panel { whose, own: &own, here: &own, models, samplers, tier: None, is_manager, limits });
                assert!(answer.content.chars().count() <= 2000);
                assert!(answer.content.contains("`gone` that was chosen is not there any more"), "{}", answer.content);
                assert!(answer.menus.len() + answer.buttons.len() <= 5 && answer.buttons.iter().all(|row| row.len() <= 5));
                for menu in &answer.menus {
                    assert!((1..=25).contains(&menu.entries.len()) && menu.custom_id.len() <= 100);
                    assert!(menu.entries.iter().filter(|entry| entry.is_chosen).count() <= 1, "{menu:?}");
                    for entry in &menu.entries {
                        assert!(
                            entry.label.chars().count() <= 100 && entry.about.chars().count() <= 100 && entry.value.chars().count() <= 100
                        );
                    }
                }
                let labels = format!("{:?}", answer.buttons);
                assert_eq!(labels.contains("This server"), whose == Whose::Mine && is_manager);
            }
        }
    }
}
