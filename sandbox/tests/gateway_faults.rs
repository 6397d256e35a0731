//! What goes wrong on demand, and what a client can rely on even then.

use crate::support::*;
use sandbox::{GatewayConfig, ManualClock, Sandbox, Visitor};
use serde_json::json;
use std::time::Duration;

const STUDIO: &str = "1000000000000000200";

struct Stage {
    sandbox: Sandbox,
    clock: ManualClock,
    gateway: Gateway,
    ada: Visitor,
}

/// A bot that hears and reads everything.
async fn stage() -> Stage {
    let (sandbox, clock) = start_gateway(GatewayConfig { identify_interval: Duration::ZERO, ..GatewayConfig::default() }).await;
    let mut gateway = Gateway::open(&sandbox).await;
    gateway.identify(ALL_INTENTS).await;
    gateway.event("GUILD_CREATE").await;
    gateway.event("GUILD_CREATE").await;
    let ada = Visitor::connect(sandbox.url(), "ada").await.expect("ada is here");
    Stage { sandbox, clock, gateway, ada }
}

impl Stage {
    async fn say(&self, words: &str) {
        self.ada.say("general", words).await.expect("ada may speak");
    }

    async fn is_online(&self) -> bool {
        self.ada.state().await.expect("the sandbox answers")["bot"]["online"] == true
    }
}

#[tokio::test]
async fn a_reset_reaches_every_connection() {
    let mut stage = stage().await;
    let mut waiting = Gateway::open(&stage.sandbox).await;
    stage.sandbox.gateway().drop_all();
    for gateway in [&mut stage.gateway, &mut waiting] {
        let next = tokio::time::timeout(SOON, futures::StreamExt::next(&mut gateway.socket)).await.expect("the connection ends");
        let error = next.expect("a reset is an error").expect_err("a reset is an error").to_string();
        assert!(error.contains("reset"), "{error}");
    }
    assert!(!stage.is_online().await);
    let mut again = stage.gateway.resume().await;
    again.event("RESUMED").await;
    assert!(stage.is_online().await);
}

#[tokio::test]
async fn a_client_that_stays_after_op_7_is_closed() {
    let mut stage = stage().await;
    stage.sandbox.gateway().reconnect();
    assert_eq!(stage.gateway.next().await["op"], 7);
    stage.say("still heard").await;
    assert_eq!(stage.gateway.heard().await, "still heard");
    stage.clock.advance(Duration::from_secs(4));
    stage.gateway.beat().await;
    stage.clock.advance(Duration::from_secs(1));
    assert_eq!(stage.gateway.close_code().await, 4000);
    stage.gateway.resume().await.event("RESUMED").await;
}

#[tokio::test]
async fn an_invalid_session_says_whether_it_can_go_on() {
    let mut stage = stage().await;
    stage.sandbox.gateway().invalidate_resumable();
    assert_eq!(stage.gateway.next().await, json!({ "op": 9, "d": true, "s": null, "t": null }));
    assert!(!stage.is_online().await);
    stage.say("meanwhile").await;
    let mut again = stage.gateway.resume().await;
    assert_eq!(again.heard().await, "meanwhile");
    again.event("RESUMED").await;
    stage.sandbox.gateway().invalidate();
    assert_eq!(again.next().await["d"], false);
    let mut over = again.resume().await;
    assert_eq!(over.next().await, json!({ "op": 9, "d": false, "s": null, "t": null }));
    over.identify(0).await;
}

#[tokio::test]
async fn any_close_code_can_be_sent_and_the_final_ones_end_the_session() {
    for (code, next_op) in [(4000, 0), (4008, 0), (4009, 0), (1001, 0), (4007, 9), (4014, 9)] {
        let mut stage = stage().await;
        stage.sandbox.gateway().close(code);
        assert_eq!(stage.gateway.close_code().await, code);
        assert_eq!(stage.gateway.resume().await.next().await["op"], next_op, "after {code}");
    }
}

#[tokio::test]
async fn a_half_open_gateway_takes_everything_and_says_nothing() {
    let mut stage = stage().await;
    let faults = stage.sandbox.gateway();
    faults.fall_silent();
    stage.say("unheard").await;
    stage.gateway.send(json!({ "op": 1, "d": null })).await;
    let mut new = Gateway::connect(&gateway_url(&stage.sandbox)).await;
    new.send(identify(json!({}))).await;
    // The clock runs out for nobody, and what a live connection would have got by now does not come.
    stage.clock.advance(Duration::from_secs(600));
    let mut live = false;
    for gateway in [&mut stage.gateway, &mut new] {
        let silence = tokio::time::timeout(Duration::from_millis(50), futures::StreamExt::next(&mut gateway.socket)).await;
        live |= silence.is_ok();
    }
    assert!(!live);
    faults.speak();
    stage.gateway.broken_off().await;
    new.broken_off().await;
    let mut again = stage.gateway.resume().await;
    assert_eq!(again.heard().await, "unheard");
    again.event("RESUMED").await;
    again.beat().await;
}

#[tokio::test]
async fn heartbeats_can_go_without_an_answer_and_be_asked_for() {
    let mut stage = stage().await;
    stage.gateway.answers_heartbeats = false;
    stage.sandbox.gateway().ask_heartbeat();
    assert_eq!(stage.gateway.next().await["op"], 1);
    stage.gateway.beat().await;
    stage.sandbox.gateway().withhold_acks();
    stage.gateway.send(json!({ "op": 1, "d": 3 })).await;
    stage.say("after").await;
    assert_eq!(stage.gateway.heard().await, "after", "no answer came before");
    stage.sandbox.gateway().resume_acks();
    stage.gateway.beat().await;
}

#[tokio::test]
async fn events_can_come_twice_and_interactions_once_more_after_a_resume() {
    let mut stage = stage().await;
    Rest::new(&stage.sandbox).register(json!([{ "name": "ping", "description": "Answers" }])).await;
    stage.sandbox.gateway().duplicate_events(2);
    stage.say("twice").await;
    stage.ada.slash("general", "ping", &[]).await.expect("the command is known");
    stage.say("once").await;
    assert_eq!([stage.gateway.heard().await, stage.gateway.heard().await], ["twice", "twice"]);
    let first = stage.gateway.event("INTERACTION_CREATE").await;
    assert_eq!(stage.gateway.event("INTERACTION_CREATE").await, first);
    assert_eq!(stage.gateway.heard().await, "once");
    assert_eq!(stage.gateway.seq, 8, "each has a number of its own");
    stage.sandbox.drop_gateway();
    let mut again = stage.gateway.resume().await;
    again.event("RESUMED").await;
    assert_eq!(again.event("INTERACTION_CREATE").await, first);
    stage.sandbox.drop_gateway();
    let mut third = again.resume().await;
    third.event("RESUMED").await;
    third.beat().await;
}

#[tokio::test]
async fn late_events_keep_their_order_and_others_overtake_them() {
    let mut stage = stage().await;
    stage.sandbox.gateway().delay_events(Duration::from_secs(3), 2);
    stage.say("first").await;
    stage.clock.advance(Duration::from_secs(1));
    stage.say("second").await;
    stage.say("not late").await;
    assert_eq!(stage.gateway.heard().await, "not late");
    stage.clock.advance(Duration::from_secs(2));
    assert_eq!(stage.gateway.heard().await, "first");
    stage.gateway.beat().await;
    stage.sandbox.gateway().delay_events(Duration::ZERO, 1);
    stage.say("third, after the second").await;
    stage.gateway.beat().await;
    stage.clock.advance(Duration::from_secs(1));
    assert_eq!(stage.gateway.heard().await, "second");
    assert_eq!(stage.gateway.heard().await, "third, after the second");
}

#[tokio::test]
async fn a_revoked_token_closes_every_door() {
    let mut stage = stage().await;
    let rest = Rest::new(&stage.sandbox);
    assert_eq!(rest.get("/users/@me").await.status, 200);
    let mut away = Gateway::ready(&stage.sandbox).await;
    away.socket.close(None).await.expect("the gateway listens");
    stage.sandbox.gateway().revoke_token();
    assert_eq!(rest.get("/users/@me").await.status, 401);
    assert_eq!(stage.gateway.close_code().await, 4004);
    let mut gateway = Gateway::open(&stage.sandbox).await;
    gateway.send(identify(json!({}))).await;
    assert_eq!(gateway.close_code().await, 4004);
    let invalid = json!({ "op": 9, "d": false, "s": null, "t": null });
    assert_eq!(stage.gateway.resume().await.next().await, invalid);
    stage.sandbox.gateway().restore_token();
    for ended in [&stage.gateway, &away] {
        assert_eq!(ended.resume().await.next().await, invalid, "every session ended, also that of who was away");
    }
    Gateway::ready(&stage.sandbox).await;
}

#[tokio::test]
async fn a_guild_can_remove_the_bot_and_let_it_in_again() {
    let mut stage = stage().await;
    stage.sandbox.world().remove_guild(STUDIO);
    assert_eq!(stage.gateway.event("GUILD_DELETE").await, json!({ "id": STUDIO }), "`unavailable` is absent");
    let mut new = Gateway::open(&stage.sandbox).await;
    let ready = new.identify(1).await;
    assert_eq!(ready["guilds"].as_array().expect("a list").len(), 1);
    assert_ne!(new.event("GUILD_CREATE").await["id"], STUDIO);
    new.beat().await;
    stage.sandbox.world().restore_guild(STUDIO);
    assert_eq!(stage.gateway.event("GUILD_CREATE").await["id"], STUDIO);
    stage.sandbox.world().restore_guild(STUDIO);
    stage.gateway.beat().await;
}
