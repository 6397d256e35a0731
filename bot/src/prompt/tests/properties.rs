//! What holds for every line.

use proptest::prelude::*;

use super::*;

fn words() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        4 => "[a-z]{1,8}",
        1 => any::<String>(),
        1 => Just("--".to_owned()),
        1 => Just("—".to_owned()),
        1 => "[a-z]{1,3}--[a-z]{1,3}",
        1 => "\\PC{1,6}",
        1 => Just("::".to_owned()),
        1 => "[a-z]{1,4}::-?[0-9]",
    ];
    proptest::collection::vec(word, 1..8).prop_map(|words| words.join(" "))
}

fn contexts() -> impl Strategy<Value = ParseContext> {
    let models = [(512, 64, 2048), (512, 64, 1024), (512, 8, 1024), (768, 64, 2048), (64, 16, 256), (64, 16, 512), (64, 16, 128)];
    proptest::sample::select(models.to_vec()).prop_map(|(native, size_multiple, max_side)| ParseContext {
        models: vec![ModelDefaults { native_size: ImageSize::new(native, native), size_multiple, max_side, ..model("usual") }, dreamy()],
        max_seed: u64::MAX,
        ..context()
    })
}

prop_compose! {
    fn lines()(
        (prompt, negative) in (words(), proptest::option::of(words())),
        aspect in proptest::option::of((1u64..60, 1u64..60)),
        seed in proptest::option::of(any::<u64>()),
        steps in proptest::option::of(1u32..=100),
        guidance in proptest::option::of(1.0f64..=30.0),
        sampler in proptest::option::of(proptest::sample::select(Sampler::ALL.to_vec())),
        schedule in proptest::option::of(proptest::sample::select(ScheduleKind::ALL.to_vec())),
        n_images in proptest::option::of(1u32..=4),
        is_dreamy in any::<bool>(),
        (clip_skip, rescale) in (proptest::option::of(0u32..=11), proptest::option::of(0.0f64..=1.0)),
        (quality, stylize, exp) in (proptest::option::of(0.25f64..=4.0), proptest::option::of(0u32..=1000), proptest::option::of(0u32..=100)),
        (chaos, weird, is_raw) in (proptest::option::of(0u32..=100), proptest::option::of(0u32..=3000), any::<bool>()),
        (scale, stop, is_tile) in (proptest::option::of(1.01f64..=4.0), proptest::option::of(10u32..=100), any::<bool>()),
    ) -> String {
        let mut line = prompt;
        let mut add = |name: &str, value: Option<String>| line.extend(value.map(|value| format!(" --{name} {value}")));
        add("no", negative);
        add("ar", aspect.map(|(width, height)| format!("{width}:{height}")));
        add("seed", seed.map(|seed| seed.to_string()));
        add("steps", steps.map(|steps| steps.to_string()));
        add("cfg", guidance.map(|guidance| guidance.to_string()));
        add("sampler", sampler.map(|sampler| sampler.to_string()));
        add("schedule", schedule.map(|schedule| schedule.to_string()));
        add("images", n_images.map(|n_images| n_images.to_string()));
        add("model", is_dreamy.then(|| "dreamy".to_owned()));
        add("clip-skip", clip_skip.map(|n| n.to_string()));
        add("rescale", rescale.map(|share| share.to_string()));
        add("hires", scale.map(|scale| scale.to_string()));
        add("stop", stop.map(|percent| percent.to_string()));
        add("tile", is_tile.then(String::new));
        add("q", quality.map(|quality| quality.to_string()));
        add("s", stylize.map(|stylize| stylize.to_string()));
        add("exp", exp.map(|exp| exp.to_string()));
        add("c", chaos.map(|chaos| chaos.to_string()));
        add("w", weird.map(|weird| weird.to_string()));
        add("raw", is_raw.then(String::new));
        line
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic(line in any::<String>(), option in any::<String>(), number in any::<i64>(), guidance in any::<f64>()) {
        let typed = TypedOptions {
            speed: Some(option.clone()),
            negative: Some(option.clone()),
            guidance: Some(guidance),
            steps: Some(number),
            seed: Some(number),
            aspect: Some(option.clone()),
            sampler: Some(option.clone()),
            model: Some(option),
        };
        for line in [line.clone(), format!("a --no {line}"), format!("a --ar {line}"), format!("a --seed={line}"), format!("a --{line}")] {
            for typed in [&typed, &TypedOptions::default()] {
                if let Err(error) = parse(&line, typed, &context()) {
                    prop_assert!(!error.to_string().is_empty());
                }
            }
        }
    }

    #[test]
    fn a_description_gives_the_same_task_again(line in lines(), context in contexts(), other_seed in any::<u64>()) {
        let Ok(parsed) = parse(&line, &TypedOptions::default(), &context) else { return Ok(()) };
        let again = format!("{} {}", parsed.task.prompt, describe(&parsed.task, &context));
        let context = ParseContext { random_seed: Seed(other_seed), ..context };
        let expected = Parsed { task: parsed.task, strength: None, repeat: 1, seed_given: true, speed: None, notes: Vec::new() };
        prop_assert_eq!(parse(&again, &TypedOptions::default(), &context), Ok(expected), "{}", again);
    }

    #[test]
    fn sizes_are_within_their_limits(width in 1u64..2000, height in 1u64..2000, context in contexts()) {
        let Some(aspect) = Aspect::new(width, height) else { return Ok(()) };
        for model in &context.models {
            let size = size_of_aspect(aspect, model);
            for side in [size.width, size.height] {
                prop_assert!(side >= model.size_multiple && side <= model.max_side && side % model.size_multiple == 0, "{size}");
            }
        }
    }
}
