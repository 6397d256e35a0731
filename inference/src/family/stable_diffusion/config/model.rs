use std::path::Path;

use serde_json::Value;

use super::UnetConfig;
use crate::{
    checkpoint::{
        Checkpoint,
        json::{unreadable, unsupported},
    },
    error::InferenceError,
    ops::Activation,
    text::clip::ClipConfig,
    vae::VaeConfig,
};

/// The shapes of a model's networks, and what its pipeline says.
#[derive(Clone, Debug)]
pub struct ModelConfig {
    /// The first text encoder's; only the refiner has none.
    pub text_encoder: Option<ClipConfig>,
    /// The second text encoder's, which Stable Diffusion XL and its refiner have.
    pub text_encoder_2: Option<ClipConfig>,
    /// Width of the pooled prompt.
    pub pooled_width: usize,
    /// The U-Net's.
    pub unet: UnetConfig,
    /// The autoencoder's.
    pub vae: VaeConfig,
    /// Whether an absent negative prompt is zeros and not the empty prompt.
    pub zeroes_absent_negative: bool,
    /// Whether the sizes end with an aesthetic score and not with the target's size.
    pub takes_aesthetic_score: bool,
}

impl ModelConfig {
    /// Reads the `config.json` files and checks that they fit together.
    ///
    /// # Errors
    /// `Missing`, `Unreadable` or `Unsupported`, naming the file and the key.
    pub fn read(checkpoint: &Checkpoint) -> Result<Self, InferenceError> {
        let file = |part: &str| format!("{part}/config.json");
        let json = |part: &str| checkpoint.json(&file(part));
        let path = |part: &str| checkpoint.json_path(&file(part));
        let has_second = checkpoint.has("text_encoder_2");
        let text = |part: &str| ClipConfig::read(&json(part)?, &path(part));
        let has_first = checkpoint.has("text_encoder") || !has_second;
        let pooled_width =
            if has_second { json("text_encoder_2")?.get("projection_dim").and_then(Value::as_u64).unwrap_or(512) } else { 0 };
        let index = checkpoint.json("model_index.json")?;
        let flag = |key: &str, default: bool| index.get(key).and_then(Value::as_bool).unwrap_or(default);
        let config = Self {
            text_encoder: has_first.then(|| text("text_encoder")).transpose()?,
            text_encoder_2: has_second.then(|| text("text_encoder_2")).transpose()?,
            pooled_width: pooled_width as usize,
            unet: UnetConfig::read(&json("unet")?, &path("unet"))?,
            vae: VaeConfig::read(&json("vae")?, &path("vae"))?,
            zeroes_absent_negative: has_second && flag("force_zeros_for_empty_prompt", true),
            takes_aesthetic_score: has_second && flag("requires_aesthetics_score", false),
        };
        config.check(&path("unet"))?;
        Ok(config)
    }

    /// The same with another autoencoder, whose `config.json` has these values; `path` is its file or folder.
    ///
    /// # Errors
    /// `Unreadable` or `Unsupported`, naming the key.
    pub fn with_vae(self, json: &Value, path: &Path) -> Result<Self, InferenceError> {
        let factor = self.vae.factor();
        let config = Self { vae: VaeConfig::read(json, path)?, ..self };
        if config.vae.factor() != factor {
            let what = format!("an autoencoder with {} pixels a latent where the model's own has {factor}", config.vae.factor());
            return Err(unsupported(path, what));
        }
        config.check(path)?;
        Ok(config)
    }

    fn check(&self, path: &Path) -> Result<(), InferenceError> {
        let (unet, latent_channels) = (&self.unet, self.vae.latent_channels);
        let context_width: usize = [&self.text_encoder, &self.text_encoder_2].into_iter().flatten().map(|encoder| encoder.width).sum();
        if unet.in_channels == 2 * latent_channels {
            let what = format!("`in_channels` {}, a model that is told what to change in a picture (InstructPix2Pix),", unet.in_channels);
            return Err(unsupported(path, what));
        }
        for (key, found, expected) in [
            ("in_channels", unet.in_channels, if self.is_inpainting() { unet.in_channels } else { latent_channels }),
            ("out_channels", unet.out_channels, latent_channels),
            ("cross_attention_dim", unet.context_width, context_width),
        ] {
            if found != expected {
                return Err(unsupported(path, format!("`{key}` {found} where the other parts have {expected}")));
            }
        }
        match (&unet.added, &self.text_encoder_2) {
            (Some(added), Some(_)) if self.pooled_width + self.n_ids() * added.id_width == added.width && self.n_ids() > 0 => Ok(()),
            (Some(added), Some(_)) => {
                let what =
                    format!("`projection_class_embeddings_input_dim` is {} for a pooled prompt of {}", added.width, self.pooled_width);
                Err(unreadable(path, format!("{what} and sizes of {}", added.id_width)))
            }
            (Some(_), None) => Err(unsupported(path, "`addition_embed_type` \"text_time\" without `text_encoder_2`".to_owned())),
            (None, Some(_)) => Err(unsupported(path, "`text_encoder_2` beside `addition_embed_type` null".to_owned())),
            (None, None) => Ok(()),
        }
    }

    /// How many sizes the U-Net takes in.
    pub fn n_ids(&self) -> usize {
        self.unet.added.as_ref().map_or(0, |added| added.width.saturating_sub(self.pooled_width) / added.id_width)
    }

    /// Whether the U-Net takes in a mask and a masked picture beside the latents.
    pub fn is_inpainting(&self) -> bool {
        self.unet.in_channels == 2 * self.vae.latent_channels + 1
    }

    /// Whether OpenAI's CLIP is the only text encoder; OpenCLIP's have another activation.
    pub fn is_clip_alone(&self) -> bool {
        let is_clip = |encoder: &ClipConfig| matches!(encoder.activation, Activation::QuickGelu);
        self.text_encoder_2.is_none() && self.text_encoder.as_ref().is_some_and(is_clip)
    }

    /// Side in pixels that the model was trained at.
    pub fn native_size(&self) -> usize {
        self.unet.sample_size.unwrap_or(64) * self.vae.factor()
    }
}
