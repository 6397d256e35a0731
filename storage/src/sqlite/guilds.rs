//! Guild settings, persons' speeds and notes.

use super::{
    SqliteStore,
    turns::{tier, tier_number},
};
use crate::{error::StorageError, guilds::GuildSettings, ids::*, turns::Tier};

/// Columns of `guild_settings`, in the order of [`GuildSettings`].
type Row = (Option<u32>, Option<bool>, Option<i64>);

pub(super) async fn guild_settings(store: &SqliteStore, guild: GuildId) -> Result<GuildSettings, StorageError> {
    const READ: &str = "SELECT max_active_per_user, shares_history, only_tier FROM guild_settings WHERE guild = ?";
    let row: Option<Row> = sqlx::query_as(READ).bind(guild.0.cast_signed()).fetch_optional(&store.readers).await?;
    let (max_active_per_user, shares_history, only_tier) = row.unwrap_or_default();
    Ok(GuildSettings { max_active_per_user, shares_history, only_tier: only_tier.and_then(tier) })
}

pub(super) async fn set_guild_settings(store: &SqliteStore, guild: GuildId, settings: GuildSettings) -> Result<(), StorageError> {
    const WRITE: &str = "INSERT OR REPLACE INTO guild_settings (guild, max_active_per_user, shares_history, only_tier) VALUES (?, ?, ?, ?)";
    let write = sqlx::query(WRITE).bind(guild.0.cast_signed()).bind(settings.max_active_per_user).bind(settings.shares_history);
    store.writer.one(write.bind(settings.only_tier.map(tier_number))).await?;
    Ok(())
}

pub(super) async fn speed(store: &SqliteStore, guild: GuildId, user: UserId) -> Result<Option<Tier>, StorageError> {
    let read = sqlx::query_scalar("SELECT tier FROM speeds WHERE guild = ? AND user = ?");
    let number: Option<i64> = read.bind(guild.0.cast_signed()).bind(user.0.cast_signed()).fetch_optional(&store.readers).await?;
    Ok(number.and_then(tier))
}

pub(super) async fn set_speed(store: &SqliteStore, guild: GuildId, user: UserId, tier: Tier) -> Result<(), StorageError> {
    let write = sqlx::query("INSERT OR REPLACE INTO speeds (guild, user, tier) VALUES (?, ?, ?)");
    store.writer.one(write.bind(guild.0.cast_signed()).bind(user.0.cast_signed()).bind(tier_number(tier))).await?;
    Ok(())
}

pub(super) async fn note(store: &SqliteStore, key: &str) -> Result<Option<String>, StorageError> {
    Ok(sqlx::query_scalar("SELECT value FROM notes WHERE key = ?").bind(key).fetch_optional(&store.readers).await?)
}

pub(super) async fn set_note(store: &SqliteStore, key: &str, value: &str) -> Result<(), StorageError> {
    let write = sqlx::query("INSERT OR REPLACE INTO notes (key, value) VALUES (?, ?)");
    store.writer.one(write.bind(key).bind(value)).await?;
    Ok(())
}
