//! The models that adapters are made for.

use std::fmt;

/// The models that an adapter was made for, as far as its names and shapes tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// Stable Diffusion 1.x.
    StableDiffusion1,
    /// Stable Diffusion 2.x.
    StableDiffusion2,
    /// Stable Diffusion XL.
    StableDiffusionXl,
    /// The refiner of Stable Diffusion XL.
    StableDiffusionXlRefiner,
    /// Z-Image and Z-Image-Turbo.
    ZImage,
    /// Other models without a U-Net.
    Transformer,
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::StableDiffusion1 => "Stable Diffusion 1.x",
            Self::StableDiffusion2 => "Stable Diffusion 2.x",
            Self::StableDiffusionXl => "Stable Diffusion XL",
            Self::StableDiffusionXlRefiner => "the Stable Diffusion XL refiner",
            Self::ZImage => "Z-Image",
            Self::Transformer => "a model without a U-Net (such as Flux or Stable Diffusion 3)",
        })
    }
}
