//! What every part of the running bot shares.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use inference::{
    catalogue::Quote,
    engine::Engine,
    error::InferenceError,
    task::{Note, Task},
};
use storage::{BlobStore, JobStore};
use tokio::sync::{Notify, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    config::Config,
    discord::{Caller, Link, Messenger},
    error::BotError,
    jobs::live::LiveJobs,
    messages::Identity,
    models::{Guide, Offered, Stock},
    pictures::hashes::Hashes,
    pictures::metadata::Origin,
    pictures::shown::Shown,
    policy::{Looks, permits::Permits},
    prompt::{self, ParseContext},
    system::clock::Clock,
    system::random,
};

/// What every part of the running bot shares.
pub struct App {
    /// The configuration.
    pub config: Config,
    /// Draws.
    pub engine: Engine,
    /// Knows what can be drawn with.
    pub stock: Arc<Stock>,
    /// What people are told of the built-in model, where it draws.
    pub guide: Option<Guide>,
    /// Hashes of weights.
    pub hashes: Arc<Hashes>,
    /// Remembers.
    pub jobs: Arc<dyn JobStore>,
    /// Who looked how often.
    pub looks: Looks,
    /// Keeps pictures.
    pub blobs: Arc<dyn BlobStore>,
    /// Makes small pictures large enough to be shown.
    pub shown: Shown,
    /// Tells the time.
    pub clock: Clock,
    /// Asks Discord what the library hides.
    pub caller: Caller,
    /// Whether Discord can be reached.
    pub link: Link,
    /// Who the bot is; set when it is connected for the first time.
    pub identity: OnceLock<Identity>,
    /// Sends.
    pub messenger: Messenger,
    /// What guilds say of who may draw.
    pub permits: Permits,
    /// Where a stand-in's page is; `None` on Discord itself.
    pub page_url: Option<String>,
    /// Progress of unfinished jobs.
    pub live: LiveJobs,
    /// Rung after a job was enqueued or released.
    pub queue_bell: Notify,
    /// Rung after a job ended.
    pub outbox_bell: Notify,
    /// Rung when a job's message should change soon.
    pub progress_bell: Notify,
    /// Time between two edits of one job's message.
    pub progress_interval: Duration,
    /// Becomes true when the commands are registered.
    pub is_registered: watch::Sender<bool>,
    /// Cancelled once, when the program ends.
    pub shutdown: CancellationToken,
    /// Short tasks that handlers leave behind; awaited at the end.
    pub tasks: TaskTracker,
}

impl App {
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

    fn context_of(&self, offered: &Offered) -> ParseContext {
        ParseContext {
            models: offered.models.clone(),
            loras: offered.loras(),
            gone: offered.gone.clone(),
            max_steps: self.config.limits.max_steps,
            n_images: self.config.defaults.n_images,
            max_images: prompt::MAX_IMAGES,
            has_picture: false,
            random_seed: random::random_seed(),
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
        let (offered, engine, task) = (self.offered_now().await, self.engine.clone(), task.clone());
        // A model's tokenizers are read for its first task.
        let check = move || {
            let quote = offered.check(&task)?;
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
        self.cost_of_default() / f64::from(self.config.defaults.n_images.max(1))
    }

    /// Estimated row-megapixels of an `/imagine` with the usual settings.
    pub fn cost_of_default(&self) -> f64 {
        prompt::parse("a frog", &Default::default(), &self.parse_context())
            .map(|parsed| self.offered().catalogue.cost(&Task::from(parsed.task)))
            .unwrap_or_default()
    }
}
