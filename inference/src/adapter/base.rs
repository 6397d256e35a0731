//! What adapters need to know of the model that they change.

use crate::{
    checkpoint::{Layer, Part, UnetLayout, Weights},
    error::InferenceError,
};

/// A model as adapters see it: the layers of its networks, known from the headers of its files, which stay open. Layers that an adapter does not
/// change by a branch of low rank are made of what is read from them anew.
pub struct Base {
    pub(super) layout: Option<UnetLayout>,
    pub(super) networks: Vec<Network>,
}

/// A network of the model.
pub(super) struct Network {
    pub(super) part: Part,
    pub(super) weights: Weights,
    pub(super) layers: Vec<Layer>,
}

impl Base {
    /// A model without networks; the names of a U-Net's modules depend on its layout.
    pub fn new(layout: impl Into<Option<UnetLayout>>) -> Self {
        Self { layout: layout.into(), networks: Vec::new() }
    }

    /// The layers that adapters may change.
    pub fn layers(&self) -> impl Iterator<Item = &Layer> {
        self.networks.iter().flat_map(|network| &network.layers)
    }

    /// The model with a network more: the layers that `load` reads of its weights, which are float32 on the processor.
    ///
    /// # Errors
    /// Those of `load`.
    pub fn with(
        mut self,
        part: Part,
        weights: Weights,
        load: impl FnOnce(&Weights) -> Result<(), InferenceError>,
    ) -> Result<Self, InferenceError> {
        let layers = weights.layers(load)?;
        self.networks.push(Network { part, weights, layers });
        Ok(self)
    }
}
