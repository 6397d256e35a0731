//! The models of a running bot: what is on offer, and the engine that draws with it.

use std::sync::Arc;

use inference::{
    catalogue::{AdapterCard, ModelCard, Quote, position_of},
    engine::Engine,
    error::InferenceError,
    state::Place,
    task::{Note, Task},
};

use super::{Guide, Offered, Stock};
use crate::{
    chosen::Chosen,
    error::BotError,
    messages::UserError,
    pictures::{hashes::Hashes, metadata::Origin},
    prompt::{self, ParseContext, Personal, Usual, Wildcards},
    system::{clock::Clock, random},
};

/// What is on offer, what it takes to draw a task with it, and the engine that does.
pub struct Models {
    /// Draws.
    pub engine: Engine,
    /// Knows what can be drawn with.
    pub stock: Arc<Stock>,
    /// What people are told of the built-in model, where it draws.
    pub guide: Option<Guide>,
    /// Hashes of weights.
    pub hashes: Arc<Hashes>,
    /// Tells the time.
    pub clock: Clock,
    /// The most steps that may be asked for.
    pub max_steps: u32,
    /// Pictures of a task that does not say how many.
    pub n_images: u32,
    /// How much of a start picture changes in a task that does not say it.
    pub strength: f64,
    /// The most grids that one line may ask for.
    pub max_jobs: u32,
    /// Lists of words.
    pub wildcards: Wildcards,
}

impl Models {
    /// What can be drawn with, as it was when somebody looked last.
    pub fn offered(&self) -> Arc<Offered> {
        self.stock.offered()
    }

    /// What can be drawn with now.
    pub async fn offered_now(&self) -> Arc<Offered> {
        self.stock.now(self.clock.now()).await
    }

    /// What the parser needs to know about model and configuration.
    pub fn parse_context(&self) -> ParseContext {
        self.context_of(&self.offered())
    }

    /// The same with what was added in the last seconds.
    pub async fn parse_context_now(&self) -> ParseContext {
        self.context_of(&*self.offered_now().await)
    }

    /// The same for somebody who chose this.
    pub async fn parse_context_of(&self, chosen: &Chosen) -> ParseContext {
        let offered = self.offered_now().await;
        let is_there = |name: &String| position_of(offered.models.iter().map(|model| model.name.as_str()), name).is_some();
        let (model, gone) = (chosen.model.clone().filter(is_there), chosen.model.clone().filter(|name| !is_there(name)));
        let cannot = |card: &&Arc<ModelCard>| chosen.sampler.is_some_and(|choice| !choice.sampler.fits(card.prediction));
        let unfit = offered.catalogue.models().iter().filter(cannot).map(|card| card.name.clone()).collect();
        let gone_lora = chosen.lora.clone().filter(|name| offered.catalogue.adapter(name).is_none());
        let lora = chosen.lora.as_deref().and_then(|name| offered.catalogue.adapter(name)).filter(|card| card.fault.is_none());
        let fits = |card: &AdapterCard| {
            offered.catalogue.models().iter().filter(|model| model.fits(card)).map(|model| model.name.clone()).collect()
        };
        let lora = lora.map(|card| (card.name.clone(), fits(card)));
        let usual = Usual { model, gone, gone_lora, lora, aspect: chosen.aspect, sampler: chosen.sampler, unfit };
        ParseContext { usual, personal: chosen.personal.clone(), ..self.context_of(&offered) }
    }

    fn context_of(&self, offered: &Offered) -> ParseContext {
        ParseContext {
            models: offered.models.clone(),
            loras: offered.loras(),
            gone: offered.gone.clone(),
            max_steps: self.max_steps,
            n_images: self.n_images,
            max_images: prompt::MAX_IMAGES,
            start: prompt::Start::Nothing,
            strength: self.strength,
            random_seed: random::random_seed(),
            seed_offset: 0,
            max_jobs: self.max_jobs,
            wildcards: self.wildcards.clone(),
            usual: Usual::default(),
            personal: Personal::default(),
            max_seed: prompt::MAX_SEED,
        }
    }

    /// What can be said of a task before it is drawn.
    pub fn notes(&self, task: &Task) -> Vec<Note> {
        task.notes().into_iter().chain(self.guide.as_ref().and_then(|guide| guide.note(task))).collect()
    }

    /// Whether a task can be drawn with what is there now, and what it takes: stored tasks may name what is not any more.
    ///
    /// # Errors
    /// What cannot be drawn, and what could be instead.
    pub async fn check(&self, task: &Task) -> Result<Quote, BotError> {
        self.quote(task, |offered, task| offered.check(task)).await
    }

    /// The same of a task whose pictures go on, each from a place of its own.
    ///
    /// # Errors
    /// As for [`check`](Self::check).
    pub async fn check_rest(&self, task: &Task, begins: &[Place]) -> Result<Quote, BotError> {
        let begins: Vec<_> = begins.iter().copied().map(Some).collect();
        self.quote(task, move |offered, task| {
            offered.check(task)?;
            Ok(offered.catalogue.check_rest(task, &begins)?)
        })
        .await
    }

    async fn quote(
        &self,
        task: &Task,
        check: impl FnOnce(&Offered, &Task) -> Result<Quote, UserError> + Send + 'static,
    ) -> Result<Quote, BotError> {
        let (offered, engine, task) = (self.offered_now().await, self.engine.clone(), task.clone());
        // A model's tokenizers are read for its first task.
        let check = move || {
            let quote = check(&offered, &task)?;
            match engine.check_memory(&task, &offered.catalogue) {
                Ok(()) => Ok(quote),
                Err(InferenceError::InvalidTask(invalid)) => Err(BotError::User(invalid.into())),
                Err(error) => Err(BotError::Internal(error.into())),
            }
        };
        tokio::task::spawn_blocking(check).await?
    }

    /// What a task's pictures are made with. Weights that were not read before are read now, on a thread of their own.
    pub async fn origin(&self, task: &Task) -> Origin {
        let (task, offered, device, hashes) = (task.clone(), self.offered(), self.engine.device().to_owned(), self.hashes.clone());
        let read = tokio::task::spawn_blocking(move || Origin::of(&task, &offered.catalogue, &device, &hashes));
        read.await.unwrap_or_else(|error| {
            tracing::error!(%error, "weights could not be hashed");
            Origin::default()
        })
    }

    /// Estimated row-megapixels of one picture of the usual size and settings.
    pub fn cost_of_picture(&self) -> f64 {
        self.cost_of_default() / f64::from(self.n_images.max(1))
    }

    /// Estimated row-megapixels of an `/imagine` with the usual settings.
    pub fn cost_of_default(&self) -> f64 {
        prompt::parse("a frog", &Default::default(), &self.parse_context())
            .map(|parsed| self.offered().catalogue.cost(&Task::from(parsed.task)))
            .unwrap_or_default()
    }
}
