//! A model's files, of which each part is loaded alone.

use std::path::{Path, PathBuf};

use candle_core::{DType, Device};

use super::{Denoiser, Description, Rules, Text, contract::PartFiles, registry::AnyConfig};
use crate::{
    adapter::Base,
    checkpoint::{Checkpoint, OtherParts, unread, vae_weights},
    error::InferenceError,
    schedule::ScheduleConfig,
    vae::{Vae, VaeConfig},
};

/// What a model is loaded from.
#[derive(Clone, Default)]
pub struct ModelSource {
    /// A folder in the layout of diffusers, or a whole model in one safetensors file.
    pub path: PathBuf,
    /// Another autoencoder than the model's own: a safetensors file or a folder in the layout of diffusers.
    pub vae: Option<PathBuf>,
    /// Where the parts are that a file with a denoiser alone lacks.
    pub others: OtherParts,
}

impl<P: AsRef<Path> + ?Sized> From<&P> for ModelSource {
    fn from(path: &P) -> Self {
        Self { path: path.as_ref().to_owned(), ..Self::default() }
    }
}

impl From<&ModelSource> for ModelSource {
    fn from(source: &ModelSource) -> Self {
        source.clone()
    }
}

/// What a model of any family is, from its configuration and the headers of its files alone.
#[derive(Clone)]
pub struct ModelShape(AnyConfig);

impl ModelShape {
    /// Reads a model's configuration.
    ///
    /// # Errors
    /// `Missing`, `Unreadable` or `Unsupported`, naming the file and the key.
    pub fn read(checkpoint: &Checkpoint) -> Result<Self, InferenceError> {
        AnyConfig::read(checkpoint).map(Self)
    }

    /// What the model can be asked for.
    pub fn rules(&self) -> Rules {
        self.0.rules()
    }

    /// The same with the autoencoder that it is drawn with, the other one at this path if there is one; and how many numbers that one has.
    pub(crate) fn with_vae(self, checkpoint: &Checkpoint, other: Option<&Path>) -> Result<(Self, u64), InferenceError> {
        let Some(path) = other else {
            checkpoint.check_vae()?;
            let weights = checkpoint.weights("vae", &Device::Cpu, DType::F32)?;
            return Ok((self, unread::n_parameters(checkpoint, "vae", &weights)));
        };
        let (json, weights) = vae_weights(path, checkpoint, (&Device::Cpu, DType::F32))?;
        Ok((Self(self.0.with_vae(&json, path)?), unread::n_parameters_of_vae(&weights)))
    }

    /// What a catalogue says of the model beside its rules.
    pub(crate) fn describe(&self, checkpoint: &Checkpoint) -> Result<Description, InferenceError> {
        self.0.describe(checkpoint)
    }

    /// The autoencoder's shape.
    pub(crate) fn vae(&self) -> &VaeConfig {
        self.0.vae()
    }

    /// What the model was trained with: for drawing, and for inpainting.
    ///
    /// # Errors
    /// `Missing`, `Unreadable` or `Unsupported`, naming the file.
    pub fn schedules(&self, checkpoint: &Checkpoint) -> Result<(ScheduleConfig, ScheduleConfig), InferenceError> {
        self.0.schedules(checkpoint)
    }
}

/// A model's files, opened: each part is loaded from them alone, as often as it is wanted.
#[derive(Clone)]
pub struct ModelFiles {
    checkpoint: Checkpoint,
    shape: ModelShape,
    vae: Option<PathBuf>,
}

impl ModelFiles {
    /// Opens a model's files; every shape comes from its `config.json` files, or from the tensors of a single file.
    ///
    /// # Errors
    /// `Missing`, `Unreadable` or `Unsupported`, naming the file.
    pub fn open(source: impl Into<ModelSource>) -> Result<Self, InferenceError> {
        let ModelSource { path, vae, others } = source.into();
        let checkpoint = Checkpoint::open_with(&path, &others)?;
        let mut config = AnyConfig::read(&checkpoint)?;
        if let Some(path) = &vae {
            config = config.with_vae(&vae_weights(path, &checkpoint, (&Device::Cpu, DType::F32))?.0, path)?;
        }
        Ok(Self { checkpoint, shape: ModelShape(config), vae })
    }

    /// The folder or file.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// What the model is.
    pub fn shape(&self) -> &ModelShape {
        &self.shape
    }

    /// What adapters may change, from the files' headers alone.
    ///
    /// # Errors
    /// The family takes no adapters, or as [`text`](Self::text).
    pub fn base(&self) -> Result<Base, InferenceError> {
        self.shape.0.base(&self.checkpoint)
    }

    /// Loads the text encoders.
    ///
    /// # Errors
    /// `Missing`, `Unreadable`, `MissingTensor` or `WrongShape`, naming the file.
    pub fn text(&self, device: &Device, dtype: DType) -> Result<Text, InferenceError> {
        Text::load(self.part(device, dtype), &self.shape.0)
    }

    /// Loads the denoiser.
    ///
    /// # Errors
    /// As [`text`](Self::text); a tensor that the network does not know.
    pub fn denoiser(&self, device: &Device, dtype: DType) -> Result<Denoiser, InferenceError> {
        Denoiser::load(self.part(device, dtype), &self.shape.0)
    }

    /// Loads the autoencoder, in float32 where float16 is too narrow for it.
    ///
    /// # Errors
    /// As [`denoiser`](Self::denoiser).
    pub fn vae(&self, device: &Device, dtype: DType) -> Result<Vae, InferenceError> {
        vae(&self.checkpoint, (self.shape.0.vae(), self.vae.as_deref()), (device, dtype))
    }

    /// What to say, once all parts are loaded, of tensors that none of them read; `None` if there are none.
    pub fn unread(&self) -> Result<Option<String>, InferenceError> {
        unread_warning(&self.checkpoint, self.vae.is_some())
    }

    fn part<'a>(&'a self, device: &'a Device, dtype: DType) -> PartFiles<'a> {
        PartFiles { checkpoint: &self.checkpoint, device, dtype }
    }
}

/// The autoencoder of a checkpoint, or the other one at this path.
pub(crate) fn vae(
    checkpoint: &Checkpoint,
    (config, other): (&VaeConfig, Option<&Path>),
    (device, dtype): (&Device, DType),
) -> Result<Vae, InferenceError> {
    let weights = match other {
        Some(path) => vae_weights(path, checkpoint, (device, dtype))?.1,
        None => {
            checkpoint.check_vae()?;
            checkpoint.weights("vae", device, dtype)?
        }
    };
    let is_too_narrow = dtype == DType::F16 && config.force_upcast;
    let weights = weights.of_type(if is_too_narrow { DType::F32 } else { dtype });
    let vae = Vae::load(&weights, config)?;
    if other.is_none() {
        unread::check(checkpoint, "vae", &weights)?;
    }
    Ok(vae)
}

/// A single file's tensors are known as read whichever part is asked; a folder's are each part's own.
pub(crate) fn unread_warning(checkpoint: &Checkpoint, has_other_vae: bool) -> Result<Option<String>, InferenceError> {
    let Checkpoint::File(_) = checkpoint else { return Ok(None) };
    let weights = checkpoint.weights("unet", &Device::Cpu, DType::F32)?;
    Ok(unread::warning(checkpoint, &weights, has_other_vae))
}
