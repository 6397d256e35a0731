//! A task with the pixels of what it is made from.

use crate::{
    error::InvalidTask,
    state::TrajectoryState,
    task::{ImageSize, Pixels, Role, Task},
};

/// One task handed to the engine.
#[derive(Clone, Debug)]
pub struct Submission {
    /// What to make.
    pub task: Task,
    /// Pixels of each of the task's inputs, in the size that [`Task::source_size`] says.
    pub inputs: Vec<(Role, Pixels)>,
    /// Pictures of the task that are there already, by index: they are not drawn again.
    pub finished: Vec<u32>,
    /// Where pictures go on, at most one state for each; the others begin from noise or source. A state that does not belong to the task and to
    /// what draws it here fails the task with [`StateError`](crate::state::StateError) before anything is computed.
    pub resume: Vec<TrajectoryState>,
    /// Each picture tells its state every so many steps; 0 for never. See also [`TaskHandle::checkpoint`](super::TaskHandle::checkpoint).
    pub checkpoint_every: u32,
}

impl Submission {
    /// All pictures of a task from their beginning; of one that is made from words alone, unless pixels are added.
    pub fn new(task: Task) -> Self {
        Self { task, inputs: Vec::new(), finished: Vec::new(), resume: Vec::new(), checkpoint_every: 0 }
    }

    /// The same with the pixels of one more input.
    #[must_use]
    pub fn with(mut self, role: Role, pixels: impl Into<Pixels>) -> Self {
        self.inputs.push((role, pixels.into()));
        self
    }

    /// Whether every input has its pixels, and nothing else has any.
    pub(super) fn check_pixels(&self) -> Result<(), InvalidTask> {
        let Self { task, inputs, .. } = self;
        let roles = task.kind.roles();
        if let Some((role, _)) = inputs.iter().find(|(role, _)| !roles.contains(role)) {
            return Err(InvalidTask::InputUnused { role: role.clone() });
        }
        let Some(ImageSize { width, height }) = task.source_size() else { return Ok(()) };
        for role in roles {
            let mut given = inputs.iter().filter(|(of, _)| of == role).map(|(_, pixels)| pixels);
            let found = match given.next() {
                Some(Pixels::Gray(mask)) if *role == Role::Mask => Some(mask.dimensions()),
                Some(Pixels::Colour(picture)) if *role != Role::Mask => Some(picture.dimensions()),
                Some(Pixels::Gray(_) | Pixels::Colour(_)) | None => None,
            };
            if found != Some((width, height)) {
                return Err(InvalidTask::Pixels { role: role.clone(), width, height });
            }
            let others = given.count();
            if others > 0 {
                return Err(InvalidTask::InputCount { role: role.clone(), found: others + 1 });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use image::{GrayImage, RgbImage};

    use super::*;
    use crate::task::{ImageToImage, Inpaint, TextToImage, Upscale};

    #[test]
    fn every_input_has_its_pixels_and_nothing_else_has_any() {
        let base = || TextToImage { size: ImageSize::new(8, 16), ..TextToImage::default() };
        let colour = |width, height| Pixels::from(RgbImage::new(width, height));
        let gray = |width, height| Pixels::from(GrayImage::new(width, height));
        let check = |task: &Task, inputs: Vec<(Role, Pixels)>, expected: Result<(), InvalidTask>| {
            assert_eq!(
                Submission { inputs: inputs.clone(), ..Submission::new(task.clone()) }.check_pixels(),
                expected,
                "{task:?} {inputs:?}"
            );
        };
        let pixels = |role: Role| Err(InvalidTask::Pixels { role, width: 8, height: 16 });
        let unused = |role: Role| Err(InvalidTask::InputUnused { role });

        let words = Task::from(base());
        check(&words, vec![], Ok(()));
        check(&words, vec![(Role::Init, colour(8, 16))], unused(Role::Init));

        let enlarged = Task::upscale(Upscale { size: ImageSize::new(8, 16), passes: 1 }, "a");
        for task in [Task::image_to_image(ImageToImage { base: base(), strength: 0.5 }, "a"), enlarged] {
            check(&task, vec![(Role::Init, colour(8, 16))], Ok(()));
            check(&task, vec![], pixels(Role::Init));
            check(&task, vec![(Role::Init, colour(16, 8))], pixels(Role::Init));
            check(&task, vec![(Role::Init, gray(8, 16))], pixels(Role::Init));
            check(&task, vec![(Role::Init, colour(8, 16)), (Role::Mask, gray(8, 16))], unused(Role::Mask));
            let twice = vec![(Role::Init, colour(8, 16)), (Role::Init, colour(8, 16))];
            check(&task, twice, Err(InvalidTask::InputCount { role: Role::Init, found: 2 }));
        }

        let masked = Task::inpaint(Inpaint { base: base(), strength: 0.5 }, "a", "b");
        check(&masked, vec![(Role::Mask, gray(8, 16)), (Role::Init, colour(8, 16))], Ok(()));
        check(&masked, vec![(Role::Init, colour(8, 16))], pixels(Role::Mask));
        check(&masked, vec![(Role::Init, colour(8, 16)), (Role::Mask, gray(8, 8))], pixels(Role::Mask));
        check(&masked, vec![(Role::Init, colour(8, 16)), (Role::Mask, colour(8, 16))], pixels(Role::Mask));
    }
}
