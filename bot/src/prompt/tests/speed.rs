//! How a job takes its turns, as a word.

use storage::Tier;

use super::*;

#[test]
fn a_speed_is_a_word_anywhere_among_the_parameters_or_an_option() {
    let option = |speed: &str| TypedOptions { speed: Some(speed.into()), ..TypedOptions::default() };
    for (line, typed, expected) in [
        ("a fox", TypedOptions::default(), None),
        ("a fox --fast", TypedOptions::default(), Some(Tier::Fast)),
        ("a fox --relax --seed 7", TypedOptions::default(), Some(Tier::Relax)),
        ("a fox --seed 7 —RELAX", TypedOptions::default(), Some(Tier::Relax)),
        ("a fox --speed relax", TypedOptions::default(), Some(Tier::Relax)),
        ("a fox --speed=Fast", TypedOptions::default(), Some(Tier::Fast)),
        ("a fox", option("relax"), Some(Tier::Relax)),
        ("a fox", option(""), None),
        ("a fox --relax", option("relax"), Some(Tier::Relax)),
    ] {
        let parsed = parse(line, &typed, &context()).expect(line);
        assert_eq!((parsed.speed, parsed.task.prompt.as_str(), parsed.notes), (expected, "a fox", Vec::new()), "{line}");
    }
}

#[test]
fn a_speed_that_there_is_not_or_two_of_them_are_refused() {
    for (line, expected) in [
        ("a fox --fast --relax", "`--fast` and `--relax` contradict each other: keep one."),
        ("a fox --speed warp", "`--speed warp`: a job is `fast` or `relax`."),
        ("a fox --relax 3", "`3` stands after `--relax`: write the prompt first and the parameters last."),
    ] {
        assert_eq!(parse(line, &TypedOptions::default(), &context()).expect_err(line).to_string(), expected);
    }
}
