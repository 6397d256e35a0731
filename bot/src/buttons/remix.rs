//! ✏️: a form with what was typed, or with what a job was drawn from; sending it draws.

use std::{sync::Arc, time::Duration};

use inference::task::{ImageToImage, Inpaint, Role, Task, TaskKind, TextToImage};
use poise::serenity_prelude as serenity;
use storage::{DraftId, Job, JobId};

use super::{
    Wish,
    custom_id::{FormId, UnknownButton},
    drawn_of, job_of, onto, permit,
    presser::Presser,
    reply::{self, Ended},
    variation,
    words::{keep_unsaid, typed_of},
};
use crate::{
    app::App,
    commands::promise::Promised,
    discord,
    error::BotError,
    intake::{Ready, Wanted},
    jobs::drafts::Typed,
    jobs::parents::Drawn,
    jobs::received::Asked,
    jobs::several,
    jobs::speed::Speed,
    messages::{self, UserError},
    prompt::{self, ParseContext, Parsed},
    system::log::chain,
};

/// A form must open within 3 s of the press; who may draw is asked once more when it is sent.
const ASK_WITHIN: Duration = Duration::from_secs(1);

/// Opens a form with what a job was drawn from; sending it draws the job again, or variations of one of its pictures.
pub async fn open(
    ctx: &serenity::Context,
    press: &serenity::ComponentInteraction,
    presser: &Presser<'_>,
    app: &App,
    (id, of_picture): (JobId, Option<u32>),
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
    let Drawn { job, mut task, index } = drawn_of(app, job).await?;
    if let Some(base) = task.base_mut() {
        base.seed = base.seed_of(index.unwrap_or(0));
        base.study.clear();
        base.readings.clear();
    }
    let typed = typed_of(app, &task, presser.venue).ok_or(UserError::UnknownButton)?;
    let typed = match of_picture {
        Some(picture) => typed.of(id).varying(picture),
        None => typed.of(job.id),
    };
    let draft = app.drafts.keep(presser.user, &typed).await.ok_or_else(|| anyhow::anyhow!("a form without a draft"))?;
    app.responder.answer((press.id, presser.token), &discord::form(&messages::form(draft, &typed))).await;
    Ok(())
}

/// The prompt of a task and its negative prompt, where that is not its model's own.
pub(crate) fn words_of(app: &App, task: &Task) -> Option<(String, String)> {
    let base = task.base()?;
    let negative = prompt::own_negative(base, &app.models.parse_context()).unwrap_or_default().to_owned();
    Some((base.prompt.clone(), negative))
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
    let mut presser = Presser::of_form(form, venue);
    let typed = Typed::of_fields(sent, venue, kept.as_ref().ok());
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
    super::learn(presser, app, typed.job()).await?;
    let (wanted, context) = (typed.wanted(&app.intake.hosts)?, typed.context(app.models.parse_context_of(&presser.chosen).await));
    let before = before(presser, app, typed).await?;
    let has_picture = has_picture(before.as_ref());
    let grids = wanted.check(&context, has_picture).map_err(UserError::Prompt)?;
    discord::places::check_open(&ctx.cache, presser.channel, presser.place().as_ref(), wanted.named.channels())?;
    if grids.len() > 1 {
        permit::check(&ctx.http, presser, app).await?;
        let question = several::ask((&app.models, &app.drafts), presser.user, typed, &grids).await?;
        app.responder.tell_first((form.id, presser.token), &question).await;
        return Ok(Ended::Answered);
    }
    if !reply::promise(app, form.id, presser, presser.promise(), Asked::Form(typed.clone()), promised).await {
        return Ok(Ended::Answered);
    }
    permit::check(&ctx.http, presser, app).await?;
    let wishes = match typed.is_onto() {
        Some(onto) => onto::wishes((presser, app), (&wanted, &context), (typed, onto)).await?,
        None => wishes((presser, app), (&wanted, &context), before).await?,
    };
    for wish in wishes {
        app.door.enqueue(wish.by(presser, app.clock.now())).await?;
    }
    Ok(Ended::HasJob)
}

/// Whether a job that is drawn again has a picture that it is drawn from.
pub(super) fn has_picture(before: Option<&(Job, Task)>) -> bool {
    before.is_some_and(|(_, task)| task.input(&Role::Init).is_some())
}

/// Every grid of what was typed, with what no parameter says of the job that is drawn again, if it is one.
pub(super) async fn wishes(
    (presser, app): (&Presser<'_>, &App),
    (wanted, context): (&Wanted, &ParseContext),
    before: Option<(Job, Task)>,
) -> Result<Vec<Wish>, BotError> {
    let has_picture = has_picture(before.as_ref());
    let under = before.as_ref().map(|(job, _)| Speed::under(job, presser.user));
    let all: Vec<(Ready, Option<(JobId, u32)>)> = match before {
        // A picture that was typed into the form takes the place of the job's.
        Some(before) if wanted.named.is_empty() => {
            let grids = wanted.check(context, has_picture).map_err(UserError::Prompt)?.into_iter();
            let changed = |Parsed { task: base, strength, speed, notes, .. }: Parsed| {
                let (task, parent) = with_changes((base, strength), before.clone());
                (Ready { task, speed, notes }, parent)
            };
            grids.map(changed).collect()
        }
        before => {
            let mut all = app.intake.tasks(wanted, context).await?;
            for ready in &mut all {
                if let (Some(base), Some(old)) = (ready.task.base_mut(), before.as_ref().and_then(|(_, task)| task.base())) {
                    keep_unsaid(base, old);
                }
            }
            all.into_iter().map(|ready| (ready, before.as_ref().map(|(job, _)| (job.id, 0)))).collect()
        }
    };
    let wish = |(Ready { task, speed, notes }, parent)| {
        let speed = under.filter(|_| speed.is_none()).unwrap_or_else(|| Speed::of(speed));
        Wish { action: "remix", speed, task, notes, parent, press: None, begins: Vec::new() }
    };
    Ok(all.into_iter().map(wish).collect())
}

/// The job that is drawn again or varied, and its task, if there is one.
pub(super) async fn before(presser: &Presser<'_>, app: &App, typed: &Typed) -> Result<Option<(Job, Task)>, BotError> {
    let Some(id) = typed.job() else { return Ok(None) };
    if let Some(picture) = typed.varied() {
        let (job, of) = (job_of(presser, app, id).await?, variation::of(presser, app, id, picture).await?);
        let parent = Some(of.parent);
        return Ok(Some((Job { parent, ..job }, variation::task(presser, app, of))));
    }
    let job = job_of(presser, app, id).await?;
    let task = serde_json::from_value(job.task.clone())?;
    Ok(Some((job, task)))
}

/// What was typed, with what no parameter says of the task before.
fn with_changes((mut base, strength): (TextToImage, Option<f64>), (job, mut task): (Job, Task)) -> (Task, Option<(JobId, u32)>) {
    if let Some(old) = task.base() {
        keep_unsaid(&mut base, old);
    }
    let parent = if task.inputs.is_empty() { Some((job.id, 0)) } else { job.parent };
    if let (Some(strength), TaskKind::ImageToImage(ImageToImage { strength: old, .. }) | TaskKind::Inpaint(Inpaint { strength: old, .. })) =
        (strength, &mut task.kind)
    {
        *old = strength;
    }
    match task.base_mut() {
        Some(old) => *old = base,
        None => return (base.into(), Some((job.id, 0))),
    }
    (task, parent)
}

#[cfg(test)]
mod tests {
    use inference::task::{AdapterUse, Enlarger, Hires, SkippedFor};
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
            delivery: Delivery { channel: 1, token: String::new(), token_expires: Timestamp(0), message: None, is_private: false },
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
        let (task, parent) = with_changes((typed(2.0), None), (before.clone(), Task::from(old.clone())));
        assert_eq!(task, Task::from(TextToImage { prompt: "a green frog".into(), steps: 9, ..old.clone() }));
        assert_eq!(parent, Some((before.id, 0)));
        let (task, _) = with_changes((typed(3.0), None), (before.clone(), Task::from(old.clone())));
        assert_eq!(task.base().map(|base| base.hires), Some(Some(prompt::hires(3.0))), "what was typed stands before what was");

        let picture = (JobId::new(), 2);
        let varied = Task::image_to_image(ImageToImage { base: old.clone(), strength: 0.6 }, "blob");
        let masked = Task::inpaint(Inpaint { base: old, strength: 0.9 }, "blob", "mask");
        for before in [varied, masked] {
            let (task, parent) = with_changes((typed(2.0), None), (job(Some(picture)), before.clone()));
            assert_eq!((&task.inputs, task.strength(), parent), (&before.inputs, before.strength(), Some(picture)));
            assert_eq!(task.word(), before.word());
            let (changed, _) = with_changes((typed(2.0), Some(0.25)), (job(Some(picture)), before.clone()));
            assert_eq!((&changed.inputs, changed.strength()), (&before.inputs, Some(0.25)));
            assert_eq!(task.base().map(|base| base.prompt.as_str()), Some("a green frog"));
        }
    }
}
