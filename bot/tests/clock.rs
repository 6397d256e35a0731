//! One clock for the bot and the stand-in: what happens after 3 seconds, after 15 minutes and on the next day.

use std::time::Duration;

use crate::support::*;
use sandbox::{Clock, ManualClock};
use serde_json::Value;
use storage::{GuildId, HistoryFilter, Job};

in_both_modes! {
    a_picture_that_is_finished_after_fifteen_minutes_comes_by_the_bots_own_token,
    a_picture_whose_message_was_removed_is_not_posted_anew,
}

/// Longer than an interaction's token lives.
const TOO_LONG: Duration = Duration::from_secs(16 * 60);

async fn studio(mode: Mode) -> (Studio, ManualClock) {
    let clock = ManualClock::new();
    // Only the picture takes an attempt back, and no state that is kept before.
    let studio = Studio::open_with_clock(mode, Clock::Manual(clock.clone()), |config| config.engine.checkpoint_interval_ms = 0).await;
    (studio, clock)
}

/// The only job that has ended.
async fn only_job(studio: &Studio) -> Job {
    let state = studio.ada.state().await.expect("readable");
    let guild = GuildId(state["guilds"][0]["id"].as_str().and_then(|id| id.parse().ok()).expect("a guild"));
    let jobs = &studio.running.bot.app.jobs;
    let (mut history, _) = jobs.history(HistoryFilter { guild, user: None, channels: None }, 0, 10).await.expect("readable");
    assert_eq!(history.len(), 1);
    history.remove(0)
}

/// What the bot asked of Discord since the journal began: method, path and status.
async fn requests(studio: &Studio) -> Vec<(String, String, u64)> {
    let client = reqwest::Client::builder().no_proxy().build().expect("a plain client");
    let (mut requests, mut after) = (Vec::new(), 0);
    loop {
        let url = format!("{}/sandbox/api/control/journal?after={after}&limit=1000", studio.running.stand_in.url());
        let told: Value = client.get(url).send().await.expect("it answers").json().await.expect("JSON");
        let lines = told["lines"].as_array().expect("lines");
        let text = |line: &Value, field: &str| line[field].as_str().unwrap_or_default().to_owned();
        let rest = lines.iter().filter(|line| line["kind"] == "rest");
        requests.extend(rest.map(|line| (text(line, "method"), text(line, "path"), line["status"].as_u64().unwrap_or(0))));
        if lines.is_empty() {
            return requests;
        }
        after = told["seq"].as_u64().expect("a number");
    }
}

async fn a_picture_that_is_finished_after_fifteen_minutes_comes_by_the_bots_own_token(mode: Mode) {
    let (studio, clock) = studio(mode).await;
    let ada = &studio.ada;
    let held = studio.running.bot.app.models.engine.hold();
    ada.slash(CHANNEL, "imagine", &prompt("a frog --images 1")).await.expect("sent");
    let progress = message_with(ada, "a frog").await;
    clock.advance(TOO_LONG);
    let queue = studio.running.bot.app.jobs.queue_status().await.expect("readable");
    assert_eq!(queue.queued + queue.running, 1, "it was not finished before");
    drop(held);
    let grid = nth_grid(ada, 1).await;
    assert_eq!(id(&grid), id(&progress), "the message that showed the progress");
    assert_eq!(grid["attachments"].as_array().map(Vec::len), Some(1));
    let job = only_job(&studio).await;
    assert_eq!(job.attempts, 0, "the picture took its one attempt back: its lease did not expire meanwhile");
    let own = ("PATCH".to_owned(), format!("/channels/{}/messages/{}", grid["channel_id"].as_str().expect("a channel"), id(&grid)), 200);
    let is_told = async {
        while !requests(&studio).await.contains(&own) {
            pause().await;
        }
    };
    tokio::time::timeout(PATIENCE, is_told).await.expect("the bot edits by its own token");
    studio.close().await;
}

async fn a_picture_whose_message_was_removed_is_not_posted_anew(mode: Mode) {
    let (studio, clock) = studio(mode).await;
    let ada = &studio.ada;
    let held = studio.running.bot.app.models.engine.hold();
    ada.slash(CHANNEL, "imagine", &prompt("a frog --images 1")).await.expect("sent");
    let progress = message_with(ada, "a frog").await;
    let client = reqwest::Client::builder().no_proxy().build().expect("a plain client");
    let url = format!("{}/sandbox/api/messages/{}?user={}", studio.running.stand_in.url(), id(&progress), ada.user_id());
    assert_eq!(client.delete(url).send().await.expect("it answers").status(), 200);
    clock.advance(TOO_LONG);
    let queue = studio.running.bot.app.jobs.queue_status().await.expect("readable");
    assert_eq!(queue.queued + queue.running, 1, "it was not finished before");
    drop(held);
    let jobs = &studio.running.bot.app.jobs;
    let is_over = async {
        loop {
            let (queue, backlog) = (jobs.queue_status().await.expect("readable"), jobs.backlog().await.expect("readable"));
            if queue.queued + queue.running + backlog.undelivered == 0 {
                break;
            }
            pause().await;
        }
    };
    tokio::time::timeout(PATIENCE, is_over).await.expect("the job and its delivery are over");
    let left = ada.messages(CHANNEL).await.expect("readable");
    assert!(!left.iter().any(|message| content(message).contains("a frog")), "whoever removed it meant it: {left:?}");
    assert_eq!(only_job(&studio).await.task["prompt"], "a frog", "the history has it");
    studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_late_by_three_seconds_fails_for_the_person_and_draws_nothing() {
    let (studio, clock) = studio(Mode::Production).await;
    let ada = &studio.ada;
    let front = studio.front.as_ref().expect("production mode has one");
    let before = ada.seq().await.expect("readable");
    front.hold();
    let interaction = ada.slash(CHANNEL, "imagine", &prompt("a frog")).await.expect("sent");
    clock.advance(Duration::from_secs(4));
    let reason = ada
        .wait_for_event(before, PATIENCE, |kind, data| {
            (kind == "interaction_failed" && data["interaction"] == interaction.0).then(|| data["reason"].to_string())
        })
        .await
        .expect("it fails");
    assert!(reason.contains("did not respond"), "{reason}");
    front.release();
    // The bot is well: the next command is answered, and the late one has left nothing behind.
    ada.slash(CHANNEL, "imagine", &prompt("a robot --images 1")).await.expect("sent");
    let grid = nth_grid(ada, 1).await;
    assert!(content(&grid).contains("a robot"), "{grid}");
    assert_eq!(only_job(&studio).await.task["prompt"], "a robot");
    studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_is_full_again_on_the_next_day() {
    let clock = ManualClock::new();
    let change = |config: &mut atelier::config::Config| config.limits.daily_row_megapixels = 0.2;
    let studio = Studio::open_with_clock(Mode::Plain, Clock::Manual(clock.clone()), change).await;
    let ada = &studio.ada;
    ada.slash(CHANNEL, "imagine", &prompt("a frog --steps 4")).await.expect("sent");
    nth_grid(ada, 1).await;
    ada.slash(CHANNEL, "imagine", &prompt("a frog --steps 4")).await.expect("sent");
    told(ada, "is left here for today").await;
    clock.advance(Duration::from_secs(24 * 3600));
    ada.slash(CHANNEL, "imagine", &prompt("a frog --steps 4")).await.expect("sent");
    nth_grid(ada, 2).await;
    studio.close().await;
}
