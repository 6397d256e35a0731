//! Times pages of a history: `cargo run --profile dist -p atelier-storage --example time_history -- [FOLDER] [ROUNDS] [STORED]`, where FOLDER is on the
//! disk to measure and STORED how many jobs one guild has. Prints what a page takes by who asks for it, and what deliveries wait for while many
//! look at once.
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use sqlx::{AssertSqlSafe, ConnectOptions, Connection, sqlite::SqliteConnectOptions};
use storage::{Beside, GuildId, History, HistoryFilter, JobId, Outbox, SqliteStore, Timestamp, UserId};
use tokio::task::JoinSet;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const GUILD: GuildId = GuildId(1);
const N_USERS: u32 = 5000;
const N_CHANNELS: u64 = 200;
/// Jobs of a page.
const N: u32 = 10;
/// People who look at once.
const N_LOOKING: usize = 12;

/// A database in which everything belongs to one guild.
async fn filled(path: &Path, stored: u32) -> Result<SqliteStore> {
    SqliteStore::open(path).await?.close().await;
    let mut db = SqliteConnectOptions::new().filename(path).connect().await?;
    let jobs = format!(
        "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n LIMIT {stored}) \
         INSERT INTO jobs (id, key, guild, user, action, task, status, row_pixels, channel, token_expires, created, finished) \
         SELECT randomblob(16), 'stored-' || i, {}, i % {N_USERS}, 'imagine', '{{\"prompt\":\"a lighthouse at dusk\"}}', 'done', 6500000, \
         i * 7 % {N_CHANNELS}, 0, i, i FROM n",
        GUILD.0
    );
    let outbox = "INSERT INTO outbox (job, kind, state, due) SELECT seq, 'done', 'delivered', finished FROM jobs";
    for step in [jobs, outbox.into()] {
        sqlx::raw_sql(AssertSqlSafe(step)).execute(&mut db).await?;
    }
    db.close().await?;
    Ok(SqliteStore::open(path).await?)
}

/// Who asks, and for what.
fn filters() -> [(&'static str, HistoryFilter); 7] {
    let filter = |user: Option<u64>, channels: Option<Vec<u64>>| HistoryFilter { guild: GUILD, user: user.map(UserId), channels };
    [
        ("of the guild", filter(None, None)),
        ("of one person", filter(Some(77), None)),
        ("of somebody who has none", filter(Some(u64::from(N_USERS)), None)),
        ("of three channels", filter(None, Some(vec![3, 90, 150]))),
        ("of every other channel", filter(None, Some((0..N_CHANNELS).step_by(2).collect()))),
        ("of channels that have none", filter(None, Some((N_CHANNELS..N_CHANNELS + 50).collect()))),
        ("of one person in three channels", filter(Some(77), Some(vec![3, 90, 150]))),
    ]
}

fn ms(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1e3
}

/// Of some times the middle one, and the one that only one of a hundred is longer than.
fn middle_and_high(mut times: Vec<f64>) -> (f64, f64) {
    times.sort_by(f64::total_cmp);
    let at = |part: f64| times.get(((times.len() as f64 - 1.0) * part) as usize).copied().unwrap_or(f64::NAN);
    (at(0.5), at(0.99))
}

async fn pages(store: &SqliteStore, middle: JobId, rounds: u32) -> Result<()> {
    for (whose, filter) in filters() {
        for (from, beside) in
            [("the newest", None), ("older ones", Some(Beside::Older(middle))), ("newer ones", Some(Beside::Newer(middle)))]
        {
            let mut times = Vec::new();
            for _ in 0..rounds {
                let begun = Instant::now();
                match beside {
                    None => drop(store.history(filter.clone(), 0, N).await?),
                    Some(beside) => drop(store.history_beside(filter.clone(), beside, N).await?),
                }
                times.push(ms(begun));
            }
            let (middle, high) = middle_and_high(times);
            println!("{whose}, {from}: {middle:.2} ms, at most {high:.2} of 99 in 100");
        }
    }
    Ok(())
}

async fn deliveries(store: &SqliteStore, rounds: u32) -> Result<(f64, f64)> {
    let mut times = Vec::new();
    for _ in 0..rounds {
        let begun = Instant::now();
        store.outbox(Timestamp(i64::MAX), 10).await?;
        store.outbox_due(Timestamp(0)).await?;
        times.push(ms(begun));
    }
    Ok(middle_and_high(times))
}

async fn look(store: &SqliteStore, middle: JobId, is_over: &AtomicBool) -> std::result::Result<(), String> {
    while !is_over.load(Ordering::Relaxed) {
        for (_, filter) in filters() {
            store.history_beside(filter, Beside::Older(middle), N).await.map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let within = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let mut number = |or: u32| arguments.next().and_then(|text| text.parse().ok()).unwrap_or(or);
    let (rounds, stored) = (number(100), number(1_000_000));
    let folder = tempfile::tempdir_in(within)?;
    let begun = Instant::now();
    let store = Arc::new(filled(&folder.path().join("atelier.db"), stored).await?);
    println!("{stored} jobs of one guild, made within {:.0} s", begun.elapsed().as_secs_f64());
    let everybody = HistoryFilter { guild: GUILD, user: None, channels: None };
    let middle = store.history(everybody, stored / 2, 1).await?.0.first().ok_or("nothing is stored")?.id;
    pages(&store, middle, rounds).await?;

    let (alone, alone_high) = deliveries(&store, rounds * 10).await?;
    let (is_over, mut looking) = (Arc::new(AtomicBool::new(false)), JoinSet::new());
    for _ in 0..N_LOOKING {
        let (store, is_over) = (store.clone(), is_over.clone());
        looking.spawn(async move { look(&store, middle, &is_over).await });
    }
    let (beside, beside_high) = deliveries(&store, rounds * 10).await?;
    is_over.store(true, Ordering::Relaxed);
    while let Some(ended) = looking.join_next().await {
        ended??;
    }
    println!(
        "what is to be delivered: {alone:.2} ms, {alone_high:.2} of 99 in 100; while {N_LOOKING} look: {beside:.2} and {beside_high:.2}"
    );
    Arc::into_inner(store).ok_or("it is used")?.close().await;
    Ok(())
}
