//! What the page tells of how a bot connects is what works.

use crate::support::SOON;
use sandbox::{BotProfile, Sandbox, SandboxConfig, Visitor};
use serde_json::{Value, json};
use serenity::all::{ClientBuilder, EventHandler, GatewayIntents, HttpBuilder};

struct Handler;

impl EventHandler for Handler {}

/// The lines of the guide, with names where it has texts.
async fn connect(token: &str, url: &str) -> Result<(), serenity::Error> {
    let intents = GatewayIntents::GUILDS;
    let http = HttpBuilder::new(token).proxy(url).ratelimiter_disabled(true).build();
    let mut client = ClientBuilder::new_with_http(http, intents).event_handler(Handler).await?;
    client.start().await?;
    Ok(())
}

async fn get(sandbox: &Sandbox, path: &str) -> (u16, Value) {
    let client = reqwest::Client::builder().no_proxy().build().expect("a plain client builds");
    let answer = client.get(format!("{}/sandbox/api{path}", sandbox.url())).send().await.expect("the sandbox answers");
    (answer.status().as_u16(), answer.json().await.expect("JSON"))
}

#[tokio::test]
async fn the_lines_for_serenity_connect() {
    let sandbox = Sandbox::start(SandboxConfig::default()).await.expect("it starts");
    let (_, told) = get(&sandbox, "/connect").await;
    let guides = told["guides"].as_array().expect("guides");
    let of = |library: &str| guides.iter().find(|guide| guide["library"] == library).unwrap_or_else(|| panic!("{library} has a guide"));
    let (url, token) = (json!(sandbox.url()).to_string(), json!(sandbox.token()).to_string());
    let lines = of("serenity")["lines"].as_str().expect("a text").replace(&url, "url").replace(&token, "token");
    let code: Vec<&str> = lines.lines().filter(|line| !line.starts_with("//")).collect();
    assert_eq!(code.len(), 3);
    for line in code {
        assert!(include_str!("connect.rs").contains(&format!("    {line}\n")), "this file does not run: {line}");
    }
    // Those of the others, and all whole programs but this one, are run by tools/sandbox-clients.
    for library in ["discord.py", "discord.js"] {
        assert!(of(library)["program"].as_str().is_some_and(|program| program.contains(&url) && program.contains(&token)), "{library}");
    }
    let ada = Visitor::connect(sandbox.url(), "ada").await.expect("ada enters");
    let seq = ada.seq().await.expect("the sandbox counts");
    let (token, url) = (sandbox.token().to_owned(), sandbox.url().to_owned());
    let running = tokio::spawn(async move { connect(&token, &url).await });
    let (_, events) = ada.events(seq, SOON).await.expect("the events are there");
    assert!(events.iter().any(|event| event["type"] == "bot" && event["data"]["online"] == true), "{events:?}");
    running.abort();
    sandbox.shutdown().await;
}

#[tokio::test]
async fn a_token_that_keeps_others_out_is_not_told() {
    let secret = SandboxConfig { token: "a-secret-word".to_owned(), tells_token: false, ..SandboxConfig::default() };
    let sandbox = Sandbox::start(secret).await.expect("it starts");
    let told = get(&sandbox, "/connect").await;
    assert_eq!(told, (200, json!({ "guides": [] })));
}

#[tokio::test]
async fn a_strangers_bot_has_its_own_name() {
    let named = |name: &str| BotProfile { name: name.to_owned(), accent_color: Some(0x11_22_33) };
    let cases = [
        (SandboxConfig::default(), "Your bot", "your_bot", "Sandbox", Value::Null),
        (
            SandboxConfig { bot: named("Echo 2"), guild_name: "My guild".to_owned(), ..SandboxConfig::default() },
            "Echo 2",
            "echo_2",
            "My guild",
            json!(0x11_22_33),
        ),
    ];
    for (config, name, username, guild, color) in cases {
        let sandbox = Sandbox::start(config).await.expect("it starts");
        let (_, state) = get(&sandbox, "/state").await;
        let bot = &state["bot"];
        assert_eq!((&bot["global_name"], &bot["username"], &bot["accent_color"]), (&json!(name), &json!(username), &color));
        assert_eq!((&state["title"], &state["guilds"][0]["name"]), (&json!(guild), &json!(guild)));
        let roles: Vec<&Value> = state["guilds"][0]["roles"].as_array().expect("roles").iter().map(|role| &role["name"]).collect();
        assert!(roles.contains(&&json!(name)), "{roles:?}");
        assert!(!state.to_string().contains("telier"), "nothing is called after a bot that is not here: {state}");
        let client = reqwest::Client::builder().no_proxy().build().expect("a plain client builds");
        let asked = client.get(format!("{}/api/v10/applications/@me", sandbox.url())).header("authorization", "Bot sandbox").send().await;
        let application: Value = asked.expect("the sandbox answers").json().await.expect("JSON");
        assert_eq!((&application["name"], &application["bot"]["username"]), (&json!(name), &json!(username)));
        sandbox.shutdown().await;
    }
}
