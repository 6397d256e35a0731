//! Reactions of the bot and of people.

use crate::support::*;
use reqwest::Method;
use sandbox::Visitor;
use serde_json::{Value, json};

const THUMB: &str = "%F0%9F%91%8D";

#[tokio::test]
async fn reactions_are_added_counted_listed_and_taken_back() {
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    let ada = Visitor::connect(sandbox.url(), "ada").await.expect("ada is here");
    let mut gateway = Gateway::open(&sandbox).await;
    gateway.identify(1 << 10).await;
    let sent = rest.post(&format!("/channels/{GENERAL}/messages"), json!({ "content": "vote" })).await.body;
    let path = format!("/channels/{GENERAL}/messages/{}", text(&sent, "id"));
    let reactions = format!("{path}/reactions");
    let put = async |emoji: &str| rest.call(Method::PUT, &format!("{reactions}/{emoji}/@me"), Value::Null).await;
    assert_eq!(put(THUMB).await.status, 204);
    let added = gateway.event("MESSAGE_REACTION_ADD").await;
    assert_eq!((&added["emoji"]["name"], &added["user_id"], &added["member"]["user"]["id"]), (&json!("👍"), &json!(APP), &json!(APP)));
    assert_eq!(put("palette:1000000000000000190").await.status, 204);
    gateway.event("MESSAGE_REACTION_ADD").await;
    for unknown in ["thumbsup", "palette:5", "x%3A1"] {
        assert_eq!(put(unknown).await.body["code"], 10014, "{unknown}");
    }
    let react = async |visitor: &Visitor, add: bool| {
        let body = json!({ "user": visitor.user_id(), "message": sent["id"], "emoji": "👍", "add": add });
        rest.client.post(format!("{}/sandbox/api/reactions", sandbox.url())).json(&body).send().await.expect("it answers")
    };
    let hers: Value = react(&ada, true).await.json().await.expect("a message");
    assert_eq!((&hers["reactions"][0]["count"], &hers["reactions"][0]["me"]), (&json!(2), &json!(true)));
    assert_eq!(gateway.event("MESSAGE_REACTION_ADD").await["user_id"], ada.user_id());
    assert_eq!(rest.get(&path).await.body["reactions"][1]["emoji"]["id"], "1000000000000000190");
    let who = rest.get(&format!("{reactions}/{THUMB}?limit=1&after=1000000000000000001")).await.body;
    assert_eq!((who.as_array().map(Vec::len), &who[0]["username"]), (Some(1), &json!("ada")));

    assert_eq!(rest.delete(&format!("{reactions}/{THUMB}/{}", ada.user_id())).await.body["code"], 50013, "the bot does not moderate here");
    assert_eq!(rest.delete(&reactions).await.body["code"], 50013);
    assert_eq!(react(&ada, false).await.status(), 200);
    assert_eq!(gateway.event("MESSAGE_REACTION_REMOVE").await["user_id"], ada.user_id());
    assert_eq!(rest.delete(&format!("{reactions}/{THUMB}/@me")).await.status, 204);
    assert_eq!(rest.get(&path).await.body["reactions"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn twenty_emojis_are_the_most_and_a_moderator_clears_them() {
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    let studio = "/channels/1000000000000000210/messages";
    let sent = rest.post(studio, json!({ "content": "vote" })).await.body;
    let path = format!("{studio}/{}", text(&sent, "id"));
    let put = async |n: u32| {
        let emoji = char::from_u32(0x1f600 + n).expect("an emoji");
        rest.call(Method::PUT, &format!("{path}/reactions/{emoji}/@me"), Value::Null).await
    };
    for n in 0..20 {
        assert_eq!(put(n).await.status, 204);
    }
    assert_eq!(put(20).await.body["code"], 30010);
    assert_eq!(put(3).await.status, 204, "one that is there is no new one");
    assert_eq!(rest.delete(&format!("{path}/reactions/\u{1f600}")).await.status, 204);
    assert_eq!(rest.get(&path).await.body["reactions"].as_array().map(Vec::len), Some(19));
    assert_eq!(rest.delete(&format!("{path}/reactions")).await.status, 204);
    assert!(rest.get(&path).await.body.get("reactions").is_none());
}
