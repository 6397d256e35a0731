//! Buttons, one file each, and the forms that they open. They need nothing but the database, so they outlive restarts.

mod after;
mod appeal;
mod cancel;
mod carry_on;
mod cull;
pub mod custom_id;
mod delete;
mod draw_draft;
mod erase;
pub(crate) mod example;
pub(crate) mod explain;
mod files;
mod film;
mod mark;
mod onto;
pub(crate) mod panel;
pub(crate) mod permit;
pub(crate) mod pick;
mod picture_action;
pub mod policy_action;
pub(crate) mod presser;
pub(crate) mod queue;
mod receipt;
mod region;
pub(crate) mod remix;
mod reply;
mod reroll;
mod several;
mod shorter;
pub(crate) mod sight;
mod stop;
pub(crate) mod tour;
pub(crate) mod upscale;
pub(crate) mod variation;
pub(crate) mod words;

use std::sync::Arc;

use inference::{
    state::Place,
    task::{Note, Task},
};
use poise::serenity_prelude as serenity;
use storage::{AppealState, Chooser, Delivery, Job, JobId, JobStatus, NewImage, PressKey, Timestamp};

use crate::{
    app::App,
    chosen,
    commands::{self, promise::Promised},
    discord,
    error::BotError,
    jobs::after::{After, Onto},
    jobs::enqueue::Request,
    jobs::going_on,
    jobs::parents::{self, Drawn},
    jobs::received::{Asked, Promise},
    jobs::speed::Speed,
    messages::{self, UserError},
    pictures::canvas::Cells,
    policy::Venue,
    system::log::chain,
};
use custom_id::{ButtonAction, PictureAction};
use policy_action::PolicyAction;
use presser::Presser;
use reply::Ended;

pub use cancel::request as request_cancel;
pub use delete::forget;
pub use remix::submit;

/// Answers a press.
pub async fn press(ctx: &serenity::Context, press: &serenity::ComponentInteraction, app: &Arc<App>) {
    let mut presser = Presser::of_press(press);
    let mut promised = None;
    let error = match act(ctx, press, &mut presser, app, &mut promised).await {
        Ok(ended) => return reply::end(promised, ended),
        Err(error) => error,
    };
    let mut answer = reply::refusal(app, &presser, &error).await;
    if let BotError::Internal(error) = &error {
        tracing::error!(error = chain(error.as_ref()), button = press.data.custom_id, "a button failed");
    }
    // What was asked for is not lost: it can be changed to what is granted.
    if let Ok(ButtonAction::Variation { job, .. } | ButtonAction::After { job, .. } | ButtonAction::Reroll { job }) =
        press.data.custom_id.parse()
        && matches!(
            error,
            BotError::User(
                UserError::Prompt(_)
                    | UserError::Task(_)
                    | UserError::ModelCannot { .. }
                    | UserError::Refused(..)
                    | UserError::JobTooLarge { .. }
                    | UserError::Blocked { .. }
            )
        )
    {
        answer.buttons.push(vec![messages::remix_button(job)]);
    }
    reply::send(app, press.id, &presser, promised, &answer).await;
}

async fn act(
    ctx: &serenity::Context,
    press: &serenity::ComponentInteraction,
    presser: &mut Presser<'_>,
    app: &Arc<App>,
    promised: &mut Option<Promised>,
) -> Result<Ended, BotError> {
    let action: ButtonAction = press.data.custom_id.parse().map_err(|custom_id::UnknownButton| UserError::UnknownButton)?;
    // Who no longer may draw here may still stop and delete, and read what they typed.
    let is_for_all = matches!(
        action,
        ButtonAction::Cancel { .. }
            | ButtonAction::Stop { .. }
            | ButtonAction::Cull { .. }
            | ButtonAction::AskDelete { .. }
            | ButtonAction::Delete { .. }
            | ButtonAction::Keep { .. }
            | ButtonAction::Reopen { .. }
            | ButtonAction::LeaveAll { .. }
            | ButtonAction::Queue { .. }
            | ButtonAction::Policy(_)
    );
    if !is_for_all {
        presser.venue.check(&app.config.limits)?;
    }
    learn(presser, app, action.job()).await?;
    let is_remix = presser.chosen.is_remix == Some(true);
    match action {
        // A form must be the first answer.
        ButtonAction::Remix { job } => return remix::open(ctx, press, presser, app, (job, None)).await.map(|()| Ended::Answered),
        ButtonAction::Variation { job, index } if is_remix => {
            return remix::open(ctx, press, presser, app, (job, Some(index))).await.map(|()| Ended::Answered);
        }
        ButtonAction::Reroll { job } if is_remix => {
            return remix::open(ctx, press, presser, app, (job, None)).await.map(|()| Ended::Answered);
        }
        ButtonAction::After { job, index, after: After::Zoom } => {
            return onto::open(ctx, press, presser, app, (job, Onto::Zoom { index })).await.map(|()| Ended::Answered);
        }
        ButtonAction::Cells { job, index } => {
            let cells = Cells::of(discord::values(press).iter().map(String::as_str));
            if cells.is_empty() {
                return Err(UserError::UnknownButton.into());
            }
            return onto::open(ctx, press, presser, app, (job, Onto::Region { index, cells })).await.map(|()| Ended::Answered);
        }
        // It draws nothing yet.
        ButtonAction::After { after: After::Region, .. } => {
            permit::check_at_once(presser)?;
            if !reply::promise(app, press.id, presser, Promise::Alone, Asked::Again, promised).await {
                return Ok(Ended::Answered);
            }
            permit::check(&ctx.http, presser, app).await?;
        }
        ButtonAction::Reopen { draft } => return remix::reopen(press, presser, app, draft).await.map(|()| Ended::Answered),
        ButtonAction::Upscale { .. }
        | ButtonAction::Variation { .. }
        | ButtonAction::After { .. }
        | ButtonAction::Reroll { .. }
        | ButtonAction::Continue { .. }
        | ButtonAction::Picture { action: PictureAction::Explain | PictureAction::Shorter, .. }
        | ButtonAction::DrawDraft { .. }
        | ButtonAction::Example { .. } => {
            permit::check_at_once(presser)?;
            let made = made_before(presser, app, action).await?;
            let promise = if made.is_some() { Promise::Alone } else { presser.promise() };
            if !reply::promise(app, press.id, presser, promise, Asked::Again, promised).await {
                return Ok(Ended::Answered);
            }
            permit::check(&ctx.http, presser, app).await?;
            if let Some(made) = made {
                return Err(made.into());
            }
        }
        ButtonAction::DrawAll { .. } => {
            permit::check_at_once(presser)?;
            if !reply::promise(app, press.id, presser, Promise::Silence, Asked::Again, promised).await {
                return Ok(Ended::Answered);
            }
            permit::check(&ctx.http, presser, app).await?;
        }
        ButtonAction::Picture { action: PictureAction::Open, .. } => {
            permit::check_at_once(presser)?;
            if !reply::promise(app, press.id, presser, presser.promise(), Asked::Again, promised).await {
                return Ok(Ended::Answered);
            }
        }
        ButtonAction::Files { .. } | ButtonAction::Picture { .. } | ButtonAction::Tour { is_opened: true, .. } => {
            if !reply::promise(app, press.id, presser, Promise::Alone, Asked::Again, promised).await {
                return Ok(Ended::Answered);
            }
        }
        _ => {
            if !reply::promise(app, press.id, presser, Promise::Silence, Asked::Again, promised).await {
                return Ok(Ended::Answered);
            }
        }
    }
    match action {
        ButtonAction::Upscale { job, index } => return upscale::enqueue(presser, app, job, index).await.map(|()| Ended::HasJob),
        ButtonAction::Variation { job, index } => return variation::enqueue(presser, app, job, index).await.map(|()| Ended::HasJob),
        ButtonAction::After { job, index, after: After::Region } => {
            let answer = region::ask(presser, app, (job, index)).await?;
            reply::fill(presser, app, &answer).await
        }
        ButtonAction::After { job, index, after } => {
            return after::enqueue(presser, app, (job, index), after).await.map(|()| Ended::HasJob);
        }
        ButtonAction::Reroll { job } => return reroll::enqueue(presser, app, job).await.map(|()| Ended::HasJob),
        ButtonAction::Continue { job } => return carry_on::enqueue(presser, app, job).await.map(|()| Ended::HasJob),
        ButtonAction::Cancel { job } => cancel::cancel(presser, app, job).await,
        ButtonAction::Stop { job } => stop::stop(presser, app, job).await,
        ButtonAction::Cull { job, index } => cull::cull(presser, app, job, index).await,
        ButtonAction::AskDelete { job } => delete::ask(ctx, press, presser, app, job, messages::Deleting::Asks).await,
        ButtonAction::Keep { job } => delete::ask(ctx, press, presser, app, job, messages::Deleting::No).await,
        ButtonAction::Delete { job } => delete::delete(ctx, press, presser, app, job).await,
        ButtonAction::DrawAll { draft } => several::draw_all(ctx, presser, app, draft).await,
        ButtonAction::LeaveAll { .. } => several::leave(presser, app).await,
        ButtonAction::Policy(PolicyAction::Ask(appeal)) => appeal::ask(presser, app, appeal).await,
        ButtonAction::Policy(PolicyAction::Approve(appeal)) => appeal::decide(presser, app, appeal, AppealState::Approved).await,
        ButtonAction::Policy(PolicyAction::Deny(appeal)) => appeal::decide(presser, app, appeal, AppealState::Denied).await,
        ButtonAction::Policy(PolicyAction::Erase) => erase::erase(presser, app).await,
        ButtonAction::Policy(PolicyAction::KeepAll) => erase::keep(presser, app).await,
        ButtonAction::Policy(PolicyAction::Audit { is_everywhere, page }) => {
            let answer = commands::admin::audit::turn(&ctx.http, (presser, app), is_everywhere, page).await?;
            reply::fill(presser, app, &answer).await
        }
        ButtonAction::Files { job } => files::send(presser, app, job).await,
        ButtonAction::Picture { action: PictureAction::Mark, job, index } => {
            let answer = mark::toggle(presser, app, job, index).await?;
            reply::fill(presser, app, &answer).await
        }
        ButtonAction::Picture { action: PictureAction::Receipt, job, index } => {
            let answer = receipt::tell(presser, app, job, index).await?;
            reply::fill(presser, app, &answer).await
        }
        ButtonAction::Picture { action: PictureAction::Film, job, index } => {
            let answer = film::show(presser, app, (job, index), press.attachment_size_limit).await?;
            reply::fill(presser, app, &answer).await
        }
        ButtonAction::Picture { action: PictureAction::Explain, job, index } => {
            return explain::enqueue(presser, app, job, index).await.map(|()| Ended::HasJob);
        }
        ButtonAction::Picture { action: PictureAction::Shorter, job, index } => {
            return shorter::enqueue(presser, app, job, index).await.map(|()| Ended::HasJob);
        }
        ButtonAction::Picture { action: PictureAction::Open, job, .. } => {
            let answer = commands::show::opened(&ctx.cache, presser, app, job).await?;
            reply::fill(presser, app, &answer).await
        }
        ButtonAction::Favourites { page } => {
            let answer = commands::favourites::page(&ctx.cache, presser, app, page).await?;
            reply::fill(presser, app, &answer).await
        }
        ButtonAction::Tour { page, .. } => {
            let answer = tour::page(presser, app, page).await?;
            reply::fill(presser, app, &answer).await
        }
        ButtonAction::DrawDraft { draft } => return draw_draft::enqueue(presser, app, draft).await.map(|()| Ended::HasJob),
        ButtonAction::Example { index } => return example::enqueue(presser, app, index).await.map(|()| Ended::HasJob),
        ButtonAction::Pick { picker, page } | ButtonAction::Picker { picker, page } => pick::turn(press, presser, app, picker, page).await,
        ButtonAction::UseAsDefault { picker, name } => pick::choose(presser, app, picker, name, Chooser::Person(presser.user)).await,
        ButtonAction::UseInChannel { picker, name } => {
            pick::choose(presser, app, picker, name, Chooser::Channel(presser.choosing_channel())).await
        }
        ButtonAction::Queue { whose, act } => queue::act(press, presser, app, whose, act).await,
        ButtonAction::Panel { whose, setting } => panel::change(press, presser, app, whose, setting).await,
        ButtonAction::History { offset, scope, beside } => commands::history::turn(ctx, press, app, scope, (offset, beside)).await,
        ButtonAction::Remix { .. } | ButtonAction::Reopen { .. } | ButtonAction::Cells { .. } => Ok(()),
    }?;
    Ok(Ended::Answered)
}

/// Whether the same press was answered before, or is being answered: then nothing is promised to everybody.
async fn made_before(presser: &Presser<'_>, app: &App, action: ButtonAction) -> Result<Option<UserError>, BotError> {
    let key = match action {
        ButtonAction::Upscale { job, index } => press_key("upscale", job, index),
        ButtonAction::Continue { job } => press_key(going_on::ACTION, job, 0),
        _ => return Ok(None),
    };
    Ok(match app.jobs.pressed(&presser.own_press(key)).await? {
        None => None,
        Some((made, JobStatus::Done)) => {
            let link = app.jobs.job(made).await?.and_then(|made| app.renderer.link(&made));
            Some(UserError::AlreadyMade { job: made, link })
        }
        Some(_) => Some(UserError::AlreadyDrawing),
    })
}

/// Looks up what holds for a presser here. The answer is for them alone where they chose that, and under pictures that are: but for direct messages,
/// where nobody else is.
pub(crate) async fn learn(presser: &mut Presser<'_>, app: &App, from: Option<JobId>) -> Result<(), BotError> {
    presser.chosen = chosen::here(&*app.jobs, presser.user, presser.payer(), presser.choosing_channel()).await?;
    let is_from_private = match from {
        Some(job) => app.jobs.job(job).await?.is_some_and(|job| job.delivery.is_private),
        None => false,
    };
    presser.is_private = presser.venue != Venue::Direct && (is_from_private || presser.chosen.is_private == Some(true));
    Ok(())
}

/// The job that a button names, if the presser's guild is its guild.
pub(crate) async fn job_of(presser: &Presser<'_>, app: &App, id: JobId) -> Result<Job, BotError> {
    match app.jobs.job(id).await? {
        // In direct messages its owner may press what was delivered there from a guild.
        // What is for one person alone is there for nobody else.
        Some(job) if job.delivery.is_private && job.user != presser.user => Err(UserError::UnknownJob.into()),
        Some(job) if job.guild == presser.payer() || (presser.guild.is_none() && job.user == presser.user) => match job.is_forgotten {
            true => Err(UserError::Forgotten.into()),
            false => Ok(job),
        },
        _ => Err(UserError::UnknownJob.into()),
    }
}

/// A finished job's picture.
async fn picture_of(app: &App, job: &Job, index: u32) -> Result<NewImage, BotError> {
    if job.is_deleted {
        return Err(UserError::Deleted.into());
    }
    if job.status != JobStatus::Done {
        return Err(UserError::NotFinished.into());
    }
    let image = app.jobs.images(job.id).await?.into_iter().find(|image| image.index == index);
    Ok(image.ok_or(UserError::NoSuchPicture(index.saturating_add(1)))?)
}

/// The job whose buttons stand under a message.
pub(crate) fn job_under(message: &serenity::Message) -> Option<JobId> {
    let buttons = message.components.iter().flat_map(|row| &row.components).filter_map(|component| match component {
        serenity::ActionRowComponent::Button(button) => Some(&button.data),
        _ => None,
    });
    buttons.into_iter().find_map(|data| match data {
        serenity::ButtonKind::NonLink { custom_id, .. } => custom_id.parse::<ButtonAction>().ok()?.job(),
        _ => None,
    })
}

/// The job that drew what a job shows, with what it drew.
pub(crate) async fn drawn_of(app: &App, job: Job) -> Result<Drawn, BotError> {
    Ok(parents::drawn(&*app.jobs, job).await?.ok_or(UserError::UnknownButton)?)
}

fn press_key(action: &str, job: JobId, index: u32) -> String {
    format!("{action}:{job}:{index}")
}

/// What somebody asks for with a button or a form.
pub(crate) struct Wish {
    /// See [`Request::action`].
    pub(crate) action: &'static str,
    /// How the job takes its turns.
    pub(crate) speed: Speed,
    /// What to make.
    pub(crate) task: Task,
    /// What the person should know of what they typed.
    pub(crate) notes: Vec<Note>,
    /// The job and picture that it comes from.
    pub(crate) parent: Option<(JobId, u32)>,
    /// Which press it is, where the same one twice is one job.
    pub(crate) press: Option<PressKey>,
    /// Where its pictures begin, for those that go on.
    pub(crate) begins: Vec<Place>,
}

impl Wish {
    /// As a request of this person, here.
    pub(crate) fn by(self, presser: &Presser<'_>, now: Timestamp) -> Request {
        Request {
            key: presser.key.clone(),
            // What was made for one person alone answers nobody else's press.
            press: self.press.map(|press| PressKey { key: presser.own_press(press.key), ..press }),
            // Where the press is: in direct messages the person, also for what a guild paid for before.
            guild: presser.payer(),
            user: presser.user,
            roles: presser.roles(),
            speed: self.speed,
            action: self.action,
            task: self.task,
            notes: self.notes,
            parent: self.parent,
            begins: self.begins,
            delivery: Delivery {
                message: presser.message,
                is_private: presser.is_private,
                ..discord::delivery(now, presser.channel, presser.token)
            },
        }
    }
}
