//! How a job comes in: known already, refused, or recorded and debited, all in one transaction.

use rusqlite::Connection;

use super::{
    SqliteStore, moderation, policy,
    quota::{self, Moment},
    received,
    rows::{bytes, job_id, status},
    sql::sql,
    turns::{self, Lane, tier_number},
};
use crate::{
    cost::{to_row_megapixels, to_row_pixels},
    enqueue::*,
    error::StorageError,
    ids::*,
    jobs::JobStatus,
    pace::Pace,
    quota::Spender,
    turns::Tier,
};

const INSERT: &str = "INSERT INTO jobs (id, key, press, keeps_press, guild, tier, user, action, task, model, parent, parent_index, notes, \
    status, row_pixels, channel, token, token_expires, message, is_private, created) \
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'queued', ?, ?, ?, ?, ?, ?, ?) RETURNING seq";

/// Takes guild, tier and user: what waits there, whose turn it is, and how many jobs wait or run.
pub(super) const PLACE: &str = "SELECT turns.waiting AS n_waiting, turns.served, turns.pace_ms, turns.virtual_time AS time, flows.start_tag AS flow_tag, \
        flows.virtual_time AS flow_time, coalesce(flows.waiting, 0) AS in_flow, flow_users.start_tag AS user_tag, \
        coalesce(flow_users.waiting, 0) AS of_user_in_flow, \
        (SELECT coalesce(sum(waiting), 0) FROM flows WHERE guild = ?1) AS in_guild, \
        (SELECT coalesce(sum(waiting), 0) FROM flow_users WHERE user = ?3 AND head IS NOT NULL) \
            + (SELECT count(*) FROM jobs WHERE user = ?3 AND status = 'leased') AS active \
    FROM turns LEFT JOIN flows ON flows.guild = ?1 AND flows.tier = ?2 \
        LEFT JOIN flow_users ON flow_users.guild = ?1 AND flow_users.tier = ?2 AND flow_users.user = ?3";

from_row! {
    /// Where a job comes in.
    struct Place {
        n_waiting: u32,
        served: Option<i64>,
        pace_ms: Option<f64>,
        time: i64,
        flow_tag: Option<i64>,
        flow_time: Option<i64>,
        in_flow: u32,
        user_tag: Option<i64>,
        of_user_in_flow: u32,
        in_guild: u32,
        active: u32,
    }
}

pub(super) async fn enqueue(store: &SqliteStore, job: NewJob, limits: &Limits, now: Timestamp) -> Result<Enqueued, StorageError> {
    let (limits, zone) = (*limits, store.zone.clone());
    store.write(move |db| record(db, job, &limits, &Moment { zone: &zone, now })).await
}

fn record(db: &Connection, job: NewJob, limits: &Limits, moment: &Moment<'_>) -> Result<Enqueued, StorageError> {
    let key = job.key.clone();
    let answer = match known(db, &job)? {
        Some(known) => known,
        None if !policy::is_judged_by_these(db, &job.admission)? => Enqueued::JudgedByOldRules,
        None => {
            let lane = Lane { guild: job.guild.0.cast_signed(), tier: job.tier, user: job.user.0.cast_signed() };
            let place = sql(PLACE).bind(lane.guild).bind(tier_number(lane.tier)).bind(lane.user);
            let place: Place = place.one(db)?;
            match refusal(db, &job, &place, limits, moment)? {
                Some(refusal) => Enqueued::Refused(refusal),
                None if !moderation::pass(db, job.admission.appeal)? => Enqueued::JudgedByOldRules,
                None => {
                    let (spender, is_free) = (spender(&job), is_free(&job, limits));
                    policy::came_in(db, job.user, &job.admission, moment.now)?;
                    let (id, seq, row_pixels) = insert(db, job, lane, &place, moment.now)?;
                    if !is_free {
                        quota::debit(db, seq, &spender, row_pixels, moment)?;
                    }
                    Enqueued::Created(id)
                }
            }
        }
    };
    if matches!(answer, Enqueued::Created(_) | Enqueued::SameKey(_)) {
        received::forget(db, &key)?;
    }
    Ok(answer)
}

fn spender(job: &NewJob) -> Spender {
    Spender { guild: job.guild, user: job.user, roles: job.roles.clone() }
}

fn is_free(job: &NewJob, limits: &Limits) -> bool {
    limits.is_relax_free && job.tier == Tier::Relax
}

impl Place {
    fn pace(&self) -> Pace {
        Pace { served: self.served.map(Timestamp), ms: self.pace_ms }
    }
}

fn known(db: &Connection, job: &NewJob) -> Result<Option<Enqueued>, StorageError> {
    let same: Option<Vec<u8>> = sql("SELECT id FROM jobs WHERE key = ?").bind(&job.key).optional(db)?;
    if let Some(id) = same {
        return Ok(Some(Enqueued::SameKey(job_id(&id)?)));
    }
    let Some(press) = &job.press else { return Ok(None) };
    Ok(by_press(db, &press.key)?.map(|(id, status)| Enqueued::Pressed(id, status)))
}

pub(super) async fn pressed(store: &SqliteStore, key: &str) -> Result<Option<(JobId, JobStatus)>, StorageError> {
    let key = key.to_owned();
    store.inquirers.read(move |db| by_press(db, &key)).await
}

fn by_press(db: &Connection, key: &str) -> Result<Option<(JobId, JobStatus)>, StorageError> {
    let pressed: Option<(Vec<u8>, String)> = sql("SELECT id, status FROM jobs WHERE press = ?").bind(key).optional(db)?;
    let Some((id, word)) = pressed else { return Ok(None) };
    let id = job_id(&id)?;
    let status = status(&word).ok_or_else(|| StorageError::corrupt("status", id))?;
    Ok(Some((id, status)))
}

fn refusal(db: &Connection, job: &NewJob, place: &Place, limits: &Limits, moment: &Moment<'_>) -> Result<Option<Refusal>, StorageError> {
    let now = moment.now;
    if place.active >= limits.max_active_per_user {
        return Ok(Some(Refusal::UserBusy { active: place.active, limit: limits.max_active_per_user }));
    }
    if let Some(pause) = policy::refusal(db, job.user, &job.admission, now)? {
        return Ok(Some(pause));
    }
    if place.in_guild >= limits.max_queued_per_guild {
        let limit = limits.max_queued_per_guild;
        // Of the places that become free the guild has the share that it has of those who wait.
        let n_turns = u64::from(place.in_guild - limit + 1) * u64::from(place.n_waiting) / u64::from(place.in_guild.max(1));
        let again = place.pace().after(u32::try_from(n_turns).unwrap_or(u32::MAX), now);
        return Ok(Some(Refusal::GuildFull { limit, again }));
    }
    if place.n_waiting >= limits.max_queued {
        let limit = limits.max_queued;
        return Ok(Some(Refusal::QueueFull { limit, again: place.pace().after(place.n_waiting - limit + 1, now) }));
    }
    let accounts = quota::accounts(db, &spender(job), limits, moment)?;
    let cost = to_row_pixels(job.row_megapixels);
    let in_the_way = match is_free(job, limits) {
        true => accounts.iter().find(|account| account.limit == 0),
        false => accounts.first().filter(|account| account.used.saturating_add(cost) > account.limit),
    };
    Ok(in_the_way.map(|account| Refusal::Quota { of: account.of, quota: account.status(), cost: to_row_megapixels(cost) }))
}

/// Its id, its number and its estimated cost.
fn insert(db: &Connection, job: NewJob, lane: Lane, place: &Place, now: Timestamp) -> Result<(JobId, i64, i64), StorageError> {
    let id = JobId::new();
    let row_pixels = to_row_pixels(job.row_megapixels);
    let (press, keeps_press) = job.press.map_or((None, false), |press| (Some(press.key), press.keep));
    let (parent, parent_index) = job.parent.map_or((None, None), |(id, index)| (Some(bytes(id)), Some(index)));
    let seq: i64 = sql(INSERT)
        .bind(bytes(id))
        .bind(job.key)
        .bind(press)
        .bind(keeps_press)
        .bind(lane.guild)
        .bind(tier_number(lane.tier))
        .bind(lane.user)
        .bind(job.action)
        .bind(job.task.to_string())
        .bind(job.model)
        .bind(parent)
        .bind(parent_index)
        .bind(job.notes.map(|notes| notes.to_string()))
        .bind(row_pixels)
        .bind(job.delivery.channel.cast_signed())
        .bind(job.delivery.token)
        .bind(job.delivery.token_expires.0)
        .bind(job.delivery.message.map(u64::cast_signed))
        .bind(job.delivery.is_private)
        .bind(now.0)
        .one(db)?;
    for (number, JobInput { role, blob }) in (0_u32..).zip(job.inputs) {
        let input = sql("INSERT INTO inputs (job, number, role, blob) VALUES (?, ?, ?, ?)");
        input.bind(seq).bind(number).bind(role).bind(blob.to_string()).execute(db)?;
    }
    let mut tags = turns::tags(place.time, place.flow_tag, place.flow_time, place.user_tag);
    tags.arrive(place.in_flow > 0, place.of_user_in_flow > 0);
    turns::arrived(db, lane, &tags)?;
    Ok((id, seq, row_pixels))
}
