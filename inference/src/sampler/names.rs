//! Names of samplers: ours, other programs' and diffusers' classes'.

use std::{fmt, str::FromStr};

use super::Sampler;
use crate::schedule::ScheduleKind;

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

    /// What everybody calls it: the one table.
    const fn names(self) -> Names {
        let (ours, shown, class, others): (_, _, _, &[&str]) = match self {
            Self::Ddim => ("ddim", "DDIM", "DDIMScheduler", &[]),
            Self::Ddpm => ("ddpm", "DDPM", "DDPMScheduler", &[]),
            Self::Pndm => ("pndm", "PLMS", "PNDMScheduler", &[]),
            Self::Lms => ("lms", "LMS", "LMSDiscreteScheduler", &["lmsdiscrete"]),
            Self::Heun => ("heun", "Heun", "HeunDiscreteScheduler", &["heundiscrete"]),
            Self::Euler => ("euler", "Euler", "EulerDiscreteScheduler", &["eulerdiscrete"]),
            Self::EulerA => ("euler_a", "Euler a", "EulerAncestralDiscreteScheduler", &["eulerancestral", "eulerancestraldiscrete"]),
            Self::Dpm2 => ("dpm2", "DPM2", "KDPM2DiscreteScheduler", &["dpm2discrete"]),
            Self::Dpm2A => ("dpm2_a", "DPM2 a", "KDPM2AncestralDiscreteScheduler", &["dpm2ancestral", "dpm2ancestraldiscrete"]),
            Self::DpmPp2M => (
                "dpmpp_2m",
                "DPM++ 2M",
                "DPMSolverMultistepScheduler",
                &["dpmsolverpp2m", "dpmsolverpp", "dpmsolvermultistep", "dpmpp", "dpm2m"],
            ),
            Self::DpmPp2MSde => (
                "dpmpp_2m_sde",
                "DPM++ 2M SDE",
                "DPMSolverMultistepScheduler",
                &["dpmsolverpp2msde", "dpm2msde", "sdedpmsolverpp", "dpmpp2msdegpu"],
            ),
            Self::DpmPpSde => ("dpmpp_sde", "DPM++ SDE", "DPMSolverSDEScheduler", &["dpmsolversde", "dpmsde", "dpmppsdegpu"]),
            Self::DpmPp3M => ("dpmpp_3m", "DPM++ 3M", "DPMSolverMultistepScheduler", &["dpmsolverpp3m", "dpm3m"]),
            Self::DpmPp2S => ("dpmpp_2s", "DPM++ 2S", "DPMSolverSinglestepScheduler", &["dpmsolverpp2s", "dpmsolversinglestep"]),
            Self::UniPc => ("unipc", "UniPC", "UniPCMultistepScheduler", &["unipcmultistep", "unipcbh2"]),
            Self::Deis => ("deis", "DEIS", "DEISMultistepScheduler", &["deismultistep"]),
            Self::Lcm => ("lcm", "LCM", "LCMScheduler", &[]),
            Self::Tcd => ("tcd", "TCD", "TCDScheduler", &[]),
            Self::FlowEuler => (
                "flow_euler",
                "Flow Euler",
                "FlowMatchEulerDiscreteScheduler",
                &["flowmatch", "flowmatcheuler", "flowmatcheulerdiscrete", "flowmatchingeuler"],
            ),
        };
        Names { ours, shown, class, others }
    }

    /// The name, as in tasks and on the command line.
    pub const fn name(self) -> &'static str {
        self.names().ours
    }

    /// The name that menus and pictures of other programs show: `DPM++ 2M`.
    pub const fn shown(self) -> &'static str {
        self.names().shown
    }

    /// The name of the class in diffusers that the sampler stands for.
    pub const fn class(self) -> &'static str {
        self.names().class
    }

    /// The sampler that stands for a class of diffusers; for the multistep DPM-Solver, the plain one of second order.
    pub fn from_class(class: &str) -> Option<Self> {
        let class = class.trim_start_matches("Flax").replace("ParallelScheduler", "Scheduler");
        [Self::DpmPp2M].into_iter().chain(Self::ALL).find(|sampler| sampler.class() == class)
    }
}

/// What a sampler is called by whom; `others` without signs and in small letters.
struct Names {
    ours: &'static str,
    shown: &'static str,
    class: &'static str,
    others: &'static [&'static str],
}

/// A name without what people write in several ways.
fn plain(name: &str) -> String {
    name.to_lowercase().replace('+', "p").chars().filter(char::is_ascii_alphanumeric).collect()
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
        if let Some(sampler) = Self::from_class(name.trim()) {
            return Ok(sampler);
        }
        let plain_name = plain(name);
        let wanted = plain_name.strip_prefix("sample").unwrap_or(&plain_name);
        let wanted = wanted.strip_prefix('k').unwrap_or(wanted);
        let is_named = |sampler: &Self| {
            let Names { ours, shown, others, .. } = sampler.names();
            plain(ours) == wanted || plain(shown) == wanted || others.contains(&wanted)
        };
        Self::ALL.into_iter().find(is_named).ok_or_else(|| UnknownSampler(name.into()))
    }
}

/// A sampler, and the schedule if its name says one: menus of other programs show both as one, `DPM++ 2M Karras`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SamplerChoice {
    /// The sampler.
    pub sampler: Sampler,
    /// The schedule; `None` leaves it open.
    pub schedule: Option<ScheduleKind>,
}

impl From<Sampler> for SamplerChoice {
    fn from(sampler: Sampler) -> Self {
        Self { sampler, schedule: None }
    }
}

impl fmt::Display for SamplerChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.schedule {
            Some(schedule) => write!(f, "{} {schedule}", self.sampler),
            None => self.sampler.fmt(f),
        }
    }
}

impl FromStr for SamplerChoice {
    type Err = UnknownSampler;

    /// Knows every name of a sampler, alone or with a schedule's name behind it.
    fn from_str(name: &str) -> Result<Self, UnknownSampler> {
        if let Ok(sampler) = name.parse::<Sampler>() {
            return Ok(sampler.into());
        }
        let parted = |(at, _)| Some(Self { sampler: name[..at].parse().ok()?, schedule: Some(name[at + 1..].parse().ok()?) });
        name.match_indices([' ', '_', '-']).find_map(parted).ok_or_else(|| UnknownSampler(name.into()))
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
            assert_eq!(sampler.shown().parse(), Ok(sampler));
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
    fn every_name_with_every_schedules_name_behind_it_is_both() {
        for sampler in Sampler::ALL {
            for schedule in ScheduleKind::ALL {
                let choice = SamplerChoice { sampler, schedule: Some(schedule) };
                for name in [sampler.name(), sampler.shown(), &sampler.shown().to_lowercase()] {
                    for (schedule_name, sign) in
                        [(schedule.name(), " "), (schedule.shown(), " "), (schedule.name(), "_"), (schedule.name(), "-")]
                    {
                        assert_eq!(format!("{name}{sign}{schedule_name}").parse(), Ok(choice), "{name}{sign}{schedule_name}");
                    }
                    assert_eq!(name.parse(), Ok(SamplerChoice::from(sampler)));
                }
                assert_eq!(choice.to_string().parse(), Ok(choice));
            }
        }
        for name in ["DPM++ 2M SDE Heun", "Restart Karras", "Karras", "DPM++ 2S a Karras", "Euler Kerras", "", " ", "_"] {
            assert_eq!(name.parse::<SamplerChoice>(), Err(UnknownSampler(name.into())));
        }
    }

    #[test]
    fn classes_name_samplers() {
        assert_eq!(Sampler::from_class("DDIMParallelScheduler"), Some(Sampler::Ddim));
        assert_eq!(Sampler::from_class("FlaxPNDMScheduler"), Some(Sampler::Pndm));
        assert_eq!(Sampler::from_class("KarrasVeScheduler"), None);
    }
}
