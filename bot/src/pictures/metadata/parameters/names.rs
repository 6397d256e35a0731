//! A1111's names of schedules, beside those that schedules know themselves.

use inference::{sampler::Sampler, schedule::ScheduleKind};

/// The schedule of a shown name.
pub(super) fn schedule(shown: &str, sampler: Option<Sampler>) -> Option<ScheduleKind> {
    match shown.trim() {
        "Automatic" => Some(sampler.map_or(ScheduleKind::Normal, Sampler::automatic_schedule)),
        name => name.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn automatic_is_what_suits_the_sampler() {
        assert_eq!(schedule("Automatic", None), Some(ScheduleKind::Normal));
        assert_eq!(schedule("Automatic", Some(Sampler::EulerA)), Some(ScheduleKind::Normal));
        assert_eq!(schedule("Automatic", Some(Sampler::DpmPp2M)), Some(ScheduleKind::Karras));
        assert_eq!(schedule("SGM Uniform", None), Some(ScheduleKind::SgmUniform));
        assert_eq!(schedule("Align Your Steps", None), None);
    }
}
