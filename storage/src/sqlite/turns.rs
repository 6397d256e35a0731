//! Whose turn it is: start-time fair queueing in two levels (Goyal, Vin and Cheng 1996, "Start-time Fair Queuing", sections 2 and 3).
//!
//! Guilds share the engine; the users of a guild share that guild's turns. Both are *flows* with a start tag, the virtual time at which the
//! flow's next job starts. The rule, the same on both levels:
//! - serving a job sets the virtual time to its flow's start tag and moves that tag on by the job's cost;
//! - the flow with the smallest tag is next, earlier arrival first among equals;
//! - a flow whose user or guild runs as many jobs as it may is passed over, and keeps its tag;
//! - a flow that had nothing waiting starts at the virtual time, so that idle hours are not saved up;
//! - at the end the tag is corrected by (actual − estimated) cost, and a job that goes back to wait gives its cost back.
//!
//! A waiting job carries the tags that this rule will give it, `user_tag` inside its guild and `start_tag` among all. They are written when it
//! is enqueued, so a claim is one look at an index, and so is a place in the queue. What happens in one guild never moves a tag of another;
//! where it changes the order inside the guild (a second user arrives, a cost was corrected), the guild's few waiting jobs are tagged again.

use std::collections::HashMap;

use sqlx::SqliteConnection;

use crate::error::StorageError;

from_row! {
    /// A job that waits, as the rule sees it.
    #[derive(Clone, Debug, PartialEq)]
    struct Waiting {
        seq: i64,
        user: i64,
        row_pixels: i64,
        user_tag: i64,
        start_tag: i64,
    }
}

from_row! {
    /// A job that is served: its flows, tags and estimated cost.
    pub(super) struct Served {
        pub(super) guild: i64,
        pub(super) user: i64,
        pub(super) row_pixels: i64,
        pub(super) user_tag: i64,
        pub(super) start_tag: i64,
    }
}

/// Brings flows with nothing waiting up to the virtual time; before a job of theirs is inserted.
pub(super) async fn arrive(db: &mut SqliteConnection, guild: i64, user: i64) -> Result<(), StorageError> {
    const GUILD: &str = "INSERT INTO guild_flows (guild, start_tag) VALUES (?1, (SELECT virtual_time FROM turns)) \
        ON CONFLICT (guild) DO UPDATE SET start_tag = max(start_tag, excluded.start_tag) \
        WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE guild = ?1 AND status = 'queued')";
    const USER: &str = "INSERT INTO user_flows (guild, user, start_tag) \
        VALUES (?1, ?2, (SELECT virtual_time FROM guild_flows WHERE guild = ?1)) \
        ON CONFLICT (guild, user) DO UPDATE SET start_tag = max(start_tag, excluded.start_tag) \
        WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE guild = ?1 AND user = ?2 AND status = 'queued')";
    sqlx::query(GUILD).bind(guild).execute(&mut *db).await?;
    sqlx::query(USER).bind(guild).bind(user).execute(db).await?;
    Ok(())
}

/// Advances the virtual times and the flows of a job that was just claimed. Its guild's other tags stay right, unless the job was taken
/// before others of its guild whose users run enough; they keep their users' turns and are tagged anew.
pub(super) async fn serve(db: &mut SqliteConnection, job: &Served) -> Result<(), StorageError> {
    const ALL: &str = "UPDATE turns SET virtual_time = max(virtual_time, ?)";
    let guild_start: i64 =
        sqlx::query_scalar("SELECT start_tag FROM guild_flows WHERE guild = ?").bind(job.guild).fetch_one(&mut *db).await?;
    const GUILD: &str = "UPDATE guild_flows SET virtual_time = max(virtual_time, ?2) WHERE guild = ?1";
    sqlx::query(ALL).bind(guild_start).execute(&mut *db).await?;
    sqlx::query(GUILD).bind(job.guild).bind(job.user_tag).execute(&mut *db).await?;
    advance(db, job.guild, job.user, span(job.row_pixels)).await?;
    if job.start_tag == guild_start { Ok(()) } else { retag(db, job.guild).await }
}

/// Takes back what serving a job cost its flows, because it waits again; after its row is `queued`.
pub(super) async fn give_back(db: &mut SqliteConnection, guild: i64, user: i64, row_pixels: i64) -> Result<(), StorageError> {
    advance(db, guild, user, -span(row_pixels)).await?;
    retag(db, guild).await
}

/// Charges the flows of a served job for what it really cost.
pub(super) async fn correct(db: &mut SqliteConnection, (guild, user): (i64, i64), estimated: i64, actual: i64) -> Result<(), StorageError> {
    if span(estimated) == span(actual) {
        return Ok(());
    }
    advance(db, guild, user, span(actual) - span(estimated)).await?;
    retag(db, guild).await
}

/// Writes the tags of a guild's waiting jobs anew, where they changed.
pub(super) async fn retag(db: &mut SqliteConnection, guild: i64) -> Result<(), StorageError> {
    const WAITING: &str = "SELECT seq, user, row_pixels, user_tag, start_tag FROM jobs WHERE guild = ? AND status = 'queued' ORDER BY seq";
    let before: Vec<Waiting> = sqlx::query_as(WAITING).bind(guild).fetch_all(&mut *db).await?;
    if before.is_empty() {
        return Ok(());
    }
    let guild_start: i64 = sqlx::query_scalar("SELECT start_tag FROM guild_flows WHERE guild = ?").bind(guild).fetch_one(&mut *db).await?;
    let mut user_starts = HashMap::new();
    for waiting in &before {
        if let std::collections::hash_map::Entry::Vacant(unknown) = user_starts.entry(waiting.user) {
            let start = sqlx::query_scalar("SELECT start_tag FROM user_flows WHERE guild = ? AND user = ?");
            unknown.insert(start.bind(guild).bind(waiting.user).fetch_one(&mut *db).await?);
        }
    }
    for (after, before) in tagged(&before, guild_start, user_starts).iter().zip(&before) {
        if after != before {
            let write = sqlx::query("UPDATE jobs SET user_tag = ?2, start_tag = ?3 WHERE seq = ?1");
            write.bind(after.seq).bind(after.user_tag).bind(after.start_tag).execute(&mut *db).await?;
        }
    }
    Ok(())
}

/// The tags that serving these jobs (in order of arrival) will give them; in the same order.
fn tagged(waiting: &[Waiting], guild_start: i64, mut user_starts: HashMap<i64, i64>) -> Vec<Waiting> {
    let mut tagged = waiting.to_vec();
    for job in &mut tagged {
        let start = user_starts.entry(job.user).or_default();
        job.user_tag = *start;
        *start += span(job.row_pixels);
    }
    let mut turns: Vec<usize> = (0..tagged.len()).collect();
    turns.sort_by_key(|&i| (tagged[i].user_tag, tagged[i].seq));
    let mut start = guild_start;
    for i in turns {
        tagged[i].start_tag = start;
        start += span(tagged[i].row_pixels);
    }
    tagged
}

/// Virtual time that a job takes; never none, or free jobs would never end their flow's turn.
fn span(row_pixels: i64) -> i64 {
    row_pixels.max(1)
}

async fn advance(db: &mut SqliteConnection, guild: i64, user: i64, by: i64) -> Result<(), StorageError> {
    const GUILD: &str = "UPDATE guild_flows SET start_tag = start_tag + ?2 WHERE guild = ?1";
    const USER: &str = "UPDATE user_flows SET start_tag = start_tag + ?3 WHERE guild = ?1 AND user = ?2";
    sqlx::query(GUILD).bind(guild).bind(by).execute(&mut *db).await?;
    sqlx::query(USER).bind(guild).bind(user).bind(by).execute(db).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(jobs: &[(i64, i64)], user_starts: &[(i64, i64)], expected: &[(i64, i64)]) {
        let waiting = |(seq, &(user, row_pixels))| Waiting { seq, user, row_pixels, user_tag: 0, start_tag: 0 };
        let waiting: Vec<_> = (0..).zip(jobs).map(waiting).collect();
        let tags: Vec<_> =
            tagged(&waiting, 100, user_starts.iter().copied().collect()).iter().map(|job| (job.user_tag, job.start_tag)).collect();
        assert_eq!(tags, expected, "{jobs:?}");
    }

    #[test]
    fn one_user_goes_by_arrival() {
        check(&[(1, 5), (1, 7), (1, 1)], &[(1, 0)], &[(0, 100), (5, 105), (12, 112)]);
    }

    #[test]
    fn two_users_alternate_whoever_came_first() {
        check(&[(1, 5), (1, 5), (2, 5), (2, 5)], &[(1, 0), (2, 0)], &[(0, 100), (5, 110), (0, 105), (5, 115)]);
    }

    #[test]
    fn a_cheap_user_has_more_turns_of_the_same_sum() {
        check(&[(1, 6), (1, 6), (2, 3), (2, 3), (2, 3)], &[(1, 0), (2, 0)], &[(0, 100), (6, 112), (0, 106), (3, 109), (6, 118)]);
    }

    #[test]
    fn a_late_user_starts_at_the_virtual_time() {
        check(&[(1, 5), (1, 5), (2, 5)], &[(1, 40), (2, 35)], &[(40, 105), (45, 110), (35, 100)]);
    }

    #[test]
    fn free_jobs_take_turns_too() {
        check(&[(1, 0), (1, 0), (2, 0)], &[(1, 0), (2, 0)], &[(0, 100), (1, 102), (0, 101)]);
    }
}
