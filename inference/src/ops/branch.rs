//! Changes of low rank beside a weight (LoRA, LoCon): two narrow layers in a row.

use candle_core::{Result, Tensor};

use super::cpu::{self, gemm::Panels, let_floats};

/// A change `up · down` of the weight of a linear layer or a convolution, whose rank is much smaller than its sides.
pub struct Branch {
    /// `[out, rank]`
    pub(super) up: Tensor,
    down: Down,
}

enum Down {
    /// `[rank, in]`, or `[rank, in, k, k]` before a convolution.
    Whole(Tensor),
    /// LoCon with a core (LyCORIS' Tucker decomposition), which is far smaller than their product.
    Core {
        /// `[rank, n, k, k]`
        core: Tensor,
        /// `[n, in]`
        columns: Tensor,
    },
}

impl Branch {
    /// From `up` `[out, rank]` and `down` `[rank, in]` or `[rank, in, k, k]`.
    pub fn new(up: Tensor, down: Tensor) -> Self {
        Self { up, down: Down::Whole(down) }
    }

    /// From `up` `[out, rank]`, `core` `[rank, n, k, k]` and `columns` `[n, in]`.
    pub fn with_core(up: Tensor, core: Tensor, columns: Tensor) -> Self {
        Self { up, down: Down::Core { core, columns } }
    }

    /// The memory that it takes.
    pub fn n_bytes(&self) -> usize {
        let (first, second) = match &self.down {
            Down::Whole(down) => (down, None),
            Down::Core { core, columns } => (core, Some(columns)),
        };
        let n_bytes = |tensor: &Tensor| tensor.elem_count() * tensor.dtype().size_in_bytes();
        n_bytes(&self.up) + n_bytes(first) + second.map_or(0, n_bytes)
    }

    /// `[rank, in]` or `[rank, in, k, k]`.
    pub(super) fn down(&self) -> Result<Tensor> {
        match &self.down {
            Down::Whole(down) => Ok(down.clone()),
            Down::Core { core, columns } => {
                let ((rank, n, height, width), inputs) = (core.dims4()?, columns.dim(1)?);
                let places = core.reshape((rank, n, height * width))?.transpose(1, 2)?.contiguous()?.reshape((rank * height * width, n))?;
                let product = places.matmul(columns)?.reshape((rank, height * width, inputs))?;
                product.transpose(1, 2)?.contiguous()?.reshape((rank, inputs, height, width))
            }
        }
    }

    pub(super) fn is_tracked(&self) -> bool {
        let is_down_tracked = match &self.down {
            Down::Whole(down) => down.track_op(),
            Down::Core { core, columns } => core.track_op() || columns.track_op(),
        };
        self.up.track_op() || is_down_tracked
    }

    pub(super) fn pack(&self, width: usize) -> Result<cpu::Branch> {
        let panels = |matrix: &Tensor| -> Result<Panels> {
            let rows = matrix.dim(0)?;
            let depth = matrix.elem_count() / rows.max(1);
            let_floats!(values = matrix);
            Ok(Panels::pack(values, rows, depth, width))
        };
        Ok(cpu::Branch { up: panels(&self.up)?, down: panels(&self.down()?)? })
    }
}
