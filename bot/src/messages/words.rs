//! Numbers, times and people's words, as they stand in a message.

use std::time::Duration;

use storage::Timestamp;

use crate::system::printable::printable;

/// Ten squares, filled by share.
pub(super) fn bar(done: u32, total: u32) -> String {
    let n_filled = if total == 0 { 0 } else { (u64::from(done) * 10 / u64::from(total)).min(10) as usize };
    format!("`{}{}`", "█".repeat(n_filled), "░".repeat(10 - n_filled))
}

pub(super) fn duration(duration: Duration) -> String {
    match duration.as_secs_f64() {
        seconds if seconds < 1.0 => "under a second".into(),
        seconds if seconds < 90.0 => format!("{seconds:.0} s"),
        seconds if seconds < 5400.0 => format!("{:.0} min", seconds / 60.0),
        seconds => format!("{:.1} h", seconds / 3600.0),
    }
}

pub(super) fn number(value: f64) -> String {
    if value >= 100.0 || value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.1}") }
}

pub(super) fn relative(time: Timestamp) -> String {
    format!("<t:{}:R>", time.0 / 1000)
}

/// Keeps a person's words from acting as markdown or as a link, and from hiding or turning what stands beside them.
pub(super) fn escape(text: &str) -> String {
    let text = printable(text);
    let mut escaped = String::with_capacity(text.len());
    for (place, character) in text.char_indices() {
        let is_of_link = match character {
            ':' => text[place..].starts_with("://"),
            // Invitations are links without a scheme too.
            '.' => ["discord", "discordapp"].iter().any(|host| ends_with(&text[..place], host)),
            _ => false,
        };
        if is_of_link || matches!(character, '\\' | '*' | '_' | '~' | '`' | '|' | '>' | '[' | ']' | '<' | '#') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// Whether a text ends with an ASCII word, in whatever case.
fn ends_with(text: &str, word: &str) -> bool {
    text.len().checked_sub(word.len()).and_then(|start| text.get(start..)).is_some_and(|end| end.eq_ignore_ascii_case(word))
}

/// At most so many characters of a text.
pub fn shorten(text: &str, max_chars: usize) -> String {
    if text.chars().count() <= max_chars {
        return text.to_owned();
    }
    let cut: String = text.chars().take(max_chars - 2).collect();
    format!("{} …", cut.trim_end_matches('\\'))
}
