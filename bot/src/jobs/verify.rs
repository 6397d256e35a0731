//! Jobs that draw one picture of a job before them again, and what comes of the comparison.

use image::RgbImage;
use inference::task::{StopAt, Task};
use storage::{BlobStore, Job, JobStatus, JobStore, NewImage, Provenance};

use crate::pictures;

/// What such a job is asked for with; its parent is the picture that is drawn again.
pub const ACTION: &str = "verify";

/// What draws one picture of a task alone, to the bit, after as many steps as it was drawn in.
pub fn alone(mut task: Task, index: u32, stopped_at: Option<u32>) -> Task {
    if let Some(base) = task.base_mut() {
        *base = base.alone(index);
        base.stop_at = stopped_at.map(StopAt::Steps);
    }
    task
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    /// Which picture of its job was drawn again, from 0.
    pub index: u32,
    /// How the two are alike.
    pub verdict: Verdict,
    /// What they were made with, where that is not the same: what it is called, before and now.
    pub otherwise: Vec<(&'static str, String, String)>,
}

/// How two pictures are alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// To the bit; over so many steps that were noted both times.
    Identical {
        /// Steps that were compared.
        n_steps: u32,
    },
    /// They differ.
    Differs {
        /// The first step, from 1, at which the network gave something else, where both times were noted.
        first_step: Option<u32>,
        /// Steps that were compared.
        n_steps: u32,
        /// The largest difference of a pixel's colour, of 255; `None` where the sizes differ.
        largest: Option<u8>,
    },
    /// There is nothing any more to compare with.
    Gone,
}

/// Compares what a job of this kind drew with what it was to draw again; `None` for other jobs.
///
/// # Errors
/// The store or the new picture cannot be read.
pub async fn compared(jobs: &dyn JobStore, blobs: &dyn BlobStore, job: &Job) -> anyhow::Result<Option<Compared>> {
    let Some((before, index)) = job.parent.filter(|_| job.action == ACTION && job.status == JobStatus::Done) else { return Ok(None) };
    let Some(new) = jobs.images(job.id).await?.into_iter().next() else { return Ok(None) };
    let gone = Compared { index, verdict: Verdict::Gone, otherwise: Vec::new() };
    let Some(old) = jobs.images(before).await?.into_iter().find(|image| image.index == index) else { return Ok(Some(gone)) };
    let old_picture = match pictures::stored(blobs, old.blob.as_str()).await {
        Ok(picture) => picture,
        Err(error) if pictures::is_lost(&error) => return Ok(Some(gone)),
        Err(error) => return Err(error),
    };
    let new_picture = pictures::stored(blobs, new.blob.as_str()).await?;
    let compare = move || {
        let verdict = verdict((&old_picture, &old.digests), (&new_picture, &new.digests));
        Compared { index, verdict, otherwise: otherwise(&old, &new) }
    };
    Ok(Some(tokio::task::spawn_blocking(compare).await?))
}

fn verdict((old, old_steps): (&RgbImage, &[u64]), (new, new_steps): (&RgbImage, &[u64])) -> Verdict {
    let noted = || (1..).zip(old_steps.iter().zip(new_steps)).filter(|(_, (old, new))| **old != 0 && **new != 0);
    let n_steps = noted().count() as u32;
    if old == new {
        return Verdict::Identical { n_steps };
    }
    let largest = || old.iter().zip(new.iter()).map(|(old, new)| old.abs_diff(*new)).max();
    Verdict::Differs {
        first_step: noted().find(|(_, (old, new))| old != new).map(|(step, _)| step),
        n_steps,
        largest: if old.dimensions() == new.dimensions() { largest() } else { None },
    }
}

fn otherwise(old: &NewImage, new: &NewImage) -> Vec<(&'static str, String, String)> {
    let (Some(old), Some(new)) = (&old.provenance, &new.provenance) else { return Vec::new() };
    let short = |made: &Provenance| made.model_hash.as_deref().unwrap_or("unknown").chars().take(10).collect::<String>();
    let told = [
        ("weights", short(old), short(new)),
        ("version", old.engine.clone(), new.engine.clone()),
        ("device", format!("{} ({})", old.device, old.dtype), format!("{} ({})", new.device, new.dtype)),
    ];
    told.into_iter().filter(|(_, old, new)| old != new).collect()
}

#[cfg(test)]
mod tests {
    use image::Rgb;
    use inference::task::{Seed, TextToImage};

    use super::*;

    fn check(old: &[u64], new: &[u64], change: u8, expected: Verdict) {
        let picture = |shade| RgbImage::from_fn(4, 4, |x, y| Rgb([if (x, y) == (3, 3) { 100 + shade } else { 7 }; 3]));
        assert_eq!(verdict((&picture(0), old), (&picture(change), new)), expected, "{old:?} {new:?} {change}");
    }

    #[test]
    fn the_first_step_that_differs_is_told_where_both_were_noted() {
        let differs = |first_step, n_steps| Verdict::Differs { first_step, n_steps, largest: Some(9) };
        check(&[1, 2, 3], &[1, 2, 3], 0, Verdict::Identical { n_steps: 3 });
        check(&[], &[1, 2, 3], 0, Verdict::Identical { n_steps: 0 });
        check(&[0, 2, 3], &[1, 2, 3], 0, Verdict::Identical { n_steps: 2 });
        check(&[1, 2, 3], &[1, 5, 6], 9, differs(Some(2), 3));
        check(&[0, 0, 3], &[1, 2, 4], 9, differs(Some(3), 1));
        check(&[0, 2, 3], &[1, 2, 3], 9, differs(None, 2));
        check(&[], &[1], 9, differs(None, 0));
    }

    #[test]
    fn pictures_of_other_sizes_differ() {
        let found = verdict((&RgbImage::new(2, 3), &[1]), (&RgbImage::new(3, 2), &[1]));
        assert_eq!(found, Verdict::Differs { first_step: None, n_steps: 1, largest: None });
    }

    #[test]
    fn one_picture_alone_begins_with_its_own_seed() {
        let task = Task::from(TextToImage { seed: Seed(40), n_images: 4, ..TextToImage::default() });
        let base = |task: &Task| task.base().map(|base| (base.seed.0, base.n_images, base.stop_at));
        assert_eq!(base(&alone(task.clone(), 2, None)), Some((42, 1, None)));
        assert_eq!(base(&alone(task, 0, Some(5))), Some((40, 1, Some(StopAt::Steps(5)))));
    }
}
