//! `/history`: pages through past jobs with thumbnails.

use inference::task::Task;
use poise::serenity_prelude as serenity;
use storage::{Beside, GuildId, HistoryFilter, HistoryPage, UserId};

use super::Context;
use crate::{
    answer::Answer,
    app::App,
    buttons::custom_id::{ButtonAction, HistoryScope},
    discord::{self, places::Place},
    error::BotError,
    jobs::received::{Asked, Promise},
    messages::{self, HistoryEntry, UserError},
};

/// Jobs on one page.
const PAGE: u32 = 5;

/// Look at what was drawn here before
#[poise::command(slash_command, install_context = "Guild|User", interaction_context = "Guild|BotDm|PrivateChannel")]
pub async fn history(
    ctx: Context<'_>,
    #[description = "Everybody's pictures instead of yours"] everyone: Option<bool>,
) -> Result<(), BotError> {
    let app = ctx.data();
    app.looks.take(super::user_id(ctx.interaction.user.id), app.clock.now())?;
    let Some(promised) = super::promise(ctx, Promise::Alone, Asked::Again).await else { return Ok(()) };
    let interaction = ctx.interaction;
    let guild = super::paying_guild(interaction.guild_id, &interaction.authorizing_integration_owners, interaction.user.id);
    let scope = if everyone == Some(true) { HistoryScope::Everyone } else { HistoryScope::Mine };
    let place = Place::of(interaction.guild_id, interaction.channel_id, interaction.channel.as_ref(), interaction.member.as_deref());
    let channels = channels(ctx.serenity_context(), interaction.guild_id, place);
    match page(app, Whose { guild, user: super::user_id(interaction.user.id), scope, channels }, (0, None)).await {
        Ok(answer) => promised.fill(app, &answer).await,
        Err(error) => promised.refuse(app, &super::refusal(ctx, error).await).await,
    }
    Ok(())
}

/// Whose jobs are shown, and to whom.
pub struct Whose {
    /// The guild that paid.
    pub guild: GuildId,
    /// Who looks.
    pub user: UserId,
    /// Theirs or everybody's.
    pub scope: HistoryScope,
    /// Where everybody's must have been asked for; `None` in direct messages, where nobody else's are.
    pub channels: Option<Vec<u64>>,
}

/// The channels of a guild that somebody sees from where they are; `None` in direct messages.
fn channels(ctx: &serenity::Context, guild: Option<serenity::GuildId>, place: Option<Place<'_>>) -> Option<Vec<u64>> {
    guild.map(|_| place.map(|place| discord::places::open_to(&ctx.cache, &place)).unwrap_or_default())
}

/// One page of a history: that beside a job, or else that after so many; the number is what people read.
///
/// # Errors
/// The store cannot be read, or the guild does not share its history.
pub async fn page(app: &App, whose: Whose, (offset, beside): (u32, Option<Beside>)) -> Result<Answer, BotError> {
    let Whose { guild, user, scope, channels } = whose;
    let filter = match scope {
        HistoryScope::Mine => HistoryFilter { guild, user: Some(user), channels: None },
        HistoryScope::Everyone => HistoryFilter { guild, user: None, channels },
    };
    if scope == HistoryScope::Everyone && app.jobs.guild_settings(guild).await?.shares_history == Some(false) {
        return Err(UserError::HistoryNotShared.into());
    }
    let found = match beside {
        Some(beside) => app.jobs.history_beside(filter, beside, PAGE).await?,
        None => {
            let (jobs, has_older) = app.jobs.history(filter, offset, PAGE).await?;
            HistoryPage { jobs, has_newer: offset > 0, has_older }
        }
    };
    let HistoryPage { jobs, has_newer, has_older } = found;
    let offset = if has_newer { offset } else { 0 };
    let ends = jobs.first().zip(jobs.last()).map(|(first, last)| (Beside::Newer(first.id), Beside::Older(last.id)));
    let mut entries = Vec::with_capacity(jobs.len());
    for job in jobs {
        let heading = match serde_json::from_value::<Task>(job.task.clone()) {
            Ok(task) => Some(app.renderer.heading(job.user.0, &task, job.parent, &job.action).await),
            Err(_) if job.is_forgotten => None,
            Err(_) => continue,
        };
        entries.push(HistoryEntry {
            job: job.id,
            heading,
            user: job.user.0,
            finished: job.finished.unwrap_or(job.created),
            link: app.renderer.link(&job),
            without_pictures: messages::without_pictures(job.status),
            thumbnail: app.renderer.thumbnail(&job).await,
        });
    }
    let turned = |offset, beside| ButtonAction::History { offset, scope, beside };
    let (newer, older) = ends.unzip();
    let previous = has_newer.then(|| turned(offset.saturating_sub(PAGE), newer));
    let next = has_older.then(|| turned(offset.saturating_add(PAGE), older));
    Ok(messages::history(entries, offset, previous, next))
}

/// Turns a history's message to another page.
///
/// # Errors
/// The store cannot be read or the message not edited.
pub async fn turn(
    ctx: &serenity::Context,
    press: &serenity::ComponentInteraction,
    app: &App,
    scope: HistoryScope,
    from: (u32, Option<Beside>),
) -> Result<(), BotError> {
    app.looks.take(super::user_id(press.user.id), app.clock.now())?;
    let guild = super::paying_guild(press.guild_id, &press.authorizing_integration_owners, press.user.id);
    // Looked up at each press: roles and channels change.
    let place = Place::of(press.guild_id, press.channel_id, press.channel.as_ref(), press.member.as_ref());
    let channels = channels(ctx, press.guild_id, place);
    let answer = page(app, Whose { guild, user: super::user_id(press.user.id), scope, channels }, from).await?;
    let delivery = discord::delivery(app.clock.now(), press.channel_id, &press.token);
    app.messenger.edit(&delivery, &answer).await.map_err(|error| BotError::Internal(error.into()))?;
    Ok(())
}
