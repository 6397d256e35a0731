//! The ways of numbers from the device into main memory while pictures are drawn. Each waits for all that the device was given before, so none may be taken
//! once for each picture and step; tests count them.

use candle_core::{DType, Device, Result, Tensor};

/// The tensor in main memory.
pub(crate) fn tensor(tensor: &Tensor) -> Result<Tensor> {
    #[cfg(test)]
    tests::N_READS.with(|n_reads| n_reads.set(n_reads.get() + 1));
    tensor.to_device(&Device::Cpu)
}

/// All numbers, in the order of the tensor's sides.
pub(crate) fn floats(values: &Tensor) -> Result<Vec<f32>> {
    tensor(&values.to_dtype(DType::F32)?)?.flatten_all()?.to_vec1()
}

#[cfg(test)]
pub(crate) mod tests {
    use std::cell::Cell;

    thread_local! {
        pub(crate) static N_READS: Cell<usize> = const { Cell::new(0) };
    }

    /// Reads of this thread so far.
    pub(crate) fn n_reads() -> usize {
        N_READS.with(Cell::get)
    }
}
