//! `/verify`: draws a picture again and says whether it is the same.

use inference::task::Task;
use storage::JobStatus;

use super::Context;
use crate::{
    buttons::{self, Wish, permit, presser::Presser, sight::Sight},
    error::BotError,
    jobs::{received::Asked, speed::Speed, verify},
    messages::UserError,
};

/// Draw a picture again, as a job of its own, and say whether it comes out the same
#[poise::command(slash_command, install_context = "Guild|User", interaction_context = "Guild|BotDm|PrivateChannel")]
pub async fn verify(
    ctx: Context<'_>,
    #[description = "Which job: one of your last ones, or its number"]
    #[max_length = 100]
    #[autocomplete = "super::show::jobs"]
    job: String,
    #[description = "Which of its pictures; the first if you do not say it"]
    #[min = 1]
    #[max = 100]
    picture: Option<u32>,
) -> Result<(), BotError> {
    let app = ctx.data();
    let mut presser = Presser::of_command(ctx.interaction);
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

async fn wish(ctx: Context<'_>, presser: &Presser<'_>, number: &str, picture: Option<u32>) -> Result<Wish, BotError> {
    let app = ctx.data();
    let job = Sight::of(&ctx.serenity_context().cache, presser, app).await?.job(app, number).await?;
    if job.is_deleted {
        return Err(UserError::Deleted.into());
    }
    if job.is_forgotten {
        return Err(UserError::Forgotten.into());
    }
    if job.status != JobStatus::Done {
        return Err(UserError::NotFinished.into());
    }
    let images = app.jobs.images(job.id).await?;
    let image = match picture {
        Some(number) => images.iter().find(|image| image.index + 1 == number),
        None => images.first(),
    };
    let index = image.ok_or(UserError::NoSuchPicture(picture.unwrap_or(1)))?.index;
    let stopped_at = app.jobs.states(job.id).await?.into_iter().find(|state| state.index == index).map(|state| state.done);
    let task: Task = serde_json::from_value(job.task.clone())?;
    Ok(Wish {
        action: verify::ACTION,
        speed: Speed::under(&job, presser.user),
        task: verify::alone(task, index, stopped_at),
        notes: Vec::new(),
        parent: Some((job.id, index)),
        press: None,
        begins: Vec::new(),
    })
}
