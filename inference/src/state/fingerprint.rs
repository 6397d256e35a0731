//! What tells a task from others: everything that decides its pictures' numbers.

use sha2::{Digest, Sha256};

use super::digest::{add, hex};
use crate::task::{Pixels, Role, Seed, Task};

/// SHA-256 in hex of a task as it is for each of its pictures, with the pixels that it starts from. How many pictures there are, the first
/// one's seed and where they stop do not count, nor under what names the pixels are kept: a state says its own seed, so that a job's pictures may be drawn
/// in several jobs, and one that was stopped goes on.
pub(crate) fn of_task(task: &Task, inputs: &[(Role, Pixels)]) -> String {
    let mut task = task.clone();
    if let Some(base) = task.base_mut() {
        (base.seed, base.n_images, base.stop_at) = (Seed(0), 1, None);
    }
    task.inputs.iter_mut().for_each(|input| input.blob.clear());
    task.inputs.sort_by(|a, b| a.role.cmp(&b.role));
    let mut inputs: Vec<_> = inputs.iter().collect();
    inputs.sort_by_key(|(role, _)| role);
    let mut digest = Sha256::new();
    add(&mut digest, &serde_json::to_vec(&task).expect("a task is stored as JSON"));
    for (role, pixels) in inputs {
        add(&mut digest, role.to_string().as_bytes());
        add(&mut digest, pixels.as_bytes());
    }
    hex(digest)
}
