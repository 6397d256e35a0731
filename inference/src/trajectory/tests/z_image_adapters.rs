//! Adapters of a Z-Image: what they draw beside what plain products make of the weights, under every system of names in use, and what jobs share.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use candle_core::{DType, Device, Tensor, safetensors};

use super::{
    adapters::{Bench, draw, psnr},
    relative_distance,
};
use crate::{
    catalogue::NamedFile,
    checkpoint::{Checkpoint, Layer},
    family::ModelFiles,
    noise::TorchGenerator,
    sampler::Sampler,
    task::{AdapterUse, ImageSize, Seed, Task, TextToImage},
};

const RANK: usize = 2;
const TRANSFORMER: &str = "transformer/diffusion_pytorch_model.safetensors";

/// A system of names: what stands before a module's path, whether dots are underscores, and the ends of the two matrices.
type System = (&'static str, &'static str, bool, [&'static str; 2]);

const SYSTEMS: [System; 6] = [
    ("diffusers", "transformer.", false, [".lora_A.weight", ".lora_B.weight"]),
    ("peft", "base_model.model.transformer.", false, [".lora_A.default.weight", ".lora_B.default.weight"]),
    ("comfy", "diffusion_model.", false, [".lora_A.weight", ".lora_B.weight"]),
    ("kohya", "lora_unet_", true, [".lora_down.weight", ".lora_up.weight"]),
    ("nameless", "lora_unet__", true, [".lora_down.weight", ".lora_up.weight"]),
    ("lycoris", "lycoris_", true, [".lora_down.weight", ".lora_up.weight"]),
];

/// Modules of every kind, as diffusers names them.
const MODULES: [&str; 9] = [
    "layers.0.attention.to_q",
    "layers.1.attention.to_v",
    "layers.0.attention.to_out.0",
    "layers.1.feed_forward.w2",
    "layers.0.adaLN_modulation.0",
    "noise_refiner.0.feed_forward.w3",
    "context_refiner.0.attention.to_k",
    "cap_embedder.1",
    "all_final_layer.2-1.linear",
];

/// Modules as single files have them, and which of diffusers' stand in one, in the order of their rows.
const FUSED: [(&str, &[&str]); 4] = [
    ("layers.0.attention.qkv", &["layers.0.attention.to_q", "layers.0.attention.to_k", "layers.0.attention.to_v"]),
    ("context_refiner.0.attention.out", &["context_refiner.0.attention.to_out.0"]),
    ("x_embedder", &["all_x_embedder.2-1"]),
    ("final_layer.adaLN_modulation.1", &["all_final_layer.2-1.adaLN_modulation.1"]),
];

/// An adapter's file and what it adds to each module's weight.
struct File {
    tensors: HashMap<String, Tensor>,
    added: HashMap<&'static str, Tensor>,
}

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/z_image")
}

fn weights() -> HashMap<String, Tensor> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    super::families::models::write_some(&data(), folder.path(), &["turbo"]);
    safetensors::load(folder.path().join("models/turbo").join(TRANSFORMER), &Device::Cpu).expect("the transformer")
}

fn random(noise: &mut TorchGenerator, shape: &[usize], scale: f64) -> Tensor {
    let values = noise.randn(shape.iter().product());
    Tensor::from_vec(values, shape, &Device::Cpu).and_then(|values| values * scale).expect("numbers")
}

/// An adapter of low rank under a system of names; with an alpha of three times its rank where names are kohya's.
fn low_rank((name, prefix, is_joined, ends): System, weights: &HashMap<String, Tensor>, is_fused: bool) -> File {
    let mut noise = TorchGenerator::new(name.len() as u64 + 100 * u64::from(is_fused));
    let mut file = File { tensors: HashMap::new(), added: HashMap::new() };
    let plain = MODULES.iter().map(|module| (*module, std::slice::from_ref(module)));
    let modules: Vec<(&str, &[&'static str])> = if is_fused { FUSED.to_vec() } else { plain.collect() };
    for (module, parts) in modules {
        let (rows, columns) = weights[&format!("{}.weight", parts[0])].dims2().expect("a matrix");
        let (down, up) = (random(&mut noise, &[RANK, columns], 0.2), random(&mut noise, &[rows * parts.len(), RANK], 0.2));
        let stem = if is_joined { format!("{prefix}{}", module.replace('.', "_")) } else { format!("{prefix}{module}") };
        let factor = if is_joined { 3.0 } else { 1.0 };
        if is_joined {
            let alpha = Tensor::new(factor as f32 * RANK as f32, &Device::Cpu).expect("a number");
            file.tensors.insert(format!("{stem}.alpha"), alpha);
        }
        let product = (up.matmul(&down).expect("a product") * factor).expect("a product");
        for (i, part) in parts.iter().enumerate() {
            file.added.insert(part, product.narrow(0, i * rows, rows).expect("rows"));
        }
        file.tensors.insert(format!("{stem}{}", ends[0]), down);
        file.tensors.insert(format!("{stem}{}", ends[1]), up);
    }
    file
}

/// Kronecker products, of which sets make layers: one number for each of queries, keys and values times one matrix.
fn kronecker() -> File {
    let mut noise = TorchGenerator::new(7);
    let (factors, matrix) = (random(&mut noise, &[3, 1], 0.5), random(&mut noise, &[32, 32], 0.2));
    let (stem, parts) = FUSED[0];
    let of_part = |i: usize| factors.get(i).and_then(|row| row.get(0)?.to_scalar::<f32>()).expect("a number");
    let added = parts.iter().enumerate().map(|(i, part)| (*part, (&matrix * f64::from(of_part(i))).expect("a matrix"))).collect();
    let tensors = [("lokr_w1", factors), ("lokr_w2", matrix)];
    File { tensors: tensors.map(|(end, tensor)| (format!("diffusion_model.{stem}.{end}"), tensor)).into(), added }
}

fn files() -> Vec<(String, File)> {
    let weights = weights();
    let of_system = |is_fused: bool| {
        let weights = &weights;
        SYSTEMS
            .into_iter()
            .map(move |system| (format!("{}{}", system.0, if is_fused { "_fused" } else { "" }), low_rank(system, weights, is_fused)))
    };
    of_system(false).chain(of_system(true)).chain([("lokr".to_owned(), kronecker())]).collect()
}

/// A bench with all of them.
fn bench(files: &[(String, File)], folder: &Path) -> Bench {
    let adapters = files.iter().map(|(name, file)| {
        let path = folder.join(format!("{name}.safetensors"));
        safetensors::save(&file.tensors, &path).expect("a file");
        NamedFile { name: name.clone(), path }
    });
    Bench::of(&data(), "turbo", adapters.collect(), |_| {})
}

fn task(adapters: &[(&str, f64)], seed: u64) -> Task {
    Task::from(TextToImage {
        prompt: "a red fox".into(),
        size: ImageSize::new(48, 32),
        steps: 3,
        guidance_scale: 1.5,
        sampler: Sampler::Euler,
        seed: Seed(seed),
        adapters: adapters.iter().map(|(name, weight)| AdapterUse::new(*name, *weight)).collect(),
        ..TextToImage::default()
    })
}

#[test]
fn an_adapter_draws_what_plainly_merged_weights_draw_under_every_name() {
    let (files, folder) = (files(), tempfile::tempdir().expect("a temporary folder"));
    let mut live = bench(&files, folder.path());
    let plain = live.latents(task(&[], 1));
    for (name, file) in &files {
        let merge = |model: &Path| {
            let path = model.join(TRANSFORMER);
            let mut tensors = safetensors::load(&path, &Device::Cpu).expect("the transformer");
            for (module, added) in &file.added {
                let weight = tensors.get_mut(&format!("{module}.weight")).expect(module);
                *weight = (&*weight + (added * 0.8).expect("a change")).expect("a sum");
            }
            safetensors::save(&tensors, &path).expect("a file");
        };
        let mut merged = Bench::of(&data(), "turbo", Vec::new(), merge);
        let used = task(&[(name, 0.8)], 1);
        let (of_live, of_merged) = (live.latents(used.clone()), merged.latents(task(&[], 1)));
        let distance = relative_distance(&of_live, &of_merged).expect("a distance");
        assert!(distance < 1e-4, "{name}: {distance:.1e}");
        let change = relative_distance(&of_live, &plain).expect("a distance");
        assert!(change > 100.0 * distance && change > 1e-3, "{name} changes latents by {change:.1e}");
        let psnr = psnr(&draw(&mut live, &[used]).0[0], &draw(&mut merged, &[task(&[], 1)]).0[0]);
        assert!(psnr >= 60.0, "{name}: {psnr:.1} dB");
    }
}

#[test]
fn jobs_with_different_adapters_of_a_z_image_share_batches_and_draw_as_each_alone() {
    let (files, folder) = (files(), tempfile::tempdir().expect("a temporary folder"));
    let mut bench = bench(&files, folder.path());
    let tasks = [
        task(&[], 1),
        task(&[("diffusers", 0.8)], 1),
        task(&[("diffusers", 0.5)], 1),
        task(&[("comfy_fused", 1.0)], 1),
        task(&[("comfy_fused", 1.0), ("kohya", 0.3)], 1),
        task(&[("lokr", 0.8)], 1),
        task(&[("lokr", 0.8), ("diffusers", 0.8)], 2),
    ];
    let (mut alone, mut n_calls) = (Vec::new(), Vec::new());
    for task in &tasks {
        let (pictures, n) = draw(&mut bench, std::slice::from_ref(task));
        alone.extend(pictures);
        n_calls.push(n);
    }
    for (i, picture) in alone.iter().enumerate() {
        assert!(!alone[..i].contains(picture), "the picture of task {i} is another's");
    }
    assert_eq!(n_calls, vec![3; tasks.len()], "a call for each step");
    let (together, n) = draw(&mut bench, &tasks);
    assert_eq!(n, 3, "all rows go together");
    assert!(together == alone, "a task draws another picture beside the others");
}

#[test]
fn adapters_may_change_every_matrix_of_the_transformer() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    super::families::models::write_some(&data(), folder.path(), &["turbo"]);
    let files = ModelFiles::open(&folder.path().join("models/turbo")).expect("the model");
    let Checkpoint::Folder(_) = files.checkpoint() else { panic!("a folder") };
    let weights = files.checkpoint().weights("transformer", &Device::Cpu, DType::F32).expect("its weights");
    let mut expected: Vec<String> = weights
        .names()
        .filter(|name| weights.shape(name).is_ok_and(|shape| shape.len() == 2 && shape[0] > 1))
        .map(|name| name.trim_end_matches(".weight").to_owned())
        .collect();
    expected.sort();
    let base = files.base().expect("its layers");
    let mut found: Vec<String> = base.layers().map(|Layer { name, .. }| name.to_string()).collect();
    found.sort();
    assert_eq!(found, expected);
}
