//! Several grids of one line: what is asked before they are drawn.

use inference::task::Task;
use storage::UserId;

use crate::{
    answer::Answer,
    error::BotError,
    jobs::drafts::{Drafts, Typed},
    messages::{self, UserError},
    models::Models,
    policy::Venue,
    prompt::Parsed,
};

/// Asks, for its writer alone, whether all grids of a line shall be drawn: what they cost, and two buttons.
///
/// # Errors
/// One of them cannot be drawn, or several cannot be drawn here.
pub async fn ask((models, drafts): (&Models, &Drafts), user: UserId, typed: &Typed, grids: &[Parsed]) -> Result<Answer, BotError> {
    check(typed.venue)?;
    let mut cost = 0.0;
    for grid in grids {
        cost += models.check(&Task::from(grid.task.clone())).await?.cost;
    }
    let draft = drafts.keep(user, typed).await.ok_or_else(|| anyhow::anyhow!("several grids without a draft"))?;
    let prompts: Vec<&str> = grids.iter().map(|grid| grid.task.prompt.as_str()).collect();
    Ok(messages::several(&prompts, cost, draft))
}

/// Whether several grids can be drawn at a venue: each has a message of its own, which the bot may not post where only a person installed it.
///
/// # Errors
/// They cannot.
pub fn check(venue: Venue) -> Result<(), UserError> {
    if venue == Venue::UserInstall { Err(UserError::OneGridHere) } else { Ok(()) }
}
