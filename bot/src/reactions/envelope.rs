//! ✉️: job, seeds and single pictures as a direct message.

use storage::JobStatus;

use super::Reacted;
use crate::{answer::Answer, app::App, discord::SendError, messages};

/// Sends them. Pictures of an age-restricted channel are not shown outside of such.
pub(super) async fn send(reacted: &Reacted<'_>, app: &App) -> anyhow::Result<()> {
    let job = &reacted.job;
    if job.status != JobStatus::Done {
        return Ok(());
    }
    let images = app.jobs.images(job.id).await?;
    let mut answer = if reacted.is_restricted { Answer::default() } else { app.renderer.files(job).await? };
    messages::tell_seeds(&mut answer, job.id, &images.iter().map(|image| image.seed).collect::<Vec<_>>());
    // The same reaction twice within minutes is one message.
    let nonce = format!("m{}", reacted.message);
    match app.responder.tell_direct(reacted.user.0, &answer, &nonce).await {
        Err(error @ SendError::Transient(_)) => Err(error.into()),
        Err(error) => {
            tracing::debug!(%error, "somebody takes no direct messages");
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}
