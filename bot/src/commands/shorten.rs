//! `/shorten`: what each word of a prompt does, measured by leaving it out.

use inference::task::Task;

use super::Context;
use crate::{
    buttons::{self, Wish, permit, presser::Presser},
    error::BotError,
    jobs::{received::Asked, shorten, speed::Speed},
    messages::UserError,
    prompt::{self, PromptError, TypedOptions},
};

/// Tell what each word of a prompt does, measured by leaving it out, and offer shorter ones
#[poise::command(slash_command, install_context = "Guild|User", interaction_context = "Guild|BotDm|PrivateChannel")]
pub async fn shorten(
    ctx: Context<'_>,
    #[description = "The prompt; parameters such as --model may follow"]
    #[max_length = 6000]
    prompt: String,
) -> Result<(), BotError> {
    let app = ctx.data();
    let mut presser = Presser::of_command(ctx.interaction);
    permit::check_at_once(&presser)?;
    buttons::learn(&mut presser, app, None).await?;
    let context = app.models.parse_context_of(&presser.chosen).await;
    let parsed = prompt::parse(&prompt, &TypedOptions::default(), &context).map_err(UserError::Prompt)?;
    let task = Task::from(shorten::compared(parsed.task).ok_or(UserError::Prompt(PromptError::TooShort))?);
    let Some(promised) = super::promise(ctx, presser.promise(), Asked::Again).await else { return Ok(()) };
    presser.message = promised.message;
    let speed = Speed::of(parsed.speed);
    let wish = Wish { action: shorten::ACTION, speed, task, notes: parsed.notes, parent: None, press: None, begins: Vec::new() };
    let drawn = async {
        permit::check(ctx.serenity_context().http.as_ref(), &presser, app).await?;
        app.door.enqueue(wish.by(&presser, app.clock.now())).await
    };
    match drawn.await {
        Ok(_) => promised.has_job(),
        Err(error) => promised.refuse(app, &super::refusal(ctx, error).await).await,
    }
    Ok(())
}
