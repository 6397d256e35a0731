//! Words that were offered to somebody: a press draws them, as `/imagine` would.

use std::sync::Arc;

use storage::DraftId;

use super::{Wish, presser::Presser};
use crate::{app::App, error::BotError, intake::Ready, jobs::speed::Speed};

/// Draws them.
///
/// # Errors
/// They are older than a day or another's, or cannot be drawn.
pub async fn enqueue(presser: &Presser<'_>, app: &Arc<App>, draft: DraftId) -> Result<(), BotError> {
    let typed = app.drafts.find(presser.user, draft).await?;
    let wanted = typed.wanted(&app.intake.hosts)?;
    let context = typed.context(app.models.parse_context_of(&presser.chosen).await);
    let Ready { task, speed, notes } = app.intake.task(&wanted, &context).await?;
    let wish = Wish { action: "imagine", speed: Speed::of(speed), task, notes, parent: None, press: None, begins: Vec::new() };
    app.door.enqueue(wish.by(presser, app.clock.now())).await.map(drop)
}
