//! What every part of the running bot shares.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use inference::{
    engine::{Engine, EngineConfig, position_of},
    error::InvalidTask,
    task::{Note, Task},
};
use storage::{BlobStore, JobStore};
use tokio::sync::{Notify, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    config::Config,
    discord::{Caller, Link, Messenger},
    jobs::live::LiveJobs,
    messages::{Identity, UserError},
    models::Guide,
    pictures::hashes::Hashes,
    pictures::metadata::Origin,
    pictures::shown::Shown,
    policy::{Looks, permits::Permits},
    prompt::{self, ModelDefaults, ParseContext},
    system::clock::Clock,
    system::random,
};

/// What every part of the running bot shares.
pub struct App {
    /// The configuration.
    pub config: Config,
    /// Draws.
    pub engine: Engine,
    /// What the engine was given: the files behind the names of models, adapters and embeddings.
    pub loaded: Arc<EngineConfig>,
    /// The models that may be named and what suits them; the first is the usual one.
    pub models: Vec<ModelDefaults>,
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
    /// What the parser needs to know about model and configuration.
    pub fn parse_context(&self) -> ParseContext {
        ParseContext {
            models: self.models.clone(),
            loras: self.loras(),
            max_steps: self.config.limits.max_steps,
            n_images: self.config.defaults.n_images,
            max_images: prompt::MAX_IMAGES,
            has_picture: false,
            random_seed: random::random_seed(),
            max_seed: prompt::MAX_SEED,
        }
    }

    /// The adapters that may be named.
    pub fn loras(&self) -> Vec<String> {
        self.loaded.adapters.iter().map(|file| file.name.clone()).collect()
    }

    /// What can be said of a task before it is drawn.
    pub fn notes(&self, task: &Task) -> Vec<Note> {
        task.notes().into_iter().chain(self.guide.as_ref().and_then(|guide| guide.note(task))).collect()
    }

    /// Whether a task can be drawn as the configuration is now: stored tasks may name what is no longer in it.
    ///
    /// # Errors
    /// What cannot be drawn, and what could be instead.
    pub fn check(&self, task: &Task) -> Result<(), UserError> {
        if let Some(base) = task.base() {
            // What was found and does not fit is known to the engine, but to nobody else.
            let context = self.parse_context();
            if let Some(found) = base.model.as_ref().filter(|name| context.model(Some(name)).is_none()) {
                let known: Vec<_> = self.models.iter().map(|model| model.name.as_str()).collect();
                return Err(InvalidTask::UnknownModel { found: found.clone(), known: known.join(", ") }.into());
            }
            let loras = self.loras();
            let is_gone = |name: &str| position_of(loras.iter().map(String::as_str), name).is_none();
            if let Some(used) = base.adapters.iter().find(|used| is_gone(&used.name)) {
                let known = prompt::known_loras(&loras, &used.name);
                return Err(InvalidTask::UnknownAdapter { found: used.name.clone(), known }.into());
            }
            prompt::check_loras(&base.prompt, &loras)?;
        }
        Ok(self.engine.check(task)?)
    }

    /// What a task's pictures are made with. Weights that were not read before are read now, on a thread of their own.
    pub async fn origin(&self, task: &Task) -> Origin {
        let name = task.base().and_then(|base| base.model.as_deref());
        let info = self.engine.model(name).unwrap_or_else(|| self.engine.info()).clone();
        let (task, loaded, hashes) = (task.clone(), self.loaded.clone(), self.hashes.clone());
        let read = tokio::task::spawn_blocking(move || Origin::of(&task, &loaded, &info, &hashes));
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
            .map(|parsed| self.engine.cost(&inference::task::Task::from(parsed.task)))
            .unwrap_or_default()
    }
}
