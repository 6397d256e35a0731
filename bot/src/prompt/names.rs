//! Names of samplers and schedules as people write them.

use inference::{sampler::Sampler, schedule::ScheduleKind};

/// Every sampler.
pub const SAMPLERS: [Sampler; 4] = [Sampler::Ddim, Sampler::Euler, Sampler::EulerA, Sampler::DpmPp2M];
/// Every schedule.
pub const SCHEDULES: [ScheduleKind; 2] = [ScheduleKind::Normal, ScheduleKind::Karras];

/// A sampler's name, as in the configuration.
pub fn sampler_name(sampler: Sampler) -> &'static str {
    sampler.name()
}

/// A schedule's name, as in the configuration.
pub fn schedule_name(schedule: ScheduleKind) -> &'static str {
    schedule.name()
}

/// The sampler of a name; case, `-`, `_` and `++` for `pp` do not matter.
pub fn parse_sampler(name: &str) -> Option<Sampler> {
    SAMPLERS.into_iter().find(|sampler| plain(sampler_name(*sampler)) == plain(name))
}

/// The schedule of a name; case does not matter.
pub fn parse_schedule(name: &str) -> Option<ScheduleKind> {
    SCHEDULES.into_iter().find(|schedule| schedule_name(*schedule) == plain(name))
}

/// Names as `a, b or c`.
pub fn name_list(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [start @ .., last] => format!("{} or {last}", start.join(", ")),
    }
}

fn plain(name: &str) -> String {
    name.to_lowercase().replace("++", "pp").replace(['-', '_', ' '], "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_configuration() {
        for sampler in SAMPLERS {
            assert_eq!(serde_json::json!(sampler), sampler_name(sampler));
            assert_eq!(parse_sampler(sampler_name(sampler)), Some(sampler));
        }
        for schedule in SCHEDULES {
            assert_eq!(serde_json::json!(schedule), schedule_name(schedule));
            assert_eq!(parse_schedule(schedule_name(schedule)), Some(schedule));
        }
    }

    #[test]
    fn other_spellings_of_a_sampler_are_known() {
        for (name, expected) in
            [("DPM++2M", Some(Sampler::DpmPp2M)), ("euler-a", Some(Sampler::EulerA)), ("Euler", Some(Sampler::Euler)), ("eular", None)]
        {
            assert_eq!(parse_sampler(name), expected, "{name}");
        }
    }
}
