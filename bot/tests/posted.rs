//! What the bot posts of people's words, and what it tells Discord of its options.

use crate::support::*;
use serde_json::{Value, json};

/// Words that would ping, lead away, hide or turn.
const WORDS: &str = "@everyone @here <@1000000000000000001> <@&1000000000000000002> https://evil.example/x discord.gg/abcdef \u{202e}turned\u{2066}\u{200b}";

/// The stand-in's journal: what the bot asked for.
async fn requests(studio: &Studio) -> Vec<Value> {
    let url = format!("{}/sandbox/api/control/journal?after=0&limit=1000", studio.running.stand_in.url());
    let text = reqwest::get(url).await.expect("it answers").text().await.expect("text");
    let journal: Value = serde_json::from_str(&text).expect("JSON");
    journal["lines"].as_array().expect("lines").iter().filter(|line| line["kind"] == "rest").cloned().collect()
}

fn is_hidden(c: char) -> bool {
    matches!(c, '\u{200b}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Nothing that the bot asked Discord to post pings, unfurls or hides; how many messages that were.
async fn check_all_posted(studio: &Studio) -> usize {
    let mut n_posted = 0;
    for line in requests(studio).await {
        let Some(body) = [&line["request"]["data"], &line["request"]].into_iter().find(|body| body["content"].is_string()) else {
            continue;
        };
        n_posted += 1;
        let allowed = &body["allowed_mentions"];
        let is_empty = |field: &str| allowed[field].as_array().is_none_or(Vec::is_empty);
        assert!(allowed["parse"].is_array() && ["parse", "users", "roles"].into_iter().all(is_empty), "{line}");
        let has_boxes = body["embeds"].as_array().is_some_and(|embeds| !embeds.is_empty());
        assert!(has_boxes || body["flags"].as_u64().unwrap_or_default() & 4 == 4, "links unfurl: {line}");
        assert!(!body.to_string().contains(is_hidden), "{line}");
    }
    n_posted
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_somebody_typed_pings_unfurls_or_hides() {
    let studio = Studio::open(Mode::Plain, |_| {}).await;
    let ada = &studio.ada;
    let text = format!("a frog {WORDS} --no {WORDS} --seed 7");
    ada.slash(CHANNEL, "imagine", &prompt(&text)).await.expect("sent");
    let grid = nth_grid(ada, 1).await;
    ada.press(id(&grid), "V1").await.expect("sent");
    nth_grid(ada, 2).await;
    ada.press(id(&grid), "🔄").await.expect("sent");
    nth_grid(ada, 3).await;
    ada.press(id(&grid), "U1").await.expect("sent");
    message_with(ada, "1024 × 1024 pixels").await;
    ada.slash(CHANNEL, "imagine", &prompt(&format!("a frog --model {WORDS}"))).await.expect("sent");
    told(ada, "stands after").await;
    ada.slash(CHANNEL, "imagine", &prompt(&format!("a frog --steps 4 <lora:{WORDS}:1>"))).await.expect("sent");
    told(ada, "lora").await;
    ada.slash(CHANNEL, "history", &[("everyone", json!(true))]).await.expect("sent");
    let history = told(ada, "newest first").await;
    for embed in history["embeds"].as_array().expect("entries") {
        let title = embed["description"].as_str().and_then(|text| text.lines().next()).unwrap_or_default();
        assert!(!title.contains("s://evil") && !title.contains("discord.gg"), "{history}");
    }

    let n_posted = check_all_posted(&studio).await;
    assert!(n_posted >= 10, "{n_posted}");
    let hidden = is_hidden;
    let messages = ada.messages(CHANNEL).await.expect("readable");
    for message in messages {
        assert_eq!((&message["mentions"], &message["mention_everyone"]), (&json!([]), &json!(false)), "{message}");
        let title = content(&message).lines().next().unwrap_or_default().split('`').next().unwrap_or_default();
        assert!(!title.contains("s://evil") && !title.contains("discord.gg"), "{title}");
        for attachment in message["attachments"].as_array().into_iter().flatten() {
            assert!(!attachment["description"].as_str().unwrap_or_default().contains(hidden), "{attachment}");
        }
    }
    studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_among_the_options_have_the_range_that_is_checked() {
    let studio = Studio::open(Mode::Plain, |config| config.limits.max_steps = 37).await;
    let state = studio.ada.state().await.expect("the stand-in answers");
    let commands = state["commands"].as_array().expect("commands");
    let imagine = commands.iter().find(|command| command["name"] == "imagine").expect("it is registered");
    let range = |name: &str| {
        let option = imagine["options"].as_array().expect("options").iter().find(|option| option["name"] == name).expect("the option");
        (option["min_value"].as_f64(), option["max_value"].as_f64())
    };
    assert_eq!(range("steps"), (Some(1.0), Some(37.0)));
    assert_eq!(range("cfg"), (Some(0.0), Some(30.0)), "0 is off where a family says so");
    assert_eq!(range("seed"), (Some(0.0), Some(9_007_199_254_740_991.0)));
    studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_in_time_out_says_so() {
    let studio = Studio::open(Mode::Plain, |_| {}).await;
    let ada = &studio.ada;
    let state = ada.state().await.expect("the stand-in answers");
    let body = json!({ "user": ada.user_id(), "guild": state["guilds"][0]["id"], "member": state["bot"]["id"], "seconds": 600 });
    let url = format!("{}/sandbox/api/timeouts", studio.running.stand_in.url());
    let asked = reqwest::Client::new().post(url).header("content-type", "application/json").body(body.to_string());
    let answered = asked.send().await.expect("it answers");
    assert!(answered.status().is_success(), "{answered:?}");
    ada.slash(CHANNEL, "imagine", &prompt("a frog")).await.expect("sent");
    told(ada, "I am in time-out in this server").await;
    studio.close().await;
}

/// Each place that takes words of people, with words in them that would do something.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_managers_moderators_and_those_who_are_refused_typed_pings_unfurls_or_hides() {
    let studio = Studio::open(Mode::Plain, |_| {}).await;
    let ada = &studio.ada;
    let said = async |command: &str, options: &[(&str, Value)]| {
        let asked = ada.slash(CHANNEL, command, options).await.unwrap_or_else(|error| panic!("{command}: {error}"));
        let is_it =
            |message: &&Value| message["interaction_metadata"]["id"] == asked.0 && message["flags"].as_u64().unwrap_or_default() & 128 == 0;
        ada.wait_for(CHANNEL, PATIENCE, |messages| messages.iter().find(is_it).cloned()).await.expect("it is answered")
    };
    let state = ada.state().await.expect("readable");
    let channels = state["guilds"][0]["channels"].as_array().expect("channels");
    let here = channels.iter().find(|channel| channel["name"] == CHANNEL).expect("a channel")["id"].clone();
    let short: String = WORDS.chars().take(90).collect();
    said("admin moderators", &[("channel", here)]).await;
    said("imagine", &prompt("a frog --images 1 --steps 2")).await;
    nth_grid_or_picture(ada).await;
    for options in [
        vec![("word", json!(short))],
        vec![("word", json!("turned")), ("in_negative", json!(true))],
        vec![("word", json!(format!("/{short}(/")))],
    ] {
        said("admin words block", &options).await;
    }
    said("admin words unblock", &[("word", json!(format!("{WORDS}!").chars().take(95).collect::<String>()))]).await;
    said("admin words show", &[]).await;
    said("admin draw set", &[("models", json!(WORDS))]).await;
    said("admin draw set", &[("role", json!("1000000000000000102")), ("pause", json!(1))]).await;
    let refused = said("imagine", &prompt(&format!("a frog {WORDS}"))).await;
    ada.press(id(&refused), "Ask the moderators").await.expect("sent");
    let appeal = message_with(ada, "asks whether this may be drawn").await;
    ada.press(id(&appeal), "Do not").await.expect("sent");
    message_with(ada, "did not let it through").await;
    said("imagine", &prompt(&format!("a {{frog, owl}} {WORDS}"))).await;
    said("admin audit", &[]).await;
    said("privacy export", &[]).await;
    said("privacy delete", &[]).await;
    let n_posted = check_all_posted(&studio).await;
    assert!(n_posted >= 15, "{n_posted}");
    for message in ada.messages(CHANNEL).await.expect("readable") {
        assert_eq!((&message["mentions"], &message["mention_everyone"]), (&json!([]), &json!(false)), "{message}");
    }
    studio.close().await;
}

/// Waits for the picture.
async fn nth_grid_or_picture(ada: &sandbox::Visitor) {
    let has_picture = |message: &&Value| message["attachments"][0].is_object();
    ada.wait_for(CHANNEL, PATIENCE, |messages| messages.iter().find(has_picture).map(|_| ())).await.expect("it is drawn");
}
