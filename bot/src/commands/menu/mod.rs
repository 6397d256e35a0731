//! What a message's menu offers under *Apps*: something is done with the picture that it shows, whoever made it.

mod describe;
mod parameters;
mod report;
mod reuse;
mod target;
pub(super) mod told;
mod upscale;
mod variations;

use std::sync::{Arc, atomic::Ordering};

use storage::{JobId, JobStatus};

use super::Context;
use crate::{
    app::App,
    buttons::{self, custom_id::ButtonAction, permit, presser::Presser},
    discord,
    error::BotError,
    jobs::drafts::Typed,
    jobs::received::Asked,
    messages::{self, UserError},
};

/// All of them.
pub(super) fn all() -> [poise::Command<Arc<App>, BotError>; 6] {
    [variations::variations(), upscale::upscale(), parameters::parameters(), describe::describe(), reuse::reuse(), report::report()]
}

/// Does with a job's picture what a button under it does; of several it is asked which one.
async fn press(ctx: Context<'_>, id: JobId, action: fn(JobId, u32) -> ButtonAction) -> Result<(), BotError> {
    let app = ctx.data();
    let mut presser = Presser::of_command(ctx.interaction);
    permit::check_at_once(&presser)?;
    app.looks.take(presser.user, app.clock.now())?;
    let job = buttons::job_of(&presser, app, id).await?;
    if job.is_deleted {
        return Err(UserError::Deleted.into());
    }
    if job.status != JobStatus::Done {
        return Err(UserError::NotFinished.into());
    }
    let indices: Vec<u32> = app.jobs.images(id).await?.iter().map(|image| image.index).collect();
    let [index] = indices[..] else {
        super::tell(ctx, &messages::which_picture(id, &indices, action)).await;
        return Ok(());
    };
    buttons::learn(&mut presser, app, Some(id)).await?;
    let Some(promised) = super::promise(ctx, presser.promise(), Asked::Again).await else { return Ok(()) };
    presser.message = promised.message;
    let drawn = async {
        permit::check(ctx.serenity_context().http.as_ref(), &presser, app).await?;
        match action(id, index) {
            ButtonAction::Upscale { .. } => buttons::upscale::enqueue(&presser, app, id, index).await,
            _ => buttons::variation::enqueue(&presser, app, id, index).await,
        }
    };
    match drawn.await {
        Ok(()) => promised.has_job(),
        Err(error) => promised.refuse(app, &super::refusal(ctx, error).await).await,
    }
    Ok(())
}

/// Opens a form.
async fn open_form(ctx: Context<'_>, typed: &Typed) -> Result<(), BotError> {
    let (app, interaction) = (ctx.data(), ctx.interaction);
    let draft =
        app.drafts.keep(super::user_id(interaction.user.id), typed).await.ok_or_else(|| anyhow::anyhow!("a form without a draft"))?;
    ctx.has_sent_initial_response.store(true, Ordering::SeqCst);
    app.responder.answer((interaction.id, &interaction.token), &discord::form(&messages::form(draft, typed))).await;
    Ok(())
}
