//! How a job comes in: known already, refused, or recorded and debited, all in one transaction.

use sqlx::{SqliteConnection, SqliteExecutor};

use super::{
    SqliteStore, quota, received,
    rows::{bytes, job_id, status},
    turns,
};
use crate::{
    cost::{to_row_megapixels, to_row_pixels},
    enqueue::*,
    error::StorageError,
    ids::*,
    jobs::JobStatus,
};

const INSERT: &str = "INSERT INTO jobs (id, key, press, keeps_press, guild, user, action, task, parent, parent_index, notes, status, \
    row_pixels, channel, token, token_expires, message, created) \
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'queued', ?, ?, ?, ?, ?, ?) RETURNING seq";

pub(super) async fn enqueue(store: &SqliteStore, job: NewJob, limits: &Limits, now: Timestamp) -> Result<Enqueued, StorageError> {
    let mut tx = store.begin().await?;
    let key = job.key.clone();
    let answer = match known(&mut tx, &job).await? {
        Some(known) => known,
        None => match refusal(&mut tx, &job, limits, now).await? {
            Some(refusal) => Enqueued::Refused(refusal),
            None => Enqueued::Created(insert(&mut tx, job, now).await?),
        },
    };
    if matches!(answer, Enqueued::Created(_) | Enqueued::SameKey(_)) {
        received::forget(&mut tx, &key).await?;
    }
    tx.commit().await?;
    Ok(answer)
}

async fn known(db: &mut SqliteConnection, job: &NewJob) -> Result<Option<Enqueued>, StorageError> {
    let same: Option<Vec<u8>> = sqlx::query_scalar("SELECT id FROM jobs WHERE key = ?").bind(&job.key).fetch_optional(&mut *db).await?;
    if let Some(id) = same {
        return Ok(Some(Enqueued::SameKey(job_id(&id)?)));
    }
    let Some(press) = &job.press else { return Ok(None) };
    Ok(by_press(db, &press.key).await?.map(|(id, status)| Enqueued::Pressed(id, status)))
}

pub(super) async fn pressed(store: &SqliteStore, key: &str) -> Result<Option<(JobId, JobStatus)>, StorageError> {
    by_press(&store.readers, key).await
}

async fn by_press(db: impl SqliteExecutor<'_>, key: &str) -> Result<Option<(JobId, JobStatus)>, StorageError> {
    let pressed: Option<(Vec<u8>, String)> =
        sqlx::query_as("SELECT id, status FROM jobs WHERE press = ?").bind(key).fetch_optional(db).await?;
    let Some((id, word)) = pressed else { return Ok(None) };
    let id = job_id(&id)?;
    let status = status(&word).ok_or_else(|| StorageError::corrupt("status", id))?;
    Ok(Some((id, status)))
}

async fn refusal(db: &mut SqliteConnection, job: &NewJob, limits: &Limits, now: Timestamp) -> Result<Option<Refusal>, StorageError> {
    let (guild, user) = (job.guild.0.cast_signed(), job.user.0.cast_signed());
    let active = sqlx::query_scalar("SELECT count(*) FROM jobs WHERE user = ? AND status IN ('queued', 'leased')");
    let active: u32 = active.bind(user).fetch_one(&mut *db).await?;
    if active >= limits.max_active_per_user {
        return Ok(Some(Refusal::UserBusy { active, limit: limits.max_active_per_user }));
    }
    let in_guild = sqlx::query_scalar("SELECT count(*) FROM jobs WHERE guild = ? AND status = 'queued'");
    let in_guild: u32 = in_guild.bind(guild).fetch_one(&mut *db).await?;
    if in_guild >= limits.max_queued_per_guild {
        return Ok(Some(Refusal::GuildFull { limit: limits.max_queued_per_guild }));
    }
    let queued: u32 = sqlx::query_scalar("SELECT count(*) FROM jobs WHERE status = 'queued'").fetch_one(&mut *db).await?;
    if queued >= limits.max_queued {
        return Ok(Some(Refusal::QueueFull { limit: limits.max_queued }));
    }
    let least = quota::accounts(db, (guild, user), limits, now).await?.into_iter().next();
    let cost = to_row_pixels(job.row_megapixels);
    let in_the_way = least.filter(|account| account.used.saturating_add(cost) > account.limit);
    Ok(in_the_way.map(|account| Refusal::Quota { of: account.of, quota: account.status(now), cost: to_row_megapixels(cost) }))
}

async fn insert(db: &mut SqliteConnection, job: NewJob, now: Timestamp) -> Result<JobId, StorageError> {
    let id = JobId::new();
    let (guild, user) = (job.guild.0.cast_signed(), job.user.0.cast_signed());
    let row_pixels = to_row_pixels(job.row_megapixels);
    turns::arrive(db, guild, user).await?;
    let (press, keeps_press) = job.press.map_or((None, false), |press| (Some(press.key), press.keep));
    let (parent, parent_index) = job.parent.map_or((None, None), |(id, index)| (Some(bytes(id)), Some(index)));
    let seq: i64 = sqlx::query_scalar(INSERT)
        .bind(bytes(id))
        .bind(job.key)
        .bind(press)
        .bind(keeps_press)
        .bind(guild)
        .bind(user)
        .bind(job.action)
        .bind(job.task.to_string())
        .bind(parent)
        .bind(parent_index)
        .bind(job.notes.map(|notes| notes.to_string()))
        .bind(row_pixels)
        .bind(job.delivery.channel.cast_signed())
        .bind(job.delivery.token)
        .bind(job.delivery.token_expires.0)
        .bind(job.delivery.message.map(u64::cast_signed))
        .bind(now.0)
        .fetch_one(&mut *db)
        .await?;
    for (number, JobInput { role, blob }) in (0_u32..).zip(job.inputs) {
        let input = sqlx::query("INSERT INTO inputs (job, number, role, blob) VALUES (?, ?, ?, ?)");
        input.bind(seq).bind(number).bind(role).bind(blob.to_string()).execute(&mut *db).await?;
    }
    turns::retag(db, guild).await?;
    quota::debit(db, seq, (guild, user), row_pixels, now).await?;
    Ok(id)
}
