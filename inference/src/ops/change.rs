//! Changes of single layers for some rows of a batch: branches of low rank beside a weight, and weights and biases in place of a layer's own.

use std::{collections::HashMap, ops::Range, sync::Arc};

use candle_core::{Result, Tensor};

use super::{branch::Branch, weight::Weight};

/// A layer's name in its network as diffusers or transformers has it, such as `mid_block.attentions.0.proj_in`.
pub type LayerName = Arc<str>;

/// What changes one layer for one row.
#[derive(Clone, Default)]
pub struct Change {
    /// What is added to the weight, each so many times, in this order.
    pub branches: Vec<(Arc<Branch>, f64)>,
    /// What stands in place of the weight.
    pub weight: Option<Arc<Weight>>,
    /// What stands in place of the bias of a layer that has one.
    pub bias: Option<Tensor>,
}

/// What changes a network's layers for one row, by their names.
#[derive(Default)]
pub struct Changes(HashMap<LayerName, Change>);

impl Changes {
    /// The change of each of these layers.
    pub fn new(changes: impl IntoIterator<Item = (LayerName, Change)>) -> Self {
        Self(changes.into_iter().collect())
    }

    /// Whether no layer is changed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The change of a layer.
    pub fn get(&self, layer: &str) -> Option<&Change> {
        self.0.get(layer)
    }

    /// All changes.
    pub fn iter(&self) -> impl Iterator<Item = (&LayerName, &Change)> {
        self.0.iter()
    }
}

/// The changes of every row of a batch: of every entry of the first axis of what goes through a network.
#[derive(Clone, Copy, Default)]
pub struct Batch<'a> {
    rows: &'a [&'a Changes],
}

impl<'a> Batch<'a> {
    /// Rows with these changes.
    pub fn new(rows: &'a [&'a Changes]) -> Self {
        if rows.iter().all(|row| row.is_empty()) { Self::default() } else { Self { rows } }
    }

    /// The change of a layer for each row of `input`; `None` where no row changes it.
    pub(super) fn of(self, layer: Option<&LayerName>, input: &Tensor) -> Result<Option<Vec<Option<&'a Change>>>> {
        let Some(layer) = layer.filter(|_| !self.rows.is_empty()) else { return Ok(None) };
        if input.dim(0)? != self.rows.len() {
            candle_core::bail!("`{layer}` got {:?} for {} rows", input.shape(), self.rows.len());
        }
        let rows: Vec<_> = self.rows.iter().map(|row| row.get(layer)).collect();
        Ok(rows.iter().any(Option::is_some).then_some(rows))
    }
}

/// A layer, and what changes it for each row of a batch.
#[derive(Clone, Copy)]
pub struct InBatch<'a, Layer> {
    pub(super) layer: &'a Layer,
    pub(super) batch: Batch<'a>,
}

/// Runs a layer for each stretch of rows that have the same weight and bias, and puts the results together.
pub(super) fn in_stretches<'a>(
    rows: &[Option<&'a Change>],
    mut run: impl FnMut(Range<usize>, Option<&'a Change>) -> Result<Tensor>,
) -> Result<Tensor> {
    let mut outputs = Vec::new();
    let mut first = 0;
    for stretch in rows.chunk_by(|a, b| replacement(*a) == replacement(*b)) {
        outputs.push(run(first..first + stretch.len(), stretch[0])?);
        first += stretch.len();
    }
    if let [output] = &outputs[..] { Ok(output.clone()) } else { Tensor::cat(&outputs, 0) }
}

/// What stands in place of a layer's weight and bias, as something that can be compared.
fn replacement(change: Option<&Change>) -> (Option<*const Weight>, Option<candle_core::TensorId>) {
    let weight = change.and_then(|change| change.weight.as_ref());
    (weight.map(Arc::as_ptr), change.and_then(|change| change.bias.as_ref()).map(Tensor::id))
}

/// These rows of a tensor.
pub(super) fn narrow(tensor: &Tensor, rows: &Range<usize>) -> Result<Tensor> {
    if rows.len() == tensor.dim(0)? { Ok(tensor.clone()) } else { tensor.narrow(0, rows.start, rows.len()) }
}
