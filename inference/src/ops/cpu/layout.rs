//! Moving numbers: tokens and planes, enlarging.

use rayon::prelude::*;

/// `[n, columns, rows]` of `[n, rows, columns]`.
pub fn transpose(input: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    const SIDE: usize = 16;
    let mut out = vec![0.0; input.len()];
    out.par_chunks_mut(rows * columns).zip(input.par_chunks(rows * columns)).for_each(|(out, input)| {
        for row in (0..rows).step_by(SIDE) {
            for column in 0..columns {
                let out = &mut out[column * rows + row..][..SIDE.min(rows - row)];
                for (i, out) in out.iter_mut().enumerate() {
                    *out = input[(row + i) * columns + column];
                }
            }
        }
    });
    out
}

/// Nearest neighbours: planes of `from` (height, width) become planes of `to`, with torch's rounding.
pub fn upsample_nearest(input: &[f32], from: (usize, usize), to: (usize, usize)) -> Vec<f32> {
    let source = |size: usize, out: usize| move |i: usize| ((i as f32 * (size as f32 / out as f32)) as usize).min(size - 1);
    let columns: Vec<usize> = (0..to.1).map(source(from.1, to.1)).collect();
    let rows: Vec<usize> = (0..to.0).map(source(from.0, to.0)).collect();
    let mut out = vec![0.0; input.len() / (from.0 * from.1) * to.0 * to.1];
    out.par_chunks_mut(to.0 * to.1).zip(input.par_chunks(from.0 * from.1)).with_min_len(8).for_each(|(out, plane)| {
        for (out, row) in out.chunks_exact_mut(to.1).zip(&rows) {
            let plane = &plane[row * from.1..][..from.1];
            out.iter_mut().zip(&columns).for_each(|(out, column)| *out = plane[*column]);
        }
    });
    out
}
