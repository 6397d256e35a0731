//! A family of a few lines, whose answers are known, for tests of what every family goes through.

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use candle_core::{DType, Tensor};
use serde_json::Value;

use super::{
    Description, GuidanceRule, Prices, Rules,
    contract::{Family, Loaded, Measured, PartFiles, PromptRequest, Row, Told},
};
use crate::{
    checkpoint::Checkpoint,
    error::{InferenceError, InvalidTask},
    schedule::ScheduleConfig,
    task::{ImageSize, Setting},
    vae::VaeConfig,
};

/// Every call: its kind and its rows' shape.
pub(crate) type Log = Arc<Mutex<Vec<(&'static str, Vec<usize>)>>>;

/// Answers each row from that row alone. A prompt's first letter is its embedding; `!` breaks, `?` gives not-a-number, `+` does where a row's first
/// number is above zero, `#` panics, `/` answers a row too few.
pub(crate) struct Toy;

#[derive(Default)]
pub(crate) struct ToyText {
    pub(crate) log: Log,
    pub(crate) requests: Arc<Mutex<Vec<PromptRequest>>>,
}

#[derive(Default)]
pub(crate) struct ToyDenoiser {
    pub(crate) log: Log,
}

#[derive(Default)]
pub(crate) struct ToyVae {
    pub(crate) log: Log,
}

pub(crate) struct Letter {
    letter: u8,
    length: usize,
}

const NO_FILES: InferenceError = InferenceError::Internal { what: "the toy has no files" };

/// What the toy can be asked for.
pub(crate) fn rules() -> Rules {
    Rules {
        native_size: ImageSize::new(8, 8),
        size_multiple: ToyVae::FACTOR as u32,
        even_multiple: ToyVae::FACTOR as u32,
        latent_channels: ToyVae::CHANNELS,
        vae_factor: ToyVae::FACTOR,
        guidance: GuidanceRule::AboveOne,
        zeroes_empty_negative: false,
        tells_negative_apart: false,
        sees_mask: false,
        unread: Vec::new(),
        prices: Prices { share: 0.022, row: 0.001, encoding: 0.005 },
        is_clip_alone: false,
        suited: None,
    }
}

impl Family for Toy {
    type Config = VaeConfig;
    type Text = ToyText;
    type Conditioning = Letter;
    type Denoiser = ToyDenoiser;
    type Prepared = u8;

    fn knows(_: &Checkpoint) -> bool {
        false
    }

    fn read(_: &Checkpoint) -> Result<VaeConfig, InferenceError> {
        Err(NO_FILES)
    }

    fn with_vae(_: VaeConfig, _: &Value, _: &Path) -> Result<VaeConfig, InferenceError> {
        Err(NO_FILES)
    }

    fn vae(config: &VaeConfig) -> &VaeConfig {
        config
    }

    fn rules(_: &VaeConfig) -> Rules {
        rules()
    }

    fn reads(_: &VaeConfig, _: Setting) -> bool {
        true
    }

    fn describe(_: &Checkpoint, _: &VaeConfig) -> Result<Description, InferenceError> {
        Err(NO_FILES)
    }

    fn schedules(_: &Checkpoint) -> Result<(ScheduleConfig, ScheduleConfig), InferenceError> {
        Err(NO_FILES)
    }

    fn load_text(_: PartFiles<'_>, _: &VaeConfig) -> Result<ToyText, InferenceError> {
        Err(NO_FILES)
    }

    fn load_denoiser(_: PartFiles<'_>, _: &VaeConfig) -> Result<ToyDenoiser, InferenceError> {
        Err(NO_FILES)
    }

    fn length(_: &ToyText, prompt: &str) -> Result<usize, InferenceError> {
        Ok(1 + prompt.len() / 75)
    }

    fn encode(text: &ToyText, request: &PromptRequest) -> Result<Letter, InferenceError> {
        note(&text.log, "prompt", &[1]);
        text.requests.lock().expect("no test panics with it").push(request.clone());
        let letter = request.text.as_ref().and_then(|text| text.bytes().next()).unwrap_or_default();
        Ok(Letter { letter, length: request.length })
    }

    fn prepare(_: &ToyDenoiser, conditioning: &Letter, _: &Told) -> Result<u8, InferenceError> {
        Ok(conditioning.letter)
    }

    fn predict(denoiser: &ToyDenoiser, rows: &[Row<&u8>]) -> Result<Tensor, InferenceError> {
        let mut shape = rows[0].latents.dims().to_vec();
        shape[0] = rows.len();
        note(&denoiser.log, "predict", &shape);
        let has = |letter: u8| rows.iter().any(|row| *row.prepared == letter);
        assert!(!has(b'#'), "a letter that no network can bear");
        if has(b'!') {
            return Err(InvalidTask::NoUpscaler.into());
        }
        let answers = rows.iter().skip(usize::from(has(b'/') && rows.len() > 1)).map(|row| {
            let is_positive = row.latents.flatten_all()?.get(0)?.to_scalar::<f32>()? > 0.0;
            let breaks = *row.prepared == b'?' || (*row.prepared == b'+' && is_positive);
            let shift = if breaks { f64::NAN } else { f64::from(*row.prepared) / 1000.0 + row.timestep / 1e4 };
            Ok(row.latents.narrow(1, 0, ToyVae::CHANNELS)?.affine(0.1, shift)?)
        });
        Ok(Tensor::cat(&answers.collect::<Result<Vec<_>, InferenceError>>()?, 0)?)
    }
}

impl ToyVae {
    pub(crate) const CHANNELS: usize = 3;
    pub(crate) const FACTOR: usize = 2;

    pub(crate) fn encode(&self, pixels: &Tensor) -> candle_core::Result<(Tensor, Tensor)> {
        let mean = pixels.avg_pool2d(Self::FACTOR)?;
        Ok((mean.clone(), mean.zeros_like()?))
    }

    pub(crate) fn decode(&self, latents: &Tensor) -> candle_core::Result<Tensor> {
        note(&self.log, "decode", latents.dims());
        let (_, _, height, width) = latents.dims4()?;
        latents.upsample_nearest2d(height * Self::FACTOR, width * Self::FACTOR)
    }
}

impl Loaded for ToyText {
    fn n_parameters(&self) -> u64 {
        0
    }

    fn dtype(&self) -> DType {
        DType::F32
    }
}

impl Loaded for ToyDenoiser {
    fn n_parameters(&self) -> u64 {
        0
    }

    fn dtype(&self) -> DType {
        DType::F32
    }
}

impl Measured for Letter {
    fn shape(&self) -> Vec<usize> {
        vec![77 * self.length]
    }

    fn n_bytes(&self) -> usize {
        1
    }
}

fn note(log: &Log, kind: &'static str, shape: &[usize]) {
    log.lock().expect("no test panics with it").push((kind, shape.to_vec()));
}
