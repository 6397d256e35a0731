//! Every kind of event that the gateway can send is read by a second library, twilight (serenity is the first, in `poise_bot.rs`).

use crate::support::*;
use reqwest::Method;
use sandbox::{EVENT_KINDS, Visitor};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use twilight_model::{
    application::{interaction::InteractionData, monetization::Entitlement},
    gateway::{
        OpCode,
        event::{DispatchEvent, GatewayEvent},
    },
};

const STUDIO: &str = "1000000000000000200";
const GENERAL_OF_STUDIO: &str = "1000000000000000210";
const CONSUMABLE: &str = "1000000000000000802";
const GRACE: &str = "1000000000000000012";

/// Kinds of interactions: type and, of commands, the command's type; `dm` outside a guild.
const INTERACTIONS: [&str; 7] = ["2.1", "2.1 dm", "2.2", "2.3", "3", "4", "5"];

/// All that a gateway sent, by kind.
#[derive(Default)]
struct Seen {
    events: BTreeMap<String, Vec<Value>>,
}

impl Seen {
    /// Reads until an event of this kind has come.
    async fn until(&mut self, gateway: &mut Gateway, kind: &str) -> Value {
        loop {
            let payload = gateway.next().await;
            check(understood(&payload), &payload);
            let is_it = payload["t"] == kind;
            self.events.entry(text(&payload, "t").to_owned()).or_default().push(payload["d"].clone());
            if is_it {
                return payload["d"].clone();
            }
        }
    }

    async fn reactions_and_pins(&mut self, rest: &Rest, gateway: &mut Gateway) {
        let messages = format!("/channels/{GENERAL_OF_STUDIO}/messages");
        let sent = rest.post(&messages, json!({ "content": "vote" })).await.body;
        let message = format!("{messages}/{}", text(&sent, "id"));
        let reactions = format!("{message}/reactions");
        let thumb = format!("{reactions}/%F0%9F%91%8D");
        for (method, path, kind) in [
            (Method::PUT, format!("{thumb}/@me"), "MESSAGE_REACTION_ADD"),
            (Method::DELETE, format!("{thumb}/@me"), "MESSAGE_REACTION_REMOVE"),
            (Method::PUT, format!("{thumb}/@me"), "MESSAGE_REACTION_ADD"),
            (Method::DELETE, thumb.clone(), "MESSAGE_REACTION_REMOVE_EMOJI"),
            (Method::PUT, format!("{thumb}/@me"), "MESSAGE_REACTION_ADD"),
            (Method::DELETE, reactions.clone(), "MESSAGE_REACTION_REMOVE_ALL"),
            (Method::PUT, message.replace("/messages/", "/messages/pins/"), "CHANNEL_PINS_UPDATE"),
        ] {
            assert_eq!(rest.call(method, &path, Value::Null).await.status, 204, "{path}");
            self.until(gateway, kind).await;
        }
    }

    async fn threads(&mut self, rest: &Rest, gateway: &mut Gateway) {
        let begun = rest.post(&format!("/channels/{GENERAL_OF_STUDIO}/threads"), json!({ "name": "talk", "type": 11 })).await;
        assert_eq!(begun.status, 201, "{}", begun.body);
        self.until(gateway, "THREAD_CREATE").await;
        let thread = format!("/channels/{}", text(&begun.body, "id"));
        assert_eq!(rest.call(Method::PUT, &format!("{thread}/thread-members/{GRACE}"), Value::Null).await.status, 204);
        self.until(gateway, "THREAD_MEMBERS_UPDATE").await;
        assert_eq!(rest.patch(&thread, json!({ "name": "more talk" })).await.status, 200);
        self.until(gateway, "THREAD_UPDATE").await;
        assert_eq!(rest.delete(&thread).await.status, 200);
        self.until(gateway, "THREAD_DELETE").await;
    }

    async fn timeouts(&mut self, rest: &Rest, gateway: &mut Gateway) {
        let over = json!({ "communication_disabled_until": "2020-01-01T00:00:00+00:00" });
        assert_eq!(rest.patch(&format!("/guilds/{STUDIO}/members/{GRACE}"), over).await.status, 200);
        self.until(gateway, "GUILD_MEMBER_UPDATE").await;
    }

    async fn entitlements(&mut self, rest: &Rest, gateway: &mut Gateway, user: &str) {
        let all = format!("/applications/{APP}/entitlements");
        let granted = rest.post(&all, json!({ "sku_id": CONSUMABLE, "owner_id": user, "owner_type": 2 })).await.body;
        self.until(gateway, "ENTITLEMENT_CREATE").await;
        let one = format!("{all}/{}", text(&granted, "id"));
        assert_eq!(rest.post(&format!("{one}/consume"), Value::Null).await.status, 204);
        self.until(gateway, "ENTITLEMENT_UPDATE").await;
        assert_eq!(rest.delete(&one).await.status, 204);
        self.until(gateway, "ENTITLEMENT_DELETE").await;
    }

    async fn deletions(&mut self, rest: &Rest, gateway: &mut Gateway, id: &str) {
        assert_eq!(rest.delete(&format!("/channels/{GENERAL}/messages/{id}")).await.status, 204);
        self.until(gateway, "MESSAGE_DELETE").await;
        let messages = format!("/channels/{GENERAL_OF_STUDIO}/messages");
        let mut ids = Vec::new();
        for content in ["one", "two"] {
            ids.push(rest.post(&messages, json!({ "content": content })).await.body["id"].clone());
        }
        assert_eq!(rest.post(&format!("{messages}/bulk-delete"), json!({ "messages": ids })).await.status, 204);
        self.until(gateway, "MESSAGE_DELETE_BULK").await;
    }
}

/// What was read must mean what was sent.
fn check(understood: Understood, payload: &Value) {
    let sent = &payload["d"];
    let event = match understood {
        Understood::Event(event) => event,
        Understood::Entitlement(entitlement) => return check_entitlement(&entitlement, sent),
        Understood::RateLimited(limited) => {
            assert_eq!((limited.opcode, Some(limited.retry_after)), (OpCode::RequestGuildMembers, sent["retry_after"].as_f64()));
            assert_eq!((limited.meta.guild_id.to_string().as_str(), limited.meta.nonce.as_deref()), (STUDIO, Some("again")));
            return;
        }
    };
    let GatewayEvent::Dispatch(seq, event) = *event else { panic!("an event was expected, not {payload}") };
    assert_eq!(Some(seq), payload["s"].as_u64());
    match event {
        DispatchEvent::Ready(ready) => {
            assert_eq!(ready.session_id, text(sent, "session_id"));
            assert_eq!(ready.user.id.to_string(), APP);
            assert!(ready.guilds.iter().all(|guild| guild.unavailable));
        }
        DispatchEvent::MessageCreate(message) => assert_eq!(message.content, text(sent, "content")),
        DispatchEvent::MessageUpdate(message) => assert_eq!(message.attachments.len(), sent["attachments"].as_array().map_or(0, Vec::len)),
        DispatchEvent::MemberChunk(chunk) => assert_eq!(chunk.members.len(), sent["members"].as_array().map_or(0, Vec::len)),
        DispatchEvent::InteractionCreate(interaction) => {
            assert_eq!(interaction.token, text(sent, "token"));
            match &interaction.data {
                Some(InteractionData::ApplicationCommand(data)) => assert_eq!(data.name, text(&sent["data"], "name")),
                Some(InteractionData::MessageComponent(data)) => assert_eq!(data.custom_id, text(&sent["data"], "custom_id")),
                Some(InteractionData::ModalSubmit(data)) => assert_eq!(data.custom_id, text(&sent["data"], "custom_id")),
                other => panic!("an interaction has data of its kind, not {other:?}: {sent}"),
            }
        }
        DispatchEvent::EntitlementCreate(entitlement) => check_entitlement(&entitlement, sent),
        DispatchEvent::ThreadCreate(thread) => assert_eq!(thread.name.as_deref(), sent["name"].as_str()),
        DispatchEvent::ThreadMembersUpdate(update) => assert_eq!(update.removed_member_ids.len() + update.added_members.len(), 1),
        DispatchEvent::ReactionAdd(added) => assert_eq!(added.message_id.to_string(), text(sent, "message_id")),
        DispatchEvent::MessageDeleteBulk(deleted) => assert_eq!(deleted.ids.len(), 2),
        DispatchEvent::RoleUpdate(update) => assert_eq!(update.role.permissions.bits().to_string(), text(&sent["role"], "permissions")),
        DispatchEvent::ChannelUpdate(channel) => assert_eq!(channel.id.to_string(), GENERAL_OF_STUDIO),
        DispatchEvent::MemberUpdate(member) => assert_eq!(member.user.id.to_string(), GRACE),
        DispatchEvent::TypingStart(typing) => assert!(typing.member.is_some()),
        _ => {}
    }
}

fn check_entitlement(entitlement: &Entitlement, sent: &Value) {
    assert_eq!((entitlement.id.to_string().as_str(), entitlement.sku_id.to_string().as_str()), (text(sent, "id"), CONSUMABLE));
    assert_eq!((Some(entitlement.deleted), entitlement.consumed), (sent["deleted"].as_bool(), sent["consumed"].as_bool()));
}

fn commands() -> Value {
    json!([
        { "name": "draw", "description": "Draws", "options": [
            { "type": 3, "name": "prompt", "description": "What", "autocomplete": true },
            { "type": 11, "name": "picture", "description": "A picture" },
            { "type": 6, "name": "person", "description": "Whom" },
        ]},
        { "name": "About this", "type": 3 },
        { "name": "About them", "type": 2 },
    ])
}

fn controls() -> Value {
    json!([
        { "type": 1, "components": [{ "type": 2, "style": 1, "label": "Again", "custom_id": "again" }] },
        { "type": 1, "components": [{ "type": 3, "custom_id": "style", "options": [{ "label": "Raw", "value": "raw" }] }] },
    ])
}

#[tokio::test]
async fn every_event_is_understood_by_another_library() {
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    rest.register(commands()).await;
    let ada = Visitor::connect(sandbox.url(), "ada").await.expect("ada is here");
    let mut gateway = Gateway::open(&sandbox).await;
    let mut seen = Seen::default();
    gateway.send(identify(json!({ "intents": ALL_INTENTS, "compress": true }))).await;
    let ready = seen.until(&mut gateway, "READY").await;
    (gateway.session, gateway.resume_url) = (text(&ready, "session_id").to_owned(), text(&ready, "resume_gateway_url").to_owned());
    seen.until(&mut gateway, "GUILD_CREATE").await;
    let asked = json!({ "guild_id": STUDIO, "query": "", "limit": 0, "presences": true, "nonce": "all" });
    gateway.send(json!({ "op": 8, "d": asked })).await;
    seen.until(&mut gateway, "GUILD_MEMBERS_CHUNK").await;
    gateway.send(json!({ "op": 8, "d": { "guild_id": STUDIO, "query": "", "limit": 0, "nonce": "again" } })).await;
    seen.until(&mut gateway, "RATE_LIMITED").await;

    // Messages of a person and of the bot, in a guild and in private; changed and deleted.
    let said = ada.say("general", &format!("hello <@{APP}>")).await.expect("ada may speak");
    seen.until(&mut gateway, "MESSAGE_CREATE").await;
    ada.say("dm", "hello").await.expect("ada may speak");
    seen.until(&mut gateway, "MESSAGE_CREATE").await;
    let body = json!({
        "content": "mine", "components": controls(), "embeds": [{ "title": "A grid", "image": { "url": "attachment://grid.png" } }],
        "message_reference": { "message_id": said["id"] }, "nonce": "one",
    });
    let sent = rest.upload(reqwest::Method::POST, &format!("/channels/{GENERAL}/messages"), body, &[("grid.png", png())]).await;
    assert_eq!(sent.status, 200, "{}", sent.body);
    seen.until(&mut gateway, "MESSAGE_CREATE").await;
    let id = text(&sent.body, "id");
    rest.patch(&format!("/channels/{GENERAL}/messages/{id}"), json!({ "content": "changed" })).await;
    seen.until(&mut gateway, "MESSAGE_UPDATE").await;

    // Every kind of interaction.
    let picture = Visitor::file("mine.png", "image/png", &png());
    ada.slash("general", "draw", &[("prompt", json!("a fox")), ("picture", picture), ("person", json!(GRACE))]).await.expect("it is known");
    let drawn = seen.until(&mut gateway, "INTERACTION_CREATE").await;
    rest.defer(&drawn).await;
    seen.until(&mut gateway, "MESSAGE_CREATE").await;
    rest.patch(&original(&drawn), json!({ "content": "done" })).await;
    seen.until(&mut gateway, "MESSAGE_UPDATE").await;
    ada.slash("dm", "draw", &[("prompt", json!("a fox"))]).await.expect("it is known");
    seen.until(&mut gateway, "INTERACTION_CREATE").await;
    ada.menu("general", "About this", id).await.expect("the menu is known");
    seen.until(&mut gateway, "INTERACTION_CREATE").await;
    ada.menu("general", "About them", GRACE).await.expect("the menu is known");
    seen.until(&mut gateway, "INTERACTION_CREATE").await;
    let typed = [("prompt", json!("a f"))];
    let (choices, ()) = tokio::join!(ada.autocomplete("general", "draw", &typed, "prompt"), async {
        let question = seen.until(&mut gateway, "INTERACTION_CREATE").await;
        rest.answer(&question, json!({ "type": 8, "data": { "choices": [{ "name": "a fox", "value": "a fox" }] } })).await;
    });
    assert_eq!(choices.expect("the bot suggests")[0]["value"], "a fox");
    let seq = ada.seq().await.expect("the sandbox counts");
    ada.press(id, "Again").await.expect("the button is there");
    let press = seen.until(&mut gateway, "INTERACTION_CREATE").await;
    let input = json!({ "type": 4, "custom_id": "words", "label": "Words", "style": 1 });
    let form = json!({ "custom_id": "form", "title": "Words", "components": [{ "type": 1, "components": [input] }] });
    rest.answer(&press, json!({ "type": 9, "data": form })).await;
    let form = ada.wait_for_event(seq, SOON, |kind, data| (kind == "modal").then(|| data.clone())).await.expect("a form opens");
    ada.submit(&form, &[("words", "a cat")]).await.expect("the form is taken");
    seen.until(&mut gateway, "INTERACTION_CREATE").await;

    seen.reactions_and_pins(&rest, &mut gateway).await;
    seen.threads(&rest, &mut gateway).await;
    seen.timeouts(&rest, &mut gateway).await;
    seen.entitlements(&rest, &mut gateway, ada.user_id()).await;
    seen.deletions(&rest, &mut gateway, id).await;
    let typing = json!({ "user": ada.user_id(), "channel": GENERAL });
    let typed = rest.client.post(format!("{}/sandbox/api/typing", sandbox.url())).json(&typing).send().await.expect("it answers");
    assert!(typed.status().is_success());
    seen.until(&mut gateway, "TYPING_START").await;
    let denied = json!([{ "id": STUDIO, "type": 1, "permission": false }]);
    let said = json!({ "guild": STUDIO, "id": APP, "permissions": denied });
    let url = format!("{}/sandbox/api/control/command_permissions", sandbox.url());
    assert!(rest.client.put(url).json(&said).send().await.expect("it answers").status().is_success());
    seen.until(&mut gateway, "APPLICATION_COMMAND_PERMISSIONS_UPDATE").await;
    assert!(sandbox.world().remove_permission(STUDIO, None, "EMBED_LINKS"));
    seen.until(&mut gateway, "GUILD_ROLE_UPDATE").await;
    assert!(sandbox.world().remove_permission(STUDIO, Some(GENERAL_OF_STUDIO), "ATTACH_FILES"));
    seen.until(&mut gateway, "CHANNEL_UPDATE").await;
    sandbox.world().remove_guild(STUDIO);
    seen.until(&mut gateway, "GUILD_DELETE").await;
    sandbox.drop_gateway();
    seen.until(&mut gateway.resume().await, "RESUMED").await;

    let interactions: Vec<String> = seen.events["INTERACTION_CREATE"].iter().map(kind_of_interaction).collect();
    for kind in INTERACTIONS {
        assert!(interactions.iter().any(|seen| seen == kind), "no interaction {kind} among {interactions:?}");
    }
    let kinds: Vec<&str> = seen.events.keys().map(String::as_str).collect();
    assert_eq!(kinds, EVENT_KINDS);
}

fn kind_of_interaction(interaction: &Value) -> String {
    let place = if interaction["guild_id"].is_null() { " dm" } else { "" };
    match interaction["type"].as_u64() {
        Some(2) => format!("2.{}{place}", interaction["data"]["type"]),
        kind => format!("{}{place}", kind.expect("an interaction has a type")),
    }
}

#[test]
fn a_wrong_shape_is_noticed() {
    let payload = json!({ "op": 0, "s": 1, "t": "MESSAGE_DELETE", "d": { "id": "not a number", "channel_id": GENERAL } });
    assert!(std::panic::catch_unwind(|| understood(&payload)).is_err());
}
