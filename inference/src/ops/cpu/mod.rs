//! Fast versions for float32 on the processor, made so that no result depends on what else is computed beside it.
//!
//! Every product is a chain of fused multiply-adds over `k` in order, cut every [`gemm::DEPTH`] terms, whatever the number of rows, threads or
//! vector lanes. So a row's result is the same, bit for bit, alone and in a batch.

pub mod attention;
pub mod conv;
pub mod gemm;
pub mod kernels;
pub mod layout;
pub mod linear;
pub mod math;
pub mod norm;
pub mod rotary;

use candle_core::{CpuStorage, DType, Layout, Result, Storage, Tensor};

/// Whether the fast versions take this tensor. They have no backward pass, so what gradients are to flow through goes to the plain ones.
pub fn takes(tensor: &Tensor) -> bool {
    tensor.device().is_cpu() && tensor.dtype() == DType::F32 && !tensor.track_op()
}

/// A change of low rank beside a packed weight: both matrices in panels of the weight's width.
pub struct Branch {
    /// `[out, rank]`
    pub up: gemm::Panels,
    /// `[rank, depth]`
    pub down: gemm::Panels,
}

/// The numbers of a contiguous float32 tensor in main memory.
pub fn floats<'a>(storage: &'a Storage, layout: &Layout) -> Result<&'a [f32]> {
    let (Storage::Cpu(storage), Some((start, end))) = (storage, layout.contiguous_offsets()) else {
        candle_core::bail!("expected a contiguous tensor in main memory")
    };
    let CpuStorage::F32(values) = storage else { candle_core::bail!("expected float32") };
    Ok(&values[start..end])
}

/// Binds `$name` to the numbers of `$tensor`, made contiguous first.
macro_rules! let_floats {
    ($name:ident = $tensor:expr) => {
        let tensor = $tensor.contiguous()?;
        let (storage, layout) = tensor.storage_and_layout();
        let $name: &[f32] = crate::ops::cpu::floats(&storage, layout)?;
    };
}
pub(crate) use let_floats;

/// The same for an optional tensor.
macro_rules! let_optional_floats {
    ($name:ident = $tensor:expr) => {
        let tensor = $tensor.map(candle_core::Tensor::contiguous).transpose()?;
        let storage = tensor.as_ref().map(candle_core::Tensor::storage_and_layout);
        let $name: Option<&[f32]> = storage.as_ref().map(|(storage, layout)| crate::ops::cpu::floats(storage, layout)).transpose()?;
    };
}
pub(crate) use let_optional_floats;
