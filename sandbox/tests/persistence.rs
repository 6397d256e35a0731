//! What outlives a process that is cut off.

mod support;

use reqwest::Method;
use sandbox::{Clock, ManualClock, Sandbox, Visitor};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};
use support::*;

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
    let child = command.args(["--exact", "run_as_the_killed_process", "--nocapture"]).env(CHILD_DIR, dir.path()).stdout(Stdio::piped());
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
