//! What is made of one picture with words of its own: a canvas around it, or some of its parts drawn anew. Both open a form.

use std::time::Duration;

use inference::task::{Inpaint, Task};
use poise::serenity_prelude as serenity;
use storage::{BlobKey, JobId};

use super::{
    Wish, after, permit,
    presser::Presser,
    variation::{self, Of},
    words,
};
use crate::{
    app::App,
    discord,
    error::BotError,
    intake::Wanted,
    jobs::{after::Onto, drafts::Typed, speed::Speed},
    messages::{self, UserError},
    pictures::{
        self,
        canvas::{Cells, Layout},
    },
    prompt::{MASKED_STRENGTH, ParseContext, Parsed},
};

/// A form must open within 3 s of the press; who may draw is asked once more when it is sent.
const ASK_WITHIN: Duration = Duration::from_secs(1);

/// Opens the form for something of a picture.
pub async fn open(
    ctx: &serenity::Context,
    press: &serenity::ComponentInteraction,
    presser: &Presser<'_>,
    app: &App,
    (id, onto): (JobId, Onto),
) -> Result<(), BotError> {
    permit::check_at_once(presser)?;
    if let Ok(checked) = tokio::time::timeout(ASK_WITHIN, permit::check(&ctx.http, presser, app)).await {
        checked?;
    }
    app.looks.take(presser.user, app.clock.now())?;
    let Of { base, .. } = variation::of(presser, app, id, onto.index()).await?;
    let task = Task::from(after::on_canvas(&base, base.size));
    let typed = words::typed_of(app, &task, presser.venue).ok_or(UserError::UnknownButton)?.of(id).onto(onto);
    let draft = app.drafts.keep(presser.user, &typed).await.ok_or_else(|| anyhow::anyhow!("a form without a draft"))?;
    app.responder.answer((press.id, presser.token), &discord::form(&messages::form(draft, &typed))).await;
    Ok(())
}

/// Every grid of what was typed into such a form.
pub(super) async fn wishes(
    (presser, app): (&Presser<'_>, &App),
    (wanted, context): (&Wanted, &ParseContext),
    (typed, onto): (&Typed, Onto),
) -> Result<Vec<Wish>, BotError> {
    let id = typed.job().ok_or(UserError::UnknownJob)?;
    let of = variation::of(presser, app, id, onto.index()).await?;
    let zoom = typed.zoom().map_err(UserError::Prompt)?;
    let mut all = Vec::new();
    for Parsed { task: mut base, strength, speed, notes, .. } in wanted.check(context, true).map_err(UserError::Prompt)? {
        words::keep_unsaid(&mut base, &of.base);
        let size = if let Onto::Zoom { .. } = onto { base.size } else { of.base.size };
        let base = after::on_canvas(&base, size);
        let usual = if let Onto::Zoom { .. } = onto { app.config.defaults.outpaint_strength } else { MASKED_STRENGTH };
        let drawing = Inpaint { base, strength: strength.unwrap_or(usual) };
        after::check(app, &drawing).await?;
        let (init, mask) = match onto {
            Onto::Zoom { .. } => {
                let layout = Layout::zoom(of.base.size, size, zoom).ok_or(UserError::NothingToDraw)?;
                after::compose(app, &of, layout).await?
            }
            Onto::Region { cells, .. } => region(app, &of, cells).await?,
        };
        let task = Task::inpaint(drawing, init.as_str(), mask.as_str());
        let speed = speed.map_or(of.speed, |tier| Speed::of(Some(tier)));
        let action = onto.after().word();
        all.push(Wish { action, speed, task, notes, parent: Some(of.parent), press: None, begins: Vec::new() });
    }
    Ok(all)
}

/// The picture as it is, and the mask of its cells.
async fn region(app: &App, of: &Of, cells: Cells) -> Result<(BlobKey, BlobKey), BotError> {
    let size = of.base.size;
    let mask = tokio::task::spawn_blocking(move || after::png(&cells.mask(size).into()));
    let mask = mask.await.map_err(anyhow::Error::from)?.map_err(anyhow::Error::from)?;
    // Looked at before there is a job of it.
    pictures::stored(&*app.blobs, of.image.blob.as_str()).await?;
    Ok((of.image.blob.clone(), app.blobs.put(mask.into()).await?))
}
