//! What files are for, and which models they belong to.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    /// A folder in the layout of diffusers.
    Model,
    /// A whole model in one file.
    SingleFile,
    /// A U-Net alone.
    Unet,
    /// A transformer that draws, alone.
    Transformer,
    /// An autoencoder alone.
    Vae,
    /// A text encoder alone.
    TextEncoder,
    /// LoRA and its kin.
    Lora,
    /// A textual inversion.
    TextualInversion,
    /// A super-resolution network.
    Upscaler,
    /// A tiny autoencoder.
    Taesd,
    /// A ControlNet.
    ControlNet,
    /// Something else.
    Unknown,
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Model => "a model folder",
            Self::SingleFile => "a whole model in one file",
            Self::Unet => "a U-Net alone",
            Self::Transformer => "a transformer alone",
            Self::Vae => "a VAE alone",
            Self::TextEncoder => "a text encoder alone",
            Self::Lora => "a LoRA",
            Self::TextualInversion => "a textual inversion",
            Self::Upscaler => "an upscaler",
            Self::Taesd => "a tiny VAE",
            Self::ControlNet => "a ControlNet",
            Self::Unknown => "an unknown file",
        })
    }
}

/// Models that share their networks' shapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Stable Diffusion 1.x.
    StableDiffusion1,
    /// Stable Diffusion 2.x.
    StableDiffusion2,
    /// Stable Diffusion XL.
    StableDiffusionXl,
    /// The refiner of Stable Diffusion XL.
    StableDiffusionXlRefiner,
    /// Z-Image.
    ZImage,
    /// Another transformer: FLUX, Lumina 2, Stable Diffusion 3.
    Transformer,
}

impl Family {
    /// Whether a U-Net draws its pictures.
    pub fn has_unet(self) -> bool {
        !matches!(self, Self::ZImage | Self::Transformer)
    }

    /// Whether what was made for this family certainly changes nothing of a model of that one. Between U-Nets headers can be mistaken: loading tells more.
    pub fn is_apart_from(self, model: Self) -> bool {
        self != model && !(self.has_unet() && model.has_unet())
    }

    /// The family whose U-Net looks at prompts of this width.
    pub(super) fn of_context(width: usize) -> Option<Self> {
        match width {
            768 => Some(Self::StableDiffusion1),
            1024 => Some(Self::StableDiffusion2),
            2048 => Some(Self::StableDiffusionXl),
            1280 => Some(Self::StableDiffusionXlRefiner),
            _ => None,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::StableDiffusion1 => "Stable Diffusion 1",
            Self::StableDiffusion2 => "Stable Diffusion 2",
            Self::StableDiffusionXl => "Stable Diffusion XL",
            Self::StableDiffusionXlRefiner => "Stable Diffusion XL refiner",
            Self::ZImage => "Z-Image",
            Self::Transformer => "another transformer (such as FLUX or Lumina 2)",
        })
    }
}
