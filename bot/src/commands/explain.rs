//! `/explain`: how a picture came from noise; without one, the newcomer's tour.

use storage::JobStatus;

use super::Context;
use crate::{
    buttons::{self, Wish, explain, permit, presser::Presser, sight::Sight, tour},
    error::BotError,
    jobs::received::{Asked, Promise},
    messages::UserError,
};

/// How a picture came from noise, drawn again as a job; without one, a tour of how pictures are made
#[poise::command(slash_command, install_context = "Guild|User", interaction_context = "Guild|BotDm|PrivateChannel")]
pub async fn explain(
    ctx: Context<'_>,
    #[description = "Which job: one of your last ones, or its number; without it I show you how pictures are made"]
    #[max_length = 100]
    #[autocomplete = "super::show::jobs"]
    job: Option<String>,
    #[description = "Which of its pictures; the first if you do not say it"]
    #[min = 1]
    #[max = 100]
    picture: Option<u32>,
) -> Result<(), BotError> {
    let app = ctx.data();
    let mut presser = Presser::of_command(ctx.interaction);
    let Some(job) = job else { return tour(ctx, &presser).await };
    permit::check_at_once(&presser)?;
    app.looks.take(presser.user, app.clock.now())?;
    let wish = wish(ctx, &presser, &job, picture).await?;
    buttons::learn(&mut presser, app, wish.parent.map(|(job, _)| job)).await?;
    let Some(promised) = super::promise(ctx, presser.promise(), Asked::Again).await else { return Ok(()) };
    presser.message = promised.message;
    let drawn = async {
        permit::check(ctx.serenity_context().http.as_ref(), &presser, app).await?;
        app.door.enqueue(wish.by(&presser, app.clock.now())).await
    };
    match drawn.await {
        Ok(_) => promised.has_job(),
        Err(error) => promised.refuse(app, &super::refusal(ctx, error).await).await,
    }
    Ok(())
}

async fn tour(ctx: Context<'_>, presser: &Presser<'_>) -> Result<(), BotError> {
    let Some(promised) = super::promise(ctx, Promise::Alone, Asked::Again).await else { return Ok(()) };
    match tour::page(presser, ctx.data(), 0).await {
        Ok(answer) => promised.fill(ctx.data(), &answer).await,
        Err(error) => promised.refuse(ctx.data(), &super::refusal(ctx, error).await).await,
    }
    Ok(())
}

async fn wish(ctx: Context<'_>, presser: &Presser<'_>, number: &str, picture: Option<u32>) -> Result<Wish, BotError> {
    let app = ctx.data();
    let job = Sight::of(&ctx.serenity_context().cache, presser, app).await?.job(app, number).await?;
    if job.is_forgotten {
        return Err(UserError::Forgotten.into());
    }
    if job.status != JobStatus::Done && !job.is_deleted {
        return Err(UserError::NotFinished.into());
    }
    let index = match picture {
        Some(number) => number - 1,
        None => app.jobs.images(job.id).await?.first().map_or(0, |image| image.index),
    };
    explain::wish(presser, app, job, index).await
}
