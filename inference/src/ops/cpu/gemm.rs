//! The one matrix kernel: panels of `a` (six rows wide) times panels of `b` (sixteen columns wide), added to tiles.
//!
//! The layout is the one of Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication" (2008): both operands are packed so
//! that the kernel reads them in order. Weights are packed once, when a model is loaded.

use pulp::{Arch, Simd, WithSimd};

/// Rows in a panel of `a`.
pub const ROWS: usize = 6;
/// Columns in a panel of `b`.
pub const COLUMNS: usize = 16;
/// Terms that are added in registers before they go to the tile.
pub const DEPTH: usize = 256;
/// Numbers in a tile.
pub const TILE: usize = ROWS * COLUMNS;

/// A `[n, depth]` matrix as panels of `width` rows: `[panel][depth][width]`, the last one filled up with zeros.
pub struct Panels {
    values: Vec<f32>,
    /// Rows of the matrix.
    pub n: usize,
    /// Columns of the matrix.
    pub depth: usize,
    width: usize,
}

impl Panels {
    /// Packs a row-major `[n, depth]` matrix.
    pub fn pack(matrix: &[f32], n: usize, depth: usize, width: usize) -> Self {
        let mut values = vec![0.0; n.div_ceil(width) * width * depth];
        for (panel, rows) in values.chunks_exact_mut(width * depth).zip(matrix.chunks(width * depth)) {
            for (i, row) in rows.chunks_exact(depth).enumerate() {
                for (packed, value) in panel[i..].iter_mut().step_by(width).zip(row) {
                    *packed = *value;
                }
            }
        }
        Self { values, n, depth, width }
    }

    /// Packs the transpose of `depth` rows of `n` numbers.
    pub fn pack_transposed<'a>(rows: impl Iterator<Item = &'a [f32]>, n: usize, depth: usize, width: usize) -> Self {
        let mut values = vec![0.0; n.div_ceil(width) * width * depth];
        for (k, row) in rows.take(depth).enumerate() {
            for (panel, part) in row.chunks(width).enumerate() {
                values[(panel * depth + k) * width..][..part.len()].copy_from_slice(part);
            }
        }
        Self { values, n, depth, width }
    }

    /// The matrix as it was before it was packed, row by row.
    pub fn unpack(&self) -> Vec<f32> {
        let mut matrix = vec![0.0; self.n * self.depth];
        for (panel, rows) in self.values.chunks_exact(self.width * self.depth).zip(matrix.chunks_mut(self.width * self.depth)) {
            for (i, row) in rows.chunks_exact_mut(self.depth).enumerate() {
                row.iter_mut().zip(panel[i..].iter().step_by(self.width)).for_each(|(value, packed)| *value = *packed);
            }
        }
        matrix
    }

    /// The memory that they take.
    pub fn n_bytes(&self) -> usize {
        self.values.len() * size_of::<f32>()
    }

    /// Number of panels.
    pub fn len(&self) -> usize {
        self.n.div_ceil(self.width)
    }

    /// Terms `first..last` of the panels from `panel` on, as the kernel wants them.
    pub fn slice(&self, panel: usize, first: usize) -> Operand<'_> {
        let stride = self.width * self.depth;
        Operand { values: &self.values[panel * stride + first * self.width..], stride }
    }
}

/// Packed panels and the distance from one to the next.
#[derive(Clone, Copy)]
pub struct Operand<'a> {
    /// The first panel's first number on.
    pub values: &'a [f32],
    /// Numbers from one panel to the next.
    pub stride: usize,
}

/// One block of a product: `tiles[j][i] += a[i] · b[j]` over `depth` terms.
pub struct Block<'a> {
    /// Panels of six rows.
    pub a: Operand<'a>,
    /// How many.
    pub n_a: usize,
    /// Panels of sixteen columns.
    pub b: Operand<'a>,
    /// How many.
    pub n_b: usize,
    /// Terms to add, at most [`DEPTH`].
    pub depth: usize,
    /// `[n_b][n_a][ROWS][COLUMNS]`
    pub tiles: &'a mut [f32],
}

impl Block<'_> {
    /// Adds the product to the tiles.
    pub fn run(self) {
        self.run_on(Arch::new());
    }

    /// The same by one set of kernels.
    fn run_on(self, kernels: Arch) {
        kernels.dispatch(self);
    }

    #[inline(always)]
    fn run_with<S: Simd, const REGISTERS: usize, const PANELS: usize>(self, simd: S) {
        for (j, tiles) in self.tiles.chunks_exact_mut(self.n_a * TILE).take(self.n_b).enumerate() {
            let b = &self.b.values[j * self.b.stride..][..self.depth * COLUMNS];
            let mut groups = tiles.chunks_exact_mut(PANELS * TILE);
            let mut i = 0;
            for tiles in groups.by_ref() {
                let a = std::array::from_fn(|p| &self.a.values[(i + p) * self.a.stride..][..self.depth * ROWS]);
                multiply::<S, REGISTERS, PANELS>(simd, a, b, tiles);
                i += PANELS;
            }
            for tile in groups.into_remainder().chunks_exact_mut(TILE) {
                let a = [&self.a.values[i * self.a.stride..][..self.depth * ROWS]];
                multiply::<S, REGISTERS, 1>(simd, a, b, tile);
                i += 1;
            }
        }
    }
}

impl WithSimd for Block<'_> {
    type Output = ();

    // With 512-bit lanes one panel has too few sums in flight to hide the latency of an addition, so two go together.
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match S::F32_LANES {
            16 => self.run_with::<S, 1, 2>(simd),
            8 => self.run_with::<S, 2, 1>(simd),
            4 => self.run_with::<S, 4, 1>(simd),
            _ => self.run_with::<S, 16, 1>(simd),
        }
    }
}

#[inline(always)]
fn multiply<S: Simd, const REGISTERS: usize, const PANELS: usize>(simd: S, a: [&[f32]; PANELS], b: &[f32], tiles: &mut [f32]) {
    let a = a.map(|panel| panel.as_chunks::<ROWS>().0);
    let (b, _) = S::as_simd_f32s(b);
    let (b, _) = b.as_chunks::<REGISTERS>();
    let depth = b.len();
    let a = a.map(|panel| &panel[..depth]);
    let mut sums = [[[simd.splat_f32s(0.0); REGISTERS]; ROWS]; PANELS];
    for k in 0..depth {
        let columns = b[k];
        for p in 0..PANELS {
            let rows = &a[p][k];
            for i in 0..ROWS {
                let row = simd.splat_f32s(rows[i]);
                for r in 0..REGISTERS {
                    sums[p][i][r] = simd.mul_add_f32s(row, columns[r], sums[p][i][r]);
                }
            }
        }
    }
    let (tiles, _) = S::as_mut_simd_f32s(tiles);
    for (tile, sums) in tiles.chunks_exact_mut(ROWS * REGISTERS).zip(&sums) {
        for (value, sum) in tile.iter_mut().zip(sums.as_flattened()) {
            *value = simd.add_f32s(*value, *sum);
        }
    }
}

/// Cuts `0..depth` into pieces of at most [`DEPTH`].
pub fn pieces(depth: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..depth).step_by(DEPTH).map(move |first| (first, DEPTH.min(depth - first)))
}

/// Adds `a · b` over their whole common depth to the tiles.
pub fn accumulate(a: &Panels, b: &Panels, tiles: &mut [f32]) {
    for (first, depth) in pieces(a.depth) {
        Block { a: a.slice(0, first), n_a: a.len(), b: b.slice(0, first), n_b: b.len(), depth, tiles }.run();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::cpu::kernels;

    fn numbers(n: usize, seed: u32) -> Vec<f32> {
        (0..n as u32).map(|i| ((i.wrapping_mul(2654435761).wrapping_add(seed * 97) >> 8) % 2001) as f32 / 1000.0 - 1.0).collect()
    }

    fn product(a: &[f32], b: &[f32], (m, n, depth): (usize, usize, usize)) -> Vec<f32> {
        let (a, b) = (Panels::pack(a, m, depth, ROWS), Panels::pack(b, n, depth, COLUMNS));
        let mut tiles = vec![0.0; a.len() * b.len() * TILE];
        accumulate(&a, &b, &mut tiles);
        let at = |i: usize, j: usize| tiles[((j / COLUMNS) * a.len() + i / ROWS) * TILE + (i % ROWS) * COLUMNS + j % COLUMNS];
        (0..m * n).map(|x| at(x / n, x % n)).collect()
    }

    #[test]
    fn product_equals_the_sums_in_double_precision() {
        for (m, n, depth) in [(1, 1, 1), (6, 16, 3), (7, 17, 255), (13, 40, 256), (25, 5, 257), (12, 33, 1000)] {
            let (a, b) = (numbers(m * depth, 1), numbers(n * depth, 2));
            for (x, value) in product(&a, &b, (m, n, depth)).iter().enumerate() {
                let (i, j) = (x / n, x % n);
                let exact: f64 = (0..depth).map(|k| f64::from(a[i * depth + k]) * f64::from(b[j * depth + k])).sum();
                assert!((f64::from(*value) - exact).abs() < 1e-4, "{m}×{n}×{depth} at {i},{j}: {value} is not {exact}");
            }
        }
    }

    #[test]
    fn a_row_is_the_same_whatever_rows_and_columns_are_beside_it() {
        let (depth, n) = (700, 50);
        let (a, b) = (numbers(40 * depth, 3), numbers(n * depth, 4));
        let all = product(&a, &b, (40, n, depth));
        for m in [1, 2, 5, 6, 7, 12, 39] {
            let some = product(&a[..m * depth], &b, (m, n, depth));
            assert_eq!(some, all[..m * n], "{m} rows");
        }
        let few = product(&a, &b[..3 * depth], (40, 3, depth));
        for i in 0..40 {
            assert_eq!(few[i * 3..][..3], all[i * n..][..3], "row {i}");
        }
    }

    /// The kernel of machines with 512-bit lanes, run on whatever this machine has.
    struct Paired<'a>(Block<'a>);

    impl WithSimd for Paired<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            match S::F32_LANES {
                16 => self.0.run_with::<S, 1, 1>(simd),
                8 => self.0.run_with::<S, 2, 2>(simd),
                4 => self.0.run_with::<S, 4, 2>(simd),
                _ => self.0.run_with::<S, 16, 2>(simd),
            }
        }
    }

    #[test]
    fn every_set_of_kernels_gives_the_same_bits() {
        let depth = 200;
        let (a, b) = (Panels::pack(&numbers(40 * depth, 5), 40, depth, ROWS), Panels::pack(&numbers(50 * depth, 6), 50, depth, COLUMNS));
        let product = |kernels| {
            let mut tiles = vec![0.0; a.len() * b.len() * TILE];
            Block { a: a.slice(0, 0), n_a: a.len(), b: b.slice(0, 0), n_b: b.len(), depth, tiles: &mut tiles }.run_on(kernels);
            tiles
        };
        let sets = kernels::all();
        assert!(sets.len() > 1 || kernels::name() == "scalar", "what this processor runs is among them");
        for set in &sets[1..] {
            assert_eq!(product(*set), product(sets[0]), "{}", kernels::name_of(*set));
        }
    }

    #[test]
    fn paired_panels_give_the_same_bits() {
        let depth = 200;
        let (a, b) = (Panels::pack(&numbers(40 * depth, 5), 40, depth, ROWS), Panels::pack(&numbers(50 * depth, 6), 50, depth, COLUMNS));
        let [mut single, mut paired] = [(); 2].map(|()| vec![0.0; a.len() * b.len() * TILE]);
        let block = |tiles| Block { a: a.slice(0, 0), n_a: a.len(), b: b.slice(0, 0), n_b: b.len(), depth, tiles };
        block(&mut single).run();
        Arch::new().dispatch(Paired(block(&mut paired)));
        assert_eq!(single, paired);
    }
}
