//! Where a job's pictures are on their way: asked for every few seconds, kept beside the drawing, and gone on from by whoever works on the job next.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use inference::{
    engine::Submission,
    state::{PassKind, Place, TrajectoryState},
    task::Task,
};
use storage::{Checkpoint, CheckpointLimits, Checkpoints, Kept, Lease, StorageError, Written};
use tokio_util::task::AbortOnDropHandle;

use crate::system::{clock::Clock, log::chain};

/// How much is kept: a state is seldom more than a mebibyte, of a picture of 4096 × 4096 pixels 16 MiB or less, and few jobs run at once.
const ROOM: CheckpointLimits = CheckpointLimits { max_bytes: 16 << 20, max_bytes_in_all: 256 << 20 };
/// Steps that no pass has: a picture in its second pass is further than any in its first.
const PASS: u32 = 1 << 16;
/// The first states of a job that nobody interrupted are asked for this long after its work begins, the next ones after pauses that double until they
/// are the usual ones: what is interrupted early gets further all the same.
const FIRST: Duration = Duration::from_millis(500);
/// At an orderly end pictures get this long to come to the end of their step.
const LAST_STEP: Duration = Duration::from_secs(5);

/// What there is to do for a job's states.
pub(crate) enum Turn {
    /// The engine is to be asked for them.
    Ask,
    /// They were kept, or not.
    Kept(Written),
    /// The program ends, and there was time enough for them.
    TimeIsUp,
}

/// The states of the pictures of one job, while it is drawn.
pub(crate) struct States {
    store: Arc<dyn Checkpoints>,
    lease: Arc<Lease>,
    rhythm: Rhythm,
    unfinished: BTreeSet<u32>,
    /// Which of them were asked for their state and have not told it.
    asked: BTreeSet<u32>,
    /// Told, and on the way to the store with the next write.
    newest: BTreeMap<u32, Box<TrajectoryState>>,
    writing: Option<AbortOnDropHandle<Result<Kept, StorageError>>>,
    has_begun: bool,
    /// When an orderly end goes on without them.
    last: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl States {
    /// Of a job whose work begins now.
    pub(crate) fn new(store: Arc<dyn Checkpoints>, lease: Arc<Lease>, task: &Task, clock: Clock, every: Duration) -> Self {
        let is_recorded = |index: &u32| lease.images.iter().any(|image| image.index == *index);
        let unfinished = (0..task.n_images()).filter(|index| !is_recorded(index)).collect();
        // What is only enlarged has no steps, and a study tells nothing of those before it went on.
        let every = if task.base().is_some_and(|base| base.study.is_empty()) { every } else { Duration::ZERO };
        let rhythm = Rhythm::new(clock, every, lease.epoch > 1);
        Self {
            store,
            lease,
            rhythm,
            unfinished,
            asked: BTreeSet::new(),
            newest: BTreeMap::new(),
            writing: None,
            has_begun: false,
            last: None,
        }
    }

    /// The job's pictures are being drawn: a step is done.
    pub(crate) fn begun(&mut self) {
        self.has_begun = true;
    }

    /// A picture told its state.
    pub(crate) fn told(&mut self, index: u32, state: Box<TrajectoryState>) {
        self.asked.remove(&index);
        if self.unfinished.contains(&index) {
            self.newest.insert(index, state);
        }
    }

    /// A picture is finished.
    pub(crate) fn finished(&mut self, index: u32) {
        self.unfinished.remove(&index);
        self.asked.remove(&index);
        self.newest.remove(&index);
    }

    /// The program ends: whether it is worth it to ask for all states once more.
    pub(crate) fn is_worth_a_last(&mut self) -> bool {
        let is_worth = self.has_begun && !self.rhythm.every.is_zero() && !self.unfinished.is_empty();
        if is_worth {
            self.asked = self.unfinished.clone();
            self.last = Some(Box::pin(tokio::time::sleep(LAST_STEP)));
        }
        is_worth
    }

    /// Whether the program ends and all pictures have told their last state.
    pub(crate) fn has_last(&self) -> bool {
        self.last.is_some() && self.asked.is_empty()
    }

    /// The next thing to do. Nothing is lost when the wait is given up.
    pub(crate) async fn turn(&mut self) -> Turn {
        self.write();
        let Self { rhythm, writing, last, .. } = self;
        let written = async {
            match writing {
                Some(writing) => writing.await,
                None => std::future::pending().await,
            }
        };
        let last = async {
            match last {
                Some(last) => last.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            written = written => {
                self.writing = None;
                Turn::Kept(self.kept(written.unwrap_or_else(|_| Ok(Kept { written: Written::Done, n_left_out: 0 }))))
            }
            () = rhythm.due() => Turn::Ask,
            () = last => Turn::TimeIsUp,
        }
    }

    /// Waits until all that was told is kept.
    pub(crate) async fn flush(mut self) {
        loop {
            self.write();
            let Some(writing) = self.writing.take() else { break };
            if let Ok(kept) = writing.await {
                self.kept(kept);
            }
        }
    }

    /// Begins to write what was told, unless a write is on its way.
    fn write(&mut self) {
        if self.writing.is_some() || self.newest.is_empty() {
            return;
        }
        let (store, lease, newest) = (self.store.clone(), self.lease.clone(), std::mem::take(&mut self.newest));
        // A task of its own: the loop around may wait for the store itself, and this one must not hold it up meanwhile.
        self.writing = Some(AbortOnDropHandle::new(tokio::spawn(async move {
            let bytes = move || newest.into_values().map(|state| checkpoint(&state)).collect::<Vec<_>>();
            match tokio::task::spawn_blocking(bytes).await {
                Ok(checkpoints) => store.keep(&lease, &checkpoints, &ROOM).await,
                Err(_) => Ok(Kept { written: Written::Done, n_left_out: 0 }),
            }
        })));
    }

    fn kept(&self, kept: Result<Kept, StorageError>) -> Written {
        match kept {
            Ok(Kept { written, n_left_out }) => {
                if n_left_out > 0 {
                    tracing::debug!(n_left_out, "states are too large to be kept");
                }
                written
            }
            Err(error) => {
                tracing::warn!(error = %chain(&error), "states could not be kept");
                Written::Done
            }
        }
    }
}

/// When states are asked for.
struct Rhythm {
    clock: Clock,
    /// Between two times in the end; zero where none are kept.
    every: Duration,
    pause: Duration,
    next: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Rhythm {
    /// From the beginning of the work on: whoever was interrupted before is asked at once, and tells of the first step.
    fn new(clock: Clock, every: Duration, was_interrupted: bool) -> Self {
        let pause = FIRST.min(every);
        let next: Pin<Box<dyn Future<Output = ()> + Send>> = match (every.is_zero(), was_interrupted) {
            (true, _) => Box::pin(std::future::pending()),
            (_, true) => Box::pin(std::future::ready(())),
            _ => Box::pin(clock.sleep(pause)),
        };
        Self { clock, every, pause, next }
    }

    /// Waits until it is time. Nothing is lost when the wait is given up.
    async fn due(&mut self) {
        self.next.as_mut().await;
        self.next = Box::pin(self.clock.sleep(self.pause));
        self.pause = (self.pause * 2).min(self.every);
    }
}

fn checkpoint(state: &TrajectoryState) -> Checkpoint {
    let before = if state.pass == PassKind::Second { PASS } else { 0 };
    Checkpoint { index: state.index, n_steps: before + state.step, state: state.to_bytes().into() }
}

/// Where the pictures of a job go on. A state that cannot be read is left out: its picture begins again.
pub(super) async fn resumed(lease: Arc<Lease>) -> Vec<TrajectoryState> {
    if lease.checkpoints.is_empty() {
        return Vec::new();
    }
    let id = lease.job.id;
    let read = move || {
        let read = |kept: &Checkpoint| {
            let state = TrajectoryState::from_bytes(&kept.state);
            state.inspect_err(|error| tracing::warn!(job.id = %id, picture = kept.index, %error, "a picture begins again")).ok()
        };
        lease.checkpoints.iter().filter_map(read).collect()
    };
    tokio::task::spawn_blocking(read).await.unwrap_or_default()
}

/// Where the pictures begin that are to be drawn: at their states, or at their beginnings.
pub(super) fn begins(submission: &Submission) -> Vec<Option<Place>> {
    let place = |index| submission.resume.iter().find(|state| state.index == index).map(TrajectoryState::place);
    (0..submission.task.n_images()).filter(|index| !submission.finished.contains(index)).map(place).collect()
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn states_come_soon_after_the_beginning_and_then_ever_more_seldom() {
        let check = |every: u64, was_interrupted: bool, expected: &[u64]| {
            let hand = clock::ManualClock::new();
            let clock = Clock::from(clock::Clock::Manual(hand.clone()));
            let mut rhythm = Rhythm::new(clock, Duration::from_millis(every), was_interrupted);
            let mut asked = Vec::new();
            for now in (0..14_000).step_by(100) {
                if rhythm.due().now_or_never().is_some() {
                    asked.push(now);
                }
                hand.advance(Duration::from_millis(100));
            }
            assert_eq!(asked, expected, "every {every} ms, {was_interrupted}");
        };
        check(5000, false, &[500, 1000, 2000, 4000, 8000, 13_000]);
        check(5000, true, &[0, 500, 1500, 3500, 7500, 12_500]);
        check(3_600_000, false, &[500, 1000, 2000, 4000, 8000]);
        check(300, false, &(300..14_000).step_by(300).collect::<Vec<_>>());
        check(0, false, &[]);
        check(0, true, &[]);
    }
}
