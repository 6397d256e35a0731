//! `/quota`: what a guild has left for today.

use super::Context;
use crate::{discord, error::BotError, limits, messages};

/// See what this server has left for today
#[poise::command(slash_command, install_context = "Guild|User", interaction_context = "Guild|BotDm|PrivateChannel")]
pub async fn quota(ctx: Context<'_>) -> Result<(), BotError> {
    let app = ctx.data();
    let guild = super::paying_guild(ctx.interaction.guild_id, &ctx.interaction.authorizing_integration_owners, ctx.interaction.user.id);
    let daily = limits::of_guild(app, guild).await?.daily_row_megapixels;
    let quota = app.jobs.quota(guild, daily, app.clock.now()).await?;
    let answer = messages::quota(&quota, app.cost_of_default());
    poise::send_application_reply(ctx, discord::reply(&answer, true)).await?;
    Ok(())
}
