//! Receipts: what made a picture, and whether it was made again.

use storage::JobId;

use super::parts::named_button;
use crate::{
    answer::{Answer, File},
    buttons::custom_id::{ButtonAction, PictureAction},
    jobs::verify::{Compared, Verdict},
    system::printable::printable,
};

/// What is known of one picture.
pub struct Receipt {
    /// Its job.
    pub job: JobId,
    /// Which picture, from 0.
    pub index: u32,
    /// SHA-256 of its file.
    pub sha256: String,
    /// What its weights hash to: what they are, and SHA-256.
    pub weights: Vec<(String, String)>,
    /// Version, device and so on: what it is, and its value.
    pub made_with: Vec<(&'static str, String)>,
    /// The parameters as other programs read them.
    pub parameters: String,
    /// All of it, to keep.
    pub json: Vec<u8>,
}

/// Characters of the lines that can be copied.
const MAX_LINES: usize = 1500;

/// A receipt, to copy.
pub fn receipt(receipt: &Receipt) -> Answer {
    let Receipt { job, index, sha256, weights, made_with, parameters, json } = receipt;
    let mut lines = vec![format!("picture: {} of job {job}", index + 1), format!("sha256: {sha256}")];
    lines.extend(made_with.iter().filter(|(_, value)| !value.is_empty()).map(|(what, value)| format!("{what}: {value}")));
    lines.extend(weights.iter().map(|(what, hash)| format!("{what}: {hash}")));
    lines.extend(parameters.lines().map(str::to_owned));
    let mut text = String::new();
    let mut is_whole = true;
    for line in lines.iter().map(|line| printable(line).replace('`', "\u{2cb}")) {
        if text.chars().count() + line.chars().count() > MAX_LINES {
            is_whole = false;
            break;
        }
        text.push_str(&line);
        text.push('\n');
    }
    let more = if is_whole { "" } else { " Here is its beginning." };
    let content = format!(
        "The receipt of this picture: its hash is that of the file that 📥 gives where it was drawn. The file here has all that draws it again, step by step.{more} `/verify` draws it again \
         and compares.\n```\n{text}```"
    );
    let file = File { name: "receipt.json".into(), bytes: json.clone(), description: "What the picture was made with".into() };
    let action = ButtonAction::Picture { action: PictureAction::Explain, job: *job, index: *index };
    let buttons = vec![vec![named_button("🌫️", "How it came from noise", action)]];
    Answer { content, files: vec![file], buttons, ..Answer::default() }
}

/// Added to the message of a picture that was drawn again.
pub fn tell_compared(answer: &mut Answer, compared: &Compared) {
    let Compared { index, verdict, otherwise } = compared;
    let number = index.saturating_add(1);
    let steps = |n: u32| match n {
        0 => String::from("; its steps were not noted then"),
        1 => String::from(", at its one step"),
        n => format!(", at each of {n} steps"),
    };
    let told = match verdict {
        Verdict::Identical { n_steps } => format!("**Identical** to picture {number}, to the bit{}.", steps(*n_steps)),
        Verdict::Differs { first_step, n_steps, largest } => {
            let far = match largest {
                Some(largest) => format!("by up to {largest} of 255 in a pixel"),
                None => "in size".to_owned(),
            };
            let since = match first_step {
                Some(step) => format!("; step {step} is the first that came out otherwise"),
                None if *n_steps > 0 => format!("; what the network gave is the same at all {n_steps} steps that were noted"),
                None => "; its steps were not noted then, so I cannot say since which".to_owned(),
            };
            format!("**Not identical** to picture {number}: it differs {far}{since}.")
        }
        Verdict::Gone => format!("Picture {number} is not kept any more, so there is nothing to compare with."),
    };
    let otherwise: Vec<String> = otherwise.iter().map(|(what, old, new)| format!("{what} was {old} and is {new}")).collect();
    let otherwise = if otherwise.is_empty() { String::new() } else { printable(&format!(" Since then: {}.", otherwise.join(", "))) };
    answer.content.push_str(&format!("\n-# Drawn again to compare, as a job that costs what it costs. {told}{otherwise}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(verdict: Verdict) -> String {
        let mut answer = Answer::text("x");
        tell_compared(&mut answer, &Compared { index: 2, verdict, otherwise: Vec::new() });
        answer.content.split("it costs. ").nth(1).expect("a sentence").to_owned()
    }

    #[test]
    fn each_verdict_is_a_sentence() {
        let differs = |first_step, n_steps, largest| Verdict::Differs { first_step, n_steps, largest };
        assert_eq!(told(Verdict::Identical { n_steps: 6 }), "**Identical** to picture 3, to the bit, at each of 6 steps.");
        assert_eq!(
            told(differs(Some(4), 6, Some(9))),
            "**Not identical** to picture 3: it differs by up to 9 of 255 in a pixel; step 4 is the first that came out otherwise."
        );
        for verdict in [differs(None, 6, Some(1)), differs(None, 0, None), Verdict::Gone, Verdict::Identical { n_steps: 0 }] {
            assert!(told(verdict.clone()).ends_with('.'), "{verdict:?}");
        }
    }

    #[test]
    fn a_receipt_of_the_longest_prompt_fits_and_ends_its_block_nowhere() {
        let long = Receipt {
            job: JobId::new(),
            index: 3,
            sha256: "ab".repeat(32),
            weights: (0..40).map(|n| (format!("lora {n}"), "cd".repeat(32))).collect(),
            made_with: vec![("program", "Atelier".into()), ("device", String::new())],
            parameters: "```x".repeat(3000),
            json: Vec::new(),
        };
        let answer = receipt(&long);
        assert!(answer.content.chars().count() <= 2000, "{}", answer.content.chars().count());
        assert_eq!(answer.content.matches("```").count(), 2);
        assert!(answer.content.contains("sha256: abab") && !answer.content.contains("device"));
    }
}
