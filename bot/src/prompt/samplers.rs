//! Which sampler somebody meant.

use inference::sampler::Sampler;

use super::near::meant;

/// Our name of the sampler that somebody may have meant.
pub fn meant_sampler(typed: &str) -> Option<&'static str> {
    let names = Sampler::ALL.into_iter().flat_map(|sampler| [sampler.name(), sampler.shown()]);
    let found = meant(names, typed)?;
    Sampler::ALL.into_iter().find(|sampler| [sampler.name(), sampler.shown()].contains(&found)).map(Sampler::name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sampler_is_meant_by_the_start_or_slips_of_any_name() {
        for (typed, expected) in [
            ("eu", Some("euler")),
            ("eular", Some("euler")),
            ("Euler b", Some("euler_a")),
            ("dpm++ 2m sd", Some("dpmpp_2m_sde")),
            ("dpmpp_2", Some("dpmpp_2m")),
            ("ddmi", Some("ddim")),
            ("Restart Karras", None),
            ("k_dpm_99", None),
            ("", None),
        ] {
            assert_eq!(meant_sampler(typed), expected, "{typed}");
        }
    }

    #[test]
    fn every_suggestion_fits_discord() {
        for sampler in Sampler::ALL {
            assert!((5..=70).contains(&sampler.about().chars().count()), "{sampler}");
        }
    }
}
