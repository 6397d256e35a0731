//! Work that is given up: by a bot that cannot renew its lease, and where the engine hangs.

use std::time::Duration;

use crate::support::*;
use atelier::jobs::live::Phase;
use sandbox::{Clock, ManualClock};
use serde_json::Value;
use sqlx::{SqlitePool, sqlite::SqliteConnectOptions};
use storage::{GuildId, HistoryFilter, Job, JobId, JobStatus, Spender, Timestamp, UserId};

/// A step of the clock. A lease outlives several of them, and those that have run out are taken back as long as the clock does not leap.
const STEP: Duration = Duration::from_secs(5);

/// A bot whose clock stands still.
struct Scene {
    studio: Studio,
    clock: ManualClock,
    guild: GuildId,
    begun: Timestamp,
    database: SqlitePool,
}

impl Scene {
    async fn open() -> Self {
        log::listen();
        let clock = ManualClock::new();
        // No state takes an attempt back.
        let change = |config: &mut atelier::config::Config| config.engine.checkpoint_interval_ms = 0;
        let studio = Studio::open_with_clock(Mode::Plain, Clock::Manual(clock.clone()), change).await;
        let state = studio.ada.state().await.expect("readable");
        let guild = GuildId(state["guilds"][0]["id"].as_str().and_then(|id| id.parse().ok()).expect("an id"));
        // How fast the engine is is known from here on.
        studio.ada.slash(CHANNEL, "imagine", &prompt("a robot --steps 2 --images 1")).await.expect("sent");
        nth_grid(&studio.ada, 1).await;
        let begun = studio.running.bot.app.clock.now();
        let file = studio.running.bot.app.config.data.dir.join("atelier.sqlite");
        let database = SqlitePool::connect_with(SqliteConnectOptions::new().filename(file).busy_timeout(PATIENCE)).await;
        Self { studio, clock, guild, begun, database: database.expect("the database opens") }
    }

    /// Asks for a picture, and waits until it is worked on.
    async fn begin(&self) -> JobId {
        self.studio.ada.slash(CHANNEL, "imagine", &prompt("a frog --steps 2 --images 1")).await.expect("sent");
        noted(&self.studio, |live| live.phase == Phase::Drawing && live.heading.title == "a frog").await;
        let is_it = |live: &dashmap::mapref::multiple::RefMulti<'_, JobId, atelier::jobs::live::Live>| live.heading.title == "a frog";
        let id = self.studio.running.bot.app.board.live.iter().find(is_it).map(|live| *live.key());
        id.expect("it does not end")
    }

    /// How often the work on a job was given up.
    fn n_given_up(job: JobId) -> usize {
        log::about(&job.to_string()).iter().filter(|logged| logged.message.contains("the work on a job was given up")).count()
    }

    /// Moves the clock, and gives everybody a turn.
    async fn step(&self, by: Duration) {
        self.clock.advance(by);
        self.clock.had_turns().await;
        pause().await;
    }

    /// The number of a job's lease, and until when that is somebody's.
    async fn lease(&self, job: JobId) -> (i64, Option<i64>) {
        let lease = "SELECT epoch, lease_until FROM jobs WHERE lower(hex(id)) = ?";
        sqlx::query_as(lease).bind(job.to_string()).fetch_one(&self.database).await.expect("readable")
    }

    /// Moves the clock, no faster than the lease is renewed, until the work on a job was given up for the n-th time.
    async fn given_up(&self, job: JobId, n: usize) {
        let given_up = async {
            while Self::n_given_up(job) < n {
                let now = self.studio.running.bot.app.clock.now();
                match self.lease(job).await.1 {
                    Some(until) if until < now.after(4 * STEP).0 => pause().await,
                    _ => self.step(2 * STEP).await,
                }
            }
        };
        if tokio::time::timeout(PATIENCE, given_up).await.is_err() {
            let said: Vec<_> = log::about(&job.to_string()).into_iter().map(|logged| logged.message).collect();
            panic!("it is not given up: {:?}, {:?}, {said:?}", self.lease(job).await, self.job(job).await);
        }
    }

    /// Moves the clock until a job that was given up is as it should be. While somebody works on it anew the clock stands.
    async fn comes_to(&self, job: JobId, is_so: impl Fn(&Job) -> bool) {
        let old = self.lease(job).await.0;
        let comes = async {
            loop {
                let (epoch, until) = self.lease(job).await;
                let is_anew = epoch != old && until.is_some();
                if self.job(job).await.status.is_final() || is_anew {
                    if is_so(&self.job(job).await) {
                        break;
                    }
                    pause().await;
                } else {
                    self.step(STEP).await;
                }
            }
        };
        tokio::time::timeout(PATIENCE, comes).await.expect("it comes");
    }

    async fn job(&self, id: JobId) -> Job {
        self.studio.running.bot.app.jobs.job(id).await.expect("readable").expect("it is there")
    }

    /// What was spent on the day that began with the scene.
    async fn used(&self) -> f64 {
        let (app, ada) = (&self.studio.running.bot.app, UserId(self.studio.ada.user_id().parse().expect("an id")));
        let limits = app.door.limits(self.guild, ada).await.expect("readable");
        app.jobs.quotas(&Spender::new(self.guild, ada), &limits, self.begun).await.expect("readable")[0].1.used
    }

    /// Waits for a message; the clock goes on meanwhile, as what is sent may have to be sent again.
    async fn told(&self, is_it: impl Fn(&Value) -> bool) -> Value {
        let comes = async {
            loop {
                if let Some(found) = self.studio.ada.messages(CHANNEL).await.expect("readable").into_iter().find(&is_it) {
                    break found;
                }
                self.clock.advance(Duration::from_secs(1));
                pause().await;
            }
        };
        tokio::time::timeout(PATIENCE, comes).await.expect("it is told")
    }

    /// All that was drawn is shown once.
    async fn close(self, n_grids: usize) {
        let shown = self.studio.ada.messages(CHANNEL).await.expect("readable");
        assert_eq!(shown.iter().filter(|message| is_grid(message)).count(), n_grids, "{shown:?}");
        let filter = HistoryFilter { guild: self.guild, user: None, channels: None };
        let ended = self.studio.running.bot.app.jobs.history(filter, 0, 9).await.expect("readable").0;
        assert_eq!(ended.iter().filter(|job| job.status == JobStatus::Done).count(), n_grids);
        self.database.close().await;
        self.studio.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_lease_cannot_be_renewed_is_given_up_and_taken_anew() {
    let scene = Scene::open().await;
    let held = scene.studio.running.bot.app.models.engine.hold();
    let job = scene.begin().await;
    // Nobody else writes while another program does.
    let mut other = scene.database.acquire().await.expect("connected");
    sqlx::query("BEGIN IMMEDIATE").execute(&mut *other).await.expect("locked");
    // Until when it may be waited is shown beside the lease itself: here the clock may be ahead of whoever goes by it.
    let given_up = async {
        while Scene::n_given_up(job) == 0 {
            scene.step(STEP).await;
        }
    };
    tokio::time::timeout(PATIENCE, given_up).await.expect("it is given up");
    sqlx::query("ROLLBACK").execute(&mut *other).await.expect("open again");
    drop((held, other));
    scene.comes_to(job, |job| job.status == JobStatus::Done).await;
    scene.told(|message| is_grid(message) && content(message).contains("a frog")).await;
    scene.close(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_engine_hangs_goes_on_when_it_works_again_and_fails_at_the_third_time() {
    for n_hangs in [1, 3] {
        let scene = Scene::open().await;
        let before = scene.used().await;
        let held = scene.studio.running.bot.app.models.engine.hold();
        let job = scene.begin().await;
        for n in 1..=n_hangs {
            // Only an engine that hangs ends the work.
            scene.given_up(job, n).await;
            if n < n_hangs {
                scene.comes_to(job, |job| job.status == JobStatus::Leased && job.attempts as usize == n + 1).await;
            }
        }
        if n_hangs == 1 {
            drop(held);
            scene.comes_to(job, |job| job.status.is_final()).await;
            scene.told(|message| is_grid(message) && content(message).contains("a frog")).await;
            let frog = scene.job(job).await;
            assert_eq!(frog.status, JobStatus::Done);
            assert!((scene.used().await - before - frog.row_megapixels).abs() < 1e-3, "paid once");
            scene.close(2).await;
        } else {
            scene.comes_to(job, |job| job.status.is_final()).await;
            let told = scene.told(|message| content(message).contains("The drawing was interrupted 3 times")).await;
            assert!(content(&told).contains("it costs nothing"), "{told}");
            assert!((scene.used().await - before).abs() < 1e-6, "paid back");
            drop(held);
            scene.close(1).await;
        }
    }
}
