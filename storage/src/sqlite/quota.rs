//! The ledger: every job is debited once when it comes in and corrected once when it ends, on the day of the debit.

use sqlx::SqliteConnection;

use super::SqliteStore;
use crate::{
    cost::{to_row_megapixels, to_row_pixels},
    enqueue::Limits,
    error::StorageError,
    ids::*,
    quota::*,
};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

// Each takes day, guild and user, and leaves out what it does not ask for. Triggers keep the sums with the ledger (migration 10).
pub(super) const BY_GUILD: &str = "SELECT coalesce(sum(row_pixels), 0) FROM spent WHERE guild = ?2 AND day = ?1";
pub(super) const BY_MEMBER: &str = "SELECT coalesce(sum(row_pixels), 0) FROM spent WHERE day = ?1 AND user = ?3 AND guild = ?2";
pub(super) const BY_USER: &str = "SELECT coalesce(sum(row_pixels), 0) FROM spent INDEXED BY spent_by_user WHERE day = ?1 AND user = ?3";
pub(super) const BY_HOST: &str = "SELECT coalesce(sum(row_pixels), 0) FROM spent WHERE day = ?1";

/// What a job that ended is charged for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Charge {
    /// Nothing.
    Refund,
    /// Row-pixels that were really computed.
    Settle(i64),
}

/// A day's sum and its limit, in row-pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Account {
    pub(super) of: QuotaOf,
    pub(super) used: i64,
    pub(super) limit: i64,
}

impl Account {
    /// For people.
    pub(super) fn status(&self, now: Timestamp) -> QuotaStatus {
        let resets = Timestamp(day(now).saturating_add(1).saturating_mul(DAY_MS));
        QuotaStatus { used: to_row_megapixels(self.used), limit: to_row_megapixels(self.limit), resets }
    }
}

pub(super) async fn quotas(
    store: &SqliteStore,
    guild: GuildId,
    user: UserId,
    limits: &Limits,
    now: Timestamp,
) -> Result<Vec<(QuotaOf, QuotaStatus)>, StorageError> {
    let mut db = store.readers.acquire().await?;
    let accounts = accounts(&mut db, (guild.0.cast_signed(), user.0.cast_signed()), limits, now).await?;
    Ok(accounts.iter().map(|account| (account.of, account.status(now))).collect())
}

/// Everything that bounds what a user asks for in a guild, with what was spent or reserved on the day of `now`; the least left first.
pub(super) async fn accounts(
    db: &mut SqliteConnection,
    (guild, user): (i64, i64),
    limits: &Limits,
    now: Timestamp,
) -> Result<Vec<Account>, StorageError> {
    let all = [
        (QuotaOf::User, BY_USER, limits.daily_row_megapixels_per_user),
        (QuotaOf::Member, BY_MEMBER, limits.daily_row_megapixels_per_member),
        (QuotaOf::Guild, BY_GUILD, Some(limits.daily_row_megapixels)),
        (QuotaOf::Host, BY_HOST, limits.daily_row_megapixels_host),
    ];
    let mut accounts = Vec::new();
    for (of, sum, limit) in all {
        let Some(limit) = limit else { continue };
        let used: i64 = sqlx::query_scalar(sum).bind(day(now)).bind(guild).bind(user).fetch_one(&mut *db).await?;
        accounts.push(Account { of, used, limit: to_row_pixels(limit) });
    }
    accounts.sort_by_key(|account| account.limit.saturating_sub(account.used));
    Ok(accounts)
}

pub(super) async fn debit(
    db: &mut SqliteConnection,
    job: i64,
    (guild, user): (i64, i64),
    row_pixels: i64,
    now: Timestamp,
) -> Result<(), StorageError> {
    let write = sqlx::query("INSERT INTO ledger (job, kind, guild, user, day, row_pixels) VALUES (?, 'debit', ?, ?, ?, ?)");
    write.bind(job).bind(guild).bind(user).bind(day(now)).bind(row_pixels).execute(db).await?;
    Ok(())
}

/// Corrects the debit of a job that ended.
pub(super) async fn correct(db: &mut SqliteConnection, job: i64, charge: Charge) -> Result<(), StorageError> {
    const WRITE: &str = "INSERT INTO ledger (job, kind, guild, user, day, row_pixels) \
        SELECT job, ?2, guild, user, day, ?3 - row_pixels FROM ledger WHERE job = ?1 AND kind = 'debit'";
    let (kind, actual) = match charge {
        Charge::Refund => ("refund", 0),
        Charge::Settle(actual) => ("settle", actual),
    };
    sqlx::query(WRITE).bind(job).bind(kind).bind(actual).execute(db).await?;
    Ok(())
}

/// Makes a refund of the correction of a job that was charged: there is one correction a job.
pub(super) async fn give_back(db: &mut SqliteConnection, job: i64) -> Result<(), StorageError> {
    const WRITE: &str = "UPDATE ledger SET kind = 'refund', \
        row_pixels = -(SELECT row_pixels FROM ledger AS debit WHERE debit.job = ledger.job AND debit.kind = 'debit') \
        WHERE job = ? AND kind = 'settle'";
    sqlx::query(WRITE).bind(job).execute(db).await?;
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
        let account = Account { of: QuotaOf::Guild, used: 0, limit: 1 };
        let check = |now: i64, resets: i64| assert_eq!(account.status(Timestamp(now)).resets, Timestamp(resets), "{now}");
        check(0, DAY_MS);
        check(DAY_MS - 1, DAY_MS);
        check(DAY_MS, 2 * DAY_MS);
        check(-1, 0);
    }
}
