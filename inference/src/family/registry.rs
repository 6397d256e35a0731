//! The list of families, and what each part is of one of them: enums, so that every call is a plain match.

use std::path::Path;

use candle_core::Tensor;
use serde_json::Value;

#[cfg(test)]
use super::toy::Toy;
use super::{
    Description, Rules,
    contract::{Family, Loaded, Measured, PartFiles, PromptRequest, Row, Told},
    stable_diffusion::StableDiffusion,
    z_image::ZImage,
};
use crate::{
    adapter::Base,
    checkpoint::{Checkpoint, json::unsupported},
    error::InferenceError,
    schedule::ScheduleConfig,
    text::{Embedding, WordPlace},
    vae::VaeConfig,
};

/// Makes the enums. A model is of the first family that knows it.
macro_rules! families {
    ($First:ident $(, $(#[$only:meta])* $Other:ident)* $(,)?) => {
        any!(AnyConfig, Config: $First $(, $(#[$only])* $Other)*);
        any!(AnyText, Text: $First $(, $(#[$only])* $Other)*);
        any!(AnyConditioning, Conditioning: $First $(, $(#[$only])* $Other)*);
        any!(AnyDenoiser, Denoiser: $First $(, $(#[$only])* $Other)*);
        any!(AnyPrepared, Prepared: $First $(, $(#[$only])* $Other)*);
        any!(@parts $First $(, $(#[$only])* $Other)*);
    };
}

macro_rules! any {
    ($Any:ident, $Part:ident: $First:ident $(, $(#[$only:meta])* $Other:ident)*) => {
        pub(super) enum $Any {
            $First(Box<<$First as Family>::$Part>),
            $($(#[$only])* $Other(Box<<$Other as Family>::$Part>),)*
        }

        impl Of<$First> for $Any {
            type Held = <$First as Family>::$Part;

            fn held(&self) -> Option<&Self::Held> {
                match self {
                    Self::$First(held) => Some(held),
                    $($(#[$only])* Self::$Other(_) => None,)*
                }
            }
        }

        $($(#[$only])*
        impl Of<$Other> for $Any {
            type Held = <$Other as Family>::$Part;

            fn held(&self) -> Option<&Self::Held> {
                if let Self::$Other(held) = self { Some(held) } else { None }
            }
        })*
    };
    (@parts $($(#[$only:meta])* $Family:ident),*) => {
        impl Clone for AnyConfig {
            fn clone(&self) -> Self {
                match self { $($(#[$only])* Self::$Family(config) => Self::$Family(config.clone()),)* }
            }
        }

        impl AnyConfig {
            pub(super) fn read(checkpoint: &Checkpoint) -> Result<Self, InferenceError> {
                $($(#[$only])* if $Family::knows(checkpoint) {
                    return Ok(Self::$Family(Box::new($Family::read(checkpoint)?)));
                })*
                Err(unsupported(checkpoint.path(), "a model of no family that the engine knows".to_owned()))
            }

            pub(super) fn with_vae(self, json: &Value, path: &Path) -> Result<Self, InferenceError> {
                match self { $($(#[$only])* Self::$Family(config) => Ok(Self::$Family(Box::new($Family::with_vae(*config, json, path)?))),)* }
            }

            pub(super) fn vae(&self) -> &VaeConfig {
                match self { $($(#[$only])* Self::$Family(config) => $Family::vae(config),)* }
            }

            pub(super) fn rules(&self) -> Rules {
                match self { $($(#[$only])* Self::$Family(config) => $Family::rules(config),)* }
            }

            pub(super) fn describe(&self, checkpoint: &Checkpoint) -> Result<Description, InferenceError> {
                match self { $($(#[$only])* Self::$Family(config) => $Family::describe(checkpoint, config),)* }
            }

            pub(super) fn base(&self, checkpoint: &Checkpoint) -> Result<Base, InferenceError> {
                match self { $($(#[$only])* Self::$Family(config) => $Family::base(checkpoint, config),)* }
            }

            pub(super) fn schedules(&self, checkpoint: &Checkpoint) -> Result<(ScheduleConfig, ScheduleConfig), InferenceError> {
                match self { $($(#[$only])* Self::$Family(_) => $Family::schedules(checkpoint),)* }
            }
        }

        impl AnyText {
            pub(super) fn load(files: PartFiles<'_>, config: &AnyConfig) -> Result<Self, InferenceError> {
                match config { $($(#[$only])* AnyConfig::$Family(config) => Ok(Self::$Family(Box::new($Family::load_text(files, config)?))),)* }
            }

            pub(super) fn loaded(&self) -> &dyn Loaded {
                match self { $($(#[$only])* Self::$Family(text) => text.as_ref(),)* }
            }

            pub(super) fn learn(&mut self, word: &Embedding) -> Result<(), InferenceError> {
                match self { $($(#[$only])* Self::$Family(text) => $Family::learn(text, word),)* }
            }

            pub(super) fn length(&self, prompt: &str) -> Result<usize, InferenceError> {
                match self { $($(#[$only])* Self::$Family(text) => $Family::length(text, prompt),)* }
            }

            pub(super) fn words(&self, prompt: &str) -> Result<Vec<WordPlace>, InferenceError> {
                match self { $($(#[$only])* Self::$Family(text) => $Family::words(text, prompt),)* }
            }

            pub(super) fn encode(&self, request: &PromptRequest) -> Result<AnyConditioning, InferenceError> {
                match self { $($(#[$only])* Self::$Family(text) => Ok(AnyConditioning::$Family(Box::new($Family::encode(text, request)?))),)* }
            }
        }

        impl AnyConditioning {
            pub(super) fn measured(&self) -> &dyn Measured {
                match self { $($(#[$only])* Self::$Family(conditioning) => conditioning.as_ref(),)* }
            }
        }

        impl AnyDenoiser {
            pub(super) fn load(files: PartFiles<'_>, config: &AnyConfig) -> Result<Self, InferenceError> {
                match config {
                    $($(#[$only])* AnyConfig::$Family(config) => Ok(Self::$Family(Box::new($Family::load_denoiser(files, config)?))),)*
                }
            }

            pub(super) fn loaded(&self) -> &dyn Loaded {
                match self { $($(#[$only])* Self::$Family(denoiser) => denoiser.as_ref(),)* }
            }

            pub(super) fn prepare(&self, conditioning: &AnyConditioning, told: &Told) -> Result<AnyPrepared, InferenceError> {
                match self {
                    $($(#[$only])* Self::$Family(denoiser) => {
                        let conditioning = Of::<$Family>::held(conditioning).ok_or(ANOTHER)?;
                        Ok(AnyPrepared::$Family(Box::new($Family::prepare(denoiser, conditioning, told)?)))
                    })*
                }
            }

            pub(super) fn predict(&self, rows: &[Row<&AnyPrepared>]) -> Result<Tensor, InferenceError> {
                match self {
                    $($(#[$only])* Self::$Family(denoiser) => {
                        let rows = rows.iter().map(|row| Of::<$Family>::held(row.prepared).map(|prepared| row.with(prepared)));
                        $Family::predict(denoiser, &rows.collect::<Option<Vec<_>>>().ok_or(ANOTHER)?)
                    })*
                }
            }
        }
    };
}

/// What is held for a family, if it is of that one.
trait Of<F> {
    type Held;

    fn held(&self) -> Option<&Self::Held>;
}

const ANOTHER: InferenceError = InferenceError::Internal { what: "a prompt was made ready for another family" };

families! {
    ZImage,
    StableDiffusion,
    #[cfg(test)]
    Toy,
}
