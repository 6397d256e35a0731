//! Times the engine: `cargo run --release -p atelier-inference --example time_engine -- MODEL_DIR [PICTURES] [STEPS] [UPSCALER]`.
//! Prints the seconds of one guided task, and what the VAE and the super-resolution cost in U-Net rows.
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::{path::PathBuf, sync::Arc, time::Instant};

use candle_core::{DType, Device, Tensor};
use futures::executor::block_on;
use inference::{
    catalogue::{CatalogueConfig, ModelEntry, Shelf},
    checkpoint::OtherParts,
    engine::{DeviceChoice, Engine, EngineConfig, Event, Precision, Submission},
    error::InferenceError,
    family::stable_diffusion::{Conditioning, Model},
    sampler::Sampler,
    schedule::ScheduleKind,
    task::{Seed, Task, TextToImage},
    upscale::Upscaler,
};

/// Seconds of the fastest of three runs.
fn fastest<T>(mut run: impl FnMut() -> Result<T, InferenceError>) -> Result<f64, InferenceError> {
    let mut seconds = f64::INFINITY;
    for _ in 0..3 {
        let begin = Instant::now();
        run()?;
        seconds = seconds.min(begin.elapsed().as_secs_f64());
    }
    Ok(seconds)
}

fn factors(folder: &std::path::Path, upscaler: Option<&PathBuf>, rows: usize) -> Result<(), InferenceError> {
    let model = Model::load(folder, &Device::Cpu, DType::F32)?;
    let (side, latent_side) = (model.native_size(), model.native_size() / model.vae_factor());
    let latents = Tensor::zeros((rows, model.latent_channels(), latent_side, latent_side), DType::F32, &Device::Cpu)?;
    let pixels = Tensor::zeros((1, 3, side, side), DType::F32, &Device::Cpu)?;
    let prompt = model.prepare(&Conditioning { context: model.encode_text(&[""])?, pooled: None }, &[])?;
    let row = fastest(|| model.predict(&latents, &vec![500.0; rows], &vec![&prompt; rows]))? / rows as f64;
    println!("U-Net row {:.1} ms (of {rows})", row * 1e3);
    println!("encode {:.2} rows", fastest(|| model.encode_image(&pixels))? / row);
    println!("decode {:.2} rows", fastest(|| model.decode(&latents))? / rows as f64 / row);
    if let Some(file) = upscaler {
        let upscaler = Upscaler::load(file, &Device::Cpu)?;
        println!("upscale {:.2} rows", fastest(|| upscaler.upscale(&pixels))? / row);
    }
    Ok(())
}

fn main() -> Result<(), InferenceError> {
    let mut arguments = std::env::args().skip(1);
    let model_dir = PathBuf::from(arguments.next().unwrap_or_else(|| "models/starter/model".into()));
    let mut number = |or: u32| arguments.next().and_then(|text| text.parse().ok()).unwrap_or(or);
    let (n_images, steps) = (number(4), number(25));
    let upscaler = arguments.next().map(PathBuf::from);
    factors(&model_dir, upscaler.as_ref(), 8)?;
    let (devices, precision) = (vec![DeviceChoice::Cpu], Precision::F32);
    let models = vec![ModelEntry { name: "model".into(), path: model_dir, vae: None, others: OtherParts::default(), prediction: None }];
    let shelf = Shelf::open(CatalogueConfig { models, upscaler, ..CatalogueConfig::default() })?;
    let native_size = shelf.catalogue().models()[0].native_size;
    let config = EngineConfig { memory_bytes: None, devices, precision, max_batch_rows: 8, preview_every: 0 };
    let engine = Engine::start(config, Arc::new(shelf))?;
    let task = Task::from(TextToImage {
        prompt: "a cat".into(),
        negative_prompt: None,
        size: native_size,
        steps,
        guidance_scale: 5.0,
        sampler: Sampler::Ddim,
        schedule: ScheduleKind::Normal,
        seed: Seed(1),
        n_images,
        ..TextToImage::default()
    });
    for _ in 0..3 {
        let begin = Instant::now();
        let mut handle = engine.submit(Submission::new(task.clone()))?;
        while let Some(event) = block_on(handle.next()) {
            if let Event::Failed(error) = event {
                return Err(InferenceError::Shared(error));
            }
        }
        let rate = engine.seconds_per_row_megapixel().unwrap_or_default();
        println!("{n_images} pictures, {steps} steps: {:.2} s, {rate:.2} s a row-megapixel", begin.elapsed().as_secs_f64());
    }
    Ok(())
}
