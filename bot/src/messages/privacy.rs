//! What is said of what is kept of a person.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};

use super::parts::text_button;
use crate::{
    answer::{Answer, File, Style},
    buttons::{custom_id::ButtonAction, policy_action::PolicyAction},
};

/// A file larger than this is packed.
const MAX_PLAIN: usize = 4 << 20;

/// Beside the file.
pub const EXPORTED: &str = "This is everything that I keep of you. Pictures are named by the SHA-256 of their files. What I posted in channels is on Discord, and \
     not in this file.";

/// Everything that is kept of a person, as a file.
///
/// # Errors
/// It cannot be written.
pub fn export(kept: &serde_json::Value) -> anyhow::Result<File> {
    let plain = serde_json::to_vec_pretty(kept)?;
    let description = "Everything that I keep of you".to_owned();
    if plain.len() <= MAX_PLAIN {
        return Ok(File { name: "atelier.json".to_owned(), bytes: plain, description });
    }
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(&plain)?;
    Ok(File { name: "atelier.json.gz".to_owned(), bytes: packed.finish()?, description })
}

/// Asks before everything goes.
pub fn ask_to_erase() -> Answer {
    let mut yes = text_button("Delete everything", ButtonAction::Policy(PolicyAction::Erase));
    yes.style = Style::Danger;
    let no = text_button("Keep it", ButtonAction::Policy(PolicyAction::KeepAll));
    Answer {
        buttons: vec![vec![yes, no]],
        ..Answer::text(
            "Shall I delete everything that I keep of you? Your jobs that wait or run are cancelled; what you typed, your pictures, marks and settings go for \
             good, and the buttons under your pictures do nothing any more. What I posted stays on Discord: delete it there first with ❌. That you are banned \
             somewhere, and until the month is over how much you have used, I keep.",
        )
    }
}

/// It is done.
pub fn erased() -> Answer {
    Answer::text("I have deleted everything that I kept of you.")
}

/// It is not done.
pub fn kept_all() -> Answer {
    Answer::text("I have deleted nothing.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_export_is_a_file_that_fits_a_message() {
        let small = export(&serde_json::json!({ "jobs": [{ "task": "a frog" }] })).expect("written");
        assert_eq!(small.name, "atelier.json");
        let large = export(&serde_json::json!({ "jobs": vec!["a frog"; 500_000] })).expect("written");
        assert!(large.name == "atelier.json.gz" && large.bytes.len() < MAX_PLAIN, "{} of {}", large.name, large.bytes.len());
    }
}
