//! What a session hears: intents, shards, members; and how it goes on after its connection broke.

use crate::support::*;
use sandbox::{GatewayConfig, Visitor};
use serde_json::{Value, json};
use std::time::Duration;

const LINUS: &str = "1000000000000000013";

async fn enter(sandbox: &sandbox::Sandbox, name: &str) -> Visitor {
    Visitor::connect(sandbox.url(), name).await.expect("the person is here")
}

/// A connection without events of its own that hears with these intents.
async fn listener(sandbox: &sandbox::Sandbox, intents: u64) -> Gateway {
    let mut gateway = Gateway::open(sandbox).await;
    gateway.identify(intents).await;
    if intents & 1 != 0 {
        gateway.event("GUILD_CREATE").await;
        gateway.event("GUILD_CREATE").await;
    }
    gateway
}

#[tokio::test]
async fn each_place_has_an_intent_of_its_own() {
    let sandbox = start().await;
    let ada = enter(&sandbox, "ada").await;
    let cases = [(0, [0, 0]), (1 << 9, [1, 0]), (1 << 12, [0, 1]), (1 << 9 | 1 << 12, [1, 1]), (ALL_INTENTS & !(1 << 9 | 1 << 12), [0, 0])];
    for (intents, [guild, direct]) in cases {
        let mut gateway = listener(&sandbox, intents).await;
        let said = ada.say("general", "one").await.expect("ada may speak");
        ada.say("dm", "two").await.expect("ada may speak");
        let path = format!("{}/sandbox/api/messages/{}?user={}", sandbox.url(), text(&said, "id"), text(&said["author"], "id"));
        Rest::new(&sandbox).client.delete(path).send().await.expect("the sandbox answers");
        if guild == 1 {
            assert_eq!(gateway.event("MESSAGE_CREATE").await["channel_id"], GENERAL);
        }
        if direct == 1 {
            assert!(gateway.event("MESSAGE_CREATE").await["guild_id"].is_null());
        }
        if guild == 1 {
            gateway.event("MESSAGE_DELETE").await;
        }
        gateway.beat().await;
        gateway.close(1000).await;
    }
}

#[tokio::test]
async fn the_text_of_others_needs_an_intent_except_where_the_bot_is_spoken_to() {
    let sandbox = start().await;
    let ada = enter(&sandbox, "ada").await;
    let mut gateway = listener(&sandbox, 1 << 9 | 1 << 12).await;
    ada.say("general", "secret").await.expect("ada may speak");
    assert_eq!(gateway.heard().await, "");
    ada.say("general", &format!("hello <@{APP}>")).await.expect("ada may speak");
    assert_eq!(gateway.heard().await, format!("hello <@{APP}>"));
    ada.say("dm", "between us").await.expect("ada may speak");
    assert_eq!(gateway.event("MESSAGE_CREATE").await["content"], "between us");
    let sent = Rest::new(&sandbox).post(&format!("/channels/{GENERAL}/messages"), json!({ "content": "my own" })).await;
    assert_eq!(sent.status, 200);
    assert_eq!(gateway.heard().await, "my own");
}

#[tokio::test]
async fn a_guild_shows_its_people_only_with_the_intent_for_presences() {
    let sandbox = start().await;
    let count = async |intents| {
        let mut gateway = Gateway::open(&sandbox).await;
        gateway.identify(intents).await;
        let guild = gateway.event("GUILD_CREATE").await;
        let members = guild["members"].as_array().expect("a list").clone();
        let n_shown = guild["presences"].as_array().expect("a list").len();
        assert_eq!(n_shown, if intents & 1 << 8 == 0 { 0 } else { members.len() });
        assert!(members.iter().any(|member| member["user"]["id"] == APP), "the bot is there in any case");
        (members.len(), guild["member_count"].as_u64().expect("a number") as usize)
    };
    let (n_alone, n_counted) = count(1).await;
    let (n_all, _) = count(1 | 1 << 8).await;
    assert_eq!((n_alone, n_all), (1, n_counted));
    assert!(n_all > 2);
}

#[tokio::test]
async fn a_session_lives_five_minutes_without_a_connection() {
    let (sandbox, clock) = start_gateway(GatewayConfig::default()).await;
    let first = Gateway::ready(&sandbox).await;
    sandbox.drop_gateway();
    clock.advance(Duration::from_secs(299));
    let mut second = first.resume().await;
    second.event("RESUMED").await;
    assert_eq!(second.seq, first.seq + 1);
    sandbox.drop_gateway();
    clock.advance(Duration::from_secs(300));
    let mut third = second.resume().await;
    assert_eq!(third.next().await, json!({ "op": 9, "d": false, "s": null, "t": null }));
    // The connection is good for a new session.
    third.identify(0).await;
}

#[tokio::test]
async fn a_goodbye_ends_the_session_and_another_code_does_not() {
    let sandbox = start().await;
    for (code, next_op) in [(1000, 9), (1001, 9), (4000, 0), (3999, 0)] {
        let gateway = Gateway::ready(&sandbox).await;
        let again = json!({ "op": 6, "d": { "token": TOKEN, "session_id": gateway.session, "seq": gateway.seq } });
        gateway.close(code).await;
        let mut next = Gateway::open(&sandbox).await;
        next.send(again).await;
        assert_eq!(next.next().await["op"], next_op, "after {code}");
    }
}

#[tokio::test]
async fn a_resume_takes_the_session_from_an_older_connection() {
    let sandbox = start().await;
    let ada = enter(&sandbox, "ada").await;
    let mut first = Gateway::ready(&sandbox).await;
    let mut second = first.resume().await;
    second.event("RESUMED").await;
    first.broken_off().await;
    ada.say("general", "once").await.expect("ada may speak");
    second.heard().await;
    second.beat().await;
}

#[tokio::test]
async fn the_second_port_serves_the_gateway_and_nothing_else() {
    let sandbox = start().await;
    let gateway = Gateway::ready(&sandbox).await;
    assert_ne!(gateway.resume_url, gateway_url(&sandbox));
    let rest = Rest::new(&sandbox);
    assert_eq!(rest.get("/gateway").await.body["url"], gateway_url(&sandbox));
    let page = rest.client.get(gateway.resume_url.replacen("ws", "http", 1)).send().await.expect("it answers");
    assert!(page.status().is_client_error());
    sandbox.drop_gateway();
    gateway.resume().await.event("RESUMED").await;
    let (sandbox, _clock) = start_gateway(GatewayConfig { has_resume_port: false, ..GatewayConfig::default() }).await;
    assert_eq!(Gateway::ready(&sandbox).await.resume_url, gateway_url(&sandbox));
}

#[tokio::test]
async fn a_shard_hears_of_its_own_guilds_and_the_first_of_direct_messages() {
    let sandbox = start().await;
    let ada = enter(&sandbox, "ada").await;
    Rest::new(&sandbox).register(json!([{ "name": "ping", "description": "Answers" }])).await;
    let guild: u64 = 1_000_000_000_000_000_100;
    let n_shards = 2;
    let owner = (guild >> 22) % n_shards;
    assert_ne!(owner, 0, "the test needs a guild that is not the first shard's");
    let mut shards = Vec::new();
    for number in [0, owner, owner] {
        let mut gateway = Gateway::open(&sandbox).await;
        let ready = gateway.identify_with(json!({ "intents": 1 | 1 << 9 | 1 << 12, "shard": [number, n_shards] })).await;
        let guilds = ready["guilds"].as_array().expect("a list").len();
        assert_eq!(guilds, if number == owner { 2 } else { 0 });
        for _ in 0..guilds {
            gateway.event("GUILD_CREATE").await;
        }
        shards.push(gateway);
    }
    ada.say("general", "in a guild").await.expect("ada may speak");
    ada.say("dm", "in private").await.expect("ada may speak");
    ada.slash("general", "ping", &[]).await.expect("the command is known");
    ada.slash("dm", "ping", &[]).await.expect("the command is known");
    let [first, second, third] = &mut shards[..] else { panic!("three connections") };
    assert!(first.event("MESSAGE_CREATE").await["guild_id"].is_null());
    assert_eq!(first.event("INTERACTION_CREATE").await["context"], 1);
    first.beat().await;
    // Two sessions of one shard both hear everything.
    for gateway in [second, third] {
        gateway.heard().await;
        assert_eq!(gateway.event("INTERACTION_CREATE").await["guild_id"], guild.to_string());
        gateway.beat().await;
    }
}

#[tokio::test]
async fn an_interaction_waits_for_a_bot_that_is_just_away() {
    let sandbox = start().await;
    let ada = enter(&sandbox, "ada").await;
    let rest = Rest::new(&sandbox);
    rest.register(json!([{ "name": "ping", "description": "Answers" }])).await;
    let gateway = Gateway::ready(&sandbox).await;
    sandbox.drop_gateway();
    ada.slash("general", "ping", &[]).await.expect("the command is known");
    let interaction = gateway.resume().await.event("INTERACTION_CREATE").await;
    rest.defer(&interaction).await;
}

async fn members(gateway: &mut Gateway, asked: Value) -> Value {
    let mut data = json!({ "guild_id": "1000000000000000100" });
    data.as_object_mut().expect("an object").extend(asked.as_object().expect("an object").clone());
    gateway.send(json!({ "op": 8, "d": data })).await;
    gateway.event("GUILD_MEMBERS_CHUNK").await
}

fn names(chunk: &Value) -> Vec<&str> {
    chunk["members"].as_array().expect("a list").iter().map(|member| text(&member["user"], "username")).collect()
}

#[tokio::test]
async fn members_are_found_by_prefix_and_by_id() {
    let (sandbox, clock) = start_gateway(GatewayConfig { identify_interval: Duration::ZERO, ..GatewayConfig::default() }).await;
    let mut gateway = listener(&sandbox, 1 << 1 | 1 << 8).await;
    let studio = json!({ "op": 8, "d": { "guild_id": "1000000000000000200", "query": "", "limit": 0 } });
    let all = members(&mut gateway, json!({ "query": "", "limit": 0, "nonce": "n1", "presences": true })).await;
    assert!(["ada", "grace", "linus", "your_bot"].iter().all(|name| names(&all).contains(name)));
    assert_eq!((&all["nonce"], &all["chunk_index"], &all["chunk_count"]), (&json!("n1"), &json!(0), &json!(1)));
    assert_eq!(all["presences"].as_array().expect("a list").len(), names(&all).len());
    assert_eq!(all["presences"][0]["status"], "online");
    assert!(all.get("not_found").is_none());
    // Everyone once in 30 seconds, for each guild.
    gateway.send(json!({ "op": 8, "d": { "guild_id": "1000000000000000100", "query": "", "limit": 0, "nonce": "n2" } })).await;
    let limited = gateway.event("RATE_LIMITED").await;
    assert_eq!(limited, json!({ "opcode": 8, "retry_after": 30.0, "meta": { "guild_id": "1000000000000000100", "nonce": "n2" } }));
    gateway.send(studio).await;
    gateway.event("GUILD_MEMBERS_CHUNK").await;
    clock.advance(Duration::from_secs(30));
    members(&mut gateway, json!({ "query": "", "limit": 0 })).await;
    let found = members(&mut gateway, json!({ "query": "LI", "limit": 5 })).await;
    assert_eq!(names(&found), ["linus"]);
    assert!(found.get("presences").is_none() && found.get("nonce").is_none());
    assert_eq!(names(&members(&mut gateway, json!({ "query": "", "limit": 2 })).await).len(), 2);
    assert_eq!(names(&members(&mut gateway, json!({ "query": "nobody", "limit": 2 })).await).len(), 0);
    let by_id = members(&mut gateway, json!({ "user_ids": [LINUS, "5"], "limit": 0, "nonce": "x".repeat(33) })).await;
    assert_eq!((names(&by_id), &by_id["not_found"]), (vec!["linus"], &json!(["5"])));
    assert!(by_id.get("nonce").is_none(), "a nonce has at most 32 bytes");
    assert_eq!(names(&members(&mut gateway, json!({ "user_ids": LINUS })).await), ["linus"]);

    let mut without = listener(&sandbox, 0).await;
    without.send(json!({ "op": 8, "d": { "guild_id": "1000000000000000100", "query": "", "limit": 0 } })).await;
    without.send(json!({ "op": 8, "d": { "guild_id": "77", "query": "a", "limit": 1 } })).await;
    without.beat().await;
    let found = members(&mut without, json!({ "query": "ada", "limit": 1, "presences": true })).await;
    assert_eq!((names(&found), found.get("presences")), (vec!["ada"], None));
    without.send(json!({ "op": 8, "d": { "guild_id": "1000000000000000100" } })).await;
    assert_eq!(without.close_code().await, 4002);
}

#[tokio::test]
async fn connections_are_bounded() {
    let sandbox = start().await;
    let mut open = Vec::new();
    for _ in 0..128 {
        open.push(Gateway::open(&sandbox).await);
    }
    assert_eq!(Gateway::connect(&gateway_url(&sandbox)).await.close_code().await, 1013);
    open.pop().expect("one is there").close(1000).await;
    // The place is free when the connection's task has ended, just after its last frame.
    let freed = async { while Gateway::connect(&gateway_url(&sandbox)).await.read().await.is_close() {} };
    tokio::time::timeout(SOON, freed).await.expect("there is room again");
}

#[tokio::test]
async fn the_bots_presence_is_shown_to_people() {
    let sandbox = start().await;
    let ada = enter(&sandbox, "ada").await;
    let shown = async || ada.state().await.expect("the sandbox answers")["bot"]["presence"].take();
    assert_eq!(shown().await, json!({ "status": "offline", "activities": [] }));
    let mut gateway = Gateway::open(&sandbox).await;
    let playing = json!([{ "name": "with paint", "type": 0 }]);
    gateway.identify_with(json!({ "presence": { "status": "idle", "activities": playing, "since": null, "afk": false } })).await;
    assert_eq!(shown().await, json!({ "status": "idle", "activities": playing }));
    let seq = ada.seq().await.expect("the sandbox counts");
    gateway.send(json!({ "op": 3, "d": { "status": "dnd", "activities": [], "since": 91_879_201, "afk": false } })).await;
    let told = ada.wait_for_event(seq, SOON, |kind, data| (kind == "bot").then(|| data.clone())).await.expect("people are told");
    assert_eq!(told, json!({ "online": true, "status": "dnd", "activities": [] }));
    // Voice and soundboards are taken and mean nothing here.
    gateway.send(json!({ "op": 4, "d": { "guild_id": "1", "channel_id": null, "self_mute": false, "self_deaf": false } })).await;
    gateway.send(json!({ "op": 31, "d": { "guild_ids": [] } })).await;
    gateway.beat().await;
}

#[tokio::test]
async fn a_resume_brings_what_was_missed_of_every_place_in_its_order() {
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    let ada = enter(&sandbox, "ada").await;
    let mut gateway = listener(&sandbox, 1 | 1 << 9 | 1 << 10 | 1 << 12 | 1 << 13).await;
    sandbox.drop_gateway();
    ada.say("dm", "privately").await.expect("ada may speak");
    let said = ada.say("general", "openly").await.expect("ada may speak");
    let react = json!({ "user": ada.user_id(), "message": said["id"], "emoji": "👍", "add": true });
    let begin = json!({ "user": ada.user_id(), "channel": GENERAL, "name": "aside" });
    for (path, body) in [("reactions", react), ("threads", begin)] {
        let url = format!("{}/sandbox/api/{path}", sandbox.url());
        assert!(rest.client.post(url).json(&body).send().await.expect("it answers").status().is_success());
    }
    sandbox.world().remove_guild("1000000000000000200");
    gateway = gateway.resume().await;
    assert!(gateway.event("MESSAGE_CREATE").await["guild_id"].is_null());
    assert_eq!(gateway.event("MESSAGE_CREATE").await["guild_id"], "1000000000000000100");
    assert_eq!(gateway.event("MESSAGE_REACTION_ADD").await["message_id"], said["id"]);
    assert_eq!(gateway.event("THREAD_CREATE").await["name"], "aside");
    assert_eq!(gateway.event("MESSAGE_CREATE").await["type"], 18);
    assert_eq!(gateway.event("GUILD_DELETE").await["id"], "1000000000000000200");
    gateway.event("RESUMED").await;
}

#[tokio::test]
async fn reactions_and_typing_in_private_have_intents_of_their_own() {
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    let ada = enter(&sandbox, "ada").await;
    let state = ada.state().await.expect("the sandbox answers");
    let dm = text(&state["dm"], "id");
    let (open, private) = (ada.say("general", "x").await.expect("ada may speak"), ada.say("dm", "x").await.expect("ada may speak"));
    let act = async |path: &str, body: Value| {
        let mut body = body;
        body["user"] = json!(ada.user_id());
        let url = format!("{}/sandbox/api/{path}", sandbox.url());
        assert!(rest.client.post(url).json(&body).send().await.expect("it answers").status().is_success());
    };
    for (intents, heard) in [
        (0, vec![]),
        (1 << 10, vec![("MESSAGE_REACTION_ADD", GENERAL)]),
        (1 << 11, vec![("TYPING_START", GENERAL)]),
        (1 << 13, vec![("MESSAGE_REACTION_ADD", dm)]),
        (1 << 14, vec![("TYPING_START", dm)]),
    ] {
        let mut gateway = listener(&sandbox, intents).await;
        for (message, channel) in [(&open, GENERAL), (&private, dm)] {
            act("reactions", json!({ "message": message["id"], "emoji": "👍", "add": true })).await;
            act("typing", json!({ "channel": channel })).await;
        }
        for (kind, channel) in heard {
            assert_eq!(gateway.event(kind).await["channel_id"], channel);
        }
        gateway.beat().await;
        gateway.close(1000).await;
        for message in [&open, &private] {
            act("reactions", json!({ "message": message["id"], "emoji": "👍", "add": false })).await;
        }
    }
}

#[tokio::test]
async fn purchases_go_to_the_first_shard_and_orders_to_all() {
    let sandbox = start().await;
    let mut shards = Vec::new();
    for n in 0..2 {
        let mut gateway = Gateway::open(&sandbox).await;
        gateway.identify_with(json!({ "intents": 0, "shard": [n, 2] })).await;
        shards.push(gateway);
    }
    let test = json!({ "sku_id": "1000000000000000801", "owner_id": LINUS, "owner_type": 2 });
    assert_eq!(Rest::new(&sandbox).post(&format!("/applications/{APP}/entitlements"), test).await.status, 200);
    assert_eq!(shards[0].event("ENTITLEMENT_CREATE").await["user_id"], LINUS);
    shards[1].beat().await;
    sandbox.gateway().invalidate_resumable();
    for gateway in &mut shards {
        assert_eq!(gateway.next().await, json!({ "op": 9, "d": true, "s": null, "t": null }));
    }
    sandbox.drop_gateway();
    for gateway in &mut shards {
        *gateway = gateway.resume().await;
        gateway.event("RESUMED").await;
    }
    sandbox.gateway().reconnect();
    for gateway in &mut shards {
        assert_eq!(gateway.next().await["op"], 7);
    }
}
