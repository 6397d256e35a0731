//! `/help`: what there is, in short, with examples that can be pressed.

use super::Context;
use crate::{buttons::example, error::BotError, messages};

/// What I can do, in short, with examples to press
#[poise::command(slash_command, install_context = "Guild|User", interaction_context = "Guild|BotDm|PrivateChannel")]
pub async fn help(ctx: Context<'_>) -> Result<(), BotError> {
    let app = ctx.data();
    app.looks.take(super::user_id(ctx.interaction.user.id), app.clock.now())?;
    super::tell(ctx, &messages::help(&example::lines(app))).await;
    Ok(())
}
