//! The adapters that a prompt names, such as `<lora:ink:0.8>`: checked here, resolved by the engine.

use super::{PromptError, ranked};

/// Weights go from minus this to this.
pub const MAX_WEIGHT: f64 = 5.0;
/// Most names that an error lists.
const MAX_LISTED: usize = 10;
/// What a tag begins with, in small letters.
const STARTS: [&str; 2] = ["<lora:", "<lyco:"];

/// An adapter that a prompt names.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LoraTag<'a> {
    /// All of it, such as `<lora:ink:0.8>`.
    pub shown: &'a str,
    /// Its name.
    pub name: &'a str,
    /// What stands for its weight, if anything does.
    pub weight: Option<&'a str>,
}

/// The adapters that a prompt names, in their order.
pub fn lora_tags(prompt: &str) -> Vec<LoraTag<'_>> {
    let mut tags = Vec::new();
    let mut rest = prompt;
    while let Some(start) = rest.find('<') {
        rest = &rest[start..];
        let is_tag = STARTS.iter().any(|begin| rest.get(..begin.len()).is_some_and(|found| found.eq_ignore_ascii_case(begin)));
        let Some(end) = rest.find('>').filter(|_| is_tag) else {
            rest = &rest[1..];
            continue;
        };
        let mut parts = rest[STARTS[0].len()..end].split(':');
        let name = parts.next().unwrap_or_default().trim();
        tags.push(LoraTag { shown: &rest[..=end], name, weight: parts.next() });
        rest = &rest[end + 1..];
    }
    tags
}

/// Whether every adapter that a prompt names is known and its weight in range. A name is only ever looked up, so it cannot be a path.
///
/// # Errors
/// Names the tag, and the adapters that there are, the nearest first.
pub fn check_loras(prompt: &str, known: &[String]) -> Result<(), PromptError> {
    for LoraTag { shown, name, weight } in lora_tags(prompt) {
        let weight = weight.map_or(Ok(1.0), |weight| weight.trim().parse::<f64>());
        if !weight.is_ok_and(|weight| weight.abs() <= MAX_WEIGHT) {
            return Err(PromptError::LoraWeight { shown: shown.to_owned() });
        }
        if !known.iter().any(|known| known == name) {
            return Err(PromptError::UnknownLora { shown: shown.to_owned(), known: known_loras(known, name) });
        }
    }
    Ok(())
}

/// The adapters that there are as a clause, those most like a name first.
pub fn known_loras(known: &[String], name: &str) -> String {
    let names = ranked(known.iter().map(String::as_str), name);
    match &names[..] {
        [] => "there are none here".to_owned(),
        names if names.len() > MAX_LISTED => format!("there are {} and {} more", names[..MAX_LISTED].join(", "), names.len() - MAX_LISTED),
        names => format!("there are {}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_found_wherever_they_stand() {
        let tag = |shown, name, weight| LoraTag { shown, name, weight };
        for (prompt, expected) in [
            ("a fox", vec![]),
            ("<lora:ink> a fox", vec![tag("<lora:ink>", "ink", None)]),
            (
                "a <lora:ink:0.8>fox<LYCO:b c:-1:2>",
                vec![tag("<lora:ink:0.8>", "ink", Some("0.8")), tag("<LYCO:b c:-1:2>", "b c", Some("-1"))],
            ),
            ("a < b <lora:x", vec![]),
            ("<lor<lora:x:1>", vec![tag("<lora:x:1>", "x", Some("1"))]),
            ("<🦊🦊🦊🦊><lora:🦊>", vec![tag("<lora:🦊>", "🦊", None)]),
        ] {
            assert_eq!(lora_tags(prompt), expected, "{prompt}");
        }
    }

    #[test]
    fn unknown_names_and_weights_out_of_range_are_refused() {
        let known = ["watercolour", "ink", "inkwash"].map(str::to_owned);
        for prompt in ["a fox", "<lora:ink>", "<lora:ink:-5><lora:inkwash:5.0:0.5>"] {
            assert_eq!(check_loras(prompt, &known), Ok(()), "{prompt}");
        }
        for (prompt, expected) in [
            ("<lora:inc:1>", "`<lora:inc:1>`: there is no such LoRA; there are ink, inkwash, watercolour"),
            ("<lora:../ink:1>", "`<lora:../ink:1>`: there is no such LoRA; there are ink, inkwash, watercolour"),
            ("<lora:>", "`<lora:>`: there is no such LoRA; there are watercolour, ink, inkwash"),
            ("<lora:ink:5.1>", "`<lora:ink:5.1>`: the weight must be a number from -5 to 5"),
            ("<lora:ink:NaN>", "`<lora:ink:NaN>`: the weight must be a number from -5 to 5"),
            ("<lora:ink:>", "`<lora:ink:>`: the weight must be a number from -5 to 5"),
        ] {
            assert_eq!(check_loras(prompt, &known).expect_err(prompt).to_string(), expected);
        }
        assert_eq!(check_loras("<lora:x>", &[]).expect_err("none").to_string(), "`<lora:x>`: there is no such LoRA; there are none here");
        let many: Vec<_> = (0..12).map(|n| format!("l{n}")).collect();
        assert!(check_loras("<lora:x>", &many).expect_err("unknown").to_string().ends_with(" and 2 more"));
    }
}
