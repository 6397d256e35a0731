//! Jobs that are interrupted at any step end with the pictures of an undisturbed run, at its price, and go on where they were.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    time::{Duration, Instant},
};

use crate::{
    restart::{Program, Setting, open},
    support::*,
};
use atelier::{
    config::Config,
    models::{Stock, engine_config},
    pictures,
};
use futures::future::join_all;
use image::RgbImage;
use inference::{
    engine::{Engine, Event, Submission},
    state::{PassKind, TrajectoryState},
    task::{ImageSize, Task, TextToImage},
};
use sandbox::Visitor;
use sqlx::{Connection, Row, SqliteConnection, sqlite::SqliteConnectOptions};
use storage::{
    Checkpoint, CheckpointLimits, Checkpoints, Delivery, Enqueued, GuildId, History, HistoryFilter, Job, JobId, JobStatus, Lease, Limits,
    LocalBlobs, NewJob, Queue, RunningLimits, SqliteStore, Tier, Timestamp, UserId, Written,
};

in_both_modes! {
    a_state_is_what_its_picture_goes_on_from_unless_it_belongs_to_something_else,
}

/// States as often as can be, of jobs that are drawn together.
const OFTEN: &str = "max_active_per_user = 9\nmax_running_per_user = 9\nmax_running_per_guild = 9\n\
    [engine]\nmax_running_jobs = 9\npreview_every = 0\ncheckpoint_interval_ms = 1\n\
    [defaults]\nsteps = 28\nn_images = 2\n[sandbox]\nprogress_interval_ms = 200";

async fn enter(program: &Program) -> Visitor {
    Visitor::connect(&program.url, "ada").await.expect("ada enters")
}

async fn read(data: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(data.join("atelier.sqlite"));
    SqliteConnection::connect_with(&options).await.expect("the database opens")
}

/// How far a picture is: its pass, and the steps of that.
type Reached = (bool, u32);

/// What is kept of each job's pictures, by the job's key and the picture.
async fn kept(db: &mut SqliteConnection) -> BTreeMap<(i64, u32), Reached> {
    let kept = sqlx::query("SELECT job, number, state FROM checkpoints WHERE state IS NOT NULL").fetch_all(db).await.expect("readable");
    let reached = |row: &sqlx::sqlite::SqliteRow| {
        let state = TrajectoryState::from_bytes(row.get("state")).expect("a state");
        ((row.get("job"), row.get("number")), (state.pass == PassKind::Second, state.step))
    };
    kept.iter().map(reached).collect()
}

/// Looks at what is kept until it is as it should be.
async fn kept_when(data: &Path, mut is_it: impl FnMut(&BTreeMap<(i64, u32), Reached>) -> bool) {
    let (mut db, began) = (read(data).await, Instant::now());
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    loop {
        ticks.tick().await;
        let kept = kept(&mut db).await;
        if is_it(&kept) {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{kept:?}");
    }
}

/// Waits until so many pictures have got on by some steps since their first states, or to their ends.
async fn steps_are_kept(data: &Path, n_pictures: usize) {
    let mut first = BTreeMap::new();
    kept_when(data, |kept| {
        kept.iter().for_each(|(picture, reached)| _ = first.entry(*picture).or_insert(*reached));
        let is_on = |(picture, first): (_, &Reached)| kept.get(picture).is_none_or(|now| (now.0 && !first.0) || now.1 >= first.1 + 3);
        first.len() == n_pictures && first.iter().all(is_on)
    })
    .await;
}

/// Takes every job's lease, lets `with` see it, and gives it back.
async fn leases(store: &SqliteStore, mut with: impl AsyncFnMut(&Lease)) {
    let roomy = RunningLimits { max_running: 9, max_running_per_user: 9, max_running_per_guild: 9 };
    store.reap(true, Timestamp(0)).await.expect("reaped");
    let mut all = Vec::new();
    while let Some(lease) = store.claim(Duration::from_secs(30), &roomy, &[], Timestamp(0)).await.expect("claimed") {
        with(&lease).await;
        all.push(lease);
    }
    for lease in all {
        assert_eq!(store.release(&lease, Timestamp(0)).await.expect("given back"), Written::Done);
    }
}

/// All jobs of a guild that have ended, newest first.
async fn ended(store: &SqliteStore, guild: Option<GuildId>) -> Vec<Job> {
    let filter = HistoryFilter { guild: guild.expect("a job was interrupted"), user: None, channels: None };
    store.history(filter, 0, 50).await.expect("read").0
}

/// What an engine that nobody interrupts draws for a job, and what that costs.
async fn undisturbed(engine: &Engine, blobs: &LocalBlobs, job: &Job) -> (Vec<RgbImage>, f64) {
    let task: Task = serde_json::from_value(job.task.clone()).expect("a task");
    let mut submission = Submission::new(task.clone());
    for input in &task.inputs {
        submission = submission.with(input.role.clone(), pictures::input(blobs, input, task.source_size()).await.expect("its source"));
    }
    let mut handle = engine.submit(submission).expect("taken in");
    let mut images = vec![RgbImage::new(0, 0); task.n_images() as usize];
    let mut cost = 0.0;
    while let Some(event) = handle.next().await {
        match event {
            Event::Image(finished) => images[finished.index as usize] = finished.image,
            Event::Done(usage) => cost = usage.row_megapixels,
            Event::Failed(error) => panic!("{error}"),
            _ => {}
        }
    }
    (images, cost)
}

/// Which of a job's pictures are those of an undisturbed run. It cost as much in any case.
async fn are_alike(engine: &Engine, data: &Path, (store, blobs): (&SqliteStore, &LocalBlobs), job: &Job) -> Vec<bool> {
    let stored = store.images(job.id).await.expect("read");
    let (expected, cost) = undisturbed(engine, blobs, job).await;
    assert_eq!(stored.len(), expected.len(), "{}", job.task);
    let mut alike = Vec::new();
    for (image, expected) in stored.iter().zip(expected) {
        alike.push(pictures::stored(blobs, image.blob.as_str()).await.expect("a picture") == expected);
    }
    const PAID: &str = "SELECT sum(ledger.row_pixels) FROM ledger JOIN jobs ON jobs.seq = ledger.job WHERE lower(hex(jobs.id)) = ?";
    let paid: i64 = sqlx::query_scalar(PAID).bind(job.id.to_string()).fetch_one(&mut read(data).await).await.expect("it is in the ledger");
    assert!((paid as f64 / 1e6 - cost).abs() < 1e-5, "{paid} row-pixels of {cost} row-megapixels: {}", job.task);
    alike
}

fn engine() -> Engine {
    let config = Config::default();
    let stock = Stock::open(&config, Timestamp::now()).expect("the starter model");
    Engine::start(engine_config(&config).expect("a device"), stock.shelf().clone()).expect("it starts")
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_that_are_interrupted_at_any_step_go_on_there_and_end_with_the_pictures_of_an_undisturbed_run() {
    let setting = Setting::new(Mode::Plain).await;
    let data = setting.data(Mode::Plain);
    let program = setting.start_with(OFTEN);
    let ada = enter(&program).await;
    ada.slash(CHANNEL, "imagine", &prompt("a frog --seed 7 --images 1 --steps 40")).await.expect("sent");
    let grid = nth_grid(&ada, 1).await;
    // One of each kind: a picture to begin from, noise in every step, a memory of earlier ones, two passes.
    ada.press(id(&grid), "V1").await.expect("sent");
    for line in ["a robot --seed 9 --sampler euler_a", "a cup --seed 8 --sampler dpmpp_2m", "a cat --seed 6 --hires 2 --steps 12"] {
        ada.slash(CHANNEL, "imagine", &prompt(line)).await.expect("sent");
    }
    steps_are_kept(&data, 4 * 2).await;
    program.kill();
    let before = kept(&mut read(&data).await).await;
    assert_eq!(before.len(), 4 * 2, "one of them ended too soon");

    let program = setting.start_with(OFTEN);
    kept_when(&data, |kept| *kept != before).await;
    program.terminate();
    // A picture that began again would not be where it was.
    let after = kept(&mut read(&data).await).await;
    for (picture, reached) in &after {
        assert!(*reached >= before[picture], "{picture:?} was at {:?} and is at {reached:?}", before[picture]);
    }
    assert!(after.iter().any(|(picture, reached)| *reached > before[picture]), "all ended too soon");

    let (store, _) = open(&data).await;
    let (mut guild, mut n_open) = (None, 0);
    leases(&store, async |lease| {
        guild = Some(lease.job.guild);
        let n_images = serde_json::from_value::<Task>(lease.job.task.clone()).expect("a task").n_images() as usize;
        assert_eq!(lease.images.len() + lease.checkpoints.len(), n_images, "each is finished or goes on: {}", lease.job.task);
        n_open += 1;
    })
    .await;
    assert!(n_open > 0, "all ended too soon");
    store.close().await;

    let program = setting.start_with(OFTEN);
    let ada = enter(&program).await;
    nth_grid(&ada, 5).await;
    program.kill();
    let ((store, blobs), engine) = (open(&data).await, engine());
    let jobs = ended(&store, guild).await;
    assert_eq!(jobs.len(), 5, "each once");
    for job in &jobs {
        let alike = are_alike(&engine, &data, (&store, &blobs), job).await;
        assert!(alike.iter().all(|is_alike| *is_alike), "{alike:?} of {}", job.task);
        assert_eq!(job.attempts, 0, "a claim that got further is no attempt that failed");
    }
    store.close().await;
}

async fn a_state_is_what_its_picture_goes_on_from_unless_it_belongs_to_something_else(mode: Mode) {
    let setting = Setting::new(mode).await;
    let data = setting.data(mode);
    let program = setting.start_with(OFTEN);
    let ada = enter(&program).await;
    // Each is gone on with in its way.
    let words = ["a frog", "a robot", "a cup"];
    let lines = words.map(|word| prompt(&format!("{word} --seed 7")));
    for sent in join_all(lines.iter().map(|line| ada.slash(CHANNEL, "imagine", line))).await {
        sent.expect("sent");
    }
    steps_are_kept(&data, 3 * 2).await;
    match mode {
        Mode::Plain => program.kill(),
        Mode::Production => program.terminate(),
    }

    let (store, _) = open(&data).await;
    let (mut edited, mut guild): (HashMap<JobId, &str>, _) = (HashMap::new(), None);
    leases(&store, async |lease| {
        let read = |kept: &Checkpoint| TrajectoryState::from_bytes(&kept.state).expect("a state");
        let mut states: Vec<_> = lease.checkpoints.iter().map(read).collect();
        assert_eq!(states.len(), 2, "each of its pictures: {}", lease.job.task);
        let task = lease.job.task.to_string();
        let how = words.into_iter().find(|word| task.contains(word)).expect("one of them");
        match how {
            // Latents that are not its own, by which it shows that they are gone on from.
            "a frog" => states[0].latents = states[1].latents.clone(),
            "a robot" => states.iter_mut().for_each(|state| state.belongs_to.device.kernels = "of another processor".into()),
            _ => {}
        }
        let mut checkpoints: Vec<_> =
            states.iter().map(|state| Checkpoint { index: state.index, n_steps: state.step, state: state.to_bytes().into() }).collect();
        if how == "a cup" {
            checkpoints[0].state = checkpoints[0].state.slice(..100);
        }
        let limits = CheckpointLimits { max_bytes: 1 << 30, max_bytes_in_all: 1 << 30 };
        store.keep(lease, &checkpoints, &limits).await.expect("kept");
        edited.insert(lease.job.id, how);
        guild = Some(lease.job.guild);
    })
    .await;
    assert_eq!(edited.len(), 3);
    store.close().await;

    let program = setting.start_with(OFTEN);
    let ada = enter(&program).await;
    nth_grid(&ada, 3).await;
    program.kill();
    let ((store, blobs), engine) = (open(&data).await, engine());
    for job in ended(&store, guild).await {
        let alike = are_alike(&engine, &data, (&store, &blobs), &job).await;
        assert_eq!(alike, [edited[&job.id] != "a frog", true], "{}", edited[&job.id]);
    }
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_was_interrupted_begins_when_the_one_before_it_has_got_further() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = SqliteStore::open(&folder.path().join("atelier.sqlite")).await.expect("the database opens");
    let (now, roomy) = (Timestamp::now(), RunningLimits { max_running: 9, max_running_per_user: 9, max_running_per_guild: 9 });
    let mut ids = Vec::new();
    for (user, steps, side) in [(1, 150, 256), (2, 1, 64)] {
        let size = ImageSize::new(side, side);
        let task = Task::from(TextToImage { prompt: "a frog".into(), steps, size, n_images: 4, ..TextToImage::default() });
        let new = NewJob {
            key: user.to_string(),
            press: None,
            guild: GuildId(1),
            user: UserId(user),
            roles: Vec::new(),
            action: "imagine".into(),
            task: serde_json::to_value(task).expect("JSON"),
            tier: Tier::Fast,
            model: None,
            parent: None,
            notes: None,
            inputs: Vec::new(),
            row_megapixels: 1.0,
            delivery: Delivery { channel: 1, token: "gone".into(), token_expires: Timestamp(0), message: None, is_private: false },
            admission: storage::Admission::default(),
        };
        let limits = Limits {
            daily_row_megapixels: 10.0,
            daily_row_megapixels_per_user: None,
            daily_row_megapixels_host: None,
            monthly_row_megapixels: None,
            monthly_row_megapixels_per_user: None,
            monthly_row_megapixels_host: None,
            is_relax_free: false,
            max_active_per_user: 9,
            max_queued_per_guild: 9,
            max_queued: 9,
        };
        let Enqueued::Created(id) = store.enqueue(new, &limits, now).await.expect("recorded") else { panic!("it is taken") };
        store.claim(Duration::from_secs(30), &roomy, &[], now).await.expect("claimed").expect("it waits");
        ids.push(id);
    }
    assert_eq!(store.reap(true, now).await.expect("reaped"), 2, "both are interrupted");
    store.close().await;

    // Nothing happens because time passes.
    let clock = sandbox::Clock::Manual(sandbox::ManualClock::new());
    let studio = Studio::open_with_clock(Mode::Plain, clock, |config| {
        config.data.dir = folder.path().to_owned();
        config.limits.max_steps = 150;
    })
    .await;
    let status = async |id| studio.running.bot.app.jobs.job(id).await.expect("readable").expect("it is there").status;
    let wait = async {
        while status(ids[1]).await == JobStatus::Queued {
            pause().await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("it begins");
    assert_eq!(status(ids[0]).await, JobStatus::Leased, "nobody waited for the end of the other");
}
