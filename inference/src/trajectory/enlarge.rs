//! Enlarging a finished picture.

use super::Job;
use crate::{
    batcher::Caller,
    engine::{Event, FinishedImage, Progress, Stopped},
    error::InferenceError,
    pixels,
    state::StateError,
    task::Seed,
};

impl Job {
    /// Enlarges the source in passes. There is nothing to go on from: a pass is one call.
    pub(super) async fn enlarge(&self, caller: &Caller, passes: u32) -> Result<(), InferenceError> {
        if !self.submission.resume.is_empty() {
            return Err(StateError::Task.into());
        }
        if self.missing().next().is_none() {
            return Ok(());
        }
        let tell = |done: u32, total: u32| self.events.may_send(Event::Progress(Progress { done, total }));
        tell(0, passes);
        let (mut pixels, mut stopped) = (self.source_pixels()?, None);
        for pass in 0..passes {
            if self.meter.is_culled(0) {
                return Ok(());
            }
            // Between passes the values are those of a picture, as if it had been saved.
            pixels = caller.upscale(&pixels.clamp(0.0, 1.0)?).await?;
            if !pixels::is_finite(&pixels)? {
                return Err(InferenceError::NotANumber { index: 0, step: pass });
            }
            let done = pass + 1;
            if self.meter.is_stopped() && done < passes {
                stopped = Some(Box::new(Stopped { progress: Progress { done, total: passes }, state: None }));
                tell(done, done);
                break;
            }
            tell(done, passes);
        }
        let (image, device_class) = (pixels::to_image(&pixels)?, self.facts.device_class.clone());
        let finished = FinishedImage { index: 0, seed: Seed(0), image, stopped, digests: Vec::new(), device_class, explained: None };
        self.events.must_send(Event::Image(finished));
        Ok(())
    }
}
