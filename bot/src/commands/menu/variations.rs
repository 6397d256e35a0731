//! *Variations of this picture*: as V under a picture of ours; of another one a form opens, because nobody knows what it shows.

use poise::serenity_prelude as serenity;

use super::{
    super::Context,
    open_form, press,
    target::{self, Target},
    told,
};
use crate::{
    buttons::{self, custom_id::ButtonAction, permit, presser::Presser},
    error::BotError,
    intake::Named,
    jobs::drafts::Typed,
};

/// Draws variations of the picture in a message
#[poise::command(
    context_menu_command = "Variations of this picture",
    install_context = "Guild|User",
    interaction_context = "Guild|BotDm|PrivateChannel"
)]
pub async fn variations(ctx: Context<'_>, message: serenity::Message) -> Result<(), BotError> {
    let app = ctx.data();
    let address = match target::of(app, &message)? {
        Target::Ours(job) => return press(ctx, job, |job, index| ButtonAction::Variation { job, index }).await,
        Target::Theirs(address) => address,
    };
    let presser = Presser::of_command(ctx.interaction);
    permit::check_at_once(&presser)?;
    app.looks.take(presser.user, app.clock.now())?;
    let words = told::read_quickly(app, &address).await.and_then(|found| told::task(app, found).ok());
    let (prompt, negative) = words.and_then(|task| buttons::remix::words_of(app, &task)).unwrap_or_default();
    let named = Named { init: Some(address), ..Named::default() };
    open_form(ctx, &Typed::new(&prompt, &negative, String::new(), presser.venue).with(named)).await
}
