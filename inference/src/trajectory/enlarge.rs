//! Enlarging a finished picture.

use super::Job;
use crate::{
    batcher::Caller,
    engine::{Event, FinishedImage, Progress},
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
        let tell = |done: u32| self.events.may_send(Event::Progress(Progress { done, total: passes }));
        tell(0);
        let mut pixels = self.source_pixels()?;
        for pass in 0..passes {
            // Between passes the values are those of a picture, as if it had been saved.
            pixels = caller.upscale(&pixels.clamp(0.0, 1.0)?).await?;
            if !pixels::is_finite(&pixels)? {
                return Err(InferenceError::NotANumber { index: 0, step: pass });
            }
            tell(pass + 1);
        }
        self.events.must_send(Event::Image(FinishedImage { index: 0, seed: Seed(0), image: pixels::to_image(&pixels)? }));
        Ok(())
    }
}
