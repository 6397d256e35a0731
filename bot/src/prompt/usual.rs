//! What somebody chose for lines that do not say it.

use inference::sampler::SamplerChoice;

use super::Aspect;

/// What somebody chose for lines that do not say it. It stands before the model's own, and behind the line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Usual {
    /// The model, one of those that may be named.
    pub model: Option<String>,
    /// The model that was chosen and is not there any more.
    pub gone: Option<String>,
    /// The same of an adapter.
    pub gone_lora: Option<String>,
    /// An adapter where the line names none, and the models that it fits.
    pub lora: Option<(String, Vec<String>)>,
    /// Width to height.
    pub aspect: Option<Aspect>,
    /// The sampler, and the schedule if its name says one.
    pub sampler: Option<SamplerChoice>,
    /// The models that this sampler cannot draw with.
    pub unfit: Vec<String>,
}

impl Usual {
    /// The adapter for a model.
    pub(super) fn lora_of(&self, model: &str) -> Option<&str> {
        self.lora.as_ref().filter(|(_, fits)| fits.iter().any(|fit| fit == model)).map(|(name, _)| name.as_str())
    }

    /// The sampler for a model.
    pub(super) fn sampler_of(&self, model: &str) -> Option<SamplerChoice> {
        self.sampler.filter(|_| !self.unfit.iter().any(|unfit| unfit == model))
    }
}

#[cfg(test)]
mod tests {
    use inference::{
        sampler::Sampler,
        schedule::ScheduleKind,
        task::{ImageSize, Note, TextToImage},
    };

    use super::super::{ParseContext, Start, TypedOptions, parse, tests::*};
    use super::*;

    fn chosen() -> Usual {
        Usual {
            model: Some("dreamy".into()),
            gone: None,
            gone_lora: None,
            lora: Some(("ink".into(), vec!["usual".into()])),
            aspect: "1:1".parse().ok(),
            sampler: "lcm karras".parse().ok(),
            unfit: vec!["usual".into()],
        }
    }

    fn drawn(line: &str, usual: Usual) -> (TextToImage, Vec<Note>) {
        let parsed = parse(line, &TypedOptions::default(), &ParseContext { usual, ..context() }).expect(line);
        (parsed.task, parsed.notes)
    }

    #[test]
    fn a_line_stands_before_what_was_chosen_and_that_before_the_models_own() {
        let square = ImageSize::new(80, 80);
        let of = |line: &str| {
            let (task, notes) = drawn(line, chosen());
            assert_eq!(notes, []);
            (task.model.unwrap_or_default(), task.size, task.sampler, task.schedule)
        };
        let (lcm, dreamy) = (Sampler::Lcm, || "dreamy".to_owned());
        assert_eq!(of("a fox"), (dreamy(), square, lcm, ScheduleKind::Karras));
        assert_eq!(of("a fox --sampler euler"), (dreamy(), square, Sampler::Euler, ScheduleKind::Karras));
        assert_eq!(of("a fox --schedule normal"), (dreamy(), square, lcm, ScheduleKind::Normal));
        assert_eq!(of("a fox --ar 3:2").1, ImageSize::new(96, 64));
        assert_eq!(of("a fox --width 48"), (dreamy(), ImageSize::new(48, 64), lcm, ScheduleKind::Karras));
        // Another model: a sampler that cannot draw with it is left out.
        assert_eq!(of("a fox --model usual"), ("usual".into(), ImageSize::new(512, 512), Sampler::DpmPp2M, ScheduleKind::Normal));
        assert_eq!(drawn("a fox", Usual::default()).0, base());
        // An adapter is added where it fits and nobody names another.
        let prompt = |line: &str| drawn(line, chosen()).0.prompt;
        assert_eq!(prompt("a fox --model usual"), "<lora:ink> a fox");
        assert_eq!(prompt("a fox"), "a fox");
        assert_eq!(prompt("a fox --model usual --lora wash"), "<lora:wash> a fox");
        assert_eq!(prompt("<lora:wash:0.5> a fox --model usual"), "<lora:wash:0.5> a fox");
    }

    #[test]
    fn what_was_chosen_and_is_gone_is_told_where_it_would_have_counted() {
        let gone = || Usual { gone: Some("misty".into()), ..Usual::default() };
        assert_eq!(drawn("a fox", gone()), (base(), vec![Note::ChoiceGone { name: "misty".into() }]));
        assert_eq!(drawn("a fox --model usual", gone()), (base(), vec![]));
        let gone = || Usual { gone_lora: Some("mist".into()), ..Usual::default() };
        assert_eq!(drawn("a fox", gone()), (base(), vec![Note::ChoiceGone { name: "mist".into() }]));
        assert_eq!(drawn("a fox --lora ink", gone()).1, []);
    }

    #[test]
    fn a_start_pictures_shape_stands_before_the_chosen_one_and_whole_words_before_all() {
        let context = ParseContext { usual: chosen(), start: Start::Shaped(ImageSize::new(90, 60)), ..context() };
        let task = parse("a fox", &TypedOptions::default(), &context).expect("a line").task;
        assert_eq!(task.size, ImageSize::new(96, 64));
        let bare = ParseContext { start: Start::Nothing, ..context }.bare();
        assert_eq!(parse("a fox", &TypedOptions::default(), &bare).expect("a line").task, base());
    }
}
