//! Puts the parts together and takes them apart in order.

mod patience;

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use inference::{
    engine::{Engine, EngineConfig},
    error::InvalidTask,
    sampler::Sampler,
    schedule::ScheduleKind,
    task::{Task, TextToImage},
};
use storage::{LocalBlobs, SqliteStore};
use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    app::App,
    config::Config,
    discord::{self, Access, BuildError, Caller, Link, Messenger},
    interactions, jobs,
    jobs::dispatcher,
    models::{self, Guide},
    pictures::hashes::Hashes,
    pictures::shown::Shown,
    policy::Looks,
    prompt::ModelDefaults,
    system::clock::Clock,
    system::log,
    system::private,
};

pub use patience::when_possible;

/// Handlers that are still at work get this long at the end.
const GRACE: Duration = Duration::from_secs(10);

/// A bot at work.
pub struct Running {
    /// What its parts share.
    pub app: Arc<App>,
    client: JoinHandle<Result<(), BuildError>>,
    /// Ends the gateway, after everything that may still answer.
    closing: CancellationToken,
    loops: JoinHandle<()>,
}

/// Starts store, engine and bot; returns when all of them are at work (Discord is reached meanwhile, or waited for).
///
/// # Errors
/// One sentence: which part, and what to do.
pub async fn start(config: Config, access: Access, clock: Clock, progress_interval: Duration) -> anyhow::Result<Running> {
    log::hide(&access.token);
    let caller = Caller::new(&access)?;
    let dir = config.data.dir.clone();
    let folder = dir.clone();
    tokio::task::spawn_blocking(move || private::make_folder(&folder)).await??;
    let jobs = SqliteStore::open(&dir.join("atelier.sqlite")).await?;
    let blobs = LocalBlobs::open(&dir.join("pictures"))?;
    let Loaded { config, engine, engine_config, models, guide } = tokio::task::spawn_blocking(move || load(config)).await??;
    let looks_per_minute = config.limits.max_looks_per_minute;
    let app = Arc::new(App {
        config,
        shown: Shown::new(engine.clone()),
        engine,
        loaded: Arc::new(engine_config),
        models,
        guide,
        hashes: Arc::new(Hashes::in_folder(&dir)),
        jobs: Arc::new(jobs),
        looks: Looks::new(looks_per_minute),
        blobs: Arc::new(blobs),
        caller,
        link: Link::new(access.endpoint.name()),
        identity: Default::default(),
        messenger: Messenger::new(clock.clone()),
        clock,
        permits: Default::default(),
        page_url: access.endpoint.page_url().map(str::to_owned),
        live: Default::default(),
        queue_bell: Notify::new(),
        outbox_bell: Notify::new(),
        progress_bell: Notify::new(),
        progress_interval,
        is_registered: watch::Sender::new(false),
        shutdown: CancellationToken::new(),
        tasks: TaskTracker::new(),
    });
    dispatcher::restore(&app).await?;
    // Dropped at the end of the loops, also when one of them panics: a bot that takes jobs and draws none must not live on.
    let (own, ends_all) = (app.clone(), app.shutdown.clone().drop_guard());
    let loops = tokio::spawn(async move {
        jobs::run_loops(own).await;
        drop(ends_all);
    });
    let (own, closing) = (app.clone(), CancellationToken::new());
    let until = closing.clone();
    let client = tokio::spawn(async move {
        let ended = own.shutdown.clone();
        let result = discord::connect(access, own.clone(), interactions::framework(own), until).await;
        // Without a gateway nothing can be asked or answered: the whole program ends, and says why.
        ended.cancel();
        result
    });
    Ok(Running { app, client, closing, loops })
}

/// Whether [`start`] takes what the configuration says of drawing; blocks while it looks at the files.
///
/// # Errors
/// One sentence: what it refuses.
pub fn check(config: &Config) -> anyhow::Result<()> {
    load(config.clone()).map(drop)
}

/// What the configuration says of drawing, at work.
struct Loaded {
    config: Config,
    engine: Engine,
    engine_config: EngineConfig,
    models: Vec<ModelDefaults>,
    guide: Option<Guide>,
}

/// Starts the engine with everything that the configuration names, and settles what suits each of its models.
fn load(config: Config) -> anyhow::Result<Loaded> {
    models::check(&config)?;
    let known = models::known(&config)?;
    let engine_config = models::engine_config_of(&config, &known)?;
    let engine = Engine::start(engine_config.clone())?;
    let suited = known.iter().filter_map(|known| {
        let mut model = models::suited(&config, known, engine.model(Some(&known.entry.name))?);
        // The built-in model is drawn with few steps here, which its own sampler does not suit.
        if models::is_starter(&known.entry.path) {
            let chosen = models::chosen_how(&config, &known.settings);
            model.sampler = chosen.0.unwrap_or(Sampler::DpmPp2M);
            model.schedule = chosen.1.unwrap_or(ScheduleKind::Normal);
        }
        Some(model)
    });
    let models: Vec<_> = suited.collect();
    anyhow::ensure!(!models.is_empty(), "the engine knows none of the configured models");
    for (path, reason) in models::found(&models::folder(&config)).skipped {
        tracing::warn!(model = %models::name::of_path(&path), reason, "what lies in the models folder is skipped");
    }
    // What somebody asked for must fit; what only lies there must not stop the rest.
    let (mut fitting, mut is_first) = (Vec::new(), true);
    for model in models {
        let is_found = !is_first && known.iter().any(|known| known.is_found && known.entry.name == model.name);
        is_first = false;
        match check_defaults(&engine, &model) {
            Ok(()) => fitting.push(model),
            Err(error) if is_found => {
                tracing::warn!(model = model.name, reason = crate::cli::sentence(&error), "what lies in the models folder is skipped");
            }
            Err(error) => return Err(error),
        }
    }
    let guide = Guide::of(&known, &engine_config.embeddings);
    Ok(Loaded { config, engine, engine_config, models: fitting, guide })
}

/// Whether a model can be drawn with as the configuration has it, so that nobody learns of a mistake from their first picture.
fn check_defaults(engine: &Engine, model: &ModelDefaults) -> anyhow::Result<()> {
    let task = Task::from(TextToImage {
        model: Some(model.name.clone()),
        negative_prompt: model.negative_prompt.clone(),
        size: model.native_size,
        steps: model.steps,
        guidance_scale: model.guidance_scale,
        sampler: model.sampler,
        schedule: model.schedule,
        clip_skip: model.clip_skip,
        ..TextToImage::default()
    });
    match engine.check(&task) {
        // A model for inpainting draws nothing without a mask.
        Ok(()) | Err(InvalidTask::NeedsMask) => Ok(()),
        Err(error) => Err(error).with_context(|| format!("the settings of the model `{}` do not fit it", model.name)),
    }
}

impl Running {
    /// Waits until the bot is connected for the first time, or has ended.
    pub async fn connected(&self) {
        tokio::select! {
            () = self.app.messenger.ready() => {}
            () = self.app.shutdown.cancelled() => {}
        }
    }

    /// Waits until the bot is connected and its commands are registered, or has ended.
    pub async fn ready(&self) {
        let mut registered = self.app.is_registered.subscribe();
        tokio::select! {
            _ = registered.wait_for(|is_registered| *is_registered) => {}
            () = self.app.shutdown.cancelled() => {}
        }
    }

    /// Ends in order: running jobs go back to the queue, messages on their way arrive, the gateway is closed.
    ///
    /// # Errors
    /// Why the gateway had ended by itself, if it had.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.app.shutdown.cancel();
        let loops = tokio::time::timeout(GRACE, self.loops).await;
        if loops.is_err() {
            tracing::warn!("some work did not end in time; it goes on at the next start");
        }
        self.closing.cancel();
        if let Ok(ended) = tokio::time::timeout(GRACE, self.client).await {
            ended??;
        }
        if let Ok(ended) = loops {
            ended.context("a part of the bot has failed")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::AliasConfig;

    #[test]
    fn settings_that_a_model_cannot_be_drawn_with_stop_the_start() {
        let alias = |width: u32, clip_skip: u32| {
            let path = models::starter().expect("the starter model").model;
            AliasConfig { path, width: Some(width), height: Some(64), clip_skip: Some(clip_skip), ..AliasConfig::default() }
        };
        let check = |alias: AliasConfig, expected: Option<&str>| {
            let mut config = Config::default();
            config.aliases.insert("other".into(), alias);
            let error = load(config).err().map(|error| crate::cli::sentence(&error));
            assert_eq!(error.as_deref().map(|error| error.split_at(error.find(':').expect("a reason")).0), expected, "{error:?}");
        };
        check(alias(64, 0), None);
        check(alias(65, 0), Some("the settings of the model `other` do not fit it"));
        check(alias(64, 100), Some("the settings of the model `other` do not fit it"));
    }
}
