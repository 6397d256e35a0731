//! 🎞️: how a picture came from noise.

use std::io::Cursor;

use crate::support::*;
use image::{AnimationDecoder, codecs::gif::GifDecoder, imageops};

in_both_modes! {
    a_film_shows_the_steps_and_ends_with_the_picture,
    a_picture_without_previews_has_no_film,
}

async fn a_film_shows_the_steps_and_ends_with_the_picture(mode: Mode) {
    let studio = Studio::open(mode, |config| (config.engine.preview_every, config.defaults.steps) = (1, 12)).await;
    let ada = &studio.ada;
    ada.slash(CHANNEL, "imagine", &prompt("a strawberry --seed 7")).await.expect("sent");
    let grid = nth_grid(ada, 1).await;
    ada.press(id(&grid), "U2").await.expect("sent");
    let enlarged = message_with(ada, " pixels · enlarged from ").await;
    ada.press(id(&enlarged), "🎞️").await.expect("sent");
    let told = told(ada, "The last is the picture.").await;
    let bytes = ada.attachment_bytes(&told, 0).await.expect("served");
    let frames = GifDecoder::new(Cursor::new(bytes)).expect("a GIF").into_frames().collect_frames().expect("frames");
    // A preview may be left out while the machine is busy; the last step has none but the picture.
    assert!((2..=12).contains(&frames.len()), "{}", frames.len());
    assert!(content(&told).starts_with(&format!("{} step", frames.len() - 1)) || frames.len() == 2, "{}", content(&told));

    // The picture's own pixels at the end; towards it the steps come nearer.
    ada.press(id(&grid), "Download").await.expect("sent");
    let files = message_with(ada, "The pictures' files").await;
    let bytes = ada.attachment_bytes(&files, 1).await.expect("served");
    let picture = image::load_from_memory(&bytes).expect("a picture").into_rgb8();
    let distance = |frame: &image::Frame| {
        let frame = image::DynamicImage::from(frame.buffer().clone()).into_rgb8();
        let frame = imageops::thumbnail(&frame, picture.width(), picture.height());
        frame.iter().zip(picture.iter()).map(|(one, other)| f64::from(one.abs_diff(*other))).sum::<f64>() / picture.len() as f64
    };
    let (first, last) = (distance(&frames[0]), distance(&frames[frames.len() - 1]));
    assert!(last < 12.0 && first > last, "{first} {last}");

    // Whoever presses is answered alone, and the same film is there after that too.
    let linus = studio.visitor("linus").await;
    linus.press(id(&enlarged), "🎞️").await.expect("sent");
    let told = self::told(&linus, "The last is the picture.").await;
    assert!(linus.attachment_bytes(&told, 0).await.expect("served").starts_with(b"GIF89a"));
    studio.close().await;
}

async fn a_picture_without_previews_has_no_film(mode: Mode) {
    let studio = Studio::open(mode, |_| {}).await;
    let ada = &studio.ada;
    ada.slash(CHANNEL, "imagine", &prompt("a frog --seed 7 --images 1")).await.expect("sent");
    let grid = nth_grid(ada, 1).await;
    ada.press(id(&grid), "🎞️").await.expect("sent");
    told(ada, "I have no steps of this picture to show").await;
    studio.close().await;
}
