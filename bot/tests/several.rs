//! `{a, b}`, `--repeat` and `__words__`: several grids of one line are asked for first, and each is a job once.

use std::collections::BTreeSet;

use crate::support::*;
use atelier::config::Config;
use inference::task::Task;
use serde_json::Value;
use storage::{GuildId, HistoryFilter, Job};

in_both_modes! {
    every_grid_of_a_line_is_drawn_once_it_is_wanted,
}

/// What has ended in the first guild, newest first.
async fn history(studio: &Studio) -> Vec<Job> {
    let state = studio.ada.state().await.expect("readable");
    let guild = GuildId(state["guilds"][0]["id"].as_str().and_then(|id| id.parse().ok()).expect("a guild"));
    studio.running.bot.app.jobs.history(HistoryFilter { guild, user: None, channels: None }, 0, 100).await.expect("readable").0
}

/// The prompts of these jobs, in order of the alphabet.
fn prompts(jobs: &[Job]) -> Vec<String> {
    let task = |job: &Job| serde_json::from_value::<Task>(job.task.clone()).expect("a task");
    let mut prompts: Vec<_> = jobs.iter().map(|job| task(job).base().expect("it draws").prompt.clone()).collect();
    prompts.sort();
    prompts
}

/// Waits until so many jobs have ended.
async fn ended(studio: &Studio, n: usize) -> Vec<Job> {
    let all = async {
        loop {
            let jobs = history(studio).await;
            if jobs.len() >= n {
                return jobs;
            }
            pause().await;
        }
    };
    tokio::time::timeout(PATIENCE, all).await.expect("they end")
}

/// Waits until a message says something else.
async fn says(studio: &Studio, message: &Value, words: &str) {
    let is_there =
        |messages: &[Value]| messages.iter().any(|found| id(found) == id(message) && content(found).contains(words)).then_some(());
    studio.ada.wait_for(CHANNEL, PATIENCE, is_there).await.unwrap_or_else(|error| panic!("it never says {words:?}: {error}"));
}

async fn every_grid_of_a_line_is_drawn_once_it_is_wanted(mode: Mode) {
    let studio = Studio::open(mode, |config| config.defaults.steps = 2).await;
    let ada = &studio.ada;
    ada.slash(CHANNEL, "imagine", &prompt("a {red, green} frog --images 1 --repeat 2")).await.expect("sent");
    let asked = told(ada, "Draw 4 grids?").await;
    assert!(content(&asked).contains("row-megapixels together.\n· a red frog\n· a red frog\n· a green frog"), "{}", content(&asked));
    assert_eq!(buttons(&asked), [["Draw 4 grids", "Leave it"]]);
    assert!(history(&studio).await.is_empty(), "nothing is drawn before it is wanted");
    // The second press may come when the button is gone.
    let presses = tokio::join!(ada.press(id(&asked), "Draw 4 grids"), ada.press(id(&asked), "Draw 4 grids"));
    assert!(presses.0.is_ok() || presses.1.is_ok());
    says(&studio, &asked, "4 grids are on their way.").await;
    let jobs = ended(&studio, 4).await;
    assert_eq!(prompts(&jobs), ["a green frog", "a green frog", "a red frog", "a red frog"]);
    // Each has a message of its own, with its buttons.
    let of_jobs = |messages: &[Value]| {
        let shown: BTreeSet<_> =
            messages.iter().filter(|message| content(message).contains("Finished") || is_grid(message)).map(id).collect();
        (shown.len() >= 4).then_some(shown.len())
    };
    assert_eq!(ada.wait_for(CHANNEL, PATIENCE, of_jobs).await.expect("they are shown"), 4);

    ada.slash(CHANNEL, "imagine", &prompt("a {blue, white} frog")).await.expect("sent");
    let asked = told(ada, "Draw 2 grids?").await;
    ada.press(id(&asked), "Leave it").await.expect("sent");
    says(&studio, &asked, "Nothing more is drawn.").await;
    assert_eq!(history(&studio).await.len(), 4);
    studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_question_outlives_a_restart_and_the_rest_can_be_drawn_later() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let change = |most: u32| {
        let folder = folder.path().to_owned();
        move |config: &mut Config| {
            config.data.dir = folder;
            config.defaults.steps = 2;
            config.limits.max_active_per_user = most;
        }
    };
    let studio = Studio::open(Mode::Plain, change(20)).await;
    studio.ada.slash(CHANNEL, "imagine", &prompt("a {red, green, blue} frog --images 1")).await.expect("sent");
    let asked = told(&studio.ada, "Draw 3 grids?").await;
    studio.close().await;

    // Nobody may have a job: none is drawn, and all are the rest.
    let studio = Studio::open(Mode::Plain, change(0)).await;
    studio.ada.press(id(&asked), "Draw 3 grids").await.expect("sent");
    says(&studio, &asked, "0 of 3 grids are on their way.").await;
    studio.close().await;

    let studio = Studio::open(Mode::Plain, change(20)).await;
    let presses = tokio::join!(studio.ada.press(id(&asked), "Draw the rest"), studio.ada.press(id(&asked), "Draw the rest"));
    assert!(presses.0.is_ok() || presses.1.is_ok());
    says(&studio, &asked, "3 grids are on their way.").await;
    assert_eq!(prompts(&ended(&studio, 3).await), ["a blue frog", "a green frog", "a red frog"]);
    studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn words_from_lists_are_chosen_once_and_kept() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("colour.txt"), "red\ngreen\nblue\n").expect("a list");
    let wildcards = folder.path().to_owned();
    let studio = Studio::open(Mode::Plain, |config| {
        config.prompts.wildcards = wildcards;
        config.defaults.steps = 2;
    })
    .await;
    let ada = &studio.ada;
    ada.slash(CHANNEL, "imagine", &prompt("a __color__ frog")).await.expect("sent");
    told(ada, "the nearest is `__colour__`.").await;
    ada.slash(CHANNEL, "imagine", &prompt("a __colour__ frog --images 1 --seed 5")).await.expect("sent");
    let first = ended(&studio, 1).await;
    ada.slash(CHANNEL, "imagine", &prompt("a __colour__ frog --images 1 --seed 5")).await.expect("sent");
    let both = prompts(&ended(&studio, 2).await);
    assert_eq!(both, [prompts(&first), prompts(&first)].concat(), "the same seed, the same words");
    assert!(["a red frog", "a green frog", "a blue frog"].contains(&both[0].as_str()), "{both:?}");
    studio.close().await;
}
