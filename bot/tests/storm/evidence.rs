//! What is left of a storm: the bot's database and pictures, the messages that people see, and what was acknowledged.

use std::{collections::BTreeMap, path::Path};

use inference::{
    catalogue::Catalogue,
    task::{StopAt, Task},
};
use sha2::{Digest, Sha256};
use sqlx::{Connection, Row, SqliteConnection, sqlite::SqliteConnectOptions};

use super::{heard::Asked, message::Message};

/// All of it.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// Jobs by their ids.
    pub jobs: BTreeMap<String, Job>,
    /// Interactions that were noted and came to nothing yet.
    pub n_received: i64,
    /// Uses of commands and buttons.
    pub asked: BTreeMap<u64, Asked>,
    /// Messages of the bot.
    pub messages: BTreeMap<u64, Message>,
    /// How often the bot was started.
    pub n_lives: u32,
    /// How often it ended in order.
    pub n_orderly: u32,
    /// What broke Discord's description of its API.
    pub violations: Vec<String>,
}

/// A job as it stands in the database, with what belongs to it.
#[derive(Clone, Debug, Default)]
pub struct Job {
    pub id: String,
    /// The interaction that asked for it.
    pub interaction: u64,
    pub action: String,
    pub status: String,
    pub error: Option<String>,
    pub is_deleted: bool,
    pub epoch: u32,
    pub attempts: u32,
    /// What it was quoted at.
    pub row_pixels: i64,
    /// How many pictures it is to have.
    pub n_images: u32,
    pub task: Option<Task>,
    /// The job that it comes from.
    pub parent: Option<String>,
    /// Whether its pictures were wanted as they were.
    pub is_stopped: bool,
    /// A bit for each picture that was left out.
    pub culled: u32,
    /// After how many of how many steps pictures were handed out that were stopped, by their numbers.
    pub stops: BTreeMap<u32, (u32, u32)>,
    /// What the steps are worth that stopped pictures did not make, in row-pixels.
    pub not_made: i64,
    /// What pictures that were left out may have saved at most.
    pub left_out: i64,
    /// What it was debited, and each correction.
    pub debits: Vec<i64>,
    pub corrections: Vec<i64>,
    /// The state of its last message's delivery.
    pub delivery: Option<String>,
    pub images: Vec<Image>,
}

/// A picture of a job.
#[derive(Clone, Debug, Default)]
pub struct Image {
    pub number: u32,
    pub blob: String,
    /// SHA-256 of what is kept under that name; `None` where nothing is.
    pub kept: Option<String>,
}

impl Job {
    /// For whoever reads what a gate says.
    pub fn named(&self) -> String {
        let Self { id, action, status, interaction, epoch, attempts, .. } = self;
        format!("job {id} ({action}, {status}, asked by interaction {interaction}, epoch {epoch}, attempts {attempts})")
    }

    /// Whether a picture was to be left out.
    pub fn is_culled(&self, number: u32) -> bool {
        self.culled & 1_u32.checked_shl(number).unwrap_or(0) != 0
    }

    /// Whether nothing happens to it any more.
    pub fn has_ended(&self) -> bool {
        matches!(self.status.as_str(), "done" | "failed" | "cancelled")
    }
}

/// Whether a job was interrupted twice before it got any further, and has not got further since.
pub async fn has_suspect(data: &Path) -> bool {
    const SUSPECTS: &str =
        "SELECT EXISTS (SELECT 1 FROM jobs WHERE (status = 'queued' AND attempts = 2) OR (status = 'leased' AND attempts = 3))";
    let options = SqliteConnectOptions::new().filename(data.join("atelier.sqlite"));
    let mut db = SqliteConnection::connect_with(&options).await.expect("the database opens");
    sqlx::query_scalar(SUSPECTS).fetch_one(&mut db).await.expect("readable")
}

/// Jobs and what belongs to them, of a bot that may be at work meanwhile; and how many interactions are noted.
pub async fn jobs(data: &Path) -> (BTreeMap<String, Job>, i64) {
    let options = SqliteConnectOptions::new().filename(data.join("atelier.sqlite"));
    let mut db = SqliteConnection::connect_with(&options).await.expect("the database opens");
    // One moment for all of it.
    let mut db = db.begin().await.expect("readable");
    let (mut jobs, mut ids) = (BTreeMap::new(), BTreeMap::new());
    const JOBS: &str = "SELECT seq, lower(hex(id)) AS id, key, action, status, error, deleted IS NOT NULL AS is_deleted, epoch, attempts, \
        row_pixels, task, lower(hex(parent)) AS parent, is_stop_requested, culled FROM jobs";
    for row in sqlx::query(JOBS).fetch_all(&mut *db).await.expect("readable") {
        let task: Task = serde_json::from_str(row.get("task")).expect("a task");
        let job = Job {
            id: row.get("id"),
            interaction: row.get::<&str, _>("key").parse().expect("keys are interactions"),
            action: row.get("action"),
            status: row.get("status"),
            error: row.get("error"),
            is_deleted: row.get("is_deleted"),
            epoch: row.get("epoch"),
            attempts: row.get("attempts"),
            row_pixels: row.get("row_pixels"),
            n_images: task.n_images(),
            task: Some(task),
            parent: row.get("parent"),
            is_stopped: row.get("is_stop_requested"),
            culled: row.get("culled"),
            ..Job::default()
        };
        ids.insert(row.get::<i64, _>("seq"), job.id.clone());
        jobs.insert(job.id.clone(), job);
    }
    let mut of = |seq: i64, add: &mut dyn FnMut(&mut Job)| add(jobs.get_mut(&ids[&seq]).expect("rows belong to jobs"));
    for row in sqlx::query("SELECT job, kind, row_pixels FROM ledger").fetch_all(&mut *db).await.expect("readable") {
        let row_pixels = row.get("row_pixels");
        match row.get("kind") {
            "debit" => of(row.get("job"), &mut |job| job.debits.push(row_pixels)),
            _ => of(row.get("job"), &mut |job| job.corrections.push(row_pixels)),
        }
    }
    for row in sqlx::query("SELECT job, state FROM outbox").fetch_all(&mut *db).await.expect("readable") {
        of(row.get("job"), &mut |job| job.delivery = Some(row.get("state")));
    }
    for row in sqlx::query("SELECT job, number, blob FROM images ORDER BY job, number").fetch_all(&mut *db).await.expect("readable") {
        let image = Image { number: row.get("number"), blob: row.get("blob"), kept: None };
        of(row.get("job"), &mut |job| job.images.push(image.clone()));
    }
    for row in sqlx::query("SELECT job, number, done, total FROM states").fetch_all(&mut *db).await.expect("readable") {
        let (number, stop) = (row.get("number"), (row.get("done"), row.get("total")));
        of(row.get("job"), &mut |job| _ = job.stops.insert(number, stop));
    }
    let has_notes = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'received'";
    let n_received = match sqlx::query_scalar::<_, i64>(has_notes).fetch_one(&mut *db).await.expect("readable") {
        0 => 0,
        _ => sqlx::query_scalar("SELECT count(*) FROM received").fetch_one(&mut *db).await.expect("readable"),
    };
    (jobs, n_received)
}

/// Looks at what is kept for each picture.
pub fn look_at_pictures(jobs: &mut BTreeMap<String, Job>, data: &Path) {
    for image in jobs.values_mut().flat_map(|job| &mut job.images) {
        let path = data.join("pictures").join(&image.blob[..2]).join(&image.blob);
        image.kept = std::fs::read(path).ok().map(|bytes| Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect());
    }
}

/// Reckons what was saved by stops and by leaving pictures out: what a picture costs to its end, less what it costs to where it was stopped.
pub fn reckon(jobs: &mut BTreeMap<String, Job>, catalogue: &Catalogue) {
    for job in jobs.values_mut() {
        let Some(mut one) = job.task.clone() else { continue };
        let Some(base) = one.base_mut() else { continue };
        base.n_images = 1;
        let row_pixels = |task: &Task| (catalogue.cost(task) * 1e6).round() as i64;
        let whole = row_pixels(&one);
        let until = |done: u32| {
            let mut stopped = one.clone();
            stopped.base_mut().expect("it has one").stop_at = Some(StopAt::Steps(done));
            row_pixels(&stopped)
        };
        let is_shown = |number: &u32| job.images.iter().any(|image| image.number == *number);
        let shown = job.stops.iter().filter(|(number, _)| is_shown(number));
        job.not_made = shown.map(|(_, (done, _))| whole - until(*done)).sum();
        let is_missing = |number: &u32| job.is_culled(*number) && !is_shown(number);
        job.left_out = (0..job.n_images).filter(is_missing).count() as i64 * whole;
    }
}
