//! `/history`: pages through past jobs with thumbnails.

use inference::task::Task;
use poise::serenity_prelude as serenity;
use storage::{GuildId, HistoryFilter, UserId};

use super::Context;
use crate::{
    answer::Answer,
    app::App,
    buttons::custom_id::{ButtonAction, HistoryScope},
    discord,
    error::BotError,
    messages::{self, HistoryEntry},
    render,
};

/// Jobs on one page.
const PAGE: u32 = 5;

/// Look at what was drawn here before
#[poise::command(slash_command, install_context = "Guild|User", interaction_context = "Guild|BotDm|PrivateChannel")]
pub async fn history(
    ctx: Context<'_>,
    #[description = "Everybody's pictures instead of yours"] everyone: Option<bool>,
) -> Result<(), BotError> {
    ctx.defer_response(true).await?;
    let guild = super::paying_guild(ctx.interaction.guild_id, &ctx.interaction.authorizing_integration_owners, ctx.interaction.user.id);
    let scope = if everyone == Some(true) { HistoryScope::Everyone } else { HistoryScope::Mine };
    let answer = page(ctx.data(), guild, super::user_id(ctx.interaction.user.id), scope, 0).await?;
    poise::send_application_reply(ctx, discord::reply(&answer, true)).await?;
    Ok(())
}

/// One page of a history.
///
/// # Errors
/// The store cannot be read.
pub async fn page(app: &App, guild: GuildId, user: UserId, scope: HistoryScope, offset: u32) -> Result<Answer, BotError> {
    let filter = HistoryFilter { guild, user: (scope == HistoryScope::Mine).then_some(user) };
    let (jobs, has_more) = app.jobs.history(filter, offset, PAGE).await?;
    let mut entries = Vec::with_capacity(jobs.len());
    for job in jobs {
        let Ok(task) = serde_json::from_value::<Task>(job.task.clone()) else { continue };
        entries.push(HistoryEntry {
            heading: render::heading(app, job.user.0, &task),
            finished: job.finished.unwrap_or(job.created),
            link: render::link(app, &job),
            without_pictures: messages::without_pictures(job.status),
            thumbnail: render::thumbnail(app, &job).await,
        });
    }
    let previous = (offset > 0).then(|| ButtonAction::History { offset: offset.saturating_sub(PAGE), scope });
    let next = has_more.then(|| ButtonAction::History { offset: offset.saturating_add(PAGE), scope });
    Ok(messages::history(entries, offset, previous, next))
}

/// Turns a history's message to another page.
///
/// # Errors
/// The store cannot be read or the message not edited.
pub async fn turn(press: &serenity::ComponentInteraction, app: &App, offset: u32, scope: HistoryScope) -> Result<(), BotError> {
    let guild = super::paying_guild(press.guild_id, &press.authorizing_integration_owners, press.user.id);
    let answer = page(app, guild, super::user_id(press.user.id), scope, offset).await?;
    let delivery = super::delivery(app, press.channel_id, &press.token);
    app.messenger.edit(&delivery, &answer).await.map_err(|error| BotError::Internal(error.into()))?;
    Ok(())
}
