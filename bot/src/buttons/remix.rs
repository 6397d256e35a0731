//! ✏️: a form with what was typed, or with what a job was drawn from; sending it draws.

use std::{sync::Arc, time::Duration};

use inference::task::Task;
use poise::serenity_prelude as serenity;
use storage::{DraftId, Job, JobId};

use super::{
    Wish,
    custom_id::{FormId, UnknownButton},
    drawn_of, job_of, permit,
    presser::Presser,
    reply::{self, Ended},
};
use crate::{
    app::App,
    commands::promise::Promised,
    discord,
    error::BotError,
    jobs::drafts::Typed,
    jobs::parents::Drawn,
    jobs::received::{Asked, Promise},
    jobs::speed::Speed,
    messages::{self, UserError},
    prompt,
    system::log::chain,
};

/// A form must open within 3 s of the press; who may draw is asked once more when it is sent.
const ASK_WITHIN: Duration = Duration::from_secs(1);

/// Opens a form with what a job was drawn from.
pub async fn open(
    ctx: &serenity::Context,
    press: &serenity::ComponentInteraction,
    presser: &Presser<'_>,
    app: &App,
    id: JobId,
) -> Result<(), BotError> {
    permit::check_at_once(presser)?;
    if let Ok(checked) = tokio::time::timeout(ASK_WITHIN, permit::check(&ctx.http, presser, app)).await {
        checked?;
    }
    app.looks.take(presser.user, app.clock.now())?;
    let job = job_of(presser, app, id).await?;
    if job.is_deleted {
        return Err(UserError::Deleted.into());
    }
    let Drawn { job, task, index } = drawn_of(app, job).await?;
    let mut base = task.base().cloned().ok_or(UserError::UnknownButton)?;
    base.seed = base.seed.of_image(index.unwrap_or(0));
    let context = app.models.parse_context();
    let negative = prompt::own_negative(&base, &context).unwrap_or_default();
    let parameters = prompt::describe_without_negative(&base, &context);
    let typed = Typed::new(&base.prompt, negative, parameters, presser.venue).of(job.id);
    let draft = app.drafts.keep(presser.user, &typed).await.ok_or_else(|| anyhow::anyhow!("a form without a draft"))?;
    app.responder.answer((press.id, presser.token), &discord::form(&messages::form(draft, &typed))).await;
    Ok(())
}

/// Opens a form with what was typed and refused.
pub async fn reopen(press: &serenity::ComponentInteraction, presser: &Presser<'_>, app: &App, draft: DraftId) -> Result<(), BotError> {
    let typed = app.drafts.find(presser.user, draft).await?;
    app.responder.answer((press.id, presser.token), &discord::form(&messages::form(draft, &typed))).await;
    Ok(())
}

/// Answers a form that was sent.
pub async fn submit(ctx: &serenity::Context, form: &serenity::ModalInteraction, app: &Arc<App>) {
    let sent = discord::sent(&form.data);
    let kept = opened(app, form).await;
    let venue = discord::venue_of_form(&ctx.cache, form.guild_id, kept.as_ref().ok().map(|kept| kept.venue));
    let of = kept.as_ref().ok().and_then(Typed::job);
    let mut presser = Presser::of_form(form, venue);
    let typed = Typed::of_fields(sent, venue, of);
    let mut promised = None;
    let done = match kept {
        Ok(_) => draw(ctx, form, &mut presser, app, &typed, &mut promised).await,
        Err(error) => Err(error),
    };
    let error = match done {
        Ok(ended) => return reply::end(promised, ended),
        Err(error) => error,
    };
    if let BotError::Internal(error) = &error {
        tracing::error!(error = chain(error.as_ref()), "a form failed");
    }
    let mut answer = reply::refusal(app, &presser, &error).await;
    app.drafts.give_back(presser.user, &typed, &mut answer).await;
    reply::send(app, form.id, &presser, promised, &answer).await;
}

/// What the form held when it opened.
async fn opened(app: &App, form: &serenity::ModalInteraction) -> Result<Typed, BotError> {
    let FormId { draft } = form.data.custom_id.parse().map_err(|UnknownButton| UserError::UnknownButton)?;
    app.drafts.find(storage::UserId(form.user.id.get()), draft).await
}

async fn draw(
    ctx: &serenity::Context,
    form: &serenity::ModalInteraction,
    presser: &mut Presser<'_>,
    app: &Arc<App>,
    typed: &Typed,
    promised: &mut Option<Promised>,
) -> Result<Ended, BotError> {
    presser.venue.check(&app.config.limits)?;
    permit::check_at_once(presser)?;
    let parsed = typed.parse(&app.models.parse_context_now().await)?;
    if !reply::promise(app, form.id, presser, Promise::Message, Asked::Form(typed.clone()), promised).await {
        return Ok(Ended::Answered);
    }
    permit::check(&ctx.http, presser, app).await?;
    let before = match typed.job() {
        Some(job) => Some(before(presser, app, job).await?),
        None => None,
    };
    let speed = match (parsed.speed, &before) {
        (None, Some((job, _))) => Speed::under(job, presser.user),
        (said, _) => Speed::of(said),
    };
    let (task, parent) = with_changes(parsed.task, before);
    app.door
        .enqueue(
            Wish { action: "remix", speed, task, notes: parsed.notes, parent, press: None, begins: Vec::new() }
                .by(presser, app.clock.now()),
        )
        .await?;
    Ok(Ended::HasJob)
}

/// The job that is drawn again, and its task.
async fn before(presser: &Presser<'_>, app: &App, id: JobId) -> Result<(Job, Task), BotError> {
    let job = job_of(presser, app, id).await?;
    let task = serde_json::from_value(job.task.clone())?;
    Ok((job, task))
}

/// What was typed, with what no parameter says of the task before.
fn with_changes(mut base: inference::task::TextToImage, before: Option<(Job, Task)>) -> (Task, Option<(JobId, u32)>) {
    let Some((job, mut task)) = before else { return (Task::from(base), None) };
    if let Some(old) = task.base() {
        base.adapters = old.adapters.clone();
        base.guidance_interval = old.guidance_interval;
        base.clip_skip_of = old.clip_skip_of;
        base.hires = match (base.hires, old.hires) {
            (Some(new), Some(old)) if new.scale == old.scale => Some(old),
            (new, _) => new,
        };
    }
    let parent = if task.inputs.is_empty() { Some((job.id, 0)) } else { job.parent };
    match task.base_mut() {
        Some(old) => *old = base,
        None => return (base.into(), Some((job.id, 0))),
    }
    (task, parent)
}

#[cfg(test)]
mod tests {
    use inference::task::{AdapterUse, Enlarger, Hires, ImageToImage, Inpaint, SkippedFor, TextToImage};
    use storage::{Delivery, GuildId, JobStatus, Timestamp, UserId};

    use super::*;

    fn job(parent: Option<(JobId, u32)>) -> Job {
        Job {
            id: JobId::new(),
            status: JobStatus::Done,
            guild: GuildId(1),
            user: UserId(1),
            action: "imagine".into(),
            tier: storage::Tier::Fast,
            model: None,
            task: serde_json::Value::Null,
            parent,
            row_megapixels: 1.0,
            delivery: Delivery { channel: 1, token: String::new(), token_expires: Timestamp(0), message: None },
            failure: None,
            notes: None,
            is_deleted: false,
            is_forgotten: false,
            is_cancel_requested: false,
            is_stop_requested: false,
            culled: 0,
            attempts: 1,
            created: Timestamp(0),
            finished: Some(Timestamp(0)),
        }
    }

    #[test]
    fn what_no_parameter_says_stays_as_it_was() {
        let hires = |strength| Hires { scale: 2.0, strength, steps: Some(9), enlarger: Enlarger::Network };
        let old = TextToImage {
            prompt: "a frog".into(),
            adapters: vec![AdapterUse::new("ink", 0.5)],
            guidance_interval: (0.25, 0.75),
            clip_skip_of: SkippedFor::Prompt,
            hires: Some(hires(0.3)),
            ..TextToImage::default()
        };
        let typed = |scale| {
            let hires = Some(Hires { scale, ..prompt::hires(2.0) });
            TextToImage { prompt: "a green frog".into(), steps: 9, hires, ..TextToImage::default() }
        };
        let before = job(None);
        let (task, parent) = with_changes(typed(2.0), Some((before.clone(), Task::from(old.clone()))));
        assert_eq!(task, Task::from(TextToImage { prompt: "a green frog".into(), steps: 9, ..old.clone() }));
        assert_eq!(parent, Some((before.id, 0)));
        let (task, _) = with_changes(typed(3.0), Some((before.clone(), Task::from(old.clone()))));
        assert_eq!(task.base().map(|base| base.hires), Some(Some(prompt::hires(3.0))), "what was typed stands before what was");

        let picture = (JobId::new(), 2);
        let varied = Task::image_to_image(ImageToImage { base: old.clone(), strength: 0.6 }, "blob");
        let masked = Task::inpaint(Inpaint { base: old, strength: 0.9 }, "blob", "mask");
        for before in [varied, masked] {
            let (task, parent) = with_changes(typed(2.0), Some((job(Some(picture)), before.clone())));
            assert_eq!((&task.inputs, task.strength(), parent), (&before.inputs, before.strength(), Some(picture)));
            assert_eq!(task.word(), before.word());
            assert_eq!(task.base().map(|base| base.prompt.as_str()), Some("a green frog"));
        }
        let (task, parent) = with_changes(typed(2.0), None);
        assert_eq!((task, parent), (Task::from(typed(2.0)), None));
    }
}
