//! Hot operations. Each has a plain candle version for any device and dtype, which is the reference in tests, and a fast one for float32 on the processor.

mod activation;
mod attention;
mod branch;
mod branches;
mod change;
#[cfg(test)]
mod change_tests;
mod conv;
pub(crate) mod cpu;
mod layout;
mod linear;
mod norm;
mod padding;
mod rms_norm;
mod rotary;
mod swiglu;
#[cfg(test)]
mod tests;
mod weight;

pub use activation::{Activation, PRelu, geglu};
pub use attention::{Attention, attention, shares};
pub use branch::Branch;
pub use change::{Batch, Change, Changes, LayerName};
pub use conv::{Conv2d, ConvOptions, Pass};
pub use layout::{pixel_shuffle, to_planes, to_tokens, upsample_nearest};
pub use linear::Linear;
pub use norm::{GroupNorm, LayerNorm};
pub use padding::Padding;
pub use rms_norm::RmsNorm;
pub use rotary::{Pairs, Rotary};
pub use swiglu::swiglu;
pub use weight::{LayerKind, Weight};
