//! Convolution: patches of the whole batch are packed on the fly and go through the matrix kernel, `weights [out, in·k·k] × patches [in·k·k, pixels]`.

use std::ops::Range;

use rayon::prelude::*;

use super::{
    super::padding::Padding,
    Branch,
    gemm::{Block, COLUMNS, DEPTH, Operand, Panels, ROWS, TILE, pieces},
};

/// Panels of pixels that are computed before they are written out; bounds the memory of large pictures.
const WAVE: usize = 4096;
/// Most panels in one task.
const TASK: usize = 16;

/// Shape of one convolution's input and filter.
#[derive(Clone, Copy, Debug)]
pub struct Geometry {
    /// Rows of the batch.
    pub n: usize,
    /// Channels in.
    pub channels: usize,
    /// Height and width in.
    pub size: (usize, usize),
    /// Side of the filter.
    pub kernel: usize,
    /// Pixels from one output to the next.
    pub stride: usize,
    /// Pixels added before and after each side.
    pub padding: (usize, usize),
    /// What they hold.
    pub beyond: Padding,
}

impl Geometry {
    fn padded(&self) -> (usize, usize) {
        let added = self.padding.0 + self.padding.1;
        (self.size.0 + added, self.size.1 + added)
    }

    /// Height and width out.
    pub fn out(&self) -> (usize, usize) {
        let (height, width) = self.padded();
        ((height - self.kernel) / self.stride + 1, (width - self.kernel) / self.stride + 1)
    }
}

/// What is added to a convolution.
#[derive(Clone, Copy, Default)]
pub struct Extra<'a> {
    /// `[out]`
    pub bias: Option<&'a [f32]>,
    /// `[n, out]`
    pub row_bias: Option<&'a [f32]>,
    /// `[n, out, h, w]`
    pub residual: Option<&'a [f32]>,
    /// What changes the weights, each so many times, for each row; or nothing for all.
    pub branches: &'a [Vec<(&'a Branch, f32)>],
}

/// `[n, out, h, w]` of `[n, in, h, w]` and packed weights.
pub fn conv2d(input: &[f32], weights: &Panels, geometry: Geometry, extra: Extra<'_>) -> Vec<f32> {
    let padded = pad(input, &geometry);
    let patches = Patches::new(padded.as_deref().unwrap_or(input), &geometry);
    let (height, width) = geometry.out();
    let mut out = vec![0.0; geometry.n * weights.n * height * width];
    let n_panels = patches.bases.len() / COLUMNS;
    let rows = Rows { plane: height * width, branches: extra.branches };
    for wave in (0..n_panels).step_by(WAVE) {
        let n_panels = WAVE.min(n_panels - wave);
        let plan = Plan::new(n_panels, weights.len());
        let tiles: Vec<Vec<f32>> =
            (0..plan.n_tasks()).into_par_iter().map(|task| compute(&patches, (weights, rows), wave, plan.block(task))).collect();
        store(&mut out, (height * width, weights.n), wave * COLUMNS..(wave + n_panels) * COLUMNS, extra, |pixel, channel| {
            let (panel, column) = (pixel / COLUMNS - wave, pixel % COLUMNS);
            let (task, offset) = plan.find(panel, channel / ROWS);
            &tiles[task][offset * TILE + channel % ROWS * COLUMNS + column..]
        });
    }
    out
}

/// Which panels of pixels and of weights each task computes.
struct Plan {
    n_panels: usize,
    n_weights: usize,
    panels: usize,
    weights: usize,
}

impl Plan {
    fn new(n_panels: usize, n_weights: usize) -> Self {
        let threads = rayon::current_num_threads();
        let panels = n_panels.div_ceil(threads * 3).clamp(1, TASK);
        // Few pixels (the deepest level of a single picture): the channels are shared out instead.
        let parts = (threads / n_panels.div_ceil(panels)).max(1);
        Self { n_panels, n_weights, panels, weights: n_weights.div_ceil(parts).max(1) }
    }

    fn columns(&self) -> usize {
        self.n_weights.div_ceil(self.weights)
    }

    fn n_tasks(&self) -> usize {
        self.n_panels.div_ceil(self.panels) * self.columns()
    }

    /// First and number of panels of pixels, then of weights.
    fn block(&self, task: usize) -> [(usize, usize); 2] {
        let (panel, weight) = (task / self.columns() * self.panels, task % self.columns() * self.weights);
        [(panel, self.panels.min(self.n_panels - panel)), (weight, self.weights.min(self.n_weights - weight))]
    }

    /// The task and the tile in it that hold this panel of pixels and of weights.
    fn find(&self, panel: usize, weight: usize) -> (usize, usize) {
        let task = panel / self.panels * self.columns() + weight / self.weights;
        let n_weights = self.weights.min(self.n_weights - weight / self.weights * self.weights);
        (task, panel % self.panels * n_weights + weight % self.weights)
    }
}

/// Which pixels, counted over the whole batch, have which branches.
#[derive(Clone, Copy)]
struct Rows<'a> {
    plane: usize,
    branches: &'a [Vec<(&'a Branch, f32)>],
}

/// A row's branch in a block of panels.
struct Inner<'a> {
    branch: &'a Branch,
    factor: f32,
    /// The row's pixels.
    pixels: Range<usize>,
    /// The panels that hold some of them, counted in the block.
    panels: Range<usize>,
    /// `[panels][rank panels][ROWS][COLUMNS]`
    tiles: Vec<f32>,
}

impl<'a> Rows<'a> {
    /// The branches of `n` panels of pixels from `first` on, row by row.
    fn inner(self, first: usize, n: usize) -> Vec<Inner<'a>> {
        let mut all = Vec::new();
        for (row, branches) in self.branches.iter().enumerate() {
            let pixels = row * self.plane..(row + 1) * self.plane;
            let panels = (pixels.start / COLUMNS).max(first)..pixels.end.div_ceil(COLUMNS).min(first + n);
            if panels.is_empty() {
                continue;
            }
            let panels = panels.start - first..panels.end - first;
            all.extend(branches.iter().map(|(branch, factor)| {
                let tiles = vec![0.0; panels.len() * branch.down.len() * TILE];
                Inner { branch, factor: *factor, pixels: pixels.clone(), panels: panels.clone(), tiles }
            }));
        }
        all
    }
}

impl Inner<'_> {
    /// Multiplies what the first matrix made, whose tiles are panels for the second already; pixels of other rows get none of it.
    fn scale(&mut self, first: usize) {
        let n = self.branch.down.len() * TILE;
        for (panel, tiles) in self.tiles.chunks_exact_mut(n).enumerate() {
            let pixel = (first + self.panels.start + panel) * COLUMNS;
            let own = self.pixels.start.max(pixel) - pixel..self.pixels.end.min(pixel + COLUMNS) - pixel;
            for values in tiles.as_chunks_mut::<COLUMNS>().0 {
                values[..own.start].fill(0.0);
                values[own.end..].fill(0.0);
                values.iter_mut().for_each(|value| *value *= self.factor);
            }
        }
    }
}

fn compute(
    patches: &Patches<'_>,
    (weights, rows): (&Panels, Rows<'_>),
    wave: usize,
    [(panel, n_b), (weight, n_a)]: [(usize, usize); 2],
) -> Vec<f32> {
    let mut tiles = vec![0.0; n_b * n_a * TILE];
    let mut packed = vec![0.0; n_b * DEPTH.min(weights.depth) * COLUMNS];
    let mut inner = rows.inner(wave + panel, n_b);
    for (first, depth) in pieces(weights.depth) {
        for (j, packed) in packed.chunks_exact_mut(depth * COLUMNS).take(n_b).enumerate() {
            patches.pack(wave + panel + j, first, packed);
        }
        let b = Operand { values: &packed, stride: depth * COLUMNS };
        Block { a: weights.slice(weight, first), n_a, b, n_b, depth, tiles: &mut tiles }.run();
        for Inner { branch, panels, tiles, .. } in &mut inner {
            let (n_a, n_b) = (branch.down.len(), panels.len());
            let b = Operand { values: &packed[panels.start * depth * COLUMNS..], ..b };
            Block { a: branch.down.slice(0, first), n_a, b, n_b, depth, tiles }.run();
        }
    }
    for mut inner in inner {
        inner.scale(wave + panel);
        let Inner { branch, panels, tiles: inner, .. } = inner;
        let (stride, n_b) = (branch.down.len() * TILE, panels.len());
        let tiles = &mut tiles[panels.start * n_a * TILE..panels.end * n_a * TILE];
        for (first, depth) in pieces(branch.up.depth) {
            let b = Operand { values: &inner[first * COLUMNS..], stride };
            Block { a: branch.up.slice(weight, first), n_a, b, n_b, depth, tiles: &mut *tiles }.run();
        }
    }
    tiles
}

/// Writes the pixels in `range` (counted over the whole batch) from their tiles and adds what is to be added.
fn store<'a>(
    out: &mut [f32],
    (plane, channels): (usize, usize),
    range: Range<usize>,
    extra: Extra<'_>,
    tile: impl Fn(usize, usize) -> &'a [f32] + Sync,
) {
    out.par_chunks_mut(plane).enumerate().for_each(|(index, out)| {
        let (row, channel) = (index / channels, index % channels);
        let start = row * plane;
        let (first, last) = (range.start.max(start), range.end.min(start + plane));
        let bias = extra.bias.map_or(0.0, |bias| bias[channel]) + extra.row_bias.map_or(0.0, |bias| bias[index]);
        let mut pixel = first;
        while pixel < last {
            let n = (COLUMNS - pixel % COLUMNS).min(last - pixel);
            let values = &tile(pixel, channel)[..n];
            let out = &mut out[pixel - start..][..n];
            match extra.residual {
                Some(residual) => {
                    let residual = &residual[index * plane + pixel - start..][..n];
                    out.iter_mut().zip(values).zip(residual).for_each(|((out, value), residual)| *out = value + bias + residual);
                }
                None => out.iter_mut().zip(values).for_each(|(out, value)| *out = value + bias),
            }
            pixel += n;
        }
    });
}

/// A copy with the padding around each plane; `None` where there is nothing to add.
fn pad(input: &[f32], geometry: &Geometry) -> Option<Vec<f32>> {
    if geometry.padding == (0, 0) {
        return None;
    }
    let ((height, width), (padded_height, padded_width)) = (geometry.size, geometry.padded());
    let before = geometry.padding.0;
    let mut padded = vec![0.0; geometry.n * geometry.channels * padded_height * padded_width];
    padded.par_chunks_mut(padded_height * padded_width).zip(input.par_chunks(height * width)).with_min_len(8).for_each(
        |(padded, plane)| match geometry.beyond {
            Padding::Zeros => {
                for (padded, row) in padded.chunks_exact_mut(padded_width).skip(before).zip(plane.chunks_exact(width)) {
                    padded[before..before + width].copy_from_slice(row);
                }
            }
            Padding::Circular => {
                // A side may be shorter than its padding.
                let (top, left) = (height - before % height, width - before % width);
                for (y, padded) in padded.chunks_exact_mut(padded_width).enumerate() {
                    let row = &plane[(top + y) % height * width..][..width];
                    padded.iter_mut().enumerate().for_each(|(x, value)| *value = row[(left + x) % width]);
                }
            }
        },
    );
    Some(padded)
}

/// Where the patches lie in the padded input.
struct Patches<'a> {
    input: &'a [f32],
    /// The first number of each output pixel's patch, filled up to whole panels.
    bases: Vec<usize>,
    /// The distance of each term of a patch from its first number.
    terms: Vec<usize>,
    /// So many pixels in a row lie side by side in the input.
    run: usize,
}

impl<'a> Patches<'a> {
    fn new(input: &'a [f32], geometry: &Geometry) -> Self {
        let ((height, width), (padded_height, padded_width)) = (geometry.out(), geometry.padded());
        let Geometry { n, channels, kernel, stride, .. } = *geometry;
        let plane = padded_height * padded_width;
        let pixel = |p: usize| (p / width % height * padded_width + p % width) * stride + p / (width * height) * channels * plane;
        let pixel = |p: usize| if p < n * height * width { pixel(p) } else { 0 };
        let bases = (0..(n * height * width).next_multiple_of(COLUMNS)).map(pixel).collect();
        let terms = (0..channels * kernel * kernel)
            .map(|k| k / (kernel * kernel) * plane + k / kernel % kernel * padded_width + k % kernel)
            .collect();
        let is_flat = kernel == 1 && stride == 1 && padded_width == width;
        let side_by_side = if is_flat { width * height } else { width };
        let run = if stride == 1 { [16, 8, 4].into_iter().find(|run| side_by_side % run == 0).unwrap_or(1) } else { 1 };
        Self { input, bases, terms, run }
    }

    /// Packs the terms from `first` on of one panel of pixels.
    fn pack(&self, panel: usize, first: usize, packed: &mut [f32]) {
        let bases = &self.bases[panel * COLUMNS..][..COLUMNS];
        let terms = &self.terms[first..];
        match self.run {
            16 => pack::<16>(self.input, bases, terms, packed),
            8 => pack::<8>(self.input, bases, terms, packed),
            4 => pack::<4>(self.input, bases, terms, packed),
            _ => pack::<1>(self.input, bases, terms, packed),
        }
    }
}

fn pack<const RUN: usize>(input: &[f32], bases: &[usize], terms: &[usize], packed: &mut [f32]) {
    for (columns, term) in packed.chunks_exact_mut(COLUMNS).zip(terms) {
        for (columns, base) in columns.as_chunks_mut::<RUN>().0.iter_mut().zip(bases.iter().step_by(RUN)) {
            columns.copy_from_slice(&input[base + term..][..RUN]);
        }
    }
}
