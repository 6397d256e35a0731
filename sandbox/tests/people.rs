//! What people do and are: direct messages, replies, files, typing, purchases.

use crate::support::*;
use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::Method;
use sandbox::{Sandbox, Visitor};
use serde_json::{Value, json};

const SUBSCRIPTION: &str = "1000000000000000801";
const CONSUMABLE: &str = "1000000000000000802";

async fn page(sandbox: &Sandbox, method: Method, path: &str, body: Value) -> (u16, Value) {
    let url = format!("{}/sandbox/api{path}", sandbox.url());
    let answer = Rest::new(sandbox).client.request(method, url).json(&body).send().await.expect("it answers");
    (answer.status().as_u16(), answer.json().await.expect("the answer is JSON"))
}

#[tokio::test]
async fn somebody_who_refuses_direct_messages_is_50007() {
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    let linus = Visitor::connect(sandbox.url(), "linus").await.expect("linus is here");
    let dm = rest.post("/users/@me/channels", json!({ "recipient_id": linus.user_id() })).await.body;
    let messages = format!("/channels/{}/messages", text(&dm, "id"));
    let path = format!("/people/{}", linus.user_id());
    assert_eq!(page(&sandbox, Method::POST, &path, json!({ "accepts_dms": false })).await.0, 200);
    let refused = rest.post(&messages, json!({ "content": "psst" })).await;
    assert_eq!((refused.status, &refused.body["code"]), (403, &json!(50007)));
    page(&sandbox, Method::POST, &path, json!({ "accepts_dms": true })).await;
    assert_eq!(rest.post(&messages, json!({ "content": "psst" })).await.status, 200);
}

#[tokio::test]
async fn people_see_only_their_guilds_and_channels() {
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    let see = async |name: &str| {
        let state = Visitor::connect(sandbox.url(), name).await.expect("somebody is here").state().await.expect("the sandbox answers");
        let channels = state["guilds"][0]["channels"].as_array().expect("a list").len();
        (text(&state["guilds"][0], "name").to_owned(), state["guilds"].as_array().map(Vec::len), channels)
    };
    assert_eq!(see("ada").await, ("Sandbox".to_owned(), Some(2), 4));
    assert_eq!(see("linus").await, ("Sandbox".to_owned(), Some(3), 3), "the moderators' channel is hidden");
    assert_eq!(see("margaret").await, ("Second studio".to_owned(), Some(1), 2));
    let linus = Visitor::connect(sandbox.url(), "linus").await.expect("linus is here");
    let grace = Visitor::connect(sandbox.url(), "grace").await.expect("grace is here");
    let seq = linus.seq().await.expect("the sandbox counts");
    grace.say("moderators", "between us").await.expect("a moderator may");
    assert!(linus.messages("1000000000000000112").await.is_err());
    let (_, heard) = linus.events(seq, std::time::Duration::ZERO).await.expect("it answers");
    assert!(heard.is_empty(), "{heard:?}");
    let body = json!({ "user": linus.user_id(), "channel": "1000000000000000113", "content": "x",
        "attachments": [{ "filename": "a.png", "content_type": "image/png", "data": STANDARD.encode(png()) }] });
    let (status, refused) = page(&sandbox, Method::POST, "/messages", body).await;
    assert_eq!((status, text(&refused, "error")), (403, "you are not allowed to attach files here"));
    assert_eq!(rest.get("/channels/1000000000000000113/messages").await.body, json!([]));
}

#[tokio::test]
async fn people_attach_files_reply_and_type() {
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    let ada = Visitor::connect(sandbox.url(), "ada").await.expect("ada is here");
    let mut gateway = Gateway::open(&sandbox).await;
    gateway.identify(1 << 11).await;
    let asked = rest.post(&format!("/channels/{GENERAL}/messages"), json!({ "content": "show me" })).await.body;
    let file = json!({ "filename": "a.png", "content_type": "image/png", "data": STANDARD.encode(png()) });
    let body = json!({ "user": ada.user_id(), "channel": GENERAL, "content": "", "attachments": [file], "reply_to": asked["id"] });
    let (status, said) = page(&sandbox, Method::POST, "/messages", body).await;
    assert_eq!((status, &said["type"], &said["attachments"][0]["width"]), (200, &json!(19), &json!(3)));
    assert_eq!((&said["referenced_message"]["content"], &said["mentions"][0]["id"]), (&json!("show me"), &json!(APP)));
    let path = format!("/messages/{}/raw?user={}", text(&said, "id"), ada.user_id());
    let (_, raw) = page(&sandbox, Method::GET, &path, Value::Null).await;
    assert_eq!(raw, rest.get(&format!("/channels/{GENERAL}/messages/{}", text(&said, "id"))).await.body);
    page(&sandbox, Method::POST, "/typing", json!({ "user": ada.user_id(), "channel": GENERAL })).await;
    let typing = gateway.event("TYPING_START").await;
    assert_eq!((&typing["user_id"], &typing["member"]["user"]["username"]), (&json!(ada.user_id()), &json!("ada")));
}

#[tokio::test]
async fn entitlements_are_granted_carried_consumed_and_taken_away() {
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    rest.register(json!([{ "name": "ping", "description": "Answers" }])).await;
    let mut gateway = Gateway::ready(&sandbox).await;
    let ada = Visitor::connect(sandbox.url(), "ada").await.expect("ada is here");
    assert_eq!(rest.get(&format!("/applications/{APP}/skus")).await.body[0]["id"], SUBSCRIPTION);
    let grant = json!({ "user": ada.user_id(), "sku": CONSUMABLE });
    let (_, bought) = page(&sandbox, Method::POST, "/entitlements", grant).await;
    assert_eq!(gateway.event("ENTITLEMENT_CREATE").await["id"], bought["id"]);
    ada.slash("general", "ping", &[]).await.expect("the command is known");
    assert_eq!(gateway.interaction().await["entitlements"][0]["sku_id"], CONSUMABLE);
    let all = format!("/applications/{APP}/entitlements");
    let one = format!("{all}/{}", text(&bought, "id"));
    assert_eq!(rest.post(&format!("{one}/consume"), Value::Null).await.status, 204);
    assert_eq!(gateway.event("ENTITLEMENT_UPDATE").await["consumed"], true);
    assert_eq!(rest.post(&format!("{one}/consume"), Value::Null).await.status, 400);
    assert_eq!(rest.delete(&one).await.status, 204);
    assert_eq!(gateway.event("ENTITLEMENT_DELETE").await["deleted"], true);
    assert_eq!(rest.get(&one).await.status, 404);

    let test = json!({ "sku_id": SUBSCRIPTION, "owner_id": "1000000000000000100", "owner_type": 1 });
    assert_eq!(rest.post(&all, test).await.body["guild_id"], "1000000000000000100");
    assert_eq!(rest.post(&all, json!({ "sku_id": SUBSCRIPTION, "owner_id": "5", "owner_type": 3 })).await.body["code"], 50035);
    expect_violations(&sandbox, &["`owner_type`"]);
    let of_guild = rest.get(&format!("{all}?guild_id=1000000000000000100&sku_ids={SUBSCRIPTION}")).await.body;
    assert_eq!(of_guild.as_array().map(Vec::len), Some(1));
    assert_eq!(rest.get(&format!("{all}?exclude_deleted=false")).await.body.as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn the_workshop_grants_consumes_and_takes_back_for_people_and_guilds() {
    let sandbox = start().await;
    let mut gateway = Gateway::ready(&sandbox).await;
    let linus = Visitor::connect(sandbox.url(), "linus").await.expect("linus is here");
    let seq = linus.seq().await.expect("the sandbox counts");
    let all = "/control/entitlements";
    let (status, own) = page(&sandbox, Method::POST, all, json!({ "owner": linus.user_id(), "sku": CONSUMABLE })).await;
    assert_eq!((status, &own["user_id"], &own["consumed"]), (200, &json!(linus.user_id()), &json!(false)));
    assert_eq!(gateway.event("ENTITLEMENT_CREATE").await["id"], own["id"]);
    let (_, shared) = page(&sandbox, Method::POST, all, json!({ "owner": "1000000000000000100", "sku": SUBSCRIPTION })).await;
    assert_eq!(gateway.event("ENTITLEMENT_CREATE").await["guild_id"], "1000000000000000100");
    let (_, listed) = page(&sandbox, Method::GET, all, Value::Null).await;
    assert_eq!((&listed["entitlements"], listed["skus"].as_array().map(Vec::len)), (&json!([shared, own]), Some(3)));
    let (status, refused) = page(&sandbox, Method::POST, &format!("{all}/{}/consume", text(&shared, "id")), json!({})).await;
    assert_eq!((status, text(&refused, "error")), (400, "only what is used up can be consumed"));
    let consume = format!("{all}/{}/consume", text(&own, "id"));
    assert_eq!(page(&sandbox, Method::POST, &consume, json!({})).await.1["consumed"], true);
    assert_eq!(gateway.event("ENTITLEMENT_UPDATE").await["consumed"], true);
    assert_eq!(page(&sandbox, Method::POST, &consume, json!({})).await.0, 400);
    assert_eq!(page(&sandbox, Method::DELETE, &format!("{all}/{}", text(&shared, "id")), json!({})).await.0, 200);
    assert_eq!(gateway.event("ENTITLEMENT_DELETE").await["id"], shared["id"]);
    assert_eq!(page(&sandbox, Method::POST, all, json!({ "owner": "5", "sku": CONSUMABLE })).await.0, 404);
    let (_, heard) = linus.events(seq, std::time::Duration::ZERO).await.expect("the sandbox answers");
    assert!(heard.iter().all(|event| event["type"] == "entitlement") && heard.len() == 4, "the page redraws with each: {heard:?}");
}
