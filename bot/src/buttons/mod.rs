//! Buttons, one file each. They need nothing but the database, so they outlive restarts.

mod cancel;
pub mod custom_id;
mod reroll;
mod upscale;
mod variation;

use std::sync::Arc;

use inference::task::Task;
use poise::serenity_prelude as serenity;
use storage::{Job, JobId, JobStatus, NewImage};

use crate::{
    app::App,
    commands::{self, refuse_deferred},
    dispatcher::chain,
    enqueue::Request,
    error::BotError,
    messages::{self, UserError},
};
use custom_id::ButtonAction;

/// Answers a press.
pub async fn press(ctx: &serenity::Context, press: &serenity::ComponentInteraction, app: &Arc<App>) {
    let Err(error) = act(ctx, press, app).await else { return };
    let text = match error {
        BotError::User(error) => error.to_string(),
        BotError::Internal(error) => {
            tracing::error!(error = format!("{error:#}"), button = press.data.custom_id, "a button failed");
            messages::INTERNAL_ERROR.to_owned()
        }
    };
    let at_once = serenity::CreateInteractionResponseMessage::new()
        .content(&text)
        .ephemeral(true)
        .allowed_mentions(serenity::CreateAllowedMentions::new());
    let answered = press.create_response(ctx, serenity::CreateInteractionResponse::Message(at_once)).await;
    // Already deferred: a public promise is taken back, a silent one stays.
    if answered.is_err() {
        if is_promise(&press.data.custom_id) {
            refuse_deferred(&ctx.http, &press.token, &text).await;
        } else {
            let told = serenity::CreateInteractionResponseFollowup::new()
                .content(&text)
                .ephemeral(true)
                .allowed_mentions(serenity::CreateAllowedMentions::new());
            if let Err(error) = press.create_followup(ctx, told).await {
                tracing::warn!(error = %chain(&error), "a refusal could not be sent");
            }
        }
    }
}

/// Whether a press is first answered by a public message that waits.
fn is_promise(custom_id: &str) -> bool {
    matches!(custom_id.parse(), Ok(ButtonAction::Upscale { .. } | ButtonAction::Variation { .. } | ButtonAction::Reroll { .. }))
}

async fn act(ctx: &serenity::Context, press: &serenity::ComponentInteraction, app: &Arc<App>) -> Result<(), BotError> {
    let action: ButtonAction = press.data.custom_id.parse().map_err(|custom_id::UnknownButton| UserError::UnknownButton)?;
    if is_promise(&press.data.custom_id) {
        commands::check_permissions(press.app_permissions.filter(|_| press.guild_id.is_some()))?;
        let defer = serenity::CreateInteractionResponse::Defer(serenity::CreateInteractionResponseMessage::new());
        press.create_response(ctx, defer).await?;
    }
    match action {
        ButtonAction::Upscale { job, index } => upscale::enqueue(press, app, job, index).await,
        ButtonAction::Variation { job, index } => variation::enqueue(press, app, job, index).await,
        ButtonAction::Reroll { job } => reroll::enqueue(press, app, job).await,
        ButtonAction::Cancel { job } => cancel::cancel_or_delete(ctx, press, app, job).await,
        ButtonAction::History { offset, scope } => commands::history::turn(ctx, press, app, offset, scope).await,
    }
}

/// The job that a button names, if the presser's guild is its guild.
async fn job_of(press: &serenity::ComponentInteraction, app: &App, id: JobId) -> Result<Job, BotError> {
    let guild = commands::paying_guild(press.guild_id, press.user.id);
    match app.jobs.job(id).await? {
        Some(job) if job.guild == guild => Ok(job),
        _ => Err(UserError::UnknownJob.into()),
    }
}

/// The stored task and one picture of a finished job.
async fn picture_of(app: &App, job: &Job, index: u32) -> Result<(Task, NewImage), BotError> {
    if job.is_deleted {
        return Err(UserError::Deleted.into());
    }
    if job.status != JobStatus::Done {
        return Err(UserError::NotFinished.into());
    }
    let task = serde_json::from_value(job.task.clone())?;
    let image = app.jobs.images(job.id).await?.into_iter().find(|image| image.index == index);
    Ok((task, image.ok_or(UserError::NoSuchPicture(index.saturating_add(1)))?))
}

/// A request that a press makes of a task.
fn request(press: &serenity::ComponentInteraction, action: &'static str, task: Task, parent: (JobId, u32), keep: bool) -> Request {
    Request {
        key: press.id.to_string(),
        press: Some(storage::PressKey { key: format!("{action}:{}:{}", parent.0, parent.1), keep }),
        guild: commands::paying_guild(press.guild_id, press.user.id),
        user: commands::user_id(press.user.id),
        action,
        task,
        parent: Some(parent),
        delivery: commands::delivery(press.channel_id, &press.token),
    }
}
