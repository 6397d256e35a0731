//! `/prefer`: a person's own pieces of prompts, and what is added to each of them.

use storage::{Chooser, UserId};

use super::Context;
use crate::{
    chosen::{self, Chosen, MAX_OWN, Words},
    error::BotError,
    messages::{self, Changed, UserError},
    prompt,
};

/// Your own pieces of prompts
#[poise::command(
    slash_command,
    subcommand_required,
    subcommands("option", "suffix"),
    install_context = "Guild|User",
    interaction_context = "Guild|BotDm|PrivateChannel"
)]
pub async fn prefer(_: Context<'_>) -> Result<(), BotError> {
    Ok(())
}

/// Names that stand for a piece of a prompt
#[poise::command(slash_command, subcommand_required, subcommands("set", "list", "remove"))]
async fn option(_: Context<'_>) -> Result<(), BotError> {
    Ok(())
}

/// Let --NAME in your prompts stand for words and parameters
#[poise::command(slash_command)]
async fn set(
    ctx: Context<'_>,
    #[description = "Such as mine, for --mine"]
    #[max_length = 40]
    name: String,
    #[description = "Such as: in ink --ar 3:2 --steps 30; without it the name stands for nothing any more"]
    #[max_length = 1000]
    value: Option<String>,
) -> Result<(), BotError> {
    let Some(value) = value else { return take_away(ctx, &name).await };
    let (app, user) = (ctx.data(), caller(ctx)?);
    let name = prompt::option_name(&name).map_err(UserError::Piece)?;
    let piece = prompt::piece(&value).map_err(UserError::Piece)?;
    if !chosen::keep_words(&*app.jobs, Chooser::Person(user), Words::Option, &name, &piece).await? {
        return Err(UserError::TooManyOwn(MAX_OWN).into());
    }
    let answer = messages::preferred(Changed::Option(&name), &own(ctx, user).await?.personal);
    super::tell(ctx, &answer).await;
    Ok(())
}

/// See all that you chose, also as a file
#[poise::command(slash_command)]
async fn list(ctx: Context<'_>) -> Result<(), BotError> {
    let (app, user) = (ctx.data(), caller(ctx)?);
    let exported = chosen::exported(&*app.jobs, Chooser::Person(user)).await?;
    let answer = messages::all_preferred(&own(ctx, user).await?.personal, &exported);
    super::tell(ctx, &answer).await;
    Ok(())
}

/// Let a name stand for nothing any more
#[poise::command(slash_command)]
async fn remove(
    ctx: Context<'_>,
    #[description = "One of yours"]
    #[max_length = 40]
    #[autocomplete = "names"]
    name: String,
) -> Result<(), BotError> {
    take_away(ctx, &name).await
}

/// Add words and parameters to each of your prompts; without any, add none any more
#[poise::command(slash_command)]
async fn suffix(
    ctx: Context<'_>,
    #[description = "Such as: on paper --ar 3:2; what a prompt says stands before it"]
    #[max_length = 1000]
    value: Option<String>,
) -> Result<(), BotError> {
    let (app, user) = (ctx.data(), caller(ctx)?);
    let changed = match value {
        Some(value) => {
            let piece = prompt::piece(&value).map_err(UserError::Piece)?;
            chosen::keep_words(&*app.jobs, Chooser::Person(user), Words::Suffix, "", &piece).await?;
            Changed::Suffix
        }
        None => {
            chosen::forget_words(&*app.jobs, Chooser::Person(user), Words::Suffix, "").await?;
            Changed::NoSuffix
        }
    };
    let answer = messages::preferred(changed, &own(ctx, user).await?.personal);
    super::tell(ctx, &answer).await;
    Ok(())
}

/// The caller, who may look so often a minute.
fn caller(ctx: Context<'_>) -> Result<UserId, UserError> {
    let user = super::user_id(ctx.interaction.user.id);
    ctx.data().looks.take(user, ctx.data().clock.now())?;
    Ok(user)
}

async fn own(ctx: Context<'_>, user: UserId) -> Result<Chosen, BotError> {
    Ok(chosen::own(&*ctx.data().jobs, Chooser::Person(user)).await?)
}

async fn take_away(ctx: Context<'_>, name: &str) -> Result<(), BotError> {
    let (app, user) = (ctx.data(), caller(ctx)?);
    let name = prompt::option_name(name).map_err(UserError::Piece)?;
    if !chosen::forget_words(&*app.jobs, Chooser::Person(user), Words::Option, &name).await? {
        return Err(UserError::NothingOfThatName(name).into());
    }
    let answer = messages::preferred(Changed::Removed(&name), &own(ctx, user).await?.personal);
    super::tell(ctx, &answer).await;
    Ok(())
}

async fn names(ctx: Context<'_>, typed: &str) -> poise::serenity_prelude::CreateAutocompleteResponse {
    let user = super::user_id(ctx.interaction.user.id);
    let own = own(ctx, user).await.unwrap_or_default().personal.options;
    super::offered(prompt::ranked(own.iter().map(|(name, _)| name.as_str()), typed).into_iter())
}
