//! The ledger: every job is debited once when it comes in and corrected once when it ends, on the day of the debit.

use sqlx::SqliteConnection;

use super::SqliteStore;
use crate::{cost::to_row_megapixels, error::StorageError, ids::*, quota::QuotaStatus};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// What a job that ended is charged for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Charge {
    /// Nothing.
    Refund,
    /// Row-pixels that were really computed.
    Settle(i64),
}

pub(super) async fn quota(store: &SqliteStore, guild: GuildId, limit: f64, now: Timestamp) -> Result<QuotaStatus, StorageError> {
    let mut db = store.readers.acquire().await?;
    let used = used(&mut db, guild.0.cast_signed(), now).await?;
    Ok(status(used, limit, now))
}

/// Row-pixels that a guild has spent or reserved on the day of `now`.
pub(super) async fn used(db: &mut SqliteConnection, guild: i64, now: Timestamp) -> Result<i64, StorageError> {
    let sum = sqlx::query_scalar("SELECT coalesce(sum(row_pixels), 0) FROM ledger WHERE guild = ? AND day = ?");
    Ok(sum.bind(guild).bind(day(now)).fetch_one(db).await?)
}

pub(super) fn status(used: i64, limit: f64, now: Timestamp) -> QuotaStatus {
    let resets = Timestamp(day(now).saturating_add(1).saturating_mul(DAY_MS));
    QuotaStatus { used: to_row_megapixels(used), limit, resets }
}

pub(super) async fn debit(db: &mut SqliteConnection, job: i64, guild: i64, row_pixels: i64, now: Timestamp) -> Result<(), StorageError> {
    let write = sqlx::query("INSERT INTO ledger (job, kind, guild, day, row_pixels) VALUES (?, 'debit', ?, ?, ?)");
    write.bind(job).bind(guild).bind(day(now)).bind(row_pixels).execute(db).await?;
    Ok(())
}

/// Corrects the debit of a job that ended.
pub(super) async fn correct(db: &mut SqliteConnection, job: i64, charge: Charge) -> Result<(), StorageError> {
    const WRITE: &str = "INSERT INTO ledger (job, kind, guild, day, row_pixels) \
        SELECT job, ?2, guild, day, ?3 - row_pixels FROM ledger WHERE job = ?1 AND kind = 'debit'";
    let (kind, actual) = match charge {
        Charge::Refund => ("refund", 0),
        Charge::Settle(actual) => ("settle", actual),
    };
    sqlx::query(WRITE).bind(job).bind(kind).bind(actual).execute(db).await?;
    Ok(())
}

fn day(now: Timestamp) -> i64 {
    now.0.div_euclid(DAY_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_at_midnight_utc() {
        let check = |now: i64, resets: i64| assert_eq!(status(0, 1.0, Timestamp(now)).resets, Timestamp(resets), "{now}");
        check(0, DAY_MS);
        check(DAY_MS - 1, DAY_MS);
        check(DAY_MS, 2 * DAY_MS);
        check(-1, 0);
    }
}
