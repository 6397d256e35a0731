//! One guild asks for far more than all others: `cargo run --profile dist -p atelier-storage --example hog -- [FOLDER] [JOBS] [GUILDS]`, where FOLDER
//! is on the disk to use. Serves jobs as a bot does, four at a time, with costs that differ and estimates that are wrong, for as long as
//! everybody has something waiting, and prints how the service was shared; ends with an error where it was shared worse than the rule promises.
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::{
    collections::{HashMap, VecDeque},
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use storage::{
    Delivery, Enqueued, GuildId, Job, JobId, Lease, Limits, NewJob, Outbox, Queue, RunningLimits, SqliteStore, Tier, Timestamp, UserId,
};
use tokio::task::JoinSet;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const LEASE: Duration = Duration::from_secs(30);
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
const N_SLOTS: u32 = 4;
const RUNNING: RunningLimits = RunningLimits { max_running: N_SLOTS, max_running_per_user: N_SLOTS, max_running_per_guild: N_SLOTS };
const HOG: u64 = 0;
/// Jobs of each of the others.
const N_EACH: u32 = 40;
/// Most row-megapixels of a job; a job costs up to 1.3 times its estimate.
const DEAREST: u32 = 61;

fn job(guild: u64, n: u32) -> NewJob {
    NewJob {
        key: JobId::new().to_string(),
        press: None,
        guild: GuildId(guild),
        user: UserId(1000 * guild + u64::from(n % 5)),
        roles: Vec::new(),
        action: "imagine".into(),
        tier: Tier::Fast,
        task: serde_json::json!({ "prompt": "a lighthouse at dusk", "steps": 25 }),
        model: None,
        parent: None,
        notes: None,
        inputs: Vec::new(),
        row_megapixels: f64::from(1 + mixed(n, guild as u32) % DEAREST),
        delivery: Delivery { channel: 1, token: "secret".into(), token_expires: NOW, message: None, is_private: false },
        admission: storage::Admission::default(),
    }
}

/// Something between 0 and 2³² that two numbers decide.
fn mixed(a: u32, b: u32) -> u32 {
    let mut mixed = a.wrapping_mul(0x9E37_79B1) ^ b.wrapping_mul(0x85EB_CA77);
    mixed ^= mixed >> 15;
    mixed = mixed.wrapping_mul(0x2C1B_3C6D);
    mixed ^ mixed >> 13
}

async fn ask(store: &Arc<SqliteStore>, wishes: Vec<NewJob>) -> Result<()> {
    let mut tasks = JoinSet::new();
    for some in wishes.chunks(wishes.len().div_ceil(16)) {
        let (store, some) = (store.clone(), some.to_vec());
        tasks.spawn(async move {
            for wish in some {
                match store.enqueue(wish, &LIMITS, NOW).await {
                    Ok(Enqueued::Created(_)) => {}
                    other => return Err(format!("{other:?}")),
                }
            }
            Ok(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}

/// What each guild got.
#[derive(Default)]
struct Service {
    row_megapixels: HashMap<u64, f64>,
    /// The longest time without, in claims.
    last: HashMap<u64, u32>,
    longest: u32,
    n_claims: u32,
}

impl Service {
    fn claimed(&mut self, job: &Job) {
        self.n_claims += 1;
        let last = self.last.insert(job.guild.0, self.n_claims).unwrap_or(0);
        self.longest = self.longest.max(self.n_claims - last);
    }

    /// Jain's index: 1 where everybody got the same.
    fn jain(&self) -> f64 {
        let (sum, squares) = self.row_megapixels.values().fold((0.0, 0.0), |(sum, squares), one| (sum + one, squares + one * one));
        sum * sum / (self.row_megapixels.len() as f64 * squares)
    }

    fn ends(&self) -> (f64, f64) {
        self.row_megapixels.values().fold((f64::MAX, 0.0), |(least, most), one| (one.min(least), one.max(most)))
    }
}

async fn end(store: &SqliteStore, lease: &Lease, n: u32, service: &mut Service) -> Result<()> {
    // Between 0.7 and 1.3 times what was estimated.
    let actual = lease.job.row_megapixels * (0.7 + 0.6 * f64::from(mixed(n, 77) % 1000) / 1000.0);
    store.complete(lease, actual, NOW).await?;
    store.delivered(lease.job.id, None).await?;
    *service.row_megapixels.entry(lease.job.guild.0).or_default() += actual;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let within = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let mut number = |or: u32| arguments.next().and_then(|text| text.parse().ok()).unwrap_or(or);
    let (n_jobs, n_guilds) = (number(50_000), u64::from(number(100)));
    let folder = tempfile::tempdir_in(within)?;
    let store = Arc::new(SqliteStore::open(&folder.path().join("atelier.db")).await?);
    let begun = Instant::now();
    ask(&store, (0..n_jobs).map(|n| job(HOG, n)).collect()).await?;
    ask(&store, (0..N_EACH).flat_map(|n| (1..=n_guilds).map(move |guild| job(guild, n))).collect()).await?;
    println!("{n_jobs} jobs of one guild and {N_EACH} each of {n_guilds} others came in within {:.0} s", begun.elapsed().as_secs_f64());

    let (begun, mut service, mut running) = (Instant::now(), Service::default(), VecDeque::new());
    let mut left: HashMap<u64, u32> = (1..=n_guilds).map(|guild| (guild, N_EACH)).collect();
    while left.values().all(|left| *left > 0) {
        if running.len() == N_SLOTS as usize
            && let Some(lease) = running.remove(mixed(service.n_claims, 5) as usize % N_SLOTS as usize)
        {
            end(&store, &lease, service.n_claims, &mut service).await?;
        }
        let lease = store.claim(LEASE, &RUNNING, &[], NOW).await?.ok_or("nothing waits")?;
        service.claimed(&lease.job);
        if let Some(left) = left.get_mut(&lease.job.guild.0) {
            *left -= 1;
        }
        running.push_back(lease);
    }
    let (least, most) = service.ends();
    let hog = service.row_megapixels.get(&HOG).copied().unwrap_or(0.0);
    println!(
        "{} claims in {:.1} s while all waited: each of {} guilds got {least:.0} to {most:.0} row-megapixels, the large one {hog:.0}",
        service.n_claims,
        begun.elapsed().as_secs_f64(),
        service.row_megapixels.len(),
    );
    println!("Jain's index {:.4}; at most {} claims between two of one guild", service.jain(), service.longest);
    // Goyal 1996, theorem 1, with what runs at once (Jin, Chase and Kaur 2004): two differ by their dearest jobs, for each slot and once more.
    let bound = f64::from(N_SLOTS + 1) * 2.0 * 1.3 * f64::from(DEAREST);
    println!("two guilds differ by {:.0} row-megapixels at most, of {bound:.0} that are promised", most - least);
    if service.jain() < 0.98 || most - least > bound || service.row_megapixels.len() as u64 != n_guilds + 1 {
        return Err("the service was not shared as it should be".into());
    }
    Ok(())
}
