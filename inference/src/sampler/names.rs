//! Names of samplers: ours, other programs' and diffusers' classes'. The names themselves stand with each sampler.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::{Sampler, method::Names};
use crate::{
    error::InferenceError,
    schedule::{ScheduleConfig, ScheduleKind, plain_class, unsupported},
};

impl Sampler {
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

    /// What it is good for, in a word.
    pub const fn about(self) -> &'static str {
        self.names().about
    }

    /// The schedule that A1111 takes for it when nobody chooses ("Automatic").
    pub const fn automatic_schedule(self) -> ScheduleKind {
        self.names().automatic
    }

    /// The sampler that stands for a class of diffusers; of several, the first.
    pub fn from_class(class: &str) -> Option<Self> {
        let class = plain_class(class);
        Self::ALL.into_iter().find(|sampler| sampler.class() == class)
    }
}

impl ScheduleConfig {
    /// The sampler that the configuration itself asks for, by the class that it names.
    ///
    /// # Errors
    /// It names none, or one that the engine does not have.
    pub fn own_sampler(&self) -> Result<Sampler, InferenceError> {
        let class = self.class();
        let is_meant = |sampler: &Sampler| class.as_deref() == Some(sampler.class()) && sampler.is_asked_by(self);
        let given = self.keys.class_name.as_deref().unwrap_or("none");
        Sampler::ALL.into_iter().find(is_meant).ok_or_else(|| unsupported(&self.path, "_class_name", given))
    }
}

impl Serialize for Sampler {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Sampler {
    /// Knows our names and no others.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let found = Self::ALL.into_iter().find(|sampler| sampler.name() == name);
        found.ok_or_else(|| D::Error::unknown_variant(&name, &Self::NAMES))
    }
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
        let names = Sampler::NAMES;
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
