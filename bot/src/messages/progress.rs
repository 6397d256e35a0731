//! A job that has no pictures yet, and one that will have none.

use std::time::Duration;

use storage::JobId;

use super::{
    Heading,
    parts::{emoji_button, remix_button},
    words::{bar, duration, shorten},
};
use crate::{
    answer::{Answer, Button, File},
    buttons::custom_id::ButtonAction,
};

/// A job that waits.
pub fn queued(heading: &Heading, job: JobId, place: u32) -> Answer {
    let place = match place {
        1 => "next in line".to_owned(),
        n => format!("place {n} in the queue"),
    };
    Answer {
        content: format!("{}\n-# Queued: {place}{}", heading.line(), heading.told()),
        buttons: vec![vec![cancel_button(job)]],
        ..Answer::default()
    }
}

/// A job whose model is read into memory.
pub fn loading(heading: &Heading, job: JobId) -> Answer {
    Answer {
        content: format!("{}\n-# Loading the model…{}", heading.line(), heading.told()),
        buttons: vec![vec![cancel_button(job)]],
        ..Answer::default()
    }
}

/// A job that is being drawn; `preview` shows what is there.
pub fn drawing(heading: &Heading, job: JobId, done: u32, total: u32, left: Option<Duration>, preview: Option<Vec<u8>>) -> Answer {
    let percent = (done * 100).checked_div(total).unwrap_or(0);
    let left = left.map(|left| format!(" · {} left", duration(left))).unwrap_or_default();
    let content =
        format!("{}\n-# Drawing {} {percent} % · {done} of {total} steps{left}{}", heading.line(), bar(done, total), heading.told());
    let files = preview
        .map(|bytes| File {
            name: crate::grid::PREVIEW_FILE_NAME.into(),
            bytes,
            description: format!("Preview after {done} of {total} steps"),
        })
        .into_iter()
        .collect();
    Answer { content, files, buttons: vec![vec![cancel_button(job)]], ..Answer::default() }
}

/// A job that was asked to stop.
pub fn cancelling(heading: &Heading) -> Answer {
    Answer::text(format!("{}\n-# Cancelling …", heading.line()))
}

/// A job that was stopped.
pub fn cancelled(heading: &Heading, job: JobId) -> Answer {
    let content = format!("{}\n-# Cancelled. What was not computed costs nothing.", heading.line());
    Answer { content, buttons: vec![once_more(job)], ..Answer::default() }
}

/// A job that ended without a picture.
pub fn failed(heading: &Heading, job: JobId, error: &str) -> Answer {
    let content = format!("{}\n-# No picture this time; it costs nothing.\n{}", heading.line(), shorten(error, 300));
    Answer { content, buttons: vec![once_more(job)], ..Answer::default() }
}

fn once_more(job: JobId) -> Vec<Button> {
    vec![emoji_button("🔄", ButtonAction::Reroll { job }), remix_button(job)]
}

fn cancel_button(job: JobId) -> Button {
    emoji_button("❌", ButtonAction::Cancel { job })
}
