//! `/explain` and its button: how a picture came from noise, as a job.

use crate::support::*;
use sandbox::Visitor;
use serde_json::{Value, json};
use storage::{GuildId, HistoryFilter, Job};

in_both_modes! {
    a_picture_is_explained_by_a_job_that_is_paid_and_outlives_restarts_of_its_message,
    the_button_under_a_receipt_explains_too_and_nobody_gets_round_the_rules,
    the_tour_is_turned_page_by_page_by_its_presser_and_costs_nobody_anything,
}

const GUILD: u64 = 1_000_000_000_000_000_100;

/// What has ended in the first guild, newest first.
async fn history(studio: &Studio) -> Vec<Job> {
    let filter = HistoryFilter { guild: GuildId(GUILD), user: None, channels: None };
    studio.running.bot.app.jobs.history(filter, 0, 100).await.expect("readable").0
}

/// The end of what an interaction asked for.
async fn ended(person: &Visitor, channel: &str, asked: &str) -> Value {
    let is_it = |message: &&Value| {
        let is_ended = content(message).contains("came from noise") || message["flags"].as_u64().unwrap_or_default() & 64 == 64;
        message["interaction_metadata"]["id"] == asked && is_ended && !content(message).is_empty()
    };
    person.wait_for(channel, PATIENCE, |messages| messages.iter().rev().find(is_it).cloned()).await.expect("it ends")
}

async fn explain(person: &Visitor, channel: &str, options: &[(&str, Value)]) -> Value {
    let asked = person.slash(channel, "explain", options).await.expect("sent");
    ended(person, channel, &asked.0).await
}

fn files(message: &Value) -> Vec<&str> {
    message["attachments"].as_array().into_iter().flatten().filter_map(|file| file["filename"].as_str()).collect()
}

async fn a_picture_is_explained_by_a_job_that_is_paid_and_outlives_restarts_of_its_message(mode: Mode) {
    let studio = Studio::open(mode, |_| {}).await;
    let (ada, app) = (&studio.ada, studio.running.bot.app.clone());
    ada.slash(CHANNEL, "imagine", &prompt("a red frog --seed 7 --no leaves")).await.expect("sent");
    let grid = nth_grid(ada, 1).await;
    let drawn = history(&studio).await.remove(0);
    let number = drawn.id.to_string();
    let told = explain(ada, CHANNEL, &[("job", json!(number)), ("picture", json!(3))]).await;
    assert_eq!(files(&told), ["steps.jpg", "words.jpg", "guidance.jpg"], "{told}");
    for words in [
        "**How picture 3 of a red frog came from noise**",
        "as a job that costs what it costs",
        "1 a · 2 red · 3 frog",
        "without the negative prompt",
    ] {
        assert!(content(&told).contains(words), "{words}: {told}");
    }
    assert_eq!(buttons(&told), [["❌"]]);
    for place in 0..3 {
        let bytes = ada.attachment_bytes(&told, place).await.expect("served");
        let picture = image::load_from_memory(&bytes).expect("a picture");
        assert!(picture.width() >= 512 && picture.height() > 200, "{place}");
    }

    // Its first picture is that one, to the bit; it cost what it was said to cost.
    let job = history(&studio).await.remove(0);
    let (old, new) = (app.jobs.images(drawn.id).await.expect("readable"), app.jobs.images(job.id).await.expect("readable"));
    assert_eq!((job.action.as_str(), job.parent, new.len()), ("explain", Some((drawn.id, 2)), 4));
    assert_eq!((&new[0].digests, new[0].seed, new[3].seed), (&old[2].digests, 9, 9));
    let task = serde_json::from_value(job.task.clone()).expect("a task");
    let quote = app.models.offered().catalogue.cost(&task);
    assert!((job.row_megapixels - quote).abs() < 1e-9 && quote > 0.0, "{} {quote}", job.row_megapixels);

    // Nothing of it is in memory alone; one of its ways is a picture like any other.
    let again = ada.slash(CHANNEL, "show", &[("job", json!(job.id.to_string()))]).await.expect("sent");
    let again = ended(ada, CHANNEL, &again.0).await;
    assert_eq!((files(&again), buttons(&again)), (files(&told), buttons(&told)));
    let way = ada.slash(CHANNEL, "verify", &[("job", json!(job.id.to_string())), ("picture", json!(3))]).await.expect("sent");
    let is_it = |message: &&Value| message["interaction_metadata"]["id"] == way.0.as_str() && content(message).contains("Drawn again");
    let verified = ada.wait_for(CHANNEL, PATIENCE, |messages| messages.iter().find(is_it).cloned()).await.expect("it is drawn");
    assert!(content(&verified).contains("**Identical** to picture 3, to the bit"), "{verified}");

    // An enlarged picture is explained as what was enlarged; what is not guided says so.
    ada.press(id(&grid), "U1").await.expect("sent");
    message_with(ada, " pixels · enlarged from ").await;
    let enlarged = history(&studio).await.remove(0);
    let told = explain(ada, CHANNEL, &[("job", json!(enlarged.id.to_string()))]).await;
    assert!(content(&told).contains("**How picture 1 of a red frog"), "{told}");
    ada.slash(CHANNEL, "imagine", &prompt("a red frog --seed 7 --cfg 1 --images 1")).await.expect("sent");
    // What was drawn again to compare is a grid too.
    nth_grid(ada, 3).await;
    let unguided = history(&studio).await.remove(0);
    let told = explain(ada, CHANNEL, &[("job", json!(unguided.id.to_string()))]).await;
    assert!(content(&told).contains("nothing to compare") && files(&told) == ["steps.jpg", "words.jpg"], "{told}");
    delete(ada, &told).await;
    studio.close().await;
}

async fn the_button_under_a_receipt_explains_too_and_nobody_gets_round_the_rules(mode: Mode) {
    let studio = Studio::open(mode, |_| {}).await;
    let (ada, linus) = (&studio.ada, studio.visitor("linus").await);
    ada.slash(CHANNEL, "imagine", &prompt("a frog --seed 7 --images 1")).await.expect("sent");
    let grid = nth_grid(ada, 1).await;
    let press = ada.press(id(&grid), "🔎").await.expect("sent");
    let is_it = |message: &&Value| message["interaction_metadata"]["id"] == press.0.as_str() && content(message).starts_with("The receipt");
    let receipt = ada.wait_for(CHANNEL, PATIENCE, |messages| messages.iter().find(is_it).cloned()).await.expect("it comes");
    let press = ada.press(id(&receipt), "How it came from noise").await.expect("sent");
    let told = ended(ada, CHANNEL, &press.0).await;
    assert_eq!(files(&told), ["steps.jpg", "words.jpg", "guidance.jpg"], "{told}");

    // Others' pictures of another place, pictures that are not there, and jobs that are not there.
    let number = history(&studio).await.pop().expect("a job").id.to_string();
    for (person, channel, job, picture, words) in [
        (&linus, "dm", number.as_str(), 1, "I have no job `"),
        (ada, "Second studio/general", number.as_str(), 1, "I have no job `"),
        (ada, CHANNEL, number.as_str(), 9, "That job has no picture 9."),
        (ada, CHANNEL, "01890000000070008000000000000000", 1, "I have no job `"),
    ] {
        let refused = explain(person, channel, &[("job", json!(job)), ("picture", json!(picture))]).await;
        assert!(content(&refused).starts_with(words), "{channel}: {refused}");
    }
    studio.close().await;
}

/// The pages of the tour.
const PAGES: [&str; 8] = [
    "It begins with noise",
    "The forward process",
    "The noise schedule",
    "Samplers",
    "Latent space",
    "Guidance and the negative prompt",
    "What the words do",
    "Your turn",
];

/// Waits for a message that shows this page; of an interaction, or a message that was there.
async fn page(person: &Visitor, channel: &str, number: usize, is_it: impl Fn(&Value) -> bool) -> Value {
    let is_page = |message: &&Value| content(message).starts_with(&format!("**{}**", PAGES[number])) && is_it(message);
    let found = person.wait_for(channel, PATIENCE, |messages| messages.iter().rev().find(is_page).cloned()).await;
    let message = found.unwrap_or_else(|error| panic!("{channel}, page {number}: {error}"));
    assert_eq!(message["flags"].as_u64().unwrap_or_default() & 64, 64, "for the presser alone: {message}");
    assert!(content(&message).contains(&format!("{} of 8", number + 1)) && content(&message).contains("it costs you nothing"), "{message}");
    assert_eq!(files(&message).len(), usize::from(number < 7), "{message}");
    message
}

async fn the_tour_is_turned_page_by_page_by_its_presser_and_costs_nobody_anything(mode: Mode) {
    let studio = Studio::open(mode, |config| config.limits.max_looks_per_minute = 1000).await;
    let (ada, linus) = (&studio.ada, studio.visitor("linus").await);
    let n_calls = || studio.running.bot.app.models.engine.stats().n_network_calls;
    for (person, channel) in [(ada, CHANNEL), (&linus, "dm")] {
        let asked = person.slash(channel, "explain", &[]).await.expect("sent");
        let first = page(person, channel, 0, |message| message["interaction_metadata"]["id"] == asked.0.as_str()).await;
        let drawn = n_calls();
        assert_eq!(buttons(&first), [["▶"]]);
        for number in 1..8 {
            person.press(id(&first), "▶").await.expect("sent");
            let turned = page(person, channel, number, |message| id(message) == id(&first)).await;
            let expected: &[&str] = if number < 7 { &["◀", "▶"] } else { &["◀"] };
            assert_eq!(buttons(&turned)[0], expected);
            assert_eq!(buttons(&turned).len() > 1, number == 7, "the last page offers lines to draw: {turned}");
            if number < 7 {
                let bytes = person.attachment_bytes(&turned, 0).await.expect("served");
                let picture = image::load_from_memory(&bytes).expect("a picture");
                assert!(picture.width() >= 350 && picture.height() >= 100, "{number}: {}", picture.width());
            }
        }
        person.press(id(&first), "◀").await.expect("sent");
        page(person, channel, 6, |message| id(message) == id(&first)).await;
        assert_eq!(n_calls(), drawn, "it is drawn once");
    }

    // From /help, which stays where it is.
    let asked = ada.slash(CHANNEL, "help", &[]).await.expect("sent");
    let is_help = |message: &&Value| message["interaction_metadata"]["id"] == asked.0.as_str() && !content(message).is_empty();
    let help = ada.wait_for(CHANNEL, PATIENCE, |messages| messages.iter().find(is_help).cloned()).await.expect("it is told");
    let drawn = n_calls();
    let press = ada.press(id(&help), "How pictures come from noise").await.expect("sent");
    page(ada, CHANNEL, 0, |message| message["interaction_metadata"]["id"] == press.0.as_str() && id(message) != id(&help)).await;
    assert_eq!((n_calls(), history(&studio).await.len()), (drawn, 0), "no job was made of it");
    studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_quota_left_is_told_before_anything_is_drawn() {
    let studio = Studio::open(Mode::Plain, |config| config.limits.daily_row_megapixels_per_user = 0.25).await;
    let ada = &studio.ada;
    ada.slash(CHANNEL, "imagine", &prompt("a frog")).await.expect("sent");
    nth_grid(ada, 1).await;
    let job = history(&studio).await.remove(0);
    let refused = explain(ada, CHANNEL, &[("job", json!(job.id.to_string()))]).await;
    assert!(content(&refused).contains("is left for you for today"), "{refused}");
    assert_eq!(history(&studio).await.len(), 1);
    studio.close().await;
}
