//! Jobs that go on where others were stopped.

use bytes::Bytes;
use inference::{
    engine::{Progress, Stopped, Submission},
    state::{Place, TrajectoryState},
};
use storage::{BlobStore, Job, JobId, JobStore, KeptState, Lease, Timestamp, Written};

use crate::system::log::chain;

/// What such a job is asked for with; its parent is the one that was stopped.
pub const ACTION: &str = "continue";

/// What the pictures of a stopped job go on from, as far as it is kept and can be read.
///
/// # Errors
/// The store cannot be read.
pub async fn states(jobs: &dyn JobStore, blobs: &dyn BlobStore, stopped: JobId) -> anyhow::Result<Vec<TrajectoryState>> {
    let mut states = Vec::new();
    for kept in jobs.states(stopped).await? {
        let read = async {
            let bytes = blobs.get(&kept.blob).await?;
            anyhow::Ok(tokio::task::spawn_blocking(move || TrajectoryState::from_bytes(&bytes)).await??)
        };
        match read.await {
            Ok(state) => states.push(state),
            Err(error) => tracing::warn!(job.id = %stopped, error = chain(error.as_ref()), "what a picture goes on from cannot be read"),
        }
    }
    Ok(states)
}

/// Keeps what a picture goes on from that was handed out before its end, if it can go on.
///
/// # Errors
/// It cannot be kept.
pub async fn keep(
    (jobs, blobs): (&dyn JobStore, &dyn BlobStore),
    lease: &Lease,
    (index, stopped): (u32, Stopped),
    now: Timestamp,
) -> anyhow::Result<Written> {
    let Stopped { progress: Progress { done, total }, state } = stopped;
    let Some(state) = state else { return Ok(Written::Done) };
    let bytes = Bytes::from(tokio::task::spawn_blocking(move || state.to_bytes()).await?);
    let n_bytes = bytes.len() as u64;
    let blob = blobs.put(bytes).await?;
    Ok(jobs.keep_state(lease, &KeptState { index, blob, n_bytes, done, total }, now).await?)
}

/// What a job goes on from, if it is one that does.
///
/// # Errors
/// The store cannot be read.
pub async fn of(jobs: &dyn JobStore, blobs: &dyn BlobStore, job: &Job) -> anyhow::Result<Option<Vec<TrajectoryState>>> {
    match job.parent {
        Some((stopped, _)) if job.action == ACTION => states(jobs, blobs, stopped).await.map(Some),
        _ => Ok(None),
    }
}

/// Has a task's pictures go on from states, those that are not further already; pictures without any are not drawn. Where they began.
pub fn put(submission: &mut Submission, states: Vec<TrajectoryState>) -> Vec<Place> {
    let is_going_on = |index: u32| states.iter().any(|state| state.index == index);
    let others = (0..submission.task.n_images()).filter(|index| !is_going_on(*index));
    submission.finished.extend(others);
    let began = states.iter().map(TrajectoryState::place).collect();
    for state in states {
        if !submission.finished.contains(&state.index) && submission.resume.iter().all(|further| further.index != state.index) {
            submission.resume.push(state);
        }
    }
    began
}
