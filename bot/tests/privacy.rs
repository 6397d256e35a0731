//! What is kept of a person: told to them, and gone when they say so.

use std::path::Path;

use crate::quotas::answer;
use crate::support::*;
use sandbox::Visitor;
use serde_json::{Value, json};

/// Words that stand nowhere else.
const WORDS: &str = "zanzibarian marmalade frog";

async fn drawn(visitor: &Visitor, words: &str) -> Value {
    let asked = visitor.slash(CHANNEL, "imagine", &prompt(words)).await.expect("sent");
    let message = answer(visitor, CHANNEL, &asked).await;
    assert!(is_grid(&message), "{}", content(&message));
    message
}

/// All files below a folder, but for those of the stand-in, which is Discord here.
fn files(folder: &Path, found: &mut Vec<Vec<u8>>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            if !path.ends_with("stand-in") {
                files(&path, found);
            }
        } else {
            found.push(std::fs::read(&path).expect("readable"));
        }
    }
}

fn stands_in(folder: &Path, words: &[u8]) -> bool {
    let mut found = Vec::new();
    files(folder, &mut found);
    found.iter().any(|bytes| bytes.windows(words.len()).any(|window| window == words))
}

fn n_pictures(folder: &Path) -> usize {
    let mut found = Vec::new();
    files(&folder.join("pictures"), &mut found);
    found.iter().filter(|bytes| bytes.starts_with(b"\x89PNG")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_is_told_and_goes_for_good() {
    let studio = Studio::open(Mode::Plain, |_| {}).await;
    let (ada, linus, app) = (&studio.ada, studio.visitor("linus").await, &studio.running.bot.app);
    let folder = app.config.data.dir.clone();
    drawn(ada, "a pumpkin").await;
    let of_ada = n_pictures(&folder);
    let grid = drawn(&linus, WORDS).await;
    // A refusal keeps what was typed, too.
    linus.slash(CHANNEL, "imagine", &prompt(&format!("{WORDS} --steps 5000"))).await.expect("sent");
    told(&linus, "steps").await;
    let asked = linus.slash(CHANNEL, "privacy export", &[]).await.expect("sent");
    let is_it = |message: &&Value| message["interaction_metadata"]["id"] == asked.0 && message["attachments"][0].is_object();
    let export = linus.wait_for(CHANNEL, PATIENCE, |messages| messages.iter().find(is_it).cloned()).await.expect("it is told");
    let bytes = linus.attachment_bytes(&export, 0).await.expect("a file");
    let kept: Value = serde_json::from_slice(&bytes).expect("JSON");
    assert_eq!(kept["jobs"][0]["task"]["prompt"], WORDS, "{kept}");
    assert!(kept["jobs"].as_array().map(Vec::len) == Some(1) && kept["drafts"].to_string().contains(WORDS), "{kept}");
    assert!(stands_in(&folder, WORDS.as_bytes()) && n_pictures(&folder) > of_ada);

    // It is asked first, and one may think better of it.
    let asked = linus.slash(CHANNEL, "privacy delete", &[]).await.expect("sent");
    let question = answer(&linus, CHANNEL, &asked).await;
    linus.press(id(&question), "Keep it").await.expect("sent");
    told(&linus, "I have deleted nothing.").await;
    assert!(stands_in(&folder, WORDS.as_bytes()));
    // A job that waits is cancelled first.
    let hold = app.models.engine.hold();
    linus.slash(CHANNEL, "imagine", &prompt(&format!("{WORDS} again"))).await.expect("sent");
    noted(&studio, |_| true).await;
    let asked = linus.slash(CHANNEL, "privacy delete", &[]).await.expect("sent");
    let question = answer(&linus, CHANNEL, &asked).await;
    linus.press(id(&question), "Delete everything").await.expect("sent");
    drop(hold);
    told(&linus, "I have deleted everything that I kept of you.").await;
    assert!(!stands_in(&folder, WORDS.as_bytes()), "the words are gone");
    assert_eq!(n_pictures(&folder), of_ada, "and the pictures, but for those of others");
    // Buttons under what is still on Discord do nothing, and one may begin anew.
    linus.press(id(&grid), "V1").await.expect("sent");
    told(&linus, "its words and pictures are not kept any more").await;
    let history = linus.slash(CHANNEL, "history", &[("everyone", json!(true))]).await.expect("sent");
    let shown = answer_with_boxes(&linus, &history.0).await;
    assert!(!shown.to_string().contains("marmalade"), "{shown}");
    drawn(&linus, "a frog").await;
    studio.close().await;
}

async fn answer_with_boxes(visitor: &Visitor, asked: &str) -> Value {
    let is_it = |message: &&Value| message["interaction_metadata"]["id"] == asked && message["embeds"][0].is_object();
    visitor.wait_for(CHANNEL, PATIENCE, |messages| messages.iter().find(is_it).cloned()).await.expect("it is answered")
}
