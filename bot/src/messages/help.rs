//! `/help`, in words.

use super::{parts::text_button, tour::tour_button, words::shorten};
use crate::{answer::Answer, buttons::custom_id::ButtonAction};

/// Longest label of a button that is read at a glance.
const MAX_LABEL: usize = 40;

/// What there is, in short, with prompts that a press draws.
pub fn help(examples: &[String]) -> Answer {
    let first = examples.first().map_or("a frog", String::as_str);
    let content = "**I draw what you describe**, such as `/imagine FIRST`; parameters may follow: `--ar 3:2 --no text --seed 7`.\n\
        • Under the four pictures: **U** makes one larger, **V** varies it, 🔄 draws others, ✏️ opens what was typed.\n\
        • `/settings` what you draw with, `/model` and `/lora` what there is, `/style` and `/prefer` words of your own.\n\
        • `/queue` what waits, `/history` and `/show` what was drawn, `/quota` what is left, `/info` how I am.\n\
        • `/private` for yourself alone, `/public` for all; a message's menu under *Apps* does the same with any picture.\n\
        Press one, and I draw it here:";
    let button = |(index, line): (u32, &String)| text_button(&shorten(line, MAX_LABEL), ButtonAction::Example { index });
    // A row each: on a telephone several do not stand side by side.
    let mut buttons: Vec<_> = (0..).zip(examples).take(4).map(|example| vec![button(example)]).collect();
    buttons.push(vec![tour_button()]);
    Answer { buttons, ..Answer::text(content.replace("FIRST", first)) }
}
