//! Linear layers: `rows [n, in] × weights [in, out]`, rows packed on the fly.

use rayon::prelude::*;

use super::{
    Branch,
    gemm::{Block, COLUMNS, DEPTH, Operand, Panels, ROWS, TILE, pieces},
};

/// Most panels of rows in one task.
const TASK: usize = 16;

/// What is added to a product.
#[derive(Clone, Copy, Default)]
pub struct Extra<'a> {
    /// `[out]`
    pub bias: Option<&'a [f32]>,
    /// `[n, out]`
    pub residual: Option<&'a [f32]>,
    /// What changes the weights, each so many times, for each of as many equal parts of the rows as there are entries.
    pub branches: &'a [Vec<(&'a Branch, f32)>],
}

/// Rows that are computed together.
struct Task<'a> {
    first: usize,
    branches: &'a [(&'a Branch, f32)],
    out: &'a mut [f32],
}

/// `[n, out]` of `[n, in]`, packed `[out, in]` weights and what is to be added.
pub fn linear(rows: &[f32], weights: &Panels, extra: Extra<'_>) -> Vec<f32> {
    let (width, out_width) = (weights.depth, weights.n);
    let n = rows.len() / width;
    let panels = n.div_ceil(ROWS).div_ceil(rayon::current_num_threads() * 3).clamp(1, TASK);
    let mut out = vec![0.0; n * out_width];
    tasks(&mut out, (n, out_width), panels * ROWS, extra.branches).into_par_iter().for_each(|Task { first, branches, out }| {
        let rows = &rows[first * width..][..out.len() / out_width * width];
        let n_a = (out.len() / out_width).div_ceil(ROWS);
        let tiles = compute(rows, n_a, weights, branches);
        for (i, out) in out.chunks_exact_mut(out_width).enumerate() {
            for (j, out) in out.chunks_mut(COLUMNS).enumerate() {
                let values = &tiles[(j * n_a + i / ROWS) * TILE + i % ROWS * COLUMNS..][..COLUMNS];
                out.iter_mut().zip(values).for_each(|(out, value)| *out = *value);
            }
            if let Some(bias) = extra.bias {
                out.iter_mut().zip(bias).for_each(|(out, bias)| *out += bias);
            }
            if let Some(residual) = extra.residual {
                out.iter_mut().zip(&residual[(first + i) * out_width..]).for_each(|(out, residual)| *out += residual);
            }
        }
    });
    out
}

/// Cuts the rows into tasks of at most `most`, none of which has rows with different branches.
fn tasks<'a>(mut out: &'a mut [f32], (n, out_width): (usize, usize), most: usize, branches: &'a [Vec<(&'a Branch, f32)>]) -> Vec<Task<'a>> {
    let mut tasks = Vec::with_capacity(n.div_ceil(most) + branches.len());
    let mut cut = |first: usize, n: usize, branches: &'a [(&'a Branch, f32)]| {
        for start in (first..first + n).step_by(most) {
            let (own, rest) = std::mem::take(&mut out).split_at_mut(most.min(first + n - start) * out_width);
            out = rest;
            tasks.push(Task { first: start, branches, out: own });
        }
    };
    if branches.is_empty() {
        cut(0, n, &[]);
    }
    let same = |a: &Vec<(&Branch, f32)>, b: &Vec<(&Branch, f32)>| {
        a.len() == b.len() && a.iter().zip(b).all(|((a, x), (b, y))| std::ptr::eq(*a, *b) && x == y)
    };
    let (mut first, each) = (0, n / branches.len().max(1));
    for stretch in branches.chunk_by(same) {
        cut(first, stretch.len() * each, &stretch[0]);
        first += stretch.len() * each;
    }
    tasks
}

fn compute(rows: &[f32], n_a: usize, weights: &Panels, branches: &[(&Branch, f32)]) -> Vec<f32> {
    let mut tiles = vec![0.0; n_a * weights.len() * TILE];
    let mut inner: Vec<Vec<f32>> = branches.iter().map(|(branch, _)| vec![0.0; n_a * branch.down.len() * TILE]).collect();
    let mut packed = vec![0.0; n_a * DEPTH.min(weights.depth) * ROWS];
    for (first, depth) in pieces(weights.depth) {
        pack_rows(rows, weights.depth, first..first + depth, &mut packed);
        let a = Operand { values: &packed, stride: depth * ROWS };
        Block { a, n_a, b: weights.slice(0, first), n_b: weights.len(), depth, tiles: &mut tiles }.run();
        for ((branch, _), tiles) in branches.iter().zip(&mut inner) {
            Block { a, n_a, b: branch.down.slice(0, first), n_b: branch.down.len(), depth, tiles }.run();
        }
    }
    for ((branch, factor), inner) in branches.iter().zip(&inner) {
        let rank = branch.up.depth;
        let packed = pack_tiles(inner, n_a, rank, *factor);
        for (first, depth) in pieces(rank) {
            let a = Operand { values: &packed[first * ROWS..], stride: rank * ROWS };
            Block { a, n_a, b: branch.up.slice(0, first), n_b: branch.up.len(), depth, tiles: &mut tiles }.run();
        }
    }
    tiles
}

/// Packs the `rank` columns of tiles as rows of another product, times `factor`.
fn pack_tiles(tiles: &[f32], n_a: usize, rank: usize, factor: f32) -> Vec<f32> {
    let mut packed = vec![0.0; n_a * rank * ROWS];
    for (panel, packed) in packed.chunks_exact_mut(rank * ROWS).enumerate() {
        for (k, packed) in packed.as_chunks_mut::<ROWS>().0.iter_mut().enumerate() {
            let column = &tiles[(k / COLUMNS * n_a + panel) * TILE + k % COLUMNS..];
            for (row, packed) in packed.iter_mut().enumerate() {
                *packed = column[row * COLUMNS] * factor;
            }
        }
    }
    packed
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
