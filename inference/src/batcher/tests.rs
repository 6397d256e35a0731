//! The batcher with networks of a few lines, whose answers are known.

mod rows;

use std::{
    path::Path,
    rc::Rc,
    sync::{Arc, Mutex},
};

use candle_core::{DType, Device};
use tokio::sync::mpsc;

use super::{Batcher, Parts};
use crate::{
    adapter::AdapterSet,
    catalogue::limits::{Chunks, Limits},
    engine::{Counters, Event, Meter, Submission},
    family::{
        Denoiser, PromptRequest, Rules, Text,
        toy::{self, Log, ToyDenoiser, ToyText, ToyVae},
    },
    noise::TorchGenerator,
    part::Slot,
    preview::PreviewMap,
    sampler::Sampler,
    schedule::{ScheduleConfig, ScheduleKind},
    state::{DeviceClass, Files},
    task::{ImageSize, Seed, SkippedFor, Task, TextToImage},
    trajectory::{Events, Facts, Job},
    vae::Vae,
};

struct Bench {
    batcher: Batcher,
    parts: Rc<Parts>,
    requests: Arc<Mutex<Vec<PromptRequest>>>,
    facts: Rc<Facts>,
    log: Log,
    counters: Arc<Counters>,
}

struct Submitted {
    events: mpsc::Receiver<Event>,
    meter: Arc<Meter>,
}

impl Bench {
    fn new(max_rows: usize) -> Self {
        let schedule = ScheduleConfig::parse("{}", Path::new("scheduler_config.json")).expect("defaults");
        let limits = Limits { rules: toy::rules(), max_side: 1024, upscale_factor: Some(4), inpaint_schedule: schedule.clone(), schedule };
        let (log, counters, requests) = (Log::default(), Arc::new(Counters::default()), Arc::default());
        let vae = Vae::toy(ToyVae { log: log.clone() });
        let preview = Slot::with(PreviewMap::of_vae(&vae, &Device::Cpu).expect("a map"));
        let facts = Rc::new(Facts {
            limits,
            preview,
            decoder: None,
            preview_every: 1,
            device: Device::Cpu,
            device_class: DeviceClass::of(&Device::Cpu, DType::F32),
            files: Files::default(),
        });
        let parts = Rc::new(Parts {
            text: Slot::with(Text::toy(ToyText { log: log.clone(), requests: Arc::clone(&requests) })),
            denoiser: Slot::with(Denoiser::toy(ToyDenoiser { log: log.clone() })),
            vae_factor: vae.factor(),
            vae: Slot::with(vae),
            upscaler: None,
        });
        Self { batcher: Batcher::new(counters.clone(), max_rows), parts, requests, facts, log, counters }
    }

    fn submit(&mut self, task: Task) -> Submitted {
        let (sender, events) = mpsc::channel(task.n_images() as usize + 1 + 8);
        let meter = Arc::new(Meter::default());
        let events_to = Events::new(sender, task.n_images());
        let (parts, facts) = (self.parts.clone(), self.facts.clone());
        let adapters = AdapterSet::default();
        let job = Job { submission: Submission::new(task), parts, adapters, facts, events: events_to, meter: meter.clone() };
        self.batcher.start(job.ticket(), async move |caller| job.run(&caller).await);
        Submitted { events, meter }
    }

    /// With other rules for prompts.
    fn ruled(rules: Rules) -> Self {
        let mut bench = Self::new(8);
        Rc::get_mut(&mut bench.facts).expect("nobody else has it").limits.rules = rules;
        bench
    }

    /// The calls so far: each one's kind and its rows' shape.
    fn calls(&self) -> Vec<(&'static str, Vec<usize>)> {
        self.log.lock().expect("nobody panicked with it").clone()
    }

    fn forget_calls(&self) {
        self.log.lock().expect("nobody panicked with it").clear();
    }

    /// Runs all tasks to their end; the number of batches.
    fn finish(&mut self) -> usize {
        (0..).take_while(|_| self.batcher.turn()).count()
    }
}

impl Submitted {
    /// The pictures' bytes and how the task ended.
    fn end(&mut self) -> (Vec<Vec<u8>>, Option<Result<(), String>>) {
        let (mut pictures, mut end) = (Vec::new(), None);
        while let Ok(event) = self.events.try_recv() {
            assert!(end.is_none(), "an event after the end: {event:?}");
            match event {
                Event::Image(finished) => pictures.push(finished.image.into_raw()),
                Event::Done(usage) => {
                    assert_eq!(usage, self.meter.usage());
                    end = Some(Ok(()));
                }
                Event::Failed(error) => end = Some(Err(error.to_string())),
                Event::Loading | Event::Notes(_) | Event::Progress(_) | Event::Preview { .. } | Event::Checkpoint { .. } => {}
            }
        }
        (pictures, end)
    }
}

fn draw(prompt: &str, side: u32, steps: u32, n_images: u32) -> TextToImage {
    TextToImage {
        prompt: prompt.into(),
        negative_prompt: None,
        size: ImageSize::new(side, side),
        steps,
        guidance_scale: 1.0,
        sampler: Sampler::Euler,
        schedule: ScheduleKind::Normal,
        seed: Seed(5),
        n_images,
        ..TextToImage::default()
    }
}

fn task(prompt: &str, side: u32, steps: u32, n_images: u32) -> Task {
    Task::from(draw(prompt, side, steps, n_images))
}

#[test]
fn a_batch_has_at_most_so_many_rows_and_pictures_do_not_depend_on_it() {
    let pictures: Vec<_> = [1, 3, 64]
        .into_iter()
        .map(|max_rows| {
            let mut bench = Bench::new(max_rows);
            let mut submitted = bench.submit(Task::from(TextToImage { guidance_scale: 4.0, ..draw("a", 8, 4, 4) }));
            bench.finish();
            assert!(bench.calls().iter().all(|(_, shape)| shape[0] <= max_rows));
            assert_eq!(bench.counters.stats().n_network_rows, 4 * 4 * 2);
            submitted.end()
        })
        .collect();
    assert_eq!(pictures[0].0.len(), 4);
    assert_eq!(pictures[0].1, Some(Ok(())));
    assert!(pictures.iter().all(|other| *other == pictures[0]));
}

#[test]
fn a_finished_task_used_what_it_was_said_to_cost() {
    let mut bench = Bench::new(8);
    let long = TextToImage { guidance_scale: 3.0, negative_prompt: Some("b".repeat(200)), ..draw(&"a".repeat(80), 8, 3, 2) };
    let chunks = |text: &str| 1 + text.len() / 75;
    for base in [draw("a", 8, 4, 3), TextToImage { guidance_scale: 3.0, ..draw("a", 16, 7, 2) }, long] {
        let chunks = Chunks::of(&[chunks(&base.prompt)], chunks(base.negative_prompt.as_deref().unwrap_or_default()));
        let task = Task::from(base);
        let mut submitted = bench.submit(task.clone());
        bench.finish();
        assert_eq!(submitted.end().1, Some(Ok(())));
        let (used, cost) = (submitted.meter.usage().row_megapixels, bench.facts.limits.cost(&task, chunks));
        assert!((used - cost).abs() < 1e-9, "{used} is not {cost}");
    }
}

#[test]
fn equal_prompts_are_encoded_once() {
    let rows = |base: TextToImage| {
        let mut bench = Bench::new(8);
        bench.submit(Task::from(base));
        bench.finish();
        let log = bench.calls();
        log.iter().filter(|(kind, _)| *kind == "prompt").map(|(_, shape)| shape[0]).sum::<usize>()
    };
    let guided = TextToImage { guidance_scale: 2.0, ..draw("a", 8, 2, 4) };
    assert_eq!(rows(draw("a", 8, 2, 4)), 1);
    assert_eq!(rows(guided.clone()), 2);
    assert_eq!(rows(TextToImage { negative_prompt: Some("a".into()), ..guided }), 1);
}

#[test]
fn a_short_task_is_not_blocked_by_a_long_one_of_another_size() {
    let mut bench = Bench::new(4);
    let mut long = bench.submit(task("a", 256, 12, 16));
    for _ in 0..5 {
        bench.batcher.turn();
    }
    let mut short = bench.submit(task("b", 32, 10, 1));
    bench.forget_calls();
    let mut n_turns = 0;
    while short.end().1.is_none() {
        bench.batcher.turn();
        n_turns += 1;
    }
    let n_large = bench.calls().iter().filter(|(_, shape)| shape.get(3) == Some(&128)).count();
    assert!(n_turns <= 16 && n_large <= 3, "{n_turns} batches, {n_large} of the long task");
    bench.finish();
    assert_eq!(long.end().1, Some(Ok(())), "the long one ends too");
}

#[test]
fn a_large_group_is_not_starved_by_small_ones() {
    let mut bench = Bench::new(4);
    bench.submit(task("a", 32, 150, 16));
    let mut large = bench.submit(task("b", 64, 3, 1));
    let mut n_turns = 0;
    while large.end().1.is_none() {
        assert!(bench.batcher.turn(), "the large one ended");
        n_turns += 1;
    }
    assert!(n_turns < 30, "{n_turns} batches");
}

#[test]
fn a_short_task_is_not_blocked_by_many_pictures_of_its_size() {
    let mut bench = Bench::new(2);
    bench.submit(task("a", 16, 50, 16));
    bench.batcher.turn();
    let mut short = bench.submit(task("b", 16, 4, 1));
    let mut n_turns = 0;
    while short.end().1.is_none() {
        bench.batcher.turn();
        n_turns += 1;
    }
    assert!(n_turns < 12, "{n_turns} batches for four steps");
}

#[test]
fn a_failing_batch_fails_its_rows_and_nothing_else() {
    let mut bench = Bench::new(8);
    for (prompt, sentence) in [
        ("!", "no super-resolution network is loaded"),
        ("#", "the network panicked: a letter that no network can bear"),
        ("?", "picture 0 became not-a-number at step 1; try another seed or lower guidance"),
    ] {
        let mut bad = bench.submit(task(prompt, 8, 5, 1));
        let mut beside = bench.submit(task("a", 8, 5, 1));
        let mut elsewhere = bench.submit(task("a", 16, 5, 1));
        bench.finish();
        assert_eq!(bad.end(), (vec![], Some(Err(sentence.into()))));
        assert_eq!(beside.end().1, Some(Ok(())), "a task in the same batch, beside {prompt}");
        assert_eq!(elsewhere.end().1, Some(Ok(())), "a task of another size, beside {prompt}");
        let mut after = bench.submit(task("a", 8, 5, 1));
        bench.finish();
        assert_eq!(after.end().1, Some(Ok(())), "the engine goes on after {prompt}");
    }
    assert_eq!(bench.counters.stats().n_active, 0);
}

#[test]
fn not_a_number_fails_one_task_of_a_shared_batch() {
    let mut bench = Bench::new(8);
    let (mut bad, mut good) = (bench.submit(task("?", 8, 5, 2)), bench.submit(task("a", 8, 5, 2)));
    bench.finish();
    assert!(matches!(bad.end().1, Some(Err(_))));
    assert_eq!(good.end().1, Some(Ok(())));
    assert!(bench.calls().iter().any(|(kind, shape)| *kind == "predict" && shape[0] == 4), "they shared a batch");
}

#[test]
fn a_picture_of_not_a_number_leaves_the_others_of_its_task() {
    let mut bench = Bench::new(8);
    let seeds = 18..24;
    let alone: Vec<_> = seeds
        .clone()
        .map(|seed| {
            let mut submitted = bench.submit(Task::from(TextToImage { seed: Seed(seed), ..draw("+", 8, 5, 1) }));
            bench.finish();
            submitted.end()
        })
        .collect();
    let broken: Vec<usize> = (0..alone.len()).filter(|&i| alone[i].0.is_empty()).collect();
    let is_positive = |seed: &u64| TorchGenerator::new(*seed).randn(3 * 4 * 4)[0] > 0.0;
    assert_eq!(broken, seeds.clone().enumerate().filter(|(_, seed)| is_positive(seed)).map(|(i, _)| i).collect::<Vec<_>>());
    assert!(broken.len() >= 2 && broken.len() + 2 <= alone.len(), "of both kinds: {broken:?}");

    let mut together = bench.submit(Task::from(TextToImage { seed: Seed(18), ..draw("+", 8, 5, alone.len() as u32) }));
    let mut beside = bench.submit(task("a", 8, 5, 2));
    bench.forget_calls();
    bench.finish();
    assert!(bench.calls().iter().any(|(kind, shape)| *kind == "predict" && shape[0] == 8), "they shared a batch");
    let sentence = format!("picture {} became not-a-number at step 1; try another seed or lower guidance", broken[0]);
    let good: Vec<_> = alone.iter().flat_map(|(pictures, _)| pictures.clone()).collect();
    assert_eq!(together.end(), (good, Some(Err(sentence))));
    assert_eq!(beside.end().1, Some(Ok(())));
    assert_eq!(bench.counters.stats().n_active, 0);
}

#[test]
fn the_negative_prompt_has_the_prompts_length_and_layers() {
    let (long, short) = ("a".repeat(80), "b".to_owned());
    let zeroes = Rules { zeroes_empty_negative: true, ..toy::rules() };
    for (prompt, negative, rules, expected, n_chunks) in [
        (&long, Some(&short), zeroes.clone(), Some(short.as_str()), 2),
        (&short, Some(&long), zeroes.clone(), Some(long.as_str()), 2),
        (&long, None, zeroes.clone(), None, 2),
        (&long, None, toy::rules(), Some(""), 2),
        (&short, Some(&String::new()), zeroes, Some(""), 1),
    ] {
        // A task of the time before leaves nothing out of the negative prompt.
        for (clip_skip_of, n_skipped) in [(SkippedFor::Both, 1), (SkippedFor::Prompt, 0)] {
            let mut bench = Bench::ruled(rules.clone());
            let base = draw(prompt, 8, 1, 1);
            let base = TextToImage { guidance_scale: 3.0, clip_skip: 1, clip_skip_of, negative_prompt: negative.cloned(), ..base };
            bench.submit(Task::from(base));
            bench.finish();
            let asked = bench.requests.lock().expect("nobody panicked with it");
            let asked: Vec<_> = asked.iter().map(|request| (request.text.as_deref(), request.clip_skip, request.length)).collect();
            assert_eq!(asked, [(Some(prompt.as_str()), 1, n_chunks), (expected, n_skipped, n_chunks)], "{negative:?}");
        }
    }
}

#[test]
fn a_cancelled_task_gets_no_further_row() {
    let mut bench = Bench::new(8);
    let mut submitted = bench.submit(task("a", 8, 50, 4));
    for _ in 0..6 {
        bench.batcher.turn();
    }
    let used = submitted.meter.usage();
    assert!(used.row_megapixels > 0.0);
    submitted.meter.cancel();
    assert!(!bench.batcher.turn(), "nothing is left to run");
    assert_eq!((submitted.meter.usage(), bench.counters.stats().n_active), (used, 0));
    assert_eq!(submitted.end(), (vec![], Some(Err("the task was cancelled".into()))));
    assert!(!bench.batcher.turn());
}

#[test]
fn a_slow_reader_loses_progress_but_no_picture_and_no_end() {
    let mut bench = Bench::new(8);
    let mut submitted = bench.submit(task("a", 8, 100, 16));
    bench.finish();
    let (pictures, end) = submitted.end();
    assert_eq!((pictures.len(), end), (16, Some(Ok(()))));
}

#[test]
fn a_stopped_engine_says_so() {
    let mut bench = Bench::new(8);
    let mut submitted = bench.submit(task("a", 8, 100, 1));
    bench.batcher.turn();
    bench.batcher.stop();
    assert_eq!(submitted.end(), (vec![], Some(Err("the engine has stopped".into()))));
}
