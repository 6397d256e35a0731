//! `/quota`: what is left for today, of everything that bounds the caller here.

use super::Context;
use crate::{error::BotError, messages};

/// See what you and this server have left for today
#[poise::command(slash_command, install_context = "Guild|User", interaction_context = "Guild|BotDm|PrivateChannel")]
pub async fn quota(ctx: Context<'_>) -> Result<(), BotError> {
    let (app, now) = (ctx.data(), ctx.data().clock.now());
    let user = super::user_id(ctx.interaction.user.id);
    app.looks.take(user, now)?;
    let guild = super::paying_guild(ctx.interaction.guild_id, &ctx.interaction.authorizing_integration_owners, ctx.interaction.user.id);
    let limits = app.door.limits(guild, user).await?;
    let quotas = app.jobs.quotas(guild, user, &limits, now).await?;
    let answer = messages::quota(&quotas, app.models.cost_of_picture());
    super::tell(ctx, &answer).await;
    Ok(())
}
