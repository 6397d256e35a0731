//! `/privacy`: what is kept of the caller, and its end.

use super::Context;
use crate::{
    answer::Answer,
    error::BotError,
    jobs::received::{Asked, Promise},
    messages,
};

/// Most jobs that an export tells of.
const MAX_JOBS: u32 = 20_000;

/// What I keep of you
#[poise::command(
    slash_command,
    subcommand_required,
    subcommands("export", "delete"),
    install_context = "Guild|User",
    interaction_context = "Guild|BotDm|PrivateChannel"
)]
pub async fn privacy(_: Context<'_>) -> Result<(), BotError> {
    Ok(())
}

/// Get everything that I keep of you as a file
#[poise::command(slash_command)]
async fn export(ctx: Context<'_>) -> Result<(), BotError> {
    let (app, user) = (ctx.data(), super::user_id(ctx.interaction.user.id));
    app.looks.take(user, app.clock.now())?;
    let Some(promised) = super::promise(ctx, Promise::Alone, Asked::Again).await else { return Ok(()) };
    let told = async {
        let kept = app.jobs.person(user, MAX_JOBS).await?;
        let file = tokio::task::spawn_blocking(move || messages::export(&kept)).await?;
        Ok(Answer { files: vec![file?], ..Answer::text(messages::EXPORTED) })
    };
    match told.await {
        Ok(answer) => promised.fill(app, &answer).await,
        Err(error) => promised.refuse(app, &super::refusal(ctx, error).await).await,
    }
    Ok(())
}

/// Delete everything that I keep of you
#[poise::command(slash_command)]
async fn delete(ctx: Context<'_>) -> Result<(), BotError> {
    let app = ctx.data();
    app.looks.take(super::user_id(ctx.interaction.user.id), app.clock.now())?;
    super::tell(ctx, &messages::ask_to_erase()).await;
    Ok(())
}
