//! What tells a task from others: everything that decides its pictures' numbers.

use image::{GrayImage, RgbImage};
use sha2::{Digest, Sha256};

use super::digest::{add, hex};
use crate::task::{Seed, Task};

/// SHA-256 in hex of a task as it is for each of its pictures, with the pixels that it starts from. How many pictures there are and the first one's
/// seed do not count, nor under what names the pixels are kept: a state says its own seed, so that a job's pictures may be drawn in several jobs.
pub(crate) fn of_task(task: &Task, source: Option<&RgbImage>, mask: Option<&GrayImage>) -> String {
    let mut task = task.clone();
    if let Some(base) = task.base_mut() {
        (base.seed, base.n_images) = (Seed(0), 1);
    }
    match &mut task {
        Task::TextToImage(_) => {}
        Task::ImageToImage(task) => task.source.clear(),
        Task::Upscale(task) => task.source.clear(),
        Task::Inpaint(task) => {
            task.source.clear();
            task.mask.clear();
        }
    }
    let mut digest = Sha256::new();
    add(&mut digest, &serde_json::to_vec(&task).expect("a task is stored as JSON"));
    add(&mut digest, source.map_or(&[], |image| image.as_raw()));
    add(&mut digest, mask.map_or(&[], |image| image.as_raw()));
    hex(digest)
}
