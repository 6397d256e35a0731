//! The engine with the starter model: reference pictures, batching, cancelling, previews, image-to-image, enlarging.

use crate::engine_common::{Outcome, engine, finish, picture, psnr, reference, starter_folder, text_to_image};
use futures::executor::block_on;
use image::{RgbImage, imageops::FilterType};
use inference::{
    engine::{Event, Progress, Submission},
    sampler::Sampler,
    task::{ImageSize, ImageToImage, Role, Seed, Task, TextToImage, Upscale},
};

fn run(engine: &inference::engine::Engine, task: Task) -> Outcome {
    finish(engine.submit(Submission::new(task)).expect("a valid task"))
}

#[test]
fn reference_pictures_of_diffusers_come_out() {
    let engine = engine(8, 0);
    for case in reference() {
        let outcome = run(&engine, Task::from(case.task.clone()));
        let found = psnr(&outcome.images[0], &case.image);
        assert!(found >= 40.0, "{} ({}): {found:.1} dB", case.task.prompt, case.task.sampler);
    }
}

#[test]
fn two_tasks_together_are_bit_equal_to_each_alone_and_share_calls() {
    let other = TextToImage { sampler: Sampler::EulerA, steps: 7, guidance_scale: 1.0, ..text_to_image("a boat", 50, 10, 4) };
    let pairs = [(text_to_image("a cat", 1, 10, 4), text_to_image("a dog", 9, 10, 4)), (text_to_image("a cat", 1, 10, 4), other)];
    for (first, second) in pairs {
        let engine = engine(16, 0);
        let calls = || engine.stats().n_network_calls;
        let alone = [run(&engine, Task::from(first.clone())), run(&engine, Task::from(second.clone()))];
        let calls_alone = calls();
        let submit = |base: &TextToImage| engine.submit(Submission::new(Task::from(base.clone()))).expect("valid");
        // The second joins half-way: only once the first tells of its fourth step.
        let mut early = submit(&first);
        while !matches!(block_on(early.next()), Some(Event::Progress(progress)) if progress.done >= 16) {}
        let late = submit(&second);
        let together = [finish(early), finish(late)];
        let calls_together = calls() - calls_alone;
        assert!(calls_together < calls_alone, "{calls_together} against {calls_alone}");
        for (alone, together) in alone.iter().zip(&together) {
            assert_eq!(alone.images.len(), 4);
            assert_eq!(alone.images, together.images, "bit for bit");
        }
    }
}

#[test]
fn two_tasks_at_once_take_at_most_six_tenths_of_the_calls() {
    let engine = engine(32, 0);
    let (first, second) = (text_to_image("a cat", 1, 10, 4), text_to_image("a dog", 9, 10, 4));
    run(&engine, Task::from(first.clone()));
    run(&engine, Task::from(second.clone()));
    let alone = engine.stats().n_network_calls;
    let handles: Vec<_> =
        [first, second].map(|base| engine.submit(Submission::new(Task::from(base))).expect("valid")).into_iter().collect();
    handles.into_iter().for_each(|handle| drop(finish(handle)));
    let together = engine.stats().n_network_calls - alone;
    assert!(together as f64 <= 0.6 * alone as f64, "{together} calls instead of {alone}");
}

#[test]
fn picture_i_equals_a_task_of_one_picture_with_the_next_seed() {
    let engine = engine(8, 0);
    let four = run(&engine, Task::from(text_to_image("a cat", 7, 6, 3)));
    for (i, image) in four.images.iter().enumerate() {
        let one = run(&engine, Task::from(text_to_image("a cat", 7 + i as u64, 6, 1)));
        assert_eq!(one.images[0], *image, "picture {i}");
        assert_eq!(one.seeds[0], four.seeds[i]);
    }
}

#[test]
fn pictures_that_are_finished_are_not_drawn_again() {
    let engine = engine(8, 0);
    let task = Task::from(text_to_image("a cat", 7, 6, 4));
    let all = run(&engine, task.clone());
    let n_rows = engine.stats().n_network_rows;
    let mut handle = engine.submit(Submission { finished: vec![2, 0], ..Submission::new(task.clone()) }).expect("valid");
    let begin = block_on(handle.next());
    assert!(matches!(begin, Some(Event::Progress(Progress { done: 12, total: 24 }))), "{begin:?}");
    let rest = finish(handle);
    assert_eq!(rest.seeds, [all.seeds[1], all.seeds[3]]);
    assert_eq!(rest.images, [all.images[1].clone(), all.images[3].clone()], "bit for bit");
    assert_eq!(engine.stats().n_network_rows - n_rows, n_rows / 2, "only the others' rows");
    assert!(rest.usage.row_megapixels < 0.6 * all.usage.row_megapixels);

    let n_rows = engine.stats().n_network_rows;
    let none = finish(engine.submit(Submission { finished: vec![0, 1, 2, 3], ..Submission::new(task) }).expect("valid"));
    assert_eq!((none.images.len(), none.usage.row_megapixels, engine.stats().n_network_rows), (0, 0.0, n_rows));
}

#[test]
fn a_cancelled_task_stops_within_a_step_and_frees_the_engine() {
    let engine = engine(8, 0);
    let task = Task::from(text_to_image("a cat", 1, 150, 4));
    let mut handle = engine.submit(Submission::new(task)).expect("valid");
    while !matches!(block_on(handle.next()), Some(Event::Progress(progress)) if progress.done >= 4) {}
    handle.cancel();
    let before = engine.stats().n_network_calls;
    let mut end = None;
    while let Some(event) = block_on(handle.next()) {
        end = Some(event);
    }
    assert!(matches!(end, Some(Event::Failed(error)) if error.to_string() == "the task was cancelled"));
    assert!(engine.stats().n_network_calls - before <= 2, "the batch under way, and at most one that was already due");
    assert_eq!(engine.stats().n_active, 0);
    assert!(handle.usage().row_megapixels > 0.0);
    assert_eq!(run(&engine, Task::from(text_to_image("a cat", 1, 2, 1))).images.len(), 1);
}

#[test]
fn a_dropped_handle_cancels_and_a_dropped_engine_ends_its_tasks() {
    let engine = engine(8, 0);
    let submit = || engine.submit(Submission::new(Task::from(text_to_image("a cat", 1, 150, 4)))).expect("valid");
    drop(submit());
    let mut handle = submit();
    assert!(block_on(handle.next()).is_some());
    drop(engine);
    let mut last = None;
    while let Some(event) = block_on(handle.next()) {
        last = Some(event);
    }
    assert!(matches!(last, Some(Event::Failed(error)) if error.to_string() == "the engine has stopped"));
}

#[test]
fn previews_come_closer_to_the_picture() {
    let engine = engine(8, 5);
    let outcome = run(&engine, Task::from(TextToImage { n_images: 1, ..text_to_image("a red apple on a blue background", 3, 25, 1) }));
    let picture = &outcome.images[0];
    let distances: Vec<f64> = outcome
        .previews
        .iter()
        .map(|preview| psnr(&image::imageops::resize(preview, picture.width(), picture.height(), FilterType::Triangle), picture))
        .collect();
    assert!(outcome.previews.len() >= 3, "{} previews", outcome.previews.len());
    assert!(outcome.previews.windows(2).all(|pair| pair[0] != pair[1]), "all differ");
    assert!(distances.windows(2).all(|pair| pair[1] >= pair[0] - 0.5), "{distances:?}");
    assert!(distances[distances.len() - 1] > distances[0] + 3.0, "{distances:?}");
}

#[test]
fn image_to_image_equals_diffusers() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/img2img");
    let text = std::fs::read_to_string(folder.join("cases.json")).expect("cases.json");
    let file: serde_json::Value = serde_json::from_str(&text).expect("valid JSON");
    let engine = engine(8, 0);
    for case in file["cases"].as_array().expect("cases") {
        let word = |key: &str| case[key].as_str().expect("text").to_owned();
        let base = TextToImage {
            sampler: word("sampler").parse().expect("a sampler"),
            guidance_scale: case["guidance_scale"].as_f64().expect("a number"),
            ..text_to_image(&word("prompt"), case["seed"].as_u64().expect("a seed"), case["steps"].as_u64().expect("steps") as u32, 1)
        };
        let source = Some(picture(&starter_folder().join("reference").join(word("source"))));
        let strength = case["strength"].as_f64().expect("a number");
        let task = Task::image_to_image(ImageToImage { base, strength }, "source");
        let inputs = source.map(|picture| (Role::Init, picture.into())).into_iter().collect();
        let (cost, submission) = (engine.catalogue().cost(&task), Submission { inputs, ..Submission::new(task) });
        let outcome = finish(engine.submit(submission).expect("valid"));
        let found = psnr(&outcome.images[0], &picture(&folder.join(word("image"))));
        assert!(found >= 40.0, "{}: {found:.1} dB", word("sampler"));
        assert!((outcome.usage.row_megapixels - cost).abs() < 1e-9, "used what it was said to cost");
    }
}

#[test]
fn little_strength_stays_near_the_source() {
    let engine = engine(8, 0);
    let source = picture(&starter_folder().join("reference/2.png"));
    let distance = |strength: f64| {
        let task = Task::image_to_image(ImageToImage { base: text_to_image("a dog", 3, 20, 1), strength }, "2");
        let submission = Submission::new(task).with(Role::Init, source.clone());
        psnr(&finish(engine.submit(submission).expect("valid")).images[0], &source)
    };
    let (little, much) = (distance(0.2), distance(1.0));
    assert!(little > much + 3.0, "{little:.1} dB and {much:.1} dB");
}

#[test]
fn an_enlarged_picture_shows_the_same() {
    let engine = engine(8, 0);
    let source = picture(&starter_folder().join("reference/0.png"));
    let size = ImageSize::new(source.width(), source.height());
    let task = Task::upscale(Upscale { size, passes: 1 }, "0");
    let cost = engine.catalogue().cost(&task);
    let outcome = finish(engine.submit(Submission::new(task).with(Role::Init, source.clone())).expect("valid"));
    let large = &outcome.images[0];
    assert_eq!((large.width(), large.height()), (size.width * 4, size.height * 4));
    let back = image::imageops::resize(large, size.width, size.height, FilterType::Triangle);
    assert!(psnr(&back, &source) > 25.0, "{:.1} dB", psnr(&back, &source));
    assert_eq!(outcome.seeds, [Seed(0)]);
    assert!((outcome.usage.row_megapixels - cost).abs() < 1e-9);
}

#[test]
fn two_passes_are_one_after_the_other_and_cost_both() {
    let engine = engine(8, 0);
    let whole = picture(&starter_folder().join("reference/0.png"));
    for (width, height) in [(24, 16), (16, 31)] {
        let small = image::imageops::crop_imm(&whole, 8, 8, width, height).to_image();
        let enlarge = |source: &RgbImage, passes: u32| {
            let size = ImageSize::new(source.width(), source.height());
            let task = Task::upscale(Upscale { size, passes }, "0");
            let cost = engine.catalogue().cost(&task);
            let outcome = finish(engine.submit(Submission::new(task).with(Role::Init, source.clone())).expect("valid"));
            assert!((outcome.usage.row_megapixels - cost).abs() < 1e-9, "used what it was said to cost");
            (outcome.images.into_iter().next().expect("a picture"), cost)
        };
        let (once, first_cost) = enlarge(&small, 1);
        let (twice, second_cost) = enlarge(&once, 1);
        let (found, cost) = enlarge(&small, 2);
        assert_eq!(found.dimensions(), (width * 16, height * 16));
        assert!(psnr(&found, &twice) > 45.0, "{:.1} dB from the rounding between them alone", psnr(&found, &twice));
        assert!((cost - first_cost - second_cost).abs() < 1e-9, "{cost}, not {first_cost} and {second_cost}");
    }
}

#[test]
fn a_cancel_takes_effect_between_passes() {
    let engine = engine(8, 0);
    let source = picture(&starter_folder().join("reference/0.png"));
    let task = Task::upscale(Upscale { size: ImageSize::new(64, 64), passes: 3 }, "0");
    let cost = engine.catalogue().cost(&task);
    let mut handle = engine.submit(Submission::new(task).with(Role::Init, source)).expect("valid");
    while !matches!(block_on(handle.next()), Some(Event::Progress(progress)) if progress.done == 1) {}
    handle.cancel();
    let ended = std::iter::from_fn(|| block_on(handle.next())).last();
    assert!(matches!(ended, Some(Event::Failed(error)) if error.to_string() == "the task was cancelled"));
    assert!(handle.usage().row_megapixels < cost / 4.0, "the last pass, most of the cost, was not begun");
}

#[test]
fn a_stored_enlargement_of_the_time_before_is_of_one_pass() {
    let stored = r#"{"kind":"upscale","source":"ab","size":{"width":64,"height":64}}"#;
    let expected = Task::upscale(Upscale { size: ImageSize::new(64, 64), passes: 1 }, "ab");
    assert_eq!(serde_json::from_str::<Task>(stored).expect("a task"), expected);
}
