//! Linear layers: `rows [n, in] × weights [in, out]`, rows packed on the fly.

use rayon::prelude::*;

use super::gemm::{Block, COLUMNS, DEPTH, Operand, Panels, ROWS, TILE, pieces};

/// Most panels of rows in one task.
const TASK: usize = 16;

/// `[n, out]` of `[n, in]`, packed `[out, in]` weights, an optional bias `[out]` and something to add, `[n, out]`.
pub fn linear(rows: &[f32], weights: &Panels, bias: Option<&[f32]>, residual: Option<&[f32]>) -> Vec<f32> {
    let (width, out_width) = (weights.depth, weights.n);
    let n = rows.len() / width;
    let panels = n.div_ceil(ROWS).div_ceil(rayon::current_num_threads() * 3).clamp(1, TASK);
    let mut out = vec![0.0; n * out_width];
    out.par_chunks_mut(panels * ROWS * out_width).enumerate().for_each(|(task, out)| {
        let rows = &rows[task * panels * ROWS * width..][..out.len() / out_width * width];
        let n_a = (out.len() / out_width).div_ceil(ROWS);
        let tiles = compute(rows, n_a, weights);
        for (i, out) in out.chunks_exact_mut(out_width).enumerate() {
            for (j, out) in out.chunks_mut(COLUMNS).enumerate() {
                let values = &tiles[(j * n_a + i / ROWS) * TILE + i % ROWS * COLUMNS..][..COLUMNS];
                out.iter_mut().zip(values).for_each(|(out, value)| *out = *value);
            }
            if let Some(bias) = bias {
                out.iter_mut().zip(bias).for_each(|(out, bias)| *out += bias);
            }
            if let Some(residual) = residual {
                let start = (task * panels * ROWS + i) * out_width;
                out.iter_mut().zip(&residual[start..]).for_each(|(out, residual)| *out += residual);
            }
        }
    });
    out
}

fn compute(rows: &[f32], n_a: usize, weights: &Panels) -> Vec<f32> {
    let mut tiles = vec![0.0; n_a * weights.len() * TILE];
    let mut packed = vec![0.0; n_a * DEPTH.min(weights.depth) * ROWS];
    for (first, depth) in pieces(weights.depth) {
        pack_rows(rows, weights.depth, first..first + depth, &mut packed);
        let a = Operand { values: &packed, stride: depth * ROWS };
        Block { a, n_a, b: weights.slice(0, first), n_b: weights.len(), depth, tiles: &mut tiles }.run();
    }
    tiles
}

/// Packs `columns` of rows that are `stride` apart; rows that the last panel lacks repeat its first.
pub fn pack_rows(rows: &[f32], stride: usize, columns: std::ops::Range<usize>, packed: &mut [f32]) {
    let depth = columns.len();
    for (panel, rows) in packed.chunks_exact_mut(depth * ROWS).zip(rows.chunks(stride * ROWS)) {
        let mut sources = [&rows[columns.clone()]; ROWS];
        for (source, row) in sources.iter_mut().zip(rows.chunks(stride)) {
            *source = &row[columns.clone()];
        }
        for (k, packed) in panel.as_chunks_mut::<ROWS>().0.iter_mut().enumerate() {
            for (packed, source) in packed.iter_mut().zip(&sources) {
                *packed = source[k];
            }
        }
    }
}
