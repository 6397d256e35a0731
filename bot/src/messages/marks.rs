//! What people mark, and the buttons for what is done with a picture that is there.

use storage::{JobId, Timestamp};

use super::{
    parts::{emoji_button, text_button},
    words::{escape, relative, shorten},
};
use crate::{
    answer::{Answer, Button, File, Style},
    buttons::custom_id::{ButtonAction, PictureAction},
};

/// Whether somebody is asked if the message shall really go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleting {
    /// Nobody pressed ❌.
    No,
    /// ❌ was pressed.
    Asks,
}

/// The row under one picture: mark it, what made it, and delete it. Where ❌ is comes what keeps the picture, for whoever presses twice.
pub(super) fn row(job: JobId, index: u32, deleting: Deleting) -> Vec<Button> {
    let of_picture = |emoji, action| emoji_button(emoji, ButtonAction::Picture { action, job, index });
    let mut row =
        vec![of_picture("❤️", PictureAction::Mark), of_picture("🎞️", PictureAction::Film), of_picture("🔎", PictureAction::Receipt)];
    row.extend(delete_buttons(job, deleting));
    row
}

/// ❌, or the question that it asks.
pub(super) fn delete_buttons(job: JobId, deleting: Deleting) -> Vec<Button> {
    match deleting {
        Deleting::No => vec![emoji_button("❌", ButtonAction::AskDelete { job })],
        Deleting::Asks => {
            let delete = text_button("Delete for good", ButtonAction::Delete { job });
            vec![text_button("Keep", ButtonAction::Keep { job }), Button { style: Style::Danger, ..delete }]
        }
    }
}

/// A picture was marked.
pub fn marked() -> Answer {
    Answer::text("Marked. /favourites has what you marked; ❤️ once more takes the mark away.")
}

/// A mark was taken away.
pub fn unmarked() -> Answer {
    Answer::text("Not marked any more.")
}

/// Which job a message is of and what its pictures began with, for whoever wants to keep them.
pub fn tell_seeds(answer: &mut Answer, job: JobId, seeds: &[u64]) {
    if answer.files.is_empty() {
        answer.content = "Pictures of an age-restricted channel I do not send outside of it.".into();
    }
    let numbers: Vec<String> = seeds.iter().map(u64::to_string).collect();
    let what = if seeds.len() == 1 { "Seed" } else { "Seeds" };
    answer.content.push_str(&format!("\n{what} `{}` · job `{job}`", numbers.join(" ")));
}

/// A lineage with a button for each of its jobs.
pub fn tree(bytes: Vec<u8>, jobs: &[JobId], n_left_out: usize) -> Answer {
    let what = match jobs.len() {
        1 => "Nothing was made from this, and it comes from nothing that I could show you here.".to_owned(),
        n => format!("{n} jobs, each below the one that it comes from; the one that you asked for has a frame. A number opens its job."),
    };
    let left_out = match n_left_out {
        0 => String::new(),
        1 => " One more has no room here.".to_owned(),
        n => format!(" {n} more have no room here, and what was made from them."),
    };
    let open = |(number, job): (usize, &JobId)| {
        text_button(&(number + 1).to_string(), ButtonAction::Picture { action: PictureAction::Open, job: *job, index: 0 })
    };
    let numbered: Vec<Button> = jobs.iter().enumerate().map(open).collect();
    let file = File { name: "tree.jpg".into(), bytes, description: format!("The lineage of a picture: {} jobs", jobs.len()) };
    Answer { files: vec![file], buttons: numbered.chunks(5).map(<[Button]>::to_vec).collect(), ..Answer::text(format!("{what}{left_out}")) }
}

/// How a picture came from noise, over so many of its steps.
pub fn film(bytes: Vec<u8>, n_steps: usize) -> Answer {
    let steps = if n_steps == 1 { "One step of this picture".to_owned() } else { format!("{n_steps} steps of this picture") };
    let description = format!("{steps}, from noise to the end");
    let file = File { name: "film.gif".into(), bytes, description };
    Answer {
        files: vec![file],
        ..Answer::text(format!("{steps}: at each, what it looked as if it would become. The last is the picture."))
    }
}

/// A marked picture on a page.
pub struct MarkedPicture {
    /// Its job.
    pub job: JobId,
    /// Which picture of the job, from 0, and of how many.
    pub of: (u32, usize),
    /// What it was drawn from.
    pub title: String,
    /// When it was marked.
    pub marked: Timestamp,
    /// Where its message is.
    pub link: Option<String>,
}

/// A page of marked pictures, with their sheet; `(page, n)` is which of all pages, from 0.
pub fn favourites(entries: &[MarkedPicture], sheet: Option<Vec<u8>>, (page, n_pages): (u32, u32), first: usize) -> Answer {
    if entries.is_empty() {
        return Answer::text("You have marked nothing that I could show you here. ❤️ under a picture marks it.");
    }
    let line = |(place, entry): (usize, &MarkedPicture)| {
        let MarkedPicture { of: (index, n), title, marked, link, .. } = entry;
        let which = if *n > 1 { format!(" · picture {}", index + 1) } else { String::new() };
        let link = link.as_ref().map(|link| format!(" · [message]({link})")).unwrap_or_default();
        format!("`{}` {}{which} · {}{link}", first + place + 1, shorten(&escape(title), 40), relative(*marked))
    };
    let lines: Vec<String> = entries.iter().enumerate().map(line).collect();
    let heading = format!("What you marked, newest first, page {} of {n_pages}. A number opens its picture.", page + 1);
    let described: Vec<&str> = entries.iter().map(|entry| entry.title.as_str()).collect();
    let description = shorten(&format!("Marked pictures: {}", described.join("; ")), 1000);
    let files = sheet.map(|bytes| File { name: "favourites.jpg".into(), bytes, description }).into_iter().collect();
    let open = |(place, entry): (usize, &MarkedPicture)| {
        let action = ButtonAction::Picture { action: PictureAction::Open, job: entry.job, index: entry.of.0 };
        text_button(&(first + place + 1).to_string(), action)
    };
    let numbered: Vec<Button> = entries.iter().enumerate().map(open).collect();
    let mut buttons: Vec<Vec<Button>> = numbered.chunks(5).map(<[Button]>::to_vec).collect();
    if n_pages > 1 {
        let turn = |label: &str, page: Option<u32>, other: u32| {
            let button = text_button(label, ButtonAction::Favourites { page: page.unwrap_or(other) });
            Button { is_disabled: page.is_none(), ..button }
        };
        let newer = turn("◀ Newer", page.checked_sub(1), u32::MAX - 1);
        let older = turn("Older ▶", Some(page + 1).filter(|next| *next < n_pages), u32::MAX);
        buttons.push(vec![newer, older]);
    }
    Answer { content: format!("{heading}\n{}", lines.join("\n")), files, buttons, ..Answer::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(n: usize) -> Vec<MarkedPicture> {
        let link = Some(format!("https://discord.com/channels/{0}/{0}/{0}", u64::MAX));
        let entry = |index| MarkedPicture {
            job: JobId::new(),
            of: (index as u32 % 4, 4),
            title: "*".repeat(300),
            marked: Timestamp(i64::MAX),
            link: link.clone(),
        };
        (0..n).map(entry).collect()
    }

    #[test]
    fn a_page_of_the_longest_titles_fits_and_every_button_is_another() {
        let answer = favourites(&entries(10), Some(Vec::new()), (99, 100), 990);
        assert!(answer.content.chars().count() <= 2000, "{}", answer.content.chars().count());
        assert_eq!(answer.buttons.iter().map(Vec::len).collect::<Vec<_>>(), [5, 5, 2]);
        let mut ids: Vec<_> = answer.buttons.iter().flatten().map(|button| button.custom_id.clone()).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 12);
        assert!(answer.buttons[2][1].is_disabled && !answer.buttons[2][0].is_disabled);
    }

    #[test]
    fn one_page_has_nothing_to_turn() {
        assert_eq!(favourites(&entries(1), None, (0, 1), 0).buttons.len(), 1);
        assert!(favourites(&[], None, (0, 1), 0).buttons.is_empty());
    }

    #[test]
    fn the_second_of_two_presses_keeps_the_picture() {
        let job = JobId::new();
        let place = |row: Vec<Button>, action: ButtonAction| row.iter().position(|button| button.custom_id == action.to_string());
        let asked = place(row(job, 0, Deleting::No), ButtonAction::AskDelete { job });
        assert_eq!(place(row(job, 0, Deleting::Asks), ButtonAction::Keep { job }), asked);
        assert!(row(job, 0, Deleting::Asks).len() <= 5);
    }
}
