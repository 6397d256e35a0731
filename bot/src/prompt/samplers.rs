//! What each sampler is good for, in a word.

use inference::sampler::Sampler;

use super::near::meant;

/// What a sampler is good for, in a word.
pub const fn about(sampler: Sampler) -> &'static str {
    match sampler {
        Sampler::DpmPp2M => "quick and clean, the usual choice",
        Sampler::DpmPp2MSde => "quick, with fresh noise for lively detail",
        Sampler::DpmPp3M => "clean, for many steps",
        Sampler::DpmPp2S => "careful, takes twice as long",
        Sampler::DpmPpSde => "lively detail, takes twice as long",
        Sampler::Euler => "the plain one",
        Sampler::EulerA => "plain with fresh noise, changes with the number of steps",
        Sampler::UniPc => "good with few steps",
        Sampler::Deis => "good with few steps",
        Sampler::Heun => "careful, takes twice as long",
        Sampler::Dpm2 => "an older one, takes twice as long",
        Sampler::Dpm2A => "an older one with fresh noise, takes twice as long",
        Sampler::Lms => "an older one",
        Sampler::Ddim => "the classic",
        Sampler::Ddpm => "the first of all, needs many steps",
        Sampler::Pndm => "the first of Stable Diffusion",
        Sampler::Lcm => "for LCM models and LoRAs, four to eight steps",
        Sampler::Tcd => "for TCD LoRAs, four to eight steps",
        Sampler::FlowEuler => "for models of flow matching",
    }
}

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
            assert!((5..=70).contains(&about(sampler).chars().count()), "{sampler}");
        }
    }
}
