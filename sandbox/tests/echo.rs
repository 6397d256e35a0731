#[path = "../examples/echo.rs"]
mod echo;

use sandbox::{Sandbox, SandboxConfig, Visitor};
use serde_json::json;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn the_bot_says_it_again() {
    let sandbox = Sandbox::start(SandboxConfig::default()).await.expect("it starts");
    let mut bot = echo::bot(sandbox.url(), sandbox.token()).await.expect("the bot finds the sandbox");
    let running = tokio::spawn(async move { bot.start().await });

    let ada = Visitor::connect(sandbox.url(), "ada").await.expect("ada enters");
    ada.wait_for_command("echo", SOON).await.expect("the bot is there");
    ada.slash("general", "echo", &[("words", json!("hello"))]).await.expect("she may use it");
    let answered = ada.wait_for("general", SOON, |messages| messages.iter().find(|message| message["content"] == "hello").cloned());
    assert_eq!(answered.await.expect("it answers")["author"]["bot"], true);

    running.abort();
    sandbox.shutdown().await;
}
