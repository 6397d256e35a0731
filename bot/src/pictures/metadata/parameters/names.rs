//! A1111's names of schedules, beside those that schedules know themselves.

use inference::{sampler::Sampler, schedule::ScheduleKind};

/// The schedule of a shown name.
pub(super) fn schedule(shown: &str, sampler: Option<Sampler>) -> Option<ScheduleKind> {
    match shown.trim() {
        "Automatic" => Some(automatic(sampler)),
        name => name.parse().ok(),
    }
}

/// What A1111 takes for a sampler when nobody chooses (`modules/sd_samplers_kdiffusion.py`, `scheduler` of `samplers_k_diffusion`).
fn automatic(sampler: Option<Sampler>) -> ScheduleKind {
    match sampler {
        Some(Sampler::DpmPp2M | Sampler::DpmPpSde | Sampler::Dpm2 | Sampler::Dpm2A) => ScheduleKind::Karras,
        Some(Sampler::DpmPp2MSde) => ScheduleKind::Exponential,
        _ => ScheduleKind::Normal,
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
