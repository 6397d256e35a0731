//! The adapters of one row.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, LazyLock},
};

use candle_core::Tensor;

use super::{
    AdapterWeights,
    base::Network,
    resident::{Adapter, Found},
};
use crate::{
    checkpoint::{Layer, Part},
    error::InferenceError,
    ops::{Change, Changes, Weight},
};

/// Adapters that change a model for one row of a batch, in the order in which they are applied; none by default. Cheap to clone.
///
/// The weight of each scales its change: 1.0 is the change as it was trained. Several add up. DoRA alone is different:
/// files with PEFT's `lora_magnitude_vector` follow PEFT's rule, those with LyCORIS' `dora_scale` ComfyUI's (`magnitude.rs`).
#[derive(Clone, Default)]
pub struct AdapterSet(Option<Arc<Chosen>>);

struct Chosen {
    uses: Vec<(Arc<Adapter>, AdapterWeights)>,
    changes: HashMap<Part, Changes>,
    n_bytes: usize,
}

impl AdapterSet {
    /// Adapters that were loaded for one model. Changes of low rank are taken as they are, which takes no memory and hardly any time. A layer with
    /// any other change is made for this set: its weight is read once more and changed by all of them in float32.
    ///
    /// # Errors
    /// A file was changed since it was opened, or cannot be read.
    pub fn new(uses: Vec<(Arc<Adapter>, AdapterWeights)>) -> Result<Self, InferenceError> {
        let Some(base) = uses.first().map(|(adapter, _)| adapter.base.clone()) else { return Ok(Self::default()) };
        let mut chosen = Chosen { uses, changes: HashMap::new(), n_bytes: 0 };
        for network in &base.networks {
            let mut changes = Vec::new();
            for layer in &network.layers {
                if let Some(change) = chosen.change(network, layer)? {
                    changes.push((layer.name.clone(), change));
                }
            }
            chosen.changes.insert(network.part, Changes::new(changes));
        }
        Ok(Self(Some(Arc::new(chosen))))
    }

    /// Whether it is made of these adapters, at these weights, in this order.
    pub fn is_made_of(&self, uses: &[(Arc<Adapter>, AdapterWeights)]) -> bool {
        let mut pairs = self.uses().iter().zip(uses);
        self.uses().len() == uses.len() && pairs.all(|((own, weights), (other, others))| Arc::ptr_eq(own, other) && weights == others)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The memory that its own layers take, beside the adapters'.
    pub fn n_bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |chosen| chosen.n_bytes)
    }

    /// What they change of a network.
    pub(crate) fn changes(&self, part: Part) -> &Changes {
        static NONE: LazyLock<Changes> = LazyLock::new(Changes::default);
        self.0.as_ref().and_then(|chosen| chosen.changes.get(&part)).unwrap_or(&NONE)
    }

    fn uses(&self) -> &[(Arc<Adapter>, AdapterWeights)] {
        self.0.as_ref().map_or(&[], |chosen| &chosen.uses)
    }
}

impl Chosen {
    fn change(&mut self, network: &Network, layer: &Layer) -> Result<Option<Change>, InferenceError> {
        let (mut weights, mut biases) = (Vec::new(), Vec::new());
        for (adapter, own_weights) in &self.uses {
            // DoRA gives rows new lengths also where nothing is added.
            let weight = own_weights.of(network.part);
            let Some(change) = adapter.change(network.part, &layer.name).filter(|_| weight != 0.0) else { continue };
            weights.extend(change.weight.as_ref().map(|found| Use { adapter, found, weight }));
            biases.extend(change.bias.as_ref().map(|found| Use { adapter, found, weight }));
        }
        if weights.is_empty() && biases.is_empty() {
            return Ok(None);
        }
        let mut change = Change::default();
        let branches = weights.iter().map(|one| Some((one.found.branch.clone()?, one.found.scale * one.weight)));
        match branches.collect::<Option<Vec<_>>>() {
            Some(branches) => change.branches = branches,
            None => {
                let base = network.weights.tensor(&format!("{}.weight", layer.name), &layer.weight)?;
                let made = Use::all(&weights, &base, |one, current| one.adapter.change_weight(one.found, one.weight, (&base, current)))?;
                let weight = Weight::new(made, layer.kind)?;
                self.n_bytes += weight.n_bytes();
                change.weight = Some(Arc::new(weight));
            }
        }
        if !biases.is_empty() {
            let base = network.weights.tensor(&format!("{}.bias", layer.name), &[layer.bias.unwrap_or(0)])?;
            let bias = Use::all(&biases, &base, |one, current| one.adapter.change_bias(one.found, one.weight, current))?;
            self.n_bytes += bias.elem_count() * bias.dtype().size_in_bytes();
            change.bias = Some(bias);
        }
        Ok(Some(change))
    }
}

/// A change of one tensor.
struct Use<'a> {
    adapter: &'a Adapter,
    found: &'a Found,
    weight: f64,
}

impl Use<'_> {
    /// What all of them make of a tensor, where the model has it and as it has it.
    fn all(
        uses: &[Self],
        base: &Tensor,
        change: impl Fn(&Self, &Tensor) -> Result<Tensor, InferenceError>,
    ) -> Result<Tensor, InferenceError> {
        let made = uses.iter().try_fold(base.clone(), |current, one| change(one, &current))?;
        Ok(uses.first().map_or(Ok(made.clone()), |one| one.adapter.adopt(&made))?)
    }
}

impl PartialEq for AdapterSet {
    /// Whether they are the same adapters in memory, with the same weights, in the same order.
    fn eq(&self, other: &Self) -> bool {
        self.is_made_of(other.uses())
    }
}

impl fmt::Debug for AdapterSet {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_list().entries(self.uses()).finish()
    }
}
