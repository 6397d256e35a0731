//! Names of samplers and schedules, and seeds, as other programs have them.

use super::*;

#[test]
fn samplers_are_said_by_every_name_that_is_shown() {
    for sampler in Sampler::ALL {
        let of_one = TextToImage { sampler, ..base() };
        for name in [sampler.name(), sampler.shown()] {
            check(&format!("a fox --sampler {name} --steps 25"), of_one.clone());
            check_typed("a fox", TypedOptions { sampler: Some(name.into()), ..TypedOptions::default() }, of_one.clone());
        }
        for schedule in ScheduleKind::ALL {
            let both = TextToImage { sampler, schedule, ..base() };
            for name in [format!("{sampler} {schedule}"), format!("{} {}", sampler.shown(), schedule.shown())] {
                for line in [
                    format!("a fox --sampler {name}"),
                    format!("a fox --sampler \"{name}\" --steps 25"),
                    format!("a fox --sampler=“{name}”"),
                ] {
                    check(&line, both.clone());
                }
                for name in [format!("\"{name}\""), name] {
                    check_typed("a fox", TypedOptions { sampler: Some(name), ..TypedOptions::default() }, both.clone());
                }
            }
            check(&format!("a fox --schedule {}", schedule.shown()), TextToImage { schedule, ..base() });
        }
    }
    check_error(
        "a fox --sampler Euler a Karras big",
        "`big` stands after `--sampler Euler a Karras`: write the prompt first and the parameters last.",
    );
    check_error(
        "a fox --sampler Euler Karras --schedule beta",
        "`--sampler Euler Karras` and `--schedule beta` contradict each other: keep one.",
    );
    let error = parse("a fox --sampler Restart Karras", &TypedOptions::default(), &context()).expect_err("there is none").to_string();
    assert!(error.starts_with("`--sampler Restart Karras`: there is no such sampler. "), "{error}");
    check("a fox --seed \"7\"", TextToImage { seed: Seed(7), ..base() });
}

#[test]
fn seeds_go_as_far_as_a_number_of_discord_is_exact() {
    let context = ParseContext { max_seed: MAX_SEED, ..context() };
    let seed =
        |text: &str| parse(text, &TypedOptions::default(), &context).map(|parsed| parsed.task.seed.0).map_err(|error| error.to_string());
    for n in [1u64 << 32, (1 << 53) - 2, (1 << 53) - 1] {
        assert_eq!(seed(&format!("a fox --seed {n}")), Ok(n));
        let typed = TypedOptions { seed: Some(n as i64), ..TypedOptions::default() };
        assert_eq!(parse("a fox", &typed, &context).map(|parsed| parsed.task.seed), Ok(Seed(n)));
    }
    let error = "`--seed 9007199254740992`: the seed must be a whole number from 0 to 9007199254740991.";
    assert_eq!(seed("a fox --seed 9007199254740992"), Err(error.to_owned()));
}
