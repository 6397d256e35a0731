//! The journal has everything that passed between the bot, the stand-in and the people.

use crate::support::*;
use sandbox::{Sandbox, SandboxConfig, Visitor};
use serde_json::{Value, json};

async fn lines(sandbox: &Sandbox) -> Vec<Value> {
    let url = format!("{}/sandbox/api/control/journal?after=0&limit=1000&heartbeats=true", sandbox.url());
    let client = reqwest::Client::builder().no_proxy().build().expect("a plain client builds");
    let journal: Value = client.get(url).send().await.expect("the sandbox answers").json().await.expect("the journal is JSON");
    let lines = journal["lines"].as_array().expect("lines").clone();
    assert!(lines.iter().zip(1..).all(|(line, seq)| line["seq"] == seq && line["at_ms"].is_i64()), "{lines:?}");
    assert_eq!(journal["seq"], lines.len());
    lines
}

fn of<'a>(lines: &'a [Value], kind: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["kind"] == kind).collect()
}

/// What these fields of a line say.
fn fields(line: &Value, names: &[&str]) -> Value {
    names.iter().map(|name| line[*name].clone()).collect()
}

#[tokio::test]
async fn a_gateway_connection_is_written_down_from_its_opening_to_its_end() {
    let sandbox = start().await;
    let ada = Visitor::connect(sandbox.url(), "ada").await.expect("ada is here");
    let rest = Rest::new(&sandbox);
    rest.register(json!([{ "name": "ping", "description": "Answers" }])).await;
    let mut gateway = Gateway::open(&sandbox).await;
    gateway.identify_with(json!({ "intents": 0, "shard": [0, 1] })).await;
    ada.slash("general", "ping", &[]).await.expect("she may use it");
    let interaction = gateway.interaction().await;
    gateway.beat().await;
    gateway.send_bytes(b"no payload").await;
    assert_eq!(gateway.close_code().await, 4002);
    let lines = lines(&sandbox).await;
    let gateway: Vec<Value> =
        of(&lines, "gateway").iter().map(|line| fields(line, &["direction", "shard", "op", "t", "s", "event"])).collect();
    assert_eq!(
        gateway,
        [
            json!([null, null, null, null, null, "open"]),
            json!(["to_bot", null, 10, null, null, null]),
            json!(["from_bot", null, 2, null, null, null]),
            json!(["to_bot", [0, 1], 0, "READY", 1, null]),
            json!(["to_bot", [0, 1], 0, "INTERACTION_CREATE", 2, null]),
            json!(["from_bot", [0, 1], 1, null, null, null]),
            json!(["to_bot", [0, 1], 11, null, null, null]),
            json!(["from_bot", [0, 1], null, null, null, null]),
            json!([null, [0, 1], null, null, null, "close"]),
        ]
    );
    let gateway = of(&lines, "gateway");
    assert_eq!(gateway[2]["body"]["token"], "***");
    assert_eq!(gateway[4]["body"]["id"], interaction["id"]);
    assert_eq!(gateway[7]["size_bytes"], 10);
    assert_eq!(fields(gateway[8], &["by", "code", "reason"]), json!(["sandbox", 4002, "Error while decoding payload."]));
    let all = json!(lines).to_string();
    assert!(!all.contains(TOKEN) && !all.contains(text(&interaction, "token")), "tokens are blanked");
}

#[tokio::test]
async fn heartbeats_are_shown_to_who_asks_and_files_are_written_where_wanted() {
    let directory = tempfile::tempdir().expect("a directory");
    for (journal_bytes, is_kept) in [(0, false), (1 << 20, true)] {
        let kept = SandboxConfig { journal_bytes, ..config(Some(directory.path())) };
        let sandbox = Sandbox::start(kept).await.expect("a sandbox starts");
        let mut gateway = Gateway::ready(&sandbox).await;
        gateway.beat().await;
        let client = reqwest::Client::builder().no_proxy().build().expect("a plain client builds");
        let url = format!("{}/sandbox/api/control/journal?limit=1000", sandbox.url());
        let quiet: Value = client.get(url).send().await.expect("the sandbox answers").json().await.expect("the journal is JSON");
        let n_beats = |lines: &[Value]| lines.iter().filter(|line| matches!(line["op"].as_u64(), Some(1 | 11))).count();
        let shown = quiet["lines"].as_array().expect("lines");
        assert_eq!((n_beats(shown), n_beats(&lines(&sandbox).await)), (0, 2));
        assert_eq!(quiet["seq"].as_u64(), Some(shown.len() as u64 + 2), "they are passed over, not waited for");
        gateway.close(1000).await;
        sandbox.shutdown().await;
        let file = std::fs::read_to_string(directory.path().join("journal.jsonl")).ok();
        assert_eq!(file.is_some(), is_kept);
        let kept: Vec<Value> = file.iter().flat_map(|file| file.lines()).map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!((n_beats(&kept), kept.is_empty()), (0, !is_kept));
    }
}

#[tokio::test]
async fn who_ended_a_connection_is_written_down() {
    let sandbox = start().await;
    Gateway::ready(&sandbox).await.close(1000).await;
    let mut dropped = Gateway::ready(&sandbox).await;
    sandbox.drop_gateway();
    dropped.broken_off().await;
    let lines = lines(&sandbox).await;
    let ends: Vec<Value> = lines.iter().filter(|line| line["event"] == "close").map(|line| fields(line, &["by", "code"])).collect();
    assert_eq!(ends, [json!(["bot", 1000]), json!(["sandbox", null])]);
}

#[tokio::test]
async fn a_resume_at_the_wrong_address_is_a_note_and_no_violation() {
    let sandbox = start().await;
    let ada = Visitor::connect(sandbox.url(), "ada").await.expect("ada is here");
    let mut gateway = Gateway::ready(&sandbox).await;
    let seq = ada.seq().await.expect("the sandbox counts");
    sandbox.drop_gateway();
    gateway.resume().await.event("RESUMED").await;
    assert!(of(&lines(&sandbox).await, "note").is_empty());
    gateway.resume_url = gateway_url(&sandbox);
    gateway.resume().await.event("RESUMED").await;
    let told = "a bot resumes at the first address instead of resume_gateway_url";
    assert_eq!(of(&lines(&sandbox).await, "note")[0]["message"], told);
    let (_, events) = ada.events(seq, SOON).await.expect("the events are there");
    assert!(events.iter().any(|event| event["type"] == "note" && event["data"]["message"] == told), "{events:?}");
    assert!(sandbox.violations().iter().all(|violation| violation.direction != "request"), "serenity does this");
}

#[tokio::test]
async fn what_people_do_is_written_down_with_their_names() {
    let sandbox = start().await;
    let ada = Visitor::connect(sandbox.url(), "ada").await.expect("ada is here");
    ada.say("general", "hello").await.expect("ada may speak");
    let client = reqwest::Client::builder().no_proxy().build().expect("a plain client builds");
    let page = format!("{}/sandbox/api", sandbox.url());
    let nobody = client.post(format!("{page}/messages")).json(&json!({ "user": "7", "channel": GENERAL, "content": "x" })).send().await;
    assert_eq!(nobody.expect("the sandbox answers").status(), 404);
    let large = "x".repeat(20_000);
    let long = client.post(format!("{page}/messages")).json(&json!({ "content": large, "user": ada.user_id() })).send().await;
    assert!(long.expect("the sandbox answers").status().is_client_error());
    client.delete(format!("{page}/messages/7?user={}", ada.user_id())).send().await.expect("the sandbox answers");
    let lines = lines(&sandbox).await;
    let page = of(&lines, "page");
    let told: Vec<Value> = page.iter().map(|line| fields(line, &["method", "path", "name", "status"])).collect();
    assert_eq!(told[0], json!(["POST", "/messages", "ada", 200]));
    assert_eq!(told[1], json!(["POST", "/messages", null, 404]));
    assert_eq!((&told[2][2], &told[3]), (&json!("ada"), &json!(["DELETE", "/messages/7", "ada", 404])));
    assert_eq!((&page[0]["body"]["content"], &page[1]["user"]), (&json!("hello"), &json!("7")));
    assert!(page[2]["body"].as_str().is_some_and(|body| body.len() < 10_000 && body.ends_with(" bytes)")), "{}", page[2]["body"]);
}

#[tokio::test]
async fn unknown_routes_are_answered_as_discord_does_and_written_down() {
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    let client = reqwest::Client::builder().no_proxy().build().expect("a plain client builds");
    let nowhere = (404, json!({ "message": "404: Not Found", "code": 0 }));
    let outdated = (400, json!({ "message": "Invalid API version", "code": 50041 }));
    let paths = [("/api/v10/nobody/knows", &nowhere), ("/api/v8/webhooks/1/verysecret", &outdated), ("/webhooks/1/verysecret", &nowhere)];
    for (path, (status, told)) in paths {
        let request = client.post(format!("{}{path}", sandbox.url())).header("authorization", &rest.token);
        let answer = request.send().await.expect("the sandbox answers");
        assert_eq!(answer.status(), *status, "{path}");
        let body: Value = answer.json().await.expect("Discord answers JSON");
        assert_eq!(body, *told, "{path}");
    }
    let lines = lines(&sandbox).await;
    let told: Vec<&str> = of(&lines, "unknown_route").iter().map(|line| text(line, "path")).collect();
    assert_eq!(told, ["/nobody/knows", "/api/v8/webhooks/1/***", "/webhooks/1/***"]);
    expect_violations(&sandbox, &["Discord has no POST /nobody/knows"]);
}
