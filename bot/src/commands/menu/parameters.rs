//! *Show parameters*: how a picture was made, as far as it is known or its file says it.

use poise::serenity_prelude as serenity;
use storage::JobId;

use super::{
    super::Context,
    target::{self, Target},
    told,
};
use crate::{
    answer::Answer,
    buttons::{self, presser::Presser},
    error::BotError,
    jobs::received::{Asked, Promise},
    messages::{self, UserError},
    pictures::metadata::{Found, Origin, Record, parameters as text},
};

/// Tells how the picture in a message was made
#[poise::command(
    context_menu_command = "Show parameters",
    install_context = "Guild|User",
    interaction_context = "Guild|BotDm|PrivateChannel"
)]
pub async fn parameters(ctx: Context<'_>, message: serenity::Message) -> Result<(), BotError> {
    let app = ctx.data();
    let target = target::of(app, &message)?;
    app.looks.take(super::super::user_id(ctx.interaction.user.id), app.clock.now())?;
    let Some(promised) = super::super::promise(ctx, Promise::Alone, Asked::Again).await else { return Ok(()) };
    match tell(ctx, target).await {
        Ok(answer) => promised.fill(app, &answer).await,
        Err(error) => promised.refuse(app, &super::super::refusal(ctx, error).await).await,
    }
    Ok(())
}

async fn tell(ctx: Context<'_>, target: Target) -> Result<Answer, BotError> {
    match target {
        Target::Ours(job) => of_job(ctx, job).await,
        Target::Theirs(address) => match told::read(ctx.data(), &address).await? {
            Found::Record(record) => Ok(messages::parameters(&text::write(&record), None)),
            Found::Parameters(text) => Ok(messages::parameters(&text, None)),
            Found::Program(name) => Err(UserError::ToldOtherwise(name).into()),
            Found::Nothing => Err(UserError::NothingTold.into()),
        },
    }
}

/// How a job of ours was drawn.
pub(super) async fn of_job(ctx: Context<'_>, id: JobId) -> Result<Answer, BotError> {
    let app = ctx.data();
    let job = buttons::job_of(&Presser::of_command(ctx.interaction), app, id).await?;
    let mut task = serde_json::from_value(job.task.clone())?;
    let images = app.jobs.images(id).await?;
    let origin = images.first().and_then(|image| image.provenance.clone()).map(Origin::from).unwrap_or_default();
    if let Some(drawn) = buttons::drawn_of(app, job).await.ok().filter(|drawn| drawn.index.is_some()) {
        task = drawn.task;
    }
    Ok(messages::parameters(&text::write(&Record { task, index: None, is_enlarged: false, origin }), Some(id)))
}
