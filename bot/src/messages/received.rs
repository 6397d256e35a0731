//! What somebody reads whose wish met the end of the bot.

use crate::answer::Answer;

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

/// In place of a message that Discord does not let us take back.
pub const TAKEN_BACK: &str = "Nothing was drawn here.";

/// A refusal without what Discord may not want to show: words that somebody typed.
pub fn in_our_words(refusal: &Answer) -> Answer {
    let content =
        "That was not done, and Discord does not let me say why: the reason quotes what you typed. Nothing was charged.".to_owned();
    Answer { content, buttons: refusal.buttons.clone(), ..Answer::default() }
}
