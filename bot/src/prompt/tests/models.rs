//! What a model brings, and the parameters beside size, steps and sampler.

use proptest::prelude::*;

use super::*;

#[test]
fn a_model_brings_its_own_defaults() {
    let expected = TextToImage {
        model: Some("dreamy".into()),
        negative_prompt: Some("noise".into()),
        size: ImageSize::new(96, 64),
        steps: 8,
        guidance_scale: 3.0,
        sampler: Sampler::EulerA,
        schedule: ScheduleKind::Karras,
        clip_skip: 1,
        ..base()
    };
    check("a fox --model dreamy", expected.clone());
    check("a fox --model usual", base());
    let typed = TypedOptions { model: Some("dreamy".into()), ..TypedOptions::default() };
    check_typed("a fox", typed.clone(), expected.clone());
    let changed = TextToImage { size: ImageSize::new(80, 80), steps: 9, clip_skip: 0, negative_prompt: Some("text".into()), ..expected };
    check_typed("a fox --ar 1:1 --steps 9 --clip-skip 0 --no text", typed.clone(), changed);
    check_typed_error("a fox --model usual", typed, "`--model usual` and `model: dreamy` contradict each other: keep one.");
    check_error("a fox --model dreemy", "`--model dreemy`: there is no such model; there are dreamy, usual.");
    for path in ["/models/sd15", "../usual", "usual/", "C:\\usual"] {
        let error = parse(&format!("a fox --model {path}"), &TypedOptions::default(), &context()).expect_err("a path is no name");
        assert!(matches!(error, PromptError::UnknownModel { .. }), "{error}");
    }
}

#[test]
fn skipping_rescaling_tiling_and_a_second_pass_are_parameters() {
    check("a fox --clip-skip 2", TextToImage { clip_skip: 2, ..base() });
    check("a fox --rescale 0.7", TextToImage { guidance_rescale: 0.7, ..base() });
    check("a fox --tile --seed 4242", TextToImage { seamless: true, ..base() });
    check("a fox --seamless", TextToImage { seamless: true, ..base() });
    let second = Hires { scale: 1.5, strength: HIRES_STRENGTH, steps: None, enlarger: Enlarger::Latent };
    check("a fox --hires 1.5", TextToImage { hires: Some(second), ..base() });
    for (line, percent) in [("a fox --stop 60", Some(60)), ("a fox --stop 10%", Some(10)), ("a fox --stop 100", None)] {
        check(line, TextToImage { stop_at: percent.map(StopAt::Percent), ..base() });
    }
    for value in ["9", "101", "0.5", "-20", "x"] {
        check_error(&format!("a fox --stop {value}"), &format!("`--stop {value}`: drawing can stop at 10 to 100 per cent of the steps."));
    }
    check_error("a fox --tile yes", "`yes` stands after `--tile`: write the prompt first and the parameters last.");
    for value in ["13", "-1", "x", "1.5"] {
        check_error(
            &format!("a fox --clip-skip {value}"),
            &format!("`--clip-skip {value}`: the layers to skip must be a whole number from 0 to 12."),
        );
    }
    for value in ["-0.1", "1.1", "NaN"] {
        check_error(&format!("a fox --rescale {value}"), &format!("`--rescale {value}`: the rescaling must be a number from 0 to 1."));
    }
    for value in ["1", "4.1", "NaN", "2x"] {
        check_error(
            &format!("a fox --hires {value}"),
            &format!("`--hires {value}`: the enlargement must be a number above 1 and at most 4."),
        );
    }
}

#[test]
fn parts_and_ways_to_read_the_prompt_are_said() {
    check("hot:: dog::2 --seed 4242", TextToImage { has_parts: true, ..prompt("hot:: dog::2") });
    check("a std::vec and (hot:: dog)", prompt("a std::vec and (hot:: dog)"));
    check_error(
        "a fox::1 snow::-1",
        "That cannot be drawn: the weights of the prompt's parts add up to 0: together they must be more than 0.",
    );
    for line in ["a fox --chaos 40", "a fox --c 40"] {
        check(line, TextToImage { chaos: 40, ..base() });
    }
    for line in ["a fox --weird 3000", "a fox —w 3000"] {
        check(line, TextToImage { weird: 3000, ..base() });
    }
    check_error("a fox --c 101", "`--c 101`: the value of `--chaos` must be a whole number from 0 to 100.");
    check_error("a fox --w -1", "`--w -1`: the value of `--weird` must be a whole number from 0 to 3000.");
    check_error("a fox --chaos 1 --c 2", "`--chaos 1` and `--c 2` contradict each other: keep one.");
}

#[test]
fn an_adapter_is_a_parameter_too() {
    for line in ["a fox --lora ink:0.8", "a fox --lora \"ink:0.8\" --lora ink:0.8"] {
        check(line, prompt("<lora:ink:0.8> a fox"));
    }
    check("a fox --lora ink --lora wash:2", prompt("<lora:ink> <lora:wash:2> a fox"));
    check_error("a fox --lora imk", "`<lora:imk>`: there is no such LoRA; there are ink, wash.");
    check_error("--lora ink", "The prompt is empty: say what to draw, such as `a fox in snow`.");
}

#[test]
fn adapters_in_the_prompt_are_known_or_refused() {
    check("a fox <lora:ink:0.8> --seed 4242", prompt("a fox <lora:ink:0.8>"));
    check_error("a fox <lora:imk:0.8>", "`<lora:imk:0.8>`: there is no such LoRA; there are ink, wash.");
    check_error("a fox <lora:ink:9>", "`<lora:ink:9>`: the weight must be a number from -5 to 5.");
}

proptest! {
    #[test]
    fn every_name_that_can_be_said_is_understood(name in "[a-zA-Z0-9()\\[\\]._'&+#@!é-]{1,12}( [a-zA-Z0-9()\\[\\]._'&+#@!é-]{1,12}){0,4}") {
        prop_assume!(crate::models::name::check(&name).is_ok());
        let mut context = context();
        context.models[1].name.clone_from(&name);
        context.loras = vec![name.clone()];
        let quoted = crate::models::name::quoted(&name).into_owned();
        let line = format!("a fox <lora:{name}:0.8> --model {quoted} --seed 7");
        let parsed = parse(&line, &TypedOptions::default(), &context).expect("it is a name");
        prop_assert_eq!(parsed.task.model.as_deref(), Some(name.as_str()));
        let shown = describe(&parsed.task, &context);
        prop_assert_eq!(parse(&format!("a fox {shown}"), &TypedOptions::default(), &context).expect("shown").task.model, parsed.task.model.clone());
        let typed = TypedOptions { model: Some(name.clone()), ..TypedOptions::default() };
        prop_assert_eq!(parse("a fox", &typed, &context).expect("an option").task.model, Some(name));
    }
}
