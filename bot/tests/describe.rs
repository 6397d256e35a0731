//! What pictures could have been drawn from whose files say nothing.

use std::path::{Path, PathBuf};

use crate::{
    brought::{answer, grid_of, png, posted, wide},
    support::*,
};
use atelier::pictures::metadata::{self, Origin, Record};
use inference::{
    clip::{Clip, ClipFiles},
    task::{ImageSize, Task, TextToImage},
};
use sandbox::Visitor;
use serde_json::Value;

in_both_modes! {
    pictures_that_say_nothing_are_looked_at_and_the_words_are_drawn,
}

/// A CLIP with random numbers.
pub(crate) fn tiny_clip() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("inference").join("tests/data/clip/quick")
}

/// The entry of one of the built-in lists that the tiny network finds most like [`wide`], as it is compared.
fn best(list: &str, said: impl Fn(&str) -> String) -> String {
    let clip = Clip::load(&ClipFiles::open(&tiny_clip()).expect("it can be read")).expect("it can be loaded");
    let text = include_str!("../src/pictures/guess/words.txt");
    let (_, rest) = text.split_once(&format!("[{list}]\n")).expect("the list is there");
    let words = rest.split("\n[").next().unwrap_or(rest).lines().filter(|line| !line.is_empty());
    let seen = clip.picture(&wide()).expect("it is looked at");
    let fit = |word: &str| seen.likeness(&clip.words(&said(word)).expect("they mean something"));
    words.max_by(|a, b| fit(a).total_cmp(&fit(b))).expect("there are entries").to_owned()
}

/// The prompts of an answer.
fn guesses(message: &Value) -> Vec<String> {
    let lines = content(message).lines().filter_map(|line| line.split_once(". `"));
    lines.map(|(_, rest)| rest.trim_end_matches('`').to_owned()).collect()
}

async fn pictures_that_say_nothing_are_looked_at_and_the_words_are_drawn(mode: Mode) {
    let studio = Studio::open(mode, |config| {
        config.describe.clip = tiny_clip();
        config.defaults.steps = 1;
        config.defaults.n_images = 1;
    })
    .await;
    let linus = studio.visitor("linus").await;
    let described = async |channel: &str, file: &[u8]| {
        let asked = linus.slash(channel, "describe", &[("image", Visitor::file("mine.png", "image/png", file))]).await.expect("sent");
        answer(&linus, channel, &asked.0).await
    };

    let told = described(CHANNEL, &png(&wide())).await;
    assert_eq!(told["flags"].as_u64().unwrap_or_default() & 64, 64, "for linus alone: {told}");
    assert!(content(&told).contains("I looked at it and guessed"), "{}", content(&told));
    assert_eq!(buttons(&told), [["1", "2", "3", "4"]]);
    let prompts = guesses(&told);
    let unlike: std::collections::BTreeSet<_> = prompts.iter().collect();
    assert_eq!((prompts.len(), unlike.len()), (4, 4), "{prompts:?}");
    let (medium, subject) = (best("medium", str::to_owned), best("subject", |word| format!("a picture of {word}")));
    assert!(prompts[0].starts_with(&format!("{medium} of {subject}, ")), "{prompts:?}: {medium} of {subject}");

    let pressed = linus.press(id(&told), "2").await.expect("sent");
    let drawn = grid_of(&linus, CHANNEL, &pressed.0).await;
    assert!(content(&drawn).starts_with(&format!("**{}**", prompts[1])), "{}", content(&drawn));

    // From a message's menu the same; what a file or a job says stands before what can be guessed.
    let bare = posted(&studio, &linus, CHANNEL, &png(&wide())).await;
    let base = TextToImage { prompt: "a robot".into(), size: ImageSize::new(64, 64), steps: 9, ..TextToImage::default() };
    let record = Record { task: Task::from(base), index: None, is_enlarged: false, origin: Origin::default() };
    let record = metadata::png(&wide(), &record).expect("a PNG file");
    let says = posted(&studio, &linus, CHANNEL, &record).await;
    let chosen = async |message: &Value| {
        let asked = linus.menu(CHANNEL, "Describe", id(message)).await.expect("chosen");
        answer(&linus, CHANNEL, &asked.0).await
    };
    assert_eq!(guesses(&chosen(&bare).await), prompts);
    for told in [chosen(&says).await, described(CHANNEL, &record).await] {
        assert!(content(&told).starts_with("Its file says how it was made:\n```\na robot\n"), "{}", content(&told));
        assert_eq!(buttons(&told).len(), 1);
    }
    let told = chosen(&drawn).await;
    assert!(content(&told).starts_with("Job `") && content(&told).contains(&prompts[1]), "{}", content(&told));

    // In direct messages, and where only a person has installed the bot.
    for channel in ["dm", "Book club/general"] {
        let told = described(channel, &png(&wide())).await;
        assert_eq!(guesses(&told), prompts);
        let pressed = linus.press(id(&told), "1").await.expect("sent");
        assert!(content(&grid_of(&linus, channel, &pressed.0).await).starts_with(&format!("**{}**", prompts[0])));
    }

    // What is no picture says nothing, and nobody can look at it.
    let told = described(CHANNEL, b"no picture").await;
    assert!(guesses(&told).is_empty() && buttons(&told).is_empty(), "{}", content(&told));
    studio.close().await;
}
