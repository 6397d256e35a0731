//! `/fast` and `/relax`: how the caller's jobs take their turns from now on, where they do not say it.

use storage::Tier;

use super::Context;
use crate::{
    error::BotError,
    messages::{self, UserError},
};

/// Draw at the usual speed from now on
#[poise::command(slash_command, install_context = "Guild|User", interaction_context = "Guild|BotDm|PrivateChannel")]
pub async fn fast(ctx: Context<'_>) -> Result<(), BotError> {
    choose(ctx, Tier::Fast).await
}

/// Let others go first from now on
#[poise::command(slash_command, install_context = "Guild|User", interaction_context = "Guild|BotDm|PrivateChannel")]
pub async fn relax(ctx: Context<'_>) -> Result<(), BotError> {
    choose(ctx, Tier::Relax).await
}

async fn choose(ctx: Context<'_>, tier: Tier) -> Result<(), BotError> {
    let app = ctx.data();
    let spender = super::spender(ctx.interaction);
    app.looks.take(spender.user, app.clock.now())?;
    if let Some(only) = app.jobs.guild_settings(spender.guild).await?.only_tier.filter(|only| *only != tier) {
        return Err(UserError::SpeedNotOffered { only }.into());
    }
    app.jobs.set_speed(spender.guild, spender.user, tier).await?;
    let answer = messages::speed(tier, app.config.limits.relax_is_free);
    super::tell(ctx, &answer).await;
    Ok(())
}
