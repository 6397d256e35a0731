//! `/private` and `/public`: whether the caller's pictures are for them alone from now on.

use storage::Chooser;

use super::Context;
use crate::{
    chosen::{self, One},
    error::BotError,
    messages,
};

/// Draw for yourself alone from now on
#[poise::command(slash_command, install_context = "Guild|User", interaction_context = "Guild|BotDm|PrivateChannel")]
pub async fn private(ctx: Context<'_>) -> Result<(), BotError> {
    choose(ctx, true).await
}

/// Draw for everybody where you are from now on
#[poise::command(slash_command, install_context = "Guild|User", interaction_context = "Guild|BotDm|PrivateChannel")]
pub async fn public(ctx: Context<'_>) -> Result<(), BotError> {
    choose(ctx, false).await
}

async fn choose(ctx: Context<'_>, is_private: bool) -> Result<(), BotError> {
    let app = ctx.data();
    let user = super::user_id(ctx.interaction.user.id);
    app.looks.take(user, app.clock.now())?;
    chosen::choose(&*app.jobs, Chooser::Person(user), One::Private(is_private)).await?;
    super::tell(ctx, &messages::privacy(is_private)).await;
    Ok(())
}
