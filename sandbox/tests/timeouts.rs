//! Members of a guild who are timed out.

use crate::support::*;
use reqwest::Method;
use sandbox::{ManualClock, Sandbox, Visitor};
use serde_json::{Value, json};
use std::time::Duration;

const FIRST: &str = "1000000000000000100";
const SECOND: &str = "1000000000000000200";
const STUDIO: &str = "1000000000000000210";
const MARGARET: &str = "1000000000000000014";
const HOUR: Duration = Duration::from_secs(3600);

fn code(reply: &Reply) -> (u16, u64) {
    (reply.status, reply.body["code"].as_u64().unwrap_or(0))
}

async fn time_out(sandbox: &Sandbox, moderator: &Visitor, guild: &str, member: &str, seconds: u32) -> (u16, Value) {
    let body = json!({ "user": moderator.user_id(), "guild": guild, "member": member, "seconds": seconds });
    let url = format!("{}/sandbox/api/timeouts", sandbox.url());
    let answer = Rest::new(sandbox).client.post(url).json(&body).send().await.expect("it answers");
    (answer.status().as_u16(), answer.json().await.expect("the answer is JSON"))
}

#[tokio::test]
async fn a_moderating_bot_silences_a_member_for_a_while() {
    let clock = ManualClock::new();
    let sandbox = start_with(&clock).await;
    let rest = Rest::new(&sandbox);
    rest.register(json!([{ "name": "ping", "description": "Answers" }])).await;
    let linus = Visitor::connect(sandbox.url(), "linus").await.expect("linus is here");
    let mut gateway = Gateway::open(&sandbox).await;
    gateway.identify(1 << 1).await;
    // An hour from now by the stand-in's clock, as Discord writes it.
    let sent = rest.post(&format!("/channels/{STUDIO}/messages"), json!({ "content": "now" })).await.body;
    let now = text(&sent, "timestamp").to_owned();
    let path = format!("/guilds/{SECOND}/members/{}", linus.user_id());
    let until = |until: Value| json!({ "communication_disabled_until": until });
    clock.advance(HOUR);
    let hour = rest.post(&format!("/channels/{STUDIO}/messages"), json!({ "content": "then" })).await.body["timestamp"].clone();
    assert_eq!(rest.patch(&path, until(json!(now))).await.body["communication_disabled_until"], Value::Null, "that moment is over");
    linus.say(STUDIO, "I can speak").await.expect("nothing holds him");
    gateway.event("GUILD_MEMBER_UPDATE").await;

    let (status, told) =
        time_out(&sandbox, &Visitor::connect(sandbox.url(), "margaret").await.expect("here"), SECOND, linus.user_id(), 3600).await;
    assert_eq!(status, 200, "{told}");
    assert!(text(&told, "communication_disabled_until") > hour.as_str().expect("a moment"));
    let heard = gateway.event("GUILD_MEMBER_UPDATE").await;
    assert_eq!((&heard["user"]["id"], &heard["guild_id"]), (&json!(linus.user_id()), &json!(SECOND)));
    assert_eq!(heard["communication_disabled_until"], told["communication_disabled_until"]);
    assert!(linus.say(STUDIO, "hush").await.is_err());
    assert!(linus.slash(STUDIO, "ping", &[]).await.is_err());
    linus.messages(STUDIO).await.expect("he still reads");
    linus.say("general", "elsewhere I speak").await.expect("it is another guild");
    clock.advance(HOUR);
    linus.say(STUDIO, "again").await.expect("the hour is over");
    assert_eq!(rest.get(&path).await.body["communication_disabled_until"], Value::Null);

    let owner = format!("/guilds/{SECOND}/members/{MARGARET}");
    let elsewhere = format!("/guilds/{FIRST}/members/{}", linus.user_id());
    for (path, body, expected) in [
        (&path, until(json!("9999-01-01T00:00:00Z")), (400, 50035)),
        (&path, until(json!("soon")), (400, 50035)),
        (&path, json!({ "nick": "x" }), (403, 50013)),
        (&owner, until(hour.clone()), (403, 50013)),
        (&elsewhere, until(hour.clone()), (403, 50013)),
        (&format!("/guilds/{FIRST}/members/{MARGARET}"), until(hour.clone()), (404, 10007)),
    ] {
        assert_eq!(code(&rest.patch(path, body.clone()).await), expected, "{path} {body}");
    }
}

#[tokio::test]
async fn a_bot_that_is_timed_out_sees_and_does_nothing_else() {
    let clock = ManualClock::new();
    let sandbox = start_with(&clock).await;
    let rest = Rest::new(&sandbox);
    let ada = Visitor::connect(sandbox.url(), "ada").await.expect("ada is here");
    let linus = Visitor::connect(sandbox.url(), "linus").await.expect("linus is here");
    let mut gateway = Gateway::ready(&sandbox).await;
    let said = ada.say("general", "hello").await.expect("ada may speak");
    gateway.event("MESSAGE_CREATE").await;
    assert_eq!(time_out(&sandbox, &linus, FIRST, APP, 60).await.0, 403, "linus is no moderator");
    assert_eq!(time_out(&sandbox, &ada, FIRST, APP, 60).await.0, 200);
    assert_eq!(gateway.event("GUILD_MEMBER_UPDATE").await["user"]["id"], APP, "it hears of itself");
    let messages = format!("/channels/{GENERAL}/messages");
    let reaction = format!("{messages}/{}/reactions/%F0%9F%91%8D/@me", text(&said, "id"));
    let calls = [
        (Method::GET, messages.clone(), Value::Null, 200),
        (Method::POST, messages.clone(), json!({ "content": "x" }), 403),
        (Method::PUT, reaction, Value::Null, 403),
        (Method::POST, format!("/channels/{GENERAL}/typing"), Value::Null, 403),
        (Method::POST, format!("/channels/{STUDIO}/messages"), json!({ "content": "x" }), 200),
    ];
    for (method, path, body, status) in calls {
        assert_eq!(rest.call(method, &path, body).await.status, status, "{path}");
    }
    clock.advance(Duration::from_secs(60));
    assert_eq!(rest.post(&messages, json!({ "content": "x" })).await.status, 200);
    time_out(&sandbox, &ada, FIRST, APP, 60).await;
    assert_eq!(rest.post(&messages, json!({ "content": "x" })).await.status, 403);
    assert_eq!(time_out(&sandbox, &ada, FIRST, APP, 0).await.1["communication_disabled_until"], Value::Null);
    assert_eq!(rest.post(&messages, json!({ "content": "x" })).await.status, 200);
    assert!(sandbox.violations().is_empty(), "{:?}", sandbox.violations());
}
