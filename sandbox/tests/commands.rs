//! Limits of commands, and answers that no interaction takes.

use crate::support::*;
use reqwest::Method;
use sandbox::{ManualClock, Visitor};
use serde_json::{Value, json};
use std::time::Duration;

fn named(name: &str) -> Value {
    json!({ "name": name, "description": "x" })
}

#[tokio::test]
async fn a_day_has_two_hundred_new_commands() {
    let clock = ManualClock::new();
    let sandbox = start_with(&clock).await;
    let rest = Rest::new(&sandbox);
    let commands = format!("/applications/{APP}/commands");
    for round in 0..2 {
        let hundred: Vec<Value> = (0..100).map(|n| named(&format!("c{round}-{n}"))).collect();
        rest.register(json!(hundred)).await;
    }
    assert_eq!(rest.post(&commands, named("c1-5")).await.status, 200, "an overwrite is no creation");
    let refused = rest.call(Method::PUT, &commands, json!([named("more")])).await;
    assert_eq!((refused.status, &refused.body["code"]), (400, &json!(30034)));
    assert_eq!(rest.get(&commands).await.body.as_array().map(Vec::len), Some(100), "nothing changed");
    clock.advance(Duration::from_secs(24 * 3600));
    assert_eq!(rest.post(&commands, named("more")).await.body["code"], 30032);
    assert_eq!(rest.call(Method::PUT, &commands, json!([named("more")])).await.status, 200);
}

#[tokio::test]
async fn a_command_holds_eight_thousand_characters() {
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    let choice = |n: usize| json!({ "name": format!("{n:0100}"), "value": format!("{n:0100}") });
    let option =
        |n: usize| json!({ "type": 3, "name": format!("o{n}"), "description": "x", "choices": (0..25).map(choice).collect::<Vec<_>>() });
    let mut command = named("long");
    command["options"] = json!([option(0)]);
    let commands = format!("/applications/{APP}/commands");
    assert_eq!(rest.post(&commands, command.clone()).await.status, 201);
    command["options"] = json!([option(0), option(1)]);
    let refused = rest.post(&commands, command).await;
    assert_eq!(refused.body.pointer("/errors/_errors/0/code"), Some(&json!("APPLICATION_COMMAND_TOO_LARGE")), "{}", refused.body);
}

#[tokio::test]
async fn permissions_of_commands_are_read_but_not_written_by_bots() {
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    let id = text(&rest.register(json!([named("ping")])).await[0], "id").to_owned();
    let of_guild = format!("/applications/{APP}/guilds/1000000000000000100/commands");
    assert_eq!(rest.get(&format!("{of_guild}/permissions")).await.body, json!([]));
    assert_eq!(rest.get(&format!("{of_guild}/{id}/permissions")).await.body["code"], 10066);
    let written = rest.call(Method::PUT, &format!("{of_guild}/{id}/permissions"), json!({ "permissions": [] })).await;
    assert_eq!((written.status, &written.body["code"]), (403, &json!(20001)));
    let elsewhere = format!("/applications/{APP}/guilds/1000000000000000300/commands");
    assert_eq!(rest.get(&elsewhere).await.body["code"], 50001);
}

#[tokio::test]
async fn deprecated_and_foreign_answers_are_refused() {
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    rest.register(json!([named("ping")])).await;
    let mut gateway = Gateway::ready(&sandbox).await;
    let ada = Visitor::connect(sandbox.url(), "ada").await.expect("ada is here");
    ada.slash("general", "ping", &[]).await.expect("the command is known");
    let interaction = gateway.interaction().await;
    for kind in [1, 6, 7, 8, 10, 12] {
        let refused = rest.answer(&interaction, json!({ "type": kind, "data": {} })).await;
        assert_eq!((refused.status, &refused.body["code"]), (400, &json!(50035)), "{kind}");
        assert!(refused.body.pointer("/errors/type").is_some());
    }
    assert!(sandbox.violations().iter().all(|violation| violation.path.ends_with("/callback")), "{:#?}", sandbox.violations());
    sandbox.forgive_violations();
    assert_eq!(rest.answer(&interaction, json!({ "type": 5 })).await.status, 204, "the refused ones were none");
}

#[tokio::test]
async fn what_is_the_servers_of_a_command_stays_so() {
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    let commands = format!("/applications/{APP}/commands");
    let words = json!({ "de": "x", "en-US": "y" });
    let option = json!({ "type": 3, "name": "words", "description": "x", "name_localizations": words,
        "choices": [{ "name": "a", "value": "a", "name_localizations": words }] });
    let sent = json!({ "name": "ping", "description": "x", "description_localizations": words, "options": [option], "version": "1", "guild_id": "5" });
    let created = rest.post(&commands, sent).await.body;
    let path = format!("{commands}/{}", text(&created, "id"));
    let changes =
        json!({ "id": "5", "version": "1", "application_id": "5", "guild_id": "1000000000000000100", "type": 3, "description": "z" });
    let edited = rest.patch(&path, changes).await.body;
    let mut expected = created.clone();
    expected["description"] = json!("z");
    expected["version"] = edited["version"].clone();
    assert_eq!(edited, expected);
    assert_ne!((&edited["version"], &created["version"]), (&created["version"], &json!("1")));
    assert_eq!(rest.get(&path).await.body, edited, "a single one has every language");
    assert_eq!(rest.get(&format!("{commands}?with_localizations=true")).await.body[0], edited);
    let listed = rest.get(&commands).await.body[0].clone();
    assert_eq!((&listed["description_localized"], listed.get("description_localizations")), (&json!("y"), None));
    let option = &listed["options"][0];
    assert_eq!((&option["name_localized"], option.get("name_localizations")), (&json!("y"), None));
    assert_eq!((&option["choices"][0]["name_localized"], option["choices"][0].get("name_localizations")), (&json!("y"), None));
    let passed_over = ["guild_id", "version", "application_id", "guild_id", "id", "type", "version"];
    expect_violations(
        &sandbox,
        &passed_over.map(|field| format!("`{field}` is no field that Discord knows")).each_ref().map(String::as_str),
    );
}
