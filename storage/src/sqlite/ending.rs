//! How a job ends, whoever ends it: status, price, fairness and the message to its user change together.

use rusqlite::Connection;

use super::{
    quota::{self, Charge},
    rows::status_word,
    sql::sql,
    turns::{self, Lane},
};
use crate::{error::StorageError, failure::Failure, ids::Timestamp, jobs::JobStatus};

/// The columns of [`Open`], for `concat!`.
macro_rules! open_columns {
    () => {
        "seq, guild, tier, user, row_pixels, attempts, is_cancel_requested"
    };
}
pub(super) use open_columns;

from_row! {
    /// A job that has not ended yet.
    pub(super) struct Open {
        pub(super) seq: i64,
        guild: i64,
        tier: i64,
        user: i64,
        pub(super) row_pixels: i64,
        pub(super) attempts: u32,
        pub(super) is_cancel_requested: bool,
    }
}

impl Open {
    /// Whose turns it takes.
    pub(super) fn lane(&self) -> Result<Lane, StorageError> {
        let tier = turns::tier(self.tier).ok_or_else(|| StorageError::corrupt("tier", self.seq))?;
        Ok(Lane { guild: self.guild, tier, user: self.user })
    }
}

/// How it ends.
#[derive(Clone, Copy)]
pub(super) struct Ending<'a> {
    pub(super) status: JobStatus,
    pub(super) charge: Charge,
    pub(super) failure: Option<&'a Failure>,
}

/// Ends a job. A refund leaves its flows as they are: the device may have worked for it, and a guild of failing jobs must not starve others.
pub(super) fn end(db: &Connection, job: &Open, ending: Ending<'_>, now: Timestamp) -> Result<(), StorageError> {
    const END: &str = "UPDATE jobs SET status = ?2, finished = ?3, error = ?4, lease_until = NULL, \
            press = CASE WHEN ?2 = 'done' AND keeps_press THEN press END WHERE seq = ?1; \
        INSERT INTO outbox (job, kind, since, due) VALUES (?1, ?2, ?3, ?3); \
        DELETE FROM checkpoints WHERE job = ?1";
    let write = sql(END).bind(job.seq).bind(status_word(ending.status)).bind(now.0);
    write.bind(ending.failure.map(Failure::to_text)).execute(db)?;
    quota::correct(db, job.seq, ending.charge)?;
    match ending.charge {
        Charge::Settle(actual) => turns::correct(db, job.lane()?, job.row_pixels, actual),
        Charge::Refund => Ok(()),
    }
}
