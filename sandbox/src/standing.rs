//! What outlives the process: a guild that removed the bot, a permission or a token that was taken stay so until they are given back.

use crate::{faults, state::State, store};
use std::sync::Arc;

/// Takes up what an earlier process left.
pub(crate) async fn restore(state: &State) -> Result<(), sqlx::Error> {
    let mut db = state.store.connect().await?;
    for user in store::world::refusals(&mut db).await? {
        state.world.accept_dms(user, false);
    }
    for fault in store::world::faults(&mut db).await? {
        tracing::info!(fault.kind = ?fault.kind, "a fault of an earlier run goes on");
        if let Err(reason) = faults::begin(state, fault) {
            tracing::warn!(reason, "a fault of an earlier run is forgotten");
        }
    }
    Ok(())
}

/// Keeps the standing faults as they change, the last time when the process ends.
pub(crate) async fn keep(state: Arc<State>) {
    loop {
        let is_over = tokio::select! {
            () = state.shutdown.cancelled() => true,
            () = state.faults.are_changed.notified() => false,
        };
        if let Err(error) = save(&state).await {
            tracing::error!(%error, "the standing faults cannot be kept");
        }
        if is_over {
            return;
        }
    }
}

async fn save(state: &State) -> Result<(), sqlx::Error> {
    let mut db = state.store.connect().await?;
    store::world::save_faults(&mut db, &state.faults.standing()).await
}
