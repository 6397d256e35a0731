//! Whole model folders from the recipes in `tests/data/families`: see `tools/reference/family_models.py`, which makes the same numbers.
//! The bot's tests include this file too.
#![allow(dead_code, reason = "each test uses a part")]

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    path::{Path, PathBuf},
};

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::Deserialize;

/// A part's tensors, float32.
pub type Tensors = BTreeMap<String, Tensor>;

/// A shape and its numbers as a file has them, four bytes each: tests run without optimisation, so nothing is converted twice.
#[derive(Clone)]
pub struct Tensor {
    pub shape: Vec<usize>,
    pub bytes: Vec<u8>,
}

/// The parts of every family that have weights of their own, by family and part.
pub type Parts = HashMap<(String, String), Tensors>;

/// A part's weights: its own, or those of the same part of another family.
#[derive(Deserialize)]
#[serde(untagged)]
enum Recipe {
    Of(String),
    Own {
        seed: u64,
        /// Offset, scale and sides by name.
        tensors: BTreeMap<String, Vec<f64>>,
    },
}

/// Writes every family that the data has, below `work/models`.
pub fn write_all(data: &Path, work: &Path) -> Parts {
    let entries = fs::read_dir(data).expect("the data").map(|entry| entry.expect("an entry").path());
    let families: Vec<_> = entries.filter(|path| path.join("weights.json").is_file()).collect();
    assert!(!families.is_empty(), "no family in {}", data.display());
    write_families(data, work, families)
}

/// Writes some families, below `work/models`.
pub fn write_some(data: &Path, work: &Path, names: &[&str]) -> Parts {
    write_families(data, work, names.iter().map(|name| data.join(name)).collect())
}

fn write_families(data: &Path, work: &Path, families: Vec<PathBuf>) -> Parts {
    // Some have parts of others.
    let others = families.iter().flat_map(|family| recipes(family).into_values()).filter_map(|recipe| match recipe {
        Recipe::Of(other) => Some(data.join(other)),
        Recipe::Own { .. } => None,
    });
    let sources: BTreeSet<_> = others.chain(families.iter().cloned()).collect();
    let parts = std::thread::scope(|scope| {
        let made: Vec<_> = sources.iter().map(|family| scope.spawn(move || own_parts(family))).collect();
        made.into_iter().flat_map(|made| made.join().expect("a recipe")).collect::<Parts>()
    });
    for family in &families {
        write(data, family, &work.join("models").join(name(family)), &parts);
    }
    parts
}

fn name(family: &Path) -> String {
    family.file_name().expect("a name").to_string_lossy().into_owned()
}

fn own_parts(family: &Path) -> Parts {
    let own = recipes(family).into_iter().filter_map(|(part, recipe)| {
        let Recipe::Own { seed, tensors } = recipe else { return None };
        let made = tensors.iter().enumerate().map(|(index, (name, row))| (name.clone(), tensor(seed, index as u64, row)));
        let mut made: Tensors = made.collect();
        made.extend(fitted(family, &part));
        Some(((name(family), part), made))
    });
    own.collect()
}

/// The tensors of a family's part, its own or another family's.
pub fn tensors<'a>(data: &Path, parts: &'a Parts, family: &str, part: &str) -> &'a Tensors {
    match &recipes(&data.join(family))[part] {
        Recipe::Of(other) => tensors(data, parts, other, part),
        Recipe::Own { .. } => &parts[&(family.to_owned(), part.to_owned())],
    }
}

fn write(data: &Path, family: &Path, model: &Path, parts: &Parts) {
    copy(family, model);
    for part in recipes(family).keys() {
        if let Some(which) = part.strip_prefix("text_encoder") {
            copy(&data.join("tokenizer"), &model.join(format!("tokenizer{which}")));
        }
        write_tensors(&model.join(part).join(file_name(part)), tensors(data, parts, &name(family), part));
    }
    for file in ["weights.json", "fitted.safetensors"] {
        if model.join(file).exists() {
            fs::remove_file(model.join(file)).expect("our own file");
        }
    }
}

/// Copies files and folders.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() { copy(&path, &target) } else { fs::copy(&path, &target).map(drop).expect("a copy") }
    }
}

fn file_name(part: &str) -> &'static str {
    if part.starts_with("text_encoder") { "model.safetensors" } else { "diffusion_pytorch_model.safetensors" }
}

fn recipes(family: &Path) -> HashMap<String, Recipe> {
    serde_json::from_str(&fs::read_to_string(family.join("weights.json")).expect("a recipe")).expect("a recipe")
}

fn tensor(seed: u64, index: u64, row: &[f64]) -> Tensor {
    let [offset, scale, sides @ ..] = row else { panic!("an offset and a scale") };
    let shape: Vec<usize> = sides.iter().map(|side| *side as usize).collect();
    let mut bytes = vec![0; shape.iter().product::<usize>() * 4];
    for (i, place) in (0..).zip(bytes.chunks_exact_mut(4)) {
        place.copy_from_slice(&((offset + scale * number(seed, index, i)) as f32).to_le_bytes());
    }
    Tensor { shape, bytes }
}

/// A number in (-1, 1): the finaliser of splitmix64 on a counter, its top 24 bits.
fn number(seed: u64, index: u64, i: u64) -> f64 {
    let mut z = ((seed << 48 | index << 32) + i).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^= z >> 31;
    ((z >> 40) as f64 + 0.5) / f64::from(1 << 23) - 1.0
}

/// The tensors that no recipe gives, kept as float16.
fn fitted(family: &Path, part: &str) -> Tensors {
    let Ok(bytes) = fs::read(family.join("fitted.safetensors")) else { return Tensors::new() };
    let file = SafeTensors::deserialize(&bytes).expect("fitted tensors");
    let own = file.iter().filter_map(|(name, tensor)| {
        let name = name.strip_prefix(part)?.strip_prefix('.')?;
        assert_eq!(tensor.dtype(), Dtype::F16);
        let values = tensor.data().chunks_exact(2).map(|pair| half(u16::from_le_bytes([pair[0], pair[1]])));
        Some((name.to_owned(), Tensor { shape: tensor.shape().to_vec(), bytes: values.flat_map(f32::to_le_bytes).collect() }))
    });
    own.collect()
}

/// A float16 as float32.
fn half(bits: u16) -> f32 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023));
    let size = if exponent == 0 { fraction * 2.0_f32.powi(-24) } else { (fraction + 1024.0) * 2.0_f32.powi(exponent - 25) };
    if bits >> 15 == 1 { -size } else { size }
}

/// Writes float32 tensors.
pub fn write_tensors(path: &Path, tensors: &Tensors) {
    let views = tensors.iter().map(|(name, tensor)| {
        let view = TensorView::new(Dtype::F32, tensor.shape.clone(), &tensor.bytes).expect("as many numbers as the shape says");
        (name.as_str(), view)
    });
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    safetensors::serialize_to_file(views, None, path).expect("a file of tensors");
}

#[test]
fn numbers_are_those_of_the_script() {
    let expected =
        [(1, 0, 0, 0.296_839_654_445_648_2), (17, 3, 5, -0.277_128_517_627_716_06), (72, 250, 1_000_000, -0.394_945_085_048_675_54)];
    for (seed, index, i, expected) in expected {
        assert_eq!(number(seed, index, i), expected, "{seed} {index} {i}");
    }
    assert_eq!([0x3c00, 0xc000, 0x3555, 1, 0x8000].map(half), [1.0, -2.0, 0.333_251_95, 2.0_f32.powi(-24), -0.0]);
}
