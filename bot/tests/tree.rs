//! `/tree`: what comes from what.

use crate::support::*;
use sandbox::Visitor;
use serde_json::{Value, json};
use storage::{GuildId, HistoryFilter, JobId};

in_both_modes! {
    a_lineage_is_drawn_from_its_beginning_and_its_nodes_open,
    a_tree_shows_only_what_its_person_may_see,
    what_was_drawn_for_one_alone_is_in_nobody_elses_tree,
}

const GUILD: u64 = 1_000_000_000_000_000_100;
const STUDIO: u64 = 1_000_000_000_000_000_200;
const SMALL: &str = "--steps 1 --seed 7";

async fn newest(studio: &Studio, guild: u64) -> JobId {
    let filter = HistoryFilter { guild: GuildId(guild), user: None, channels: None };
    studio.running.bot.app.jobs.history(filter, 0, 1).await.expect("readable").0[0].id
}

async fn tree(person: &Visitor, channel: &str, job: JobId) -> Value {
    let asked = person.slash(channel, "tree", &[("job", json!(job.to_string()))]).await.expect("sent");
    let is_answer = |message: &&Value| message["interaction_metadata"]["id"] == asked.0.as_str() && !content(message).is_empty();
    let answer = person.wait_for(channel, PATIENCE, |messages| messages.iter().rev().find(is_answer).cloned()).await.expect("it comes");
    assert_eq!(answer["flags"].as_u64().unwrap_or_default() & 64, 64, "for its person alone: {answer}");
    answer
}

/// Presses a button and waits until the channel has another message with these words.
async fn pressed(person: &Visitor, channel: &str, message: &Value, button: &str, words: &str) {
    let count = |messages: &[Value]| messages.iter().filter(|message| is_done(message) && content(message).contains(words)).count();
    let before = count(&person.messages(channel).await.expect("readable"));
    person.press(id(message), button).await.expect("sent");
    let more = |messages: &[Value]| (count(messages) > before).then_some(());
    person.wait_for(channel, PATIENCE, more).await.expect("it is drawn");
}

/// Whether a message shows pictures of a job that is done.
fn is_done(message: &Value) -> bool {
    buttons(message).concat().contains(&"Download".to_owned())
}

async fn a_lineage_is_drawn_from_its_beginning_and_its_nodes_open(mode: Mode) {
    let studio = Studio::open(mode, |_| {}).await;
    let ada = &studio.ada;
    ada.slash(CHANNEL, "imagine", &prompt(&format!("a frog {SMALL}"))).await.expect("sent");
    let grid = nth_grid(ada, 1).await;
    let root = newest(&studio, GUILD).await;
    pressed(ada, CHANNEL, &grid, "U2", " pixels · enlarged from ").await;
    let enlarged = newest(&studio, GUILD).await;
    pressed(ada, CHANNEL, &grid, "V3", "Variation of").await;
    let varied = newest(&studio, GUILD).await;
    let variation = message_with(ada, "Variation of").await;
    pressed(ada, CHANNEL, &variation, "🔄", "Variation of").await;

    // From whichever of them, it begins with the first.
    for job in [root, enlarged, varied] {
        let answer = tree(ada, CHANNEL, job).await;
        assert!(content(&answer).starts_with("4 jobs, each below the one that it comes from"), "{answer}");
        assert_eq!(buttons(&answer), [["1", "2", "3", "4"]]);
    }
    // Two below the first and one below the variation or beside it: at most three rows, and as wide as two or three.
    let answer = tree(ada, CHANNEL, varied).await;
    let (width, height) = picture(ada, &answer).await.dimensions();
    assert!(width >= 2 * 128 && (2 * 128..4 * 256).contains(&height), "{width} {height}");
    pressed(ada, CHANNEL, &answer, "2", " pixels · enlarged from ").await;

    // What is deleted is in it no more.
    let shown = message_with(ada, " pixels · enlarged from ").await;
    delete(ada, &shown).await;
    assert_eq!(buttons(&tree(ada, CHANNEL, root).await), [["1", "2", "3"]]);
    studio.close().await;
}

async fn a_tree_shows_only_what_its_person_may_see(mode: Mode) {
    let studio = Studio::open(mode, |_| {}).await;
    let (grace, linus) = (studio.visitor("grace").await, studio.visitor("linus").await);
    let (day, dark) = ("Second studio/general", "Second studio/after-dark");
    grace.slash(day, "imagine", &prompt(&format!("a frog {SMALL}"))).await.expect("sent");
    let find = |messages: &[Value]| messages.iter().find(|message| is_grid(message)).cloned();
    grace.wait_for(day, PATIENCE, find).await.expect("it is drawn");
    let frog = newest(&studio, STUDIO).await;
    // It is shown once more where it is dark, and varied there.
    let asked = grace.slash(dark, "show", &[("job", json!(frog.to_string()))]).await.expect("sent");
    let is_shown = |message: &&Value| message["interaction_metadata"]["id"] == asked.0.as_str() && is_grid(message);
    let shown = grace.wait_for(dark, PATIENCE, |messages| messages.iter().find(is_shown).cloned()).await.expect("it is shown");
    pressed(&grace, dark, &shown, "V1", "Variation of").await;
    let varied = newest(&studio, STUDIO).await;
    assert_eq!(buttons(&tree(&linus, dark, frog).await), [["1", "2"]]);
    let by_day = tree(&linus, day, frog).await;
    assert!(content(&by_day).starts_with("Nothing was made from this") && buttons(&by_day) == [["1"]], "{by_day}");
    let hidden = tree(&linus, day, varied).await;
    assert!(content(&hidden).starts_with("I have no job `"), "{hidden}");
    let elsewhere = tree(&linus, CHANNEL, frog).await;
    assert!(content(&elsewhere).starts_with("I have no job `"), "another guild's: {elsewhere}");
    studio.close().await;
}

async fn what_was_drawn_for_one_alone_is_in_nobody_elses_tree(mode: Mode) {
    let studio = Studio::open(mode, |_| {}).await;
    let (ada, linus) = (&studio.ada, studio.visitor("linus").await);
    ada.slash(CHANNEL, "imagine", &prompt(&format!("a frog {SMALL}"))).await.expect("sent");
    let grid = nth_grid(ada, 1).await;
    let frog = newest(&studio, GUILD).await;
    let asked = ada.slash(CHANNEL, "private", &[]).await.expect("sent");
    let is_told = |message: &&Value| message["interaction_metadata"]["id"] == asked.0.as_str() && !content(message).is_empty();
    ada.wait_for(CHANNEL, PATIENCE, |messages| messages.iter().find(is_told).map(|_| ())).await.expect("it is private");
    pressed(ada, CHANNEL, &grid, "V1", "Variation of").await;
    assert_eq!(buttons(&tree(ada, CHANNEL, frog).await), [["1", "2"]]);
    assert_eq!(buttons(&tree(&linus, CHANNEL, frog).await), [["1"]]);
    studio.close().await;
}
