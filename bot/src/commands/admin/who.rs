//! Who may change and see rules: people who manage the guild, and for all places the person who runs the bot.

use poise::serenity_prelude as serenity;
use storage::{EVERYWHERE, GuildId, UserId};

use super::super::Context;
use crate::{app::App, error::BotError, messages::UserError};

/// Where the caller's rules hold.
pub(super) async fn scope(ctx: Context<'_>, everywhere: Option<bool>) -> Result<GuildId, BotError> {
    if everywhere == Some(true) {
        check(ctx).await?;
        return Ok(EVERYWHERE);
    }
    Ok(super::super::managed_guild(ctx.interaction)?)
}

/// Whether the caller runs the bot.
///
/// # Errors
/// A refusal, also where Discord does not say it.
pub(super) async fn check(ctx: Context<'_>) -> Result<(), BotError> {
    check_person(&ctx.serenity_context().http, ctx.data(), super::super::user_id(ctx.interaction.user.id)).await
}

/// Whether somebody runs the bot: by the configuration, or where that names nobody, as Discord says of the application.
///
/// # Errors
/// A refusal, also where Discord does not say it.
pub(super) async fn check_person(http: &serenity::Http, app: &App, person: UserId) -> Result<(), BotError> {
    let owners = &app.config.policy.owners;
    if !owners.is_empty() {
        return if owners.contains(&person.0) { Ok(()) } else { Err(UserError::OwnerOnly.into()) };
    }
    let told = http.get_current_application_info().await?;
    let is_person = |id: serenity::UserId| id.get() == person.0;
    let is_in_team = told.team.is_some_and(|team| team.members.iter().any(|member| is_person(member.user.id)));
    if is_in_team || told.owner.is_some_and(|owner| is_person(owner.id)) { Ok(()) } else { Err(UserError::OwnerOnly.into()) }
}
