//! How a picture came from noise, in words.

use inference::task::Way;
use storage::JobId;

use super::{
    Heading,
    marks::{Deleting, delete_buttons},
    words::{escape, shorten},
};
use crate::answer::{Answer, Button, File};

/// What is told of a picture.
pub struct Explanation<'a> {
    /// How noisy it began and its steps, where that is known.
    pub noise: Option<(f64, usize)>,
    /// The words that are shown, and how many more there are; `None` where the network does not tell.
    pub words: Option<(Vec<String>, usize)>,
    /// How each of its pictures is guided.
    pub ways: &'a [Way],
    /// Which picture of its job was explained, from 0.
    pub picture: Option<u32>,
    /// Pixels along a side of one latent, where that is known.
    pub factor: Option<u32>,
}

/// The picture's steps, what its words did, and what guidance did.
pub fn explained(heading: &Heading, job: JobId, told: &Explanation<'_>, files: Vec<File>) -> Answer {
    let Explanation { noise, words, ways, picture, factor } = told;
    let number = picture.map_or_else(String::new, |index| format!("picture {} of ", index.saturating_add(1)));
    let n = match ways.len() {
        1 => "once".to_owned(),
        n => format!("{n} times from the same noise"),
    };
    let mut lines = vec![format!(
        "**How {number}{} came from noise** · <@{}>\n-# Drawn again {n} to be looked at, as a job that costs what it costs.",
        shorten(&escape(&heading.title), 200),
        heading.user
    )];
    match noise {
        Some((sigma, n_steps)) => {
            let side = factor.map_or_else(String::new, |side| format!(", a few numbers for each {side} × {side} pixels"));
            lines.push(format!(
                "**Steps.** **A** The forward process, as in training: the finished picture, with as much noise as the σ below says. **B** The reverse \
                 process: what was drawn, from pure noise (σ {sigma:.1}) through {n_steps} steps of the noise schedule to none. **C** What the network took \
                 for the clean picture at that step; the sampler goes a little of the way there. All of it happens in latent space{side}, and is decoded \
                 here to be seen."
            ));
        }
        None => lines.push("Its steps were not kept: the picture that tells them was left out.".to_owned()),
    }
    match words {
        Some((words, n_more)) => {
            let named: Vec<String> = (1..).zip(words).map(|(number, word)| format!("{number} {}", shorten(&escape(word), 24))).collect();
            let more = match n_more {
                0 => String::new(),
                1 => " (one more has no room)".to_owned(),
                n => format!(" ({n} more have no room)"),
            };
            lines.push(format!(
                "**Words.** Where the picture looked at each word through cross-attention, bright where most: {}{more}. It is the mean over all heads, \
                 layers and steps.",
                named.join(" · ")
            ));
        }
        None if noise.is_some() => lines.push(
            "**Words.** There is no map of them: this model's family has no cross-attention that tells one from another, or the prompt has several \
             parts that lie over each other."
                .to_owned(),
        ),
        None => {}
    }
    lines.push(match ways {
        [own, none, ..] => format!(
            "**Guidance.** Each step is predicted with the prompt and without it (or with the negative prompt), and goes on in the direction in which they \
             differ: {} is as if there were no guidance, {} is this picture's, and more follows the words harder{}.",
            none.guidance_scale,
            own.guidance_scale,
            if ways.iter().any(|way| !way.has_negative) { "; the last one is without the negative prompt" } else { "" }
        ),
        _ => "**Guidance.** This picture is drawn without guidance by a negative prompt, so there is nothing to compare.".to_owned(),
    });
    Answer { content: lines.join("\n"), files, buttons: explain_buttons(job, Deleting::No), ..Answer::default() }
}

/// The buttons under it.
pub fn explain_buttons(job: JobId, deleting: Deleting) -> Vec<Vec<Button>> {
    vec![delete_buttons(job, deleting)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::Made;

    #[test]
    fn the_longest_explanation_fits_and_none_acts_as_markdown() {
        let heading = Heading {
            title: "*_".repeat(3000),
            made: Made::Drawn,
            parameters: "--seed 7".repeat(200),
            user: u64::MAX,
            notes: Vec::new(),
            is_relaxed: true,
        };
        let way = |guidance_scale, has_negative| Way { guidance_scale, has_negative };
        let ways = [way(27.123_456, true), way(1.0, true), way(30.0, true), way(27.123_456, false)];
        for words in [None, Some((vec!["`*@everyone".repeat(9); 11], 900))] {
            for (noise, ways) in [(Some((14.6, 1000)), &ways[..]), (Some((1.0, 1)), &ways[..1]), (None, &ways[1..])] {
                let told = Explanation { noise, words: words.clone(), ways, picture: Some(15), factor: Some(8) };
                let answer = explained(&heading, JobId::new(), &told, Vec::new());
                assert!(answer.content.chars().count() <= 1900, "{}", answer.content.chars().count());
                assert!(!answer.content.contains("`*") && answer.content.contains("**Guidance.**"), "{}", answer.content);
            }
        }
    }
}
