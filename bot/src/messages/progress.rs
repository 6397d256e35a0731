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

/// Places in the queue that are told exactly; of a job behind them only that it is.
pub const N_PLACES: u32 = 50;
/// A wait that is shorter is not worth a number.
const SOON: Duration = Duration::from_secs(2);

/// A job that waits at a place, counted from 1, and for how long, where that is known.
pub fn queued(heading: &Heading, job: JobId, place: u32, wait: Option<Duration>) -> Answer {
    let place = match place {
        1 => "next in line".to_owned(),
        n if n > N_PLACES => format!("behind {N_PLACES} others or more"),
        n => format!("place {n} in the queue"),
    };
    let wait = match wait {
        None => String::new(),
        Some(wait) if wait < SOON => ", begins in a moment".to_owned(),
        Some(wait) => format!(", begins in about {}", duration(wait)),
    };
    Answer {
        content: format!("{}\n-# Queued: {place}{wait}{}", heading.line(), heading.told()),
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
    let left = left.map(|left| format!(" · {} left", duration(left))).unwrap_or_default();
    let content = format!("{}\n-# Drawing {} {done} of {total} steps{left}{}", heading.line(), bar(done, total), heading.told());
    let files = preview
        .map(|bytes| File {
            name: crate::pictures::grid::PREVIEW_FILE_NAME.into(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::Made;

    #[test]
    fn a_place_is_told_with_a_time_where_one_is_known() {
        let heading = Heading { title: "a frog".into(), made: Made::Drawn, parameters: String::new(), user: 1, notes: Vec::new() };
        let check = |place, wait_ms: Option<u64>, expected: &str| {
            let said = queued(&heading, JobId::new(), place, wait_ms.map(Duration::from_millis)).content;
            assert_eq!(said.lines().last(), Some(expected));
        };
        check(1, None, "-# Queued: next in line");
        check(3, None, "-# Queued: place 3 in the queue");
        check(3, Some(12_400), "-# Queued: place 3 in the queue, begins in about 12 s");
        check(1, Some(5_000), "-# Queued: next in line, begins in about 5 s");
        check(1, Some(1_999), "-# Queued: next in line, begins in a moment");
        check(1, Some(0), "-# Queued: next in line, begins in a moment");
        check(50, None, "-# Queued: place 50 in the queue");
        check(51, None, "-# Queued: behind 50 others or more");
        check(40, Some(1_200_000), "-# Queued: place 40 in the queue, begins in about 20 min");
    }
}
