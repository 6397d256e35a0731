//! Buttons, one file each. They need nothing but the database, so they outlive restarts.

mod cancel;
pub mod custom_id;
mod permit;
mod reroll;
mod upscale;
mod variation;

use std::sync::Arc;

use inference::task::Task;
use poise::serenity_prelude as serenity;
use storage::{Job, JobId, JobStatus, NewImage};

use crate::{
    answer::Answer,
    app::App,
    commands::{self, refuse_deferred, tell_alone},
    discord,
    enqueue::Request,
    error::BotError,
    log::chain,
    messages::{self, UserError},
    printable::printable,
    render,
};
use custom_id::ButtonAction;

/// Answers a press.
pub async fn press(ctx: &serenity::Context, press: &serenity::ComponentInteraction, app: &Arc<App>) {
    let mut promised = Promised::Nothing;
    let Err(error) = act(ctx, press, app, &mut promised).await else { return };
    let mut files = Vec::new();
    let text = match error {
        BotError::User(error) => {
            // Where the link is known, the pictures need not be read, drawn into a grid and sent again.
            match error {
                UserError::AlreadyMade { job, link: None } => match app.looks.take(commands::user_id(press.user.id), app.clock.now()) {
                    Ok(()) => {
                        files = pictures_again(app, job).await;
                        error.to_string()
                    }
                    Err(too_many) => too_many.to_string(),
                },
                error => error.to_string(),
            }
        }
        BotError::Internal(error) => {
            tracing::error!(error = chain(error.as_ref()), button = press.data.custom_id, "a button failed");
            messages::INTERNAL_ERROR.to_owned()
        }
    };
    let answer = Answer { content: messages::shorten(&printable(&text), commands::MAX_TEXT), files, ..Answer::default() };
    match promised {
        Promised::Message => refuse_deferred(&ctx.http, &press.token, &answer).await,
        Promised::Nothing => {
            if let Err(error) = press.create_response(ctx, discord::first_reply(&answer)).await {
                tracing::warn!(error = %chain(&error), "a refusal could not be sent");
            }
        }
        Promised::Silence => tell_alone(&ctx.http, &press.token, &answer).await,
        Promised::NotOurs => {}
    }
}

/// How a press was acknowledged before its work began.
#[derive(Clone, Copy)]
enum Promised {
    /// Not yet.
    Nothing,
    /// By a public message that waits.
    Message,
    /// Without a new message.
    Silence,
    /// By another handling of the same press: it is not ours to answer.
    NotOurs,
}

/// The pictures of a job that answered the same press before, for the presser alone.
async fn pictures_again(app: &App, job: JobId) -> Vec<crate::answer::File> {
    match app.jobs.job(job).await {
        Ok(Some(job)) => render::last_answer(app, &job).await.map(|answer| answer.files).unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// Whether a press is first answered by a public message that waits.
fn is_promise(custom_id: &str) -> bool {
    matches!(custom_id.parse(), Ok(ButtonAction::Upscale { .. } | ButtonAction::Variation { .. } | ButtonAction::Reroll { .. }))
}

async fn act(
    ctx: &serenity::Context,
    press: &serenity::ComponentInteraction,
    app: &Arc<App>,
    promised: &mut Promised,
) -> Result<(), BotError> {
    let action: ButtonAction = press.data.custom_id.parse().map_err(|custom_id::UnknownButton| UserError::UnknownButton)?;
    // Who no longer may draw here may still stop and delete.
    if !matches!(action, ButtonAction::Cancel { .. } | ButtonAction::Delete { .. }) {
        discord::venue_of(press.guild_id, press.context, &press.authorizing_integration_owners).check(&app.config.limits)?;
    }
    if is_promise(&press.data.custom_id) {
        permit::check_at_once(press)?;
        *promised = Promised::NotOurs;
        press.create_response(ctx, serenity::CreateInteractionResponse::Defer(Default::default())).await?;
        *promised = Promised::Message;
        permit::check(&ctx.http, press, app).await?;
    } else {
        *promised = Promised::NotOurs;
        press.create_response(ctx, serenity::CreateInteractionResponse::Acknowledge).await?;
        *promised = Promised::Silence;
    }
    match action {
        ButtonAction::Upscale { job, index } => upscale::enqueue(press, app, job, index).await,
        ButtonAction::Variation { job, index } => variation::enqueue(press, app, job, index).await,
        ButtonAction::Reroll { job } => reroll::enqueue(press, app, job).await,
        ButtonAction::Cancel { job } => cancel::cancel(press, app, job).await,
        ButtonAction::Delete { job } => cancel::delete(ctx, press, app, job).await,
        ButtonAction::History { offset, scope } => commands::history::turn(ctx, press, app, offset, scope).await,
    }
}

/// The job that a button names, if the presser's guild is its guild.
async fn job_of(press: &serenity::ComponentInteraction, app: &App, id: JobId) -> Result<Job, BotError> {
    let guild = commands::paying_guild(press.guild_id, &press.authorizing_integration_owners, press.user.id);
    match app.jobs.job(id).await? {
        // In direct messages its owner may press what was delivered there from a guild.
        Some(job) if job.guild == guild || (press.guild_id.is_none() && job.user == commands::user_id(press.user.id)) => Ok(job),
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
fn request(press: &serenity::ComponentInteraction, action: &'static str, task: Task, parent: (&Job, u32), keep: bool) -> Request {
    let (job, index) = parent;
    Request {
        key: press.id.to_string(),
        press: Some(storage::PressKey { key: format!("{action}:{}:{index}", job.id), keep }),
        // Where the press is: in direct messages the person, also for what a guild paid for before.
        guild: commands::paying_guild(press.guild_id, &press.authorizing_integration_owners, press.user.id),
        user: commands::user_id(press.user.id),
        action,
        task,
        parent: Some((job.id, index)),
        channel: press.channel_id,
        token: press.token.clone(),
    }
}
