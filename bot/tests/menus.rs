//! The menu of a message: what is done with the picture that it shows, whoever made it.

use crate::{
    brought::{answer, grid_of, jobs_of, png, posted, wide},
    support::*,
};
use atelier::pictures::metadata::{self, Origin, Record};
use image::RgbImage;
use inference::task::{ImageSize, Seed, Task, TextToImage};
use sandbox::Visitor;
use serde_json::{Value, json};

in_both_modes! {
    pictures_of_ours_are_varied_enlarged_explained_and_reused,
    pictures_of_others_are_varied_enlarged_explained_and_reused,
}

const GUILD: u64 = 1_000_000_000_000_000_100;
const VARIATIONS: &str = "Variations of this picture";
const SMALL: &str = "--steps 2 --seed 7";

/// The form that opens when an entry of a message's menu is chosen. A file that could not be fetched in time is asked for again.
async fn form(person: &Visitor, channel: &str, entry: &str, message: &Value) -> Value {
    loop {
        let seq = person.seq().await.expect("the stand-in counts");
        let asked = person.menu(channel, entry, id(message)).await.expect("chosen");
        let opened = |kind: &str, data: &Value| (kind == "modal").then(|| data.clone());
        tokio::select! {
            opened = person.wait_for_event(seq, PATIENCE, opened) => return opened.unwrap_or_else(|error| panic!("no form for {entry}: {error}")),
            told = answer(person, channel, &asked.0) => assert!(content(&told).contains("I could not fetch"), "{}", content(&told)),
        }
    }
}

/// What stands in a form.
fn fields(form: &Value) -> Vec<String> {
    let rows = form["components"].as_array().expect("rows");
    rows.iter().map(|row| row["components"][0]["value"].as_str().unwrap_or_default().to_owned()).collect()
}

/// The answer to an entry of a message's menu.
async fn chosen(person: &Visitor, channel: &str, entry: &str, message: &Value) -> Value {
    let asked = person.menu(channel, entry, id(message)).await.expect("chosen");
    answer(person, channel, &asked.0).await
}

fn is_for_one(message: &Value) -> bool {
    message["flags"].as_u64().unwrap_or_default() & 64 == 64
}

async fn enlarged(person: &Visitor, channel: &str, asked: &str) -> RgbImage {
    let is_it = |message: &&Value| {
        message["interaction_metadata"]["id"] == asked
            && message["attachments"][0].is_object()
            && !is_grid(message)
            && content(message).contains("pixels")
    };
    let found = person.wait_for(channel, PATIENCE, |messages| messages.iter().find(is_it).cloned()).await.expect("it is enlarged");
    picture(person, &found).await
}

async fn pictures_of_ours_are_varied_enlarged_explained_and_reused(mode: Mode) {
    let studio = Studio::open(mode, |_| {}).await;
    let (ada, grace) = (&studio.ada, studio.visitor("grace").await);
    let asked = ada.slash(CHANNEL, "imagine", &prompt(&format!("a frog --images 3 {SMALL}"))).await.expect("sent");
    let several = grid_of(ada, CHANNEL, &asked.0).await;
    let asked = ada.slash(CHANNEL, "imagine", &prompt(&format!("a fox --images 1 {SMALL}"))).await.expect("sent");
    let one = grid_of(ada, CHANNEL, &asked.0).await;
    let job = jobs_of(&studio, GUILD).await[0].id;

    // Of several somebody has to choose.
    for (entry, expected) in [(VARIATIONS, "**Variation of [picture 2]("), ("Upscale", "**a frog** · Image #2")] {
        let question = chosen(&grace, CHANNEL, entry, &several).await;
        assert_eq!(
            (content(&question), buttons(&question), is_for_one(&question)),
            ("Which of the pictures?", vec![vec!["1".into(), "2".into(), "3".into()]], true)
        );
        grace.press(id(&question), "2").await.expect("sent");
        let is_it = |message: &&Value| content(message).starts_with(expected) && !buttons(message).is_empty();
        grace
            .wait_for(CHANNEL, PATIENCE, |messages| messages.iter().find(is_it).map(|_| ()))
            .await
            .unwrap_or_else(|error| panic!("{expected}: {error}"));
    }
    let asked = grace.menu(CHANNEL, VARIATIONS, id(&one)).await.expect("chosen");
    let varied = grid_of(&grace, CHANNEL, &asked.0).await;
    assert!(content(&varied).starts_with("**Variation of [picture 1](") && content(&varied).contains("a fox"), "{}", content(&varied));

    let told = chosen(&grace, CHANNEL, "Show parameters", &one).await;
    assert!(is_for_one(&told) && content(&told).starts_with(&format!("Job `{job}`\n```\na fox\nSteps: 2, ")), "{}", content(&told));

    let form = form(&grace, CHANNEL, "Reuse prompt", &one).await;
    assert_eq!(fields(&form), ["a fox", "", "--steps 2 --images 1 --seed 7"]);
    let sent = grace.submit(&form, &[("prompt0", "a green fox")]).await.expect("the form is taken");
    assert!(content(&grid_of(&grace, CHANNEL, &sent.0).await).starts_with("**a green fox**"));
    studio.close().await;
}

async fn pictures_of_others_are_varied_enlarged_explained_and_reused(mode: Mode) {
    let studio = Studio::open(mode, |_| {}).await;
    let (linus, grace) = (studio.visitor("linus").await, studio.visitor("grace").await);
    let bare = posted(&studio, &grace, CHANNEL, &png(&wide())).await;
    let base = TextToImage { prompt: "a robot".into(), size: ImageSize::new(64, 64), steps: 9, seed: Seed(5), ..TextToImage::default() };
    let record = Record { task: Task::from(base), index: None, is_enlarged: false, origin: Origin::default() };
    let described = metadata::png(&wide(), &record).expect("a PNG file");
    let described = posted(&studio, &grace, CHANNEL, &described).await;

    // Nobody knows what it shows, so words are asked for; where its file says them, they stand there.
    for (message, words) in [(&bare, ""), (&described, "a robot")] {
        // What a file says is left out of a form that would open too late for it.
        let form = loop {
            let form = form(&linus, CHANNEL, VARIATIONS, message).await;
            assert_eq!(fields(&form)[1..], ["", ""]);
            if fields(&form)[0] == words {
                break form;
            }
            assert_eq!(fields(&form)[0], "");
        };
        let sent =
            linus.submit(&form, &[("prompt0", "a fox"), ("parameters0", "--images 1 --steps 2 --iw 2")]).await.expect("the form is taken");
        let drawn = grid_of(&linus, CHANNEL, &sent.0).await;
        assert!(content(&drawn).starts_with("**a fox** · from a picture `--iw 2 --ar 3:2"), "{}", content(&drawn));
    }

    let asked = linus.menu(CHANNEL, "Upscale", id(&bare)).await.expect("chosen");
    assert_eq!(enlarged(&linus, CHANNEL, &asked.0).await.dimensions().0 % 120, 0, "as many times as wide");

    let told = chosen(&linus, CHANNEL, "Show parameters", &described).await;
    assert!(is_for_one(&told) && content(&told).starts_with("```\na robot\nSteps: 9, "), "{}", content(&told));
    let opened = form(&linus, CHANNEL, "Reuse prompt", &described).await;
    let opened = fields(&opened);
    assert!(opened[0] == "a robot" && opened[2].contains("--steps 9") && opened[2].ends_with("--seed 5"), "{opened:?}");
    for entry in ["Show parameters", "Reuse prompt", "Describe"] {
        let told = chosen(&linus, CHANNEL, entry, &bare).await;
        assert!(is_for_one(&told) && content(&told).contains("does not say how it was made"), "{entry}: {}", content(&told));
    }
    let words = linus.say(CHANNEL, "just words").await.expect("said");
    for entry in [VARIATIONS, "Upscale", "Show parameters", "Reuse prompt", "Describe"] {
        let told = chosen(&linus, CHANNEL, entry, &words).await;
        assert!(is_for_one(&told) && content(&told).contains("no picture that I could take"), "{entry}: {}", content(&told));
    }

    // A file of one's own is described the same way, and its words can be opened.
    let mine = metadata::png(&wide(), &record).expect("a PNG file");
    for (file, words) in [(mine, "```\na robot\nSteps: 9, "), (png(&wide()), "does not say how it was made")] {
        let options = [("image", Visitor::file("mine.png", "image/png", &file))];
        let asked = linus.slash(CHANNEL, "describe", &options).await.expect("sent");
        let told = answer(&linus, CHANNEL, &asked.0).await;
        assert!(is_for_one(&told) && content(&told).contains(words), "{}", content(&told));
        assert_eq!(buttons(&told).len(), usize::from(words.starts_with('`')));
    }

    // Where only a person has installed the bot, too.
    let there = posted(&studio, &linus, "dm", &png(&wide())).await;
    let asked = linus.menu("dm", "Upscale", id(&there)).await.expect("chosen");
    enlarged(&linus, "dm", &asked.0).await;
    let options = [("prompt", json!(format!("a fox --images 1 {SMALL}")))];
    let asked = linus.slash("Book club/general", "imagine", &options).await.expect("sent");
    let grid = grid_of(&linus, "Book club/general", &asked.0).await;
    let asked = linus.menu("Book club/general", VARIATIONS, id(&grid)).await.expect("chosen");
    grid_of(&linus, "Book club/general", &asked.0).await;
    studio.close().await;
}
