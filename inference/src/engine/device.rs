//! The device thread: loads the model, then takes tasks in and runs batches until the last handle is gone.

use std::{
    rc::Rc,
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, TryRecvError},
    },
};

use candle_core::{DType, Device};
use image::{GrayImage, RgbImage};
use tokio::sync::mpsc;

use super::{Counters, DeviceChoice, EngineConfig, Event, Meter, ModelInfo, Precision};
use crate::{
    batcher::Batcher,
    error::InferenceError,
    limits::Limits,
    model::Model,
    networks::Loaded,
    preview::PreviewMap,
    sampler::Sampler,
    schedule::{ScheduleConfig, ScheduleKind},
    task::{ImageSize, Task},
    trajectory::{Events, Facts, Job},
    upscale::srvgg::Upscaler,
};

/// A task for the device thread.
pub(super) struct Command {
    pub(super) task: Task,
    pub(super) source: Option<RgbImage>,
    pub(super) mask: Option<GrayImage>,
    pub(super) events: mpsc::Sender<Event>,
    pub(super) meter: Arc<Meter>,
}

/// What the handle needs to know about the loaded model.
pub(super) struct Ready {
    pub(super) info: ModelInfo,
    pub(super) limits: Limits,
}

/// The body of the thread.
pub(super) fn run(
    config: &EngineConfig,
    commands: &Receiver<Command>,
    ready: &SyncSender<Result<Ready, InferenceError>>,
    counters: Arc<Counters>,
) {
    let (networks, facts) = match load(config) {
        Ok((networks, facts, info)) => {
            let answer = Ready { info, limits: facts.limits.clone() };
            if ready.send(Ok(answer)).is_err() {
                return;
            }
            (networks, Rc::new(facts))
        }
        Err(error) => {
            let _ = ready.send(Err(error)); // Nobody waits: nothing to tell.
            return;
        }
    };
    let mut batcher = Batcher::new(networks, counters, config.max_batch_rows);
    loop {
        // Idle, the thread sleeps until a task comes; busy, it only looks.
        let command = if batcher.is_busy() { commands.try_recv() } else { commands.recv().map_err(|_| TryRecvError::Disconnected) };
        match command {
            Ok(Command { task, source, mask, events, meter }) => {
                let events = Events::new(events, task.n_images());
                batcher.start(Job { task, source, mask, facts: facts.clone(), events, meter });
            }
            Err(TryRecvError::Empty) => {
                batcher.turn();
            }
            Err(TryRecvError::Disconnected) => break,
        }
    }
    batcher.stop();
}

/// The networks and what is to be known about them.
pub(crate) fn load(config: &EngineConfig) -> Result<(Loaded, Facts, ModelInfo), InferenceError> {
    let device = open_device(config.device)?;
    let (dtype, type_name) = match (config.precision, config.device) {
        (Precision::F32, _) => (DType::F32, "f32"),
        (Precision::Bf16, DeviceChoice::Cuda(_)) => (DType::BF16, "bf16"),
        (Precision::F16, DeviceChoice::Cuda(_)) => (DType::F16, "f16"),
        (Precision::Bf16 | Precision::F16, DeviceChoice::Cpu) => (DType::F32, "f32"),
    };
    let entry = config.models.first().ok_or(InferenceError::NoModels)?;
    let schedule = ScheduleConfig::load(&entry.path.join("scheduler").join("scheduler_config.json"))?;
    let model = Model::load(&entry.path, &device, dtype)?;
    let upscaler = config.upscaler.as_deref().map(|file| Upscaler::load(file, &device)).transpose()?;
    let native_size = ImageSize::new(model.native_size() as u32, model.native_size() as u32);
    // Every level of the U-Net but the last halves the latents, and doubling them again must give the same size.
    let size_multiple = (model.vae_factor() << (model.config().unet.down.len() - 1)) as u32;
    let limits = Limits::new(native_size, size_multiple, upscaler.is_some(), schedule);
    let info = ModelInfo {
        name: entry.name.clone(),
        path: entry.path.clone(),
        sampler: Sampler::Ddim,
        schedule: ScheduleKind::Normal,
        native_size,
        size_multiple,
        even_multiple: size_multiple,
        max_side: limits.max_side,
        upscale_factor: upscaler.as_ref().map(Upscaler::factor),
        n_parameters: model.n_parameters(),
        device: match config.device {
            DeviceChoice::Cpu => format!("cpu ({type_name})"),
            DeviceChoice::Cuda(n) => format!("cuda:{n} ({type_name})"),
        },
    };
    let (latent_channels, vae_factor, scaling_factor) = (model.latent_channels(), model.vae_factor(), model.scaling_factor());
    let networks = Loaded { model, upscaler, device: device.clone() };
    let preview = PreviewMap::of_model(&networks, vae_factor, scaling_factor, latent_channels)?;
    let preview_every = config.preview_every;
    let facts = Facts { limits, latent_channels, vae_factor, scaling_factor, preview, preview_every, device };
    Ok((networks, facts, info))
}

#[cfg(feature = "cuda")]
fn open_device(choice: DeviceChoice) -> Result<Device, InferenceError> {
    match choice {
        DeviceChoice::Cpu => Ok(Device::Cpu),
        DeviceChoice::Cuda(n) => {
            Device::new_cuda(n).map_err(|error| InferenceError::Device { device: format!("cuda:{n}"), reason: error.to_string() })
        }
    }
}

#[cfg(not(feature = "cuda"))]
fn open_device(choice: DeviceChoice) -> Result<Device, InferenceError> {
    match choice {
        DeviceChoice::Cpu => Ok(Device::Cpu),
        DeviceChoice::Cuda(n) => {
            let reason = "this build has no CUDA; build with `--features cuda`".into();
            Err(InferenceError::Device { device: format!("cuda:{n}"), reason })
        }
    }
}
