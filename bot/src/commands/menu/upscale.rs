//! *Upscale*: as U under a picture of ours; another one goes through the same network.

use inference::task::{Task, Upscale};
use poise::serenity_prelude as serenity;

use super::{
    super::Context,
    press,
    target::{self, Target},
};
use crate::{
    buttons::{self, Wish, custom_id::ButtonAction, permit, presser::Presser},
    error::BotError,
    intake::{Address, Named, NotTaken},
    jobs::received::Asked,
    jobs::speed::Speed,
    messages::UserError,
    pictures::shown,
};

/// Enlarges the picture in a message
#[poise::command(context_menu_command = "Upscale", install_context = "Guild|User", interaction_context = "Guild|BotDm|PrivateChannel")]
pub async fn upscale(ctx: Context<'_>, message: serenity::Message) -> Result<(), BotError> {
    let app = ctx.data();
    let address = match target::of(app, &message)? {
        Target::Ours(job) => return press(ctx, job, |job, index| ButtonAction::Upscale { job, index }).await,
        Target::Theirs(address) => address,
    };
    let mut presser = Presser::of_command(ctx.interaction);
    permit::check_at_once(&presser)?;
    buttons::learn(&mut presser, app, None).await?;
    let Some(promised) = super::super::promise(ctx, presser.promise(), Asked::Again).await else { return Ok(()) };
    presser.message = promised.message;
    match enlarge(ctx, &presser, address).await {
        Ok(()) => promised.has_job(),
        Err(error) => promised.refuse(app, &super::super::refusal(ctx, error).await).await,
    }
    Ok(())
}

async fn enlarge(ctx: Context<'_>, presser: &Presser<'_>, address: Address) -> Result<(), BotError> {
    let app = ctx.data();
    permit::check(ctx.serenity_context().http.as_ref(), presser, app).await?;
    let kept = app.intake.take(&Named { init: Some(address), ..Named::default() }).await?;
    let (picture, size) = kept.init.ok_or(UserError::Picture(NotTaken::NoPictureHere))?;
    let passes = shown::passes(&app.models.engine, size.width);
    let task = Task::upscale(Upscale { size, passes }, picture.as_str());
    let most = app.models.offered().catalogue.max_enlarged();
    if size.width.max(size.height) > most {
        return Err(UserError::Picture(NotTaken::TooLargeToEnlarge { size, most }).into());
    }
    let wish = Wish { action: "upscale", speed: Speed::Usual, task, notes: Vec::new(), parent: None, press: None, begins: Vec::new() };
    app.door.enqueue(wish.by(presser, app.clock.now())).await.map(drop)
}
