//! A bot made of nothing but HTTP and a WebSocket, so that the tests see every byte that a library would.

mod gateway;
mod raw;

pub use gateway::*;
pub use raw::*;
use reqwest::{
    Client, Method, Response,
    multipart::{Form, Part},
};
use sandbox::{Clock, GatewayConfig, ManualClock, Sandbox, SandboxConfig};
use serde_json::{Value, json};
use std::{path::Path, time::Duration};

pub const TOKEN: &str = "sandbox.token";
pub const APP: &str = "1000000000000000001";
pub const GENERAL: &str = "1000000000000000110";
pub const SOON: Duration = Duration::from_secs(20);

pub fn config(data_dir: Option<&Path>) -> SandboxConfig {
    // Bots of a test come one right after the other.
    let gateway = GatewayConfig { identify_interval: Duration::ZERO, ..GatewayConfig::default() };
    SandboxConfig { data_dir: data_dir.map(Path::to_owned), token: TOKEN.to_owned(), gateway, ..SandboxConfig::default() }
}

pub async fn start() -> Sandbox {
    Sandbox::start(config(None)).await.expect("a sandbox in memory starts")
}

pub async fn start_with(clock: &ManualClock) -> Sandbox {
    Sandbox::start_with_clock(config(None), Clock::Manual(clock.clone())).await.expect("a sandbox in memory starts")
}

/// With a gateway of its own rules, on a clock that the test moves.
pub async fn start_gateway(gateway: GatewayConfig) -> (Sandbox, ManualClock) {
    let clock = ManualClock::new();
    let config = SandboxConfig { gateway, ..config(None) };
    let sandbox = Sandbox::start_with_clock(config, Clock::Manual(clock.clone())).await.expect("a sandbox in memory starts");
    (sandbox, clock)
}

/// Expects exactly these violations, by words of each, and forgives them.
#[track_caller]
pub fn expect_violations(sandbox: &Sandbox, expected: &[&str]) {
    let told: Vec<String> = sandbox.violations().into_iter().map(|violation| violation.message).collect();
    let is_so = told.len() == expected.len() && told.iter().zip(expected).all(|(told, words)| told.contains(words));
    assert!(is_so, "{expected:?} was expected of {told:#?}");
    sandbox.forgive_violations();
}

/// A picture of 3 by 2 pixels.
pub fn png() -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image::DynamicImage::new_rgb8(3, 2).write_to(&mut bytes, image::ImageFormat::Png).expect("a small picture encodes");
    bytes.into_inner()
}

/// The REST side of the bot.
#[derive(Clone)]
pub struct Rest {
    pub client: Client,
    pub base: String,
    pub token: String,
}

pub struct Reply {
    pub status: u16,
    pub body: Value,
    pub headers: reqwest::header::HeaderMap,
}

impl Rest {
    pub fn new(sandbox: &Sandbox) -> Self {
        Self::at(sandbox.url())
    }

    pub fn at(url: &str) -> Self {
        let client = Client::builder().no_proxy().build().expect("a plain client builds");
        Self { client, base: format!("{url}/api/v10"), token: format!("Bot {TOKEN}") }
    }

    pub async fn call(&self, method: Method, path: &str, body: Value) -> Reply {
        let mut request = self.client.request(method, format!("{}{path}", self.base)).header("authorization", &self.token);
        if !body.is_null() {
            request = request.json(&body);
        }
        reply(request.send().await.expect("the sandbox answers")).await
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.call(Method::GET, path, Value::Null).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.call(Method::POST, path, body).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Reply {
        self.call(Method::PATCH, path, body).await
    }

    pub async fn delete(&self, path: &str) -> Reply {
        self.call(Method::DELETE, path, Value::Null).await
    }

    /// Sends files first and the JSON last, as serenity does.
    pub async fn upload(&self, method: Method, path: &str, body: Value, files: &[(&str, Vec<u8>)]) -> Reply {
        let mut form = Form::new();
        for (n, (name, bytes)) in files.iter().enumerate() {
            form = form.part(format!("files[{n}]"), Part::bytes(bytes.clone()).file_name((*name).to_owned()));
        }
        form = form.text("payload_json", body.to_string());
        let request = self.client.request(method, format!("{}{path}", self.base)).header("authorization", &self.token);
        reply(request.multipart(form).send().await.expect("the sandbox answers")).await
    }

    /// Registers commands and expects them to be accepted.
    pub async fn register(&self, commands: Value) -> Value {
        let reply = self.call(Method::PUT, &format!("/applications/{APP}/commands"), commands).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.body
    }

    /// Answers an interaction.
    pub async fn answer(&self, interaction: &Value, body: Value) -> Reply {
        self.post(&callback(interaction), body).await
    }

    /// Defers an interaction and expects that to work.
    pub async fn defer(&self, interaction: &Value) {
        assert_eq!(self.answer(interaction, json!({ "type": 5 })).await.status, 204);
    }
}

pub fn callback(interaction: &Value) -> String {
    format!("/interactions/{}/{}/callback", text(interaction, "id"), text(interaction, "token"))
}

pub fn original(interaction: &Value) -> String {
    format!("/webhooks/{APP}/{}/messages/@original", text(interaction, "token"))
}

pub fn webhook(interaction: &Value) -> String {
    format!("/webhooks/{APP}/{}", text(interaction, "token"))
}

pub fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object[field].as_str().unwrap_or_else(|| panic!("{field} is a text in {object}"))
}

async fn reply(response: Response) -> Reply {
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let bytes = response.bytes().await.expect("the answer is whole");
    Reply { status, headers, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) }
}
