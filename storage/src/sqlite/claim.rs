//! Which job a worker gets: the first by turns whose flow and user may run another one, or one near it whose model is in memory.

use std::{collections::HashMap, time::Duration};

use rusqlite::{Connection, Row};

use super::{
    SqliteStore, checkpoints, images, pauses,
    rows::{JobRow, job_columns},
    sql::{Read, sql},
    turns::{self, Lane, tier_number},
};
use crate::{
    enqueue::RunningLimits,
    error::StorageError,
    ids::Timestamp,
    jobs::{Job, Lease},
    pace::Pace,
    turns::{Candidate, N_CANDIDATES, Tags, Tier, choose, relax_slots},
};

/// A job whose work was interrupted this often, without getting further, may be what stops its workers. It is worked on alone, and waits for
/// that in its place: those that ran beside the one that did it end in peace, and only that one runs out of attempts. One that was interrupted
/// once begins beside those that run, but nothing begins beside it: after a crash the jobs that ran begin one after another, and whatever stops
/// the next worker meanwhile is an attempt of one of them alone. One that gets further has company again.
const SUSPECT_AFTER: u32 = 2;

/// Takes the highest tier, guilds and users that are passed over, and how many. The `+` keeps the tier from being looked for among the users.
pub(super) const NEXT: &str = "SELECT jobs.seq, jobs.model, jobs.passed, jobs.attempts, jobs.row_pixels, flows.guild, flows.tier, flow_users.user, \
        turns.virtual_time AS time, turns.waiting AS n_waiting, turns.served, turns.pace_ms, flows.start_tag AS flow_tag, flows.virtual_time AS flow_time, \
        flow_users.start_tag AS user_tag \
    FROM flows \
        CROSS JOIN flow_users ON flow_users.guild = flows.guild AND flow_users.tier = flows.tier AND flow_users.head IS NOT NULL \
        CROSS JOIN jobs ON jobs.seq = flow_users.head CROSS JOIN turns \
    WHERE flows.head IS NOT NULL AND +flows.tier <= ?1 AND flows.guild NOT IN (SELECT value FROM json_each(?2)) \
        AND flow_users.user NOT IN (SELECT value FROM json_each(?3)) \
    ORDER BY flows.start_tag, flows.head, flows.rowid, flow_users.start_tag, flow_users.head LIMIT ?4";

pub(super) const RUNNING: &str =
    "SELECT guild, tier, user, attempts > 1 AND NOT has_advanced AS is_interrupted FROM jobs WHERE status = 'leased'";

from_row! {
    /// A job that is being worked on, and whether it was interrupted before and has not got further since.
    struct Running {
        guild: i64,
        tier: i64,
        user: i64,
        is_interrupted: bool,
    }
}

from_row! {
    /// The oldest job of a user who may run it.
    struct Next {
        seq: i64,
        model: Option<String>,
        passed: u32,
        attempts: u32,
        row_pixels: i64,
        guild: i64,
        tier: i64,
        user: i64,
        time: i64,
        n_waiting: i64,
        served: Option<i64>,
        pace_ms: Option<f64>,
        flow_tag: i64,
        flow_time: i64,
        user_tag: i64,
    }
}

/// A job under its new lease.
struct Taken {
    epoch: i64,
    row: JobRow,
}

impl Read for Taken {
    fn read(row: &Row<'_>) -> Result<Self, rusqlite::Error> {
        Ok(Self { epoch: row.get("epoch")?, row: JobRow::read(row)? })
    }
}

pub(super) async fn claim(
    store: &SqliteStore,
    lease: Duration,
    limits: &RunningLimits,
    resident: &[String],
    now: Timestamp,
) -> Result<Option<Lease>, StorageError> {
    let (limits, resident) = (*limits, resident.to_vec());
    // Whoever holds it goes with the power too, and what it does is told by promises.
    store.remark(move |db| take(db, lease, &limits, &resident, now)).await
}

fn take(
    db: &Connection,
    lease: Duration,
    limits: &RunningLimits,
    resident: &[String],
    now: Timestamp,
) -> Result<Option<Lease>, StorageError> {
    const TAKE: &str = concat!(
        "UPDATE jobs SET status = 'leased', epoch = epoch + 1, attempts = attempts + 1, has_advanced = 0, lease_since = ?2, lease_until = ?3, \
         passed = 0 WHERE seq = ?1 \
         RETURNING epoch, ",
        job_columns!()
    );
    let mut next = next(db, limits)?;
    let candidates: Vec<_> = next.iter_mut().map(|next| Candidate { model: next.model.take(), passed: next.passed }).collect();
    let Some(choice) = choose(&candidates, resident) else { return Ok(None) };
    if choice.passes {
        sql("UPDATE jobs SET passed = passed + 1 WHERE seq = ?").bind(next[0].seq).execute(db)?;
    }
    let taken = &next[choice.index];
    let Taken { epoch, row } = sql(TAKE).bind(taken.seq).bind(now.0).bind(now.after(lease).0).one(db)?;
    let tier = turns::tier(taken.tier).ok_or_else(|| StorageError::corrupt("tier", taken.seq))?;
    let mut tags = Tags { time: taken.time, flow: taken.flow_tag, flow_time: taken.flow_time, user: taken.user_tag };
    tags.serve(tier.weight(), taken.row_pixels);
    let pace = Pace { served: taken.served.map(Timestamp), ms: taken.pace_ms }.claim(taken.n_waiting > 1, now);
    turns::served(db, Lane { guild: taken.guild, tier, user: taken.user }, &tags, pace)?;
    let job: Job = row.try_into()?;
    let (mut images, mut checkpoints) = (Vec::new(), Vec::new());
    // Only whoever had it before can have left something of it.
    if epoch > 1 {
        images = images::all(db, job.id)?;
        checkpoints = checkpoints::of_job(db, job.id)?;
    }
    Ok(Some(Lease { job, epoch, images, checkpoints }))
}

/// The next jobs that may run, in the order of their turns.
fn next(db: &Connection, limits: &RunningLimits) -> Result<Vec<Next>, StorageError> {
    let running: Vec<Running> = sql(RUNNING).all(db)?;
    let n_running = u32::try_from(running.len()).unwrap_or(u32::MAX);
    let is_alone = running.iter().any(|job| job.is_interrupted);
    let Some((of_user, of_guild)) = limits.bounds(n_running).filter(|_| !is_alone) else { return Ok(Vec::new()) };
    let guilds = passed(full(running.iter().map(|job| job.guild), of_guild).chain(pauses::guilds(db)?));
    let users = passed(full(running.iter().map(|job| job.user), of_user));
    let relax = tier_number(Tier::Relax);
    let n_relax = running.iter().filter(|job| job.tier == relax).count();
    let highest = if n_relax < relax_slots(limits.max_running) as usize { Tier::Relax } else { Tier::Fast };
    let mut found = read(db, highest, &guilds, &users)?;
    if found.is_empty() && highest != Tier::Relax {
        // No fast job may run: nobody is kept waiting by another slow one.
        found = read(db, Tier::Relax, &guilds, &users)?;
    }
    if n_running > 0 {
        let n = found.iter().take_while(|next| next.attempts < SUSPECT_AFTER).count();
        found.truncate(n);
    }
    Ok(found)
}

fn read(db: &Connection, highest: Tier, guilds: &str, users: &str) -> Result<Vec<Next>, StorageError> {
    sql(NEXT).bind(tier_number(highest)).bind(guilds).bind(users).bind(N_CANDIDATES).all(db)
}

/// Those with as many jobs as they may have.
fn full(running: impl Iterator<Item = i64>, most: u32) -> impl Iterator<Item = i64> {
    let mut counts: HashMap<i64, u32> = HashMap::new();
    for one in running {
        *counts.entry(one).or_default() += 1;
    }
    counts.into_iter().filter(move |(_, n)| *n >= most).map(|(id, _)| id)
}

/// Who is passed over, as JSON.
fn passed(ids: impl Iterator<Item = i64>) -> String {
    let ids: Vec<String> = ids.map(|id| id.to_string()).collect();
    format!("[{}]", ids.join(","))
}
