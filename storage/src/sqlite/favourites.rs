//! Pictures that people marked.

use async_trait::async_trait;

use super::{
    SqliteStore,
    rows::{bytes, job_id},
};
use crate::{
    error::StorageError,
    favourites::{Favourite, Favourites, MAX_FAVOURITES, Marked},
    ids::{GuildId, JobId, Timestamp, UserId},
};

from_row! {
    struct FavouriteRow {
        id: Vec<u8>,
        number: u32,
        created: i64,
        guild: i64,
        user: i64,
        channel: i64,
    }
}

#[async_trait]
impl Favourites for SqliteStore {
    async fn mark(&self, user: UserId, (job, index): (JobId, u32), now: Timestamp) -> Result<Marked, StorageError> {
        const PICTURE: &str = "SELECT seq FROM images JOIN jobs ON seq = images.job \
            WHERE id = ? AND number = ? AND status = 'done' AND deleted IS NULL AND forgotten IS NULL";
        const N: &str = "SELECT count(*) FROM favourites WHERE user = ?";
        const MARK: &str = "INSERT INTO favourites (user, job, number, created) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING";
        const IS_MARKED: &str = "SELECT count(*) FROM favourites WHERE user = ? AND job = ? AND number = ?";
        let user = user.0.cast_signed();
        let mut tx = self.begin().await?;
        let found: Option<i64> = sqlx::query_scalar(PICTURE).bind(bytes(job)).bind(index).fetch_optional(&mut *tx).await?;
        let Some(seq) = found else { return Ok(Marked::NoPicture) };
        let is_marked: i64 = sqlx::query_scalar(IS_MARKED).bind(user).bind(seq).bind(index).fetch_one(&mut *tx).await?;
        let n: i64 = sqlx::query_scalar(N).bind(user).fetch_one(&mut *tx).await?;
        if is_marked == 0 && n >= i64::from(MAX_FAVOURITES) {
            return Ok(Marked::TooMany);
        }
        sqlx::query(MARK).bind(user).bind(seq).bind(index).bind(now.0).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(Marked::Yes)
    }

    async fn unmark(&self, user: UserId, (job, index): (JobId, u32)) -> Result<bool, StorageError> {
        const UNMARK: &str = "DELETE FROM favourites WHERE user = ? AND job = (SELECT seq FROM jobs WHERE id = ?) AND number = ?";
        let mut tx = self.begin().await?;
        let written = sqlx::query(UNMARK).bind(user.0.cast_signed()).bind(bytes(job)).bind(index).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(written.rows_affected() > 0)
    }

    async fn favourites(&self, user: UserId) -> Result<Vec<Favourite>, StorageError> {
        const ALL: &str = "SELECT id, number, favourites.created, guild, jobs.user, channel FROM favourites JOIN jobs ON seq = favourites.job \
            WHERE favourites.user = ? ORDER BY favourites.created DESC, favourites.job DESC, number";
        let rows: Vec<FavouriteRow> = sqlx::query_as(ALL).bind(user.0.cast_signed()).fetch_all(&self.lookers).await?;
        let read = |FavouriteRow { id, number: index, created, guild, user, channel }| {
            Ok(Favourite {
                job: job_id(&id)?,
                index,
                marked: Timestamp(created),
                guild: GuildId(guild.cast_unsigned()),
                user: UserId(user.cast_unsigned()),
                channel: channel.cast_unsigned(),
            })
        };
        rows.into_iter().map(read).collect()
    }
}

/// Takes all marks of a job away.
pub(super) async fn drop_all(db: &mut sqlx::SqliteConnection, job: i64) -> Result<(), StorageError> {
    sqlx::query("DELETE FROM favourites WHERE job = ?").bind(job).execute(db).await?;
    Ok(())
}
