//! What rows share and what they do not, and what looking at them costs.

use std::{path::Path, rc::Rc, sync::Arc};

use candle_core::{DType, Device, Tensor};
use tokio::sync::mpsc;

use super::{Bench, Submitted, draw, task};
use crate::{
    adapter::AdapterSet,
    batcher::Ticket,
    engine::Meter,
    error::InferenceError,
    family::{PromptRequest, Told, toy},
    host,
    ops::Padding,
    sampler::Sampler,
    schedule::ScheduleConfig,
    task::{ImageSize, Task, TextToImage},
    trajectory::Events,
};

#[test]
fn a_batch_never_has_fewer_rows_than_were_asked() {
    let pictures = |bench: &mut Bench| {
        let mut submitted = bench.submit(task("/", 8, 3, 4));
        bench.finish();
        submitted.end()
    };
    // The toy answers several rows of this prompt with one too few: each goes again alone, and none takes another one's numbers.
    let (alone, together) = (pictures(&mut Bench::new(1)), pictures(&mut Bench::new(8)));
    assert_eq!((alone.0.len(), &alone.1), (4, &Some(Ok(()))));
    assert_eq!(together, alone);
}

#[test]
fn rows_share_a_batch_by_size_and_conditioning_and_not_by_prompt() {
    let (short, long) = ("a".to_owned(), "b".repeat(80));
    for (prompts, sides, is_shared) in [
        ([&short, &short], [8, 8], true),
        ([&short, &"c".to_owned()], [8, 8], true),
        ([&long, &"c".repeat(90)], [8, 8], true),
        ([&short, &long], [8, 8], false),
        ([&long, &long], [8, 16], false),
    ] {
        let mut bench = Bench::new(8);
        let mut both = [0, 1].map(|i| bench.submit(task(prompts[i], sides[i], 4, 1)));
        bench.finish();
        assert!(both.iter_mut().all(|one| one.end().1 == Some(Ok(()))), "{prompts:?}");
        let rows: Vec<usize> = bench.calls().iter().filter(|(kind, _)| *kind == "predict").map(|(_, shape)| shape[0]).collect();
        assert_eq!(rows, if is_shared { vec![2; 4] } else { vec![1; 8] }, "{prompts:?} at {sides:?}");
    }
}

#[test]
fn a_prompt_of_another_denoiser_fails_one_task_and_nothing_else() {
    let (mut bench, mut other) = (Bench::new(8), Bench::new(8));
    let ticket = |bench: &Bench| {
        let (sender, events) = mpsc::channel(8);
        let meter = Arc::new(Meter::default());
        let (parts, padding) = (bench.parts.clone(), Padding::Zeros);
        let ticket =
            Ticket { parts, meter: meter.clone(), events: Events::new(sender, 1), n_images: 1, padding, prices: toy::rules().prices };
        (ticket, Submitted { events, meter })
    };
    let request = PromptRequest { text: Some("a".into()), has_parts: false, clip_skip: 0, length: 1, adapters: AdapterSet::default() };
    let told =
        Told { size: ImageSize::new(8, 8), is_negative: false, guidance_scale: 1.0, adapters: AdapterSet::default(), drifts: Vec::new() };
    let foreign = other.batcher.drive(ticket(&other).0, async move |caller| caller.prompt(request, told).await).expect("a prompt");
    let (mine, mut submitted) = ticket(&bench);
    let mut beside = bench.submit(task("a", 8, 5, 1));
    let latents = Tensor::zeros((1, 3, 4, 4), DType::F32, &Device::Cpu).expect("latents");
    bench.batcher.start(mine, async move |caller| caller.predict(&latents, 1.0, &foreign).await.map(drop));
    bench.finish();
    let sentence = "the engine is at fault: a prompt was made ready for another denoiser";
    assert_eq!(submitted.end(), (vec![], Some(Err(sentence.into()))));
    assert_eq!(beside.end().1, Some(Ok(())));
}

#[test]
fn numbers_are_read_once_for_each_batch_however_many_pictures_are_in_it() {
    for (n_images, n_steps, guidance_rescale) in [(1, 6, 0.0), (4, 6, 0.0), (4, 6, 0.7), (8, 3, 0.7)] {
        let mut bench = Bench::new(64);
        Rc::get_mut(&mut bench.facts).expect("nobody else has it").preview_every = 0;
        let base = TextToImage { guidance_scale: 4.0, guidance_rescale, ..draw("a", 8, n_steps, n_images) };
        let mut submitted = bench.submit(Task::from(base));
        let before = host::tests::n_reads();
        bench.finish();
        assert_eq!(submitted.end().1, Some(Ok(())));
        let n_batches = bench.calls().iter().filter(|(kind, _)| *kind == "predict").count();
        assert_eq!(n_batches, n_steps as usize, "they shared their batches");
        // At its end each picture is looked at and becomes a file.
        let n_reads = host::tests::n_reads() - before - 2 * n_images as usize;
        assert_eq!(n_reads, n_batches, "{n_images} pictures, rescaled by {guidance_rescale}");
    }
}

#[test]
fn bounds_that_depend_on_all_numbers_are_read_once_for_each_batch() {
    let mut pictures = Vec::new();
    for (max_rows, n_images) in [(1, 4), (64, 1), (64, 4)] {
        let mut bench = Bench::new(max_rows);
        let facts = Rc::get_mut(&mut bench.facts).expect("nobody else has it");
        facts.preview_every = 0;
        let json = r#"{"thresholding": true, "dynamic_thresholding_ratio": 0.8, "sample_max_value": 4.0}"#;
        facts.limits.schedule = ScheduleConfig::parse(json, Path::new("scheduler_config.json")).expect("a schedule");
        let mut submitted = bench.submit(Task::from(TextToImage { sampler: Sampler::Ddim, ..draw("a", 8, 5, n_images) }));
        let before = host::tests::n_reads();
        bench.finish();
        let (drawn, end) = submitted.end();
        assert_eq!(end, Some(Ok(())));
        let n_batches = bench.calls().iter().filter(|(kind, _)| *kind == "predict").count();
        assert_eq!(n_batches, if max_rows == 1 { 20 } else { 5 });
        // A batch's sums and its numbers; at its end each picture is looked at and becomes a file.
        assert_eq!(host::tests::n_reads() - before - 2 * n_images as usize, 2 * n_batches, "{n_images} pictures, {max_rows} rows");
        pictures.push(drawn);
    }
    assert!(pictures[0] == pictures[2], "each has its own bound");
    assert_eq!(pictures[0][0], pictures[1][0]);
}

#[test]
fn a_call_whose_part_is_not_in_memory_waits_alone() {
    let mut bench = Bench::new(8);
    let pictures = |bench: &mut Bench| {
        let mut submitted = bench.submit(task("a", 8, 3, 1));
        bench.finish();
        submitted.end()
    };
    let expected = pictures(&mut bench);
    let vae = bench.parts.vae.get().expect("it is there");
    bench.parts.vae.clear();
    let mut waiting = bench.submit(task("a", 8, 3, 1));
    bench.finish();
    assert_eq!(waiting.end(), (vec![], None), "all is done but the decoding");
    assert_eq!(bench.batcher.demands(), [bench.parts.vae.id()]);

    // Others draw on.
    let mut beside = bench.submit(task("b", 8, 3, 1));
    bench.finish();
    assert_eq!(beside.end(), (vec![], None));
    let n_steps = bench.calls().iter().filter(|(kind, _)| *kind == "predict").count();
    assert_eq!(n_steps, 9, "three of each of three tasks");
    bench.parts.vae.fill(vae);
    bench.finish();
    assert_eq!(waiting.end(), expected);
    assert_eq!(beside.end().1, Some(Ok(())));
    assert_eq!(bench.batcher.demands(), []);
}

#[test]
fn a_part_that_cannot_be_loaded_fails_the_calls_that_wait_for_it_alone() {
    let mut bench = Bench::new(8);
    bench.parts.vae.clear();
    let mut waiting = bench.submit(task("a", 8, 3, 1));
    bench.finish();
    let mut drawing = bench.submit(task("a", 8, 3, 1));
    bench.batcher.turn();
    let error = Arc::new(InferenceError::Panicked { reason: "no such file".into() });
    bench.batcher.fail(bench.parts.vae.id(), &error);
    bench.batcher.turn();
    assert_eq!(waiting.end(), (vec![], Some(Err(error.to_string()))));
    assert_eq!(drawing.end(), (vec![], None), "it has not come to decoding");
}
