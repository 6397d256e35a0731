//! *Reuse prompt*: opens a form with what a picture was drawn from, as far as it is known or its file says it.

use poise::serenity_prelude as serenity;

use super::{
    super::Context,
    open_form,
    target::{self, Target},
    told,
};
use crate::{
    buttons::{self, presser::Presser},
    error::BotError,
    intake::NotTaken,
    jobs::parents::Drawn,
    messages::UserError,
};

/// Opens what the picture in a message was drawn from
#[poise::command(context_menu_command = "Reuse prompt", install_context = "Guild|User", interaction_context = "Guild|BotDm|PrivateChannel")]
pub async fn reuse(ctx: Context<'_>, message: serenity::Message) -> Result<(), BotError> {
    let app = ctx.data();
    let presser = Presser::of_command(ctx.interaction);
    buttons::permit::check_at_once(&presser)?;
    let target = target::of(app, &message)?;
    app.looks.take(presser.user, app.clock.now())?;
    let typed = match target {
        Target::Ours(id) => {
            let job = buttons::job_of(&presser, app, id).await?;
            let Drawn { job, mut task, index } = buttons::drawn_of(app, job).await?;
            if let Some(base) = task.base_mut() {
                base.seed = base.seed_of(index.unwrap_or(0));
            }
            buttons::words::typed_of(app, &task, presser.venue).ok_or(UserError::NothingTold)?.of(job.id)
        }
        Target::Theirs(address) => {
            let found = told::read_quickly(app, &address).await.ok_or(UserError::Picture(NotTaken::Unreachable))?;
            let task = told::task(app, found)?;
            // The picture that it was drawn from is not here.
            let base = task.base().cloned().ok_or(UserError::NothingTold)?;
            buttons::words::typed_of(app, &base.into(), presser.venue).ok_or(UserError::NothingTold)?
        }
    };
    open_form(ctx, &typed).await
}
