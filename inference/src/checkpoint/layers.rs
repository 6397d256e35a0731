//! The layers of a network, known from the headers of its files: what adapters may change.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use candle_core::{DType, Device, Tensor};

use crate::{
    error::InferenceError,
    ops::{LayerKind, LayerName},
};

/// A layer of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// Its name in diffusers or transformers.
    pub name: LayerName,
    /// What it does.
    pub kind: LayerKind,
    /// The shape of its weight.
    pub weight: Vec<usize>,
    /// Numbers in its bias, if it has one.
    pub bias: Option<usize>,
}

/// What is asked of weights that are read without their numbers.
#[derive(Default)]
pub(super) struct Survey(Mutex<Asked>);

#[derive(Default)]
struct Asked {
    shapes: HashMap<String, Vec<usize>>,
    layers: Vec<(LayerName, LayerKind)>,
}

impl Survey {
    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A tensor of this shape that takes no memory: one number, seen from everywhere, of a type that no layer packs.
    pub(super) fn note_tensor(&self, name: String, shape: &[usize]) -> Result<Tensor, InferenceError> {
        self.asked().shapes.insert(name, shape.to_vec());
        Ok(Tensor::zeros(1, DType::U8, &Device::Cpu)?.broadcast_as(shape)?)
    }

    pub(super) fn note_layer(&self, name: &LayerName, kind: LayerKind) {
        self.asked().layers.push((name.clone(), kind));
    }

    /// Numbers in all tensors that were asked for.
    pub(super) fn n_values(&self) -> u64 {
        self.asked().shapes.values().map(|shape| shape.iter().map(|side| *side as u64).product::<u64>()).sum()
    }

    pub(super) fn layers(&self) -> Vec<Layer> {
        let Asked { shapes, layers } = &*self.asked();
        let shape = |name: &str, end: &str| shapes.get(&format!("{name}.{end}")).cloned();
        let layer = |(name, kind): &(LayerName, LayerKind)| {
            let (name, kind, bias) = (name.clone(), *kind, shape(name, "bias").map(|shape| shape.iter().product()));
            Some(Layer { weight: shape(&name, "weight")?, bias, name, kind })
        };
        layers.iter().filter_map(layer).collect()
    }
}
