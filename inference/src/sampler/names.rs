//! Names of samplers: ours, other programs' and diffusers' classes'.

use std::{fmt, str::FromStr};

use super::Sampler;

impl Sampler {
    /// Every sampler, in the order of menus.
    pub const ALL: [Self; 19] = [
        Self::DpmPp2M,
        Self::DpmPp2MSde,
        Self::DpmPp3M,
        Self::DpmPp2S,
        Self::DpmPpSde,
        Self::Euler,
        Self::EulerA,
        Self::UniPc,
        Self::Deis,
        Self::Heun,
        Self::Dpm2,
        Self::Dpm2A,
        Self::Lms,
        Self::Ddim,
        Self::Ddpm,
        Self::Pndm,
        Self::Lcm,
        Self::Tcd,
        Self::FlowEuler,
    ];

    /// The name, as in tasks and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ddim => "ddim",
            Self::Ddpm => "ddpm",
            Self::Pndm => "pndm",
            Self::Lms => "lms",
            Self::Heun => "heun",
            Self::Euler => "euler",
            Self::EulerA => "euler_a",
            Self::Dpm2 => "dpm2",
            Self::Dpm2A => "dpm2_a",
            Self::DpmPp2M => "dpmpp_2m",
            Self::DpmPp2MSde => "dpmpp_2m_sde",
            Self::DpmPpSde => "dpmpp_sde",
            Self::DpmPp3M => "dpmpp_3m",
            Self::DpmPp2S => "dpmpp_2s",
            Self::UniPc => "unipc",
            Self::Deis => "deis",
            Self::Lcm => "lcm",
            Self::Tcd => "tcd",
            Self::FlowEuler => "flow_euler",
        }
    }

    /// The name of the class in diffusers that the sampler stands for.
    pub fn class(self) -> &'static str {
        match self {
            Self::Ddim => "DDIMScheduler",
            Self::Ddpm => "DDPMScheduler",
            Self::Pndm => "PNDMScheduler",
            Self::Lms => "LMSDiscreteScheduler",
            Self::Heun => "HeunDiscreteScheduler",
            Self::Euler => "EulerDiscreteScheduler",
            Self::EulerA => "EulerAncestralDiscreteScheduler",
            Self::Dpm2 => "KDPM2DiscreteScheduler",
            Self::Dpm2A => "KDPM2AncestralDiscreteScheduler",
            Self::DpmPp2M | Self::DpmPp2MSde | Self::DpmPp3M => "DPMSolverMultistepScheduler",
            Self::DpmPpSde => "DPMSolverSDEScheduler",
            Self::DpmPp2S => "DPMSolverSinglestepScheduler",
            Self::UniPc => "UniPCMultistepScheduler",
            Self::Deis => "DEISMultistepScheduler",
            Self::Lcm => "LCMScheduler",
            Self::Tcd => "TCDScheduler",
            Self::FlowEuler => "FlowMatchEulerDiscreteScheduler",
        }
    }

    /// The sampler that stands for a class of diffusers; for the multistep DPM-Solver, the plain one of second order.
    pub fn from_class(class: &str) -> Option<Self> {
        let class = class.trim_start_matches("Flax").replace("ParallelScheduler", "Scheduler");
        [Self::DpmPp2M].into_iter().chain(Self::ALL).find(|sampler| sampler.class() == class)
    }
}

impl fmt::Display for Sampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that no sampler has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownSampler(pub String);

impl std::error::Error for UnknownSampler {}

impl fmt::Display for UnknownSampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = Sampler::ALL.into_iter().map(Sampler::name).collect();
        write!(f, "there is no sampler `{}`; there are {} and {}", self.0, names[..names.len() - 1].join(", "), names[names.len() - 1])
    }
}

impl FromStr for Sampler {
    type Err = UnknownSampler;

    /// Knows the names, classes of diffusers, and what other programs call the same, whatever the case: `Euler a`, `DPM++ 2M`,
    /// `k_euler_ancestral`, …
    fn from_str(name: &str) -> Result<Self, UnknownSampler> {
        let lower = name.to_lowercase().replace('+', "p");
        let plain: String = lower.chars().filter(char::is_ascii_alphanumeric).collect();
        if let Some(sampler) = Self::from_class(name.trim()) {
            return Ok(sampler);
        }
        let plain = plain.strip_prefix("sample").unwrap_or(&plain);
        // A schedule in the sampler's name is how some menus spell both.
        let plain = plain.strip_prefix('k').filter(|rest| !rest.starts_with("arras") && *rest != "l").unwrap_or(plain);
        match plain {
            "ddim" => Ok(Self::Ddim),
            "ddpm" => Ok(Self::Ddpm),
            "pndm" | "plms" => Ok(Self::Pndm),
            "lms" | "lmsdiscrete" => Ok(Self::Lms),
            "heun" | "heundiscrete" => Ok(Self::Heun),
            "euler" | "eulerdiscrete" => Ok(Self::Euler),
            "eulera" | "eulerancestral" | "eulerancestraldiscrete" => Ok(Self::EulerA),
            "dpm2" | "dpm2discrete" => Ok(Self::Dpm2),
            "dpm2a" | "dpm2ancestral" | "dpm2ancestraldiscrete" => Ok(Self::Dpm2A),
            "dpmpp2m" | "dpmsolverpp2m" | "dpmsolverpp" | "dpmsolvermultistep" | "dpmpp" | "dpm2m" => Ok(Self::DpmPp2M),
            "dpmpp2msde" | "dpmsolverpp2msde" | "dpm2msde" | "sdedpmsolverpp" => Ok(Self::DpmPp2MSde),
            "dpmppsde" | "dpmsolversde" | "dpmsde" => Ok(Self::DpmPpSde),
            "dpmpp3m" | "dpmsolverpp3m" | "dpm3m" => Ok(Self::DpmPp3M),
            "dpmpp2s" | "dpmsolverpp2s" | "dpmsolversinglestep" => Ok(Self::DpmPp2S),
            "unipc" | "unipcmultistep" | "unipcbh2" => Ok(Self::UniPc),
            "deis" | "deismultistep" => Ok(Self::Deis),
            "lcm" => Ok(Self::Lcm),
            "tcd" => Ok(Self::Tcd),
            "floweuler" | "flowmatch" | "flowmatcheuler" | "flowmatcheulerdiscrete" | "flowmatchingeuler" => Ok(Self::FlowEuler),
            _ => Err(UnknownSampler(name.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_aliases_parse() {
        for sampler in Sampler::ALL {
            assert_eq!(sampler.to_string().parse(), Ok(sampler));
            assert_eq!(sampler.to_string().to_uppercase().replace('_', " ").parse(), Ok(sampler));
            assert_eq!(serde_json::to_string(&sampler).ok(), Some(format!("\"{sampler}\"")));
            assert_eq!(sampler.class().parse::<Sampler>().map(Sampler::class), Ok(sampler.class()));
        }
        for (name, sampler) in [
            ("DDIM", Sampler::Ddim),
            ("Euler a", Sampler::EulerA),
            ("k_euler_ancestral", Sampler::EulerA),
            ("K_LMS", Sampler::Lms),
            ("DPM++ 2M", Sampler::DpmPp2M),
            ("dpm-solver++ 2m", Sampler::DpmPp2M),
            ("DPM++ 2M SDE", Sampler::DpmPp2MSde),
            ("DPM++ SDE", Sampler::DpmPpSde),
            ("DPM++ 2S", Sampler::DpmPp2S),
            ("k_dpm_2_a", Sampler::Dpm2A),
            ("DPM2 a", Sampler::Dpm2A),
            ("DPM2 ancestral", Sampler::Dpm2A),
            ("UniPC", Sampler::UniPc),
            ("PLMS", Sampler::Pndm),
            ("k_euler", Sampler::Euler),
            ("PNDMScheduler", Sampler::Pndm),
            ("DPMSolverMultistepScheduler", Sampler::DpmPp2M),
            ("KDPM2AncestralDiscreteScheduler", Sampler::Dpm2A),
        ] {
            assert_eq!(name.parse(), Ok(sampler), "{name}");
        }
        let error = "heun 3".parse::<Sampler>().expect_err("there is none");
        assert!(error.to_string().starts_with("there is no sampler `heun 3`; there are dpmpp_2m, "), "{error}");
        assert!(error.to_string().ends_with(" and flow_euler"), "{error}");
    }

    #[test]
    fn classes_name_samplers() {
        assert_eq!(Sampler::from_class("DDIMParallelScheduler"), Some(Sampler::Ddim));
        assert_eq!(Sampler::from_class("FlaxPNDMScheduler"), Some(Sampler::Pndm));
        assert_eq!(Sampler::from_class("KarrasVeScheduler"), None);
    }
}
