//! Samplers and schedules under the names that other programs show.

use inference::{sampler::Sampler, schedule::ScheduleKind};

/// Our name and the shown one. A sampler that is not here is shown by our name.
const SAMPLERS: [(&str, &str); 18] = [
    ("ddim", "DDIM"),
    ("ddpm", "DDPM"),
    ("pndm", "PLMS"),
    ("lms", "LMS"),
    ("heun", "Heun"),
    ("euler", "Euler"),
    ("euler_a", "Euler a"),
    ("dpm2", "DPM2"),
    ("dpm2_a", "DPM2 a"),
    ("dpmpp_2m", "DPM++ 2M"),
    ("dpmpp_2m_sde", "DPM++ 2M SDE"),
    ("dpmpp_sde", "DPM++ SDE"),
    ("dpmpp_3m", "DPM++ 3M"),
    ("dpmpp_2s", "DPM++ 2S"),
    ("unipc", "UniPC"),
    ("deis", "DEIS"),
    ("lcm", "LCM"),
    ("tcd", "TCD"),
];

/// A sampler's shown name.
pub(super) fn of_sampler(sampler: Sampler) -> String {
    SAMPLERS.iter().find(|(name, _)| *name == sampler.name()).map_or(sampler.name(), |(_, shown)| shown).to_owned()
}

/// A schedule's shown name: `SGM Uniform` for `sgm_uniform`.
pub(super) fn of_schedule(schedule: ScheduleKind) -> String {
    let word = |word: &str| match word {
        "sgm" => "SGM".to_owned(),
        word => word.chars().take(1).flat_map(char::to_uppercase).chain(word.chars().skip(1)).collect(),
    };
    schedule.name().split('_').map(word).collect::<Vec<_>>().join(" ")
}

/// The sampler of a shown name.
pub(super) fn sampler(shown: &str) -> Option<Sampler> {
    let name = SAMPLERS.iter().find(|(_, known)| known.eq_ignore_ascii_case(shown)).map_or(shown, |(name, _)| name);
    Sampler::ALL.into_iter().find(|sampler| sampler.name() == name).or_else(|| shown.parse().ok())
}

/// The schedule of a shown name; other programs call the usual one by several.
pub(super) fn schedule(shown: &str) -> Option<ScheduleKind> {
    let plain = shown.trim().to_lowercase().replace(' ', "_");
    match plain.as_str() {
        "automatic" | "uniform" => Some(ScheduleKind::Normal),
        name => ScheduleKind::ALL.into_iter().find(|schedule| schedule.name() == name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sampler_and_schedule_is_known_by_what_it_is_shown_as() {
        for kind in Sampler::ALL {
            assert_eq!(sampler(&of_sampler(kind)), Some(kind));
        }
        for kind in ScheduleKind::ALL {
            assert_eq!(schedule(&of_schedule(kind)), Some(kind));
        }
        assert_eq!(schedule("Automatic"), Some(ScheduleKind::Normal));
        assert_eq!((sampler("Restart"), schedule("Align Your Steps")), (None, None));
    }
}
