//! What bounds people: quotas over all places, the size of one job, who waits for whom, where the bot works, and how often it is asked.

use crate::support::*;
use atelier::config::Config;
use sandbox::{Clock, ManualClock, Visitor};
use serde_json::Value;
use storage::{GuildId, HistoryFilter, Job};

/// The stand-in's other guild; its guild where the bot is no member; its group of people.
const OTHER: &str = "Second studio/general";
const CLUB: &str = "Book club/general";
const GROUP: &str = "dm/Weekend plans";

/// What `/imagine a frog` costs in these tests, in row-megapixels: less than this and more than half of it.
const FROG: f64 = 0.25;

async fn imagine(visitor: &Visitor, channel: &str, words: &str) {
    visitor.slash(channel, "imagine", &prompt(words)).await.expect("sent");
}

/// Waits for so many messages of a channel for which `check` holds; the last of them.
async fn seen(visitor: &Visitor, channel: &str, n: usize, check: impl Fn(&Value) -> bool) -> Value {
    let find = |messages: &[Value]| messages.iter().filter(|message| check(message)).nth(n - 1).cloned();
    visitor.wait_for(channel, PATIENCE, find).await.unwrap_or_else(|error| panic!("{channel}: {error}"))
}

async fn drawn(visitor: &Visitor, channel: &str, n: usize) -> Value {
    seen(visitor, channel, n, is_grid).await
}

/// Waits for a message for this person alone.
async fn refused(visitor: &Visitor, channel: &str, words: &str) -> String {
    let message = seen(visitor, channel, 1, |message| content(message).contains(words)).await;
    assert_eq!(message["flags"].as_u64().unwrap_or_default() & 64, 64, "only the caller sees {message}");
    content(&message).to_owned()
}

/// What has ended in the first guild, newest first.
async fn history(studio: &Studio) -> Vec<Job> {
    let state = studio.ada.state().await.expect("readable");
    let guild = GuildId(state["guilds"][0]["id"].as_str().and_then(|id| id.parse().ok()).expect("a guild"));
    studio.running.bot.app.jobs.history(HistoryFilter { guild, user: None, channels: None }, 0, 100).await.expect("readable").0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_person_gets_no_new_quota_in_another_place() {
    let studio = Studio::open(Mode::Plain, |config| config.limits.daily_row_megapixels_per_user = FROG).await;
    let (ada, linus) = (&studio.ada, studio.visitor("linus").await);
    imagine(ada, CHANNEL, "a frog").await;
    drawn(ada, CHANNEL, 1).await;
    // A guild, another one, direct messages, and a group by ada's own installation.
    for place in [CHANNEL, OTHER, "dm", GROUP] {
        imagine(ada, place, "a frog").await;
        let sentence = refused(ada, place, "is left for you for today, in all places together").await;
        assert!(sentence.contains("0.2 of 0.2 are used") && sentence.contains("New pictures come <t:"), "{sentence}");
    }
    ada.slash("dm", "quota", &[]).await.expect("sent");
    let left = refused(ada, "dm", "of the usual size").await;
    assert!(left.contains("No picture of the usual size is left today for you in all places together (of 4)."), "{left}");
    let others = left.lines().find(|line| line.starts_with("-# That is the least; there are also ")).expect("the others");
    assert!(others.ends_with(" here."), "{left}");
    assert!(left.contains("-# In row-megapixels: "), "{left}");
    // Somebody else has his own, wherever he is.
    imagine(&linus, CLUB, "a frog").await;
    drawn(&linus, CLUB, 1).await;
    imagine(&linus, CHANNEL, "a frog").await;
    refused(&linus, CHANNEL, "is left for you for today, in all places together").await;
    studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn direct_messages_and_own_installations_share_a_small_quota() {
    let studio = Studio::open(Mode::Plain, |config| config.limits.daily_row_megapixels_direct = FROG).await;
    let linus = studio.visitor("linus").await;
    imagine(&linus, "dm", "a frog").await;
    drawn(&linus, "dm", 1).await;
    for place in ["dm", CLUB, GROUP] {
        imagine(&linus, place, "a frog").await;
        refused(&linus, place, "is left here for today. New pictures come").await;
    }
    imagine(&linus, CHANNEL, "a frog").await;
    drawn(&linus, CHANNEL, 1).await;
    studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_and_each_member_have_a_day_of_their_own() {
    let studio = Studio::open(Mode::Plain, |config| config.limits.daily_row_megapixels_host = 2.0 * FROG).await;
    let (ada, linus, grace) = (&studio.ada, studio.visitor("linus").await, studio.visitor("grace").await);
    ada.slash(CHANNEL, "settings", &[("daily_quota_per_person", FROG.into())]).await.expect("sent");
    refused(ada, CHANNEL, "about 4 pictures of the usual size of them (`daily_quota_per_person`)").await;
    imagine(&linus, CHANNEL, "a frog").await;
    drawn(&linus, CHANNEL, 1).await;
    imagine(&linus, CHANNEL, "a frog").await;
    refused(&linus, CHANNEL, "is left for you in this server for today").await;
    imagine(&linus, OTHER, "a frog").await;
    drawn(&linus, OTHER, 1).await;
    imagine(&grace, "dm", "a frog").await;
    refused(&grace, "dm", "is left for today, for everybody together. New pictures come").await;
    studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_too_large_is_refused_with_what_to_lower() {
    let studio = Studio::open(Mode::Plain, |config| config.limits.max_row_megapixels_per_job = FROG).await;
    let ada = &studio.ada;
    imagine(ada, CHANNEL, "a frog --steps 100 --hires 2").await;
    let sentence = refused(ada, CHANNEL, "times as large as one job may be").await;
    assert!(sentence.ends_with("Please lower `--hires`, `--images` or `--steps`."), "{sentence}");
    assert_eq!(history(&studio).await.len(), 0);
    imagine(ada, CHANNEL, "a frog --images 1 --steps 20").await;
    let grid = drawn(ada, CHANNEL, 1).await;
    // A button is no way around it: four variations cost more than the one picture.
    ada.press(id(&grid), "V1").await.expect("sent");
    let is_refusal = |message: &Value| content(message).ends_with("Please lower `--images` or `--steps`.");
    seen(ada, CHANNEL, 1, is_refusal).await;
    assert_eq!(history(&studio).await.len(), 1);
    studio.close().await;
}

/// Two people's four long jobs, and then somebody's short one elsewhere: counted in what has ended, not in seconds.
#[tokio::test(flavor = "multi_thread")]
async fn a_short_job_does_not_wait_for_the_end_of_long_ones() {
    let studio = Studio::open(Mode::Plain, |config| config.engine.preview_every = 0).await;
    let (ada, linus, margaret) = (&studio.ada, studio.visitor("linus").await, studio.visitor("margaret").await);
    let long = "a frog --steps 100 --sampler heun --hires 2 --images 2";
    for (n, visitor) in [(1, ada), (2, ada), (3, ada), (4, &linus)] {
        imagine(visitor, CHANNEL, long).await;
        seen(visitor, CHANNEL, n, |message| content(message).contains("--hires")).await;
    }
    let app = &studio.running.bot.app;
    imagine(&margaret, OTHER, "a strawberry --steps 4 --images 1").await;
    drawn(&margaret, OTHER, 1).await;
    assert_eq!(history(&studio).await.len(), 0, "the long ones go on");
    let queue = app.jobs.queue_status().await.expect("readable");
    assert_eq!((queue.running, queue.queued), (3, 1), "two of ada's run, her third waits");
    studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_listed_guilds_are_drawn_for_also_by_buttons_of_before() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path().to_owned();
    let studio = Studio::open(Mode::Plain, |config| config.data.dir = dir.clone()).await;
    imagine(&studio.ada, CHANNEL, "a frog").await;
    let grid = drawn(&studio.ada, CHANNEL, 1).await;
    imagine(&studio.ada, "dm", "a frog").await;
    let private = drawn(&studio.ada, "dm", 1).await;
    studio.close().await;

    let change = |config: &mut Config| {
        config.data.dir = dir;
        config.limits.guilds = vec![1_000_000_000_000_000_200];
        config.limits.allow_direct_messages = false;
    };
    let studio = Studio::open(Mode::Plain, change).await;
    let ada = &studio.ada;
    imagine(ada, OTHER, "a frog").await;
    drawn(ada, OTHER, 1).await;
    imagine(ada, CHANNEL, "a frog").await;
    let sentence = refused(ada, CHANNEL, "I do not draw for this server").await;
    for button in ["U1", "V1", "🔄"] {
        let before = ada.messages(CHANNEL).await.expect("readable").len();
        ada.press(id(&grid), button).await.expect("sent");
        let told = |messages: &[Value]| messages.get(before).filter(|message| content(message) == sentence).map(|_| ());
        ada.wait_for(CHANNEL, PATIENCE, told).await.unwrap_or_else(|error| panic!("{button}: {error}"));
    }
    assert!(ada.slash("dm", "imagine", &prompt("a frog")).await.is_err(), "it is not offered there");
    ada.press(id(&private), "🔄").await.expect("sent");
    refused(ada, "dm", "switched me off in direct messages").await;
    delete(ada, &grid).await;
    studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_histories_is_refused_and_thumbnails_are_made_once() {
    let clock = ManualClock::new();
    let change = |config: &mut Config| config.limits.max_looks_per_minute = 2;
    let studio = Studio::open_with_clock(Mode::Plain, Clock::Manual(clock.clone()), change).await;
    let (ada, app) = (&studio.ada, &studio.running.bot.app);
    imagine(ada, CHANNEL, "a frog").await;
    let grid = drawn(ada, CHANNEL, 1).await;
    let job = history(&studio).await[0].id;
    assert_eq!(app.jobs.thumbnail(job).await.expect("readable"), None);
    let mut pages = Vec::new();
    for n in 1..=2 {
        ada.slash(CHANNEL, "history", &[]).await.expect("sent");
        pages.push(seen(ada, CHANNEL, n, |message| content(message).contains("Jobs 1 to 1")).await);
    }
    let kept = app.jobs.thumbnail(job).await.expect("readable").expect("kept when it was first shown");
    let bytes = app.blobs.get(&kept).await.expect("stored");
    let client = reqwest::Client::builder().no_proxy().build().expect("a plain client");
    for page in &pages {
        let url = page["embeds"][0]["thumbnail"]["url"].as_str().expect("a thumbnail");
        let shown = client.get(url).send().await.expect("served").bytes().await.expect("whole");
        assert_eq!(shown, bytes);
    }
    for command in ["history", "quota", "info"] {
        ada.slash(CHANNEL, command, &[]).await.expect("sent");
    }
    seen(ada, CHANNEL, 3, |message| content(message).contains("2 times a minute. Please try again in 30 s.")).await;
    clock.advance(std::time::Duration::from_secs(31));
    ada.slash(CHANNEL, "quota", &[]).await.expect("sent");
    refused(ada, CHANNEL, "of the usual size").await;
    delete(ada, &grid).await;
    let marks = app.blobs.marks().await.expect("readable");
    assert!(marks.iter().any(|(key, _)| *key == kept), "the small picture goes with its job");
    studio.close().await;
}
