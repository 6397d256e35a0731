//! `/queue`: what waits and runs, in words.

use storage::JobId;

use super::{parts::text_button, words::escape, words::shorten};
use crate::{
    answer::{Answer, Menu, MenuEntry},
    buttons::custom_id::{ButtonAction, QueueAct, Whose},
};

/// Entries that a menu holds.
const MAX_ENTRIES: usize = 25;
/// Jobs that are named.
const MAX_LINES: usize = 15;

/// A job that waits or runs.
pub struct Queued {
    /// The job.
    pub job: JobId,
    /// Whose it is.
    pub user: u64,
    /// What it is called; `None` where that is not for whoever looks.
    pub name: Option<String>,
    /// Whether it is being drawn.
    pub is_drawn: bool,
    /// Whether its guild is paused and it waits.
    pub is_held: bool,
    /// Its place, where it is near enough to have one.
    pub place: Option<u32>,
}

/// What somebody sees of the queue.
pub struct QueueView {
    /// Their own jobs, or all of the guild.
    pub whose: Whose,
    /// Those that run, and then those that wait.
    pub jobs: Vec<Queued>,
    /// Whether they moderate the guild.
    pub is_moderator: bool,
    /// Who paused the guild's queue, if it is paused.
    pub paused_by: Option<u64>,
}

/// What waits and runs.
pub fn queue(view: &QueueView) -> Answer {
    let QueueView { whose, jobs, is_moderator, paused_by } = view;
    let n = jobs.len();
    let first = match (whose, n) {
        (Whose::Mine, 0) => "Nothing of yours is drawn or waits.".to_owned(),
        (Whose::Guild, 0) => "Nothing is drawn or waits here.".to_owned(),
        (Whose::Mine, 1) => "One job of yours is drawn or waits:".to_owned(),
        (Whose::Guild, 1) => "One job is drawn or waits here:".to_owned(),
        (Whose::Mine, n) => format!("{n} jobs of yours are drawn or wait:"),
        (Whose::Guild, n) => format!("{n} jobs are drawn or wait here:"),
    };
    let mut lines = vec![first];
    lines.extend(jobs.iter().take(MAX_LINES).map(|job| line(*whose, job)));
    if n > MAX_LINES {
        lines.push(format!("• and {} more", n - MAX_LINES));
    }
    if let Some(user) = paused_by {
        lines.push(format!("⏸ <@{user}> has paused this server's queue: what waits begins when somebody resumes it."));
    }
    let action = |act| ButtonAction::Queue { whose: *whose, act };
    let mut row = vec![text_button("Refresh", action(QueueAct::Show))];
    match whose {
        Whose::Mine => {
            if n > 1 {
                row.push(text_button("Cancel all of mine", action(QueueAct::CancelAll)));
            }
            if *is_moderator {
                row.push(text_button("This server", ButtonAction::Queue { whose: Whose::Guild, act: QueueAct::Show }));
            }
        }
        Whose::Guild => {
            row.push(match paused_by {
                Some(_) => text_button("▶ Resume", action(QueueAct::Resume)),
                None => text_button("⏸ Pause", action(QueueAct::Pause)),
            });
            row.push(text_button("Mine", ButtonAction::Queue { whose: Whose::Mine, act: QueueAct::Show }));
        }
    }
    Answer { menus: menus(view), buttons: vec![row], ..Answer::text(shorten(&lines.join("\n"), 2000)) }
}

fn line(whose: Whose, job: &Queued) -> String {
    let place = match (job.is_drawn, job.is_held, job.place) {
        (true, ..) => "being drawn".to_owned(),
        (_, true, _) => "paused".to_owned(),
        (_, _, Some(1)) => "next in line".to_owned(),
        (_, _, Some(place)) => format!("place {place}"),
        (_, _, None) => "waits".to_owned(),
    };
    let name = job.name.as_deref().map_or_else(|| "*a private job*".to_owned(), escape);
    let user = if whose == Whose::Guild { format!(" · <@{}>", job.user) } else { String::new() };
    format!("• {place}: {}{user}", shorten(&name, 80))
}

fn menus(view: &QueueView) -> Vec<Menu> {
    let QueueView { whose, jobs, .. } = view;
    let menu = |act, hint: &str, entries: Vec<MenuEntry>| {
        let custom_id = ButtonAction::Queue { whose: *whose, act }.to_string();
        (!entries.is_empty()).then(|| Menu { custom_id, hint: hint.to_owned(), entries, most: 1 })
    };
    let entry = |value: String, label: String| MenuEntry { value, label, about: String::new(), is_chosen: false };
    let named = |job: &Queued| job.name.clone().unwrap_or_else(|| "a private job".to_owned());
    let one = jobs.iter().take(MAX_ENTRIES).map(|job| entry(job.job.to_string(), shorten(&named(job), 100))).collect();
    let mut people: Vec<(u64, usize)> = Vec::new();
    for job in jobs.iter().filter(|_| *whose == Whose::Guild) {
        match people.iter_mut().find(|(user, _)| *user == job.user) {
            Some((_, n)) => *n += 1,
            None => people.push((job.user, 1)),
        }
    }
    // A menu shows no names for mentions: the number and how many there are must do.
    let all = people.into_iter().take(MAX_ENTRIES).map(|(user, n)| entry(user.to_string(), format!("all {n} of person {user}"))).collect();
    let one = menu(QueueAct::Cancel, "Cancel one…", one);
    one.into_iter().chain(menu(QueueAct::CancelAll, "Cancel all of a person…", all)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_fits_discord_and_names_nothing_private() {
        for n in [0, 1, 2, 15, 16, 25, 500] {
            for (whose, is_moderator) in [(Whose::Mine, false), (Whose::Mine, true), (Whose::Guild, true)] {
                let job = |n: u64| Queued {
                    job: JobId::new(),
                    user: u64::MAX - n,
                    name: n.is_multiple_of(2).then(|| "*`".repeat(50)),
                    is_drawn: n == 0,
                    is_held: n == 3,
                    place: (n < 50).then_some(n as u32),
                };
                let answer = queue(&QueueView { whose, jobs: (0..n).map(job).collect(), is_moderator, paused_by: Some(u64::MAX) });
                assert!(answer.content.chars().count() <= 2000, "{n}");
                assert!(answer.menus.len() + answer.buttons.len() <= 5 && answer.buttons[0].len() <= 5);
                assert!(answer.menus.iter().all(|menu| (1..=25).contains(&menu.entries.len())), "{n}");
                let labels = answer.menus.iter().flat_map(|menu| &menu.entries).map(|entry| entry.label.chars().count());
                assert!(labels.max().unwrap_or(0) <= 100);
                assert_eq!(answer.content.contains("a private job"), n > 1, "{n}");
            }
        }
    }
}
