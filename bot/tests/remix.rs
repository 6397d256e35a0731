//! ✏️: what was typed is never lost, and what was drawn is drawn with changes.

use std::time::Duration;

use crate::support::*;
use atelier::{buttons::custom_id::ButtonAction, config::Config};
use inference::task::Task;
use sandbox::{Clock, InteractionId, ManualClock, Visitor};
use serde_json::{Value, json};
use storage::{GuildId, HistoryFilter, Job, Timestamp};

in_both_modes! {
    a_grid_is_drawn_again_with_what_was_changed_and_nothing_else,
    a_refused_form_opens_again_as_it_was_sent,
}

const GENERAL: &str = "1000000000000000110";

/// The form that opens at a press.
pub async fn form(person: &Visitor, message: &Value, button: &str) -> Value {
    let seq = person.seq().await.expect("the stand-in counts");
    person.press(id(message), button).await.expect("sent");
    let opened = |kind: &str, data: &Value| (kind == "modal").then(|| data.clone());
    person.wait_for_event(seq, PATIENCE, opened).await.unwrap_or_else(|error| panic!("no form for {button}: {error}"))
}

/// The fields of a form and what they hold.
pub fn fields(form: &Value) -> Vec<(String, String)> {
    let rows = form["components"].as_array().expect("rows");
    let text = |input: &Value, field: &str| input[field].as_str().unwrap_or_default().to_owned();
    rows.iter().map(|row| &row["components"][0]).map(|input| (text(input, "custom_id"), text(input, "value"))).collect()
}

/// What the fields of one kind hold together.
pub fn joined(form: &Value, kind: &str) -> String {
    fields(form).into_iter().filter(|(name, _)| name.starts_with(kind)).map(|(_, value)| value).collect()
}

/// Sends a form as it is but for some fields.
pub async fn send(person: &Visitor, form: &Value, changed: &[(&str, &str)]) -> InteractionId {
    let all = fields(form).into_iter().map(|(name, value)| {
        let new = changed.iter().find(|(known, _)| *known == name).map_or(value, |(_, value)| (*value).to_owned());
        (name, new)
    });
    let all: Vec<(String, String)> = all.collect();
    let all: Vec<(&str, &str)> = all.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    person.submit(form, &all).await.expect("the form is taken")
}

/// Waits for the answer to a command, a press or a form.
async fn answer(person: &Visitor, interaction: &str) -> Value {
    let is_answer = |message: &&Value| message["interaction_metadata"]["id"] == interaction && !content(message).is_empty();
    person.wait_for(CHANNEL, PATIENCE, |messages| messages.iter().find(is_answer).cloned()).await.expect("it is answered")
}

/// What has ended in the first guild, newest first.
async fn history(studio: &Studio) -> Vec<Job> {
    let state = studio.ada.state().await.expect("readable");
    let guild = GuildId(state["guilds"][0]["id"].as_str().and_then(|id| id.parse().ok()).expect("a guild"));
    studio.running.bot.app.jobs.history(HistoryFilter { guild, user: None, channels: None }, 0, 100).await.expect("readable").0
}

fn task(job: &Job) -> Task {
    serde_json::from_value(job.task.clone()).expect("a task")
}

/// What people type: one line and several, marks, emoji, more than a field takes, every option.
fn typed() -> Vec<Vec<(&'static str, Value)>> {
    let long = format!("{}\n`\"{}", "a frog in the rain, ".repeat(220), "🐸".repeat(700));
    vec![
        vec![("prompt", json!("a frog --sede 7"))],
        vec![("prompt", json!("a \"frog\"\nin `the` rain 👩‍🚀 ** _ ~ | \\ --no 'leaves' --ar 0:2"))],
        vec![("prompt", json!(format!("{long} --ar 0:2")))],
        vec![("prompt", json!("x".repeat(6000))), ("negative", json!("y".repeat(2000))), ("aspect", json!("0:2"))],
        vec![
            ("prompt", json!("a frog")),
            ("negative", json!("text, `people`\n\"signs\"")),
            ("cfg", json!(7.5)),
            ("steps", json!(30)),
            ("seed", json!(7)),
            ("aspect", json!("0 : 2")),
            ("sampler", json!("DPM++ 2M Karras")),
            ("model", json!("starter")),
        ],
    ]
}

fn option<'a>(options: &'a [(&str, Value)], name: &str) -> &'a str {
    options.iter().find(|(known, _)| *known == name).and_then(|(_, value)| value.as_str()).unwrap_or_default()
}

fn check(form: &Value, options: &[(&str, Value)]) {
    assert_eq!(joined(form, "prompt"), option(options, "prompt"));
    assert_eq!(joined(form, "negative"), option(options, "negative"));
    let parameters = joined(form, "parameters");
    for (name, value) in options.iter().filter(|(name, _)| !matches!(*name, "prompt" | "negative")) {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let shown = [format!("--{name} {value}"), format!("--{name} \"{value}\"")];
        assert!(shown.iter().any(|shown| parameters.contains(shown)), "{name}: {value} is not in {parameters:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_is_opened_to_the_letter_also_after_a_restart() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let change = |config: &mut Config| config.data.dir = folder.path().to_owned();
    let studio = Studio::open(Mode::Plain, change).await;
    let mut refused = Vec::new();
    for options in typed() {
        let asked = studio.ada.slash(CHANNEL, "imagine", &options).await.expect("sent");
        let message = answer(&studio.ada, &asked.0).await;
        assert_eq!((buttons(&message), message["flags"].as_u64().unwrap_or(0) & 64), (vec![vec!["Remix".to_owned()]], 64), "{message}");
        check(&form(&studio.ada, &message, "Remix").await, &options);
        refused.push((message, options));
    }
    studio.close().await;

    let studio = Studio::open(Mode::Plain, change).await;
    for (message, options) in refused {
        check(&form(&studio.ada, &message, "Remix").await, &options);
    }
    studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_refusal_keeps_what_was_typed() {
    type Change = fn(&mut Config);
    let kinds: [(&str, Change, &str); 7] = [
        ("a prompt", |_| {}, "--seed"),
        ("the quota", |config| config.limits.daily_row_megapixels = 0.01, "New pictures come"),
        ("a job's size", |config| config.limits.max_row_megapixels_per_job = 0.01, "times as large as one job may be"),
        ("jobs at once", |config| config.limits.max_active_per_user = 0, "the most at once"),
        ("the queue", |config| config.limits.max_queued = 0, "My queue is full"),
        ("the disk", |config| config.data.min_free_mib = u64::MAX, "My disk is nearly full"),
        ("the guilds", |config| config.limits.guilds = vec![5], "I do not draw for this server"),
    ];
    for (kind, change, sentence) in kinds {
        let studio = Studio::open(Mode::Plain, change).await;
        let text = if kind == "a prompt" { "a `frog`\n\"🐸\" --sede 7" } else { "a `frog`\n\"🐸\" --seed 7" };
        let options = [("prompt", json!(text)), ("negative", json!("leaves")), ("steps", json!(9))];
        studio.ada.slash(CHANNEL, "imagine", &options).await.expect("sent");
        let message = told(&studio.ada, sentence).await;
        check(&form(&studio.ada, &message, "Remix").await, &options);
        studio.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_typed_is_its_writers_for_a_day() {
    let clock = ManualClock::new();
    let studio = Studio::open_with_clock(Mode::Plain, Clock::Manual(clock.clone()), |_| {}).await;
    let (ada, linus, jobs) = (&studio.ada, studio.visitor("linus").await, &studio.running.bot.app.jobs);
    ada.slash(CHANNEL, "imagine", &prompt("a frog --sede 7")).await.expect("sent");
    let message = told(ada, "--seed").await;
    let custom_id = message["components"][0]["components"][0]["custom_id"].as_str().expect("a button");
    let Ok(ButtonAction::Reopen { draft }) = custom_id.parse() else { panic!("{custom_id}") };
    // Where everybody can press it.
    let row = json!([{ "type": 1, "components": [{ "type": 2, "style": 2, "label": "Theirs", "custom_id": custom_id }] }]);
    let url = format!("{}/api/v10/channels/{GENERAL}/messages", studio.running.stand_in.url());
    let client = reqwest::Client::builder().no_proxy().build().expect("a plain client");
    let post = client.post(url).header("authorization", format!("Bot {}", studio.running.stand_in.token()));
    let posted = post.json(&json!({ "content": "for all", "components": row })).send().await.expect("it answers");
    assert!(posted.status().is_success(), "{}", posted.text().await.expect("text"));
    let public = message_with(ada, "for all").await;
    linus.press(id(&public), "Theirs").await.expect("sent");
    told(&linus, "Only the person who typed that can open it.").await;
    assert_eq!(joined(&form(ada, &public, "Theirs").await, "prompt"), "a frog --sede 7");

    clock.advance(Duration::from_secs(25 * 3600));
    ada.press(id(&public), "Theirs").await.expect("sent");
    told(ada, "that day is over").await;
    let is_forgotten = async {
        while jobs.draft(draft).await.expect("readable").is_some() {
            pause().await;
        }
    };
    tokio::time::timeout(PATIENCE, is_forgotten).await.expect("its row goes");
    studio.close().await;
}

async fn a_grid_is_drawn_again_with_what_was_changed_and_nothing_else(mode: Mode) {
    let studio = Studio::open(mode, |_| {}).await;
    let ada = &studio.ada;
    let text = "a frog --ar 3:2 --steps 3 --cfg 3.5 --sampler euler_a --schedule karras --clip-skip 1 --rescale 0.5 --tile --images 2 \
                --no leaves --seed 7";
    ada.slash(CHANNEL, "imagine", &prompt(text)).await.expect("sent");
    let grid = nth_grid(ada, 1).await;
    let opened = form(ada, &grid, "Remix").await;
    let expected = [
        ("prompt0", "a frog"),
        ("negative0", "leaves"),
        (
            "parameters0",
            "--ar 3:2 --steps 3 --cfg 3.5 --rescale 0.5 --sampler euler_a --schedule karras --clip-skip 1 --tile --images 2 --seed 7",
        ),
    ];
    assert_eq!(fields(&opened), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    send(ada, &opened, &[("prompt0", "a \"green\"\nfrog 🐸")]).await;
    let again = nth_grid(ada, 2).await;
    assert!(content(&again).starts_with("**a \"green\" frog 🐸** `--ar 3:2"), "{}", content(&again));
    let jobs = history(&studio).await;
    let (mut before, after) = (task(&jobs[1]), task(&jobs[0]));
    before.base_mut().expect("it draws").prompt = "a \"green\" frog 🐸".to_owned();
    assert_eq!(after, before);
    assert_eq!(jobs[0].action, "remix");

    // Somebody else, without a change: the same pictures.
    let grace = studio.visitor("grace").await;
    let opened = form(&grace, &grid, "Remix").await;
    send(&grace, &opened, &[]).await;
    nth_grid(ada, 3).await;
    let jobs = history(&studio).await;
    assert_eq!((task(&jobs[0]), jobs[0].user.0.to_string()), (task(&jobs[2]), grace.user_id().to_owned()));

    // Variations stay of the same picture.
    ada.press(id(&grid), "V2").await.expect("sent");
    let varied = message_with(ada, "Finished").await;
    let varied = if content(&varied).contains("Variation of") { varied } else { message_with(ada, "Variation of").await };
    let varied = ada
        .wait_for(CHANNEL, PATIENCE, |messages| messages.iter().find(|message| id(message) == id(&varied) && is_grid(message)).cloned())
        .await
        .expect("drawn");
    send(ada, &form(ada, &varied, "Remix").await, &[("prompt0", "a strawberry")]).await;
    let changed = message_with(ada, "of a strawberry").await;
    assert!(content(&changed).starts_with("**Variation of [picture 2](http"), "{}", content(&changed));
    nth_grid(ada, 5).await;
    let jobs = history(&studio).await;
    assert_eq!((task(&jobs[0]).source(), task(&jobs[0]).strength()), (task(&jobs[1]).source(), task(&jobs[1]).strength()));
    studio.close().await;
}

async fn a_refused_form_opens_again_as_it_was_sent(mode: Mode) {
    let studio = Studio::open(mode, |config| config.limits.max_row_megapixels_per_job = 2.0).await;
    let ada = &studio.ada;
    ada.slash(CHANNEL, "imagine", &prompt("a frog --seed 7")).await.expect("sent");
    let grid = nth_grid(ada, 1).await;
    let mut source = grid.clone();
    for (changed, sentence) in [
        ([("prompt0", "a `frog`\n🐸"), ("parameters0", "--steps 0")], "the steps must be"),
        ([("prompt0", "a \"frog\""), ("parameters0", "3:2 --seed 7")], "`3:2` is not a parameter"),
        ([("prompt0", "a frog --cfg 2"), ("parameters0", "--cfg 3")], "contradict"),
        ([("negative0", "leaves --steps 3"), ("parameters0", "--seed 8")], "negative prompt"),
        ([("negative0", "leaves"), ("parameters0", "--steps 100 --hires 4")], "times as large as one job may be"),
    ] {
        let opened = form(ada, &source, "Remix").await;
        send(ada, &opened, &changed).await;
        let refused = told(ada, sentence).await;
        let again = form(ada, &refused, "Remix").await;
        for (name, value) in fields(&again) {
            let before = fields(&opened).into_iter().find(|(known, _)| *known == name).map(|(_, value)| value);
            let expected = changed.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()).or(before);
            assert_eq!(Some(value), expected, "{name} after {sentence}");
        }
        source = refused;
    }
    // What is mended at last is drawn.
    send(ada, &form(ada, &source, "Remix").await, &[("negative0", ""), ("parameters0", "--steps 2 --seed 9")]).await;
    let grid = nth_grid(ada, 2).await;
    assert!(content(&grid).contains("--seed 9"), "{}", content(&grid));
    studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_whose_draft_is_gone_loses_nothing() {
    let studio = Studio::open(Mode::Plain, |_| {}).await;
    let (ada, jobs) = (&studio.ada, &studio.running.bot.app.jobs);
    ada.slash(CHANNEL, "imagine", &prompt("a frog --seed 7")).await.expect("sent");
    let opened = form(ada, &nth_grid(ada, 1).await, "Remix").await;
    assert_eq!(jobs.forget_drafts(Timestamp(i64::MAX)).await.expect("writable"), 1);
    send(ada, &opened, &[("prompt0", "a frog that nobody types twice")]).await;
    let refused = told(ada, "that day is over").await;
    let again = form(ada, &refused, "Remix").await;
    assert_eq!((joined(&again, "prompt"), joined(&again, "parameters")), ("a frog that nobody types twice".into(), "--seed 7".into()));
    send(ada, &again, &[]).await;
    assert!(content(&nth_grid(ada, 2).await).starts_with("**a frog that nobody types twice** `--seed 7`"));
    studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_button_offers_a_form_with_its_job() {
    let studio = Studio::open(Mode::Plain, |config| config.limits.max_row_megapixels_per_job = 0.25).await;
    let ada = &studio.ada;
    ada.slash(CHANNEL, "imagine", &prompt("a frog --images 1 --steps 20 --seed 7")).await.expect("sent");
    let grid = nth_grid(ada, 1).await;
    ada.press(id(&grid), "V1").await.expect("sent");
    let refused = told(ada, "Please lower").await;
    let opened = form(ada, &refused, "Remix").await;
    assert_eq!((joined(&opened, "prompt"), joined(&opened, "parameters")), ("a frog".into(), "--steps 20 --images 1 --seed 7".into()));
    studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_are_for_those_who_may_draw_when_they_open_and_when_they_are_sent() {
    let studio = Studio::open(Mode::Plain, |_| {}).await;
    let (ada, linus) = (&studio.ada, studio.visitor("linus").await);
    ada.slash(CHANNEL, "imagine", &prompt("a frog --seed 7")).await.expect("sent");
    let grid = nth_grid(ada, 1).await;
    let opened = form(&linus, &grid, "Remix").await;
    let state = ada.state().await.expect("readable");
    let found = state["commands"].as_array().and_then(|all| all.iter().find(|command| command["name"] == "imagine"));
    let body = json!({
        "guild": state["guilds"][0]["id"], "id": found.expect("it is registered")["id"],
        "permissions": [{ "id": linus.user_id(), "type": 2, "permission": false }],
    });
    let url = format!("{}/sandbox/api/control/command_permissions", studio.running.stand_in.url());
    let client = reqwest::Client::builder().no_proxy().build().expect("a plain client");
    assert!(client.put(url).json(&body).send().await.expect("it answers").status().is_success());
    send(&linus, &opened, &[("prompt0", "a frog of linus")]).await;
    let refused = told(&linus, "You may not use /imagine here").await;
    assert_eq!(joined(&form(&linus, &refused, "Remix").await, "prompt"), "a frog of linus");
    let press = linus.press(id(&grid), "Remix").await.expect("sent");
    assert!(content(&answer(&linus, &press.0).await).contains("You may not use /imagine here"));
    assert_eq!(history(&studio).await.len(), 1);
    studio.close().await;
}
