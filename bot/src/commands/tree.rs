//! `/tree`: what a job comes from and what was made from it, as a picture whose nodes can be opened.

use std::collections::VecDeque;

use inference::task::{Task, TaskKind};
use storage::{Job, JobStatus};

use super::Context;
use crate::{
    answer::Answer,
    app::App,
    buttons::{presser::Presser, sight::Sight},
    error::BotError,
    jobs::received::{Asked, Promise},
    messages::{self, UserError},
    pictures::tree::{self, Node},
};

/// Nodes of a tree at most: as many as buttons have room.
const MAX_NODES: usize = 25;
/// Steps back to the beginning at most.
const MAX_BACK: usize = 24;

/// Look at what a picture comes from and at all that was made from it
#[poise::command(slash_command, install_context = "Guild|User", interaction_context = "Guild|BotDm|PrivateChannel")]
pub async fn tree(
    ctx: Context<'_>,
    #[description = "Which job: one of your last ones, or its number"]
    #[max_length = 100]
    #[autocomplete = "super::show::jobs"]
    job: String,
) -> Result<(), BotError> {
    let app = ctx.data();
    let presser = Presser::of_command(ctx.interaction);
    app.looks.take(presser.user, app.clock.now())?;
    let Some(promised) = super::promise(ctx, Promise::Alone, Asked::Again).await else { return Ok(()) };
    let drawn = async {
        let sight = Sight::of(&ctx.serenity_context().cache, &presser, app).await?;
        let job = sight.job(app, &job).await?;
        drawn(app, &sight, job).await
    };
    match drawn.await {
        Ok(answer) => promised.fill(app, &answer).await,
        Err(error) => promised.refuse(app, &super::refusal(ctx, error).await).await,
    }
    Ok(())
}

async fn drawn(app: &App, sight: &Sight<'_>, job: Job) -> Result<Answer, BotError> {
    if job.is_deleted {
        return Err(UserError::Deleted.into());
    }
    if job.is_forgotten {
        return Err(UserError::Forgotten.into());
    }
    if job.status != JobStatus::Done {
        return Err(UserError::NotFinished.into());
    }
    let here = job.id;
    let root = root(app, sight, job).await?;
    let (found, n_left_out) = below(app, sight, root).await?;
    let mut nodes = Vec::with_capacity(found.len());
    for (parent, job) in &found {
        let images = app.jobs.images(job.id).await?;
        let picture = match (&images[..], app.renderer.thumbnail(job).await) {
            ([image], _) => app.renderer.small(image, tree::CELL).await,
            (_, Some(bytes)) => {
                tokio::task::spawn_blocking(move || image::load_from_memory(&bytes)).await?.ok().map(image::DynamicImage::into_rgb8)
            }
            (_, None) => None,
        };
        nodes.push(Node { parent: *parent, label: label(job, parent.is_some()), picture, is_here: job.id == here });
    }
    let bytes = tokio::task::spawn_blocking(move || tree::tree(&nodes)).await?;
    Ok(messages::tree(bytes, &found.iter().map(|(_, job)| job.id).collect::<Vec<_>>(), n_left_out))
}

fn is_shown(sight: &Sight<'_>, job: &Job) -> bool {
    job.status == JobStatus::Done && !job.is_deleted && !job.is_forgotten && sight.shows(job)
}

/// The first of those that a job comes from, as far as they are there and may be seen.
async fn root(app: &App, sight: &Sight<'_>, job: Job) -> Result<Job, BotError> {
    let mut root = job;
    for _ in 0..MAX_BACK {
        let Some((parent, _)) = root.parent else { break };
        let Some(parent) = app.jobs.job(parent).await?.filter(|parent| is_shown(sight, parent)) else { break };
        root = parent;
    }
    Ok(root)
}

/// A job and what was made from it, row by row, each with the place of the one that it comes from; and how many were found that have no room.
async fn below(app: &App, sight: &Sight<'_>, root: Job) -> Result<(Vec<(Option<usize>, Job)>, usize), BotError> {
    let (mut found, mut n_left_out) = (vec![(None, root)], 0);
    let mut to_ask: VecDeque<usize> = VecDeque::from([0]);
    while let Some(place) = to_ask.pop_front() {
        let children = app.jobs.children(found[place].1.id, 2 * MAX_NODES as u32).await?;
        for child in children.into_iter().filter(|child| is_shown(sight, child)) {
            if found.len() == MAX_NODES {
                n_left_out += 1;
                continue;
            }
            to_ask.push_back(found.len());
            found.push((Some(place), child));
        }
    }
    Ok((found, n_left_out))
}

/// What was pressed for a job, in a few capitals.
fn label(job: &Job, has_parent: bool) -> String {
    let number = job.parent.map_or(1, |(_, index)| index.saturating_add(1));
    let is_enlarged = || serde_json::from_value::<Task>(job.task.clone()).is_ok_and(|task| matches!(task.kind, TaskKind::Upscale(_)));
    match job.action.as_str() {
        _ if !has_parent => String::new(),
        "upscale" => format!("U{number}"),
        "variation" => format!("V{number}"),
        "reroll" => "AGAIN".into(),
        _ if is_enlarged() => format!("U{number}"),
        other => other.chars().filter(char::is_ascii).take(9).collect::<String>().to_ascii_uppercase(),
    }
}
