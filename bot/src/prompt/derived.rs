//! Parameters that say a value by way of the model's own: quality, taste and the like.

use super::{GUIDANCE, ModelDefaults, ParseContext, PromptError, hires, options::Options, parameter::Key, slot::Slot};

/// Share of the model's steps that a draft takes.
const DRAFT: f64 = 0.5;
/// Enlargement of `--hd`.
const HD: f64 = 2.0;
/// The stylization that changes nothing.
const USUAL_STYLIZE: f64 = 100.0;
/// Rescaling at the most `--exp`.
const MOST_RESCALE: f64 = 0.7;

impl Key {
    /// The parameters that set the same value in another way: of one value only one may be given.
    pub(super) fn rivals(self) -> &'static [Self] {
        match self {
            Self::Steps => &[Self::Quality, Self::Draft],
            Self::Quality => &[Self::Steps, Self::Draft],
            Self::Draft => &[Self::Steps, Self::Quality],
            Self::Guidance => &[Self::Stylize, Self::Exp],
            Self::Stylize => &[Self::Guidance],
            Self::Exp => &[Self::Guidance, Self::Rescale],
            Self::Rescale => &[Self::Exp],
            Self::Hires => &[Self::Hd],
            Self::Hd => &[Self::Hires],
            _ => &[],
        }
    }
}

impl Options {
    /// Whether no value was said in two ways.
    pub(super) fn check_rivals(&self) -> Result<(), PromptError> {
        for (place, (key, first)) in self.given().iter().enumerate() {
            if let Some((_, second)) = self.given()[place..].iter().find(|(other, _)| key.rivals().contains(other)) {
                return Err(PromptError::Twice { first: first.clone(), second: second.clone() });
            }
        }
        Ok(())
    }

    /// Steps: as said, or so many times the model's own.
    pub(super) fn steps_of(&self, model: &ModelDefaults, context: &ParseContext) -> Result<u32, PromptError> {
        if let Some(steps) = &self.steps {
            return Ok(steps.value);
        }
        let own = f64::from(model.steps);
        let Some(quality) = &self.quality else {
            return Ok(if self.flag(Key::Draft).is_some() { whole(own * DRAFT) } else { model.steps });
        };
        let steps = whole(own * quality.value);
        if steps > context.max_steps {
            return Err(PromptError::Quality { shown: quality.shown.clone(), steps, max: context.max_steps });
        }
        Ok(steps)
    }

    /// Guidance scale and rescaling: as said, or the model's own with more or less of what makes it guidance.
    pub(super) fn guidance_of(&self, model: &ModelDefaults) -> Result<(f64, f64), PromptError> {
        let rescale = self.rescale.as_ref().map_or(0.0, |rescale| rescale.value);
        if let Some(guidance) = &self.guidance {
            return Ok((guidance.value, rescale));
        }
        let own = model.guidance_scale;
        let Some(Slot { shown, .. }) = self.stylize.as_ref().or(self.exp.as_ref()) else { return Ok((own, rescale)) };
        if own <= 1.0 {
            return Err(PromptError::NoGuidance { shown: shown.clone(), model: model.name.clone() });
        }
        let exp = self.exp.as_ref().map_or(0.0, |exp| exp.value / 100.0);
        let factor = self.stylize.as_ref().map_or(1.0, |stylize| taste(stylize.value)) * (1.0 + exp);
        let scale = if factor == 1.0 { own } else { rounded(1.0 + (own - 1.0) * factor) };
        if !GUIDANCE.contains(&scale) {
            return Err(PromptError::TooMuchGuidance { shown: shown.clone(), scale });
        }
        Ok((scale, if self.exp.is_some() { rounded(MOST_RESCALE * exp) } else { rescale }))
    }

    /// A second pass, as said or by `--hd`.
    pub(super) fn hires_of(&self) -> Option<inference::task::Hires> {
        let scale = self.hires.as_ref().map(|scale| scale.value).or_else(|| self.flag(Key::Hd).map(|_| HD));
        scale.map(hires)
    }

    /// The negative prompt: as said, or the model's own unless it is not wanted.
    pub(super) fn negative_of(&self, model: &ModelDefaults) -> Option<String> {
        let own = model.negative_prompt.as_ref().filter(|_| self.flag(Key::Raw).is_none());
        self.negative.as_ref().map(|negative| &negative.value).or(own).cloned()
    }
}

/// How much of the model's own guidance is left: 1.5 times at 0, once at 100, half at 1000, straight between them.
fn taste(stylize: f64) -> f64 {
    if stylize <= USUAL_STYLIZE {
        1.5 - 0.5 * stylize / USUAL_STYLIZE
    } else {
        1.0 - 0.5 * (stylize - USUAL_STYLIZE) / (1000.0 - USUAL_STYLIZE)
    }
}

fn whole(steps: f64) -> u32 {
    (steps.round() as u32).max(1)
}

/// To two digits behind the point, as people read it.
fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use inference::task::{Hires, TextToImage};

    use super::super::{
        HIRES_STRENGTH, TypedOptions, parse,
        tests::{base, check, check_error, context},
    };

    #[test]
    fn steps_are_so_many_times_the_models_own() {
        for (line, steps) in [("--quality 2", 50), ("--q .25", 6), ("--q 4", 100), ("--q 1", 25), ("--draft", 13)] {
            check(&format!("a fox {line}"), TextToImage { steps, ..base() });
        }
        let of_dreamy = |line: &str| parse(line, &TypedOptions::default(), &context()).expect(line).task.steps;
        assert_eq!((of_dreamy("a fox --model dreamy --q 2"), of_dreamy("a fox --model dreamy --draft")), (16, 4));
        for value in ["0.2", "4.1", "NaN", "high"] {
            check_error(
                &format!("a fox --q {value}"),
                &format!("`--q {value}`: the value of `--quality` must be a number from 0.25 to 4."),
            );
        }
        let mut context = context();
        context.max_steps = 60;
        let error = parse("a fox --q 3", &TypedOptions::default(), &context).expect_err("too many").to_string();
        assert_eq!(error, "`--q 3`: that would be 75 steps, and 60 are the most.");
        check_error("a fox --q 2 --steps 50", "`--q 2` and `--steps 50` contradict each other: keep one.");
        check_error("a fox --draft --quality 1", "`--draft` and `--quality 1` contradict each other: keep one.");
    }

    #[test]
    fn taste_and_experiment_change_what_makes_guidance_guidance() {
        // 7.5 is 1 and 6.5 more.
        for (line, guidance_scale, guidance_rescale) in [
            ("--stylize 100", 7.5, 0.0),
            ("--s 0", 10.75, 0.0),
            ("--s 1000", 4.25, 0.0),
            ("--stylise 550", 5.88, 0.0),
            ("--exp 0", 7.5, 0.0),
            ("--exp 100", 14.0, 0.7),
            ("--exp 50", 10.75, 0.35),
            ("--exp 100 --s 1000", 7.5, 0.7),
        ] {
            check(&format!("a fox {line}"), TextToImage { guidance_scale, guidance_rescale, ..base() });
        }
        check_error("a fox --s 1001", "`--s 1001`: the value of `--stylize` must be a number from 0 to 1000.");
        check_error("a fox --exp 101", "`--exp 101`: the value of `--exp` must be a number from 0 to 100.");
        check_error("a fox --s 50 --cfg 7", "`--s 50` and `--cfg 7` contradict each other: keep one.");
        check_error("a fox --rescale 0.5 --exp 5", "`--rescale 0.5` and `--exp 5` contradict each other: keep one.");
        let mut context = context();
        let error = |context: &_| parse("a fox --s 0", &TypedOptions::default(), context).expect_err("refused").to_string();
        context.models[0].guidance_scale = 25.0;
        assert_eq!(error(&context), "`--s 0`: that would be a guidance of 37, and 30 is the most.");
        context.models[0].guidance_scale = 1.0;
        assert_eq!(error(&context), "`--s 0` changes the guidance, and usual is drawn without any; `--cfg` sets it.");
    }

    #[test]
    fn large_and_raw_pictures_are_said_shortly() {
        let twice = Hires { scale: 2.0, strength: HIRES_STRENGTH, steps: None, enlarger: Default::default() };
        check("a fox --hd", TextToImage { hires: Some(twice), ..base() });
        check_error("a fox --hd --hires 3", "`--hd` and `--hires 3` contradict each other: keep one.");
        let negative = |line: &str| parse(line, &TypedOptions::default(), &context()).expect(line).task.negative_prompt;
        assert_eq!(negative("a fox --model dreamy").as_deref(), Some("noise"));
        for line in ["--raw", "--style raw", "—STYLE RAW", "--style=raw"] {
            assert_eq!(negative(&format!("a fox --model dreamy {line}")), None, "{line}");
            assert_eq!(negative(&format!("a fox --model dreamy {line} --no text")).as_deref(), Some("text"), "{line}");
        }
    }
}
