//! A job that has no pictures yet, and one that will have none.

use std::time::Duration;

use storage::JobId;

use super::{
    Heading, Made,
    parts::{emoji_button, remix_button, text_button},
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

/// A job that waits in a guild whose queue somebody has paused.
pub fn held(heading: &Heading, job: JobId) -> Answer {
    let content = format!("{}\n-# Paused by a moderator: it begins when this server's queue is resumed.{}", heading.line(), heading.told());
    Answer { content, buttons: vec![vec![cancel_button(job)]], ..Answer::default() }
}

/// A job whose model is read into memory.
pub fn loading(heading: &Heading, job: JobId) -> Answer {
    Answer {
        content: format!("{}\n-# Loading the model…{}", heading.line(), heading.told()),
        buttons: vec![vec![cancel_button(job)]],
        ..Answer::default()
    }
}

/// How a job that is being drawn stands.
#[derive(Clone, Copy, Debug)]
pub struct Drawing<'a> {
    /// Steps done, all pictures together.
    pub done: u32,
    /// Steps in all.
    pub total: u32,
    /// Until it is done, where that is known.
    pub left: Option<Duration>,
    /// Whether each picture is wanted no more.
    pub culled: &'a [bool],
    /// Whether its pictures are wanted as they are at the next step.
    pub is_stopping: bool,
}

/// A job that is being drawn; `preview` shows what is there.
pub fn drawing(heading: &Heading, job: JobId, drawing: Drawing<'_>, preview: Option<Vec<u8>>) -> Answer {
    let Drawing { done, total, left, culled, is_stopping } = drawing;
    let left = match left {
        _ if is_stopping => " · stopping at the next step".to_owned(),
        Some(left) => format!(" · {} left", duration(left)),
        None => String::new(),
    };
    let content = format!("{}\n-# Drawing {} {done} of {total} steps{left}{}", heading.line(), bar(done, total), heading.told());
    let files = preview
        .map(|bytes| File {
            name: crate::pictures::grid::PREVIEW_FILE_NAME.into(),
            bytes,
            description: format!("Preview after {done} of {total} steps"),
        })
        .into_iter()
        .collect();
    let mut buttons = vec![vec![cancel_button(job)]];
    // What is only enlarged has nothing to show before its end.
    if !matches!(heading.made, Made::Enlarged(_)) {
        let stop = Button { is_disabled: is_stopping, ..text_button("■", ButtonAction::Stop { job }) };
        buttons[0].push(stop);
        if culled.len() > 1 {
            buttons.push(culled.iter().zip(0..).map(|(is_culled, index)| cull_button(job, index, *is_culled)).collect());
        }
    }
    Answer { content, files, buttons, ..Answer::default() }
}

fn cull_button(job: JobId, index: u32, is_culled: bool) -> Button {
    Button { is_disabled: is_culled, ..text_button(&format!("✂{}", index + 1), ButtonAction::Cull { job, index }) }
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

    #[test]
    fn a_place_is_told_with_a_time_where_one_is_known() {
        let heading =
            Heading { title: "a frog".into(), made: Made::Drawn, parameters: String::new(), user: 1, notes: Vec::new(), is_relaxed: false };
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
        let relaxed = queued(&Heading { is_relaxed: true, ..heading }, JobId::new(), 3, None).content;
        assert_eq!(relaxed, "**a frog** · <@1> · relaxed\n-# Queued: place 3 in the queue");
    }
}
