//! `/favourites`: pages through the pictures that the caller marked with ❤ and may still see.

use poise::serenity_prelude as serenity;
use storage::Favourite;

use super::Context;
use crate::{
    answer::Answer,
    app::App,
    buttons::{presser::Presser, sight::Sight},
    error::BotError,
    jobs::received::{Asked, Promise},
    messages::{self, MarkedPicture},
    pictures::sheet,
};

/// Pictures on one page.
const PAGE: usize = 10;

/// Look at the pictures that you marked with ❤
#[poise::command(slash_command, install_context = "Guild|User", interaction_context = "Guild|BotDm|PrivateChannel")]
pub async fn favourites(ctx: Context<'_>) -> Result<(), BotError> {
    let app = ctx.data();
    let presser = Presser::of_command(ctx.interaction);
    let Some(promised) = super::promise(ctx, Promise::Alone, Asked::Again).await else { return Ok(()) };
    match page(&ctx.serenity_context().cache, &presser, app, 0).await {
        Ok(answer) => promised.fill(app, &answer).await,
        Err(error) => promised.refuse(app, &super::refusal(ctx, error).await).await,
    }
    Ok(())
}

/// One page, or the last where there are not so many any more. Each picture is asked for anew: roles and channels change.
///
/// # Errors
/// The store cannot be read, or the person looked too often.
pub async fn page(cache: &serenity::Cache, presser: &Presser<'_>, app: &App, page: u32) -> Result<Answer, BotError> {
    app.looks.take(presser.user, app.clock.now())?;
    let seen: Vec<Favourite> = {
        let sight = Sight::of(cache, presser, app).await?;
        let all = app.jobs.favourites(presser.user).await?;
        all.into_iter().filter(|marked| sight.sees(marked.guild, marked.user, marked.channel)).collect()
    };
    let n_pages = seen.len().div_ceil(PAGE).max(1);
    let page = (page as usize).min(n_pages - 1);
    let mut entries = Vec::with_capacity(PAGE);
    let mut pictures = Vec::with_capacity(PAGE);
    for marked in seen.iter().skip(page * PAGE).take(PAGE) {
        // It may have gone meanwhile.
        let Some(job) = app
            .jobs
            .job(marked.job)
            .await?
            .filter(|job| !job.is_forgotten && !job.is_deleted && (!job.delivery.is_private || job.user == presser.user))
        else {
            continue;
        };
        let task = serde_json::from_value(job.task.clone())?;
        let images = app.jobs.images(job.id).await?;
        entries.push(MarkedPicture {
            job: job.id,
            of: (marked.index, images.len()),
            title: app.renderer.heading(job.user.0, &task, job.parent, &job.action).await.title,
            marked: marked.marked,
            link: app.renderer.link(&job),
        });
        pictures.push(match images.iter().find(|image| image.index == marked.index) {
            Some(image) => app.renderer.small(image, sheet::CELL).await,
            None => None,
        });
    }
    let first = page * PAGE;
    let sheet = match pictures.is_empty() {
        true => None,
        false => Some(tokio::task::spawn_blocking(move || sheet::sheet(&pictures, first)).await?),
    };
    Ok(messages::favourites(&entries, sheet, (page as u32, n_pages as u32), first))
}
