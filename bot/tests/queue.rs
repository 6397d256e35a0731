//! What a message says while its job waits, and where links to messages lead.

use crate::support::*;
use serde_json::Value;

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_job_says_when_it_begins() {
    let studio = Studio::open(Mode::Plain, |config| config.engine.max_running_jobs = 1).await;
    let ada = &studio.ada;
    ada.slash(CHANNEL, "imagine", &prompt("a frog --steps 40")).await.expect("the command is known");
    noted(&studio, |live| live.done > 0).await;
    let held = studio.running.bot.app.models.engine.hold();
    ada.slash(CHANNEL, "imagine", &prompt("a strawberry")).await.expect("the command is known");
    let waiting = message_with(ada, "next in line, begins in").await;
    assert!(content(&waiting).contains("a strawberry"), "{waiting}");
    drop(held);
    let drawn = nth_grid(ada, 2).await;
    assert!(!content(&drawn).contains("begins in"), "{drawn}");
    studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_has_to_listen_to_a_whole_prompt() {
    let studio = Studio::open(Mode::Plain, |config| config.defaults.n_images = 1).await;
    studio.ada.slash(CHANNEL, "imagine", &prompt(&"a frog on a mushroom ".repeat(80))).await.expect("the command is known");
    let grid = nth_grid(&studio.ada, 1).await;
    let description = grid["attachments"][0]["description"].as_str().expect("it is described");
    assert!(description.starts_with("a frog on a mushroom") && description.chars().count() <= 250, "{description}");
    studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn links_lead_to_the_message_on_the_page() {
    let studio = Studio::open(Mode::Plain, |_| {}).await;
    let ada = &studio.ada;
    ada.slash(CHANNEL, "imagine", &prompt("a frog")).await.expect("the command is known");
    let grid = nth_grid(ada, 1).await;
    ada.slash(CHANNEL, "history", &[]).await.expect("the command is known");
    let history = message_with(ada, "newest first").await;
    let (channel, message) = (grid["channel_id"].as_str().expect("an id"), id(&grid));
    let ending = format!("/{channel}/{message}");
    let link = link_in(&history["embeds"][0]["description"]);
    assert!(link.starts_with(studio.running.stand_in.url()) && link.ends_with(&ending), "{link}");

    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().expect("a plain client");
    let answer = client.get(&link).send().await.expect("the page answers");
    let place = answer.headers()["location"].to_str().expect("text").to_owned();
    assert_eq!((answer.status().as_u16(), place), (307, format!("/#{channel}/{message}")));
    studio.close().await;
}

/// The address behind the first link of a text.
fn link_in(text: &Value) -> String {
    let text = text.as_str().expect("a text");
    let (_, rest) = text.split_once("](").expect("a link");
    rest.split_once(')').expect("its end").0.to_owned()
}
