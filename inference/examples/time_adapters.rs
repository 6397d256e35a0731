//! Times a row of a U-Net of Stable Diffusion 1.5's shapes (all zeros; prompts as wide as the starter model's) without a LoRA and with one on every attention
//! and feed-forward layer: `cargo run -p atelier-inference --example time_adapters -- [SIDE OF THE LATENTS] [ROUNDS] [RANK…]`.
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::{collections::BTreeMap, fs, io::Write, path::Path, sync::Arc, time::Instant};

use candle_core::{DType, Device, Tensor};
use inference::{
    adapter::{Adapter, AdapterSet},
    error::InferenceError,
    family::{
        ModelFiles,
        stable_diffusion::{Conditioning, Model},
    },
};

type Error = Box<dyn std::error::Error>;

/// The modules that a LoRA is usually trained on.
const ENDS: [&str; 6] = ["to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj", "ff.net.2"];

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() { copy(&entry.path(), &to)? } else { fs::copy(entry.path(), to).map(drop)? }
    }
    Ok(())
}

/// A file of zeros, which takes no room on the disk.
fn write_zeros(path: &Path, shapes: &BTreeMap<String, Vec<usize>>) -> std::io::Result<()> {
    let mut end = 0;
    let entries = shapes.iter().map(|(name, shape)| {
        let start = end;
        end += shape.iter().product::<usize>() * 2;
        format!(r#""{name}":{{"dtype":"F16","shape":{shape:?},"data_offsets":[{start},{end}]}}"#)
    });
    let header = format!("{{{}}}", entries.collect::<Vec<_>>().join(","));
    let mut file = fs::File::create(path)?;
    file.write_all(&(header.len() as u64).to_le_bytes())?;
    file.write_all(header.as_bytes())?;
    file.set_len((8 + header.len() + end) as u64)
}

/// The built-in model with a U-Net of Stable Diffusion 1.5's shapes, and the shapes of its tensors.
fn write_model(folder: &Path) -> Result<BTreeMap<String, Vec<usize>>, Error> {
    copy(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../models/starter/model")), folder)?;
    let (config, weights) = (folder.join("unet/config.json"), folder.join("unet/diffusion_pytorch_model.safetensors"));
    let mut json: serde_json::Value = serde_json::from_slice(&fs::read(&config)?)?;
    let (down, up) = (["CrossAttnDownBlock2D"; 3], ["CrossAttnUpBlock2D"; 3]);
    json["block_out_channels"] = serde_json::json!([320, 640, 1280, 1280]);
    json["down_block_types"] = serde_json::json!([down[0], down[1], down[2], "DownBlock2D"]);
    json["up_block_types"] = serde_json::json!(["UpBlock2D", up[0], up[1], up[2]]);
    json["attention_head_dim"] = 8.into();
    json["cross_attention_dim"] = 192.into();
    json["layers_per_block"] = 2.into();
    fs::write(&config, json.to_string())?;
    let mut shapes = BTreeMap::from([("conv_in.weight".to_owned(), vec![1])]);
    loop {
        write_zeros(&weights, &shapes)?;
        match ModelFiles::open(folder)?.base() {
            Ok(_) => return Ok(shapes),
            Err(InferenceError::MissingTensor { tensor, .. }) => shapes.insert(tensor, vec![1]),
            Err(InferenceError::WrongShape { tensor, expected, .. }) => shapes.insert(tensor, expected),
            Err(other) => return Err(other.into()),
        };
    }
}

fn write_lora(path: &Path, shapes: &BTreeMap<String, Vec<usize>>, rank: usize) -> Result<(), Error> {
    let mut tensors = std::collections::HashMap::new();
    for (name, shape) in shapes {
        let Some(module) = name.strip_suffix(".weight").filter(|module| ENDS.iter().any(|end| module.ends_with(end))) else { continue };
        let random = |shape: (usize, usize)| Tensor::randn(0f32, 0.02, shape, &Device::Cpu);
        tensors.insert(format!("unet.{module}.lora_A.weight"), random((rank, shape[1]))?);
        tensors.insert(format!("unet.{module}.lora_B.weight"), random((shape[0], rank))?);
    }
    Ok(candle_core::safetensors::save(&tensors, path)?)
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn main() -> Result<(), Error> {
    let numbers = std::env::args().skip(1).map(|text| text.parse()).collect::<Result<Vec<usize>, _>>()?;
    let (side, n_rounds) = (numbers.first().copied().unwrap_or(64), numbers.get(1).copied().unwrap_or(9));
    let ranks = numbers.get(2..).filter(|ranks| !ranks.is_empty()).unwrap_or(&[16, 128]);
    let folder = tempfile::tempdir()?;
    let shapes = write_model(folder.path())?;
    let model = Model::load(folder.path(), &Device::Cpu, DType::F32)?;
    let base = Arc::new(model.base()?);
    let mut sets = vec![("no LoRA".to_owned(), AdapterSet::default())];
    for rank in ranks {
        let path = folder.path().join(format!("{rank}.safetensors"));
        write_lora(&path, &shapes, *rank)?;
        let adapter = Arc::new(Adapter::load(&path, &base, &Device::Cpu, DType::F32)?);
        println!("rank {rank}: {} modules, {:.1} MB", adapter.report().n_applied, adapter.n_bytes() as f64 / 1e6);
        let begin = Instant::now();
        let set = AdapterSet::new(vec![(adapter, 0.8.into())])?;
        println!("  a set of it takes {:.2} ms and {} bytes", begin.elapsed().as_secs_f64() * 1e3, set.n_bytes());
        sets.push((format!("rank {rank}"), set));
    }
    let context = Tensor::randn(0f32, 1.0, (1, 77, 192), &Device::Cpu)?;
    let latents = Tensor::randn(0f32, 1.0, (1, 4, side, side), &Device::Cpu)?;
    let conditioning = Conditioning { context, pooled: None };
    let prompts = sets.iter().map(|(_, set)| model.prepare_with(&conditioning, &[], set)).collect::<Result<Vec<_>, _>>()?;
    let mut times = vec![Vec::new(); sets.len()];
    for round in 0..=n_rounds {
        for (i, (_, set)) in sets.iter().enumerate() {
            let begin = Instant::now();
            model.predict_with(&latents, &[500.0], &[&prompts[i]], &[set])?;
            // The first round warms up.
            if round > 0 {
                times[i].push(begin.elapsed().as_secs_f64());
            }
        }
    }
    let without = median(&mut times[0].clone());
    for ((name, _), times) in sets.iter().zip(&mut times) {
        let median = median(times);
        println!("{name}: median {median:.3} s of {n_rounds} rounds, {:.3} × without", median / without);
    }
    Ok(())
}
