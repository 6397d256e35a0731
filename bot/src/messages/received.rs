//! What somebody reads whose wish met the end of the bot.

/// Most characters of a refusal, which may quote what was typed; Discord takes 2,000.
pub const MAX_REFUSAL: usize = 1900;

/// Something was promised, and a stop came between.
pub const INTERRUPTED: &str = "I was interrupted before I could do that. Nothing was charged for it; please ask for it again.";

/// Nothing is promised any more.
pub const ENDING: &str = "I am just about to stop, so I do not begin with this. Please ask for it again in a minute.";

/// An answer that comes in direct messages, long after it was asked for in a channel.
pub fn about_earlier(answer: &str, channel: u64) -> String {
    format!("About what you asked for in <#{channel}> a while ago: {answer}")
}
