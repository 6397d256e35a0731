//! Reactions: ✉️ sends, ❌ ends, ⭐ marks.

use crate::support::*;
use sandbox::{Reaction, Visitor};
use serde_json::Value;
use storage::{GuildId, HistoryFilter, Job, UserId};

in_both_modes! {
    an_envelope_brings_seeds_and_pictures_directly,
    a_cross_ends_what_one_may_end,
    a_star_marks_until_it_is_taken_away,
}

const GUILD: u64 = 1_000_000_000_000_000_100;
const DARK: &str = "Second studio/after-dark";

async fn react(person: &Visitor, message: &Value, emoji: &str) {
    person.react(id(message), emoji, Reaction::Added).await.expect("sent");
}

async fn newest(studio: &Studio) -> Job {
    let filter = HistoryFilter { guild: GuildId(GUILD), user: None, channels: None };
    studio.running.bot.app.jobs.history(filter, 0, 1).await.expect("readable").0.remove(0)
}

/// Waits until something is so.
async fn comes(what: &str, is_so: impl AsyncFn() -> bool) {
    let wait = async {
        while !is_so().await {
            pause().await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("{what}"));
}

async fn direct(person: &Visitor, words: &str) -> Value {
    let find = |messages: &[Value]| messages.iter().rev().find(|message| content(message).contains(words)).cloned();
    person.wait_for("dm", PATIENCE, find).await.expect("it comes")
}

async fn an_envelope_brings_seeds_and_pictures_directly(mode: Mode) {
    let studio = Studio::open(mode, |_| {}).await;
    let (ada, linus) = (&studio.ada, studio.visitor("linus").await);
    ada.slash(CHANNEL, "imagine", &prompt("a frog --seed 7")).await.expect("sent");
    let grid = nth_grid(ada, 1).await;
    let job = newest(&studio).await;
    react(&linus, &grid, "✉️").await;
    let sent = direct(&linus, &format!("Seeds `7 8 9 10` · job `{}`", job.id)).await;
    let images = studio.running.bot.app.jobs.images(job.id).await.expect("readable");
    for (n, image) in images.iter().enumerate() {
        let kept = studio.running.bot.app.blobs.get(&image.blob).await.expect("kept");
        assert_eq!(linus.attachment_bytes(&sent, n).await.expect("served"), kept, "{n}");
    }

    // Out of an age-restricted channel only what says nothing of them.
    linus.slash(DARK, "imagine", &prompt("a robot --seed 20 --images 1")).await.expect("sent");
    let find = |messages: &[Value]| messages.iter().find(|message| is_grid(message)).cloned();
    let dark = linus.wait_for(DARK, PATIENCE, find).await.expect("it is drawn");
    react(&linus, &dark, "✉️").await;
    let sent = direct(&linus, "Seed `20`").await;
    assert!(sent["attachments"].as_array().is_none_or(Vec::is_empty), "{sent}");
    assert!(!content(&sent).contains("robot"), "{sent}");
    studio.close().await;
}

async fn a_cross_ends_what_one_may_end(mode: Mode) {
    let studio = Studio::open(mode, |config| config.limits.max_steps = 150).await;
    let (ada, grace, linus) = (&studio.ada, studio.visitor("grace").await, studio.visitor("linus").await);
    let app = &studio.running.bot.app;
    ada.slash(CHANNEL, "imagine", &prompt("a frog --seed 7 --steps 1")).await.expect("sent");
    let grid = nth_grid(ada, 1).await;
    let frog = newest(&studio).await.id;

    // Not by another member: what they asked for afterwards has come, and it is still there.
    react(&linus, &grid, "❌").await;
    react(&linus, &grid, "✉️").await;
    direct(&linus, "Seeds `7 8 9 10`").await;
    assert!(!app.jobs.job(frog).await.expect("readable").expect("kept").is_deleted);

    // By its owner while it is drawn, and by a moderator when it is done.
    linus.slash(CHANNEL, "imagine", &prompt("a robot --steps 150")).await.expect("sent");
    noted(&studio, |live| live.done > 0).await;
    let held = app.models.engine.hold();
    let drawing = message_with(&linus, "Drawing").await;
    react(&linus, &drawing, "❌").await;
    comes("it is cancelled", async || app.board.live.iter().all(|live| live.cancel.is_cancelled())).await;
    drop(held);
    message_with(&linus, "Cancelled").await;
    react(&grace, &grid, "❌").await;
    let is_gone = |messages: &[Value]| (!messages.iter().any(|message| id(message) == id(&grid))).then_some(());
    ada.wait_for(CHANNEL, PATIENCE, is_gone).await.expect("deleted");
    assert!(app.jobs.job(frog).await.expect("readable").expect("kept").is_deleted);
    studio.close().await;
}

async fn a_star_marks_until_it_is_taken_away(mode: Mode) {
    let studio = Studio::open(mode, |_| {}).await;
    let (ada, linus) = (&studio.ada, studio.visitor("linus").await);
    ada.slash(CHANNEL, "imagine", &prompt("a frog --seed 7 --steps 1")).await.expect("sent");
    let grid = nth_grid(ada, 1).await;
    let job = newest(&studio).await.id;
    let jobs = &studio.running.bot.app.jobs;
    let user = |person: &Visitor| UserId(person.user_id().parse().expect("an id"));
    let marked = async |person: &Visitor| jobs.favourites(user(person)).await.expect("readable").len();
    react(&linus, &grid, "⭐").await;
    comes("all four are marked", async || marked(&linus).await == 4).await;
    jobs.mark(user(ada), (job, 1), storage::Timestamp(0)).await.expect("marked");
    linus.react(id(&grid), "⭐", Reaction::Removed).await.expect("sent");
    comes("none is marked", async || marked(&linus).await == 0).await;
    assert_eq!(marked(ada).await, 1, "another's stays");
    studio.close().await;
}
