//! Draws claimed jobs: feeds the engine, forwards progress, saves results, settles the quota, all under the lease.

mod cost;
mod finished;

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use anyhow::Context;
use futures::FutureExt;
use inference::{
    engine::{Event, FinishedImage, Submission, TaskHandle, Usage},
    error::InferenceError,
    task::{Note, Task},
};
use storage::{BlobStore, Failure, Job, JobId, JobStatus, JobStore, Lease, Written};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    error::BotError,
    jobs::{
        board::Board,
        failure, going_on,
        lease::{self, LEASE, Lost},
        live::Phase,
        states::{self, States, Turn},
        watchdog::{self, Watch},
    },
    models::Models,
    pictures,
    pictures::film::Frames,
    pictures::metadata::Origin,
    pictures::render::{self, Renderer},
    system::{clock::Clock, log::chain, metrics},
};

/// At an orderly end the last states of a job get this long to be kept.
const LAST_WRITE: Duration = Duration::from_secs(3);

/// Draws claimed jobs.
pub struct Worker {
    /// Remembers.
    pub jobs: Arc<dyn JobStore>,
    /// Keeps pictures.
    pub blobs: Arc<dyn BlobStore>,
    /// What can be drawn with.
    pub models: Arc<Models>,
    /// Makes messages of stored jobs.
    pub renderer: Arc<Renderer>,
    /// Where unfinished jobs stand.
    pub board: Arc<Board>,
    /// Tells the time.
    pub clock: Clock,
    /// Cancelled once, when the program ends.
    pub shutdown: CancellationToken,
    /// What goes on beside the drawing; awaited at the end.
    pub tasks: TaskTracker,
    /// How often pictures on their way are kept; zero for never.
    pub keep_every: Duration,
}

/// How a job's drawing ended.
enum Outcome {
    Finished {
        row_megapixels: f64,
    },
    Failed(Failure),
    Cancelled {
        row_megapixels: f64,
    },
    ShutDown,
    Fenced,
    /// The job was given up, and nothing may be written for it: it goes back to wait when its lease has run out, with its attempt counted.
    GivenUp {
        reason: &'static str,
    },
}

impl Outcome {
    /// As what the job stands then.
    fn status(&self) -> JobStatus {
        match self {
            Self::Finished { .. } => JobStatus::Done,
            Self::Failed(_) => JobStatus::Failed,
            Self::Cancelled { .. } => JobStatus::Cancelled,
            Self::ShutDown | Self::Fenced | Self::GivenUp { .. } => JobStatus::Queued,
        }
    }
}

impl Worker {
    /// Draws a job to its end, and records how that was.
    pub async fn work(self: Arc<Self>, lease: Lease) {
        let (id, lease) = (lease.job.id, Arc::new(lease));
        let begun = self.clock.now();
        if lease.epoch == 1 {
            metrics::begins(lease.job.created, begun);
        }
        let (n_finished, n_on_their_way) = (lease.images.len(), lease.checkpoints.len());
        tracing::info!(attempt = lease.job.attempts, n_finished, n_on_their_way, "drawing");
        let to_stop = CancellationToken::new();
        // Where the lease is lost the drawing is dropped where it stands, and with it the engine's task.
        let worked = tokio::select! {
            worked = AssertUnwindSafe(self.draw(&lease, &to_stop)).catch_unwind() => worked,
            lost = self.hold(&lease, &to_stop) => Ok(Ok(lost)),
        };
        let outcome = match worked {
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
        let now = self.clock.now();
        metrics::drawn(outcome.status(), begun, now);
        let (word, written) = match &outcome {
            Outcome::Finished { row_megapixels } => ("done", self.jobs.complete(&lease, *row_megapixels, now).await),
            Outcome::Failed(failure) => ("failed", self.jobs.fail(&lease, failure, now).await),
            Outcome::Cancelled { row_megapixels } => ("cancelled", self.jobs.finish_cancel(&lease, *row_megapixels, now).await),
            Outcome::ShutDown => ("handed back", self.jobs.release(&lease, now).await),
            Outcome::Fenced => ("given to another worker", Ok(Written::Fenced)),
            Outcome::GivenUp { reason } => {
                metrics::given_up(reason);
                tracing::error!(job.id = %id, reason, "the work on a job was given up; it waits again when its lease has run out");
                return;
            }
        };
        if matches!(written, Ok(Written::Fenced)) {
            metrics::fenced();
        }
        match (written, &outcome) {
            (Ok(Written::CancelRequested), Outcome::Finished { row_megapixels }) => {
                if let Err(error) = self.jobs.finish_cancel(&lease, *row_megapixels, now).await {
                    tracing::error!(error = %chain(&error), "a cancel could not be recorded; the lease will expire");
                }
            }
            (Ok(Written::Done), Outcome::Finished { .. }) => tracing::info!("{word}"),
            (Ok(written), _) => tracing::info!(?written, "{word}"),
            (Err(error), _) => tracing::error!(error = %chain(&error), "the end of a job could not be recorded; the lease will expire"),
        }
        self.board.outbox.notify_one();
    }

    /// Renews a lease until it is lost.
    async fn hold(&self, lease: &Lease, to_stop: &CancellationToken) -> Outcome {
        match lease::hold(&self.clock, |now| self.jobs.renew(lease, LEASE, now), to_stop).await {
            Lost::Fenced => Outcome::Fenced,
            Lost::NotRenewed => Outcome::GivenUp { reason: "lease" },
        }
    }

    async fn draw(self: &Arc<Self>, lease: &Arc<Lease>, to_stop: &CancellationToken) -> anyhow::Result<Outcome> {
        let job = &lease.job;
        let task: Task = serde_json::from_value(job.task.clone()).context("the stored task")?;
        // A model or adapter may have gone from the configuration since the job was enqueued.
        match self.models.check(&task).await {
            Ok(_) => {}
            Err(BotError::User(error)) => {
                tracing::warn!(job.id = %job.id, %error, "a job cannot be drawn any more");
                return Ok(Outcome::Failed(failure::of_refusal(&error)));
            }
            Err(BotError::Internal(error)) => return Err(error),
        }
        let mut submission = Submission::new(task.clone());
        for input in &task.inputs {
            match pictures::input(&*self.blobs, input, task.source_size()).await {
                Ok(pixels) => submission = submission.with(input.role.clone(), pixels),
                Err(error) => {
                    tracing::warn!(job.id = %job.id, input.role = %input.role, error = chain(error.as_ref()), "a picture that a job is made from is gone");
                    return Ok(Outcome::Failed(Failure::SourceGone));
                }
            }
        }
        let restored = self.renderer.live(job, &task).await;
        let (cancel, less) = {
            let mut live = self.board.live.entry(job.id).or_insert(restored);
            live.want_less_of(job);
            live.enter(Phase::Drawing);
            (live.cancel.clone(), live.less.clone())
        };
        self.board.progress.notify_one();
        // Beside the first steps: hashing a large model for the first time takes as long as reading it.
        let mut hashing = self.tasks.spawn({
            let (models, task) = (self.models.clone(), task.clone());
            async move { models.origin(&task).await }
        });
        submission.finished = lease.images.iter().map(|image| image.index).collect();
        for image in &lease.images {
            self.tasks.spawn(self.clone().show_recorded(job.id, image.clone()));
        }
        submission.resume = states::resumed(lease.clone()).await;
        let stopped = going_on::of(&*self.jobs, &*self.blobs, job).await?;
        if stopped.as_ref().is_some_and(Vec::is_empty) {
            // They went while it waited.
            return Ok(Outcome::Failed(Failure::StatesGone));
        }
        let began = stopped.map(|stopped| going_on::put(&mut submission, stopped));
        let was_begun = !(lease.images.is_empty() && lease.checkpoints.is_empty());
        let stopped = if was_begun { self.jobs.states(job.id).await? } else { Vec::new() };
        let cost_before = |submission: &Submission| match was_begun {
            true => cost::before(&self.models.offered().catalogue, submission, began.as_deref(), &stopped),
            false => 0.0,
        };
        let mut before = cost_before(&submission);
        let mut handle = match self.models.engine.submit(submission.clone()) {
            Ok(handle) => handle,
            Err(error) => return Ok(self.engine_failed(job, &task, &error)),
        };
        let mut states = States::new(self.jobs.clone(), lease.clone(), &task, self.clock.clone(), self.keep_every);
        submission.finished.iter().for_each(|index| states.finished(*index));
        self.tell_less(job.id, &handle, &mut states);
        // Pictures wait for the hashes, and meanwhile the lease is renewed and a cancel is heard.
        let (mut origin, mut unsaved, mut done): (Option<Origin>, Vec<(FinishedImage, Frames)>, Option<Usage>) = (None, Vec::new(), None);
        let mut has_pictures = !lease.images.is_empty();
        let mut frames = vec![Frames::default(); task.n_images() as usize];
        let (mut looking, mut watch) = (self.clock.ticks(watchdog::LOOK_EVERY), Watch::default());
        let mut is_ending = false;
        loop {
            if let Some(origin) = &origin {
                for finished in unsaved.drain(..) {
                    match self.save(lease, &task, origin.clone(), finished).await? {
                        Written::Done => {
                            has_pictures = true;
                            self.got_further(job);
                        }
                        Written::CancelRequested => return Ok(stop(before, &handle)),
                        Written::Fenced => return Ok(Outcome::Fenced),
                    }
                }
                if let Some(usage) = done {
                    // What was to go on and begins again is not paid twice.
                    let most = if began.is_some() { job.row_megapixels } else { f64::INFINITY };
                    let row_megapixels = (before + usage.row_megapixels).min(most);
                    // Without pictures: none of them was wanted any more.
                    return Ok(if has_pictures { Outcome::Finished { row_megapixels } } else { Outcome::Cancelled { row_megapixels } });
                }
            }
            if states.has_last() {
                return Ok(self.hand_back(states).await);
            }
            tokio::select! {
                hashed = &mut hashing, if origin.is_none() => origin = Some(hashed.context("hashing the weights")?.on(handle.device())),
                event = handle.next(), if done.is_none() => match event {
                    Some(Event::Image(finished)) => {
                        states.finished(finished.index);
                        let frames = frames.get_mut(finished.index as usize).map(std::mem::take).unwrap_or_default();
                        unsaved.push((finished, frames));
                    }
                    Some(Event::Checkpoint { index, state }) => states.told(index, state),
                    Some(Event::Done(usage)) => done = Some(usage),
                    Some(Event::Failed(error)) if !submission.resume.is_empty() && matches!(*error, InferenceError::State(_)) => {
                        tracing::warn!(job.id = %job.id, %error, "pictures cannot go on where they were; they begin again");
                        submission.resume.clear();
                        before = cost_before(&submission);
                        handle = match self.models.engine.submit(submission.clone()) {
                            Ok(handle) => handle,
                            Err(error) => return Ok(self.engine_failed(job, &task, &error)),
                        };
                        self.tell_less(job.id, &handle, &mut states);
                    }
                    Some(Event::Failed(error)) => return Ok(self.engine_failed(job, &task, &error)),
                    Some(Event::Notes(notes)) => self.tell(lease, &task, notes).await,
                    Some(event) => {
                        if matches!(event, Event::Progress(_)) {
                            states.begun();
                        }
                        if let Event::Preview { index, image, .. } = &event
                            && let Some(frames) = frames.get_mut(*index as usize)
                        {
                            frames.push(image.clone());
                        }
                        self.note_progress(job, event);
                    }
                    None => anyhow::bail!("the engine dropped the task"),
                },
                turn = states.turn() => match turn {
                    Turn::Ask => handle.checkpoint(),
                    Turn::Kept(Written::Done) => self.got_further(job),
                    Turn::Kept(Written::CancelRequested) => return Ok(stop(before, &handle)),
                    Turn::Kept(Written::Fenced) => return Ok(Outcome::Fenced),
                    Turn::TimeIsUp => return Ok(self.hand_back(states).await),
                },
                () = looking.tick() => if done.is_none() && self.hangs(job, &handle, &mut watch) {
                    return Ok(Outcome::GivenUp { reason: "engine" });
                },
                () = less.notified() => self.tell_less(job.id, &handle, &mut states),
                () = to_stop.cancelled() => return Ok(stop(before, &handle)),
                () = cancel.cancelled() => return Ok(stop(before, &handle)),
                () = self.shutdown.cancelled(), if !is_ending => {
                    is_ending = true;
                    if !states.is_worth_a_last() {
                        return Ok(Outcome::ShutDown);
                    }
                    handle.checkpoint();
                }
            }
        }
    }

    /// Something of a job was kept: others may begin beside one that was interrupted before.
    fn got_further(&self, job: &Job) {
        if job.attempts > 1 {
            self.board.queue.notify_one();
        }
    }

    /// At an orderly end: whoever draws the job next goes on where its pictures are.
    async fn hand_back(&self, states: States) -> Outcome {
        if tokio::time::timeout(LAST_WRITE, states.flush()).await.is_err() {
            tracing::warn!("the last states of a job were not kept in time");
        }
        Outcome::ShutDown
    }

    /// Whether the engine does nothing for a job any more.
    fn hangs(&self, job: &Job, handle: &TaskHandle, watch: &mut Watch) -> bool {
        let is_loading = self.board.live.get(&job.id).is_some_and(|live| live.phase == Phase::Loading);
        watch.hangs(&handle.pulse(), is_loading, self.models.engine.seconds_per_row_megapixel())
    }

    /// Tells the engine of what is wanted no more.
    fn tell_less(&self, job: JobId, handle: &TaskHandle, states: &mut States) {
        let Some(live) = self.board.live.get(&job) else { return };
        live.tell_less(handle);
        live.culled.iter().zip(0..).filter(|(is_culled, _)| **is_culled).for_each(|(_, index)| states.finished(index));
    }

    /// What the engine said goes to the log; the person is told by name what they can change. A bot without an engine must not go on taking jobs:
    /// they are drawn at the next start.
    fn engine_failed(&self, job: &Job, task: &Task, error: &InferenceError) -> Outcome {
        if failure::is_of_no_engine(error, self.models.engine.is_alive()) {
            tracing::error!("the engine has stopped; the program ends");
            self.shutdown.cancel();
            return Outcome::ShutDown;
        }
        tracing::error!(job.id = %job.id, error = chain(error), "the engine failed a task");
        Outcome::Failed(failure::of_engine(error, task, &self.models.offered().catalogue))
    }

    /// Keeps what the person who asked should know with the job, beside what is known of what they typed, and shows it.
    async fn tell(&self, lease: &Lease, task: &Task, of_engine: Vec<Note>) {
        let typed = render::kept_notes(&lease.job).filter(|note| matches!(note, Note::ForeignParameter { .. }));
        let notes: Vec<_> = typed.chain(of_engine).collect();
        let stored = match serde_json::to_value(&notes) {
            Ok(json) => self.jobs.set_notes(lease, &json).await.map(drop).map_err(|error| chain(&error)),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = stored {
            tracing::warn!(error, "the notes of a job could not be kept");
        }
        if let Some(mut live) = self.board.live.get_mut(&lease.job.id) {
            live.heading.notes = self.models.notes(task).into_iter().chain(notes).collect();
            live.touch();
        }
    }

    fn note_progress(&self, job: &Job, event: Event) {
        let Some(mut live) = self.board.live.get_mut(&job.id) else { return };
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
}

fn stop(before: f64, handle: &TaskHandle) -> Outcome {
    handle.cancel();
    Outcome::Cancelled { row_megapixels: before + handle.usage().row_megapixels }
}
