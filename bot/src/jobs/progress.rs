//! Keeps the messages of unfinished jobs up to date: at most one edit per job and interval, and only when something changed.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use inference::task::ImageSize;
use storage::{Delivery, JobId, JobStore, Timestamp};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    answer::Answer,
    discord::{Messenger, SendError},
    jobs::{
        board::Board,
        live::{Live, Phase},
        queue_time,
    },
    messages,
    pictures::grid,
    system::clock::Clock,
};

/// Edits on their way at once.
const MAX_EDITS: usize = 16;
/// Of these, for places in the queue.
const MAX_PLACE_EDITS: usize = 8;

/// Keeps messages up to date.
pub struct Progress {
    /// Remembers.
    pub jobs: Arc<dyn JobStore>,
    /// Sends.
    pub messenger: Messenger,
    /// Where unfinished jobs stand.
    pub board: Arc<Board>,
    /// Tells the time.
    pub clock: Clock,
    /// Time between two edits of one job's message.
    pub interval: Duration,
    /// Cancelled once, when the program ends.
    pub shutdown: CancellationToken,
}

impl Progress {
    /// Runs until shutdown.
    pub async fn run(self: Arc<Self>) {
        let mut edits = JoinSet::new();
        let mut ticks = self.clock.ticks(self.interval);
        tokio::select! {
            () = self.messenger.ready() => {}
            () = self.shutdown.cancelled() => return,
        }
        loop {
            tokio::select! {
                () = ticks.tick() => {}
                () = self.board.progress.notified() => {}
                () = self.shutdown.cancelled() => break,
            }
            while edits.try_join_next().is_some() {}
            let room = MAX_EDITS.saturating_sub(edits.len());
            for id in self.due().into_iter().take(room) {
                edits.spawn(self.clone().edit(id));
            }
        }
        while edits.join_next().await.is_some() {}
    }

    /// Jobs whose message is out of date and may be edited now; those being drawn come first.
    fn due(&self) -> Vec<JobId> {
        let now = self.clock.now();
        // A time of day that was set back must not silence a job until it comes again.
        let is_past = |edited: Timestamp| u128::from(now.0.abs_diff(edited.0)) >= self.interval.as_millis();
        let waits: HashMap<_, _> = queue_time::of_all(&self.board.live, Instant::now()).into_iter().collect();
        // Endings go before places.
        let are_places_told = !self.board.is_crowded.load(Ordering::Relaxed);
        let is_due = |live: &Live, id: &JobId| match live.phase {
            Phase::Queued { place } => are_places_told && live.told.is_stale(place, waits.get(id).copied()),
            Phase::Held | Phase::Loading | Phase::Drawing | Phase::Cancelling => live.version > live.shown,
        };
        let mut due: Vec<_> = self
            .board
            .live
            .iter()
            .filter(|live| is_due(live, live.key()) && live.edited.is_none_or(is_past))
            .map(|live| (matches!(live.phase, Phase::Queued { .. }), live.edited, *live.key()))
            .collect();
        due.sort_by_key(|(is_queued, edited, _)| (*is_queued, *edited));
        let n_drawn = due.iter().filter(|(is_queued, ..)| !is_queued).count();
        due.truncate(n_drawn + MAX_PLACE_EDITS);
        due.into_iter().map(|(_, _, id)| id).collect()
    }

    async fn edit(self: Arc<Self>, id: JobId) {
        let Some(gate) = self.board.live.get(&id).map(|live| live.gate.clone()) else { return };
        let Ok(_permit) = gate.try_acquire() else { return };
        let wait =
            queue_time::of_all(&self.board.live, Instant::now()).into_iter().find_map(|(waiting, wait)| (waiting == id).then_some(wait));
        let Some((view, delivery)) = self.board.live.get_mut(&id).map(|mut live| {
            live.shown = live.version;
            if let Phase::Queued { place } = live.phase {
                live.told = live.told.with(place, wait);
            }
            live.edited = Some(self.clock.now());
            (View::of(&live), live.delivery.clone())
        }) else {
            return;
        };
        let Ok(answer) = tokio::task::spawn_blocking(move || view.answer(id)).await else { return };
        let edited = match self.messenger.edit(&delivery, &answer).await {
            // One of several grids of a line has no interaction that a message waits for.
            Err(SendError::TokenExpired) if is_to_be_posted(&delivery) => self.messenger.post(delivery.channel, id, &answer).await,
            edited => edited.map(|(message, _)| message),
        };
        match edited {
            Ok(message) if delivery.message != Some(message) => {
                if let Some(mut live) = self.board.live.get_mut(&id) {
                    live.delivery.message = Some(message);
                }
                if let Err(error) = self.jobs.set_message(id, message).await {
                    tracing::warn!(job.id = %id, error = %crate::system::log::chain(&error), "the message of a job could not be remembered");
                }
            }
            Ok(_) => {}
            // Progress may be lost: the final message goes other ways.
            Err(SendError::Transient(later)) => {
                tracing::debug!(job.id = %id, reason = later.reason, "a progress edit failed");
                if let Some(mut live) = self.board.live.get_mut(&id) {
                    live.touch();
                    live.told = live.told.failed();
                }
            }
            Err(error) => tracing::debug!(job.id = %id, %error, "a progress edit was refused"),
        }
    }
}

/// Whether a job has no message yet and none by an interaction. What is for one person alone is told at its end, directly.
fn is_to_be_posted(delivery: &Delivery) -> bool {
    delivery.token_expires == Timestamp(0) && delivery.message.is_none() && !delivery.is_private
}

/// What a message needs, copied out of the live map so that no lock is held while it is drawn.
struct View {
    heading: messages::Heading,
    phase: Phase,
    wait: Option<std::time::Duration>,
    done: u32,
    total: u32,
    left: Option<std::time::Duration>,
    previews: Vec<Option<image::RgbImage>>,
    culled: Vec<bool>,
    is_stopping: bool,
    size: ImageSize,
}

impl View {
    fn of(live: &Live) -> Self {
        Self {
            heading: live.heading.clone(),
            phase: live.phase,
            wait: live.told.wait(),
            done: live.done,
            total: live.total,
            left: live.time_left(),
            previews: live.previews.clone(),
            culled: live.culled.clone(),
            is_stopping: live.is_stopping,
            size: live.size,
        }
    }

    fn answer(self, id: JobId) -> Answer {
        match self.phase {
            Phase::Queued { place } => messages::queued(&self.heading, id, place.max(1), self.wait),
            Phase::Held => messages::held(&self.heading, id),
            Phase::Loading => messages::loading(&self.heading, id),
            Phase::Cancelling => messages::cancelling(&self.heading),
            Phase::Drawing => {
                let preview =
                    self.previews.iter().any(Option::is_some).then(|| {
                        grid::preview_bytes(&grid::preview_grid(&self.previews, grid::preview_cell(self.size, self.previews.len())))
                    });
                let Self { done, total, left, culled, is_stopping, .. } = &self;
                let drawing = messages::Drawing { done: *done, total: *total, left: *left, culled, is_stopping: *is_stopping };
                messages::drawing(&self.heading, id, drawing, preview)
            }
        }
    }
}
