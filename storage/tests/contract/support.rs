//! What the cases share: a database to open, jobs to put into it, and short ways to say the usual.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use storage::{
    BlobKey, Checkpoint, CheckpointLimits, Delivery, Enqueued, GuildId, Guilds, History, JobId, JobInput, JobStatus, JobStore, Lease,
    Ledger, Limits, NewImage, NewJob, Outbox, Period, PressKey, Provenance, Queue, QuotaRule, RunningLimits, Spender, SqliteStore, Subject,
    Timestamp, UserId, Written, Zone,
};

/// Noon of some day, UTC.
pub const NOON: Timestamp = Timestamp(20_000 * DAY_MS + DAY_MS / 2);
pub const DAY_MS: i64 = 24 * 60 * 60 * 1000;
pub const LEASE: Duration = Duration::from_secs(30);
pub const ROOMY: Limits = Limits {
    daily_row_megapixels: 1e6,
    daily_row_megapixels_per_user: None,
    daily_row_megapixels_host: None,
    monthly_row_megapixels: None,
    monthly_row_megapixels_per_user: None,
    monthly_row_megapixels_host: None,
    is_relax_free: false,
    max_active_per_user: 1000,
    max_queued_per_guild: 1000,
    max_queued: 10_000,
};
pub const ENDLESS: CheckpointLimits = CheckpointLimits { max_bytes: 1 << 40, max_bytes_in_all: 1 << 40 };
pub const MANY: RunningLimits = RunningLimits { max_running: 10_000, max_running_per_user: 10_000, max_running_per_guild: 10_000 };

/// A place where an implementation keeps its data, so that it can be opened more than once.
pub trait Backend: Sized + Send + 'static {
    fn new() -> Self;
    /// One whose data need not outlive the machine, for cases that write much.
    fn fleeting() -> Self {
        Self::new()
    }
    async fn open(&self) -> Arc<dyn JobStore> {
        self.open_in(Zone::default()).await
    }
    async fn open_in(&self, zone: Zone) -> Arc<dyn JobStore>;
}

pub struct Sqlite {
    folder: tempfile::TempDir,
}

impl Backend for Sqlite {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn fleeting() -> Self {
        Self { folder: tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap() }
    }

    async fn open_in(&self, zone: Zone) -> Arc<dyn JobStore> {
        Arc::new(SqliteStore::open(&self.folder.path().join("atelier.db")).await.unwrap().in_zone(zone))
    }
}

/// Milliseconds after noon.
pub fn at(ms: i64) -> Timestamp {
    Timestamp(NOON.0 + ms)
}

/// A state of so many bytes, each of which says how many.
pub fn checkpoint(index: u32, n_steps: u32, n_bytes: u8) -> Checkpoint {
    Checkpoint { index, n_steps, state: vec![n_bytes; n_bytes.into()].into() }
}

/// A job of one row-megapixel with a key of its own.
pub fn job(guild: u64, user: u64) -> NewJob {
    static KEYS: AtomicU64 = AtomicU64::new(0);
    NewJob {
        key: format!("interaction-{}", KEYS.fetch_add(1, Ordering::Relaxed)),
        press: None,
        guild: GuildId(guild),
        user: UserId(user),
        roles: Vec::new(),
        action: "imagine".into(),
        task: serde_json::json!({ "prompt": "a lighthouse" }),
        tier: storage::Tier::Fast,
        model: None,
        parent: None,
        notes: None,
        inputs: Vec::new(),
        row_megapixels: 1.0,
        delivery: Delivery { channel: 7, token: "secret".into(), token_expires: at(900_000), message: None, is_private: false },
        admission: storage::Admission::default(),
    }
}

pub fn pressing(key: &str, keep: bool) -> NewJob {
    NewJob { press: Some(PressKey { key: key.into(), keep }), ..job(1, 1) }
}

pub fn costing(guild: u64, user: u64, row_megapixels: f64) -> NewJob {
    NewJob { row_megapixels, ..job(guild, user) }
}

pub async fn created(store: &dyn Queue, job: NewJob) -> JobId {
    match store.enqueue(job, &ROOMY, NOON).await.unwrap() {
        Enqueued::Created(id) => id,
        other => panic!("expected a new job, not {other:?}"),
    }
}

pub async fn claimed(store: &dyn Queue) -> Lease {
    store.claim(LEASE, &MANY, &[], NOON).await.unwrap().expect("a job waits")
}

pub async fn status(store: &dyn History, id: JobId) -> JobStatus {
    store.job(id).await.unwrap().expect("the job exists").status
}

pub async fn used(store: &dyn Ledger, guild: u64, now: Timestamp) -> f64 {
    store.quotas(&Spender::new(GuildId(guild), UserId(0)), &ROOMY, now).await.unwrap()[0].1.used
}

/// A rule for a day that carries nothing over.
pub fn daily(subject: Subject, row_megapixels: f64) -> QuotaRule {
    QuotaRule { subject, period: Period::Day, row_megapixels, carry_over: 0.0 }
}

/// Sets a rule long before noon.
pub async fn allow(store: &dyn Guilds, guild: u64, rule: QuotaRule) {
    store.set_quota_rule(GuildId(guild), &rule, Timestamp(0)).await.unwrap();
}

/// Records pictures one by one and ends the job as done.
pub async fn finish(store: &dyn Queue, lease: &Lease, images: &[NewImage], now: Timestamp) {
    for image in images {
        assert_eq!(store.record_image(lease, image).await.unwrap(), Written::Done);
    }
    assert_eq!(store.complete(lease, 1.0, now).await.unwrap(), Written::Done);
}

/// How many endings wait for delivery.
pub async fn n_pending(store: &dyn Outbox) -> usize {
    store.outbox(at(DAY_MS), 1000).await.unwrap().len()
}

pub fn blob(number: u8) -> BlobKey {
    BlobKey::parse(&format!("{number:02x}").repeat(32)).unwrap()
}

pub fn input(role: &str, number: u8) -> JobInput {
    JobInput { role: role.into(), blob: blob(number) }
}

pub fn image(index: u32, blob: BlobKey) -> NewImage {
    let digest = format!("{index:02x}").repeat(32);
    let provenance = (index > 0).then(|| Provenance {
        model_hash: (index > 1).then_some(digest),
        engine: "0.1.0".into(),
        device: "cuda:1".into(),
        dtype: format!("f{index}"),
    });
    NewImage {
        index,
        seed: u64::MAX - u64::from(index),
        width: 512,
        height: 768,
        blob,
        provenance,
        digests: (0..u64::from(index)).map(|step| u64::MAX - step).collect(),
    }
}

/// The `n`th of a fixed row of numbers (SplitMix64), so that a random test is the same every time.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % sides
    }

    pub fn pick<T: Clone>(&mut self, from: &[T]) -> Option<T> {
        if from.is_empty() { None } else { Some(from[self.roll(from.len() as u64) as usize].clone()) }
    }
}
