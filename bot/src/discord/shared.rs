//! Messages that somebody points to, as far as they show pictures.

use serde::Deserialize;

/// A message that somebody points to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Shared {
    /// Its files. Discord shows the bot those of its own messages, of those that mention it and of direct messages.
    #[serde(default)]
    pub attachments: Vec<Attached>,
    /// What it hands on of other messages.
    #[serde(default)]
    pub message_snapshots: Vec<Snapshot>,
}

/// What a message hands on of another one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Snapshot {
    /// The other one.
    pub message: Box<Shared>,
}

/// A file of a message.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Attached {
    /// Where it is; signed, and good for a day.
    pub url: String,
    /// What it is called.
    #[serde(default)]
    pub filename: String,
    /// What Discord takes it for.
    #[serde(default)]
    pub content_type: Option<String>,
}

impl Shared {
    /// Its first picture.
    pub fn picture(&self) -> Option<&Attached> {
        let own = self.attachments.iter().find(|attached| attached.is_picture());
        own.or_else(|| self.message_snapshots.iter().find_map(|snapshot| snapshot.message.picture()))
    }
}

impl Attached {
    /// Whether it is a picture, by its kind, or where that is not told by its name.
    pub fn is_picture(&self) -> bool {
        let ending = self.filename.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
        match &self.content_type {
            Some(kind) => kind.starts_with("image/"),
            None => ["png", "apng", "jpg", "jpeg", "webp", "gif"].contains(&ending.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_picture_of_a_message_is_found_among_other_files() {
        let check = |message: serde_json::Value, expected: Option<&str>| {
            let read: Shared = serde_json::from_value(message.clone()).expect("a message");
            assert_eq!(read.picture().map(|picture| picture.url.as_str()), expected, "{message}");
        };
        let file = |url: &str, name: &str, kind: Option<&str>| serde_json::json!({ "url": url, "filename": name, "content_type": kind, "size": 3 });
        check(serde_json::json!({ "id": "1" }), None);
        check(
            serde_json::json!({ "attachments": [file("a", "a.txt", Some("text/plain")), file("b", "b.bin", Some("image/png"))] }),
            Some("b"),
        );
        check(serde_json::json!({ "attachments": [file("a", "a.JPEG", None)] }), Some("a"));
        check(serde_json::json!({ "attachments": [file("a", "png", None), file("b", "b.mp4", Some("video/mp4"))] }), Some("a"));
        let snapshot = serde_json::json!({ "message": { "attachments": [file("c", "c.png", None)], "content": "x" } });
        check(serde_json::json!({ "attachments": [], "message_snapshots": [snapshot] }), Some("c"));
    }
}
