//! A finished job with its buttons.

use std::time::Duration;

use storage::JobId;

use super::{
    Heading,
    parts::{emoji_button, text_button},
    words::duration,
};
use crate::{
    answer::{Answer, File},
    buttons::custom_id::ButtonAction,
};

/// A finished grid with its buttons.
pub fn grid(heading: &Heading, job: JobId, n_images: u32, seconds: Option<f64>, file: File) -> Answer {
    let took =
        seconds.map(|seconds| format!("-# Finished after {}", duration(Duration::from_secs_f64(seconds.max(0.0))))).unwrap_or_default();
    let row = |letter: char, action: fn(JobId, u32) -> ButtonAction| {
        (0..n_images).map(|index| text_button(&format!("{letter}{}", index + 1), action(job, index))).collect::<Vec<_>>()
    };
    let mut upscales = row('U', |job, index| ButtonAction::Upscale { job, index });
    upscales.push(emoji_button("🔄", ButtonAction::Reroll { job }));
    let mut variations = row('V', |job, index| ButtonAction::Variation { job, index });
    variations.push(emoji_button("❌", ButtonAction::Delete { job }));
    Answer {
        content: format!("{}\n{took}{}", heading.line(), heading.told()),
        files: vec![file],
        buttons: vec![upscales, variations],
        ..Answer::default()
    }
}

/// One picture at its full size.
pub fn picture(heading: &Heading, job: JobId, size: (u32, u32), file: File) -> Answer {
    let content = format!("{}\n-# {} × {} pixels{}", heading.line(), size.0, size.1, heading.told());
    Answer { content, files: vec![file], buttons: vec![vec![emoji_button("❌", ButtonAction::Delete { job })]], ..Answer::default() }
}

/// A finished job whose pictures Discord does not take.
pub fn not_taken(heading: &Heading) -> Answer {
    Answer::text(format!("{}\n-# Finished, but Discord did not take the pictures. They are in /history.", heading.line()))
}

/// Added to a message that could not be put where its job was asked for.
pub fn sent_here_instead(answer: &mut Answer) {
    answer.content.push_str("\n-# I could not post this where you asked for it, so here it is.");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_of_one_picture_has_one_of_each_button() {
        let heading = Heading { title: "a frog".into(), parameters: "--seed 7".into(), user: 1, notes: Vec::new() };
        let file = File { name: "grid.png".into(), bytes: Vec::new(), description: String::new() };
        let answer = grid(&heading, JobId::new(), 1, None, file);
        assert_eq!(answer.buttons.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2]);
    }
}
