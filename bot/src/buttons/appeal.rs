//! *Ask the moderators* under a refusal for a word, and what moderators press then.

use storage::{Appeal, AppealId, AppealState, AuditEntry, UserId};

use super::{presser::Presser, reply};
use crate::{
    app::App,
    error::BotError,
    messages::{self, UserError},
    policy::book::Noted,
    system::log::chain,
};

async fn found(app: &App, id: AppealId) -> Result<Appeal, BotError> {
    Ok(app.jobs.appeal(id).await?.ok_or(UserError::AppealGone)?)
}

/// Asks the moderators of the guild, once.
///
/// # Errors
/// It is somebody else's, they were asked before, or they cannot be reached.
pub async fn ask(presser: &Presser<'_>, app: &App, id: AppealId) -> Result<(), BotError> {
    let appeal = found(app, id).await?;
    if appeal.user != presser.user {
        return Err(UserError::NotYourDraft.into());
    }
    let channel = app.jobs.moderators(appeal.guild).await?.ok_or(UserError::NoModerators)?;
    if !app.jobs.move_appeal(id, AppealState::Offered, AppealState::Asked).await? {
        return Err(UserError::AppealDecided.into());
    }
    if let Err(error) = app.responder.post(channel, &messages::appeal(&appeal), &id.to_string()[7..]).await {
        tracing::warn!(error = %chain(&error), guild.id = appeal.guild.0, "moderators could not be asked");
        app.jobs.move_appeal(id, AppealState::Asked, AppealState::Offered).await?;
        return Err(UserError::ModeratorsUnreachable.into());
    }
    reply::fill(presser, app, &messages::moderators_asked()).await
}

/// Lets a line through once, or does not.
///
/// # Errors
/// The presser is no moderator of that guild, or it was decided before.
pub async fn decide(presser: &Presser<'_>, app: &App, id: AppealId, state: AppealState) -> Result<(), BotError> {
    let appeal = found(app, id).await?;
    if presser.payer() != appeal.guild || !presser.is_moderator() {
        return Err(UserError::ModeratorsOnly.into());
    }
    if !app.jobs.move_appeal(id, AppealState::Asked, state).await? {
        return Err(UserError::AppealDecided.into());
    }
    let is_approved = state == AppealState::Approved;
    note(app, &appeal, presser.user, is_approved).await?;
    reply::fill(presser, app, &messages::appeal_decided(&appeal, presser.user, is_approved)).await?;
    // Who cannot be told finds out by trying again.
    let told = messages::appeal_answer(&appeal, is_approved);
    if let Err(error) = app.responder.tell_direct(appeal.user.0, &told, &id.to_string()[..25]).await {
        tracing::debug!(error = %chain(&error), user.id = appeal.user.0, "an appeal's end could not be told");
    }
    Ok(())
}

async fn note(app: &App, appeal: &Appeal, user: UserId, is_approved: bool) -> Result<(), BotError> {
    let what = serde_json::to_value(Noted::Appeal { word: appeal.word.clone(), is_approved })?;
    let entry = AuditEntry { guild: appeal.guild, user, at: app.clock.now(), is_change: true, what };
    Ok(app.jobs.note_audit(&entry).await?)
}
