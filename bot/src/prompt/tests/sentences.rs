//! Every refusal is a sentence.

use super::*;

/// An error of each kind; the list is complete because `next` names every kind.
fn all() -> Vec<PromptError> {
    let shown = || "--x y".to_owned();
    let mut errors = vec![PromptError::Empty];
    while let Some(next) = next(errors.last().expect("it begins with one"), shown()) {
        errors.push(next);
    }
    errors
}

fn next(error: &PromptError, shown: String) -> Option<PromptError> {
    use PromptError::*;
    Some(match error {
        Empty => TooShort,
        TooShort => TooLong { what: "negative prompt", found: 9000 },
        TooLong { .. } => Unknown { name: "--seeed".into(), near: Some("seed") },
        Unknown { near: Some(_), .. } => Unknown { name: "--n".into(), near: None },
        Unknown { near: None, .. } => NoValue { name: "seed".into(), example: "7" },
        NoValue { .. } => Stray { words: "a fox".into(), after: "--seed 7".into() },
        Stray { .. } => InNegative { name: "--seed".into() },
        InNegative { .. } => Twice { first: "--seed 7".into(), second: "--seed 8".into() },
        Twice { .. } => NotAnAspect { shown },
        NotAnAspect { .. } => AspectSide { shown },
        AspectSide { .. } => AspectLimit { shown },
        AspectLimit { .. } => Side { shown },
        Side { .. } => Strength { shown },
        Strength { .. } => PictureWeight { shown },
        PictureWeight { .. } => PictureShape { size: ImageSize::new(3000, 20) },
        PictureShape { .. } => NeedsPicture { shown },
        NeedsPicture { .. } => Seed { shown, max: MAX_SEED },
        Seed { .. } => Steps { shown, max: 100 },
        Steps { .. } => Guidance { shown },
        Guidance { .. } => Images { shown, max: 4 },
        Images { .. } => Sampler { shown, near: Some("euler") },
        Sampler { near: Some(_), .. } => Sampler { shown, near: None },
        Sampler { near: None, .. } => Schedule { shown, near: Some("karras") },
        Schedule { near: Some(_), .. } => Schedule { shown, near: None },
        Schedule { near: None, .. } => context().unknown_model(shown, "y"),
        UnknownModel { .. } => ModelGone { shown, known: "starter".into() },
        ModelGone { .. } => ClipSkip { shown },
        ClipSkip { .. } => Rescale { shown },
        Rescale { .. } => Hires { shown },
        Hires { .. } => Zoom { shown },
        Zoom { .. } => Stop { shown },
        Stop { .. } => Speed { shown },
        Speed { .. } => PromptError::out_of_range(Key::Quality, shown),
        Range { .. } => Parts("the prompt has 17 parts, at most 16 are read".into()),
        Parts(_) => TooManyJobs { found: 12, max: 10 },
        TooManyJobs { .. } => TooDeep { max: 8 },
        TooDeep { .. } => Several { n: 2 },
        Several { .. } => Wildcard(WildcardError::Unknown { shown, near: "__colour__".into() }),
        Wildcard(WildcardError::Unknown { .. }) => Wildcard(WildcardError::Endless { shown }),
        Wildcard(WildcardError::Endless { .. }) => Quality { shown, steps: 200, max: 150 },
        Quality { .. } => NoGuidance { shown, model: "turbo".into() },
        NoGuidance { .. } => TooMuchGuidance { shown, scale: 40.5 },
        TooMuchGuidance { .. } => UnknownLora { shown, known: known_loras(&[], "x") },
        UnknownLora { .. } => LoraGone { shown },
        LoraGone { .. } => LoraWeight { shown },
        LoraWeight { .. } => return None,
    })
}

#[test]
fn every_refusal_begins_with_a_capital_or_code_and_ends_with_a_full_stop() {
    let errors = all();
    assert!(errors.len() > 20);
    for error in errors {
        let sentence = error.to_string();
        assert!(sentence.starts_with(|c: char| c.is_uppercase() || c == '`') && sentence.ends_with('.'), "{sentence}");
        assert!(!sentence.contains("..") && !sentence.contains(" ."), "{sentence}");
    }
}
