//! `/show`: a job's message once more, also one that never arrived.

use poise::serenity_prelude as serenity;
use storage::{HistoryFilter, Job, JobId, JobStatus};

use super::Context;
use crate::{
    answer::Answer,
    app::App,
    buttons::{presser::Presser, sight::Sight},
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
    let presser = Presser::of_command(ctx.interaction);
    let job = Sight::of(&ctx.serenity_context().cache, &presser, app).await?.job(app, &job).await?;
    // What has no pictures is for the person who asks alone, and what was drawn for them alone.
    let is_for_all = job.status == JobStatus::Done && !job.delivery.is_private;
    let promise = if is_for_all { Promise::Message } else { Promise::Alone };
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

/// A job's message once more, for somebody who may be shown it where they are.
///
/// # Errors
/// A refusal, or the job cannot be read.
pub async fn opened(cache: &serenity::Cache, presser: &Presser<'_>, app: &App, id: JobId) -> Result<Answer, BotError> {
    app.looks.take(presser.user, app.clock.now())?;
    let job = Sight::of(cache, presser, app).await?.job(app, &id.to_string()).await?;
    shown(app, &job).await
}

/// The caller's last jobs here.
pub(super) async fn jobs(ctx: Context<'_>, typed: &str) -> serenity::CreateAutocompleteResponse {
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
