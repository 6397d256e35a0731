//! Who runs the bot.

use super::super::Context;
use crate::{error::BotError, messages::UserError};

/// Whether the caller runs the bot: by the configuration, or where that names nobody, as Discord says of the application.
///
/// # Errors
/// A refusal, also where Discord does not say it.
pub(super) async fn check(ctx: Context<'_>) -> Result<(), BotError> {
    let (caller, owners) = (ctx.interaction.user.id, &ctx.data().config.policy.owners);
    if !owners.is_empty() {
        return if owners.contains(&caller.get()) { Ok(()) } else { Err(UserError::OwnerOnly.into()) };
    }
    let told = ctx.serenity_context().http.get_current_application_info().await?;
    let is_in_team = told.team.is_some_and(|team| team.members.iter().any(|member| member.user.id == caller));
    if is_in_team || told.owner.is_some_and(|owner| owner.id == caller) { Ok(()) } else { Err(UserError::OwnerOnly.into()) }
}
