//! What a parameter is.

use inference::task::Setting;

/// Which option a parameter sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Negative,
    Aspect,
    Width,
    Height,
    Strength,
    PictureWeight,
    Seed,
    Steps,
    Quality,
    Draft,
    Guidance,
    Stylize,
    Exp,
    Chaos,
    Weird,
    Rescale,
    Sampler,
    Schedule,
    Images,
    Repeat,
    Model,
    Lora,
    Raw,
    ClipSkip,
    Hires,
    Hd,
    Stop,
    Speed,
    Seamless,
}

/// How many of the words behind a parameter are its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// None.
    Nothing,
    /// One, or what stands in quotation marks.
    One,
    /// As many as are a name together.
    Name,
    /// All up to the next parameter.
    All,
}

/// A parameter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parameter {
    pub(super) key: Key,
    /// Every spelling without dashes; the first is the one that is shown.
    pub(super) spellings: &'static [&'static str],
    pub(super) takes: Takes,
    /// A value to show; empty where it takes none.
    pub(super) example: &'static str,
    /// What its value may be, in words.
    pub(super) range: &'static str,
    /// What it means for the engine.
    pub(super) about: &'static str,
    /// What a model must make something of for it; `None` where every model does.
    pub(super) needs: Option<Setting>,
    /// How Midjourney's own differs; empty where it has none.
    pub(super) theirs: &'static str,
}

impl Parameter {
    /// Whose models make something of it.
    pub(super) fn served_by(&self) -> &'static str {
        match self.needs {
            None => "every model",
            Some(Setting::NegativePrompt | Setting::GuidanceRescale | Setting::GuidanceInterval) => {
                "all but those whose network takes the guidance in (LCM)"
            }
            Some(
                Setting::ClipSkip
                | Setting::Weights
                | Setting::Break
                | Setting::Seamless
                | Setting::Parts
                | Setting::Chaos
                | Setting::Weird,
            ) => "Stable Diffusion 1, 2 and XL",
        }
    }

    /// The spelling that is shown.
    pub(super) fn name(&self) -> &'static str {
        self.spellings[0]
    }

    /// Whether a spelling is one of its own.
    pub(super) fn is(&self, spelling: &str) -> bool {
        self.spellings.contains(&spelling)
    }
}
