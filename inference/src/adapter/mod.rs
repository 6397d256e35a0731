//! Adapters: small files that change a model (LoRA, LoCon, LoHa, LoKr, DoRA, full differences), chosen for each row of a batch.
//!
//! An [`Adapter`] is a file in memory for one model ([`Base`]), an [`AdapterSet`] what a row is changed by. Products of two matrices stand beside the
//! weights; of other changes a set makes layers of its own, and shares all other tensors with the model.

mod base;
mod delta;
mod error;
mod file;
mod header;
mod info;
mod keys;
mod magnitude;
mod methods;
mod module;
mod report;
mod resident;
mod roles;
mod set;
mod settings;
#[cfg(test)]
pub(crate) mod tests;
mod weights;

pub(crate) use self::info::{is_as_wide_as_lumina, n_numbers};
use self::keys::Place;
pub use self::{
    base::Base,
    error::AdapterError,
    info::{AdapterInfo, AdapterKind, kind},
    methods::{Method, method},
    report::AdapterReport,
    resident::Adapter,
    set::AdapterSet,
    weights::AdapterWeights,
};
use crate::checkpoint::Part;

/// Whether a tensor of an adapter's file changes a layer of a Z-Image, as far as its name tells.
pub(super) fn is_of_z_image(name: &str) -> bool {
    Place::of(name).is_in_layer_of_z_image()
}

/// The network that a tensor of an adapter's file changes, as far as its name tells.
pub(super) fn network_of(name: &str) -> Option<Part> {
    Place::of(name).part()
}
