//! Past jobs, a page at a time.

use storage::{Job, JobId, JobStatus, Timestamp};

use super::{
    Heading, UNTITLED,
    parts::text_button,
    user_error::status_word,
    words::{relative, shorten},
};
use crate::{
    answer::{Answer, Embed, File},
    buttons::custom_id::ButtonAction,
    system::printable::printable,
};

/// What to show of one finished job in a history.
pub struct HistoryEntry {
    /// The job.
    pub job: JobId,
    /// Prompt, parameters and owner; `None` where they are not kept any more.
    pub heading: Option<Heading>,
    /// Who asked.
    pub user: u64,
    /// When it was finished.
    pub finished: Timestamp,
    /// Where its message is.
    pub link: Option<String>,
    /// Why there are no pictures, if there are none.
    pub without_pictures: Option<&'static str>,
    /// A small picture (JPEG).
    pub thumbnail: Option<Vec<u8>>,
}

/// How a job ended that has no pictures.
pub fn without_pictures(status: JobStatus) -> Option<&'static str> {
    (status != JobStatus::Done).then(|| status_word(status))
}

/// How a job is named among those that somebody may choose from, in at most 100 characters.
pub fn job_choice(job: &Job) -> String {
    let title = match job.task["prompt"].as_str() {
        Some(prompt) => shorten(&printable(prompt), 60),
        None => format!("{UNTITLED}, enlarged"),
    };
    let ended = without_pictures(job.status).map(|why| format!(" · {why}")).unwrap_or_default();
    let id = job.id.to_string();
    format!("{title}{ended} · …{}", &id[id.len() - 6..])
}

/// In place of what was asked for.
const FORGOTTEN: &str = "*Its words and pictures are not kept any more.*";

fn described(entry: &HistoryEntry) -> String {
    entry.heading.as_ref().map(|heading| shorten(&printable(&heading.title), 200)).unwrap_or_default()
}

/// One page of past jobs.
pub fn history(entries: Vec<HistoryEntry>, offset: u32, previous: Option<ButtonAction>, next: Option<ButtonAction>) -> Answer {
    if entries.is_empty() {
        return Answer::text(if offset == 0 { "Nothing was drawn here yet. Try /imagine." } else { "There is nothing further back." });
    }
    let mut answer = Answer::text(format!("Jobs {} to {}, newest first", offset + 1, offset + entries.len() as u32));
    for (position, mut entry) in entries.into_iter().enumerate() {
        let thumbnail = entry.thumbnail.take().map(|bytes| {
            let name = format!("{}.jpg", position + 1);
            answer.files.push(File { name: name.clone(), bytes, description: described(&entry) });
            name
        });
        let link = entry.link.map(|link| format!(" · [open]({link})")).unwrap_or_default();
        let ended = entry.without_pictures.map(|why| format!(" · {why}")).unwrap_or_default();
        let made = match &entry.heading {
            Some(heading) => format!("{}\n{}", heading.titled(300), heading.code(300)),
            None => FORGOTTEN.to_owned(),
        };
        let description = format!("{made}\n<@{}> · {}{ended}{link} · `{}`", entry.user, relative(entry.finished), entry.job);
        answer.embeds.push(Embed { description, thumbnail, ..Embed::default() });
    }
    let page = |label: &str, action: Option<ButtonAction>| {
        // Custom ids must differ, also those of buttons that cannot be pressed.
        let mut button = text_button(label, action.unwrap_or(ButtonAction::Reroll { job: JobId::new() }));
        button.is_disabled = action.is_none();
        button
    };
    if previous.is_some() || next.is_some() {
        answer.buttons = vec![vec![page("◀ Newer", previous), page("Older ▶", next)]];
    }
    answer
}
