//! What the bot may do where, what guilds take from it, and what follows.

use crate::support::*;
use reqwest::Method;
use sandbox::{Fault, FaultKind, Visitor};
use serde_json::{Value, json};

const SANDBOX: &str = "1000000000000000100";
const STUDIO: &str = "1000000000000000200";
const CLUB_GENERAL: &str = "1000000000000000310";
const MODERATORS: &str = "1000000000000000112";
const TEXT_ONLY: &str = "1000000000000000113";
const PERSONAL: u64 = 1;

fn code(reply: &Reply) -> (u16, i64) {
    (reply.status, reply.body["code"].as_i64().unwrap_or(-1))
}

async fn say(rest: &Rest, channel: &str) -> Reply {
    rest.post(&format!("/channels/{channel}/messages"), json!({ "content": "hello" })).await
}

#[tokio::test]
async fn places_out_of_sight_are_50001_and_missing_rights_50013() {
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    assert_eq!(code(&say(&rest, MODERATORS).await), (403, 50001));
    assert_eq!(code(&rest.get(&format!("/channels/{MODERATORS}")).await), (403, 50001));
    assert_eq!(code(&say(&rest, CLUB_GENERAL).await), (403, 50001), "the bot is no member there");
    assert_eq!(code(&rest.get("/guilds/1000000000000000300").await), (404, 10004));
    assert_eq!(say(&rest, TEXT_ONLY).await.status, 200);
    let messages = format!("/channels/{TEXT_ONLY}/messages");
    let file = rest.upload(Method::POST, &messages, json!({}), &[("a.png", png())]).await;
    assert_eq!(code(&file), (403, 50013));
    assert_eq!(code(&rest.patch(&format!("/channels/{GENERAL}"), json!({ "name": "x" })).await), (403, 50013));
}

#[tokio::test]
async fn permissions_are_taken_and_given_back_with_their_events() {
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    let mut gateway = Gateway::ready(&sandbox).await;
    let world = sandbox.world();
    assert!(world.remove_permission(SANDBOX, None, "SEND_MESSAGES"));
    let changed = gateway.event("GUILD_ROLE_UPDATE").await;
    assert_eq!((&changed["guild_id"], &changed["role"]["tags"]["bot_id"]), (&json!(SANDBOX), &json!(APP)));
    assert_eq!(code(&say(&rest, GENERAL).await), (403, 50013));
    assert_eq!(code(&rest.post(&format!("/channels/{GENERAL}/typing"), Value::Null).await), (403, 50013));
    world.restore_permission(SANDBOX, None, "SEND_MESSAGES");
    gateway.event("GUILD_ROLE_UPDATE").await;
    assert_eq!(say(&rest, GENERAL).await.status, 200);
    gateway.event("MESSAGE_CREATE").await;
    world.remove_permission(SANDBOX, Some(GENERAL), "READ_MESSAGE_HISTORY");
    assert_eq!(gateway.event("CHANNEL_UPDATE").await["id"], GENERAL);
    assert_eq!(rest.get(&format!("/channels/{GENERAL}/messages")).await.body, json!([]));
    assert!(!world.remove_permission(SANDBOX, None, "FLY"));

    world.remove_guild(SANDBOX);
    let gone = gateway.event("GUILD_DELETE").await;
    assert_eq!(gone, json!({ "id": SANDBOX }), "`unavailable` would mean an outage");
    assert_eq!(code(&say(&rest, GENERAL).await), (403, 50001));
    assert_eq!(code(&rest.get(&format!("/guilds/{SANDBOX}")).await), (404, 10004));
    assert_eq!(rest.get("/users/@me/guilds").await.body[0]["id"], STUDIO);
    world.restore_guild(SANDBOX);
    assert_eq!(gateway.event("GUILD_CREATE").await["id"], SANDBOX);
    assert_eq!(say(&rest, GENERAL).await.status, 200);
}

#[tokio::test]
async fn automod_refuses_a_word_in_every_kind_of_message() {
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    rest.register(json!([{ "name": "ping", "description": "Answers" }])).await;
    let mut gateway = Gateway::ready(&sandbox).await;
    let ada = Visitor::connect(sandbox.url(), "ada").await.expect("ada is here");
    let sent = say(&rest, GENERAL).await.body;
    sandbox.world().block_word("frog");
    let messages = format!("/channels/{GENERAL}/messages");
    assert_eq!(code(&rest.post(&messages, json!({ "content": "A Frog!" })).await), (400, 200_000));
    assert_eq!(code(&rest.post(&messages, json!({ "embeds": [{ "title": "frogs" }] })).await), (400, 200_000));
    assert_eq!(code(&rest.patch(&format!("{messages}/{}", text(&sent, "id")), json!({ "content": "frog" })).await), (400, 200_000));
    ada.slash("general", "ping", &[]).await.expect("the command is known");
    let interaction = gateway.interaction().await;
    let answer = |content: &str| json!({ "type": 4, "data": { "content": content } });
    assert_eq!(code(&rest.answer(&interaction, answer("frog")).await), (400, 200_000));
    assert_eq!(rest.answer(&interaction, answer("toad")).await.status, 204, "the refused answer was none");
    sandbox.world().unblock_word("frog");
    assert_eq!(rest.post(&messages, json!({ "content": "frog" })).await.status, 200);
}

#[tokio::test]
async fn faults_give_back_what_they_took_and_no_more() {
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    let lacks = |permission: &str| Fault {
        guild: Some(SANDBOX.to_owned()),
        permission: Some(permission.to_owned()),
        ..Fault::new(FaultKind::PermissionRemoved)
    };
    let first = sandbox.fault(lacks("SEND_MESSAGES")).expect("the fault makes sense");
    let second = sandbox.fault(lacks("SEND_MESSAGES")).expect("the fault makes sense");
    assert!(sandbox.end_fault(first));
    assert_eq!(code(&say(&rest, GENERAL).await), (403, 50013), "the second still lasts");
    assert!(sandbox.end_fault(second));
    assert_eq!(say(&rest, GENERAL).await.status, 200);
    let never_had = sandbox.fault(lacks("MANAGE_MESSAGES")).expect("the fault makes sense");
    assert!(sandbox.end_fault(never_had));
    let (one, two) = (say(&rest, GENERAL).await.body, say(&rest, GENERAL).await.body);
    let bulk = json!({ "messages": [one["id"], two["id"]] });
    assert_eq!(code(&rest.post(&format!("/channels/{GENERAL}/messages/bulk-delete"), bulk).await), (403, 50013));
    let counted = Fault { word: Some("hello".to_owned()), count: Some(5), ..Fault::new(FaultKind::Automod) };
    sandbox.fault(counted).expect("the fault makes sense");
    assert_eq!(code(&say(&rest, GENERAL).await), (400, 200_000));
    let faults = format!("{}/sandbox/api/control/faults", sandbox.url());
    assert!(rest.client.delete(faults).send().await.expect("the sandbox answers").status().is_success());
    assert_eq!(say(&rest, GENERAL).await.status, 200, "all is well again");
}

#[tokio::test]
async fn a_command_of_the_person_alone_works_where_the_bot_is_no_member() {
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    rest.register(json!([
        { "name": "mine", "description": "Mine", "integration_types": [PERSONAL], "contexts": [0, 1] },
        { "name": "ours", "description": "Ours" },
        { "name": "late", "description": "Late", "nsfw": true },
        { "name": "rule", "description": "Rule", "default_member_permissions": "0" },
    ]))
    .await;
    let mut gateway = Gateway::ready(&sandbox).await;
    let linus = Visitor::connect(sandbox.url(), "linus").await.expect("linus is here");
    assert!(linus.slash("Book club/general", "ours", &[]).await.is_err(), "the guild has not installed it");
    assert!(linus.slash("general", "late", &[]).await.is_err(), "not in this channel");
    assert!(linus.slash("general", "rule", &[]).await.is_err(), "for administrators only");
    linus.slash("Second studio/after-dark", "late", &[]).await.expect("an age-restricted channel");
    assert_eq!(gateway.interaction().await["attachment_size_limit"], 25 << 20);
    linus.slash("Book club/general", "mine", &[]).await.expect("it is his");
    let interaction = gateway.interaction().await;
    assert_eq!(interaction["authorizing_integration_owners"], json!({ "1": linus.user_id() }));
    assert_eq!((&interaction["context"], &interaction["guild_id"]), (&json!(0), &json!("1000000000000000300")));
    rest.answer(&interaction, json!({ "type": 4, "data": { "content": "here" } })).await;
    for n in 0..5 {
        assert_eq!(rest.post(&webhook(&interaction), json!({ "content": n.to_string() })).await.status, 200);
    }
    assert_eq!(code(&rest.post(&webhook(&interaction), json!({ "content": "six" })).await), (400, 40094));
}

#[tokio::test]
async fn guilds_members_and_roles_are_read() {
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    let get = async |path: &str| rest.get(&format!("/guilds/{SANDBOX}{path}")).await;
    assert_eq!(get("/members?limit=10").await.body.as_array().map(Vec::len), Some(4));
    assert_eq!(get("/members/@me").await.body["user"]["id"], APP);
    expect_violations(&sandbox, &["`user_id` in the path is not what Discord takes"]);
    assert_eq!(code(&get("/members/1000000000000000014").await), (404, 10007), "margaret is elsewhere");
    assert_eq!(code(&get("/members/5").await), (404, 10013));
    assert_eq!(get("/members/search?query=GRA&limit=5").await.body[0]["user"]["username"], "grace");
    assert_eq!(get(&format!("/roles/{SANDBOX}")).await.body["name"], "@everyone");
    assert_eq!(code(&get("/roles/5").await), (404, 10011));
    assert_eq!(get("/emojis").await.body[0]["name"], "palette");
    assert_eq!(get("/channels").await.body[2]["permission_overwrites"][0]["id"], SANDBOX);
}

#[tokio::test]
async fn the_page_learns_at_once_what_a_guild_does_to_the_bot() {
    let sandbox = start().await;
    let linus = Visitor::connect(sandbox.url(), "linus").await.expect("linus is here");
    let margaret = Visitor::connect(sandbox.url(), "margaret").await.expect("margaret is here");
    let seq = linus.seq().await.expect("the sandbox counts");
    sandbox.world().remove_guild(SANDBOX);
    sandbox.world().remove_permission(STUDIO, None, "ATTACH_FILES");
    sandbox.world().remove_permission(SANDBOX, Some(GENERAL), "SEND_MESSAGES");
    sandbox.world().remove_permission(SANDBOX, Some(MODERATORS), "SEND_MESSAGES");
    let heard = async |who: &Visitor| {
        let (_, events) = who.events(seq, std::time::Duration::ZERO).await.expect("the sandbox answers");
        events.into_iter().map(|event| (text(&event, "type").to_owned(), event["data"]["id"].clone())).collect::<Vec<_>>()
    };
    let event = |kind: &str, id: &str| (kind.to_owned(), json!(id));
    let expected = [event("guild_update", SANDBOX), event("guild_update", STUDIO), event("channel_update", GENERAL)];
    assert_eq!(heard(&linus).await, expected, "the moderators' channel is out of his sight");
    assert_eq!(heard(&margaret).await, [event("guild_update", STUDIO)]);
    assert_eq!(linus.state().await.expect("the sandbox answers")["guilds"][0]["has_bot"], false);
}

#[tokio::test]
async fn what_the_bot_lacks_is_told_by_the_code_of_each_call() {
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    rest.register(json!([{ "name": "ping", "description": "Answers" }])).await;
    let mut gateway = Gateway::open(&sandbox).await;
    gateway.identify(0).await;
    gateway.beat().await;
    let ada = Visitor::connect(sandbox.url(), "ada").await.expect("ada is here");
    ada.slash("dm", "ping", &[]).await.expect("the command is known");
    // Files, embeds, mentions of all, emojis from elsewhere.
    assert_eq!(gateway.interaction().await["app_permissions"], "442368");
    let sent = say(&rest, GENERAL).await.body;
    let messages = format!("/channels/{GENERAL}/messages");
    let world = sandbox.world();
    world.remove_permission(SANDBOX, None, "READ_MESSAGE_HISTORY");
    assert_eq!(code(&rest.get(&format!("{messages}/{}", text(&sent, "id"))).await), (403, 50001));
    let reply = json!({ "content": "x", "message_reference": { "message_id": sent["id"] } });
    assert_eq!(code(&rest.post(&messages, reply).await), (403, 160_002));
    world.remove_permission(SANDBOX, None, "EMBED_LINKS");
    assert_eq!(code(&rest.post(&messages, json!({ "embeds": [{ "title": "x" }] })).await), (403, 50013));
}
