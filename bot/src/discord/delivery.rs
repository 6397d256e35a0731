//! Where the answer to an interaction goes.

use std::time::Duration;

use poise::serenity_prelude as serenity;
use storage::{Delivery, Timestamp};

/// Interaction tokens live this long.
const TOKEN_LIFE: Duration = Duration::from_secs(15 * 60);

/// Where the answer to an interaction that came at `now` goes.
pub fn delivery(now: Timestamp, channel: serenity::ChannelId, token: &str) -> Delivery {
    Delivery { channel: channel.get(), token: token.to_owned(), token_expires: now.after(TOKEN_LIFE), message: None, is_private: false }
}
