//! The newcomer's tour, drawn on the spot and then kept: once for each model, so nobody pays for it.

use std::sync::{Arc, Mutex, PoisonError};

use futures::future::try_join_all;
use inference::{
    Catalogue,
    engine::{Engine, Event, FinishedImage, Submission},
    error::InferenceError,
    sampler::Sampler,
    task::{ImageSize, Seed, Task, TextToImage},
};
use tokio::sync::OnceCell;

use super::{
    pages::{Material, picture_of},
    ways,
};
use crate::{
    jobs::explain,
    messages::{TourPage, TourTold},
    pictures::{grid, shown},
};

/// Most steps of its picture, and those of the ones by several samplers.
const STEPS: u32 = 14;
const FEW_STEPS: u32 = 4;
/// Longest side in pixels.
const SIDE: u32 = 512;
const SEED: u64 = 7;
/// What its picture stays away from.
const NEGATIVE: &str = "green";
/// Samplers that are shown, of those that the model can draw with.
const SAMPLERS: [Sampler; 5] = [Sampler::Euler, Sampler::EulerA, Sampler::DpmPp2M, Sampler::FlowEuler, Sampler::Ddim];
const N_SAMPLERS: usize = 3;

/// The tour of one model, drawn.
pub struct Drawn {
    /// What is told of it.
    pub told: TourTold,
    /// Each page's picture as JPEG.
    pages: Vec<(TourPage, Vec<u8>)>,
}

impl Drawn {
    /// The picture of a page, if it has one.
    pub fn picture(&self, page: TourPage) -> Option<Vec<u8>> {
        self.pages.iter().find(|(of, _)| *of == page).map(|(_, bytes)| bytes.clone())
    }
}

type Slot = Arc<OnceCell<Arc<Drawn>>>;

/// Draws the tour, and remembers the last model's.
pub struct Tour {
    engine: Engine,
    kept: Mutex<Option<(String, Slot)>>,
}

impl Tour {
    /// By an engine.
    pub fn new(engine: Engine) -> Self {
        Self { engine, kept: Mutex::default() }
    }

    /// The tour with a prompt and the model that a task names. Who asks while it is drawn waits for the same work.
    ///
    /// # Errors
    /// The engine does not draw it.
    pub async fn drawn(&self, base: &TextToImage, catalogue: &Catalogue) -> Result<Arc<Drawn>, InferenceError> {
        let of_model = catalogue.model(base.model.as_deref()).map(|card| format!("{} {:?} {:?}", card.name, card.path, card.version));
        let slot = self.slot(format!("{of_model:?} {}", base.prompt));
        slot.get_or_try_init(|| draw(&self.engine, base, catalogue)).await.cloned()
    }

    fn slot(&self, key: String) -> Slot {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        match &*kept {
            Some((of, slot)) if *of == key => slot.clone(),
            _ => kept.insert((key, Slot::default())).1.clone(),
        }
    }
}

async fn draw(engine: &Engine, base: &TextToImage, catalogue: &Catalogue) -> Result<Arc<Drawn>, InferenceError> {
    let card = catalogue.model(base.model.as_deref());
    let multiple = card.map_or(8, |card| card.size_multiple).max(1);
    let plain = TextToImage {
        negative_prompt: Some(NEGATIVE.to_owned()),
        size: small(base.size, multiple),
        steps: base.steps.min(STEPS),
        seed: Seed(SEED),
        n_images: 1,
        ..TextToImage {
            prompt: base.prompt.clone(),
            model: base.model.clone(),
            guidance_scale: base.guidance_scale,
            sampler: base.sampler,
            schedule: base.schedule,
            ..TextToImage::default()
        }
    };
    let study = explain::study(plain.clone().into(), 0, None, |task| catalogue.unguided(task));
    let guidance = catalogue.unguided(&plain.clone().into()).map(|none| (plain.guidance_scale, none));
    let by_sampler = |sampler: Sampler| Task::from(TextToImage { sampler, steps: FEW_STEPS.min(plain.steps), ..plain.clone() });
    let fitting = SAMPLERS.into_iter().filter(|sampler| catalogue.check(&by_sampler(*sampler)).is_ok()).take(N_SAMPLERS);
    let samplers: Vec<Sampler> = fitting.collect();
    let tasks: Vec<Task> = std::iter::once(study.clone()).chain(samplers.iter().map(|sampler| by_sampler(*sampler))).collect();
    let cost = tasks.iter().map(|task| catalogue.cost(task)).sum();
    let mut drawn = try_join_all(tasks.iter().map(|task| pictures(engine, task))).await?.into_iter();
    let (mut guided, mut explained) = (Vec::new(), None);
    let ways = study.base().map(|base| base.study.clone()).unwrap_or_default();
    for (way, picture) in ways.into_iter().zip(drawn.next().unwrap_or_default()) {
        explained = explained.or(picture.explained);
        guided.push((way, larger(engine, picture.image).await?));
    }
    let mut sampled = Vec::new();
    for (sampler, picture) in samplers.into_iter().zip(drawn.flatten()) {
        sampled.push((sampler.shown(), larger(engine, picture.image).await?));
    }
    let explained = *explained.ok_or(InferenceError::Stopped)?;
    let told = TourTold {
        model: card.map_or_else(String::new, |card| card.name.clone()),
        prompt: base.prompt.clone(),
        negative: NEGATIVE.to_owned(),
        sigma: explained.sigmas.first().copied().unwrap_or_default(),
        n_steps: explained.sigmas.len(),
        few_steps: FEW_STEPS.min(plain.steps),
        n_channels: explained.channels.len(),
        factor: card.map(|card| card.size_multiple),
        guidance,
        cost,
    };
    let compose = move || {
        let material = Material { explained, guided, sampled };
        let page = |page: TourPage| Some((page, grid::preview_bytes(&picture_of(page, &material)?)));
        Arc::new(Drawn { told, pages: TourPage::ALL.into_iter().filter_map(page).collect() })
    };
    tokio::task::spawn_blocking(compose).await.map_err(|_| InferenceError::Stopped)
}

/// As it would be shown.
async fn larger(engine: &Engine, picture: image::RgbImage) -> Result<image::RgbImage, InferenceError> {
    shown::for_width(engine, picture, ways::CELL).await.map_err(|shown::EngineStopped| InferenceError::Stopped)
}

/// A size with the same shape, no longer than it need be.
fn small(size: ImageSize, multiple: u32) -> ImageSize {
    let longest = size.width.max(size.height);
    if longest <= SIDE {
        return size;
    }
    let side = |side: u32| (side * SIDE / longest / multiple).max(1) * multiple;
    ImageSize::new(side(size.width), side(size.height))
}

/// The pictures of a task, in their order.
async fn pictures(engine: &Engine, task: &Task) -> Result<Vec<FinishedImage>, InferenceError> {
    let mut handle = engine.submit(Submission::new(task.clone()))?;
    let mut images: Vec<FinishedImage> = Vec::new();
    loop {
        match handle.next().await {
            Some(Event::Image(image)) => images.push(image),
            Some(Event::Done(_)) => {
                images.sort_by_key(|image| image.index);
                return Ok(images);
            }
            Some(Event::Failed(error)) => return Err(InferenceError::Shared(error)),
            Some(_) => {}
            None => return Err(InferenceError::Stopped),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_pictures_are_small_and_of_the_models_shape() {
        let check = |width, height, expected: (u32, u32)| {
            let found = small(ImageSize::new(width, height), 8);
            assert_eq!((found.width, found.height), expected);
        };
        check(64, 64, (64, 64));
        check(512, 512, (512, 512));
        check(1024, 1024, (512, 512));
        check(1216, 832, (512, 344));
        check(2048, 8, (512, 8));
    }
}
