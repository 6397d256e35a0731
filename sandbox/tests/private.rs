//! Places that people have among themselves: the bot is no member, and works there by the person's installation alone.

use crate::support::*;
use sandbox::Visitor;
use serde_json::json;

const GROUP: &str = "1000000000000000401";
const PERSONAL: u64 = 1;
const PRIVATE: u64 = 2;

#[tokio::test]
async fn a_personal_command_works_among_people_by_its_webhook_alone() {
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    rest.register(json!([
        { "name": "mine", "description": "Mine", "integration_types": [0, PERSONAL], "contexts": [0, 1, PRIVATE] },
        { "name": "ours", "description": "Ours" },
        { "name": "direct", "description": "Direct", "integration_types": [PERSONAL], "contexts": [1] },
    ]))
    .await;
    let mut gateway = Gateway::ready(&sandbox).await;
    let ada = Visitor::connect(sandbox.url(), "ada").await.expect("ada is here");
    let margaret = Visitor::connect(sandbox.url(), "margaret").await.expect("margaret is here");
    assert!(ada.slash("dm/Weekend plans", "ours", &[]).await.is_err(), "nobody installed it here");
    assert!(ada.slash("dm/Weekend plans", "direct", &[]).await.is_err(), "it is for the bot's own channel");
    assert!(margaret.slash(GROUP, "mine", &[]).await.is_err(), "she is not in the group");
    ada.slash("dm/Weekend plans", "mine", &[]).await.expect("it is hers");
    let interaction = gateway.interaction().await;
    assert_eq!(interaction["authorizing_integration_owners"], json!({ "1": ada.user_id() }));
    assert_eq!((&interaction["context"], &interaction["channel"]["type"]), (&json!(PRIVATE), &json!(3)));
    assert_eq!((&interaction["user"]["id"], interaction.get("guild_id")), (&json!(ada.user_id()), None));
    for path in [format!("/channels/{GROUP}"), format!("/channels/{GROUP}/messages")] {
        assert_eq!(rest.get(&path).await.body["code"], 50001, "{path}");
    }
    assert_eq!(rest.post(&format!("/channels/{GROUP}/messages"), json!({ "content": "psst" })).await.body["code"], 50001);
    assert_eq!(rest.answer(&interaction, json!({ "type": 4, "data": { "content": "here" } })).await.status, 204);
    let follow_ups = async |n: usize| rest.post(&webhook(&interaction), json!({ "content": n.to_string() })).await;
    for n in 1..=5 {
        assert_eq!(follow_ups(n).await.status, 200, "follow-up {n}");
    }
    assert_eq!(follow_ups(6).await.body["code"], 40094);
    let seen = Visitor::connect(sandbox.url(), "linus").await.expect("linus is here").messages(GROUP).await.expect("he is in the group");
    assert_eq!(seen.len(), 6, "the others see the answers");
    ada.say("dm/grace", "between us").await.expect("they write to each other");
    gateway.beat().await;
}
