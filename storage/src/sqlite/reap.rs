//! What happens to jobs whose worker is gone.

use super::{
    SqliteStore,
    ending::{Ending, Open, end, open_columns},
    quota::Charge,
    sql::sql,
    worker::requeue,
};
use crate::{error::StorageError, failure::Failure, ids::Timestamp, jobs::JobStatus};

/// A job that stops its worker this often is the likely cause.
const MAX_ATTEMPTS: u32 = 3;

pub(super) async fn reap(store: &SqliteStore, all: bool, now: Timestamp) -> Result<u32, StorageError> {
    const ORPHANS: &str =
        concat!("SELECT ", open_columns!(), " FROM jobs WHERE status = 'leased' AND lease_until <= ? ORDER BY lease_until, seq");
    // Given by a clock that was set back since: it would hold its job until that clock has come round again.
    const COUNT_FROM_NOW: &str =
        "UPDATE jobs SET lease_until = lease_until - lease_since + ?1, lease_since = ?1 WHERE status = 'leased' AND lease_since > ?1";
    let write = move |db: &rusqlite::Connection| {
        sql(COUNT_FROM_NOW).bind(now.0).execute(db)?;
        let before = if all { i64::MAX } else { now.0 };
        let orphans: Vec<Open> = sql(ORPHANS).bind(before).all(db)?;
        for job in &orphans {
            if job.is_cancel_requested {
                end(db, job, Ending { status: JobStatus::Cancelled, charge: Charge::Refund, failure: None }, now)?;
            } else if job.attempts >= MAX_ATTEMPTS {
                let failure = Failure::OutOfAttempts { attempts: job.attempts };
                end(db, job, Ending { status: JobStatus::Failed, charge: Charge::Refund, failure: Some(&failure) }, now)?;
            } else {
                requeue(db, job)?;
            }
        }
        Ok(u32::try_from(orphans.len()).unwrap_or(u32::MAX))
    };
    store.write(write).await
}
