//! Hot operations. Each has a plain candle version for any device and dtype, which is the reference in tests, and a fast one for float32 on the processor.

mod activation;
mod attention;
mod conv;
pub(crate) mod cpu;
mod layout;
mod linear;
mod norm;
mod rms_norm;
mod rotary;
mod swiglu;
#[cfg(test)]
mod tests;

pub use activation::{Activation, PRelu, geglu};
pub use attention::{Attention, attention};
pub use conv::{Conv2d, ConvOptions, Padding};
pub use layout::{pixel_shuffle, to_planes, to_tokens, upsample_nearest};
pub use linear::Linear;
pub use norm::{GroupNorm, LayerNorm};
pub use rms_norm::RmsNorm;
pub use rotary::{Pairs, Rotary};
pub use swiglu::swiglu;
