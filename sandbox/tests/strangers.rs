//! What correct libraries send is no violation, real ones are found, and each says why first.

use crate::support::*;
use reqwest::Method;
use serde_json::{Value, json};

pub const PALETTE: &str = "1000000000000000190";
pub const PICTURE: &str = "https://pictures.example/a.png";

pub fn messages() -> String {
    format!("/channels/{GENERAL}/messages")
}

pub fn in_row(component: Value) -> Value {
    json!({ "components": [{ "type": 1, "components": [component] }] })
}

pub fn laid_out(component: Value) -> Value {
    json!({ "flags": 1 << 15, "components": [component] })
}

pub fn with_emoji(emoji: Value) -> Value {
    in_row(json!({ "type": 2, "style": 1, "custom_id": "a", "emoji": emoji }))
}

pub fn with_embed(embed: Value) -> Value {
    json!({ "embeds": [embed] })
}

pub fn with_option(option: Value) -> Value {
    in_row(json!({ "type": 3, "custom_id": "a", "options": [option] }))
}

/// As discord.py 2.7, discord.js 14 and serenity 0.12 write it.
#[tokio::test]
async fn what_libraries_send_is_no_violation_and_real_ones_are_found() {
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    let check = async |what: &str, body: Value, status: u16, expected: &[&str]| {
        let answer = rest.post(&messages(), body).await;
        assert_eq!(answer.status, status, "{what}: {}", answer.body);
        let told: Vec<String> = sandbox.violations().into_iter().map(|one| format!("{} {}", one.direction, one.message)).collect();
        let is_so = told.len() == expected.len() && told.iter().zip(expected).all(|(told, words)| told.contains(words));
        assert!(is_so, "{what}: {expected:?} was expected of {told:#?}");
        sandbox.forgive_violations();
        answer.body
    };
    let embed = json!({ "title": "x", "type": "rich", "flags": 0 });
    check("discord.py's embed", with_embed(embed), 200, &[]).await;
    check("an embed's flags in use", with_embed(json!({ "title": "x", "flags": 32 })), 200, &[]).await;
    let shown = json!({
        "type": "rich", "title": "x", "content_scan_version": 1, "reference_id": "5", "provider": { "name": "p", "url": null },
        "author": { "name": "a", "proxy_icon_url": PICTURE }, "footer": { "text": "f", "proxy_icon_url": PICTURE },
        "image": { "url": PICTURE, "proxy_url": PICTURE, "width": 3, "height": 2, "content_type": "image/png", "placeholder": "x",
            "placeholder_version": 1, "flags": 0 },
        "video": { "url": PICTURE, "proxy_url": PICTURE, "width": null },
    });
    check("an embed as Discord shows it", with_embed(shown), 200, &[]).await;
    check("a misspelt field of an embed", with_embed(json!({ "titel": "x", "description": "y" })), 200, &["mean `title`"]).await;
    check("components in an embed", with_embed(json!({ "title": "x", "components": [{}] })), 200, &["`embeds.0.components`"]).await;
    check("a wrong colour", with_embed(json!({ "title": "x", "color": "red" })), 400, &["`embeds.0.color`"]).await;

    for emoji in [
        json!({ "id": null, "name": "🎨" }),
        json!({ "id": null, "name": "🎨", "animated": false }),
        json!({ "name": "🎨" }),
        json!({ "id": PALETTE, "name": "palette", "animated": true }),
        json!({ "id": 1_000_000_000_000_000_190_u64, "name": "palette" }),
        json!({ "id": PALETTE }),
        json!({ "id": PALETTE, "name": null, "animated": false }),
    ] {
        let sent = check("an emoji on a button", with_emoji(emoji.clone()), 200, &[]).await;
        let shown = &sent["components"][0]["components"][0]["emoji"];
        assert!(shown["name"] == "🎨" || (shown["name"] == "palette" && shown["id"] == PALETTE), "{emoji}: {shown}");
        check("an emoji of an option", with_option(json!({ "label": "x", "value": "x", "emoji": emoji })), 200, &[]).await;
    }
    let at = "`components.0.components.0.emoji.name`: ";
    check("an emoji without anything", with_emoji(json!({ "id": null })), 400, &[at]).await;
    check("an emoji with neither", with_emoji(json!({ "id": null, "name": null })), 400, &["emoji"]).await;
    check("an emoji whose name is a number", with_emoji(json!({ "name": 5 })), 400, &[at]).await;
    check("a misspelt field of an emoji", with_emoji(json!({ "name": "🎨", "animate": true })), 200, &["mean `animated`"]).await;
    check("an emoji that is a text", with_emoji(json!("🎨")), 400, &["components.0.components.0.emoji`"]).await;

    let media = json!({ "id": "5", "url": PICTURE, "proxy_url": PICTURE, "width": 1, "height": 1, "content_type": "image/png",
        "loading_state": 2, "flags": 1, "placeholder": "x", "placeholder_version": 1, "content_scan_version": 1 });
    check("media as Discord shows them", laid_out(json!({ "type": 12, "items": [{ "media": media }] })), 200, &[]).await;
    let misspelt = laid_out(json!({ "type": 12, "items": [{ "media": { "url": PICTURE }, "descripton": "x" }] }));
    check("a misspelt field of media", misspelt, 200, &["mean `description`"]).await;
}

#[tokio::test]
async fn files_that_stay_and_threads_may_be_written_as_libraries_do() {
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    let sent = rest.upload(Method::POST, &messages(), json!({ "content": "x" }), &[("a.png", png())]).await;
    let path = format!("{}/{}", messages(), text(&sent.body, "id"));
    for description in [json!("a picture"), Value::Null] {
        let mut kept = sent.body["attachments"][0].clone();
        (kept["spoiler"], kept["description"]) = (json!(true), description);
        let edited = rest.patch(&path, json!({ "content": "y", "attachments": [kept] })).await;
        assert_eq!((edited.status, edited.body["attachments"].as_array().map(Vec::len)), (200, Some(1)), "{}", edited.body);
        assert!(sandbox.violations().is_empty(), "{:?}", sandbox.violations());
    }
    let of_discord_js = json!({ "id": sent.body["attachments"][0]["id"], "attachment": PICTURE, "name": "a.png", "size": 1, "url": PICTURE,
        "proxyURL": PICTURE, "contentType": "image/png", "width": 3, "ephemeral": false, "duration": null, "flags": 8 });
    assert_eq!(rest.patch(&path, json!({ "attachments": [of_discord_js] })).await.status, 200);
    let thread = json!({ "name": "x", "type": 11, "auto_archive_duration": null, "rate_limit_per_user": null });
    assert_eq!(rest.post(&format!("{path}/threads"), thread).await.status, 201);
    assert!(sandbox.violations().is_empty(), "{:?}", sandbox.violations());
    let misspelt = json!({ "attachments": [{ "id": sent.body["attachments"][0]["id"], "descripton": "x" }] });
    rest.patch(&path, misspelt).await;
    expect_violations(&sandbox, &["mean `description`"]);
}

#[tokio::test]
async fn commands_have_what_is_documented_and_not_described() {
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    let choices = json!([{ "name": "x", "name_localizations": null, "value": "x" }]);
    let option =
        json!({ "type": 3, "name": "words", "description": "x", "choices": choices, "name_localizations": null, "min_length": null });
    rest.register(json!([{ "name": "ping", "description": "x", "options": [option], "nsfw": true }])).await;
    assert!(sandbox.violations().is_empty(), "{:?}", sandbox.violations());
    rest.register(json!([{ "name": "ping", "descripton": "x", "description": "y" }])).await;
    expect_violations(&sandbox, &["mean `description`"]);
}

#[tokio::test]
async fn a_violation_says_why_before_it_says_with_what() {
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    let long = "x".repeat(5000);
    let cases = [
        (json!({ "content": long }), "`content`: the value is longer than 4000 characters: \"xxx"),
        (json!({ "content": { "a": long } }), "`content`: the value is not of type"),
        (with_embed(json!({ "title": long })), "`embeds.0.title`: the value is longer than 256 characters: \"xxx"),
        (
            with_embed(json!({ "fields": vec![json!({ "name": "a", "value": "b" }); 30] })),
            "`embeds.0.fields`: the value has more than 25 items",
        ),
        (json!({ "allowed_mentions": { "parse": [long] } }), "`allowed_mentions.parse.0`: the value is not"),
        (in_row(json!({ "type": 2, "style": 1, "label": [long] })), "`components.0.components.0.label`: the value is not of type"),
    ];
    for (body, expected) in cases {
        rest.post(&messages(), body).await;
        let told = sandbox.violations().into_iter().next().expect("it is found").message;
        assert!(told.starts_with(expected), "{expected} begins {told}");
        assert!(told.chars().count() < 600, "{} characters: {told}", told.chars().count());
        sandbox.forgive_violations();
    }
    rest.post(&messages(), json!({ "content": format!("a beginning {long} an end") })).await;
    let told = sandbox.violations()[0].message.clone();
    assert!(told.contains("\"a beginning xxx") && told.contains("xxx an end\" (5019 characters)"), "{told}");
    sandbox.forgive_violations();
}
