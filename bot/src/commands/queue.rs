//! `/queue`: the caller's jobs that wait and run, and moderators' way to all of the guild.

use super::Context;
use crate::{
    buttons::{custom_id::Whose, presser::Presser, queue},
    error::BotError,
};

/// See what of yours is drawn and waits, and cancel it
#[poise::command(slash_command, rename = "queue", install_context = "Guild|User", interaction_context = "Guild|BotDm|PrivateChannel")]
pub async fn queue_command(ctx: Context<'_>) -> Result<(), BotError> {
    let app = ctx.data();
    let presser = Presser::of_command(ctx.interaction);
    app.looks.take(presser.user, app.clock.now())?;
    let answer = queue::view(&presser, app, Whose::Mine).await?;
    super::tell(ctx, &answer).await;
    Ok(())
}
