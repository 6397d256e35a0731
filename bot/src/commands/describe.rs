//! `/describe`: what a picture was drawn from, as far as its file says it; else four prompts by looking at it, where a CLIP is configured. The answer
//! says which of the two it is.

use inference::InferenceError;
use poise::serenity_prelude as serenity;

use super::{Context, menu::told};
use crate::{
    answer::Answer,
    buttons,
    error::BotError,
    intake::{Address, NotTaken},
    jobs::drafts::Typed,
    jobs::received::{Asked, Promise},
    messages::{self, UserError},
    pictures::{
        guess::Guesser,
        metadata::{Found, parameters},
    },
    policy::Venue,
};

/// Tell what a picture was drawn from, or could have been
#[poise::command(slash_command, install_context = "Guild|User", interaction_context = "Guild|BotDm|PrivateChannel")]
pub async fn describe(ctx: Context<'_>, #[description = "A picture as it was saved"] image: serenity::Attachment) -> Result<(), BotError> {
    let app = ctx.data();
    app.looks.take(super::user_id(ctx.interaction.user.id), app.clock.now())?;
    let Some(promised) = super::promise(ctx, Promise::Alone, Asked::Again).await else { return Ok(()) };
    match described(ctx, &Address::File { url: image.url }).await {
        Ok(answer) => promised.fill(app, &answer).await,
        Err(error) => promised.refuse(app, &super::refusal(ctx, error).await).await,
    }
    Ok(())
}

/// The words of the file, and a button that opens them; where it has none, words that fit the picture, and buttons that draw them.
pub(super) async fn described(ctx: Context<'_>, address: &Address) -> Result<Answer, BotError> {
    let (app, interaction) = (ctx.data(), ctx.interaction);
    let venue = crate::discord::venue_of(interaction.guild_id, interaction.context, &interaction.authorizing_integration_owners);
    let bytes = app.intake.bytes(address).await?;
    let found = told::found(bytes.clone()).await?;
    let text = match &found {
        Found::Record(record) => parameters::write(record),
        Found::Parameters(text) => text.clone(),
        Found::Program(_) | Found::Nothing => String::new(),
    };
    let task = match (told::task(app, found), &app.guesser) {
        (Ok(task), _) => task,
        (Err(_), Some(guesser)) => return guessed(ctx, guesser, bytes, venue).await,
        (Err(error), None) => return Err(error.into()),
    };
    let mut answer = messages::described(&text);
    let base = task.base().cloned().map(Into::into);
    if let Some(typed) = base.and_then(|task| buttons::words::typed_of(app, &task, venue))
        && let Some(draft) = app.drafts.keep(super::user_id(interaction.user.id), &typed).await
    {
        answer.buttons = vec![vec![messages::reopen_button(draft)]];
    }
    Ok(answer)
}

async fn guessed(ctx: Context<'_>, guesser: &Guesser, bytes: Vec<u8>, venue: Venue) -> Result<Answer, BotError> {
    let (app, user) = (ctx.data(), super::user_id(ctx.interaction.user.id));
    let picture = app.intake.pixels(bytes).await?;
    let prompts = guesser.prompts(picture).await.map_err(|error| match error {
        InferenceError::Busy => BotError::User(UserError::Picture(NotTaken::Busy)),
        error => BotError::Internal(error.into()),
    })?;
    let mut kept = Vec::new();
    for prompt in prompts {
        let draft = app.drafts.keep(user, &Typed::new(&prompt, "", String::new(), venue)).await;
        kept.push((prompt, draft));
    }
    Ok(messages::guessed(&kept))
}
