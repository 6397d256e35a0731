//! The ledger: every job is debited once when it comes in and corrected once when it ends, on the day of the debit.

use rusqlite::Connection;

use super::{
    SqliteStore,
    rules::{self, Bound, period_word},
    sql::sql,
};
use crate::{
    cost::{to_row_megapixels, to_row_pixels},
    enqueue::Limits,
    error::StorageError,
    ids::*,
    quota::*,
    zone::Zone,
};

// Each takes the number of a day or month, guild and user, and leaves out what it does not ask for. Triggers keep the sums with the ledger
// (migrations 10 and 17).
pub(super) const BY_GUILD: &str = "SELECT coalesce(sum(row_pixels), 0) FROM spent WHERE guild = ?2 AND day = ?1";
pub(super) const BY_MEMBER: &str = "SELECT coalesce(sum(row_pixels), 0) FROM spent WHERE day = ?1 AND user = ?3 AND guild = ?2";
pub(super) const BY_USER: &str = "SELECT coalesce(sum(row_pixels), 0) FROM spent INDEXED BY spent_by_user WHERE day = ?1 AND user = ?3";
pub(super) const BY_HOST: &str = "SELECT coalesce(sum(row_pixels), 0) FROM spent WHERE day = ?1";
pub(super) const MONTH_BY_GUILD: &str = "SELECT coalesce(sum(row_pixels), 0) FROM guild_months WHERE guild = ?2 AND month = ?1";
pub(super) const MONTH_BY_MEMBER: &str =
    "SELECT coalesce(sum(row_pixels), 0) FROM spent_by_month WHERE month = ?1 AND user = ?3 AND guild = ?2";
pub(super) const MONTH_BY_USER: &str =
    "SELECT coalesce(sum(row_pixels), 0) FROM spent_by_month INDEXED BY spent_by_month_by_user WHERE month = ?1 AND user = ?3";
pub(super) const MONTH_BY_HOST: &str = "SELECT coalesce(sum(row_pixels), 0) FROM guild_months WHERE month = ?1";

/// What a job that ended is charged for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Charge {
    /// Nothing.
    Refund,
    /// Row-pixels that were really computed.
    Settle(i64),
}

/// A sum and its limit, in row-pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Account {
    pub(super) of: QuotaOf,
    pub(super) used: i64,
    pub(super) limit: i64,
    carried: i64,
    period: Period,
    resets: Timestamp,
}

impl Account {
    /// For people.
    pub(super) fn status(&self) -> QuotaStatus {
        QuotaStatus {
            used: to_row_megapixels(self.used),
            limit: to_row_megapixels(self.limit),
            carried: to_row_megapixels(self.carried),
            period: self.period,
            resets: self.resets,
        }
    }
}

pub(super) async fn quotas(
    store: &SqliteStore,
    spender: &Spender,
    limits: &Limits,
    now: Timestamp,
) -> Result<Vec<(QuotaOf, QuotaStatus)>, StorageError> {
    let (spender, limits, zone) = (spender.clone(), *limits, store.zone.clone());
    let read = move |db: &Connection| accounts(db, &spender, &limits, &Moment { zone: &zone, now });
    Ok(store.inquirers.read(read).await?.iter().map(|account| (account.of, account.status())).collect())
}

/// A time, as the store's zone reads it.
pub(super) struct Moment<'a> {
    pub(super) zone: &'a Zone,
    pub(super) now: Timestamp,
}

impl Moment<'_> {
    fn number(&self, period: Period) -> i64 {
        self.zone.number(period, self.now)
    }
}

/// Everything that bounds what somebody asks for, with what was spent or reserved in this day and month; the least left first.
pub(super) fn accounts(db: &Connection, spender: &Spender, limits: &Limits, moment: &Moment<'_>) -> Result<Vec<Account>, StorageError> {
    let rules = rules::binding(db, spender)?;
    let of_host = [
        (QuotaOf::User, Period::Day, limits.daily_row_megapixels_per_user),
        (QuotaOf::User, Period::Month, limits.monthly_row_megapixels_per_user),
        (QuotaOf::Member, Period::Day, None),
        (QuotaOf::Member, Period::Month, None),
        (QuotaOf::Guild, Period::Day, Some(limits.daily_row_megapixels)),
        (QuotaOf::Guild, Period::Month, limits.monthly_row_megapixels),
        (QuotaOf::Host, Period::Day, limits.daily_row_megapixels_host),
        (QuotaOf::Host, Period::Month, limits.monthly_row_megapixels_host),
    ];
    let mut accounts = Vec::new();
    for (of, period, of_host) in of_host {
        let of_host = of_host.map(to_row_pixels);
        let is_its = |rule: &&Bound| rule.period == period && (rule.subject == Subject::Guild) == (of == QuotaOf::Guild);
        let rule = rules.iter().find(is_its).filter(|_| matches!(of, QuotaOf::Guild | QuotaOf::Member));
        let (limit, carried) = match rule {
            Some(rule) => {
                let with_carried = rule.limit.saturating_add(carried(db, spender, rule, moment)?);
                let limit = with_carried.min(of_host.unwrap_or(i64::MAX));
                (limit, limit.saturating_sub(rule.limit).max(0))
            }
            None => match of_host {
                Some(limit) => (limit, 0),
                None => continue,
            },
        };
        let used = used(db, spender, of, (period, moment.number(period)))?;
        accounts.push(Account { of, used, limit, carried, period, resets: moment.zone.end(period, moment.now) });
    }
    accounts.sort_by_key(|account| account.limit.saturating_sub(account.used));
    Ok(accounts)
}

/// What goes over from the period before: what was left of the rule's own limit, without what was carried into that.
fn carried(db: &Connection, spender: &Spender, rule: &Bound, moment: &Moment<'_>) -> Result<i64, StorageError> {
    let number = moment.number(rule.period);
    if rule.carry == 0 || moment.zone.number(rule.period, rule.since) >= number {
        return Ok(0);
    }
    let of = if rule.subject == Subject::Guild { QuotaOf::Guild } else { QuotaOf::Member };
    let left = rule.limit.saturating_sub(used(db, spender, of, (rule.period, number - 1))?);
    Ok(left.clamp(0, rule.carry.min(rule.limit)))
}

/// What was used in a day or month and counts.
fn used(db: &Connection, spender: &Spender, of: QuotaOf, (period, number): (Period, i64)) -> Result<i64, StorageError> {
    const FORGIVEN: &str = "SELECT row_pixels FROM forgiven WHERE guild = ? AND user = ? AND period = ? AND number = ?";
    let sum = match (period, of) {
        (Period::Day, QuotaOf::Guild) => BY_GUILD,
        (Period::Day, QuotaOf::Member) => BY_MEMBER,
        (Period::Day, QuotaOf::User) => BY_USER,
        (Period::Day, QuotaOf::Host) => BY_HOST,
        (Period::Month, QuotaOf::Guild) => MONTH_BY_GUILD,
        (Period::Month, QuotaOf::Member) => MONTH_BY_MEMBER,
        (Period::Month, QuotaOf::User) => MONTH_BY_USER,
        (Period::Month, QuotaOf::Host) => MONTH_BY_HOST,
    };
    let (guild, user) = (spender.guild.0.cast_signed(), spender.user.0.cast_signed());
    let sum: i64 = sql(sum).bind(number).bind(guild).bind(user).one(db)?;
    let user = match of {
        QuotaOf::Member => user,
        QuotaOf::Guild => 0,
        QuotaOf::User | QuotaOf::Host => return Ok(sum),
    };
    let forgiven = sql(FORGIVEN).bind(guild).bind(user).bind(period_word(period)).bind(number);
    let forgiven: Option<i64> = forgiven.optional(db)?;
    // What was debited before and is given back after takes the sum below what was forgiven.
    Ok(forgiven.map_or(sum, |forgiven| (sum - forgiven).max(0)))
}

pub(super) async fn forgive(
    store: &SqliteStore,
    guild: GuildId,
    user: Option<UserId>,
    period: Period,
    now: Timestamp,
) -> Result<f64, StorageError> {
    const WRITE: &str = "INSERT INTO forgiven (guild, user, period, number, row_pixels) VALUES (?, ?, ?, ?, ?) \
        ON CONFLICT (guild, user, period, number) DO UPDATE SET row_pixels = row_pixels + excluded.row_pixels";
    let of = if user.is_some() { QuotaOf::Member } else { QuotaOf::Guild };
    let spender = Spender::new(guild, user.unwrap_or(UserId(0)));
    let number = store.zone.number(period, now);
    let write = move |db: &Connection| {
        let used = used(db, &spender, of, (period, number))?;
        let write = sql(WRITE).bind(guild.0.cast_signed()).bind(spender.user.0.cast_signed());
        write.bind(period_word(period)).bind(number).bind(used).execute(db)?;
        Ok(to_row_megapixels(used))
    };
    store.write(write).await
}

pub(super) fn debit(db: &Connection, job: i64, spender: &Spender, row_pixels: i64, moment: &Moment<'_>) -> Result<(), StorageError> {
    let write = sql("INSERT INTO ledger (job, kind, guild, user, day, row_pixels) VALUES (?, 'debit', ?, ?, ?, ?)");
    let write = write.bind(job).bind(spender.guild.0.cast_signed()).bind(spender.user.0.cast_signed());
    write.bind(moment.number(Period::Day)).bind(row_pixels).execute(db)?;
    Ok(())
}

/// Corrects the debit of a job that ended; one that was free has none.
pub(super) fn correct(db: &Connection, job: i64, charge: Charge) -> Result<(), StorageError> {
    const WRITE: &str = "INSERT INTO ledger (job, kind, guild, user, day, row_pixels) \
        SELECT job, ?2, guild, user, day, ?3 - row_pixels FROM ledger WHERE job = ?1 AND kind = 'debit'";
    let (kind, actual) = match charge {
        Charge::Refund => ("refund", 0),
        Charge::Settle(actual) => ("settle", actual),
    };
    sql(WRITE).bind(job).bind(kind).bind(actual).execute(db)?;
    Ok(())
}

/// Makes a refund of the correction of a job that was charged: there is one correction a job.
pub(super) fn give_back(db: &Connection, job: i64) -> Result<(), StorageError> {
    const WRITE: &str = "UPDATE ledger SET kind = 'refund', \
        row_pixels = -(SELECT row_pixels FROM ledger AS debit WHERE debit.job = ledger.job AND debit.kind = 'debit') \
        WHERE job = ? AND kind = 'settle'";
    sql(WRITE).bind(job).execute(db)?;
    Ok(())
}

/// Gives back some of the equal shares in the price of a job that was charged.
pub(super) fn give_back_share(db: &Connection, job: i64, n: i64, of: i64) -> Result<(), StorageError> {
    const WRITE: &str = "UPDATE ledger SET row_pixels = (debited + row_pixels) * ?2 / ?3 - debited \
        FROM (SELECT row_pixels AS debited FROM ledger WHERE job = ?1 AND kind = 'debit') WHERE job = ?1 AND kind = 'settle'";
    if n > 0 {
        sql(WRITE).bind(job).bind(of - n).bind(of).execute(db)?;
    }
    Ok(())
}
