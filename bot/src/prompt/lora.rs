//! The adapters that a prompt names, such as `<lora:ink:0.8>`: checked here, resolved by the engine.

use inference::catalogue::position_of;

use super::{Gone, MAX_WEIGHT, PromptError, ranked};

/// Most names that an error lists.
const MAX_LISTED: usize = 10;
/// What a tag begins with.
const STARTS: [&str; 2] = ["<lora:", "<lyco:"];

/// A tag as it stands in a prompt. The engine reads the same ones (`inference::text::tags`); here they can be shown as they were typed.
#[derive(Clone, Debug, PartialEq)]
struct Tag<'a> {
    shown: &'a str,
    name: &'a str,
    /// Weights as typed: `0.8`, `te=0.8`.
    weights: Vec<&'a str>,
}

/// The adapters that a prompt names, in their order.
fn tags(prompt: &str) -> Vec<Tag<'_>> {
    let mut tags = Vec::new();
    let mut rest = prompt;
    while let Some(start) = rest.find('<') {
        rest = &rest[start..];
        let is_tag = STARTS.iter().any(|begin| rest.starts_with(begin));
        let end = if is_tag { rest.find('>') } else { None };
        let mut parts = end.map(|end| rest[STARTS[0].len()..end].split(':')).into_iter().flatten();
        let name = parts.next().map(str::trim).filter(|name| !name.is_empty());
        if let (Some(name), Some(end)) = (name, end) {
            tags.push(Tag { shown: &rest[..=end], name, weights: parts.collect() });
            rest = &rest[end + 1..];
        } else {
            rest = &rest[1..];
        }
    }
    tags
}

/// Whether every adapter that a prompt names is known and its weights in range. A name is only ever looked up, so it cannot be a path.
///
/// # Errors
/// Names the tag, and the adapters that there are, the nearest first.
pub fn check_loras(prompt: &str, known: &[String], gone: &Gone) -> Result<(), PromptError> {
    for Tag { shown, name, weights } in tags(prompt) {
        let is_weight = |text: &str| text.trim().parse::<f64>().is_ok_and(|weight| weight.abs() <= MAX_WEIGHT);
        let is_right = |part: &&str| match part.split_once('=') {
            None => is_weight(part),
            Some((key, value)) => !matches!(key.trim(), "te" | "unet") || is_weight(value),
        };
        if !weights.iter().all(is_right) {
            return Err(PromptError::LoraWeight { shown: shown.to_owned() });
        }
        if position_of(known.iter().map(String::as_str), name).is_none() {
            if gone.has_lora(name) {
                return Err(PromptError::LoraGone { shown: shown.to_owned() });
            }
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

    fn gone() -> Gone {
        Gone { loras: vec!["old".into()], ..Gone::default() }
    }

    #[test]
    fn tags_are_those_that_the_engine_reads() {
        for (prompt, expected) in [
            ("a fox", vec![]),
            ("<lora:ink> a fox", vec![("<lora:ink>", "ink")]),
            ("a <lora:ink:0.8>fox<lyco:b c:-1:2>", vec![("<lora:ink:0.8>", "ink"), ("<lyco:b c:-1:2>", "b c")]),
            ("a < b <lora:x", vec![]),
            ("<lor<lora:x:1>", vec![("<lora:x:1>", "x")]),
            ("<🦊🦊🦊🦊><lora:🦊>", vec![("<lora:🦊>", "🦊")]),
            ("<lora:><lora: :1><LORA:x>", vec![]),
        ] {
            let found: Vec<_> = tags(prompt).iter().map(|tag| (tag.shown, tag.name)).collect();
            assert_eq!(found, expected, "{prompt}");
            let read = inference::text::Prompt::parse(prompt);
            let read: Vec<_> = read.adapters().iter().map(|tag| tag.name.as_str()).collect();
            assert_eq!(read, expected.iter().map(|(_, name)| *name).collect::<Vec<_>>(), "{prompt}");
        }
    }

    #[test]
    fn unknown_names_and_weights_out_of_range_are_refused() {
        let known = ["watercolour", "ink", "inkwash"].map(str::to_owned);
        for prompt in ["a fox", "<lora:ink>", "<lora:ink:-5><lora:inkwash:5.0:0.5>", "<lora:ink:te=0.5:unet=1:x=9>"] {
            assert_eq!(check_loras(prompt, &known, &gone()), Ok(()), "{prompt}");
        }
        for (prompt, expected) in [
            ("<lora:inc:1>", "`<lora:inc:1>`: there is no such LoRA; there are ink, inkwash, watercolour."),
            ("<lora:../ink:1>", "`<lora:../ink:1>`: there is no such LoRA; there are ink, inkwash, watercolour."),
            ("<lora:old:0.5>", "`<lora:old:0.5>`: this LoRA is no longer there."),
            ("<lora:ink:1:unet=6>", "`<lora:ink:1:unet=6>`: the weight must be a number from -5 to 5."),
            ("<lora:ink:5.1>", "`<lora:ink:5.1>`: the weight must be a number from -5 to 5."),
            ("<lora:ink:NaN>", "`<lora:ink:NaN>`: the weight must be a number from -5 to 5."),
            ("<lora:ink:>", "`<lora:ink:>`: the weight must be a number from -5 to 5."),
        ] {
            assert_eq!(check_loras(prompt, &known, &gone()).expect_err(prompt).to_string(), expected);
        }
        assert_eq!(
            check_loras("<lora:x>", &[], &gone()).expect_err("none").to_string(),
            "`<lora:x>`: there is no such LoRA; there are none here."
        );
        let many: Vec<_> = (0..12).map(|n| format!("l{n}")).collect();
        assert!(check_loras("<lora:x>", &many, &gone()).expect_err("unknown").to_string().ends_with(" and 2 more."));
    }
}
