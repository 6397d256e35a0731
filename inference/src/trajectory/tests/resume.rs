//! Pictures that go on from a state end as those that were never interrupted, bit for bit: every sampler, kind of task, pass and family, at several
//! borders, after a way through bytes.

use std::{
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use image::{GrayImage, Luma, Rgb};

use super::{families::models, *};
use crate::{
    engine::{Event, Progress, Stopped, Usage},
    sampler::Sampler,
    state::{PassKind, StateError, TrajectoryState},
    task::{Enlarger, Hires, ImageToImage, Inpaint},
};

/// Pictures of a task, each of which goes on from another border.
pub(super) const N_IMAGES: u32 = 4;
const SIZE: ImageSize = ImageSize::new(16, 16);

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Text,
    Image,
    Mask,
    TwoPasses(Enlarger),
}

pub(super) const KINDS: [Kind; 4] = [Kind::Text, Kind::Image, Kind::Mask, Kind::TwoPasses(Enlarger::Latent)];

/// A task of a kind, with what it starts from.
pub(super) fn submission(kind: Kind, sampler: Sampler) -> Submission {
    let two_passes = |enlarger| Hires { scale: 2.0, strength: 0.7, steps: None, enlarger };
    let base = TextToImage {
        prompt: "a red fox in the snow".into(),
        size: SIZE,
        steps: 4,
        guidance_scale: 3.0,
        sampler,
        seed: Seed(77),
        n_images: N_IMAGES,
        hires: if let Kind::TwoPasses(enlarger) = kind { Some(two_passes(enlarger)) } else { None },
        ..TextToImage::default()
    };
    let source = RgbImage::from_fn(16, 16, |x, y| Rgb([(x * 15) as u8, (y * 15) as u8, (x * y) as u8]));
    let mask = GrayImage::from_fn(16, 16, |x, _| Luma([if x < 8 { 0 } else { 255 }]));
    match kind {
        Kind::Text | Kind::TwoPasses(_) => Submission::new(base.into()),
        Kind::Image => Submission::new(Task::image_to_image(ImageToImage { base, strength: 0.8 }, "s")).with(Role::Init, source),
        Kind::Mask => {
            let task = Task::inpaint(Inpaint { base, strength: 0.8 }, "s", "m");
            Submission::new(task).with(Role::Init, source).with(Role::Mask, mask)
        }
    }
}

/// Everything that a task told.
#[derive(Default)]
pub(super) struct Told {
    pub(super) states: Vec<TrajectoryState>,
    pub(super) images: Vec<(u32, Vec<u8>)>,
    /// What the network gave at the steps of each picture.
    pub(super) digests: Vec<(u32, Vec<u64>)>,
    /// Of the pictures that were handed out before their end.
    pub(super) stopped: Vec<(u32, Stopped)>,
    pub(super) progress: Vec<Progress>,
    pub(super) usage: Usage,
    pub(super) n_rows: u64,
    pub(super) error: Option<Arc<InferenceError>>,
}

impl Told {
    /// The states of a picture in the order of its steps.
    fn states_of(&self, index: u32) -> Vec<&TrajectoryState> {
        self.states.iter().filter(|state| state.index == index).collect()
    }
}

/// Runs a task to its end; `meanwhile` is called after every batch.
pub(super) fn run(shelved: &mut Shelved, submission: Submission, meanwhile: impl Fn(usize, &Meter)) -> Told {
    let (sender, mut events) = tokio::sync::mpsc::channel(1000);
    let ready = shelved.store.ready(&submission.task, &shelved.catalogue).expect("the parts load");
    let adapters = ready.set().expect("all are in memory");
    let Ready { parts, facts, .. } = ready;
    let (meter, counters) = (Arc::new(Meter::default()), Arc::new(Counters::default()));
    let events_to = Events::new(sender, submission.task.n_images());
    let job = Job { submission, parts, adapters, facts, events: events_to, meter: meter.clone() };
    let mut batcher = Batcher::new(counters.clone(), 8);
    batcher.start(job.ticket(), async move |caller| job.run(&caller).await);
    let mut n_batches = 0;
    while batcher.turn() {
        n_batches += 1;
        meanwhile(n_batches, &meter);
    }
    let mut told = Told { n_rows: counters.stats().n_network_rows, ..Told::default() };
    while let Ok(event) = events.try_recv() {
        match event {
            Event::Checkpoint { state, .. } => told.states.push(*state),
            Event::Image(finished) => {
                told.stopped.extend(finished.stopped.map(|stopped| (finished.index, *stopped)));
                told.digests.push((finished.index, finished.digests));
                told.images.push((finished.index, finished.image.into_raw()));
            }
            Event::Progress(progress) => told.progress.push(progress),
            Event::Done(usage) => told.usage = usage,
            Event::Failed(error) => told.error = Some(error),
            Event::Loading | Event::Notes(_) | Event::Preview { .. } => {}
        }
    }
    told.images.sort();
    told.digests.sort();
    told
}

/// Checks a kind of task with a sampler; how many states were gone on from.
fn check(store: &mut Shelved, what: &str, submission: &Submission) -> usize {
    let every_step = |resume| Submission { resume, checkpoint_every: 1, ..submission.clone() };
    let whole = run(store, every_step(Vec::new()), |_, _| {});
    assert!(whole.error.is_none(), "{what}: {:?}", whole.error);
    let plain = run(store, submission.clone(), |_, _| {});
    assert!(plain.states.is_empty() && plain.images == whole.images && plain.usage == whole.usage, "{what}: saving changes nothing");
    let borders = whole.states_of(0).len();
    assert_eq!(plain.digests, whole.digests, "{what}: what the network gave");
    assert!(whole.digests.iter().all(|(_, digests)| digests.len() == borders && !digests.contains(&0)), "{what}: at every step");
    assert!(whole.digests.windows(2).all(|two| two[0].1.iter().zip(&two[1].1).all(|(one, other)| one != other)), "{what}: of each picture");
    let n_first = whole.states_of(0).iter().filter(|state| state.pass == PassKind::First).count();
    // The middle of the only pass, or the border between two.
    let middle = if n_first < borders { n_first - 1 } else { borders / 2 };
    let chosen = [0, middle, borders - 2, borders - 1];
    let state = |(index, border): (usize, &usize)| {
        let state = whole.states_of(index as u32)[*border];
        TrajectoryState::from_bytes(&state.to_bytes()).expect("a state")
    };
    let resume: Vec<_> = chosen.iter().enumerate().map(state).collect();
    assert_eq!(n_first < borders, submission.task.base().is_some_and(|base| base.hires.is_some()), "{what}");
    let rest = run(store, every_step(resume), |_, _| {});
    assert!(rest.error.is_none(), "{what}: {:?}", rest.error);
    assert!(rest.images == whole.images, "{what}: the pictures");
    for (index, border) in chosen.iter().enumerate() {
        // Also the states that come after are the same to the bit: latents, history and generator.
        let (found, expected) = (rest.states_of(index as u32), &whole.states_of(index as u32)[border + 1..]);
        assert!(found == expected, "{what}: picture {index} after border {border}");
        let (before, after) = whole.digests[index].1.split_at(border + 1);
        assert_eq!(rest.digests[index].1, [&vec![0; before.len()], after].concat(), "{what}: picture {index} after border {border}");
    }
    let done = chosen.iter().map(|border| border + 1).sum::<usize>() as u32;
    let (first, last) = (rest.progress.first().expect("told"), rest.progress.last().expect("told"));
    assert_eq!((first.done, last.done, last.total), (done, last.total, whole.progress[0].total), "{what}: steps go on");
    assert!(
        rest.n_rows < whole.n_rows && rest.usage.row_megapixels < whole.usage.row_megapixels,
        "{what}: only what is computed is metered"
    );
    chosen.len()
}

/// A model, its folder, a sampler (`None` for the model's own), and a kind of task.
pub(super) type Case = (String, std::path::PathBuf, Option<Sampler>, Kind);

/// Runs a check for each case on all processors; the sum of what they count.
pub(super) fn check_all(cases: &[Case], check: impl Fn(&mut Shelved, &str, &Submission) -> usize + Sync) -> usize {
    let upscaler = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/starter/upscaler/realesr-animevideov3-x4.safetensors");
    let (next, n_states) = (AtomicUsize::new(0), Mutex::new(0));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while let Some((model, path, sampler, kind)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let upscaler = matches!(kind, Kind::TwoPasses(Enlarger::Network)).then(|| upscaler.clone());
                    let mut store = Shelved::open(CatalogueConfig { upscaler, ..catalogue(path) });
                    let sampler = sampler.unwrap_or(store.catalogue.models()[0].sampler);
                    let found = check(&mut store, &format!("{model}, {sampler:?}, {kind:?}"), &submission(*kind, sampler));
                    *n_states.lock().expect("no worker panics") += found;
                }
            });
        }
    });
    n_states.into_inner().expect("no worker panics")
}

/// Every sampler with every kind of task, with tiny models in a folder.
pub(super) fn cases(folder: &Path) -> Vec<Case> {
    models::write_some(&data(), folder, &["sd1", "sd1_inpaint"]);
    let mut cases = Vec::new();
    for sampler in Sampler::ALL {
        let mut add = |model: &str, kind| cases.push((model.to_owned(), folder.join("models").join(model), Some(sampler), kind));
        KINDS.into_iter().for_each(|kind| add("sd1", kind));
        add("sd1_inpaint", Kind::Mask);
    }
    let network = Kind::TwoPasses(Enlarger::Network);
    cases.push(("sd1".to_owned(), folder.join("models/sd1"), Some(Sampler::EulerA), network));
    cases
}

pub(super) fn data() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/families")
}

#[test]
fn every_sampler_goes_on_as_if_it_had_not_stopped() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    assert_eq!(check_all(&cases(folder.path()), check), (Sampler::ALL.len() * 5 + 1) * 4);
}

#[test]
fn every_family_goes_on_as_if_it_had_not_stopped() {
    let (data, folder) = (data(), tempfile::tempdir().expect("a temporary folder"));
    models::write_all(&data, folder.path());
    models::write_some(&data.join("../z_image"), folder.path(), &["turbo", "dynamic"]);
    let entries = std::fs::read_dir(folder.path().join("models")).expect("the models").map(|entry| entry.expect("an entry").path());
    let mut models: Vec<_> = entries.filter(|path| path.join("model_index.json").is_file()).collect();
    models.sort();
    assert!(models.len() >= 12, "{models:?}");
    let mut checks = Vec::new();
    for path in models {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        // A model that fills in masks draws nothing else.
        let kinds: &[Kind] = if name.ends_with("_inpaint") { &[Kind::Mask] } else { &KINDS };
        checks.extend(kinds.iter().map(|kind| (name.clone(), path.clone(), None, *kind)));
    }
    check_all(&checks, check);
}

#[test]
fn a_state_that_does_not_belong_is_refused_before_anything_is_computed() {
    let (data, folder) = (data(), tempfile::tempdir().expect("a temporary folder"));
    models::write_some(&data, folder.path(), &["sd1"]);
    let path = folder.path().join("models/sd1");
    let mut store = Shelved::open(catalogue(&path));
    let task = submission(Kind::TwoPasses(Enlarger::Latent), Sampler::EulerA);
    let saved = run(&mut store, Submission { checkpoint_every: 2, ..task.clone() }, |_, _| {}).states;
    let state = saved.iter().find(|state| state.pass == PassKind::Second).expect("one of the second pass").clone();
    let mut refusal = |submission: Submission| {
        let told = run(&mut store, submission, |_, _| {});
        assert_eq!((told.n_rows, told.images.len(), told.usage), (0, 0, Usage::default()));
        match told.error.as_deref() {
            Some(InferenceError::State(error)) => error.clone(),
            other => panic!("not refused: {other:?}"),
        }
    };
    let with = |resume: &[TrajectoryState]| Submission { resume: resume.to_vec(), ..task.clone() };
    let changed = |change: &dyn Fn(&mut TrajectoryState)| {
        let mut state = state.clone();
        change(&mut state);
        with(&[state])
    };
    assert_eq!(refusal(with(&[state.clone(), state.clone()])), StateError::Twice { index: state.index });
    assert_eq!(
        refusal(Submission { finished: vec![state.index], ..with(std::slice::from_ref(&state)) }),
        StateError::Twice { index: state.index }
    );
    assert!(matches!(refusal(changed(&|state| state.index = 7)), StateError::Picture { index: 7, .. }));
    assert!(matches!(refusal(changed(&|state| state.seed = Seed(5))), StateError::Picture { seed: 5, .. }));
    assert!(matches!(refusal(changed(&|state| state.step = 9)), StateError::Place { step: 9, .. }));
    assert!(matches!(refusal(changed(&|state| state.step = 0)), StateError::Place { step: 0, .. }));
    assert!(matches!(refusal(changed(&|state| state.pass = PassKind::First)), StateError::Place { .. }), "latents of the larger size");
    assert!(matches!(refusal(changed(&|state| state.generator.words.clear())), StateError::Damaged { .. }));
    assert_eq!(refusal(changed(&|state| state.belongs_to.model.clear())), StateError::Model);
    assert!(matches!(refusal(changed(&|state| state.belongs_to.device.kernels.clear())), StateError::Device { .. }));
    assert!(matches!(refusal(changed(&|state| state.belongs_to.device.numbers += 1)), StateError::Numbers { .. }));
    let mut other = with(std::slice::from_ref(&state));
    other.task.base_mut().expect("a drawing task").prompt = "another".into();
    assert_eq!(refusal(other), StateError::Task);
    let mut other = with(std::slice::from_ref(&state));
    other.task.base_mut().expect("a drawing task").hires = None;
    assert_eq!(refusal(other), StateError::Task, "without its second pass");

    // The same picture as the only one of a job of its own.
    let mut alone = with(&[TrajectoryState { index: 0, ..state.clone() }]);
    let base = alone.task.base_mut().expect("a drawing task");
    (base.n_images, base.seed) = (1, state.seed);
    let told = run(&mut store, alone, |_, _| {});
    assert!(told.error.is_none() && told.images.len() == 1, "{:?}", told.error);

    // The weights change under the same name.
    let weights = path.join("unet/diffusion_pytorch_model.safetensors");
    let mut bytes = std::fs::read(&weights).expect("readable");
    let last = bytes.len() - 2;
    bytes[last] ^= 1;
    std::fs::write(&weights, bytes).expect("writable");
    let mut store = Shelved::open(catalogue(&path));
    let told = run(&mut store, with(&[state]), |_, _| {});
    assert!(matches!(told.error.as_deref(), Some(InferenceError::State(StateError::Model))), "{:?}", told.error);
}

#[test]
fn states_are_told_when_somebody_asks_once_for_each_picture() {
    let (data, folder) = (data(), tempfile::tempdir().expect("a temporary folder"));
    models::write_some(&data, folder.path(), &["sd1"]);
    let mut store = Shelved::open(catalogue(&folder.path().join("models/sd1")));
    let task = submission(Kind::Text, Sampler::DpmPp2M);
    let asked_at = |n_batches: usize, meter: &Meter| {
        if n_batches == 5 {
            meter.ask_for_states();
        }
    };
    let told = run(&mut store, task.clone(), asked_at);
    let mut indices: Vec<_> = told.states.iter().map(|state| state.index).collect();
    indices.sort_unstable();
    assert_eq!(indices, [0, 1, 2, 3]);
    let rest = run(&mut store, Submission { resume: told.states, ..task.clone() }, |_, _| {});
    assert_eq!(rest.images, told.images);
    let every_other = run(&mut store, Submission { checkpoint_every: 2, ..task }, |_, _| {});
    assert_eq!(every_other.states_of(1).iter().map(|state| state.step).collect::<Vec<_>>(), [2, 4]);
}
