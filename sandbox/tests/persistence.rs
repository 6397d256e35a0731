//! What outlives a process that is cut off.

use crate::support::*;
use reqwest::Method;
use sandbox::{Clock, Fault, FaultKind, ManualClock, Sandbox, Visitor};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

const CHILD_DIR: &str = "SANDBOX_TEST_CHILD_DIR";

fn ping() -> Value {
    json!([{ "name": "ping", "description": "Answers" }])
}

#[tokio::test]
async fn a_second_start_goes_on_where_the_first_was_cut_off() {
    let dir = tempfile::tempdir().expect("a directory");
    let clock = ManualClock::new();
    let start = async || Sandbox::start_with_clock(config(Some(dir.path())), Clock::Manual(clock.clone())).await.expect("it starts");
    let first = start().await;
    let rest = Rest::new(&first);
    rest.register(ping()).await;
    let mut gateway = Gateway::ready(&first).await;
    let ada = Visitor::connect(first.url(), "ada").await.expect("ada is here");
    ada.slash("general", "ping", &[]).await.expect("the command is known");
    let answered = gateway.interaction().await;
    rest.defer(&answered).await;
    let files = [("grid.png", png())];
    let grid = rest.upload(Method::PATCH, &original(&answered), json!({ "content": "grid" }), &files).await.body;
    ada.slash("general", "ping", &[]).await.expect("the command is known");
    let waiting = gateway.interaction().await;
    // Cut off without a shutdown, as a killed process is.
    drop(first);

    let second = start().await;
    let rest = Rest::new(&second);
    let ada = Visitor::connect(second.url(), "ada").await.expect("ada is here");
    let messages = ada.messages("general").await.expect("ada reads");
    assert_eq!(messages.len(), 1);
    assert_eq!((&messages[0]["id"], &messages[0]["content"]), (&grid["id"], &json!("grid")));
    assert!(text(&messages[0]["attachments"][0], "url").starts_with(second.url()), "addresses are signed anew");
    assert_eq!(ada.attachment_bytes(&messages[0], 0).await.expect("the picture is served"), png());
    assert_eq!(ada.state().await.expect("the sandbox answers")["commands"][0]["name"], "ping");

    let edited = rest.patch(&original(&answered), json!({ "content": "grid, later" })).await;
    assert_eq!((edited.status, &edited.body["attachments"][0]["filename"]), (200, &json!("grid.png")));
    assert_eq!(rest.answer(&answered, json!({ "type": 5 })).await.body["code"], 40060, "what was answered stays answered");
    rest.defer(&waiting).await;
    let id = |value: &Value| text(value, "id").parse::<u64>().expect("an id");
    let newest = rest.get(&original(&waiting)).await.body;
    assert!(id(&newest) > id(&waiting) && id(&waiting) > id(&grid), "ids only grow");

    clock.advance(Duration::from_secs(15 * 60 + 1));
    assert_eq!(rest.patch(&original(&answered), json!({ "content": "too late" })).await.body["code"], 50027);
    assert!(ada.events(1, Duration::ZERO).await.is_err(), "events of the first process are forgotten, and that is said");
    second.shutdown().await;
}

#[tokio::test]
async fn ids_never_repeat_when_the_clock_stands_still_or_runs_back() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut newest = 0;
    for _ in 0..3 {
        // Each start has a clock of its own that stands still.
        let clock = Clock::Manual(ManualClock::new());
        let sandbox = Sandbox::start_with_clock(config(Some(dir.path())), clock).await.expect("it starts");
        let rest = Rest::new(&sandbox);
        for _ in 0..5 {
            let sent = rest.post(&format!("/channels/{GENERAL}/messages"), json!({ "content": "x" })).await.body;
            let id = text(&sent, "id").parse::<u64>().expect("an id");
            assert!(id > newest);
            newest = id;
        }
        drop(sandbox);
    }
}

/// Not a test of its own: with the variable set, this process is the sandbox that another test kills.
#[tokio::test]
async fn run_as_the_killed_process() {
    let Some(dir) = std::env::var_os(CHILD_DIR) else { return };
    let sandbox = Sandbox::start(config(Some(Path::new(&dir)))).await.expect("it starts");
    writeln!(std::io::stdout(), "\nlistening {}", sandbox.url()).expect("the parent reads");
    std::future::pending::<()>().await;
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // The test may have killed it already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn a_killed_process_loses_nothing_that_it_confirmed() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut command = Command::new(std::env::current_exe().expect("this test"));
    let child = command
        .args(["--exact", "persistence::run_as_the_killed_process", "--nocapture"])
        .env(CHILD_DIR, dir.path())
        .stdout(Stdio::piped());
    let mut child = Killed(child.spawn().expect("the test starts itself"));
    let lines = BufReader::new(child.0.stdout.take().expect("its output")).lines();
    let url = lines.map_while(Result::ok).find_map(|line| line.strip_prefix("listening ").map(str::to_owned)).expect("it listens");
    let rest = Rest::at(&url);
    let mut ids = Vec::new();
    for n in 0..20 {
        let path = format!("/channels/{GENERAL}/messages");
        let sent = rest.upload(Method::POST, &path, json!({ "content": n.to_string() }), &[("a.png", png())]).await;
        assert_eq!(sent.status, 200);
        ids.push(text(&sent.body, "id").to_owned());
    }
    child.0.kill().expect("it is killed");
    child.0.wait().expect("it ends");

    let sandbox = Sandbox::start(config(Some(dir.path()))).await.expect("it starts");
    let ada = Visitor::connect(sandbox.url(), "ada").await.expect("ada is here");
    let messages = ada.messages("general").await.expect("ada reads");
    assert_eq!(messages.iter().map(|message| text(message, "id").to_owned()).collect::<Vec<_>>(), ids);
    for message in &messages {
        assert_eq!(ada.attachment_bytes(message, 0).await.expect("the picture is served"), png());
    }
}

#[tokio::test]
async fn what_was_taken_from_the_bot_stays_taken_after_a_restart() {
    let dir = tempfile::tempdir().expect("a directory");
    let sandbox = Sandbox::start(config(Some(dir.path()))).await.expect("it starts");
    let linus = Visitor::connect(sandbox.url(), "linus").await.expect("linus is here");
    let guild = Some("1000000000000000100".to_owned());
    let studio = Some("1000000000000000200".to_owned());
    sandbox.fault(Fault { guild, ..Fault::new(FaultKind::GuildRemoved) }).expect("the guild is known");
    let permission = Some("ATTACH_FILES".to_owned());
    sandbox.fault(Fault { guild: studio, permission, ..Fault::new(FaultKind::PermissionRemoved) }).expect("both are known");
    sandbox.fault(Fault { ms: Some(1), ..Fault::new(FaultKind::Latency) }).expect("it makes sense");
    let url = format!("{}/sandbox/api/people/{}", sandbox.url(), linus.user_id());
    let refusal = Rest::new(&sandbox).client.post(url).json(&json!({ "accepts_dms": false })).send().await.expect("it answers");
    assert_eq!(refusal.status(), 200);
    sandbox.shutdown().await;

    let sandbox = Sandbox::start(config(Some(dir.path()))).await.expect("it starts");
    let rest = Rest::new(&sandbox);
    assert_eq!(rest.get("/guilds/1000000000000000100").await.body["code"], 10004);
    let file = rest.upload(Method::POST, "/channels/1000000000000000210/messages", json!({}), &[("a.png", png())]).await;
    assert_eq!(file.body["code"], 50013);
    let dm = rest.post("/users/@me/channels", json!({ "recipient_id": linus.user_id() })).await.body;
    assert_eq!(rest.post(&format!("/channels/{}/messages", text(&dm, "id")), json!({ "content": "psst" })).await.body["code"], 50007);
    let faults = format!("{}/sandbox/api/control/faults", sandbox.url());
    let listed: Value = rest.client.get(&faults).send().await.expect("it answers").json().await.expect("JSON");
    let kinds: Vec<&str> = listed["active"].as_array().expect("a list").iter().map(|fault| text(fault, "kind")).collect();
    assert_eq!(kinds, ["guild_removed", "permission_removed"], "what happens to connections ends with the process");
    assert!(listed["standing"].as_array().is_some_and(|standing| standing.contains(&json!("guild_removed"))));
    rest.client.delete(&faults).send().await.expect("it answers");
    sandbox.shutdown().await;

    let sandbox = Sandbox::start(config(Some(dir.path()))).await.expect("it starts");
    assert_eq!(Rest::new(&sandbox).get("/guilds/1000000000000000100").await.status, 200, "what is given back stays so");
}
