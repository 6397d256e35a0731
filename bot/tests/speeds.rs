//! How people choose how their jobs take their turns, and what that costs.

use crate::{
    quotas::{LINUS, OTHER, admin, answer, is_refused, told},
    support::*,
};
use sandbox::Visitor;
use serde_json::{Value, json};

/// What `/imagine a frog` costs in these tests, in row-megapixels: less than this and more than half of it.
const FROG: f64 = 0.25;
/// The choices of `/settings speeds`, by their places.
const FAST: u64 = 1;
const RELAX: u64 = 2;

async fn drawn(visitor: &Visitor, channel: &str, options: &[(&str, Value)]) -> Value {
    let asked = visitor.slash(channel, "imagine", options).await.expect("sent");
    let message = answer(visitor, channel, &asked).await;
    assert!(is_grid(&message), "{}", content(&message));
    message
}

async fn pressed(visitor: &Visitor, channel: &str, grid: &Value, button: &str) -> Value {
    let pressed = visitor.press(id(grid), button).await.expect("sent");
    let message = answer(visitor, channel, &pressed).await;
    assert!(is_grid(&message), "{}", content(&message));
    message
}

/// Whether a grid was drawn while others went first.
fn is_relaxed(grid: &Value) -> bool {
    content(grid).lines().next().is_some_and(|line| line.ends_with("> · relaxed"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_speed_is_said_or_chosen_or_that_of_ones_own_job_above_the_button() {
    let studio = Studio::open(Mode::Plain, |config| config.defaults.steps = 1).await;
    let (ada, linus) = (&studio.ada, studio.visitor("linus").await);
    assert!(!is_relaxed(&drawn(&linus, CHANNEL, &prompt("a frog")).await), "the usual speed is fast");
    let relaxed = drawn(&linus, CHANNEL, &prompt("a frog --relax")).await;
    assert!(is_relaxed(&relaxed));
    let by_option = drawn(&linus, CHANNEL, &[("prompt", json!("a frog")), ("speed", json!("relax"))]).await;
    assert!(is_relaxed(&by_option));
    for button in ["🔄", "V1"] {
        assert!(is_relaxed(&pressed(&linus, CHANNEL, &relaxed, button).await), "{button}: as the job above it");
        assert!(!is_relaxed(&pressed(ada, CHANNEL, &relaxed, button).await), "{button}: another's job says nothing");
    }
    assert!(told(&linus, CHANNEL, "fast").await.starts_with("From now on your jobs here are fast."));
    assert!(!is_relaxed(&pressed(&linus, CHANNEL, &relaxed, "🔄").await), "what was chosen stands before the job");
    assert!(
        told(&linus, CHANNEL, "relax").await.starts_with("From now on your jobs here are relaxed: fast ones of others go before them. `")
    );
    assert!(is_relaxed(&drawn(&linus, CHANNEL, &prompt("a frog")).await));
    assert!(!is_relaxed(&drawn(&linus, CHANNEL, &prompt("a frog --fast")).await), "what is said stands before what was chosen");
    for place in [OTHER, "dm"] {
        assert!(!is_relaxed(&drawn(&linus, place, &prompt("a frog")).await), "{place}: it was chosen elsewhere");
    }
    assert!(!is_relaxed(&drawn(ada, CHANNEL, &prompt("a frog")).await), "by somebody else");
    studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guild_may_offer_one_speed_alone() {
    let studio = Studio::open(Mode::Plain, |config| config.defaults.steps = 1).await;
    let (ada, linus) = (&studio.ada, studio.visitor("linus").await);
    for (choice, only_relax, said, other, command, sentence) in [
        (RELAX, true, "relax", "fast", "fast", "In this server jobs are always relaxed; its managers chose that."),
        (FAST, false, "fast", "relax", "relax", "In this server jobs are always fast; its managers chose that."),
    ] {
        let asked = ada.slash(CHANNEL, "settings", &[("speeds", json!(choice))]).await.expect("sent");
        let settings = content(&answer(ada, CHANNEL, &asked).await).to_owned();
        assert!(settings.contains("• Jobs are always "), "{settings}");
        let grid = drawn(&linus, CHANNEL, &prompt("a frog")).await;
        assert_eq!(is_relaxed(&grid), only_relax);
        assert_eq!(is_relaxed(&pressed(&linus, CHANNEL, &grid, "🔄").await), only_relax);
        assert_eq!(is_relaxed(&drawn(&linus, CHANNEL, &prompt(&format!("a frog --{said}"))).await), only_relax);
        let asked = linus.slash(CHANNEL, "imagine", &prompt(&format!("a frog --{other}"))).await.expect("sent");
        is_refused(&linus, CHANNEL, &asked, sentence).await;
        assert_eq!(told(&linus, CHANNEL, command).await, sentence);
        let elsewhere = drawn(&linus, "dm", &prompt(&format!("a frog --{other}"))).await;
        assert_ne!(is_relaxed(&elsewhere), only_relax, "its managers say nothing of direct messages");
    }
    studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn relaxed_jobs_take_nothing_where_the_host_says_so() {
    let studio = Studio::open(Mode::Plain, |config| {
        config.limits.relax_is_free = true;
        config.limits.daily_row_megapixels_per_user = FROG;
    })
    .await;
    let (ada, linus) = (&studio.ada, studio.visitor("linus").await);
    let grid = drawn(&linus, CHANNEL, &prompt("a frog")).await;
    let asked = linus.slash(CHANNEL, "imagine", &prompt("a frog")).await.expect("sent");
    let refused = is_refused(&linus, CHANNEL, &asked, "left for you for today, in all places together").await;
    assert!(refused.ends_with(" With `--relax`, or after /relax, it takes nothing from any quota: others go first."), "{refused}");
    let before = told(&linus, CHANNEL, "quota").await;
    assert!(is_relaxed(&drawn(&linus, CHANNEL, &prompt("a frog --relax")).await));
    told(&linus, CHANNEL, "relax").await;
    assert!(is_relaxed(&pressed(&linus, CHANNEL, &grid, "🔄").await), "a button is as free as the command");
    let now = told(&linus, CHANNEL, "quota").await;
    assert_eq!(now.lines().next(), before.lines().next(), "nothing was taken");
    // Nobody who may not draw does so relaxed.
    admin(ada, "set", &[("limit", json!(0)), ("person", json!(LINUS.to_string()))]).await;
    let asked = linus.slash(CHANNEL, "imagine", &prompt("a frog")).await.expect("sent");
    let refused = is_refused(&linus, CHANNEL, &asked, "Nothing is left for you in this server for today: the limit is 0").await;
    assert!(!refused.contains("--relax"), "{refused}");
    studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn relaxed_jobs_count_where_the_host_says_nothing() {
    let studio = Studio::open(Mode::Plain, |config| config.limits.daily_row_megapixels_per_user = FROG).await;
    let ada = &studio.ada;
    drawn(ada, CHANNEL, &prompt("a frog --relax")).await;
    for words in ["a frog", "a frog --relax"] {
        let asked = ada.slash(CHANNEL, "imagine", &prompt(words)).await.expect("sent");
        let refused = is_refused(ada, CHANNEL, &asked, "left for you for today, in all places together").await;
        assert!(!refused.contains("/relax"), "{refused}");
    }
    studio.close().await;
}
