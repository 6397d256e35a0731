//! What a guild and a user may have: the configuration's limits, lowered by the guild's own settings.

use storage::{GuildId, GuildSettings, Limits, StorageError};

use crate::{app::App, config::LimitsConfig};

/// The limits that hold in a guild.
///
/// # Errors
/// The store cannot be read.
pub async fn of_guild(app: &App, guild: GuildId) -> Result<Limits, StorageError> {
    Ok(lowered(&app.config.limits, app.jobs.guild_settings(guild).await?))
}

/// A guild's settings can lower the host's limits, never raise them.
fn lowered(config: &LimitsConfig, settings: GuildSettings) -> Limits {
    Limits {
        daily_row_megapixels: settings.daily_row_megapixels.map_or(config.daily_row_megapixels, |own| own.min(config.daily_row_megapixels)),
        max_active_per_user: settings.max_active_per_user.map_or(config.max_active_per_user, |own| own.min(config.max_active_per_user)),
        max_queued_per_guild: config.max_queued_per_guild,
        max_queued: config.max_queued,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guild_lowers_but_never_raises() {
        let config = LimitsConfig { daily_row_megapixels: 100.0, max_active_per_user: 3, ..LimitsConfig::default() };
        let limits = |daily, active| {
            let limits =
                lowered(&config, GuildSettings { daily_row_megapixels: daily, max_active_per_user: active, ..GuildSettings::default() });
            (limits.daily_row_megapixels, limits.max_active_per_user)
        };
        assert_eq!(limits(None, None), (100.0, 3));
        assert_eq!(limits(Some(40.0), Some(1)), (40.0, 1));
        assert_eq!(limits(Some(400.0), Some(10)), (100.0, 3));
    }
}
