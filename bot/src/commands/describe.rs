//! `/describe`: what a picture was drawn from, as far as its file says it. Nothing here looks at the picture itself, and the answer says so.

use poise::serenity_prelude as serenity;

use super::{Context, menu::told};
use crate::{
    answer::Answer,
    buttons,
    error::BotError,
    intake::Address,
    jobs::received::{Asked, Promise},
    messages,
    pictures::metadata::{Found, parameters},
};

/// Tell what a picture was drawn from, as far as its file says it
#[poise::command(slash_command, install_context = "Guild|User", interaction_context = "Guild|BotDm|PrivateChannel")]
pub async fn describe(ctx: Context<'_>, #[description = "A picture as it was saved"] image: serenity::Attachment) -> Result<(), BotError> {
    let app = ctx.data();
    app.looks.take(super::user_id(ctx.interaction.user.id), app.clock.now())?;
    let Some(promised) = super::promise(ctx, Promise::Alone, Asked::Again).await else { return Ok(()) };
    match described(ctx, image).await {
        Ok(answer) => promised.fill(app, &answer).await,
        Err(error) => promised.refuse(app, &super::refusal(ctx, error).await).await,
    }
    Ok(())
}

/// The words of the file, and a button that opens them.
async fn described(ctx: Context<'_>, image: serenity::Attachment) -> Result<Answer, BotError> {
    let (app, interaction) = (ctx.data(), ctx.interaction);
    let found = told::read(app, &Address::File { url: image.url }).await?;
    let text = match &found {
        Found::Record(record) => parameters::write(record),
        Found::Parameters(text) => text.clone(),
        Found::Program(_) | Found::Nothing => String::new(),
    };
    let task = told::task(app, found)?;
    let mut answer = messages::parameters(&text, None);
    let venue = crate::discord::venue_of(interaction.guild_id, interaction.context, &interaction.authorizing_integration_owners);
    let base = task.base().cloned().map(Into::into);
    if let Some(typed) = base.and_then(|task| buttons::words::typed_of(app, &task, venue))
        && let Some(draft) = app.drafts.keep(super::user_id(interaction.user.id), &typed).await
    {
        answer.buttons = vec![vec![messages::reopen_button(draft)]];
    }
    Ok(answer)
}
