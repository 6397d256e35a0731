//! Which picture another one was made from.

use inference::task::{Task, TaskKind};
use storage::{Job, JobId, JobStore};

use super::{after::After, link};
use crate::messages::Source;

/// Enlargements of enlargements that are followed back.
const MAX_ENLARGED: usize = 8;

/// The job that drew the picture that another job shows larger, or the job itself.
pub struct Drawn {
    /// The job.
    pub job: Job,
    /// Its task, of a kind that draws.
    pub task: Task,
    /// Which of its pictures; `None` for the job itself.
    pub index: Option<u32>,
}

/// The job that drew what a job shows; `None` where that is not known any more.
///
/// # Errors
/// The store or a stored task cannot be read.
pub async fn drawn(jobs: &dyn JobStore, job: Job) -> anyhow::Result<Option<Drawn>> {
    let mut found = Drawn { task: serde_json::from_value(job.task.clone())?, job, index: None };
    for _ in 0..MAX_ENLARGED {
        if found.task.base().is_some() {
            return Ok(Some(found));
        }
        let Some((parent, index)) = found.job.parent else { return Ok(None) };
        let Some(job) = jobs.job(parent).await?.filter(|job| !job.is_forgotten) else { return Ok(None) };
        found = Drawn { task: serde_json::from_value(job.task.clone())?, job, index: Some(index) };
    }
    Ok(None)
}

/// Whether somebody brought the picture that a task starts from: no job of ours drew it, as far as that is known.
pub async fn is_brought(jobs: &dyn JobStore, task: &Task, parent: Option<(JobId, u32)>) -> bool {
    let mut parent = parent;
    for _ in 0..MAX_ENLARGED {
        let Some((id, _)) = parent else { return true };
        // What is drawn again starts from the same picture as the job before.
        let Some(before) = jobs.job(id).await.ok().flatten() else { return false };
        let is_again = serde_json::from_value::<Task>(before.task).is_ok_and(|before| before.source() == task.source());
        if !is_again {
            return false;
        }
        parent = before.parent;
    }
    true
}

/// The picture that a task starts from, for its heading, and for an enlargement the task that drew it, as one of `n_images`. `page_url` is that
/// of [`link`]. `after` is what was made of it, if that is known: then its parent is where it is, also of one on a larger canvas.
pub async fn source(
    jobs: &dyn JobStore,
    page_url: Option<&str>,
    n_images: u32,
    task: &Task,
    parent: Option<(JobId, u32)>,
    after: Option<After>,
) -> Option<(Source, Task)> {
    let (id, index) = parent.filter(|_| after.is_some() || matches!(task.kind, TaskKind::ImageToImage(_) | TaskKind::Upscale(_)))?;
    let job = jobs.job(id).await.ok()?.filter(|job| !job.is_forgotten)?;
    // What was drawn again names the job before, which need not be where its picture is.
    let images = jobs.images(id).await.ok()?;
    let is_there = images.iter().any(|image| image.index == index && Some(image.blob.as_str()) == task.source());
    if !is_there && after.is_none() && matches!(task.kind, TaskKind::ImageToImage(_)) {
        return None;
    }
    let of_parent = link(page_url, &job).filter(|_| !job.is_deleted);
    let Drawn { mut task, job, index: of_enlarged } = drawn(jobs, job).await.ok()??;
    let index = of_enlarged.unwrap_or(index);
    // A link from a larger picture leads to the grid, whatever lies between.
    let link = if of_enlarged.is_some() { link(page_url, &job).filter(|_| !job.is_deleted) } else { of_parent };
    if let Some(base) = task.base_mut() {
        *base = base.alone(index);
        base.n_images = n_images;
    }
    Some((Source { number: index.saturating_add(1), link }, task))
}
