//! What a line says of the picture that it changes: where it is, and how much of it stays.

use inference::task::ImageSize;

use super::{Aspect, MAX_PICTURE_WEIGHT, ModelDefaults, PromptError, Start, size_of_aspect, slot::Slot};

/// How much of the masked part of a picture changes when nobody says otherwise.
pub const MASKED_STRENGTH: f64 = 1.0;

/// How much of a picture of this weight changes: of each `1 + weight` parts of the way from noise to the picture, one is drawn anew.
pub fn strength_of_weight(weight: f64) -> f64 {
    1.0 / (1.0 + weight)
}

/// How much of the start picture changes, by either parameter; both must say the same.
pub(super) fn strength(strength: Option<Slot<f64>>, weight: Option<Slot<f64>>) -> Result<Option<f64>, PromptError> {
    let weighted = weight.map(|weight| Slot { value: strength_of_weight(weight.value), shown: weight.shown });
    match (strength, weighted) {
        (Some(first), Some(second)) if first.value != second.value => Err(PromptError::Twice { first: first.shown, second: second.shown }),
        (strength, weighted) => Ok(strength.or(weighted).map(Slot::value)),
    }
}

/// How a share of change is written: as the weight that it stands for where that is a short number.
pub(super) fn shown(strength: f64) -> String {
    let weight = ((1.0 / strength - 1.0) * 100.0).round() / 100.0;
    if (0.0..=MAX_PICTURE_WEIGHT).contains(&weight) && strength_of_weight(weight) == strength {
        format!("--iw {weight}")
    } else {
        format!("--strength {strength}")
    }
}

/// The size that is drawn from a picture of a known shape.
pub(super) fn size(start: Start, model: &ModelDefaults) -> Result<ImageSize, PromptError> {
    let Start::Shaped(size) = start else { return Ok(model.native_size) };
    let aspect = Aspect::new(size.width.into(), size.height.into()).ok_or(PromptError::PictureShape { size })?;
    Ok(size_of_aspect(aspect, model))
}

/// The addresses that a line begins with, and what follows them. Those that stand later are words.
pub fn leading_addresses(line: &str) -> (Vec<&str>, &str) {
    let (mut addresses, mut rest) = (Vec::new(), line.trim_start());
    loop {
        let (word, after) = rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len()));
        // People keep Discord from showing an address by these.
        let bare = word.strip_prefix('<').and_then(|word| word.strip_suffix('>')).unwrap_or(word);
        let is_address =
            ["http://", "https://"].iter().any(|start| bare.get(..start.len()).is_some_and(|found| found.eq_ignore_ascii_case(start)));
        if !is_address {
            return (addresses, rest);
        }
        addresses.push(bare);
        rest = after.trim_start();
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            ParseContext, TypedOptions, describe_task, parse,
            tests::{context, model},
        },
        *,
    };
    use inference::task::{ImageToImage, Inpaint, Task};

    fn of_picture(start: Start) -> ParseContext {
        ParseContext { start, ..context() }
    }

    #[test]
    fn only_what_a_line_begins_with_is_an_address() {
        let check = |line: &str, addresses: &[&str], rest: &str| assert_eq!(leading_addresses(line), (addresses.to_vec(), rest), "{line}");
        check("a fox", &[], "a fox");
        check("", &[], "");
        check(" https://a.example/1.png a fox", &["https://a.example/1.png"], "a fox");
        check(
            "<https://a.example/1.png>\nHTTP://b.example\ta fox --iw 2",
            &["https://a.example/1.png", "HTTP://b.example"],
            "a fox --iw 2",
        );
        check("a fox https://a.example/1.png", &[], "a fox https://a.example/1.png");
        check("https://a.example/1.png", &["https://a.example/1.png"], "");
        check("https: //a", &[], "https: //a");
        check("ä🦊", &[], "ä🦊");
    }

    #[test]
    fn a_weight_says_how_much_of_the_picture_stays() {
        let check = |line: &str, expected: Option<f64>| {
            let parsed = parse(line, &TypedOptions::default(), &of_picture(Start::There)).expect(line);
            assert_eq!(parsed.strength, expected, "{line}");
        };
        check("a fox", None);
        check("a fox --iw 0", Some(1.0));
        check("a fox --iw 1", Some(0.5));
        check("a fox --iw 3", Some(0.25));
        check("a fox —iw .25 --strength 0.8", Some(0.8));
        check("a fox --strength 0.6", Some(0.6));
        let error = |line: &str| parse(line, &TypedOptions::default(), &of_picture(Start::There)).expect_err(line).to_string();
        for weight in ["-0.1", "3.1", "NaN", "inf", "much", "1,5"] {
            let line = format!("--iw {weight}");
            assert_eq!(error(&format!("a fox {line}")), format!("`{line}`: the weight of the picture must be a number from 0 to 3."));
        }
        assert_eq!(error("a fox --iw 1 --strength 0.6"), "`--strength 0.6` and `--iw 1` contradict each other: keep one.");
        assert_eq!(error("a fox --iw 1 --iw 2"), "`--iw 1` and `--iw 2` contradict each other: keep one.");
        assert_eq!(error("a fox --iw"), "`--iw` needs a value, such as `--iw 1`.");
        let without = parse("a fox --iw 1", &TypedOptions::default(), &context()).expect_err("no picture").to_string();
        assert_eq!(without, "`--iw 1` says how much of a start picture changes, and there is none here.");
    }

    #[test]
    fn what_is_drawn_has_the_shape_of_its_picture_unless_one_is_asked_for() {
        let check = |line: &str, picture: (u32, u32), expected: (u32, u32)| {
            let start = Start::Shaped(ImageSize::new(picture.0, picture.1));
            let parsed = parse(line, &TypedOptions::default(), &of_picture(start)).expect(line);
            assert_eq!(parsed.task.size, ImageSize::new(expected.0, expected.1), "{line} of {picture:?}");
        };
        check("a fox", (3000, 2000), (640, 448));
        check("a fox", (2000, 3000), (448, 640));
        check("a fox", (77, 77), (512, 512));
        check("a fox --ar 1:1", (3000, 2000), (512, 512));
        check("a fox --width 768", (3000, 2000), (768, 512));
        let long = of_picture(Start::Shaped(ImageSize::new(3000, 200)));
        let error = parse("a fox", &TypedOptions::default(), &long).expect_err("too long").to_string();
        assert!(error.starts_with("The picture has 3000×200 pixels, and 14:1 is the limit"), "{error}");
        assert!(parse("a fox --ar 3:1", &TypedOptions::default(), &long).is_ok());
        assert_eq!(size(Start::There, &model("usual")).ok(), Some(model("usual").native_size));
    }

    proptest::proptest! {
        #[test]
        fn a_description_tells_how_much_changes(strength in 0.001_f64..=1.0, weight in 0_u32..=300, is_masked: bool, is_weighted: bool) {
            let strength = if is_weighted { strength_of_weight(f64::from(weight) / 100.0) } else { strength };
            let base = super::super::tests::base();
            let task = if is_masked { Task::inpaint(Inpaint { base, strength }, "a", "b") } else { Task::image_to_image(ImageToImage { base, strength }, "a") };
            let described = describe_task(&task, &of_picture(Start::There));
            let parsed = parse(&format!("a fox {described}"), &TypedOptions::default(), &of_picture(Start::There)).expect("it can be read");
            let usual = if is_masked { MASKED_STRENGTH } else { context().strength };
            proptest::prop_assert_eq!(parsed.strength.unwrap_or(usual), strength, "{}", described);
            proptest::prop_assert_eq!(Some(&parsed.task), task.base());
            proptest::prop_assert!(!is_weighted || strength == usual || described.contains("--iw "), "{}", described);
        }
    }
}
