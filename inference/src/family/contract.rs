//! What a family of models says and does; its folder implements it, and `families!` lists it.

use std::{path::Path, rc::Rc};

use candle_core::{DType, Device, Tensor};
use serde_json::Value;

use super::{AttentionMaps, Description, Drift, Rules};
use crate::{
    adapter::{AdapterSet, Base},
    checkpoint::{Checkpoint, Weights, json::unsupported},
    error::InferenceError,
    ops::Padding,
    schedule::ScheduleConfig,
    task::{ImageSize, Setting},
    text::{Embedding, WordPlace},
    vae::VaeConfig,
};

/// A family: its types, and what its text encoders and its denoiser do. Its autoencoder is [`crate::vae::Vae`].
pub(crate) trait Family {
    /// Shapes of a model's networks, from configurations and headers alone.
    type Config: Clone + Send + Sync;
    /// The text encoders.
    type Text: Loaded;
    /// What they make of a prompt.
    type Conditioning: Measured;
    /// The network that tells noise from picture.
    type Denoiser: Loaded;
    /// What that network needs of a prompt at every step, computed once.
    type Prepared: Send + Sync;

    /// Whether these files are a model of the family.
    fn knows(checkpoint: &Checkpoint) -> bool;

    /// Reads a model's configuration.
    fn read(checkpoint: &Checkpoint) -> Result<Self::Config, InferenceError>;

    /// The same with another autoencoder, whose `config.json` has these values; `path` is its file or folder.
    fn with_vae(config: Self::Config, json: &Value, path: &Path) -> Result<Self::Config, InferenceError>;

    /// The autoencoder's shape.
    fn vae(config: &Self::Config) -> &VaeConfig;

    /// What a model can be asked for.
    fn rules(config: &Self::Config) -> Rules;

    /// Whether a model makes something of a setting. Who asks for one that it does not read is told; a family says so of every setting.
    fn reads(config: &Self::Config, setting: Setting) -> bool;

    /// What a catalogue says of a model, for which nothing but headers is read.
    fn describe(checkpoint: &Checkpoint, config: &Self::Config) -> Result<Description, InferenceError>;

    /// What a model was trained with: for drawing, and for inpainting.
    fn schedules(checkpoint: &Checkpoint) -> Result<(ScheduleConfig, ScheduleConfig), InferenceError>;

    /// What adapters may change of a model.
    fn base(checkpoint: &Checkpoint, config: &Self::Config) -> Result<Base, InferenceError> {
        let _ = config;
        Err(unsupported(checkpoint.path(), "an adapter for a model of this family".to_owned()))
    }

    /// Loads the text encoders alone.
    fn load_text(files: PartFiles<'_>, config: &Self::Config) -> Result<Self::Text, InferenceError>;

    /// Loads the denoiser alone.
    fn load_denoiser(files: PartFiles<'_>, config: &Self::Config) -> Result<Self::Denoiser, InferenceError>;

    /// Makes a learned word known to the text encoders.
    fn learn(text: &mut Self::Text, word: &Embedding) -> Result<(), InferenceError> {
        let _ = text;
        Err(unsupported(word.path(), "a learned word for a model of this family".to_owned()))
    }

    /// How long a prompt is, in the family's own unit: what [`PromptRequest::length`] counts.
    fn length(text: &Self::Text, prompt: &str) -> Result<usize, InferenceError>;

    /// Where a prompt's words stand in what the denoiser looks at; none in families whose denoisers keep no [`AttentionMaps`].
    fn words(text: &Self::Text, prompt: &str) -> Result<Vec<WordPlace>, InferenceError> {
        let _ = (text, prompt);
        Ok(Vec::new())
    }

    /// Encodes a prompt.
    fn encode(text: &Self::Text, request: &PromptRequest) -> Result<Self::Conditioning, InferenceError>;

    /// Computes what every step needs of a prompt.
    fn prepare(denoiser: &Self::Denoiser, conditioning: &Self::Conditioning, told: &Told) -> Result<Self::Prepared, InferenceError>;

    /// The network's raw output `[n, c, h, w]`, as the family's schedule takes it, of rows with equal shapes. A row's numbers must not depend on the others.
    fn predict(denoiser: &Self::Denoiser, rows: &[Row<&Self::Prepared>]) -> Result<Tensor, InferenceError>;
}

/// A part in memory.
pub(crate) trait Loaded: Send + Sync {
    /// Numbers in all its weights.
    fn n_parameters(&self) -> u64;

    /// Type of its weights.
    fn dtype(&self) -> DType;
}

/// What a prompt became.
pub(crate) trait Measured: Send + Sync {
    /// Rows with the same shape may go through the denoiser together.
    fn shape(&self) -> Vec<usize>;

    /// Bytes of its numbers.
    fn n_bytes(&self) -> usize;
}

/// A prompt to encode, once for all steps of a pass.
#[derive(Clone, Debug, PartialEq)]
pub struct PromptRequest {
    /// The text; `None` is a conditioning of zeros.
    pub text: Option<String>,
    /// Whether `::` parts the text ([`crate::text::parts`]), for families that read [`Setting::Parts`]. Each part is encoded alone, and what they became
    /// is added up by their shares.
    pub has_parts: bool,
    /// Layers of the text encoder left out beyond the model's own rule.
    pub clip_skip: u32,
    /// Least length, in the family's own unit: of the longer one of prompt and negative prompt, for families that fill the shorter one up.
    pub length: usize,
    /// Adapters that change the text encoders.
    pub adapters: AdapterSet,
}

/// What the denoiser is told of a picture beside its prompt.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// The picture's size.
    pub size: ImageSize,
    /// Whether the prompt is the negative one.
    pub is_negative: bool,
    /// How much more than the negative prompt the prompt counts, for networks that take it in.
    pub guidance_scale: f64,
    /// Adapters that change the denoiser.
    pub adapters: AdapterSet,
    /// Changes of what the prompt became, for families that read [`Setting::Chaos`] and [`Setting::Weird`].
    pub drifts: Vec<Drift>,
}

/// One row for a denoiser.
#[derive(Clone)]
pub(crate) struct Row<Prepared> {
    /// What the network takes in, `[1, c, h, w]`.
    pub(crate) latents: Tensor,
    /// Training timestep.
    pub(crate) timestep: f64,
    /// The prompt.
    pub(crate) prepared: Prepared,
    /// Adapters that change the network for this row alone.
    pub(crate) adapters: AdapterSet,
    /// What lies beyond the picture's edges; rows of one batch have the same.
    pub(crate) padding: Padding,
    /// Who notes what the network looks at for this row; it changes no number.
    pub(crate) maps: Option<Rc<AttentionMaps>>,
}

impl<Prepared> Row<Prepared> {
    /// The same row with another view of its prompt.
    pub(crate) fn with<Other>(&self, prepared: Other) -> Row<Other> {
        let Self { latents, timestep, adapters, padding, maps, .. } = self;
        let (latents, adapters, maps) = (latents.clone(), adapters.clone(), maps.clone());
        Row { latents, timestep: *timestep, prepared, adapters, padding: *padding, maps }
    }
}

/// Where a part is loaded from and where to.
#[derive(Clone, Copy)]
pub(crate) struct PartFiles<'a> {
    pub(crate) checkpoint: &'a Checkpoint,
    pub(crate) device: &'a Device,
    pub(crate) dtype: DType,
}

impl PartFiles<'_> {
    /// The weights of a part by its name in diffusers' folders.
    pub(crate) fn weights(&self, name: &str) -> Result<Weights, InferenceError> {
        self.checkpoint.weights(name, self.device, self.dtype)
    }
}
