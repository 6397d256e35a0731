//! Guild settings and notes.

use super::SqliteStore;
use crate::{
    cost::{to_row_megapixels, to_row_pixels},
    error::StorageError,
    guilds::GuildSettings,
    ids::GuildId,
};

/// Columns of `guild_settings`, in the order of [`GuildSettings`].
type Row = (Option<i64>, Option<i64>, Option<u32>, Option<bool>);

pub(super) async fn guild_settings(store: &SqliteStore, guild: GuildId) -> Result<GuildSettings, StorageError> {
    const READ: &str =
        "SELECT daily_row_pixels, member_row_pixels, max_active_per_user, shares_history FROM guild_settings WHERE guild = ?";
    let row: Option<Row> = sqlx::query_as(READ).bind(guild.0.cast_signed()).fetch_optional(&store.readers).await?;
    let (daily, per_member, max_active_per_user, shares_history) = row.unwrap_or_default();
    Ok(GuildSettings {
        daily_row_megapixels: daily.map(to_row_megapixels),
        daily_row_megapixels_per_member: per_member.map(to_row_megapixels),
        max_active_per_user,
        shares_history,
    })
}

pub(super) async fn set_guild_settings(store: &SqliteStore, guild: GuildId, settings: GuildSettings) -> Result<(), StorageError> {
    const WRITE: &str = "INSERT OR REPLACE INTO guild_settings \
        (guild, daily_row_pixels, member_row_pixels, max_active_per_user, shares_history) VALUES (?, ?, ?, ?, ?)";
    let write = sqlx::query(WRITE).bind(guild.0.cast_signed()).bind(settings.daily_row_megapixels.map(to_row_pixels));
    let write = write.bind(settings.daily_row_megapixels_per_member.map(to_row_pixels));
    write.bind(settings.max_active_per_user).bind(settings.shares_history).execute(&mut *store.writer.take().await).await?;
    Ok(())
}

pub(super) async fn note(store: &SqliteStore, key: &str) -> Result<Option<String>, StorageError> {
    Ok(sqlx::query_scalar("SELECT value FROM notes WHERE key = ?").bind(key).fetch_optional(&store.readers).await?)
}

pub(super) async fn set_note(store: &SqliteStore, key: &str, value: &str) -> Result<(), StorageError> {
    let write = sqlx::query("INSERT OR REPLACE INTO notes (key, value) VALUES (?, ?)");
    write.bind(key).bind(value).execute(&mut *store.writer.take().await).await?;
    Ok(())
}
