//! `/style`: named sets of words and parameters, a person's and a guild's; `--style NAME` in a prompt adds one.

use storage::Chooser;

use super::Context;
use crate::{
    buttons::presser::Presser,
    chosen::{self, MAX_OWN, Words},
    error::BotError,
    messages::{self, Changed, UserError},
    prompt,
};

/// Named sets of words and parameters
#[poise::command(
    slash_command,
    subcommand_required,
    subcommands("set", "list", "remove"),
    install_context = "Guild|User",
    interaction_context = "Guild|BotDm|PrivateChannel"
)]
pub async fn style(_: Context<'_>) -> Result<(), BotError> {
    Ok(())
}

/// Let --style NAME in prompts add words and parameters
#[poise::command(slash_command)]
async fn set(
    ctx: Context<'_>,
    #[description = "Such as neon, for --style neon"]
    #[max_length = 40]
    name: String,
    #[description = "Such as: neon lights, night --ar 16:9; what a prompt says stands before it"]
    #[max_length = 1000]
    value: String,
    #[description = "Whether it is for everybody in this server; its managers may say so"] for_server: Option<bool>,
) -> Result<(), BotError> {
    let app = ctx.data();
    let of = chooser(ctx, for_server)?;
    let name = prompt::style_name(&name).map_err(UserError::Piece)?;
    let piece = prompt::piece(&value).map_err(UserError::Piece)?;
    if !chosen::keep_words(&*app.jobs, of, Words::Style, &name, &piece).await? {
        return Err(UserError::TooManyOwn(MAX_OWN).into());
    }
    let answer = messages::preferred(Changed::Style(&name), &chosen::own(&*app.jobs, of).await?.personal);
    super::tell(ctx, &answer).await;
    Ok(())
}

/// See the styles that you may name here
#[poise::command(slash_command)]
async fn list(ctx: Context<'_>) -> Result<(), BotError> {
    let app = ctx.data();
    let presser = Presser::of_command(ctx.interaction);
    app.looks.take(presser.user, app.clock.now())?;
    let here = chosen::here(&*app.jobs, presser.user, presser.payer(), presser.choosing_channel()).await?;
    super::tell(ctx, &messages::styles(&here.personal.styles)).await;
    Ok(())
}

/// Take a style away
#[poise::command(slash_command)]
async fn remove(
    ctx: Context<'_>,
    #[description = "One of yours, or of the server"]
    #[max_length = 40]
    #[autocomplete = "names"]
    name: String,
    #[description = "Whether it is the server's; its managers may take it away"] for_server: Option<bool>,
) -> Result<(), BotError> {
    let app = ctx.data();
    let of = chooser(ctx, for_server)?;
    let name = prompt::style_name(&name).map_err(UserError::Piece)?;
    if !chosen::forget_words(&*app.jobs, of, Words::Style, &name).await? {
        return Err(UserError::NothingOfThatName(name).into());
    }
    let answer = messages::preferred(Changed::Removed(&name), &chosen::own(&*app.jobs, of).await?.personal);
    super::tell(ctx, &answer).await;
    Ok(())
}

/// Whose style it is about.
fn chooser(ctx: Context<'_>, for_server: Option<bool>) -> Result<Chooser, UserError> {
    let app = ctx.data();
    let user = super::user_id(ctx.interaction.user.id);
    app.looks.take(user, app.clock.now())?;
    match for_server {
        Some(true) => Ok(Chooser::Guild(super::managed_guild(ctx.interaction)?)),
        _ => Ok(Chooser::Person(user)),
    }
}

async fn names(ctx: Context<'_>, typed: &str) -> poise::serenity_prelude::CreateAutocompleteResponse {
    let presser = Presser::of_command(ctx.interaction);
    let here = chosen::here(&*ctx.data().jobs, presser.user, presser.payer(), presser.choosing_channel()).await.unwrap_or_default();
    super::offered(prompt::ranked(here.personal.styles.iter().map(|(name, _)| name.as_str()), typed).into_iter())
}
