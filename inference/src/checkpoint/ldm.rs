//! Where the parts of a model are in one file with ldm's names.

use candle_core::{DType, Device};

use super::{Weights, ldm_vae_name, names::Change};

/// Name of everything in a U-Net.
pub(super) const UNET: &str = "model.diffusion_model.";

/// An autoencoder's weights in a file with ldm's names below `prefix`.
pub(super) fn vae(weights: &Weights, (prefix, n_levels): (&str, usize), target: (&Device, DType)) -> Weights {
    let prefix = prefix.to_owned();
    weights.renamed(target, move |name| Some((format!("{prefix}{}", ldm_vae_name(name, n_levels)?), Change::Same)))
}
