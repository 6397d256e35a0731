//! The limit on edits of messages that are older than an hour, which stands beside that of the route.

use crate::{error::ApiError, world::Id};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

/// Messages that are older than this count.
const OLD_MS: i64 = 3600 * 1000;
/// Edits of a channel's old messages within [`WINDOW_MS`]. Discord does not publish them; CircuitSacul/starboard-4 reports these.
const N_EDITS: u32 = 3;
const WINDOW_MS: i64 = 20_000;
/// Ended windows are swept when there are this many.
const N_CHANNELS: usize = 1000;

/// Counts edits of old messages by their channel.
#[derive(Default)]
pub(crate) struct OldEdits {
    /// The edits of a window and its end.
    windows: Mutex<HashMap<Id, (u32, i64)>>,
}

impl OldEdits {
    /// Counts an edit of a message, if that is old; 429 with code 30046 when there were too many.
    pub(crate) fn take(&self, channel_id: Id, created_ms: i64, now_ms: i64) -> Result<(), ApiError> {
        if now_ms - created_ms <= OLD_MS {
            return Ok(());
        }
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() >= N_CHANNELS {
            windows.retain(|_, (_, ends_ms)| *ends_ms > now_ms);
        }
        let (n_edits, ends_ms) = windows.entry(channel_id).or_default();
        if *ends_ms <= now_ms {
            (*n_edits, *ends_ms) = (0, now_ms + WINDOW_MS);
        }
        if *n_edits >= N_EDITS {
            return Err(ApiError::too_many_old_edits(*ends_ms - now_ms));
        }
        *n_edits += 1;
        Ok(())
    }
}
