//! The tags of flows as rows: read, changed by the rule (`crate::turns`) and written, whatever else waits.

use rusqlite::Connection;

use super::sql::{Sql, sql};
use crate::{
    error::StorageError,
    pace::Pace,
    turns::{Tags, Tier, Weight},
};

/// Which flow and user a job belongs to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lane {
    pub(super) guild: i64,
    pub(super) tier: Tier,
    pub(super) user: i64,
}

/// The number of a tier, as it stands in a row.
pub(super) fn tier_number(tier: Tier) -> i64 {
    match tier {
        Tier::Fast => 0,
        Tier::Relax => 1,
    }
}

/// Reads a tier.
pub(super) fn tier(number: i64) -> Option<Tier> {
    [Tier::Fast, Tier::Relax].into_iter().find(|tier| tier_number(*tier) == number)
}

from_row! {
    struct Row {
        time: i64,
        flow: Option<i64>,
        flow_time: Option<i64>,
        user: Option<i64>,
    }
}

/// The tags of a lane; those of somebody new are behind all virtual time.
fn read(db: &Connection, lane: Lane) -> Result<Tags, StorageError> {
    const READ: &str = "SELECT turns.virtual_time AS time, flows.start_tag AS flow, flows.virtual_time AS flow_time, \
            flow_users.start_tag AS user \
        FROM turns LEFT JOIN flows ON flows.guild = ?1 AND flows.tier = ?2 \
            LEFT JOIN flow_users ON flow_users.guild = ?1 AND flow_users.tier = ?2 AND flow_users.user = ?3";
    let query = sql(READ).bind(lane.guild).bind(tier_number(lane.tier)).bind(lane.user);
    let row: Row = query.one(db)?;
    Ok(tags(row.time, row.flow, row.flow_time, row.user))
}

/// Tags from columns that are `NULL` for somebody new.
pub(super) fn tags(time: i64, flow: Option<i64>, flow_time: Option<i64>, user: Option<i64>) -> Tags {
    Tags { time, flow: flow.unwrap_or(i64::MIN), flow_time: flow_time.unwrap_or(0), user: user.unwrap_or(i64::MIN) }
}

/// Writes the tags of a lane, and what waits in it after its jobs changed. The parameters have no numbers: in one query of several statements
/// they go on from one to the next.
macro_rules! change {
    () => {
        "UPDATE flow_users SET start_tag = ?, waiting = waiting + ?, head = (SELECT min(seq) FROM jobs WHERE jobs.guild = flow_users.guild \
                AND jobs.tier = flow_users.tier AND jobs.user = flow_users.user AND jobs.status = 'queued') \
            WHERE guild = ? AND tier = ? AND user = ?; \
        UPDATE flows SET start_tag = ?, virtual_time = ?, waiting = waiting + ?, head = (SELECT users.head FROM flow_users AS users \
                WHERE users.guild = flows.guild AND users.tier = flows.tier AND users.head IS NOT NULL ORDER BY users.start_tag, users.head LIMIT 1) \
            WHERE guild = ? AND tier = ?; \
        UPDATE turns SET virtual_time = ?, waiting = waiting + ?"
    };
}

/// Binds what [`change!`] takes: `more_waiting` jobs came to wait, or left, below 0.
fn bind(write: Sql, lane: Lane, tags: &Tags, more_waiting: i64) -> Sql {
    let tier = tier_number(lane.tier);
    let write = write.bind(tags.user).bind(more_waiting).bind(lane.guild).bind(tier).bind(lane.user);
    let write = write.bind(tags.flow).bind(tags.flow_time).bind(more_waiting).bind(lane.guild).bind(tier);
    write.bind(tags.time).bind(more_waiting)
}

/// A job came in with these tags; its row is there.
pub(super) fn arrived(db: &Connection, lane: Lane, tags: &Tags) -> Result<(), StorageError> {
    const ARRIVED: &str = concat!(
        "INSERT INTO flow_users (guild, tier, user, start_tag) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING; \
         INSERT INTO flows (guild, tier, start_tag) VALUES (?, ?, ?) ON CONFLICT DO NOTHING; ",
        change!()
    );
    let tier = tier_number(lane.tier);
    let write = sql(ARRIVED).bind(lane.guild).bind(tier).bind(lane.user).bind(tags.user);
    bind(write.bind(lane.guild).bind(tier).bind(tags.flow), lane, tags, 1).execute(db)?;
    Ok(())
}

fn change(db: &Connection, lane: Lane, tags: &Tags, more_waiting: i64) -> Result<(), StorageError> {
    bind(sql(change!()), lane, tags, more_waiting).execute(db)?;
    Ok(())
}

/// A job was claimed, after which the tags and the pace are these; its row says so.
pub(super) fn served(db: &Connection, lane: Lane, tags: &Tags, pace: Pace) -> Result<(), StorageError> {
    const SERVED: &str = concat!(change!(), ", served = ?, pace_ms = ?");
    let write = bind(sql(SERVED), lane, tags, -1);
    write.bind(pace.served.map(|served| served.0)).bind(pace.ms).execute(db)?;
    Ok(())
}

/// A waiting job was cancelled; its row says so.
pub(super) fn leave(db: &Connection, lane: Lane) -> Result<(), StorageError> {
    let tags = read(db, lane)?;
    change(db, lane, &tags, -1)
}

/// Takes back what serving a job cost its flow and user, because it waits again; its row says so.
pub(super) fn give_back(db: &Connection, lane: Lane, row_pixels: i64) -> Result<(), StorageError> {
    let mut tags = read(db, lane)?;
    tags.give_back(lane.tier.weight(), row_pixels);
    change(db, lane, &tags, 1)
}

/// Charges the flow and user of a served job for what it really cost.
pub(super) fn correct(db: &Connection, lane: Lane, estimated: i64, actual: i64) -> Result<(), StorageError> {
    if Weight::FULL.span(estimated) == Weight::FULL.span(actual) {
        return Ok(());
    }
    let mut tags = read(db, lane)?;
    tags.correct(lane.tier.weight(), estimated, actual);
    change(db, lane, &tags, 0)
}
