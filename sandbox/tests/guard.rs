//! Who is answered: programs and the stand-in's own page, by its own names only.

use crate::support::*;
use reqwest::{
    Client,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use sandbox::{Sandbox, SandboxConfig, Visitor};
use serde_json::{Value, json};

const UPGRADE: [(&str, &str); 4] = [
    ("connection", "Upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

/// Names and values of headers.
type Pairs<'a> = &'a [(&'a str, &'a str)];

fn client() -> Client {
    Client::builder().no_proxy().build().expect("a plain client builds")
}

/// Says nothing but a file in the first channel.
async fn say(sandbox: &Sandbox, person: &Visitor, file: &Value) -> Reply {
    let body = json!({ "user": person.user_id(), "channel": GENERAL, "content": "", "attachments": [file] });
    let answer = client().post(format!("{}/sandbox/api/messages", sandbox.url())).json(&body).send().await.expect("it answers");
    let status = answer.status().as_u16();
    Reply { status, headers: answer.headers().clone(), body: answer.json().await.expect("it is JSON") }
}

fn headers(pairs: Pairs<'_>) -> HeaderMap {
    let pair = |(name, value): &(&str, &str)| {
        (HeaderName::from_bytes(name.as_bytes()).expect("a name"), HeaderValue::from_str(value).expect("a value"))
    };
    pairs.iter().map(pair).collect()
}

#[tokio::test]
async fn every_route_is_closed_to_strangers() {
    let sandbox = start().await;
    let ada = Visitor::connect(sandbox.url(), "ada").await.expect("ada is here");
    let said = say(&sandbox, &ada, &Visitor::file("a.png", "image/png", &png())).await;
    assert_eq!(said.status, 200);
    let own = sandbox.url().strip_prefix("http://").expect("an address").to_owned();
    let port = own.rsplit(':').next().expect("a port");
    let attachment = text(&said.body["attachments"][0], "url").strip_prefix(sandbox.url()).expect("it is here").to_owned();
    let token = ("authorization", format!("Bot {TOKEN}"));
    let routes: [(&str, Pairs<'_>, u16); 8] = [
        ("/", &[], 200),
        ("/app.js", &[], 200),
        ("/?v=10&encoding=json", &UPGRADE, 101),
        ("/api/v10/users/@me", &[(token.0, token.1.as_str())], 200),
        ("/api/v10/gateway", &[], 200),
        (&attachment, &[], 200),
        ("/sandbox/api/state", &[], 200),
        ("/sandbox/api/control/journal", &[], 200),
    ];
    let evil = format!("evil.example:{port}");
    let localhost = format!("localhost:{port}");
    let hosts = [(own.as_str(), true), (&localhost, true), (&evil, false), ("127.0.0.1.evil.example", false), ("10.1.2.3", false)];
    for (path, with, answered) in routes {
        for (host, is_own) in hosts {
            let same = format!("http://{host}");
            let origins = [(None, true), (Some(same.as_str()), true), (Some("null"), false), (Some("http://evil.example"), false)];
            for (origin, is_same) in origins {
                let mut sent = headers(with);
                sent.insert("host", HeaderValue::from_str(host).expect("a host"));
                if let Some(origin) = origin {
                    sent.insert("origin", HeaderValue::from_str(origin).expect("an origin"));
                }
                let answer = client().get(format!("{}{path}", sandbox.url())).headers(sent).send().await.expect("it answers");
                let expected = if is_own && is_same { answered } else { 403 };
                assert_eq!(answer.status().as_u16(), expected, "{path} at {host} from {origin:?}");
            }
        }
    }
}

#[tokio::test]
async fn the_address_for_resumes_is_closed_to_strangers_too() {
    let gateway = sandbox::GatewayConfig { has_resume_port: true, ..sandbox::GatewayConfig::default() };
    let sandbox = Sandbox::start(SandboxConfig { gateway, ..config(None) }).await.expect("it starts");
    let mut bot = Gateway::open(&sandbox).await;
    let ready = bot.identify(0).await;
    let address = text(&ready, "resume_gateway_url").replacen("ws", "http", 1);
    for (origin, expected) in [(None, 101), (Some("http://evil.example"), 403)] {
        let mut sent = headers(&UPGRADE);
        if let Some(origin) = origin {
            sent.insert("origin", HeaderValue::from_static(origin));
        }
        let answer = client().get(&address).headers(sent).send().await.expect("it answers");
        assert_eq!(answer.status().as_u16(), expected, "{origin:?}");
    }
}

#[tokio::test]
async fn the_page_runs_its_own_code_only_and_is_framed_by_nobody() {
    let sandbox = start().await;
    for path in ["/", "/app.js", "/style.css"] {
        let answer = client().get(format!("{}{path}", sandbox.url())).send().await.expect("it answers");
        let header = |name: &str| answer.headers()[name].to_str().expect("a text").to_owned();
        let policy = header("content-security-policy");
        for rule in ["default-src 'self'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"] {
            assert!(policy.split(';').any(|found| found.trim() == rule), "{path}: {policy}");
        }
        assert!(!policy.contains("script-src"), "scripts have no rule of their own: {policy}");
        assert_eq!((header("x-frame-options").as_str(), header("x-content-type-options").as_str()), ("DENY", "nosniff"));
    }
}

#[tokio::test]
async fn a_file_of_no_media_type_is_refused_before_it_is_kept() {
    let sandbox = start().await;
    let ada = Visitor::connect(sandbox.url(), "ada").await.expect("ada is here");
    for content_type in ["image/png\r\nX-Evil: 1", "image/png\n", "png", "", "image/", "text/plain; a=\u{1}"] {
        let refused = say(&sandbox, &ada, &Visitor::file("a.png", content_type, &png())).await;
        let told = (refused.status, text(&refused.body, "error"));
        assert_eq!(told, (400, "the content type of `a.png` is no media type"), "{content_type:?}");
    }
    assert!(ada.messages("general").await.expect("they are listed").is_empty());
}
