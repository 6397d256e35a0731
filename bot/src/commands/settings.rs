//! `/settings`: a guild's managers lower its limits and say what its members see.

use poise::serenity_prelude as serenity;
use storage::GuildSettings;

use super::Context;
use crate::{error::BotError, messages, messages::UserError};

/// What the options are described by where a picture's cost is known; the library's attributes cannot say it.
pub(super) fn descriptions(of_picture: f64) -> [(&'static str, String); 2] {
    let unit = format!("in row-megapixels (a usual picture: {})", messages::small(of_picture));
    [
        ("daily_quota", format!("What all here may draw a day, {unit}; 0 forbids drawing")),
        ("daily_quota_per_person", format!("What each person may draw of it, {unit}; 0 for no share")),
    ]
}

/// See or lower this server's limits
#[poise::command(
    slash_command,
    guild_only,
    install_context = "Guild",
    interaction_context = "Guild",
    default_member_permissions = "MANAGE_GUILD"
)]
pub async fn settings(
    ctx: Context<'_>,
    #[description = "What all here may draw a day, in row-megapixels; 0 forbids drawing"] daily_quota: Option<f64>,
    #[description = "Jobs that one person may have at once"] jobs_at_once: Option<u32>,
    #[description = "Whether /history may show everybody's pictures"] history_everyone: Option<bool>,
    #[description = "What each person here may draw a day of it, in row-megapixels; 0 for no share of their own"]
    daily_quota_per_person: Option<f64>,
) -> Result<(), BotError> {
    let app = ctx.data();
    let guild_id = ctx.interaction.guild_id.ok_or(UserError::GuildOnly)?;
    // The permission above is a default that others can change.
    let permissions = ctx.interaction.member.as_ref().and_then(|member| member.permissions).unwrap_or_default();
    if !permissions.intersects(serenity::Permissions::MANAGE_GUILD | serenity::Permissions::ADMINISTRATOR) {
        return Err(UserError::ManagersOnly.into());
    }
    let guild = storage::GuildId(guild_id.get());
    let host = &app.config.limits;
    if let Some(daily) = daily_quota {
        if !daily.is_finite() || daily < 0.0 {
            return Err(UserError::SettingOutOfRange { name: "daily_quota", min: 0 }.into());
        }
        if daily > host.daily_row_megapixels {
            return Err(UserError::SettingTooHigh { name: "daily_quota", max: host.daily_row_megapixels.to_string() }.into());
        }
    }
    if let Some(active) = jobs_at_once {
        if active == 0 {
            return Err(UserError::SettingOutOfRange { name: "jobs_at_once", min: 1 }.into());
        }
        if active > host.max_active_per_user {
            return Err(UserError::SettingTooHigh { name: "jobs_at_once", max: host.max_active_per_user.to_string() }.into());
        }
    }
    if daily_quota_per_person.is_some_and(|share| !share.is_finite() || share < 0.0) {
        return Err(UserError::SettingOutOfRange { name: "daily_quota_per_person", min: 0 }.into());
    }
    let is_changed = daily_quota.is_some() || jobs_at_once.is_some() || history_everyone.is_some() || daily_quota_per_person.is_some();
    if is_changed {
        let old = app.jobs.guild_settings(guild).await?;
        let new = GuildSettings {
            daily_row_megapixels: daily_quota.or(old.daily_row_megapixels),
            daily_row_megapixels_per_member: match daily_quota_per_person {
                Some(share) => (share > 0.0).then_some(share),
                None => old.daily_row_megapixels_per_member,
            },
            max_active_per_user: jobs_at_once.or(old.max_active_per_user),
            shares_history: history_everyone.or(old.shares_history),
        };
        app.jobs.set_guild_settings(guild, new).await?;
    }
    let limits = app.door.limits(guild, super::user_id(ctx.interaction.user.id)).await?;
    let shares_history = app.jobs.guild_settings(guild).await?.shares_history.unwrap_or(true);
    let answer = messages::settings(&limits, shares_history, is_changed, app.models.cost_of_picture());
    super::tell(ctx, &answer).await;
    Ok(())
}
