//! Puts the parts together and takes them apart in order.

mod patience;

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use inference::engine::Engine;
use storage::{BlobStore, JobStore, LocalBlobs, SqliteStore, Timestamp};
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    app::App,
    config::{self, Config},
    discord::{self, Access, BuildError, Caller, Link, Messenger, Responder, Whereabouts},
    intake::Intake,
    interactions,
    jobs::{
        Loops, blocklists::Blocklists, board::Board, delivery::Delivering, dispatcher::Dispatcher, drafts::Drafts, enqueue::Door,
        progress::Progress, received::Receiving, sending::Sending, sweep::Sweep, unanswered::Unanswered, worker::Worker,
    },
    models::{self, Guide, Models, Stock},
    pictures::explain::tour::Tour,
    pictures::guess::Guesser,
    pictures::hashes::Hashes,
    pictures::render::Renderer,
    pictures::shown::Shown,
    policy::Looks,
    prompt::Wildcards,
    system::clock::Clock,
    system::log,
    system::private,
};

pub use patience::when_possible;

/// What was promised and what is on its way gets this long at the end.
const GRACE: Duration = Duration::from_secs(20);
/// The gateway gets this long after it.
const CLOSES_WITHIN: Duration = Duration::from_secs(5);

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
    let jobs = SqliteStore::open(&dir.join("atelier.sqlite")).await?.in_zone(config.limits.zone()?);
    let blobs = LocalBlobs::open(&dir.join("pictures"))?;
    // Under the database's lock: nobody else writes here.
    blobs.recover().await?;
    let Loaded { config, engine, stock, guide, wildcards, guesser } = tokio::task::spawn_blocking({
        let now = clock.now();
        move || load(config, now)
    })
    .await??;
    let (config, jobs, blobs): (_, Arc<dyn JobStore>, Arc<dyn BlobStore>) = (Arc::new(config), Arc::new(jobs), Arc::new(blobs));
    let page_url = access.endpoint.page_url().map(str::to_owned);
    let intake = Arc::new(Intake::new(&access, caller.clone(), blobs.clone())?);
    let (shown, hashes) = (Shown::new(engine.clone()), Arc::new(Hashes::in_folder(&dir)));
    let (max_steps, max_jobs) = (config.limits.max_steps, config.limits.max_jobs_per_prompt);
    let (n_images, strength, clock_of_models) = (config.defaults.n_images, config.defaults.variation_strength, clock.clone());
    let models =
        Arc::new(Models { engine, stock, guide, hashes, clock: clock_of_models, max_steps, n_images, strength, max_jobs, wildcards });
    let renderer = Arc::new(Renderer { jobs: jobs.clone(), blobs: blobs.clone(), models: models.clone(), shown, page_url });
    let board = Arc::new(Board::default());
    let door = Door {
        config: config.clone(),
        jobs: jobs.clone(),
        models: models.clone(),
        renderer: renderer.clone(),
        board: board.clone(),
        blocklists: Blocklists::default(),
        whereabouts: Whereabouts::default(),
        clock: clock.clone(),
    };
    let app = Arc::new(App {
        looks: Looks::new(config.limits.max_looks_per_minute),
        tour: Tour::new(models.engine.clone()),
        config,
        models,
        door: Arc::new(door),
        intake,
        guesser,
        renderer,
        board,
        receiving: Arc::new(Receiving::new(jobs.clone())),
        drafts: Arc::new(Drafts { jobs: jobs.clone(), clock: clock.clone() }),
        jobs,
        blobs,
        caller: caller.clone(),
        link: Link::new(access.endpoint.name()),
        identity: Default::default(),
        responder: Responder::default(),
        messenger: Messenger::new(caller, clock.clone()),
        clock,
        permits: Default::default(),
        is_registered: watch::Sender::new(false),
        shutdown: CancellationToken::new(),
        tasks: TaskTracker::new(),
    });
    let loops = loops_of(&app, progress_interval);
    loops.dispatcher.restore().await?;
    // Dropped at the end of the loops, also when one of them panics: a bot that takes jobs and draws none must not live on.
    let ends_all = app.shutdown.clone().drop_guard();
    let loops = tokio::spawn(async move {
        loops.run().await;
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

/// The loops of a bot, each with what it needs.
fn loops_of(app: &App, progress_interval: Duration) -> Loops {
    let (jobs, board, clock, shutdown) = (&app.jobs, &app.board, &app.clock, &app.shutdown);
    let worker = Worker {
        jobs: jobs.clone(),
        blobs: app.blobs.clone(),
        models: app.models.clone(),
        renderer: app.renderer.clone(),
        board: board.clone(),
        clock: clock.clone(),
        shutdown: shutdown.clone(),
        tasks: app.tasks.clone(),
        keep_every: Duration::from_millis(app.config.engine.checkpoint_interval_ms),
    };
    let sending = Sending { jobs: jobs.clone(), messenger: app.messenger.clone(), renderer: app.renderer.clone(), board: board.clone() };
    let delivering = Delivering { sending, clock: clock.clone(), shutdown: shutdown.clone() };
    let progress = Progress {
        jobs: jobs.clone(),
        messenger: app.messenger.clone(),
        board: board.clone(),
        clock: clock.clone(),
        interval: progress_interval,
        shutdown: shutdown.clone(),
    };
    let unanswered = Unanswered {
        jobs: jobs.clone(),
        receiving: app.receiving.clone(),
        door: app.door.clone(),
        models: app.models.clone(),
        intake: app.intake.clone(),
        drafts: app.drafts.clone(),
        responder: app.responder.clone(),
        messenger: app.messenger.clone(),
        clock: clock.clone(),
        shutdown: shutdown.clone(),
    };
    let (days, day) = (app.config.data.retention_days, Duration::from_secs(24 * 3600));
    let sweep = Sweep {
        jobs: jobs.clone(),
        blobs: app.blobs.clone(),
        keep_for: (days > 0).then(|| day * days),
        keep_states_for: day * app.config.data.keep_states_days,
        keep_states_bytes: app.config.data.keep_states_mib.saturating_mul(1 << 20),
        clock: clock.clone(),
        shutdown: shutdown.clone(),
    };
    Loops {
        unanswered,
        dispatcher: Dispatcher { worker: Arc::new(worker), limits: app.config.limits.running(app.config.engine.max_running_jobs) },
        delivering: Arc::new(delivering),
        progress: Arc::new(progress),
        drafts: app.drafts.clone(),
        sweep,
        jobs: jobs.clone(),
        is_watched: app.config.metrics.listen.is_some(),
        clock: clock.clone(),
        shutdown: shutdown.clone(),
        tasks: app.tasks.clone(),
    }
}

/// Whether [`start`] takes what the configuration says of drawing, as far as headers tell; blocks while it looks at the files.
///
/// # Errors
/// One sentence: what it refuses.
pub fn check(config: &Config) -> anyhow::Result<()> {
    Stock::open(config, Timestamp::now()).map(drop)
}

/// What the configuration says of drawing, at work.
struct Loaded {
    config: Config,
    engine: Engine,
    stock: Arc<Stock>,
    guide: Option<Guide>,
    wildcards: Wildcards,
    guesser: Option<Guesser>,
}

/// Reads what there is to draw with, and starts the engine with it.
fn load(config: Config, now: Timestamp) -> anyhow::Result<Loaded> {
    let stock = Arc::new(Stock::open(&config, now)?);
    let engine = Engine::start(models::engine_config(&config)?, stock.shelf().clone())?;
    let guide = Guide::of(&stock.offered().catalogue);
    let wildcards = config::wildcards(&config.prompts.wildcards)?;
    let guesser = Guesser::start(&config.describe)?;
    Ok(Loaded { config, engine, stock, guide, wildcards, guesser })
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

    /// Why people cannot use the bot at the moment of the question; `None` where they can.
    pub fn why_not_ready(&self) -> impl Fn() -> Option<&'static str> + Send + Sync + 'static {
        let app = Arc::downgrade(&self.app);
        move || match app.upgrade() {
            None => Some("it has ended"),
            Some(app) if app.shutdown.is_cancelled() => Some("it is ending"),
            Some(app) if app.link.is_lost() => Some("Discord cannot be reached"),
            Some(app) if !*app.is_registered.borrow() => Some("its commands are not registered yet"),
            Some(_) => None,
        }
    }

    /// Ends in order: nobody is promised anything any more and who was promised something has a job or a word, running jobs go back to the
    /// queue, messages on their way arrive, the gateway is closed.
    ///
    /// # Errors
    /// Why the gateway had ended by itself, if it had.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.app.shutdown.cancel();
        let handlers = &self.app.receiving.handlers;
        handlers.close();
        let loops = tokio::time::timeout(GRACE, async { tokio::join!(handlers.wait(), self.loops).1 }).await;
        if loops.is_err() {
            tracing::warn!("some work did not end in time; it goes on at the next start");
        }
        self.closing.cancel();
        if let Ok(ended) = tokio::time::timeout(CLOSES_WITHIN, self.client).await {
            ended??;
        }
        if let Ok(ended) = loops {
            ended.context("a part of the bot has failed")?;
        }
        Ok(())
    }
}
