//! What the models of a family can be asked for, as data.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use crate::task::{ImageSize, Setting};

/// What a model can be asked for, from its configuration alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rules {
    /// The size that it was trained at.
    pub native_size: ImageSize,
    /// Widths and heights must be a multiple of this.
    pub size_multiple: u32,
    /// Widths and heights that every level of the network halves evenly are multiples of this; they suit it best.
    pub even_multiple: u32,
    /// Channels of the latents.
    pub latent_channels: usize,
    /// How many times smaller than pictures the latents are.
    pub vae_factor: usize,
    /// How prompt and negative prompt go together.
    pub guidance: GuidanceRule,
    /// Whether an absent negative prompt is a conditioning of zeros (`force_zeros_for_empty_prompt`) and not the empty prompt.
    pub zeroes_empty_negative: bool,
    /// Whether one text means another thing as the negative prompt (the refiner's aesthetic score).
    pub tells_negative_apart: bool,
    /// Whether the denoiser takes mask and masked picture as further channels.
    pub sees_mask: bool,
    /// Settings of tasks that it makes nothing of: whoever asks for one is told.
    pub unread: Vec<Setting>,
    /// What long prompts cost.
    pub prices: Prices,
    /// Whether OpenAI's CLIP is the only text encoder, as in Stable Diffusion 1; other programs leave out layers of no other.
    pub is_clip_alone: bool,
    /// What its makers draw with, where they say so.
    pub suited: Option<Suited>,
}

/// What the makers of a model draw with.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Suited {
    /// Denoising steps.
    pub steps: u32,
    /// Guidance scale.
    pub guidance_scale: f64,
}

/// What each further unit of a prompt's length costs beyond a prompt of one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prices {
    /// Share by which it makes a network row dearer, whatever the picture's size.
    pub share: f64,
    /// Row-megapixels that it adds to a network row, whatever the picture's size.
    pub row: f64,
    /// Row-megapixels for encoding it.
    pub encoding: f64,
}

impl Prices {
    /// What a network row of a picture costs, as a multiple of one with a prompt of one unit.
    pub(crate) fn row(self, megapixels: f64, length: usize) -> f64 {
        1.0 + length.saturating_sub(1) as f64 * (self.share + self.row / megapixels)
    }
}

impl Rules {
    /// Whether it makes something of a setting.
    pub fn reads(&self, setting: Setting) -> bool {
        !self.unread.contains(&setting)
    }

    /// `[1, c, h, w]` of the latents of a picture.
    pub fn latent_shape(&self, ImageSize { width, height }: ImageSize) -> [usize; 4] {
        [1, self.latent_channels, height as usize / self.vae_factor, width as usize / self.vae_factor]
    }
}

/// How prompt and negative prompt go together at a `guidance_scale`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuidanceRule {
    /// Two rows a step where the scale is above 1: negative + scale × (positive − negative). Ho and Salimans 2022, in the form of Imagen.
    #[default]
    AboveOne,
    /// Two rows a step where the scale is above 0: positive + scale × (positive − negative), as the paper has it.
    AboveZero,
    /// The scale is an input of the network, so one row a step does (latent consistency models).
    Input,
}

impl GuidanceRule {
    /// Whether a step takes two rows, and so the negative prompt counts.
    pub fn is_on(self, guidance_scale: f64) -> bool {
        match self {
            Self::AboveOne => guidance_scale > 1.0,
            Self::AboveZero => guidance_scale > 0.0,
            Self::Input => false,
        }
    }

    /// The scale that is as good as none, where guidance is of two rows.
    pub(crate) fn none(self) -> Option<f64> {
        match self {
            Self::AboveOne => Some(1.0),
            Self::AboveZero => Some(0.0),
            Self::Input => None,
        }
    }

    /// The network's output of the two rows as one.
    pub(crate) fn guided(self, negative: &Tensor, positive: &Tensor, guidance_scale: f64) -> candle_core::Result<Tensor> {
        let from = if self == Self::AboveZero { positive } else { negative };
        from + ((positive - negative)? * guidance_scale)?
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn each_rule_has_its_own_off_and_its_own_form() {
        let row = |value: f32| Tensor::new(&[value], &Device::Cpu).expect("a row");
        for (rule, scale, is_on, guided) in [
            (GuidanceRule::AboveOne, 0.0, false, 1.0),
            (GuidanceRule::AboveOne, 1.0, false, 3.0),
            (GuidanceRule::AboveOne, 1.5, true, 4.0),
            (GuidanceRule::AboveZero, 0.0, false, 3.0),
            (GuidanceRule::AboveZero, 0.5, true, 4.0),
            (GuidanceRule::AboveZero, 1.0, true, 5.0),
            (GuidanceRule::Input, 8.0, false, 17.0),
        ] {
            assert_eq!(rule.is_on(scale), is_on, "{rule:?} at {scale}");
            let found = rule.guided(&row(1.0), &row(3.0), scale).and_then(|row| row.to_vec1::<f32>()).expect("numbers");
            assert_eq!(found, [guided], "{rule:?} at {scale}");
        }
    }
}
