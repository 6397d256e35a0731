//! Live progress by job, shared by gateway handlers, dispatcher and delivery. Lost with the process; the database has the truth.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use dashmap::DashMap;
use image::RgbImage;
use inference::{engine::TaskHandle, task::ImageSize};
use storage::{Delivery, Job, JobId, Less, Timestamp};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::{jobs::told::Told, messages::Heading};

/// Jobs that are not finished, with what their messages show.
pub type LiveJobs = DashMap<JobId, Live>;

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Waits; its place counts from 1.
    Queued {
        /// Place in the order of turns.
        place: u32,
    },
    /// Waits in a guild whose queue is paused.
    Held,
    /// Waits for its model, which is read into memory.
    Loading,
    /// Is being drawn.
    Drawing,
    /// Was asked to stop.
    Cancelling,
}

/// One job's progress.
#[derive(Debug)]
pub struct Live {
    /// What its message begins with.
    pub heading: Heading,
    /// Where its message is.
    pub delivery: Delivery,
    /// Size of its pictures.
    pub size: ImageSize,
    /// Row-megapixels that it is thought to take.
    pub cost: f64,
    /// Where it stands.
    pub phase: Phase,
    /// Steps done, all pictures together.
    pub done: u32,
    /// Steps in all.
    pub total: u32,
    /// The latest preview of each picture.
    pub previews: Vec<Option<RgbImage>>,
    /// When drawing began.
    pub started: Option<Instant>,
    /// Grows with each change.
    pub version: u64,
    /// The version that the message shows.
    pub shown: u64,
    /// What the message tells of the queue.
    pub told: Told,
    /// When the message was last edited.
    pub edited: Option<Timestamp>,
    /// Held by whoever edits the message, so that an old state never lands on a newer one.
    pub gate: Arc<Semaphore>,
    /// Tells the job's worker to stop.
    pub cancel: CancellationToken,
    /// Whether each picture is wanted no more.
    pub culled: Vec<bool>,
    /// Whether its pictures are wanted as they are at the next step.
    pub is_stopping: bool,
    /// Tells the job's worker that less is wanted.
    pub less: Arc<Notify>,
}

impl Live {
    /// A job that waits and whose message shows nothing yet.
    pub fn new(heading: Heading, delivery: Delivery, size: ImageSize, n_images: u32) -> Self {
        Self {
            heading,
            delivery,
            size,
            cost: 0.0,
            phase: Phase::Queued { place: 0 },
            done: 0,
            total: 0,
            previews: vec![None; n_images as usize],
            started: None,
            version: 0,
            shown: 0,
            told: Told::default(),
            edited: None,
            gate: Arc::new(Semaphore::new(1)),
            cancel: CancellationToken::new(),
            culled: vec![false; n_images as usize],
            is_stopping: false,
            less: Arc::new(Notify::new()),
        }
    }

    /// The same with what it is thought to take, in row-megapixels.
    #[must_use]
    pub fn costing(self, cost: f64) -> Self {
        Self { cost, ..self }
    }

    /// Notes a change that the message should show.
    pub fn touch(&mut self) {
        self.version += 1;
    }

    /// Notes that less of it is wanted, and tells its worker.
    pub fn want_less(&mut self, less: Less) {
        match less {
            Less::Stop => self.is_stopping = true,
            Less::Without(index) => {
                if let Some(is_culled) = self.culled.get_mut(index as usize) {
                    *is_culled = true;
                }
            }
        }
        self.touch();
        self.less.notify_one();
    }

    /// The same of what was noted with the stored job.
    pub fn want_less_of(&mut self, job: &Job) {
        (0..32).filter(|index| job.culled & (1 << index) != 0).for_each(|index| self.want_less(Less::Without(index)));
        if job.is_stop_requested {
            self.want_less(Less::Stop);
        }
    }

    /// Tells the engine of what is wanted no more.
    pub fn tell_less(&self, handle: &TaskHandle) {
        let culled = self.culled.iter().zip(0..).filter(|(is_culled, _)| **is_culled);
        culled.for_each(|(_, index)| handle.cull(index));
        if self.is_stopping {
            handle.stop();
        }
    }

    /// Moves to a phase; a job that is being cancelled stays so.
    pub fn enter(&mut self, phase: Phase) {
        if self.phase != phase && self.phase != Phase::Cancelling {
            if phase == Phase::Drawing {
                self.started = Some(Instant::now());
            }
            if self.phase == Phase::Held {
                // Its message says nothing of a place.
                self.told = Told::default();
            }
            self.phase = phase;
            self.touch();
        }
    }

    /// Time left at the pace so far; `None` before there is one.
    pub fn time_left(&self) -> Option<Duration> {
        let elapsed = self.started?.elapsed();
        if self.done == 0 || self.total <= self.done {
            return None;
        }
        Some(elapsed.mul_f64(f64::from(self.total - self.done) / f64::from(self.done)))
    }
}
