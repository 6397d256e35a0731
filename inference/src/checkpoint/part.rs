//! The networks of a model that adapters change.

/// A network of a model, as adapters name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// The U-Net.
    Unet,
    /// The transformer that draws, of models without a U-Net.
    Transformer,
    /// The first (or only) text encoder.
    TextEncoder,
    /// The second text encoder of Stable Diffusion XL.
    TextEncoder2,
}
