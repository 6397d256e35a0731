//! Work that is given up: by a bot that cannot renew its lease, before anybody else may take the job, and where the engine hangs.

use std::time::Duration;

use crate::support::*;
use atelier::jobs::live::Phase;
use sandbox::{Clock, ManualClock};
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use storage::{GuildId, HistoryFilter, Job, JobId, JobStatus, Spender, Timestamp, UserId};

/// Steps of the clock that no lease is lost by, as by shorter ones on a machine that is slow, and after which expired leases are still taken back.
const STEP: Duration = Duration::from_secs(20);

/// A bot whose clock stands still.
struct Scene {
    studio: Studio,
    clock: ManualClock,
    guild: GuildId,
    begun: Timestamp,
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
        Self { studio, clock, guild, begun }
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

    /// Waits until the work on a job was given up so often.
    async fn given_up(&self, job: JobId, n: usize) {
        let given_up = async {
            while Self::n_given_up(job) < n {
                pause().await;
            }
        };
        tokio::time::timeout(PATIENCE, given_up).await.expect("it is given up");
    }

    /// Moves the clock step by step until something is so.
    async fn advance_until(&self, step: Duration, mut is_so: impl AsyncFnMut() -> bool) {
        let moved = async {
            while !is_so().await {
                self.clock.advance(step);
                pause().await;
            }
        };
        tokio::time::timeout(PATIENCE, moved).await.expect("it comes");
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

    /// All that was drawn is shown once.
    async fn close(self, n_grids: usize) {
        let shown = self.studio.ada.messages(CHANNEL).await.expect("readable");
        assert_eq!(shown.iter().filter(|message| is_grid(message)).count(), n_grids, "{shown:?}");
        let filter = HistoryFilter { guild: self.guild, user: None, channels: None };
        let ended = self.studio.running.bot.app.jobs.history(filter, 0, 9).await.expect("readable").0;
        assert_eq!(ended.iter().filter(|job| job.status == JobStatus::Done).count(), n_grids);
        self.studio.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_lease_cannot_be_renewed_is_given_up_before_anybody_else_may_have_it() {
    let scene = Scene::open().await;
    let held = scene.studio.running.bot.app.models.engine.hold();
    let job = scene.begin().await;
    let file = scene.studio.running.bot.app.config.data.dir.join("atelier.sqlite");
    let options = SqliteConnectOptions::new().filename(file).busy_timeout(PATIENCE);
    let mut other = SqliteConnection::connect_with(&options).await.expect("the database opens");
    // Nobody else writes while another program does.
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.expect("locked");
    let lease = "SELECT lease_until FROM jobs WHERE lower(hex(id)) = ?";
    let until: i64 = sqlx::query_scalar(lease).bind(job.to_string()).fetch_one(&mut other).await.expect("it has a lease");
    for _ in 0..24 {
        scene.clock.advance(Duration::from_secs(1));
        // Whoever waits for this second has its turn before an answer comes.
        scene.studio.ada.messages(CHANNEL).await.expect("readable");
    }
    assert!(scene.studio.running.bot.app.clock.now().0 < until, "nobody else may have it");
    scene.given_up(job, 1).await;
    sqlx::query("ROLLBACK").execute(&mut other).await.expect("open again");
    other.close().await.expect("closed");
    drop(held);
    // It is taken anew when its lease has run out.
    scene.advance_until(STEP, async || scene.job(job).await.status == JobStatus::Done).await;
    nth_grid(&scene.studio.ada, 2).await;
    assert_eq!(Scene::n_given_up(job), 1);
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
            scene.advance_until(STEP, async || Scene::n_given_up(job) == n).await;
            if n == n_hangs {
                break;
            }
            let is_taken_anew =
                async || scene.job(job).await.status == JobStatus::Leased && scene.job(job).await.attempts as usize == n + 1;
            scene.advance_until(STEP, is_taken_anew).await;
        }
        let is_over = async || scene.job(job).await.status.is_final();
        if n_hangs == 1 {
            drop(held);
            scene.advance_until(STEP, is_over).await;
            nth_grid(&scene.studio.ada, 2).await;
            let frog = scene.job(job).await;
            assert_eq!(frog.status, JobStatus::Done);
            assert!((scene.used().await - before - frog.row_megapixels).abs() < 1e-3, "paid once");
            scene.close(2).await;
        } else {
            scene.advance_until(STEP, is_over).await;
            let told = message_with(&scene.studio.ada, "The drawing was interrupted 3 times").await;
            assert!(content(&told).contains("it costs nothing"), "{told}");
            assert!((scene.used().await - before).abs() < 1e-6, "paid back");
            drop(held);
            scene.close(1).await;
        }
    }
}
