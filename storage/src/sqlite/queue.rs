//! The queue as people see it.

use std::collections::HashMap;

use sqlx::SqliteConnection;

use super::{
    SqliteStore,
    rows::job_id,
    turns::{self, tier_number},
};
use crate::{
    error::StorageError,
    ids::{GuildId, JobId, Timestamp, UserId},
    jobs::{Backlog, QueueStatus},
    turns::{Tags, Turn, Turns},
};

/// The oldest jobs of those who can have one of the next turns; takes how many turns.
pub(super) const HEADS: &str = "SELECT jobs.seq, jobs.id, jobs.row_pixels, flows.guild, flows.tier, flow_users.user, \
        (SELECT virtual_time FROM turns) AS time, flows.start_tag AS flow_tag, flows.virtual_time AS flow_time, \
        flow_users.start_tag AS user_tag \
    FROM (SELECT * FROM flows WHERE head IS NOT NULL AND guild NOT IN (SELECT guild FROM pauses) ORDER BY start_tag, head LIMIT ?1) AS flows \
        CROSS JOIN flow_users ON flow_users.guild = flows.guild AND flow_users.tier = flows.tier AND flow_users.user IN \
            (SELECT user FROM flow_users AS other WHERE other.guild = flows.guild AND other.tier = flows.tier AND other.head IS NOT NULL \
             ORDER BY other.start_tag, other.head LIMIT ?1) \
        CROSS JOIN jobs ON jobs.seq = flow_users.head";

from_row! {
    struct Head {
        seq: i64,
        id: Vec<u8>,
        row_pixels: i64,
        guild: i64,
        tier: i64,
        user: i64,
        time: i64,
        flow_tag: i64,
        flow_time: i64,
        user_tag: i64,
    }
}

/// The next `n` turns: those of the flows and users that can have one are played through.
pub(super) async fn queue(store: &SqliteStore, n: u32) -> Result<Vec<JobId>, StorageError> {
    let mut tx = store.readers.begin().await?;
    let (mut turns, mut ids) = (Turns::default(), HashMap::new());
    let heads: Vec<Head> = sqlx::query_as(HEADS).bind(n).fetch_all(&mut *tx).await?;
    for head in heads {
        let tier = turns::tier(head.tier).ok_or_else(|| StorageError::corrupt("tier", head.seq))?;
        let (guild, user) = (GuildId(head.guild.cast_unsigned()), UserId(head.user.cast_unsigned()));
        let turn = Turn { guild, tier, weight: tier.weight(), user, seq: head.seq, row_pixels: head.row_pixels };
        turns.put(turn, Tags { time: head.time, flow: head.flow_tag, flow_time: head.flow_time, user: head.user_tag });
        ids.insert(head.seq, job_id(&head.id)?);
    }
    let mut queue = Vec::new();
    while queue.len() < n as usize
        && let Some(next) = turns.next()
    {
        turns.serve(&next);
        if !turns.waits(&next) {
            for (seq, id, row_pixels) in after(&mut tx, &next, n).await? {
                turns.put(Turn { seq, row_pixels, ..next }, turns.tags(&next));
                ids.insert(seq, job_id(&id)?);
            }
        }
        queue.extend(ids.remove(&next.seq));
    }
    Ok(queue)
}

pub(super) const AFTER: &str = "SELECT seq, id, row_pixels FROM jobs \
    WHERE guild = ?1 AND tier = ?2 AND user = ?3 AND status = 'queued' AND seq > ?4 ORDER BY seq LIMIT ?5";

/// A user's jobs after one of them, the oldest first.
async fn after(db: &mut SqliteConnection, job: &Turn, n: u32) -> Result<Vec<(i64, Vec<u8>, i64)>, StorageError> {
    let query = sqlx::query_as(AFTER).bind(job.guild.0.cast_signed()).bind(tier_number(job.tier));
    Ok(query.bind(job.user.0.cast_signed()).bind(job.seq).bind(n).fetch_all(db).await?)
}

pub(super) async fn waiting(store: &SqliteStore) -> Result<Vec<JobId>, StorageError> {
    let ids: Vec<Vec<u8>> =
        sqlx::query_scalar("SELECT id FROM jobs WHERE status = 'queued' ORDER BY seq").fetch_all(&store.readers).await?;
    ids.iter().map(|id| job_id(id)).collect()
}

pub(super) async fn queue_status(store: &SqliteStore) -> Result<QueueStatus, StorageError> {
    const COUNTS: &str = "SELECT (SELECT waiting FROM turns), (SELECT count(*) FROM jobs WHERE status = 'leased')";
    let (queued, running) = sqlx::query_as(COUNTS).fetch_one(&store.readers).await?;
    Ok(QueueStatus { queued, running })
}

pub(super) const BACKLOG: &str = "SELECT \
    (SELECT min(created) FROM flow_users CROSS JOIN jobs ON jobs.seq = flow_users.head WHERE flow_users.head IS NOT NULL), \
    (SELECT count(*) FROM outbox WHERE state = 'pending')";

pub(super) async fn backlog(store: &SqliteStore) -> Result<Backlog, StorageError> {
    let (oldest, undelivered): (Option<i64>, u32) = sqlx::query_as(BACKLOG).fetch_one(&store.readers).await?;
    Ok(Backlog { oldest: oldest.map(Timestamp), undelivered })
}
