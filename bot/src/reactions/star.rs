//! ⭐: marks every picture of a message; taken away, so are the marks.

use super::Reacted;
use crate::app::App;

/// Marks them, as far as there is room.
pub(super) async fn mark(reacted: &Reacted<'_>, app: &App) -> anyhow::Result<()> {
    for image in app.jobs.images(reacted.job.id).await? {
        app.jobs.mark(reacted.user, (reacted.job.id, image.index), app.clock.now()).await?;
    }
    Ok(())
}

/// Takes the marks away.
pub(super) async fn unmark(reacted: &Reacted<'_>, app: &App) -> anyhow::Result<()> {
    for image in app.jobs.images(reacted.job.id).await? {
        app.jobs.unmark(reacted.user, (reacted.job.id, image.index)).await?;
    }
    Ok(())
}
