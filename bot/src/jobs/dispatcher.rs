//! Feeds the engine: claims jobs while there is room, forwards progress, saves results, settles the quota, all under the lease.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use anyhow::Context;
use bytes::Bytes;
use futures::FutureExt;
use image::RgbImage;
use inference::{
    engine::{Event, FinishedImage, Submission, TaskHandle, Usage},
    error::InferenceError,
    task::{ImageSize, Note, Task},
};
use storage::{Failure, Job, JobId, JobStatus, Lease, NewImage, Written};
use tokio::task::JoinSet;
use tracing::Instrument;

use crate::{
    app::App,
    error::BotError,
    jobs::failure,
    jobs::live::{Live, Phase},
    jobs::span,
    pictures,
    pictures::grid,
    pictures::metadata::{self, Origin, Record},
    pictures::render,
    pictures::shown::MIN_GRID_WIDTH,
    system::{log::chain, metrics},
};

/// A lease lives this long without a renewal.
const LEASE: Duration = Duration::from_secs(30);
/// How often a lease is renewed; also how soon a cancel by another process is seen.
const RENEW_EVERY: Duration = Duration::from_secs(5);
/// How often leases of workers that died are looked for.
const REAP_EVERY: Duration = Duration::from_secs(10);

/// Runs until shutdown; jobs in work are then handed back to the queue.
pub async fn run(app: Arc<App>) {
    let mut running = JoinSet::new();
    let mut reaping = app.clock.ticks(REAP_EVERY);
    let mut reaped = app.clock.now();
    let limits = app.config.limits.running(app.config.engine.max_running_jobs);
    while !app.shutdown.is_cancelled() {
        loop {
            match app.jobs.claim(LEASE, &limits, app.clock.now()).await {
                Ok(Some(lease)) => {
                    let span = span::of(&lease.job);
                    running.spawn(work(app.clone(), lease).instrument(span));
                    update_places(&app).await;
                }
                Ok(None) => break,
                Err(error) => {
                    tracing::error!(error = %chain(&error), "jobs cannot be claimed");
                    break;
                }
            }
        }
        tokio::select! {
            () = app.queue_bell.notified() => update_places(&app).await,
            Some(_) = running.join_next() => {}
            () = reaping.tick() => {
                let last = std::mem::replace(&mut reaped, app.clock.now());
                // After a leap (this machine slept, a test moved the clock) work that goes on must first renew its lease.
                if reaped <= last.after(REAP_EVERY * 2) {
                    reap(&app).await;
                }
            }
            () = app.shutdown.cancelled() => {}
        }
    }
    while running.join_next().await.is_some() {}
}

async fn reap(app: &App) {
    match app.jobs.reap(false, app.clock.now()).await {
        Ok(0) => {}
        Ok(n_jobs) => {
            metrics::expired(n_jobs);
            tracing::warn!(n_jobs, "leases had expired");
        }
        Err(error) => tracing::error!(error = %chain(&error), "leases cannot be reaped"),
    }
}

/// How a job's drawing ended.
enum Outcome {
    Finished { row_megapixels: f64 },
    Failed(Failure),
    Cancelled { row_megapixels: f64 },
    ShutDown,
    Fenced,
}

impl Outcome {
    /// As what the job stands then.
    fn status(&self) -> JobStatus {
        match self {
            Self::Finished { .. } => JobStatus::Done,
            Self::Failed(_) => JobStatus::Failed,
            Self::Cancelled { .. } => JobStatus::Cancelled,
            Self::ShutDown | Self::Fenced => JobStatus::Queued,
        }
    }
}

async fn work(app: Arc<App>, lease: Lease) {
    let id = lease.job.id;
    let begun = app.clock.now();
    if lease.job.attempts == 1 {
        metrics::begins(lease.job.created, begun);
    }
    tracing::info!(attempt = lease.job.attempts, n_finished = lease.images.len(), "drawing");
    let outcome = match AssertUnwindSafe(draw(&app, &lease)).catch_unwind().await {
        Ok(Ok(outcome)) => outcome,
        Err(_) => {
            // What it said stands in the log already.
            tracing::error!(job.id = %id, "the work on a job panicked");
            Outcome::Failed(Failure::Internal)
        }
        Ok(Err(error)) => {
            // The job's span is off where only warnings are logged.
            tracing::error!(job.id = %id, error = chain(error.as_ref()), "a job failed");
            Outcome::Failed(failure::of_ours(&error))
        }
    };
    let now = app.clock.now();
    metrics::drawn(outcome.status(), begun, now);
    let (word, written) = match &outcome {
        Outcome::Finished { row_megapixels } => ("done", app.jobs.complete(&lease, *row_megapixels, now).await),
        Outcome::Failed(failure) => ("failed", app.jobs.fail(&lease, failure, now).await),
        Outcome::Cancelled { row_megapixels } => ("cancelled", app.jobs.finish_cancel(&lease, *row_megapixels, now).await),
        Outcome::ShutDown => ("handed back", app.jobs.release(&lease, now).await),
        Outcome::Fenced => ("given to another worker", Ok(Written::Fenced)),
    };
    if matches!(written, Ok(Written::Fenced)) {
        metrics::fenced();
    }
    match (written, &outcome) {
        (Ok(Written::CancelRequested), Outcome::Finished { row_megapixels }) => {
            if let Err(error) = app.jobs.finish_cancel(&lease, *row_megapixels, now).await {
                tracing::error!(error = %chain(&error), "a cancel could not be recorded; the lease will expire");
            }
        }
        (Ok(Written::Done), Outcome::Finished { .. }) => tracing::info!("{word}"),
        (Ok(written), _) => tracing::info!(?written, "{word}"),
        (Err(error), _) => tracing::error!(error = %chain(&error), "the end of a job could not be recorded; the lease will expire"),
    }
    app.outbox_bell.notify_one();
}

async fn draw(app: &Arc<App>, lease: &Lease) -> anyhow::Result<Outcome> {
    let job = &lease.job;
    let task: Task = serde_json::from_value(job.task.clone()).context("the stored task")?;
    // A model or adapter may have gone from the configuration since the job was enqueued.
    match app.check(&task).await {
        Ok(_) => {}
        Err(BotError::User(error)) => {
            tracing::warn!(job.id = %job.id, %error, "a job cannot be drawn any more");
            return Ok(Outcome::Failed(failure::of_refusal(&error)));
        }
        Err(BotError::Internal(error)) => return Err(error),
    }
    let mut submission = Submission::new(task.clone());
    for input in &task.inputs {
        match pictures::input(&*app.blobs, input, task.source_size()).await {
            Ok(pixels) => submission = submission.with(input.role.clone(), pixels),
            Err(error) => {
                tracing::warn!(job.id = %job.id, input.role = %input.role, error = chain(error.as_ref()), "a picture that a job is made from is gone");
                return Ok(Outcome::Failed(Failure::SourceGone));
            }
        }
    }
    let restored = render::live(app, job, &task).await;
    let cancel = {
        let mut live = app.live.entry(job.id).or_insert(restored);
        live.enter(Phase::Drawing);
        live.cancel.clone()
    };
    app.progress_bell.notify_one();
    // Beside the first steps: hashing a large model for the first time takes as long as reading it.
    let mut hashing = app.tasks.spawn({
        let (app, task) = (app.clone(), task.clone());
        async move { app.origin(&task).await }
    });
    submission.finished = lease.images.iter().map(|image| image.index).collect();
    for image in &lease.images {
        app.tasks.spawn(show_recorded(app.clone(), job.id, image.clone()));
    }
    let mut handle = match app.engine.submit(submission) {
        Ok(handle) => handle,
        Err(error) => return Ok(engine_failed(app, job, &task, &error)),
    };
    // Pictures wait for the hashes, and meanwhile the lease is renewed and a cancel is heard.
    let (mut origin, mut unsaved, mut done): (Option<Origin>, Vec<FinishedImage>, Option<Usage>) = (None, Vec::new(), None);
    let mut renewing = app.clock.ticks(RENEW_EVERY);
    loop {
        if let Some(origin) = &origin {
            for finished in unsaved.drain(..) {
                match save(app, lease, &task, origin.clone(), finished).await? {
                    Written::Done => {}
                    Written::CancelRequested => return Ok(stop(lease, &task, &handle)),
                    Written::Fenced => return Ok(Outcome::Fenced),
                }
            }
            if let Some(usage) = done {
                return Ok(Outcome::Finished { row_megapixels: cost_with_recorded(lease, &task, usage) });
            }
        }
        tokio::select! {
            hashed = &mut hashing, if origin.is_none() => origin = Some(hashed.context("hashing the weights")?.on(handle.device())),
            event = handle.next(), if done.is_none() => match event {
                Some(Event::Image(finished)) => unsaved.push(finished),
                Some(Event::Done(usage)) => done = Some(usage),
                Some(Event::Failed(error)) => return Ok(engine_failed(app, job, &task, &error)),
                Some(Event::Notes(notes)) => tell(app, lease, &task, notes).await,
                Some(event) => note_progress(app, job, event),
                None => anyhow::bail!("the engine dropped the task"),
            },
            () = renewing.tick() => match app.jobs.renew(lease, LEASE, app.clock.now()).await {
                Ok(Written::Done) => {}
                Ok(Written::CancelRequested) => return Ok(stop(lease, &task, &handle)),
                Ok(Written::Fenced) => return Ok(Outcome::Fenced),
                Err(error) => tracing::warn!(error = %chain(&error), "the lease could not be renewed"),
            },
            () = cancel.cancelled() => return Ok(stop(lease, &task, &handle)),
            () = app.shutdown.cancelled() => return Ok(Outcome::ShutDown),
        }
    }
}

/// What the engine said goes to the log; the person is told by name what they can change. A bot without an engine must not go on taking jobs:
/// they are drawn at the next start.
fn engine_failed(app: &App, job: &Job, task: &Task, error: &InferenceError) -> Outcome {
    if failure::is_of_no_engine(error, app.engine.is_alive()) {
        tracing::error!("the engine has stopped; the program ends");
        app.shutdown.cancel();
        return Outcome::ShutDown;
    }
    tracing::error!(job.id = %job.id, error = chain(error), "the engine failed a task");
    Outcome::Failed(failure::of_engine(error, task, &app.offered().catalogue))
}

fn stop(lease: &Lease, task: &Task, handle: &TaskHandle) -> Outcome {
    handle.cancel();
    Outcome::Cancelled { row_megapixels: cost_with_recorded(lease, task, handle.usage()) }
}

/// What a job has cost with the pictures that workers before this one finished. What their other pictures took is nobody's to pay: a job
/// that was interrupted costs no more than one that was not.
fn cost_with_recorded(lease: &Lease, task: &Task, usage: Usage) -> f64 {
    if lease.images.is_empty() {
        return usage.row_megapixels;
    }
    let whole = lease.job.row_megapixels;
    let recorded = lease.images.len() as f64 / f64::from(task.n_images().max(1));
    (whole * recorded + usage.row_megapixels).min(whole)
}

/// Keeps what the person who asked should know with the job, beside what is known of what they typed, and shows it.
async fn tell(app: &App, lease: &Lease, task: &Task, of_engine: Vec<Note>) {
    let typed = render::kept_notes(&lease.job).filter(|note| matches!(note, Note::ForeignParameter { .. }));
    let notes: Vec<_> = typed.chain(of_engine).collect();
    let stored = match serde_json::to_value(&notes) {
        Ok(json) => app.jobs.set_notes(lease, &json).await.map(drop).map_err(|error| chain(&error)),
        Err(error) => Err(error.to_string()),
    };
    if let Err(error) = stored {
        tracing::warn!(error, "the notes of a job could not be kept");
    }
    if let Some(mut live) = app.live.get_mut(&lease.job.id) {
        live.heading.notes = app.notes(task).into_iter().chain(notes).collect();
        live.touch();
    }
}

fn note_progress(app: &App, job: &Job, event: Event) {
    let Some(mut live) = app.live.get_mut(&job.id) else { return };
    match event {
        Event::Loading => live.enter(Phase::Loading),
        Event::Progress(progress) => {
            live.enter(Phase::Drawing);
            (live.done, live.total) = (progress.done, progress.total);
        }
        Event::Preview { index, image, .. } => {
            if let Some(preview) = live.previews.get_mut(index as usize) {
                *preview = Some(image);
            }
        }
        Event::Notes(_) | Event::Checkpoint { .. } | Event::Image(_) | Event::Done(_) | Event::Failed(_) => {}
    }
    live.touch();
}

/// Stores a finished picture and records it: a row never names a blob that is not there.
async fn save(app: &Arc<App>, lease: &Lease, task: &Task, origin: Origin, finished: FinishedImage) -> anyhow::Result<Written> {
    let FinishedImage { index, seed, image } = finished;
    let (width, height) = image.dimensions();
    let provenance = Some(origin.provenance());
    let record = Record { task: task.clone(), index: Some(index), is_enlarged: false, origin };
    let (png, image) = tokio::task::spawn_blocking(move || (metadata::png(&image, &record), image)).await?;
    let png = Bytes::from(png?);
    let blob = app.blobs.put(png.clone()).await?;
    let name = blob.to_string();
    let written = app.jobs.record_image(lease, &NewImage { index, seed: seed.0, width, height, blob, provenance }).await?;
    if written == Written::Done {
        // The same picture of a job that was deleted meanwhile has the same bytes and key: from here on our row keeps it.
        app.blobs.put(png).await?;
        app.tasks.spawn(show_finished(app.clone(), lease.job.id, index, name, image));
    }
    Ok(written)
}

/// Puts a picture that a worker before this one finished into its job's preview.
async fn show_recorded(app: Arc<App>, job: JobId, image: NewImage) {
    match pictures::stored(&*app.blobs, image.blob.as_str()).await {
        Ok(drawn) => show_finished(app, job, image.index, image.blob.to_string(), drawn).await,
        Err(error) => tracing::warn!(job.id = %job, error = chain(error.as_ref()), "a finished picture cannot be read"),
    }
}

/// Puts a finished picture into its job's preview as the grid will show it, which the grid finds made then.
async fn show_finished(app: Arc<App>, job: JobId, index: u32, name: String, drawn: RgbImage) {
    let Some(n_images) = app.live.get(&job).map(|live| live.previews.len()) else { return };
    let size = ImageSize::new(drawn.width(), drawn.height());
    let show = async {
        let shown = app.shown.picture(name, drawn, grid::cell_size(size, n_images, MIN_GRID_WIDTH).width).await.ok()?;
        tokio::task::spawn_blocking(move || grid::fitted(&shown, grid::preview_cell(size, n_images))).await.ok()
    };
    let shown = tokio::select! {
        shown = show => shown,
        () = app.shutdown.cancelled() => return,
    };
    let Some(mut live) = app.live.get_mut(&job) else { return };
    if let Some(preview) = live.previews.get_mut(index as usize).filter(|_| shown.is_some()) {
        *preview = shown;
        live.touch();
    }
}

async fn update_places(app: &App) {
    let queue = match app.jobs.queue().await {
        Ok(queue) => queue,
        Err(error) => {
            tracing::warn!(error = %chain(&error), "the queue cannot be read");
            return;
        }
    };
    for (position, id) in queue.into_iter().enumerate() {
        if let Some(mut live) = app.live.get_mut(&id) {
            live.enter(Phase::Queued { place: position as u32 + 1 });
        }
    }
    app.progress_bell.notify_one();
}

/// Puts every unfinished job back on the screen after a start.
///
/// # Errors
/// The store cannot be read.
pub async fn restore(app: &Arc<App>) -> anyhow::Result<()> {
    let n_jobs = app.jobs.reap(true, app.clock.now()).await?;
    if n_jobs > 0 {
        tracing::info!(n_jobs, "jobs of an earlier run go on");
    }
    for id in app.jobs.queue().await? {
        let Some(job) = app.jobs.job(id).await? else { continue };
        let Ok(task) = serde_json::from_value::<Task>(job.task.clone()) else { continue };
        let live: Live = render::live(app, &job, &task).await;
        app.live.insert(id, live);
    }
    Ok(())
}
