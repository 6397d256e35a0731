//! What the menu of a message is answered with.

use storage::JobId;

use super::parts::text_button;
use crate::{
    answer::{Answer, File},
    buttons::custom_id::ButtonAction,
    system::printable::printable,
};

/// Longer texts are a file.
const MAX_SHOWN: usize = 1800;

/// Asks which of a job's pictures is meant.
pub fn which_picture(job: JobId, indices: &[u32], action: fn(JobId, u32) -> ButtonAction) -> Answer {
    let row = indices.iter().map(|index| text_button(&(index + 1).to_string(), action(job, *index))).collect();
    Answer { buttons: vec![row], ..Answer::text("Which of the pictures?") }
}

/// How a picture was made, in the words that other programs read too.
pub fn parameters(text: &str, job: Option<JobId>) -> Answer {
    let job = job.map(|job| format!("Job `{job}`\n")).unwrap_or_default();
    let lines: Vec<_> = text.lines().map(printable).collect();
    let text = lines.join("\n");
    if text.chars().count() > MAX_SHOWN {
        let file = File { name: "parameters.txt".into(), bytes: text.into_bytes(), description: "How the picture was made".into() };
        return Answer { files: vec![file], ..Answer::text(format!("{job}It is too long to be shown here.")) };
    }
    Answer::text(format!("{job}```\n{}\n```", text.replace('`', "\u{2cb}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_shown_as_they_stand_and_end_their_block_nowhere() {
        let job = JobId::new();
        let answer = parameters("a `fox` ``` **b**\nSteps: 3", Some(job));
        assert_eq!(answer.content, format!("Job `{job}`\n```\na \u{2cb}fox\u{2cb} \u{2cb}\u{2cb}\u{2cb} **b**\nSteps: 3\n```"));
        let long = parameters(&"`x".repeat(3000), None);
        assert!(long.content.chars().count() < 100 && long.files[0].bytes.len() == 6000);
        assert!(parameters(&"`".repeat(MAX_SHOWN), Some(job)).content.chars().count() <= 2000);
    }

    #[test]
    fn each_picture_has_its_button() {
        let job = JobId::new();
        let answer = which_picture(job, &[0, 2, 3], |job, index| ButtonAction::Variation { job, index });
        let asked: Vec<_> = answer.buttons[0].iter().map(|button| button.custom_id.parse()).collect();
        let expected = [0, 2, 3].map(|index| Ok(ButtonAction::Variation { job, index }));
        assert_eq!(asked, expected);
    }
}
