//! *Describe*: what a picture was drawn from, or could have been.

use poise::serenity_prelude as serenity;

use super::{
    super::{Context, describe::described},
    parameters,
    target::{self, Target},
};
use crate::{
    error::BotError,
    jobs::received::{Asked, Promise},
    messages,
};

/// Tells what the picture in a message was drawn from, or could have been
#[poise::command(
    context_menu_command = "Describe",
    rename = "describe_picture",
    install_context = "Guild|User",
    interaction_context = "Guild|BotDm|PrivateChannel"
)]
pub async fn describe(ctx: Context<'_>, message: serenity::Message) -> Result<(), BotError> {
    let app = ctx.data();
    let target = target::of(app, &message)?;
    app.looks.take(super::super::user_id(ctx.interaction.user.id), app.clock.now())?;
    let Some(promised) = super::super::promise(ctx, Promise::Alone, Asked::Again).await else { return Ok(()) };
    let answer = match target {
        Target::Ours(job) => parameters::of_job(ctx, job).await.map(|mut answer| {
            answer.buttons = vec![vec![messages::remix_button(job)]];
            answer
        }),
        Target::Theirs(address) => described(ctx, &address).await,
    };
    match answer {
        Ok(answer) => promised.fill(app, &answer).await,
        Err(error) => promised.refuse(app, &super::super::refusal(ctx, error).await).await,
    }
    Ok(())
}
