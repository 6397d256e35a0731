//! What adapters make of the weights of tiny models, as the layers compute with them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod formats;
mod live;
mod names;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
};

use candle_core::{DType, Device, Tensor, safetensors};

use super::{Adapter, AdapterSet, AdapterWeights, Base};
use crate::{
    checkpoint::{Part, UnetLayout, Weights, names::Change as NameChange},
    error::InferenceError,
    family::ModelFiles,
    ops::{Batch, Change, Changes, Conv2d, ConvOptions, LayerKind, Linear},
};

const PARTS: [(&str, Part); 3] = [("unet", Part::Unet), ("text_encoder", Part::TextEncoder), ("text_encoder_2", Part::TextEncoder2)];

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/adapters").join(name)
}

fn floats(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

fn layout(has_attention: &[bool]) -> UnetLayout {
    UnetLayout { n_layers: vec![1; has_attention.len()], has_attention: has_attention.to_vec() }
}

fn tiny(model: &str) -> UnetLayout {
    layout(if model == "xl" { &[false, true] } else { &[true, false] })
}

/// A tensor of a tiny model.
#[derive(Clone)]
struct Named {
    part: Part,
    /// With the part's name before it.
    full: String,
    name: String,
    values: Tensor,
}

/// The weights of a tiny model.
fn base(model: &str) -> &'static [Named] {
    static MODELS: [LazyLock<Vec<Named>>; 2] = [LazyLock::new(|| read("sd1")), LazyLock::new(|| read("xl"))];
    &MODELS[usize::from(model == "xl")]
}

fn read(model: &str) -> Vec<Named> {
    let tensors: BTreeMap<_, _> = safetensors::load(file(&format!("{model}.safetensors")), &Device::Cpu).unwrap().into_iter().collect();
    let split = |(full, values): (String, Tensor)| {
        let (part, name) = full.split_once('.').unwrap();
        let part = PARTS.iter().find(|(name, _)| *name == part).unwrap().1;
        Named { part, name: name.to_owned(), values: values.to_dtype(DType::F32).unwrap(), full }
    };
    tensors.into_iter().map(split).collect()
}

fn kind_of(name: &str, values: &Tensor) -> LayerKind {
    match values.rank() {
        4 => LayerKind::Conv2d,
        2 if !name.contains("embedding") || name.contains("time_embedding") || name.contains("add_embedding") => LayerKind::Linear,
        _ => LayerKind::Plain,
    }
}

/// A tiny model as adapters see it; the names of text encoders begin with `wrapper`.
fn model(model: &str, wrapper: &'static str) -> Arc<Base> {
    let path = file(&format!("{model}.safetensors"));
    let base = PARTS.iter().fold(Base::new(tiny(model)), |all, (part_name, part)| {
        let weights = Weights::open(std::slice::from_ref(&path), &Device::Cpu, DType::F32).unwrap();
        let wrapper = wrapper_of(model, *part, wrapper);
        let names = move |name: &str| Some((format!("{part_name}.{}", name.trim_start_matches(wrapper)), NameChange::Same));
        let weights = weights.renamed((&Device::Cpu, DType::F32), names);
        let layers: Vec<&Named> = base(model).iter().filter(|tensor| tensor.part == *part && tensor.name.ends_with(".weight")).collect();
        let load = |weights: &Weights| {
            for Named { name, values, .. } in &layers {
                let module = name.trim_end_matches(".weight");
                let is_projection = module.starts_with("text_projection");
                let weights = if is_projection { weights.at(module) } else { weights.at(format!("{wrapper}{module}")) };
                weights.tensor("weight", values.dims())?;
                if let Some(bias) = layer_bias(model, *part, module) {
                    weights.tensor("bias", bias.dims())?;
                }
                weights.layer(kind_of(name, values));
            }
            Ok(())
        };
        all.with(*part, weights, load).unwrap()
    });
    Arc::new(base)
}

/// What the names of a network begin with: nothing more where the file has it already, and nothing in a U-Net.
fn wrapper_of<'a>(model: &str, part: Part, wrapper: &'a str) -> &'a str {
    let is_wrapped = base(model).iter().any(|tensor| tensor.part == part && tensor.name.starts_with("text_model."));
    if is_wrapped || part == Part::Unet { "" } else { wrapper }
}

fn layer_bias(model: &str, part: Part, module: &str) -> Option<&'static Tensor> {
    let bias = format!("{module}.bias");
    base(model).iter().find(|tensor| tensor.part == part && tensor.name == bias).map(|tensor| &tensor.values)
}

fn load(path: &Path, base: &Arc<Base>) -> Result<Arc<Adapter>, InferenceError> {
    Adapter::load(path, base, &Device::Cpu, DType::F32).map(Arc::new)
}

fn set<W: Into<AdapterWeights> + Copy>(files: &[(PathBuf, W)], base: &Arc<Base>) -> Result<AdapterSet, InferenceError> {
    let uses = files.iter().map(|(path, weight)| Ok((load(path, base)?, (*weight).into())));
    AdapterSet::new(uses.collect::<Result<_, InferenceError>>()?)
}

/// What a set makes of every tensor of a tiny model: the columns that layers make of the columns of the identity.
fn made(set: &AdapterSet, model: &str, wrapper: &str) -> Vec<Tensor> {
    let tensor = |Named { part, name, values, .. }: &Named| {
        let (module, end) = name.rsplit_once('.').unwrap();
        let wrapper = if module.starts_with("text_projection") { "" } else { wrapper_of(model, *part, wrapper) };
        let name = format!("{wrapper}{module}");
        let Some(change) = set.changes(*part).get(&name) else { return values.clone() };
        if end == "bias" {
            return change.bias.clone().unwrap_or(values.clone());
        }
        effective(values, kind_of(module, values), Change { bias: None, ..change.clone() })
    };
    base(model).iter().map(tensor).collect()
}

fn effective(weight: &Tensor, kind: LayerKind, change: Change) -> Tensor {
    let changes = Changes::new([("layer".into(), change.clone())]);
    let n = weight.dims().get(1).copied().unwrap_or(1);
    let identity = Tensor::eye(n, DType::F32, &Device::Cpu).unwrap();
    match kind {
        LayerKind::Plain => change.weight.map_or(weight.clone(), |weight| weight.tensor().unwrap()),
        LayerKind::Linear => {
            let layer = Linear::new(weight.clone(), None).unwrap().named("layer".into());
            let rows = layer.of(Batch::new(&[&changes])).forward(&identity.unsqueeze(0).unwrap()).unwrap();
            rows.squeeze(0).unwrap().t().unwrap().contiguous().unwrap()
        }
        LayerKind::Conv2d => {
            let side = weight.dim(2).unwrap();
            let layer = Conv2d::new(weight.clone(), None, ConvOptions::same(side)).unwrap().named("layer".into());
            let middle = identity.reshape((n, n, 1, 1)).unwrap().pad_with_zeros(2, side / 2, side / 2).unwrap();
            let middle = middle.pad_with_zeros(3, side / 2, side / 2).unwrap();
            let turned = layer.within(Batch::new(&vec![&changes; n]).into()).forward(&middle).unwrap();
            let back = Tensor::from_iter((0..side as u32).rev(), &Device::Cpu).unwrap();
            let planes = turned.index_select(&back, 2).unwrap().index_select(&back, 3).unwrap();
            planes.transpose(0, 1).unwrap().contiguous().unwrap()
        }
    }
}

/// Merges an adapter into the weights of a model's folder.
pub(crate) fn merge_into(folder: &Path, adapter: &Path, weight: f64) {
    let base = Arc::new(ModelFiles::open(folder).unwrap().base().unwrap());
    let adapter = load(adapter, &base).unwrap();
    for network in &base.networks {
        let (name, _) = PARTS.iter().find(|(_, part)| *part == network.part).unwrap();
        let files = std::fs::read_dir(folder.join(name)).unwrap().map(|entry| entry.unwrap().path());
        let path = files.into_iter().find(|path| path.extension().is_some_and(|end| end == "safetensors")).unwrap();
        let mut tensors = safetensors::load(&path, &Device::Cpu).unwrap();
        for layer in &network.layers {
            let Some(change) = adapter.change(network.part, &layer.name) else { continue };
            let read = |end: &str, shape: &[usize]| network.weights.tensor(&format!("{}.{end}", layer.name), shape).unwrap();
            if let Some(found) = &change.weight {
                let values = read("weight", &layer.weight);
                let changed = adapter.change_weight(found, weight, (&values, &values)).unwrap();
                tensors.insert(format!("{}.weight", layer.name), changed);
            }
            if let Some(found) = &change.bias {
                let changed = adapter.change_bias(found, weight, &read("bias", &[layer.bias.unwrap()])).unwrap();
                tensors.insert(format!("{}.bias", layer.name), changed);
            }
        }
        safetensors::save(&tensors, &path).unwrap();
    }
}
