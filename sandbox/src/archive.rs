//! Threads in which nobody writes are archived by time. Source: discord-api-docs, topics/threads, "Active & Archived Threads".

use crate::{announce, error::ApiError, state::State, thread, world::Thread};
use axum::{
    extract::{Request, State as Shared},
    middleware::Next,
    response::{IntoResponse, Response},
};
use std::sync::Arc;

/// Before a request is answered: whoever moves the clock and asks at once sees what the clock says.
pub(crate) async fn before(Shared(state): Shared<Arc<State>>, request: Request, next: Next) -> Response {
    match archive_due(&state).await {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

/// Archives threads as their time comes, so that events go out although nobody asks.
pub(crate) async fn keep(state: Arc<State>) {
    loop {
        let due_ms = state.world.now().threads.values().filter_map(Thread::archival_ms).min();
        let wait = async {
            match due_ms {
                Some(due_ms) => state.clock.sleep_until(due_ms).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = state.shutdown.cancelled() => return,
            () = state.world.are_threads_changed.notified() => {}
            () = wait => {
                if archive_due(&state).await.is_err() {
                    // The database is gone, which it has logged; the next request meets the same.
                    return;
                }
            }
        }
    }
}

async fn archive_due(state: &State) -> Result<(), ApiError> {
    let now_ms = state.clock.now_ms();
    let is_due = |thread: &&Thread| thread.archival_ms().is_some_and(|due_ms| due_ms <= now_ms);
    if !state.world.now().threads.values().any(|thread| is_due(&thread)) {
        return Ok(());
    }
    let mut db = state.store.connect().await?;
    // Looked at again: somebody may have written while the connection was awaited.
    let due: Vec<Thread> = state.world.now().threads.values().filter(is_due).cloned().collect();
    for mut thread in due {
        let due_ms = thread.archival_ms().unwrap_or(now_ms);
        thread.archive(true, due_ms);
        thread::save(&mut db, state, &thread).await?;
        announce::thread(state, "THREAD_UPDATE", &thread);
    }
    Ok(())
}
