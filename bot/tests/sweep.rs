//! What is kept for how long: deleted pictures, files that nothing names, and jobs that are too old.

use std::time::Duration;

use atelier::config::Config;
use sandbox::{Clock, ManualClock};
use storage::{GuildId, HistoryFilter, Job};

use crate::support::*;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Jobs that have ended, newest first.
async fn history(studio: &Studio) -> Vec<Job> {
    let state = studio.ada.state().await.expect("readable");
    let guild = GuildId(state["guilds"][0]["id"].as_str().and_then(|id| id.parse().ok()).expect("a guild"));
    let filter = HistoryFilter { guild, user: None, channels: None };
    studio.running.bot.app.jobs.history(filter, 0, 10).await.expect("readable").0
}

/// Waits for what the sweep does.
async fn comes(what: &str, mut is_there: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !is_there().await {
            pause().await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("{what}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nothing_names_goes_after_a_day_and_what_is_too_old_is_forgotten() {
    let clock = ManualClock::new();
    let change = |config: &mut Config| config.data.retention_days = 7;
    let studio = Studio::open_with_clock(Mode::Plain, Clock::Manual(clock.clone()), change).await;
    let (ada, app) = (&studio.ada, &studio.running.bot.app);
    ada.slash(CHANNEL, "imagine", &prompt("a frog --images 1")).await.expect("sent");
    let deleted_grid = nth_grid(ada, 1).await;
    let deleted = history(&studio).await[0].id;
    let deleted = app.jobs.images(deleted).await.expect("readable")[0].blob.clone();
    ada.slash(CHANNEL, "imagine", &prompt("a lighthouse --images 1")).await.expect("sent");
    let grid = nth_grid(ada, 2).await;
    let kept_job = history(&studio).await[0].id;
    let kept = app.jobs.images(kept_job).await.expect("readable")[0].blob.clone();
    let orphan = app.blobs.put("of a job that was stopped".into()).await.expect("kept");
    let has = async |key: &storage::BlobKey| app.blobs.has(key).await.expect("readable");

    delete(ada, &deleted_grid).await;
    assert!(has(&deleted).await, "it is marked, not removed: a job may be about to record the same picture");
    assert_eq!(app.blobs.marks().await.expect("readable").iter().filter(|(key, _)| *key == deleted).count(), 1);
    clock.advance(DAY);
    comes("the deleted picture goes", async || !has(&deleted).await).await;
    let is_marked = async || app.blobs.marks().await.expect("readable").iter().any(|(key, _)| *key == orphan);
    comes("what nobody names is marked, or gone", async || is_marked().await || !has(&orphan).await).await;
    clock.advance(DAY);
    comes("what nobody names goes", async || !has(&orphan).await).await;
    assert!(has(&kept).await, "what is shown stays");

    // With each look a day goes by at most, however far the clock leaps.
    let is_forgotten = async || app.jobs.job(kept_job).await.expect("readable").is_some_and(|job| job.is_forgotten);
    comes("the job is forgotten", async || {
        clock.advance(DAY);
        is_forgotten().await
    })
    .await;
    ada.slash(CHANNEL, "history", &[]).await.expect("sent");
    let page = told(ada, "newest first").await;
    let entry = page["embeds"][0]["description"].as_str().expect("an entry");
    assert!(entry.starts_with("*Its words and pictures are not kept any more.*"), "{entry}");
    assert!(!page.to_string().contains("lighthouse"), "{page}");
    ada.press(id(&grid), "🔄").await.expect("sent");
    told(ada, "That was too long ago").await;
    clock.advance(DAY);
    comes("its picture goes", async || !has(&kept).await).await;
    studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mark_by_a_clock_that_was_ahead_holds_no_file() {
    let clock = ManualClock::new();
    let studio = Studio::open_with_clock(Mode::Plain, Clock::Manual(clock.clone()), |_| {}).await;
    let app = &studio.running.bot.app;
    let orphan = app.blobs.put("of a job that was stopped".into()).await.expect("kept");
    let ahead = app.clock.now().after(1000 * DAY);
    app.blobs.mark(&orphan, ahead).await.expect("marked");
    clock.advance(DAY);
    let marks = async || app.blobs.marks().await.expect("readable");
    comes("it is marked by the clock as it is now", async || marks().await.iter().any(|(key, since)| *key == orphan && *since < ahead))
        .await;
    clock.advance(DAY);
    comes("and goes", async || !app.blobs.has(&orphan).await.expect("readable")).await;
    studio.close().await;
}
