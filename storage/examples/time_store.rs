//! Times the job store: `cargo run --profile dist -p atelier-storage --example time_store -- [FOLDER] [ROUNDS] [STORED]`, where FOLDER is on the
//! disk to measure and STORED the most jobs in a database. Prints life-cycles per second against bare commits of one row, block by block in turn, and what claim, enqueue, complete and
//! cancel cost as more is stored and more waits, against the smallest, round by round in turn, beside a commit of one row to the same database: a disk
//! may take many times as long for one file as for another.
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use storage::{
    Delivery, Enqueued, GuildId, Guilds, JobId, Limits, NewJob, Outbox, Queue, Received, Reception, RunningLimits, SqliteStore, Tier,
    Timestamp, UserId,
};
use tokio::task::JoinSet;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const LEASE: Duration = Duration::from_secs(30);
/// On day 20,833, when all that waits was asked for.
const NOW: Timestamp = Timestamp(1_800_000_000_000);
const LIMITS: Limits = Limits {
    daily_row_megapixels: 1e9,
    daily_row_megapixels_per_user: None,
    daily_row_megapixels_host: None,
    monthly_row_megapixels: None,
    monthly_row_megapixels_per_user: None,
    monthly_row_megapixels_host: None,
    is_relax_free: false,
    max_active_per_user: 1 << 30,
    max_queued_per_guild: 1 << 30,
    max_queued: 1 << 30,
};
const RUNNING: RunningLimits = RunningLimits { max_running: 100, max_running_per_user: 100, max_running_per_guild: 100 };
/// Life-cycles that are on their way together.
const AT_ONCE: [u32; 3] = [1, 4, 16];
/// Of a block.
const N_CYCLES: u32 = 48;

/// What is in a database before it is measured.
#[derive(Clone, Copy)]
struct Size {
    stored: u32,
    guilds: u32,
    waiting_each: u32,
}

fn job(guild: u64) -> NewJob {
    NewJob {
        key: JobId::new().to_string(),
        press: None,
        guild: GuildId(guild),
        user: UserId(guild),
        roles: Vec::new(),
        action: "imagine".into(),
        tier: Tier::Fast,
        task: serde_json::json!({ "prompt": "a lighthouse at dusk", "steps": 25 }),
        model: None,
        parent: None,
        notes: None,
        inputs: Vec::new(),
        row_megapixels: 6.5,
        delivery: Delivery { channel: 1, token: "secret".into(), token_expires: NOW, message: None, is_private: false },
        admission: storage::Admission::default(),
    }
}

/// A database with finished jobs of a thousand guilds, and with jobs that wait.
async fn filled(path: &Path, size: Size) -> Result<SqliteStore> {
    let store = SqliteStore::open(path).await?;
    store.close().await;
    let mut db = SqliteConnectOptions::new().filename(path).connect().await?;
    let rows = |n: u32| format!("WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n LIMIT {n})");
    let columns = "id, key, guild, user, action, task, status, row_pixels, channel, token_expires, created, finished";
    let mut steps = Vec::new();
    if size.stored > 0 {
        steps.push(format!(
            "INSERT INTO jobs ({columns}) {} SELECT randomblob(16), 'stored-' || i, i % 1000, i % 5000, 'imagine', '{{}}', 'done', 6500000, 1, 0, i, i FROM n",
            rows(size.stored)
        ));
        steps.push("INSERT INTO outbox (job, kind, state, due) SELECT seq, 'done', 'delivered', finished FROM jobs".into());
        steps.push(
            "INSERT INTO ledger (job, kind, guild, user, day, row_pixels) SELECT seq, 'debit', guild, user, seq % 300, 6500000 FROM jobs"
                .into(),
        );
    }
    steps.push(format!(
        "INSERT INTO jobs ({columns}) {} SELECT randomblob(16), 'waits-' || i, 10000 + i % {guilds}, 10000 + i % {guilds} + i % 50, 'imagine', '{{}}', \
         'queued', 6500000, 1, 0, 0, NULL FROM n",
        rows(size.guilds * size.waiting_each),
        guilds = size.guilds
    ));
    steps.push(
        "INSERT INTO flow_users (guild, tier, user, start_tag, waiting, head) SELECT guild, 0, user, 0, count(*), min(seq) FROM jobs \
         WHERE status = 'queued' GROUP BY guild, user; \
         INSERT INTO flows (guild, tier, start_tag, waiting, head) SELECT guild, 0, 0, sum(waiting), min(head) FROM flow_users GROUP BY guild; \
         UPDATE turns SET waiting = (SELECT sum(waiting) FROM flows); \
         INSERT INTO ledger (job, kind, guild, user, day, row_pixels) SELECT seq, 'debit', guild, user, 20833, 6500000 FROM jobs WHERE status = 'queued'"
            .into(),
    );
    for step in steps {
        sqlx::raw_sql(AssertSqlSafe(step)).execute(&mut db).await?;
    }
    db.close().await?;
    Ok(SqliteStore::open(path).await?)
}

async fn created(store: &SqliteStore, guild: u64) -> Result<JobId> {
    match store.enqueue(job(guild), &LIMITS, NOW).await? {
        Enqueued::Created(id) => Ok(id),
        other => Err(format!("{other:?}").into()),
    }
}

/// Whether what is heard is noted first, as a bot does.
#[derive(Clone, Copy)]
enum Heard {
    Unnoted,
    Noted,
}

/// From the wish to the delivery, with an engine that takes no time.
async fn life_cycle(store: &SqliteStore, heard: Heard) -> Result<()> {
    let new = job(1);
    if let Heard::Noted = heard {
        let (key, wish) = (new.key.clone(), new.task.clone());
        let note = Received { key, guild: new.guild, user: new.user, delivery: new.delivery.clone(), wish, created: NOW };
        store.receive(&[note]).await?;
    }
    store.enqueue(new, &LIMITS, NOW).await?;
    let lease = store.claim(LEASE, &RUNNING, &[], NOW).await?.ok_or("nothing waits")?;
    store.complete(&lease, 6.25, NOW).await?;
    store.outbox(NOW, 1).await?;
    store.delivered(lease.job.id, Some(7)).await?;
    Ok(())
}

/// Life-cycles per second, with so many of them on their way at once.
async fn cycles_per_second(store: &Arc<SqliteStore>, n_at_once: u32, heard: Heard) -> Result<f64> {
    let (begun, mut tasks) = (Instant::now(), JoinSet::new());
    for _ in 0..n_at_once {
        let store = store.clone();
        tasks.spawn(async move {
            for _ in 0..N_CYCLES / n_at_once {
                life_cycle(&store, heard).await.map_err(|error| error.to_string())?;
            }
            Ok::<_, String>(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(f64::from(N_CYCLES) / begun.elapsed().as_secs_f64())
}

async fn commit(bare: &mut SqliteConnection) -> Result<()> {
    sqlx::query("INSERT INTO bare (value) VALUES ('a lighthouse at dusk')").execute(bare).await?;
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

async fn life_cycles(folder: &Path, stored: u32, rounds: u32) -> Result<()> {
    let bare = SqliteConnectOptions::new().filename(folder.join("bare.db")).create_if_missing(true);
    let mut bare = bare.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full).connect().await?;
    sqlx::query("CREATE TABLE IF NOT EXISTS bare (id INTEGER PRIMARY KEY, value TEXT NOT NULL)").execute(&mut bare).await?;
    // A log that grows makes a commit longer than one that is written over, as it is from its thousandth page on.
    for _ in 0..1100 {
        commit(&mut bare).await?;
    }
    let size = Size { stored, guilds: 1, waiting_each: 1 };
    let store = Arc::new(filled(&folder.join(format!("cycles-{stored}.db")), size).await?);
    let mut measured = [(); 1 + 2 * AT_ONCE.len()].map(|()| Vec::new());
    for round in 0..=rounds / 8 {
        let begun = Instant::now();
        for _ in 0..200 {
            commit(&mut bare).await?;
        }
        let mut of_round = vec![200.0 / begun.elapsed().as_secs_f64()];
        for n_at_once in AT_ONCE {
            for heard in [Heard::Unnoted, Heard::Noted] {
                of_round.push(cycles_per_second(&store, n_at_once, heard).await?);
            }
        }
        // The first block warms up.
        if round > 0 {
            measured.iter_mut().zip(of_round).for_each(|(all, one)| all.push(one));
        }
    }
    println!("{stored:>9} stored: {:.0} bare commits/s", median(measured[0].clone()));
    let ratio = |cycles: &[f64], others: &[f64]| median(cycles.iter().zip(others).map(|(cycles, others)| cycles / others).collect());
    for (n_at_once, cycles) in AT_ONCE.iter().zip(measured[1..].chunks(2)) {
        println!(
            "{n_at_once:>9} at once: {:.0} life-cycles/s, {:.3} of the commits; with the note {:.2} of that",
            median(cycles[0].clone()),
            ratio(&cycles[0], &measured[0]),
            ratio(&cycles[1], &cycles[0]),
        );
    }
    bare.close().await?;
    Arc::into_inner(store).ok_or("it is used")?.close().await;
    Ok(())
}

/// Seconds of enqueue, claim, complete (with another price), cancel and a commit of one row, in this order.
async fn costs(store: &SqliteStore) -> Result<[f64; 5]> {
    let (mut costs, mut begun) = ([0.0; 5], Instant::now());
    let mut note = |i: usize| {
        costs[i] = begun.elapsed().as_secs_f64();
        begun = Instant::now();
    };
    created(store, 10_000).await?;
    note(0);
    let lease = store.claim(LEASE, &RUNNING, &[], NOW).await?.ok_or("nothing waits")?;
    note(1);
    store.complete(&lease, 9.75, NOW).await?;
    note(2);
    let id = created(store, 10_000).await?;
    note(0);
    store.request_cancel(id, NOW).await?;
    note(3);
    store.set_note("a lighthouse", "at dusk").await?;
    note(4);
    Ok(costs)
}

async fn sizes(folder: &Path, what: &str, sizes: &[(u32, Size)], rounds: u32) -> Result<()> {
    let mut stores = Vec::new();
    for (n, size) in sizes {
        stores.push(filled(&folder.join(format!("{what}-{n}.db")), *size).await?);
    }
    let mut all: Vec<Vec<[f64; 5]>> = vec![Vec::new(); sizes.len()];
    for round in 0..rounds + 20 {
        for (store, all) in stores.iter().zip(&mut all) {
            let costs = costs(store).await?;
            if round >= 20 {
                all.push(costs);
            }
        }
    }
    let medians: Vec<[f64; 5]> =
        all.iter().map(|all| std::array::from_fn(|i| median(all.iter().map(|costs| costs[i]).collect()))).collect();
    println!("{:>9} {what}: ms of enqueue, claim, complete, cancel and a commit of one row (against the first; in commits of its own)", "");
    for ((n, _), costs) in sizes.iter().zip(&medians) {
        let cells: Vec<String> =
            (0..5).map(|i| format!("{:.3} ({:.2}; {:.2})", costs[i] * 1e3, costs[i] / medians[0][i], costs[i] / costs[4])).collect();
        println!("{n:>9} {}", cells.join("  "));
    }
    for store in stores {
        store.close().await;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let within = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let mut number = |or: u32| arguments.next().and_then(|text| text.parse().ok()).unwrap_or(or);
    let (rounds, most) = (number(200), number(1_000_000));
    let folder = tempfile::tempdir_in(within)?;
    let folder = folder.path();
    for stored in [0, most / 10, most] {
        life_cycles(folder, stored, rounds).await?;
    }
    let small = Size { stored: 100, guilds: 1, waiting_each: 1 };
    let of = |numbers: &[u32], size: &dyn Fn(u32) -> Size| numbers.iter().map(|n| (*n, size(*n))).collect::<Vec<_>>();
    sizes(folder, "jobs stored", &of(&[100, most / 100, most], &|stored| Size { stored, ..small }), rounds).await?;
    sizes(folder, "guilds that wait", &of(&[1, 100, 10_000], &|guilds| Size { guilds, ..small }), rounds).await?;
    sizes(folder, "waiting jobs of one guild", &of(&[1, 1000, 50_000], &|waiting_each| Size { waiting_each, ..small }), rounds).await
}
