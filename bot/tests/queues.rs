//! `/queue`: people end what is theirs, moderators what is their guild's, and hold it back.

use crate::{quotas::answer, support::*};
use sandbox::{InteractionId, Visitor};
use serde_json::Value;
use storage::JobStatus;

const GUILD: storage::GuildId = storage::GuildId(1_000_000_000_000_000_100);

async fn imagine(person: &Visitor, channel: &str, words: &str) -> InteractionId {
    person.slash(channel, "imagine", &prompt(words)).await.expect("sent")
}

async fn says(person: &Visitor, channel: &str, asked: &InteractionId, words: &str) -> Value {
    let is_it = |message: &&Value| message["interaction_metadata"]["id"] == asked.0.as_str() && content(message).contains(words);
    let found = person.wait_for(channel, PATIENCE, |messages| messages.iter().find(is_it).cloned()).await;
    found.unwrap_or_else(|error| panic!("it never says {words:?}: {error}"))
}

async fn queue(person: &Visitor, channel: &str) -> Value {
    let asked = person.slash(channel, "queue", &[]).await.expect("sent");
    answer(person, channel, &asked).await
}

/// Presses or chooses, and waits until the message has these words.
async fn press(person: &Visitor, channel: &str, message: &Value, component: &str, values: &[&str], words: &str) -> Value {
    person.select(id(message), component, values).await.expect("sent");
    let is_it = |found: &&Value| id(found) == id(message) && content(found).contains(words);
    let found = person.wait_for(channel, PATIENCE, |messages| messages.iter().find(is_it).cloned()).await;
    found.unwrap_or_else(|error| panic!("it never says {words:?}: {error}"))
}

fn entries(message: &Value, menu: &str) -> Vec<String> {
    let rows = message["components"].as_array().into_iter().flatten().map(|row| &row["components"][0]);
    let menu = rows.into_iter().find(|component| component["custom_id"] == menu);
    let options = menu.and_then(|menu| menu["options"].as_array()).cloned().unwrap_or_default();
    options.iter().filter_map(|entry| entry["value"].as_str().map(str::to_owned)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_guild_is_told_so_and_goes_on_when_it_is_resumed() {
    let studio = Studio::open(Mode::Plain, |config| config.defaults.steps = 1).await;
    let (ada, linus) = (&studio.ada, studio.visitor("linus").await);
    assert!(!buttons(&queue(&linus, CHANNEL).await).iter().flatten().any(|label| label == "This server"), "moderators only");
    let view = queue(ada, CHANNEL).await;
    assert_eq!(content(&view), "Nothing of yours is drawn or waits.");
    let view = press(ada, CHANNEL, &view, "This server", &[], "Nothing is drawn or waits here.").await;
    let view = press(ada, CHANNEL, &view, "⏸ Pause", &[], "has paused this server's queue").await;
    let held = imagine(&linus, CHANNEL, "a frog").await;
    says(&linus, CHANNEL, &held, "Paused by a moderator").await;
    let own = queue(&linus, CHANNEL).await;
    assert!(content(&own).contains("• paused: a frog") && content(&own).contains("has paused"), "{}", content(&own));
    // Other places go on.
    let direct = imagine(&linus, "dm", "a robot").await;
    assert!(is_grid(&answer(&linus, "dm", &direct).await));
    assert_eq!(studio.running.bot.app.jobs.queue_status().await.expect("readable").queued, 1);

    let view = press(ada, CHANNEL, &view, "Refresh", &[], "One job is drawn or waits here:").await;
    press(ada, CHANNEL, &view, "▶ Resume", &[], "here").await;
    assert!(is_grid(&answer(&linus, CHANNEL, &held).await));
    assert_eq!(studio.running.bot.app.jobs.paused().await.expect("readable"), []);
    studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_end_what_is_theirs_and_moderators_all_of_a_person() {
    let studio = Studio::open(Mode::Plain, |config| config.defaults.steps = 1).await;
    let (app, ada, linus, grace) = (&studio.running.bot.app, &studio.ada, studio.visitor("linus").await, studio.visitor("grace").await);
    app.jobs.pause(GUILD, Some(storage::UserId(1)), app.clock.now()).await.expect("paused");
    let mut asked = Vec::new();
    for words in ["a frog", "a fox", "a robot"] {
        asked.push(imagine(&linus, CHANNEL, words).await);
        says(&linus, CHANNEL, asked.last().expect("one"), "Paused by a moderator").await;
    }
    let others = imagine(&grace, CHANNEL, "a secret strawberry").await;
    says(&grace, CHANNEL, &others, "Paused by a moderator").await;

    let own = queue(&linus, CHANNEL).await;
    let menu = "1:queue-mine:cancel:0";
    let mine = entries(&own, menu);
    assert!(mine.len() == 3 && !content(&own).contains("strawberry"), "{own}");
    let own = press(&linus, CHANNEL, &own, menu, &[&mine[1]], "2 jobs of yours").await;
    says(&linus, CHANNEL, &asked[1], "Cancelled.").await;
    press(&linus, CHANNEL, &own, "Cancel all of mine", &[], "Nothing of yours").await;
    for asked in [&asked[0], &asked[2]] {
        says(&linus, CHANNEL, asked, "Cancelled.").await;
    }

    let view = queue(ada, CHANNEL).await;
    let view = press(ada, CHANNEL, &view, "This server", &[], "One job is drawn or waits here:").await;
    let menu = "1:queue-guild:cancel-all:0";
    let people = entries(&view, menu);
    assert_eq!(people, [grace.user_id()]);
    press(ada, CHANNEL, &view, menu, &[&people[0]], "Nothing is drawn or waits here.").await;
    says(&grace, CHANNEL, &others, "Cancelled.").await;
    let over = async {
        while app.jobs.backlog().await.expect("readable").undelivered > 0 {
            pause().await;
        }
    };
    tokio::time::timeout(PATIENCE, over).await.expect("all of it is told");
    let ended = app.jobs.history(storage::HistoryFilter { guild: GUILD, user: None, channels: None }, 0, 9).await.expect("readable").0;
    assert!(ended.len() == 4 && ended.iter().all(|job| job.status == JobStatus::Cancelled), "{ended:?}");
    assert_eq!(app.jobs.backlog().await.expect("readable").undelivered, 0);
    studio.close().await;
}
