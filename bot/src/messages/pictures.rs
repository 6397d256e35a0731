//! A finished job with its buttons.

use std::time::Duration;

use storage::JobId;

use super::{
    Heading, Made, Source, after,
    marks::{self, Deleting},
    parts::{emoji_button, named_button, remix_button, text_button},
    words::{duration, escape, shorten},
};
use crate::{
    answer::{Answer, Button, File},
    buttons::custom_id::ButtonAction,
};

/// What a message shows.
#[derive(Clone, Copy, Debug)]
pub enum Shown<'a> {
    /// All pictures of a job.
    Grid(Drawn<'a>),
    /// One picture.
    Enlarged(Enlarged),
}

/// The pictures of a job.
#[derive(Clone, Copy, Debug)]
pub struct Drawn<'a> {
    /// Which ones: some may have been left out.
    pub indices: &'a [u32],
    /// The step at which they were handed out before their end, and all of their steps, where that is known.
    pub stopped: Option<(u32, u32)>,
}

/// One picture, enlarged.
#[derive(Clone, Copy, Debug)]
pub struct Enlarged {
    /// Its number in its grid, from 1; `None` where that is not known.
    pub number: Option<u32>,
    /// Its size in pixels.
    pub size: (u32, u32),
    /// Whether it can be enlarged once more.
    pub can_grow: bool,
}

/// The buttons of a message.
pub fn buttons(job: JobId, shown: Shown<'_>, deleting: Deleting) -> Vec<Vec<Button>> {
    let again = emoji_button("🔄", ButtonAction::Reroll { job });
    let (remix, download) = (remix_button(job), named_button("📥", "Download", ButtonAction::Files { job }));
    let mut rows = match shown {
        Shown::Grid(Drawn { indices, stopped }) => {
            let row = |letter: char, action: fn(JobId, u32) -> ButtonAction| {
                indices.iter().map(|&index| text_button(&format!("{letter}{}", index + 1), action(job, index))).collect::<Vec<_>>()
            };
            let mut upscales = row('U', |job, index| ButtonAction::Upscale { job, index });
            upscales.push(again);
            let mut variations = row('V', |job, index| ButtonAction::Variation { job, index });
            variations.extend(stopped.map(|_| named_button("▶️", "Continue", ButtonAction::Continue { job })));
            vec![upscales, variations]
        }
        Shown::Enlarged(Enlarged { number, size: (width, height), can_grow }) => {
            let variation = number.map_or("V".to_owned(), |number| format!("V{number}"));
            let variation = text_button(&variation, ButtonAction::Variation { job, index: 0 });
            let larger = can_grow.then(|| named_button("🔍", "Larger", ButtonAction::Upscale { job, index: 0 }));
            match number {
                Some(_) => after::rows(job, larger, vec![variation, again], width == height),
                None => vec![[variation, again].into_iter().chain(larger).collect()],
            }
        }
    };
    // In a row of their own: a slip beside 🔄 or V4 must not meet ❌, and the second press of two meets what keeps the pictures.
    match shown {
        Shown::Grid(Drawn { indices: [index], .. }) => rows.extend([vec![remix, download], marks::row(job, *index, deleting)]),
        Shown::Grid(_) => rows.push([remix, download].into_iter().chain(marks::delete_buttons(job, deleting)).collect()),
        Shown::Enlarged(_) => {
            rows[0].push(download);
            let zooms = rows.len().min(3) - 1;
            rows[zooms].push(remix);
            rows.push(marks::row(job, 0, deleting));
        }
    }
    rows
}

/// A finished grid with its buttons.
pub fn grid(heading: &Heading, job: JobId, drawn: Drawn<'_>, seconds: Option<f64>, file: File) -> Answer {
    let seconds = seconds.map(|seconds| duration(Duration::from_secs_f64(seconds.max(0.0))));
    let took = match (drawn.stopped, seconds) {
        (Some((done, total)), Some(seconds)) => format!("-# Stopped at step {done} of {total}, after {seconds}"),
        (Some((done, total)), None) => format!("-# Stopped at step {done} of {total}"),
        (None, Some(seconds)) => format!("-# Finished after {seconds}"),
        (None, None) => String::new(),
    };
    Answer {
        content: format!("{}\n{took}{}", heading.line(), heading.told()),
        files: vec![file],
        buttons: buttons(job, Shown::Grid(drawn), Deleting::No),
        ..Answer::default()
    }
}

/// One picture at its full size, and where it comes from.
pub fn picture(heading: &Heading, job: JobId, enlarged: Enlarged, file: File) -> Answer {
    let (width, height) = enlarged.size;
    let from = match &heading.made {
        Made::Enlarged(Some(Source { link: Some(link), .. })) => format!(" · enlarged from [this grid]({link})"),
        _ => String::new(),
    };
    let content = format!("{}\n-# {width} × {height} pixels{from}{}", heading.line(), heading.told());
    Answer { content, files: vec![file], buttons: buttons(job, Shown::Enlarged(enlarged), Deleting::No), ..Answer::default() }
}

/// A finished job's pictures as files, for whoever asked.
pub fn files(title: &str, files: Vec<File>) -> Answer {
    let what = if files.len() == 1 { "The picture's file" } else { "The pictures' files" };
    Answer { content: format!("{what}, as drawn: **{}**", shorten(&escape(title), 900)), files, ..Answer::default() }
}

/// Where the ending of a job is when Discord does not take it in its channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instead {
    /// In a direct message.
    Directly,
    /// In the history alone.
    History,
}

/// Stands in the channel for the ending of a job that Discord does not take there. It has none of the words that were typed: they may be why.
pub fn not_taken(user: u64, job: JobId, instead: Instead) -> Answer {
    let where_it_is = match instead {
        Instead::Directly => "so I send it to you directly",
        Instead::History => "and I cannot send it to you directly. It is in /history",
    };
    Answer {
        content: format!("<@{user}>\n-# This is finished, but Discord does not take its words or pictures here, {where_it_is}."),
        buttons: vec![vec![emoji_button("🔄", ButtonAction::Reroll { job }), remix_button(job)]],
        ..Answer::default()
    }
}

/// Added to a message that could not be put where its job was asked for.
pub fn sent_here_instead(answer: &mut Answer) {
    answer.content.push_str("\n-# I could not post this where you asked for it, so here it is.");
}

/// Added to the message of a job that is for its person alone, when it is sent to them directly.
pub fn sent_privately(answer: &mut Answer) {
    answer.content.push_str("\n-# You asked for this where only you see it, and that took longer than Discord keeps such answers open.");
}

/// Added to a grid in which pictures are missing because they were lost, by their numbers from 0.
pub fn tell_lost(answer: &mut Answer, lost: &[u32]) {
    let numbers: Vec<String> = lost.iter().map(|index| index.saturating_add(1).to_string()).collect();
    let told = match numbers.as_slice() {
        [] => return,
        [one] => format!("Picture {one} was lost before I could show it, and costs nothing."),
        [all @ .., last] => format!("Pictures {} and {last} were lost before I could show them, and cost nothing.", all.join(", ")),
    };
    answer.content.push_str("\n-# ");
    answer.content.push_str(&told);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Label;

    #[test]
    fn a_grid_of_one_picture_has_one_of_each_button() {
        let heading = Heading {
            title: "a frog".into(),
            made: Made::Drawn,
            parameters: "--seed 7".into(),
            user: 1,
            notes: Vec::new(),
            is_relaxed: false,
        };
        let file = File { name: "grid.png".into(), bytes: Vec::new(), description: String::new() };
        let answer = grid(&heading, JobId::new(), Drawn { indices: &[0], stopped: None }, None, file);
        assert_eq!(answer.buttons.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1, 2, 4]);
    }

    /// What is seen of a button first.
    fn seen(button: &Button) -> &str {
        match &button.label {
            Label::Text(text) => text,
            Label::Emoji(emoji) | Label::Both(emoji, _) => emoji,
        }
    }

    #[test]
    fn no_two_buttons_of_a_message_look_alike() {
        let enlarged = |number, can_grow, size| Shown::Enlarged(Enlarged { number, size, can_grow });
        let all = Drawn { indices: &[0, 1, 2, 3], stopped: Some((4, 12)) };
        for shown in [
            Shown::Grid(all),
            Shown::Grid(Drawn { indices: &[2], stopped: None }),
            enlarged(Some(2), true, (64, 48)),
            enlarged(Some(2), false, (64, 64)),
            enlarged(None, true, (64, 48)),
        ] {
            for deleting in [Deleting::No, Deleting::Asks] {
                let buttons: Vec<_> = buttons(JobId::new(), shown, deleting).into_iter().flatten().collect();
                for (place, button) in buttons.iter().enumerate() {
                    let is_like = |other: &&Button| seen(other) == seen(button);
                    assert_eq!(buttons[place + 1..].iter().find(is_like), None, "{buttons:?}");
                }
            }
        }
    }

    #[test]
    fn lost_pictures_are_told_by_their_numbers() {
        let check = |lost: &[u32], expected: &str| {
            let mut answer = Answer::text("**a frog**");
            tell_lost(&mut answer, lost);
            assert_eq!(answer.content, format!("**a frog**{expected}"));
        };
        check(&[], "");
        check(&[1], "\n-# Picture 2 was lost before I could show it, and costs nothing.");
        check(&[0, 3], "\n-# Pictures 1 and 4 were lost before I could show them, and cost nothing.");
        check(&[0, 1, 3], "\n-# Pictures 1, 2 and 4 were lost before I could show them, and cost nothing.");
    }

    #[test]
    fn pictures_that_were_left_out_keep_their_numbers() {
        let rows = buttons(JobId::new(), Shown::Grid(Drawn { indices: &[0, 2, 3], stopped: None }), Deleting::No);
        let label = |button: &Button| match &button.label {
            Label::Text(text) => text.clone(),
            Label::Emoji(emoji) | Label::Both(emoji, _) => (*emoji).to_owned(),
        };
        let labels: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(label).collect()).collect();
        assert_eq!(labels[..2], [vec!["U1", "U3", "U4", "🔄"], vec!["V1", "V3", "V4"]]);
    }
}
