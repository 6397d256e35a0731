//! Pictures as they are shown: what is too small for its place goes through the super-resolution network first. What is stored, written and
//! recorded stays as it was drawn; nobody's quota pays for this.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use futures::future::try_join_all;
use image::RgbImage;
use inference::{
    engine::{Engine, Event, Submission},
    error::InferenceError,
    task::{ImageSize, Role, Task, Upscale},
};
use tokio::sync::OnceCell;

use crate::{jobs::failure, system::log::chain};

/// A grid is shown at least this wide, so that small models' pictures can be seen.
pub const MIN_GRID_WIDTH: u32 = 512;
/// Most enlargement of a picture by U, in one pass or several.
const MAX_ENLARGEMENT: u32 = 16;
/// Enlarged pictures that are remembered: the newest, for a grid that is shown again soon and for the history.
const MAX_KEPT: usize = 32;
/// Longer ones are not remembered; one of the built-in model's has 192 KiB.
const MAX_KEPT_BYTES: usize = 1 << 20;

/// The engine is gone, and with it the whole program: whatever is to be shown is shown after the next start.
#[derive(Debug, thiserror::Error)]
#[error("the engine has stopped")]
pub struct EngineStopped;

type Slot = Arc<OnceCell<RgbImage>>;

/// Shows pictures, and remembers the newest by their stored names.
pub struct Shown {
    engine: Engine,
    kept: Mutex<VecDeque<(String, Slot)>>,
}

impl Shown {
    /// Shows pictures by an engine's network.
    pub fn new(engine: Engine) -> Self {
        Self { engine, kept: Mutex::default() }
    }

    /// Stored pictures, by name, for cells of a width.
    ///
    /// # Errors
    /// The engine has stopped; any other failure leaves a picture as it was drawn.
    pub async fn pictures(&self, pictures: Vec<(String, RgbImage)>, width: u32) -> Result<Vec<RgbImage>, EngineStopped> {
        try_join_all(pictures.into_iter().map(|(name, picture)| self.picture(name, picture, width))).await
    }

    /// The same of one.
    ///
    /// # Errors
    /// The engine has stopped.
    pub async fn picture(&self, name: String, picture: RgbImage, width: u32) -> Result<RgbImage, EngineStopped> {
        if !is_small(&self.engine, &picture, width) {
            return Ok(picture);
        }
        let slot = self.slot(&name);
        // Who asks meanwhile waits for the same work.
        let found = slot.get_or_try_init(|| enlarge(&self.engine, &picture)).await.cloned();
        if found.as_ref().is_ok_and(|large| large.as_raw().len() > MAX_KEPT_BYTES) {
            self.kept().retain(|(kept, _)| *kept != name);
        }
        found.or_else(|error| as_drawn(&self.engine, picture, &error))
    }

    fn slot(&self, name: &str) -> Slot {
        let mut kept = self.kept();
        if let Some((_, slot)) = kept.iter().find(|(kept, _)| kept == name) {
            return slot.clone();
        }
        if kept.len() == MAX_KEPT {
            kept.pop_front();
        }
        let slot = Slot::default();
        kept.push_back((name.to_owned(), slot.clone()));
        slot
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, VecDeque<(String, Slot)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A picture for a place of a width: through the network where it is narrower, which makes it as many times larger as the network does, and as it
/// is where it is wide enough, where there is no network, or where the network fails. The caller fits it into its place.
///
/// # Errors
/// The engine has stopped.
pub async fn for_width(engine: &Engine, picture: RgbImage, width: u32) -> Result<RgbImage, EngineStopped> {
    if !is_small(engine, &picture, width) {
        return Ok(picture);
    }
    enlarge(engine, &picture).await.or_else(|error| as_drawn(engine, picture, &error))
}

/// In how many passes U enlarges a picture of a width: one, or as many as make it wider than any grid that shows it.
pub fn passes(engine: &Engine, width: u32) -> u32 {
    let factor = engine.catalogue().upscale_factor().unwrap_or(1);
    let mut passes = 1;
    while factor > 1 && factor.pow(passes + 1) <= MAX_ENLARGEMENT && width.saturating_mul(factor.pow(passes)) <= MIN_GRID_WIDTH {
        passes += 1;
    }
    passes
}

/// Whether a picture is narrower than its place, and a network there to make it larger.
fn is_small(engine: &Engine, picture: &RgbImage, width: u32) -> bool {
    picture.width() < width && engine.catalogue().upscale_factor().is_some_and(|factor| factor > 1)
}

fn as_drawn(engine: &Engine, picture: RgbImage, error: &InferenceError) -> Result<RgbImage, EngineStopped> {
    if failure::is_of_no_engine(error, engine.is_alive()) {
        return Err(EngineStopped);
    }
    tracing::warn!(error = chain(error), "a picture is shown without the super-resolution network");
    Ok(picture)
}

async fn enlarge(engine: &Engine, picture: &RgbImage) -> Result<RgbImage, InferenceError> {
    let size = ImageSize::new(picture.width(), picture.height());
    let task = Task::upscale(Upscale { size, passes: 1 }, "shown");
    let mut handle = engine.submit(Submission::new(task).with(Role::Init, picture.clone()))?;
    loop {
        match handle.next().await {
            Some(Event::Image(finished)) => return Ok(finished.image),
            Some(Event::Failed(error)) => return Err(InferenceError::Shared(error)),
            Some(_) => {}
            None => return Err(InferenceError::Stopped),
        }
    }
}
