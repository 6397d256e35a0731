//! `/blend`: pictures laid over each other, and what is drawn from them.

use crate::{
    brought::{answer, grid_of, jobs_of, png, wide},
    support::*,
};
use atelier::pictures::metadata::{self, Origin, Record};
use image::{Rgb, RgbImage};
use inference::task::{ImageSize, Role, Task, TextToImage};
use sandbox::Visitor;
use serde_json::{Value, json};
use storage::BlobKey;

in_both_modes! {
    pictures_are_laid_over_each_other_and_drawn_with_words,
    pictures_that_say_what_they_were_drawn_from_need_no_words,
}

const GUILD: u64 = 1_000_000_000_000_000_100;
const LINUS: u64 = 1_000_000_000_000_000_013;
const SMALL: &str = "--images 1 --steps 2 --seed 7";

fn upload(bytes: &[u8]) -> Value {
    Visitor::file("mine.png", "image/png", bytes)
}

/// A picture that says what it was drawn from.
fn drawn_from(prompt: &str) -> Vec<u8> {
    let base = TextToImage { prompt: prompt.into(), size: ImageSize::new(120, 80), ..TextToImage::default() };
    let record = Record { task: base.into(), index: None, is_enlarged: false, origin: Origin::default() };
    metadata::png(&wide(), &record).expect("a PNG file")
}

/// The task of the newest job, and what it begins with.
async fn newest(studio: &Studio, guild: u64) -> (Task, RgbImage) {
    let task: Task = serde_json::from_value(jobs_of(studio, guild).await[0].task.clone()).expect("a task");
    let key = BlobKey::parse(task.input(&Role::Init).expect("an input")).expect("a key");
    let bytes = studio.running.bot.app.blobs.get(&key).await.expect("it is kept");
    (task, image::load_from_memory(&bytes).expect("a picture").into_rgb8())
}

async fn pictures_are_laid_over_each_other_and_drawn_with_words(mode: Mode) {
    let studio = Studio::open(mode, |_| {}).await;
    let ada = &studio.ada;
    let shade = |shade: u8| upload(&png(&RgbImage::from_pixel(60, 60, Rgb([shade; 3]))));
    let options = [("image1", shade(255)), ("image2", shade(0)), ("prompt", json!(format!("a fox {SMALL}"))), ("aspect", json!("3:2"))];
    let asked = ada.slash(CHANNEL, "blend", &options).await.expect("sent");
    let grid = grid_of(ada, CHANNEL, &asked.0).await;
    assert!(content(&grid).starts_with("**a fox** · a blend of pictures `"), "{}", content(&grid));
    let (first, start) = newest(&studio, GUILD).await;
    assert_eq!((first.word(), first.strength()), ("image_to_image", Some(0.7)));
    assert!(start == RgbImage::from_pixel(60, 60, Rgb([188; 3])), "half of the light");
    assert_eq!(first.base().map(|base| base.size), Some(ImageSize::new(80, 48)));

    // Drawn again and varied, as what begins with one picture.
    let again = ada.press(id(&grid), "🔄").await.expect("sent");
    let redrawn = grid_of(ada, CHANNEL, &again.0).await;
    let (second, _) = newest(&studio, GUILD).await;
    assert_eq!((&second.inputs, second.strength()), (&first.inputs, first.strength()));
    let varied = ada.press(id(&redrawn), "V1").await.expect("sent");
    let varied = grid_of(ada, CHANNEL, &varied.0).await;
    assert!(content(&varied).starts_with("**Variation of [picture 1]("), "{}", content(&varied));
    studio.close().await;
}

async fn pictures_that_say_what_they_were_drawn_from_need_no_words(mode: Mode) {
    let studio = Studio::open(mode, |_| {}).await;
    let linus = studio.visitor("linus").await;
    let bare = upload(&png(&wide()));
    let cases: [(&[Value], &str, &str); 3] = [
        (&[upload(&drawn_from("a robot")), bare.clone()], SMALL, "a robot"),
        (&[upload(&drawn_from("a robot")), upload(&drawn_from("a robot"))], SMALL, "a robot"),
        (&[bare.clone(), upload(&drawn_from("a robot")), upload(&drawn_from("hot:: {dog}"))], SMALL, "a robot:: hot, dog::"),
    ];
    for channel in ["dm", "Book club/general"] {
        for (pictures, parameters, expected) in &cases {
            let named = ["image1", "image2", "image3"].into_iter().zip(pictures.iter().cloned());
            let options: Vec<_> = named.chain([("prompt", json!(parameters))]).collect();
            let asked = linus.slash(channel, "blend", &options).await.expect("sent");
            grid_of(&linus, channel, &asked.0).await;
            let (task, start) = newest(&studio, LINUS).await;
            assert_eq!(task.base().map(|base| base.prompt.as_str()), Some(*expected));
            assert!(start == wide(), "the same picture thrice is that picture");
        }
    }

    // Nothing is known, and nothing is charged; the words can be given without the pictures being chosen again.
    let before = jobs_of(&studio, LINUS).await.len();
    let asked = linus.slash(CHANNEL, "blend", &[("image1", bare.clone()), ("image2", bare)]).await.expect("sent");
    let told = answer(&linus, CHANNEL, &asked.0).await;
    assert!(content(&told).contains("please give words for it with `prompt`"), "{}", content(&told));
    assert_eq!((jobs_of(&studio, LINUS).await.len(), jobs_of(&studio, GUILD).await.len()), (before, 0));
    let seq = linus.seq().await.expect("the stand-in counts");
    linus.press(id(&told), "✏️").await.expect("sent");
    let opened = |kind: &str, data: &Value| (kind == "modal").then(|| data.clone());
    let form = linus.wait_for_event(seq, PATIENCE, opened).await.expect("a form opens");
    let sent = linus.submit(&form, &[("prompt0", "a fox"), ("parameters0", SMALL)]).await.expect("the form is taken");
    let grid = grid_of(&linus, CHANNEL, &sent.0).await;
    assert!(content(&grid).starts_with("**a fox** · "), "{}", content(&grid));
    assert!(newest(&studio, GUILD).await.1 == wide());
    studio.close().await;
}
