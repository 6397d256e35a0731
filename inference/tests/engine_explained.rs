//! Studies: one picture drawn in several ways, and how it came from noise.

use crate::engine_common::{changed, drawn, engine, filled, run, text_to_image};
use futures::executor::block_on;
use image::RgbImage;
use inference::{
    engine::{Engine, Event, Explained, FinishedImage, Submission},
    task::{Enlarger, Hires, ImageSize, Seed, StopAt, TextToImage, Way},
};

/// The same task as a study.
fn study(mut submission: Submission, ways: &[(f64, bool)]) -> Submission {
    let base = submission.task.base_mut().expect("it draws");
    base.study = ways.iter().map(|&(guidance_scale, has_negative)| Way { guidance_scale, has_negative }).collect();
    base.n_images = ways.len() as u32;
    submission
}

/// Its pictures by index, and what it cost.
fn drawn_by(engine: &Engine, submission: &Submission) -> (Vec<FinishedImage>, f64) {
    let mut handle = engine.submit(submission.clone()).expect("a valid task");
    let mut images = Vec::new();
    loop {
        match block_on(handle.next()).expect("an end") {
            Event::Image(image) => images.push(image),
            Event::Done(usage) => {
                images.sort_by_key(|image| image.index);
                return (images, usage.row_megapixels);
            }
            Event::Failed(error) => panic!("{error}"),
            Event::Checkpoint { .. } => panic!("a study tells no states"),
            _ => {}
        }
    }
}

fn far(one: &RgbImage, other: &RgbImage) -> f64 {
    let off: f64 = one.as_raw().iter().zip(other.as_raw()).map(|(a, b)| f64::from(a.abs_diff(*b))).sum();
    off / one.as_raw().len() as f64
}

#[test]
fn looking_at_a_picture_changes_no_bit_of_it_and_costs_what_was_said() {
    let engine = engine(8, 0);
    let base =
        |steps: u32| TextToImage { negative_prompt: Some("leaves".into()), ..text_to_image("a red frog, on (a leaf:1.3)", 7, steps, 1) };
    let hires = Hires { scale: 1.5, strength: 0.6, steps: None, enlarger: Enlarger::Latent };
    let guided = &[(5.0, true), (1.0, true), (10.0, true), (5.0, false)][..];
    for (name, submission, ways, n_steps) in [
        ("from noise", drawn(base(10)), guided, 10),
        ("in few steps", drawn(base(3)), guided, 3),
        ("larger", drawn(TextToImage { hires: Some(hires), ..base(6) }), guided, 9),
        ("stopped", drawn(TextToImage { stop_at: Some(StopAt::Steps(4)), ..base(9) }), guided, 4),
        ("from a picture", changed(base(10), 0.5), guided, 5),
        ("a part", filled(base(6), 1.0), guided, 6),
        ("not guided", drawn(TextToImage { guidance_scale: 1.0, ..base(8) }), &[(1.0, true)][..], 8),
        ("part of the way", drawn(TextToImage { guidance_interval: (0.0, 0.5), ..base(8) }), guided, 8),
    ] {
        let plain = run(&engine, &submission);
        let submission = study(submission, ways);
        let quote = engine.catalogue().check(&submission.task).expect("a valid task").cost;
        let (images, cost) = drawn_by(&engine, &Submission { checkpoint_every: 1, ..submission });
        assert!((quote - cost).abs() < 1e-9, "{name}: {cost}, not {quote}");
        assert_eq!(images[0].image, plain.images[0], "{name}: bit for bit");
        assert!(images.iter().all(|image| image.seed == Seed(7)) && images.len() == ways.len(), "{name}");
        assert!(images[1..].iter().all(|image| image.explained.is_none()), "{name}");

        let Explained { glimpses, sigmas, channels, words } = *images[0].explained.clone().expect("it is explained");
        assert_eq!((sigmas.len(), glimpses.len(), channels.len()), (n_steps, n_steps.min(7), 4), "{name}");
        assert_eq!((glimpses[0].step, glimpses[glimpses.len() - 1].step as usize), (1, n_steps), "{name}");
        assert!(glimpses.iter().all(|glimpse| glimpse.sigma == sigmas[glimpse.step as usize - 1]), "{name}");
        let named: Vec<&str> = words.iter().map(|map| map.word.as_str()).collect();
        assert_eq!(named, ["a", "red", "frog", "on", "a", "leaf"], "{name}");
        for map in &words {
            let (least, most) = map.heat.pixels().fold((255, 0), |(least, most), pixel| (pixel[0].min(least), pixel[0].max(most)));
            assert_eq!((least, most), (0, 255), "{name}: {}", map.word);
        }
        let last = &glimpses[glimpses.len() - 1];
        if last.guess.dimensions() == images[0].image.dimensions() {
            let (guess, begin) = (far(&last.guess, &images[0].image), far(&glimpses[0].reverse, &images[0].image));
            assert!(guess < begin, "{name}: {guess} {begin}");
        }
    }
}

#[test]
fn the_forward_process_ends_where_the_reverse_one_begins() {
    let engine = engine(8, 0);
    let (images, _) = drawn_by(&engine, &study(drawn(text_to_image("a frog", 3, 20, 1)), &[(5.0, true)]));
    let glimpses = &images[0].explained.as_ref().expect("it is explained").glimpses;
    assert!(glimpses.windows(2).all(|two| two[0].sigma > two[1].sigma), "less and less noise");
    // Nearly all is noise, and it is the same noise.
    let apart = far(&glimpses[0].forward, &glimpses[0].reverse);
    let others = far(&glimpses[0].forward, &glimpses[6].reverse);
    assert!(apart * 4.0 < others, "{apart} {others}");
    let off: Vec<f64> = glimpses.iter().map(|glimpse| far(&glimpse.forward, &images[0].image)).collect();
    assert!(off.is_sorted_by(|one, other| one >= other), "{off:?}");
}

#[test]
fn ways_differ_only_where_they_are_told_to() {
    let engine = engine(8, 0);
    let with = TextToImage { negative_prompt: Some("green".into()), ..text_to_image("a frog", 7, 6, 1) };
    let without = TextToImage { negative_prompt: None, ..with.clone() };
    let stronger = TextToImage { guidance_scale: 9.0, ..with.clone() };
    let (images, _) = drawn_by(&engine, &study(drawn(with.clone()), &[(5.0, true), (9.0, true), (5.0, false), (5.0, true)]));
    for (index, alone) in [(0, with), (1, stronger), (2, without)] {
        assert_eq!(images[index].image, run(&engine, &drawn(alone.clone())).images[0], "{index}");
        let way =
            study(drawn(TextToImage { negative_prompt: Some("green".into()), ..alone.clone() }), &[(alone.guidance_scale, index != 2)]);
        assert_eq!(way.task.base().expect("it draws").alone(0), alone, "{index}");
    }
    assert_eq!(images[3].image, images[0].image);
    assert!(images[0].image != images[1].image && images[0].image != images[2].image);
}

#[test]
fn who_draws_beside_a_study_gets_the_same_bits_and_odd_studies_are_refused() {
    let engine = engine(16, 0);
    let plain = drawn(text_to_image("a boat", 50, 8, 2));
    let alone = run(&engine, &plain);
    let looked = engine.submit(study(drawn(text_to_image("a frog", 7, 12, 1)), &[(5.0, true), (1.0, true)])).expect("valid");
    assert_eq!(run(&engine, &plain).images, alone.images);
    drop(looked);

    let mut odd = study(drawn(text_to_image("a frog", 7, 6, 1)), &[(5.0, true), (1.0, true)]);
    odd.task.base_mut().expect("it draws").n_images = 3;
    assert!(engine.catalogue().check(&odd.task).is_err());
    let strong = study(drawn(TextToImage { size: ImageSize::new(64, 64), ..text_to_image("a frog", 7, 6, 1) }), &[(500.0, true)]);
    assert!(engine.catalogue().check(&strong.task).is_err());
}

#[test]
fn a_prompt_of_several_parts_has_no_words_to_tell_apart() {
    let engine = engine(8, 0);
    let parted = TextToImage { has_parts: true, ..text_to_image("a frog:: a boat::2", 7, 4, 1) };
    let (images, _) = drawn_by(&engine, &study(drawn(parted), &[(5.0, true)]));
    assert_eq!(images[0].explained.as_ref().expect("it is explained").words, []);
}

#[test]
fn pictures_that_are_compared_have_each_its_own_prompt_and_one_noise() {
    let engine = engine(8, 0);
    let readings = ["a red frog, on (a leaf:1.3)", "a frog, on (a leaf:1.3)", "a red frog"].map(str::to_owned).to_vec();
    let base = |prompt: &str, n_images| TextToImage { stop_at: Some(StopAt::Steps(3)), ..text_to_image(prompt, 7, 9, n_images) };
    let compared = drawn(TextToImage { readings: readings.clone(), ..base(&readings[0], 3) });
    let quote = engine.catalogue().check(&compared.task).expect("a valid task").cost;
    let (images, cost) = drawn_by(&engine, &compared);
    assert!((quote - cost).abs() < 1e-9, "{cost}, not {quote}");
    for (image, prompt) in images.iter().zip(&readings) {
        assert_eq!(image.image, run(&engine, &drawn(base(prompt, 1))).images[0], "{prompt}: bit for bit as alone");
        assert_eq!((image.seed, &image.explained), (Seed(7), &None));
    }
    assert!(images[0].image != images[1].image && images[0].image != images[2].image);
    for (n_images, study) in [(2, Vec::new()), (3, vec![Way { guidance_scale: 5.0, has_negative: true }; 3])] {
        let wrong = drawn(TextToImage { n_images, study, ..compared.task.base().expect("it draws").clone() });
        assert!(engine.catalogue().check(&wrong.task).is_err());
    }
}
