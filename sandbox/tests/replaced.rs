//! What an edit replaces is served a while longer, as Discord's CDN does; what somebody deletes is gone.

use crate::support::*;
use reqwest::Method;
use sandbox::{ManualClock, Sandbox, Visitor};
use serde_json::{Value, json};
use std::time::Duration;

/// A message with a picture, whose edits may come in one of the ways that there are.
struct Shown {
    id: String,
    old: String,
    new: String,
}

struct Stage {
    sandbox: Sandbox,
    rest: Rest,
    gateway: Gateway,
    ada: Visitor,
    clock: ManualClock,
}

const WAYS: [&str; 3] = ["by the token", "by the interaction", "by a press"];

impl Stage {
    async fn open() -> Self {
        let clock = ManualClock::new();
        let sandbox = start_with(&clock).await;
        let rest = Rest::new(&sandbox);
        rest.register(json!([{ "name": "show", "description": "Shows a picture" }])).await;
        let gateway = Gateway::ready(&sandbox).await;
        let ada = Visitor::connect(sandbox.url(), "ada").await.expect("ada is here");
        Self { sandbox, rest, gateway, ada, clock }
    }

    async fn url(&self, message: &str) -> String {
        let shown = self.ada.message(message).await.expect("it is there");
        text(&shown["attachments"][0], "url").to_owned()
    }

    /// A message whose picture was replaced.
    async fn replaced(&mut self, way: &str) -> Shown {
        let again = [("preview.jpg", b"newer".to_vec())];
        let button = json!([{ "type": 1, "components": [{ "type": 2, "style": 2, "label": "Next", "custom_id": "next" }] }]);
        let first = [("preview.jpg", png())];
        let (id, asked) = if way == "by the token" {
            let path = format!("/channels/{GENERAL}/messages");
            let sent = self.rest.upload(Method::POST, &path, json!({ "content": "one" }), &first).await.body;
            (text(&sent, "id").to_owned(), Value::Null)
        } else {
            self.ada.slash("general", "show", &[]).await.expect("the command is known");
            let asked = self.gateway.interaction().await;
            let answer = json!({ "type": 4, "data": { "content": "one", "components": button } });
            self.rest.upload(Method::POST, &callback(&asked), answer, &first).await;
            (text(&self.rest.get(&original(&asked)).await.body, "id").to_owned(), asked)
        };
        let old = self.url(&id).await;
        let reply = match way {
            "by the token" => {
                self.rest.upload(Method::PATCH, &format!("/channels/{GENERAL}/messages/{id}"), json!({ "content": "two" }), &again).await
            }
            "by the interaction" => self.rest.upload(Method::PATCH, &original(&asked), json!({ "content": "two" }), &again).await,
            _ => {
                self.ada.press(&id, "Next").await.expect("the button is there");
                let press = self.gateway.interaction().await;
                let update = json!({ "type": 7, "data": { "content": "two" } });
                self.rest.upload(Method::POST, &callback(&press), update, &again).await
            }
        };
        assert!(reply.status < 300, "{way}: {}", reply.body);
        let new = self.url(&id).await;
        Shown { id, old, new }
    }

    /// The bytes at an address; none where nothing is served.
    async fn bytes(&self, url: &str) -> Option<Vec<u8>> {
        let answer = self.rest.client.get(url).send().await.expect("the file server answers");
        let is_served = answer.status() == 200;
        assert!(is_served || answer.status() == 404, "{url}: {}", answer.status());
        is_served.then_some(answer.bytes().await.expect("the file is whole").to_vec())
    }
}

#[tokio::test]
async fn a_replaced_picture_is_served_for_an_hour_whichever_way_it_was_replaced() {
    for way in WAYS {
        // No connection of a bot outlives an hour without a heartbeat.
        let mut stage = Stage::open().await;
        let shown = stage.replaced(way).await;
        assert_ne!(shown.old, shown.new, "{way}");
        assert_eq!(stage.bytes(&shown.old).await, Some(png()), "{way}");
        let forged = shown.old.replace("preview.jpg", "other.jpg");
        assert_eq!(stage.bytes(&forged).await, None, "{way}: an address is of one file");
        stage.clock.advance(Duration::from_secs(59 * 60));
        assert_eq!(stage.bytes(&shown.old).await, Some(png()), "{way}");
        stage.clock.advance(Duration::from_secs(60));
        assert_eq!(stage.bytes(&shown.old).await, None, "{way}");
        assert_eq!(stage.bytes(&shown.new).await, Some(b"newer".to_vec()), "{way}");
        stage.sandbox.shutdown().await;
    }
}

#[tokio::test]
async fn a_deleted_message_takes_along_what_it_showed_before() {
    let mut stage = Stage::open().await;
    for way in WAYS {
        let shown = stage.replaced(way).await;
        assert_eq!(stage.rest.delete(&format!("/channels/{GENERAL}/messages/{}", shown.id)).await.status, 204, "{way}");
        assert_eq!(stage.bytes(&shown.old).await, None, "{way}");
        assert_eq!(stage.bytes(&shown.new).await, None, "{way}");
    }
    stage.sandbox.shutdown().await;
}
