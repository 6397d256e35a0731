//! What a loaded model can be asked for, and what a task costs before it runs.

use crate::{
    error::InvalidTask,
    sampler::Plan,
    schedule::ScheduleConfig,
    task::{ImageSize, ImageToImage, Inpaint, Task, TextToImage},
};

/// Most denoising steps.
pub const MAX_STEPS: u32 = 1000;
/// Strongest guidance.
pub const MAX_GUIDANCE: f64 = 30.0;
/// Most pictures in one task.
pub const MAX_IMAGES: u32 = 16;
/// Longest side that any model is asked for.
const MAX_SIDE: u32 = 2048;

// Measured with the starter model on a CPU by `examples/time_engine.rs`. A larger model's decoder is dearer (about three rows for Stable
// Diffusion 1 by its operations), which is little beside its dozens of rows.

/// A VAE encoding costs as much as so many U-Net rows of that size.
pub(crate) const ENCODE_ROWS: f64 = 0.5;
/// A VAE decoding costs as much as so many U-Net rows of that size.
pub(crate) const DECODE_ROWS: f64 = 1.5;
/// A super-resolution costs as much as so many U-Net rows of the source's size.
pub(crate) const UPSCALE_ROWS: f64 = 2.0;

/// What a loaded model can be asked for.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    pub(crate) size_multiple: u32,
    pub(crate) max_side: u32,
    pub(crate) has_upscaler: bool,
    pub(crate) schedule: ScheduleConfig,
}

impl Limits {
    /// Sides up to four times the model's own, as far as [`MAX_SIDE`].
    pub(crate) fn new(native: ImageSize, size_multiple: u32, has_upscaler: bool, schedule: ScheduleConfig) -> Self {
        let max_side = (native.width.max(native.height) * 4).min(MAX_SIDE) / size_multiple * size_multiple;
        Self { size_multiple, max_side, has_upscaler, schedule }
    }

    pub(crate) fn check(&self, task: &Task) -> Result<(), InvalidTask> {
        if let Task::Upscale(task) = task {
            return if self.has_upscaler { self.check_size(task.size, 1) } else { Err(InvalidTask::NoUpscaler) };
        }
        if let Some(strength) = task.strength()
            && !(strength > 0.0 && strength <= 1.0)
        {
            return Err(InvalidTask::Strength(strength));
        }
        let Some(base) = task.base() else { return Ok(()) };
        if !(1..=MAX_STEPS).contains(&base.steps) {
            return Err(InvalidTask::Steps { found: base.steps, max: MAX_STEPS });
        }
        if !(0.0..=MAX_GUIDANCE).contains(&base.guidance_scale) {
            return Err(InvalidTask::Guidance { found: base.guidance_scale, max: MAX_GUIDANCE });
        }
        if !(1..=MAX_IMAGES).contains(&base.n_images) {
            return Err(InvalidTask::Count { found: base.n_images, max: MAX_IMAGES });
        }
        self.check_size(base.size, self.size_multiple)
    }

    fn check_size(&self, size: ImageSize, multiple: u32) -> Result<(), InvalidTask> {
        let ImageSize { width, height } = size;
        let is_side = |side: u32| side.is_multiple_of(multiple) && (multiple..=self.max_side).contains(&side);
        if is_side(width) && is_side(height) {
            return Ok(());
        }
        Err(InvalidTask::Size { width, height, multiple, min: multiple, max: self.max_side })
    }

    /// What a task costs in row-megapixels; a finished task's usage is the same.
    pub(crate) fn cost(&self, task: &Task) -> f64 {
        let (base, n_encodings, n_calls) = match task {
            Task::Upscale(task) => return task.size.megapixels() * UPSCALE_ROWS,
            Task::TextToImage(base) => (base, 0.0, self.plan(base, None).n_calls()),
            Task::ImageToImage(ImageToImage { base, strength, .. }) | Task::Inpaint(Inpaint { base, strength, .. }) => {
                (base, 1.0, self.plan(base, Some(*strength)).n_calls())
            }
        };
        let rows = if base.is_guided() { 2.0 } else { 1.0 };
        let each = n_calls as f64 * rows + DECODE_ROWS;
        base.size.megapixels() * (f64::from(base.n_images) * each + n_encodings * ENCODE_ROWS)
    }

    /// The plan of a task; a step count out of range counts as the nearest in range.
    pub(crate) fn plan(&self, base: &TextToImage, strength: Option<f64>) -> Plan {
        base.sampler.plan(&self.schedule, base.schedule, base.steps.clamp(1, MAX_STEPS) as usize, strength)
    }
}
