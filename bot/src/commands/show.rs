//! `/show`: a job's message once more, also one that never arrived.

use poise::serenity_prelude as serenity;
use storage::{HistoryFilter, Job, JobId, JobStatus};

use super::Context;
use crate::{
    answer::Answer,
    app::App,
    discord::places::{Place, open_to},
    error::BotError,
    jobs::received::{Asked, Promise},
    messages::{self, UserError},
};

/// Suggestions that Discord shows.
const MAX_CHOICES: u32 = 25;

/// Show pictures again that were drawn before
#[poise::command(slash_command, install_context = "Guild|User", interaction_context = "Guild|BotDm|PrivateChannel")]
pub async fn show(
    ctx: Context<'_>,
    #[description = "Which job: one of your last ones, or its number"]
    #[max_length = 100]
    #[autocomplete = "jobs"]
    job: String,
) -> Result<(), BotError> {
    let app = ctx.data();
    super::check_permissions(ctx.interaction.app_permissions.filter(|_| ctx.interaction.guild_id.is_some()))?;
    app.looks.take(super::user_id(ctx.interaction.user.id), app.clock.now())?;
    let job = visible(ctx, &job).await?;
    // What has no pictures is for the person who asks alone.
    let promise = if job.status == JobStatus::Done { Promise::Message } else { Promise::Alone };
    let Some(promised) = super::promise(ctx, promise, Asked::Again).await else { return Ok(()) };
    match shown(app, &job).await {
        Ok(answer) => promised.fill(app, &answer).await,
        Err(error) => promised.refuse(app, &super::refusal(ctx, error).await).await,
    }
    Ok(())
}

async fn shown(app: &App, job: &Job) -> Result<Answer, BotError> {
    if job.is_deleted {
        return Err(UserError::Deleted.into());
    }
    if job.is_forgotten {
        return Err(UserError::Forgotten.into());
    }
    if !job.status.is_final() {
        return Err(UserError::NotFinished.into());
    }
    Ok(app.renderer.last_answer(job).await?.0)
}

/// The job of a number, if the caller may see it here: their own of this guild (in direct messages, of every place), and those of others in channels
/// that they may look back into, where the guild shares its history. Whether there is any other is told to nobody.
async fn visible(ctx: Context<'_>, number: &str) -> Result<Job, BotError> {
    let (app, interaction) = (ctx.data(), ctx.interaction);
    let refused = || UserError::NoJobHere(number.chars().take(40).collect());
    let id: JobId = number.trim().trim_matches('`').parse().map_err(|_| refused())?;
    let job = app.jobs.job(id).await?.ok_or_else(refused)?;
    let user = super::user_id(interaction.user.id);
    let payer = super::paying_guild(interaction.guild_id, &interaction.authorizing_integration_owners, interaction.user.id);
    let place = Place::of(interaction.guild_id, interaction.channel_id, interaction.channel.as_ref(), interaction.member.as_deref());
    let cache = &ctx.serenity_context().cache;
    let channel = job.delivery.channel;
    let may_see = match &place {
        // Pictures of an age-restricted channel are not shown outside of such.
        Some(place) if job.user == user => {
            job.guild == payer && (open_to(cache, place).contains(&channel) || !is_restricted(cache, channel))
        }
        Some(place) => {
            let is_shared = app.jobs.guild_settings(job.guild).await?.shares_history != Some(false);
            job.guild == payer && is_shared && open_to(cache, place).contains(&channel)
        }
        None => job.user == user && (channel == interaction.channel_id.get() || !is_restricted(cache, channel)),
    };
    if may_see { Ok(job) } else { Err(refused().into()) }
}

/// Whether a channel that is known, or that a thread hangs below, is age-restricted.
fn is_restricted(cache: &serenity::Cache, channel: u64) -> bool {
    let channel = serenity::ChannelId::new(channel);
    cache.guilds().into_iter().filter_map(|guild| cache.guild(guild)).any(|guild| {
        let parent = guild.threads.iter().find(|thread| thread.id == channel).and_then(|thread| thread.parent_id);
        guild.channels.get(&parent.unwrap_or(channel)).is_some_and(|channel| channel.nsfw)
    })
}

/// The caller's last jobs here.
async fn jobs(ctx: Context<'_>, typed: &str) -> serenity::CreateAutocompleteResponse {
    let (app, interaction) = (ctx.data(), ctx.interaction);
    let guild = super::paying_guild(interaction.guild_id, &interaction.authorizing_integration_owners, interaction.user.id);
    let filter = HistoryFilter { guild, user: Some(super::user_id(interaction.user.id)), channels: None };
    let found = app.jobs.history(filter, 0, MAX_CHOICES).await.unwrap_or_default().0;
    let typed = typed.trim().to_lowercase();
    let choices = found.iter().filter_map(|job| {
        let name = messages::job_choice(job);
        let is_meant = name.to_lowercase().contains(&typed) || job.id.to_string().starts_with(&typed);
        is_meant.then(|| serenity::AutocompleteChoice::new(name, job.id.to_string()))
    });
    serenity::CreateAutocompleteResponse::new().set_choices(choices.collect())
}
