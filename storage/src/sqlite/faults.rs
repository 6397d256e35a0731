//! What only the inside can make happen or see: a full disk, and which index a query uses.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod dump;
mod full;
mod torn;

use std::time::Duration;

use sqlx::{AssertSqlSafe, Row};

use super::{SqliteStore, claim, enqueue, keeping, outbox, queue, quota, rules, sql::sql};
use crate::{
    Delivery, Enqueued, Failure, GuildId, GuildSettings, Guilds, History, JobStatus, Ledger, Limits, NewJob, Outbox, Queue, RunningLimits,
    Spender, StorageError, Timestamp, UserId, Written,
};

const NOW: Timestamp = Timestamp(1_000_000);
const LEASE: Duration = Duration::from_secs(30);
const LIMITS: Limits = Limits {
    daily_row_megapixels: 1e6,
    daily_row_megapixels_per_user: None,
    daily_row_megapixels_host: None,
    monthly_row_megapixels: None,
    monthly_row_megapixels_per_user: None,
    monthly_row_megapixels_host: None,
    is_relax_free: false,
    max_active_per_user: 1000,
    max_queued_per_guild: 1000,
    max_queued: 1000,
};
const RUNNING: RunningLimits = RunningLimits { max_running: 1000, max_running_per_user: 1000, max_running_per_guild: 1000 };

async fn open() -> (tempfile::TempDir, SqliteStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("atelier.db")).await.unwrap();
    (folder, store)
}

fn job(key: &str, size_bytes: usize) -> NewJob {
    NewJob {
        key: key.into(),
        press: None,
        guild: GuildId(1),
        user: UserId(1),
        roles: Vec::new(),
        action: "imagine".into(),
        task: serde_json::json!({ "prompt": "x".repeat(size_bytes) }),
        tier: crate::Tier::Fast,
        model: None,
        parent: None,
        notes: None,
        inputs: Vec::new(),
        row_megapixels: 1.0,
        delivery: Delivery { channel: 1, token: "secret".into(), token_expires: NOW, message: None, is_private: false },
        admission: crate::Admission::default(),
    }
}

async fn created(store: &SqliteStore, job: NewJob) -> crate::JobId {
    let Enqueued::Created(id) = store.enqueue(job, &LIMITS, NOW).await.unwrap() else { panic!("not created") };
    id
}

async fn used(store: &SqliteStore) -> f64 {
    store.quotas(&Spender::new(GuildId(1), UserId(1)), &LIMITS, NOW).await.unwrap()[0].1.used
}

/// Lets those that write have `spare` more pages than now; `None` lifts the limit.
async fn limit_pages(store: &SqliteStore, spare: Option<i64>) {
    let pages: i64 = sqlx::query_scalar("PRAGMA page_count").fetch_one(&mut *store.writer.take().await.unwrap()).await.unwrap();
    let limit = format!("PRAGMA max_page_count = {}", spare.map_or(1 << 30, |spare| pages + spare));
    sqlx::query(AssertSqlSafe(limit.clone())).execute(&mut *store.writer.take().await.unwrap()).await.unwrap();
    store.write(move |db| Ok(db.execute_batch(&limit)?)).await.unwrap();
}

#[tokio::test]
async fn a_full_disk_is_named_at_every_write_and_nothing_is_half_written() {
    let (_folder, store) = open().await;
    let long = "x".repeat(100_000);
    created(&store, job("first", 10)).await;
    let lease = store.claim(LEASE, &RUNNING, &[], NOW).await.unwrap().unwrap();
    limit_pages(&store, Some(0)).await;

    let is_full = |error: StorageError| assert!(matches!(error, StorageError::DiskFull), "{error:?}");
    is_full(store.enqueue(job("big", 100_000), &LIMITS, NOW).await.unwrap_err());
    limit_pages(&store, Some(0)).await;
    is_full(store.fail(&lease, &Failure::ModelGone { name: long.clone() }, NOW).await.unwrap_err());
    limit_pages(&store, Some(0)).await;
    is_full(store.set_note("long", &long).await.unwrap_err());
    limit_pages(&store, Some(0)).await;
    let blob = crate::BlobKey::of_digest([7; 32]);
    let made =
        Some(crate::Provenance { model_hash: Some(long.clone()), engine: String::new(), device: String::new(), dtype: String::new() });
    let image = crate::NewImage { index: 0, seed: 1, width: 1, height: 1, blob, provenance: made, digests: Vec::new() };
    is_full(store.record_image(&lease, &image).await.unwrap_err());

    assert!(store.note("long").await.unwrap().is_none());
    assert_eq!(store.queue(100).await.unwrap(), []);
    assert_eq!(used(&store).await, 1.0);
    assert_eq!(store.job(lease.job.id).await.unwrap().unwrap().status, JobStatus::Leased);
    assert!(store.outbox(NOW, 10).await.unwrap().is_empty());
    let n_images: i64 =
        sqlx::query_scalar("SELECT count(*) FROM images").fetch_one(&mut *store.writer.take().await.unwrap()).await.unwrap();
    assert_eq!(n_images, 0);

    limit_pages(&store, None).await;
    assert_eq!(store.record_image(&lease, &image).await.unwrap(), Written::Done, "it recovers when there is space");
    assert_eq!(store.complete(&lease, 1.0, NOW).await.unwrap(), Written::Done);
    created(&store, job("big", 100_000)).await;
    let check: String = sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut *store.writer.take().await.unwrap()).await.unwrap();
    assert_eq!(check, "ok");
}

#[tokio::test]
async fn every_write_names_a_disk_that_fills_up_page_by_page() {
    let (_folder, store) = open().await;
    limit_pages(&store, Some(2)).await;
    let mut n_written = 0;
    let error = loop {
        let write = store.enqueue(job(&format!("job-{n_written}"), 10), &LIMITS, NOW).await;
        let settings = store.set_guild_settings(GuildId(n_written), GuildSettings::default()).await;
        match write.map(drop).and(settings) {
            Ok(()) => n_written += 1,
            Err(error) => break error,
        }
        assert!(n_written < 1000, "two pages do not hold a thousand jobs");
    };
    assert!(matches!(error, StorageError::DiskFull), "{error:?}");
    assert!(n_written > 0);
    let queued = store.queue_status().await.unwrap().queued;
    assert!(u64::from(queued) == n_written || u64::from(queued) == n_written + 1, "{queued} of {n_written}");
    assert_eq!(used(&store).await, f64::from(queued));
}

#[tokio::test]
async fn claim_and_outbox_read_an_index_and_sort_nothing() {
    let (_folder, store) = open().await;
    let check = async |query: &'static str, index: &str| {
        let rows = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {query}")))
            .fetch_all(&mut *store.writer.take().await.unwrap())
            .await
            .unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
        let plan = plan.join("; ");
        assert!(plan.contains(index), "{plan}");
        assert!(!plan.contains("TEMP B-TREE") && !plan.contains("SCAN jobs;") && !plan.ends_with("SCAN jobs"), "{plan}");
    };
    check(claim::NEXT, "SCAN flows USING INDEX flows_by_turn").await;
    check(claim::NEXT, "INDEX flow_users_by_turn (guild=? AND tier=?)").await;
    check(claim::NEXT, "SEARCH jobs USING INTEGER PRIMARY KEY").await;
    check(claim::RUNNING, "USING INDEX jobs_").await;
    check(enqueue::PLACE, "INDEX flow_users_by_user (user=?)").await;
    check(enqueue::PLACE, "INDEX jobs_running (user=?)").await;
    check(enqueue::PLACE, "sqlite_autoindex_flows_1 (guild=?)").await;
    check(queue::HEADS, "INDEX flow_users_by_turn (guild=? AND tier=?)").await;
    check(queue::AFTER, "jobs_waiting (guild=? AND tier=? AND user=? AND seq>?)").await;
    check(outbox::DUE, "INDEX outbox_due (due<?)").await;
    check(outbox::HELD, "INDEX outbox_since (since>?)").await;
    check(outbox::NEXT, "INDEX outbox_due (due>?)").await;
    check(queue::BACKLOG, "USING COVERING INDEX outbox_").await;
    check(quota::BY_GUILD, "spent USING PRIMARY KEY (day=? AND guild=?)").await;
    check(quota::BY_MEMBER, "spent USING PRIMARY KEY (day=? AND guild=? AND user=?)").await;
    check(quota::BY_USER, "INDEX spent_by_user (day=? AND user=?)").await;
    check(quota::BY_HOST, "(day=?)").await;
    check(quota::MONTH_BY_GUILD, "guild_months USING PRIMARY KEY (month=? AND guild=?)").await;
    check(quota::MONTH_BY_MEMBER, "spent_by_month USING PRIMARY KEY (month=? AND guild=? AND user=?)").await;
    check(quota::MONTH_BY_USER, "INDEX spent_by_month_by_user (month=? AND user=?)").await;
    check(quota::MONTH_BY_HOST, "guild_months USING PRIMARY KEY (month=?)").await;
    check(rules::BINDING, "quota_rules USING PRIMARY KEY (guild=? AND kind=? AND subject=?)").await;
    check("SELECT seq FROM jobs WHERE status = 'leased' AND lease_until <= ?", "INDEX jobs_leased").await;
    check("SELECT id, status FROM jobs WHERE press = ?", "INDEX jobs_by_press (press=?)").await;
    check(keeping::TO_FORGET, "INDEX jobs_to_forget (finished>? AND finished<?)").await;
    check(keeping::SHOWN, "SEARCH images USING PRIMARY KEY (").await;
    for index in ["images_by_blob (blob=?)", "jobs_by_thumbnail (thumbnail=?)", "states_by_blob (blob=?)", "inputs_by_blob (blob=?)"] {
        check(keeping::UNNAMED, index).await;
    }
    check("SELECT seq FROM drafts WHERE user = ? ORDER BY seq DESC LIMIT 1 OFFSET 100", "INDEX drafts_by_user (user=?)").await;
    check("DELETE FROM drafts WHERE created < ?", "INDEX drafts_by_age (created<?)").await;
}

/// Rows that a change of one job writes, beside so many others that wait in its guild.
async fn rows_written(n_waiting: u32) -> [i64; 5] {
    let (_folder, store) = open().await;
    let of = |n: u32, user: u64| NewJob { user: UserId(user), ..job(&format!("{n} of {user}"), 1) };
    for n in 0..n_waiting {
        created(&store, of(n, u64::from(n % 7))).await;
    }
    let total = async || -> i64 { store.write(|db| sql("SELECT total_changes()").one(db)).await.unwrap() };
    let mut counts = vec![total().await];
    let cancelled = created(&store, of(n_waiting, 100)).await;
    counts.push(total().await);
    let dearer = store.claim(LEASE, &RUNNING, &[], NOW).await.unwrap().unwrap();
    counts.push(total().await);
    store.request_cancel(cancelled, NOW).await.unwrap();
    counts.push(total().await);
    store.complete(&dearer, 7.0, NOW).await.unwrap();
    counts.push(total().await);
    let released = store.claim(LEASE, &RUNNING, &[], NOW).await.unwrap().unwrap();
    store.release(&released, NOW).await.unwrap();
    counts.push(total().await);
    std::array::from_fn(|i| counts[i + 1] - counts[i])
}

#[tokio::test]
async fn what_happens_to_a_job_writes_as_much_however_many_wait() {
    let few = rows_written(3).await;
    assert!(few.iter().all(|n| (3..20).contains(n)), "{few:?}");
    assert_eq!(rows_written(300).await, few);
}

#[tokio::test]
async fn connections_are_set_for_durability() {
    let (_folder, store) = open().await;
    let pragma = async |connection: &mut sqlx::SqliteConnection, name: &str| {
        let row = sqlx::query(AssertSqlSafe(format!("PRAGMA {name}"))).fetch_one(connection).await.unwrap();
        row.try_get::<String, _>(0).or_else(|_| row.try_get::<i64, _>(0).map(|value| value.to_string())).unwrap()
    };
    let text = |db: &rusqlite::Connection, name: &str| {
        let value = db.pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0))?;
        Ok(match value {
            rusqlite::types::Value::Integer(number) => number.to_string(),
            rusqlite::types::Value::Text(text) => text,
            other => panic!("{other:?}"),
        })
    };
    for (name, expected) in [
        ("journal_mode", "wal"),
        ("synchronous", "2"),
        ("foreign_keys", "1"),
        ("busy_timeout", "5000"),
        ("auto_vacuum", "2"),
        ("trusted_schema", "0"),
        ("journal_size_limit", "67108864"),
        ("query_only", "0"),
    ] {
        assert_eq!(pragma(&mut *store.writer.take().await.unwrap(), name).await, expected, "{name}");
        assert_eq!(store.write(move |db| text(db, name)).await.unwrap(), expected, "{name}");
    }
    assert_eq!(store.inquirers.read(move |db| text(db, "query_only")).await.unwrap(), "1");
    assert_eq!(store.inquirers.read(move |db| text(db, "synchronous")).await.unwrap(), "2");
    assert!(store.inquirers.read(|db| sql("DELETE FROM notes").execute(db)).await.is_err(), "a reader cannot write");
    assert_eq!(pragma(&mut *store.readers.acquire().await.unwrap(), "query_only").await, "1");
    assert_eq!(pragma(&mut *store.readers.acquire().await.unwrap(), "synchronous").await, "2");
    let refused = sqlx::query("DELETE FROM notes").execute(&store.readers).await;
    assert!(refused.is_err(), "a reader cannot write");
}
