//! `/queue`: what waits and runs, of a person or of the guild where they moderate, and the buttons that end, hold back and resume it.

use std::{collections::HashMap, sync::Arc};

use poise::serenity_prelude as serenity;
use storage::{Job, JobId, JobStatus, UserId};

use super::{
    cancel,
    custom_id::{QueueAct, Whose},
    presser::Presser,
};
use crate::{
    answer::Answer,
    app::App,
    discord,
    error::BotError,
    messages::{self, N_PLACES, QueueView, Queued, UserError},
};

/// Jobs that are looked at; a message names fewer.
const MAX_JOBS: u32 = 500;

/// What waits and runs.
///
/// # Errors
/// The store cannot be read; somebody who does not moderate the guild.
pub async fn view(presser: &Presser<'_>, app: &App, whose: Whose) -> Result<Answer, BotError> {
    let jobs = jobs(presser, app, whose).await?;
    let places: HashMap<JobId, u32> = app.jobs.queue(N_PLACES).await?.into_iter().zip(1..).collect();
    let paused = app.jobs.paused().await?;
    let queued = |job: &Job| Queued {
        job: job.id,
        user: job.user.0,
        // What is for one person alone is named to nobody else.
        name: (job.user == presser.user || !job.delivery.is_private).then(|| messages::job_choice(job)),
        is_drawn: job.status == JobStatus::Leased,
        is_held: job.status == JobStatus::Queued && paused.iter().any(|(guild, _)| *guild == job.guild),
        place: places.get(&job.id).copied(),
    };
    let here = presser.payer();
    Ok(messages::queue(&QueueView {
        whose,
        jobs: jobs.iter().map(queued).collect(),
        is_moderator: presser.is_moderator(),
        paused_by: paused.iter().find(|(guild, _)| *guild == here).map(|(_, user)| user.0),
    }))
}

/// The jobs that a view is about.
async fn jobs(presser: &Presser<'_>, app: &App, whose: Whose) -> Result<Vec<Job>, BotError> {
    let (guild, user) = match whose {
        Whose::Mine => (None, Some(presser.user)),
        Whose::Guild if presser.is_moderator() => (Some(presser.payer()), None),
        Whose::Guild => return Err(UserError::ModeratorsOnly.into()),
    };
    Ok(app.jobs.unfinished(guild, user, MAX_JOBS).await?)
}

/// Does what a press asks for, and shows what waits and runs then.
///
/// # Errors
/// A refusal, or the message cannot be edited.
pub async fn act(
    press: &serenity::ComponentInteraction,
    presser: &Presser<'_>,
    app: &Arc<App>,
    whose: Whose,
    act: QueueAct,
) -> Result<(), BotError> {
    // Nobody reaches further than what they may see.
    let jobs = jobs(presser, app, whose).await?;
    let value = discord::values(press).first().map(String::as_str).unwrap_or_default();
    match act {
        QueueAct::Show => {}
        QueueAct::Cancel => {
            let id: JobId = value.parse().map_err(|_| UserError::UnknownButton)?;
            end(app, jobs.iter().filter(|job| job.id == id)).await?;
        }
        QueueAct::CancelAll => {
            let user = value.parse().map_or(presser.user, UserId);
            end(app, jobs.iter().filter(|job| job.user == user)).await?;
        }
        QueueAct::Pause | QueueAct::Resume => {
            if !presser.is_moderator() {
                return Err(UserError::ModeratorsOnly.into());
            }
            let by = (act == QueueAct::Pause).then_some(presser.user);
            if app.jobs.pause(presser.payer(), by, app.clock.now()).await? {
                tracing::info!(guild.id = presser.payer().0, user.id = presser.user.0, is_paused = by.is_some(), "a guild's queue");
            }
            app.board.queue.notify_one();
        }
    }
    let answer = view(presser, app, whose).await?;
    app.responder.fill(presser.token, &answer).await.map_err(|error| BotError::Internal(error.into()))
}

/// Ends jobs; one that has ended meanwhile is none any more.
async fn end(app: &Arc<App>, jobs: impl Iterator<Item = &Job>) -> Result<(), BotError> {
    for job in jobs {
        cancel::request(app, job.id).await?;
    }
    Ok(())
}
