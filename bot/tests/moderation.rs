//! Blocked words in every way that somebody draws, appeals, reports, the book, the owner's commands, and a guild that is left.

use crate::quotas::{LINUS, OTHER, answer, is_refused};
use crate::remix::form;
use crate::support::*;
use sandbox::{InteractionId, Visitor};
use serde_json::{Value, json};
use storage::{AppealState, GuildId};

const GUILD: u64 = 1_000_000_000_000_000_100;
/// What is told of a word.
const BLOCKED: &str = "`gore` may not be said in prompts here";

async fn imagine(visitor: &Visitor, channel: &str, words: &str) -> InteractionId {
    visitor.slash(channel, "imagine", &prompt(words)).await.expect("sent")
}

async fn draws(visitor: &Visitor, channel: &str, words: &str) -> Value {
    let asked = imagine(visitor, channel, words).await;
    let message = answer(visitor, channel, &asked).await;
    assert!(is_grid(&message), "{}", content(&message));
    message
}

/// What a command is answered with.
async fn said(visitor: &Visitor, command: &str, options: &[(&str, Value)]) -> Value {
    let asked = visitor.slash(CHANNEL, command, options).await.expect("sent");
    answer(visitor, CHANNEL, &asked).await
}

async fn channel_id(visitor: &Visitor, name: &str) -> String {
    let state = visitor.state().await.expect("readable");
    let channels = state["guilds"][0]["channels"].as_array().expect("channels");
    let found = channels.iter().find(|channel| channel["name"] == name).expect("a channel of that name");
    found["id"].as_str().expect("an id").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blocked_word_is_drawn_in_no_way_and_elsewhere_as_before() {
    let studio = Studio::open(Mode::Plain, |_| {}).await;
    let (ada, linus) = (&studio.ada, studio.visitor("linus").await);
    let (fine, grid) = (draws(&linus, CHANNEL, "a frog").await, draws(&linus, CHANNEL, "a gore frog").await);
    let told = said(ada, "admin words block", &[("word", json!("gore"))]).await;
    assert_eq!(content(&told), "Saved.\nPrompts may not say this in this server: `gore`");
    for words in ["a gore frog", "a GORE frog", "a g\u{200b}0re frog", "a gоre frog", "a {gore, calm} frog --seed 7"] {
        let asked = imagine(&linus, CHANNEL, words).await;
        if words.contains('{') {
            let question = answer(&linus, CHANNEL, &asked).await;
            linus.press(id(&question), &buttons(&question)[0][0]).await.expect("sent");
            message_with(&linus, BLOCKED).await;
        } else {
            is_refused(&linus, CHANNEL, &asked, BLOCKED).await;
        }
    }
    for button in ["V1", "🔄"] {
        is_refused(&linus, CHANNEL, &linus.press(id(&grid), button).await.expect("sent"), BLOCKED).await;
    }
    let opened = form(&linus, &fine, "✏️").await;
    let sent = linus.submit(&opened, &[("prompt0", "gore"), ("negative0", ""), ("parameters0", "")]).await.expect("sent");
    is_refused(&linus, CHANNEL, &sent, BLOCKED).await;
    // Another word, another place, and what stays away from it.
    draws(&linus, CHANNEL, "a gorey frog --no gore").await;
    draws(&linus, OTHER, "a gore frog").await;
    draws(&linus, "dm", "a gore frog").await;
    said(ada, "admin words block", &[("word", json!("gore")), ("in_negative", json!(true))]).await;
    is_refused(&linus, CHANNEL, &imagine(&linus, CHANNEL, "a frog --no gore").await, BLOCKED).await;
    said(ada, "admin words block", &[("word", json!("gore")), ("everywhere", json!(true))]).await;
    is_refused(&linus, "dm", &imagine(&linus, "dm", "a gore frog").await, BLOCKED).await;
    for (word, sentence) in [("/(/", "That is no regular expression"), ("--", "There is no letter in that.")] {
        let told = said(ada, "admin words block", &[("word", json!(word))]).await;
        assert!(content(&told).starts_with(sentence), "{}", content(&told));
    }
    studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn moderators_let_a_line_through_once() {
    let studio = Studio::open(Mode::Plain, |_| {}).await;
    let (ada, linus) = (&studio.ada, studio.visitor("linus").await);
    said(ada, "admin words block", &[("word", json!("gore"))]).await;
    let asked = imagine(&linus, CHANNEL, "a gore frog").await;
    let refused = answer(&linus, CHANNEL, &asked).await;
    assert!(!buttons(&refused).iter().flatten().any(|label| label == "Ask the moderators"), "nobody is asked yet");
    let here = channel_id(ada, CHANNEL).await;
    said(ada, "admin moderators", &[("channel", json!(here))]).await;
    let asked = imagine(&linus, CHANNEL, "a gore frog").await;
    let refused = answer(&linus, CHANNEL, &asked).await;
    linus.press(id(&refused), "Ask the moderators").await.expect("sent");
    let appeal = message_with(ada, "asks whether this may be drawn").await;
    assert!(content(&appeal).contains("\n> a gore frog"), "{appeal}");
    // Whoever asks does not decide.
    linus.press(id(&appeal), "Let it through once").await.expect("sent");
    told(&linus, "Only people who may manage this server or its messages can do that.").await;
    is_refused(&linus, CHANNEL, &imagine(&linus, CHANNEL, "a gore frog").await, BLOCKED).await;
    ada.press(id(&appeal), "Let it through once").await.expect("sent");
    message_with(ada, "let it through once.").await;
    let state = studio.running.bot.app.jobs.approved(GuildId(GUILD), storage::UserId(LINUS), "a gore frog").await.expect("readable");
    assert!(state.is_some());
    is_refused(&linus, CHANNEL, &imagine(&linus, CHANNEL, "a gore owl").await, BLOCKED).await;
    draws(&linus, CHANNEL, "a gore frog").await;
    is_refused(&linus, CHANNEL, &imagine(&linus, CHANNEL, "a gore frog").await, BLOCKED).await;
    let appeal = studio.running.bot.app.jobs.appeal(state.expect("one")).await.expect("readable").expect("kept");
    assert_eq!(appeal.state, AppealState::Used);
    studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_are_reported_and_the_book_tells_who_did_what() {
    let studio = Studio::open(Mode::Plain, |_| {}).await;
    let (ada, linus) = (&studio.ada, studio.visitor("linus").await);
    let grid = draws(ada, CHANNEL, "a frog").await;
    let asked = linus.menu(CHANNEL, "Report this picture", id(&grid)).await.expect("chosen");
    is_refused(&linus, CHANNEL, &asked, "have not said where moderators are asked").await;
    let here = channel_id(ada, CHANNEL).await;
    said(ada, "admin moderators", &[("channel", json!(here))]).await;
    let asked = linus.menu(CHANNEL, "Report this picture", id(&grid)).await.expect("chosen");
    is_refused(&linus, CHANNEL, &asked, "The moderators of this server know of it now.").await;
    let report = message_with(ada, "reports a picture of").await;
    assert!(content(&report).contains(&format!("/{here}/{}", id(&grid))), "{report}");
    for n in 0..12 {
        said(ada, "admin words block", &[("word", json!(format!("word{n}")))]).await;
    }
    let book = said(ada, "admin audit", &[]).await;
    assert!(content(&book).lines().count() == 10 && content(&book).contains("blocked the word `word11`"), "{book}");
    ada.press(id(&book), "Older ▶").await.expect("sent");
    let older = message_with(ada, "reported a picture: https://discord.com/channels/").await;
    assert_eq!(id(&older), id(&book));
    assert!(
        content(&older).contains(&format!("<@{LINUS}> reported")) && content(&older).contains("set the moderators' channel"),
        "{older}"
    );
    studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_drains_bans_and_reloads_without_a_shell() {
    let studio = Studio::open(Mode::Plain, |_| {}).await;
    let (ada, linus) = (&studio.ada, studio.visitor("linus").await);
    let person = ("person", json!(LINUS.to_string()));
    let told = said(ada, "admin owner drain", &[]).await;
    assert!(content(&told).starts_with("I take no new jobs."), "{told}");
    for (visitor, place) in [(ada, CHANNEL), (&linus, OTHER), (&linus, "dm")] {
        is_refused(visitor, place, &imagine(visitor, place, "a frog").await, "I take no new jobs just now").await;
    }
    said(ada, "admin owner open", &[]).await;
    draws(&linus, "dm", "a frog").await;
    said(ada, "admin owner ban", std::slice::from_ref(&person)).await;
    is_refused(&linus, "dm", &imagine(&linus, "dm", "a frog").await, "You may not draw with me").await;
    said(ada, "admin owner unban", &[person]).await;
    draws(&linus, "dm", "a frog").await;
    let told = said(ada, "admin owner reload", &[]).await;
    assert!(content(&told).starts_with("I have looked at my files: "), "{told}");
    studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guild_that_is_left_begins_anew() {
    let studio = Studio::open(Mode::Plain, |_| {}).await;
    let (ada, jobs) = (&studio.ada, &studio.running.bot.app.jobs);
    said(ada, "admin words block", &[("word", json!("gore"))]).await;
    said(ada, "admin draw set", &[("pause", json!(3600))]).await;
    let guild = GuildId(GUILD);
    studio.running.stand_in.world().remove_guild(&GUILD.to_string());
    let gone = async {
        while !jobs.blocked_words(guild).await.expect("readable").is_empty() {
            pause().await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("its words go");
    assert_eq!(jobs.draw_rules(guild).await.expect("readable"), []);
    assert_eq!(jobs.audit(guild, None, 0, 9).await.expect("readable").0, []);
    studio.running.stand_in.world().restore_guild(&GUILD.to_string());
    draws(ada, CHANNEL, "a gore frog").await;
    draws(ada, CHANNEL, "a gore owl").await;
    studio.close().await;
}
