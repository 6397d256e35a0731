//! Attention in blocks of queries, so that the scores never take more than one block's memory per thread.

use rayon::prelude::*;

use super::{
    gemm::{Block, COLUMNS, Operand, Panels, ROWS, TILE, accumulate, pieces},
    linear::pack_rows,
    math::{exp, vectorised},
};

/// Queries in one task.
const QUERIES: usize = 8 * ROWS;

/// Sizes of queries `[n, n_queries, n_heads · width]` and of keys and values `[n, n_keys, n_heads · width]`.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Rows of the batch.
    pub n: usize,
    /// Attention heads.
    pub n_heads: usize,
    /// Numbers per head.
    pub width: usize,
    /// Queries per row.
    pub n_queries: usize,
    /// Keys and values per row.
    pub n_keys: usize,
    /// Whether query i sees only the keys 0 to i.
    pub is_causal: bool,
}

/// `softmax(q·kᵀ/√width)·v`, heads side by side as in the input.
pub fn attention(q: &[f32], k: &[f32], v: &[f32], sizes: Sizes) -> Vec<f32> {
    let Sizes { n, n_heads, width, n_queries, .. } = sizes;
    let packed: Vec<(Panels, Panels)> =
        (0..n * n_heads).into_par_iter().map(|head| (pack_keys(k, head, sizes), pack_values(v, head, sizes))).collect();
    let n_blocks = n_queries.div_ceil(QUERIES);
    let blocks: Vec<Vec<f32>> = (0..n * n_heads * n_blocks)
        .into_par_iter()
        .map(|task| {
            let (head, first) = (task / n_blocks, task % n_blocks * QUERIES);
            block(q, &packed[head], head, first, sizes)
        })
        .collect();
    let mut out = vec![0.0; n * n_queries * n_heads * width];
    out.par_chunks_mut(n_heads * width).with_min_len(16).enumerate().for_each(|(query, out)| {
        let (row, query) = (query / n_queries, query % n_queries);
        for (head, out) in out.chunks_exact_mut(width).enumerate() {
            let block = &blocks[(row * n_heads + head) * n_blocks + query / QUERIES];
            out.copy_from_slice(&block[query % QUERIES * width..][..width]);
        }
    });
    out
}

/// One head's rows, `width` numbers each.
fn head_rows(values: &[f32], head: usize, n_rows: usize, sizes: Sizes) -> impl Iterator<Item = &[f32]> {
    let stride = sizes.n_heads * sizes.width;
    let start = head / sizes.n_heads * n_rows * stride + head % sizes.n_heads * sizes.width;
    (0..n_rows).map(move |row| &values[start + row * stride..][..sizes.width])
}

fn pack_keys(k: &[f32], head: usize, sizes: Sizes) -> Panels {
    let mut keys = Vec::with_capacity(sizes.n_keys * sizes.width);
    head_rows(k, head, sizes.n_keys, sizes).for_each(|row| keys.extend_from_slice(row));
    Panels::pack(&keys, sizes.n_keys, sizes.width, COLUMNS)
}

/// The values' columns are the product's, and their rows its depth: a panel is a copy of sixteen columns.
fn pack_values(v: &[f32], head: usize, sizes: Sizes) -> Panels {
    Panels::pack_transposed(head_rows(v, head, sizes.n_keys, sizes), sizes.width, sizes.n_keys, COLUMNS)
}

/// `[queries, width]` of one head and block of queries.
fn block(q: &[f32], (keys, values): &(Panels, Panels), head: usize, first: usize, sizes: Sizes) -> Vec<f32> {
    let Sizes { width, n_keys, n_queries, is_causal, .. } = sizes;
    let n = QUERIES.min(n_queries - first);
    let n_a = n.div_ceil(ROWS);
    let scale = (1.0 / (width as f64).sqrt()) as f32;
    let mut scaled = Vec::with_capacity(n * width);
    head_rows(q, head, n_queries, sizes).skip(first).take(n).for_each(|row| scaled.extend(row.iter().map(|value| value * scale)));

    let mut tiles = vec![0.0; n_a * keys.len() * TILE];
    accumulate(&Panels::pack(&scaled, n, width, ROWS), keys, &mut tiles);
    let mut scores = vec![0.0; n * n_keys];
    unpack(&tiles, n_a, &mut scores, n_keys);
    let sums: Vec<f32> =
        scores.chunks_exact_mut(n_keys).enumerate().map(|(i, row)| softmax(row, if is_causal { first + i + 1 } else { n_keys })).collect();

    let mut tiles = vec![0.0; n_a * values.len() * TILE];
    let mut packed = vec![0.0; n_a * ROWS * n_keys.min(super::gemm::DEPTH)];
    for (start, depth) in pieces(n_keys) {
        pack_rows(&scores, n_keys, start..start + depth, &mut packed);
        let a = Operand { values: &packed, stride: depth * ROWS };
        Block { a, n_a, b: values.slice(0, start), n_b: values.len(), depth, tiles: &mut tiles }.run();
    }
    let mut out = vec![0.0; n * width];
    unpack(&tiles, n_a, &mut out, width);
    for (row, sum) in out.chunks_exact_mut(width).zip(sums) {
        row.iter_mut().for_each(|value| *value /= sum);
    }
    out
}

/// Copies tiles `[columns][rows]` into rows of `width`.
fn unpack(tiles: &[f32], n_a: usize, out: &mut [f32], width: usize) {
    for (i, row) in out.chunks_exact_mut(width).enumerate() {
        for (j, out) in row.chunks_mut(COLUMNS).enumerate() {
            out.copy_from_slice(&tiles[(j * n_a + i / ROWS) * TILE + i % ROWS * COLUMNS..][..out.len()]);
        }
    }
}

/// Turns the first `n` scores into exponentials and the rest into zeros; gives their sum.
fn softmax(scores: &mut [f32], n: usize) -> f32 {
    vectorised(
        #[inline(always)]
        || {
            let (seen, hidden) = scores.split_at_mut(n.min(scores.len()));
            hidden.fill(0.0);
            let mut lanes = [f32::NEG_INFINITY; 16];
            for group in seen.chunks(16) {
                for (lane, value) in lanes.iter_mut().zip(group) {
                    *lane = lane.max(*value);
                }
            }
            let largest = lanes.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            for value in seen.iter_mut() {
                *value = exp(*value - largest);
            }
            super::math::sum(seen, |value| value) as f32
        },
    )
}
