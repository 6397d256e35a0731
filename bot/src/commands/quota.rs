//! `/quota`: what is left for today and this month, of everything that bounds the caller here.

use storage::Tier;

use super::Context;
use crate::{error::BotError, messages};

/// See what you and this server have left for today and this month
#[poise::command(slash_command, install_context = "Guild|User", interaction_context = "Guild|BotDm|PrivateChannel")]
pub async fn quota(ctx: Context<'_>) -> Result<(), BotError> {
    let (app, now) = (ctx.data(), ctx.data().clock.now());
    let spender = super::spender(ctx.interaction);
    app.looks.take(spender.user, now)?;
    let limits = app.door.limits(spender.guild, spender.user).await?;
    let quotas = app.jobs.quotas(&spender, &limits, now).await?;
    let only = app.jobs.guild_settings(spender.guild).await?.only_tier;
    let terms = super::terms(app, &limits);
    let terms = messages::Terms { is_relax_free: terms.is_relax_free && only != Some(Tier::Fast), ..terms };
    let answer = messages::quota(&quotas, terms);
    super::tell(ctx, &answer).await;
    Ok(())
}
