//! Pictures that are too large for the memory, in tiles that overlap.

use candle_core::{DType, Device, Result, Tensor};

use crate::{host, ops::Padding};

/// Most numbers that one picture may take in the widest layer; a larger one goes in tiles. Stable Diffusion's decoder has as many at 1024×1024.
///
/// In float32 on a processor more than four such tensors live at once (input, padded input, output, residual): 1.2 GiB were measured at 512×512, so
/// about 5 GiB. The plain operations hold some in float32 whatever the dtype, and two more.
const MAX_NUMBERS: usize = 1 << 28;
/// Most numbers that a batch of several pictures may take; a larger one goes in parts.
const MAX_BATCH_NUMBERS: usize = 1 << 26;
/// Smallest tile in latents: less would hardly hold what a pixel depends on.
const MIN_TILE: usize = 16;

/// One half of an autoencoder and the memory that it takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fit {
    /// Numbers of the widest layer for each pixel of a picture.
    pub(crate) width: usize,
    /// Numbers of input along one latent, and numbers of output.
    pub(crate) factors: (usize, usize),
    /// What lies beyond the edges.
    pub(crate) padding: Padding,
}

impl Fit {
    /// The network's output for `input` `[n, c, h, w]`: at once, in parts of the batch, or in tiles, as the memory allows.
    pub(crate) fn run(&self, input: &Tensor, network: impl Fn(&Tensor, Padding) -> Result<Tensor>) -> Result<Tensor> {
        let (n, _, height, width) = input.dims4()?;
        let (factor, out_factor) = self.factors;
        let picture = height * width * (factor.max(out_factor) / factor).pow(2);
        let n_rows = (MAX_BATCH_NUMBERS / self.width / picture.max(1)).clamp(1, n.max(1));
        let side = self.tile_side(picture).filter(|_| height % factor == 0 && width % factor == 0);
        let run = |rows: &Tensor| match side {
            Some(side) => Blended { side, factors: self.factors, padding: self.padding }.run(rows, |tile| network(tile, Padding::Zeros)),
            None => network(rows, self.padding),
        };
        if n_rows == n {
            return run(input);
        }
        let parts = (0..n).step_by(n_rows).map(|first| run(&input.narrow(0, first, n_rows.min(n - first))?));
        Tensor::cat(&parts.collect::<Result<Vec<_>>>()?, 0)
    }

    /// The longest side in latents of tiles within the memory, where a picture of so many pixels needs tiles.
    fn tile_side(&self, picture: usize) -> Option<usize> {
        let most = MAX_NUMBERS / self.width;
        let factor = self.factors.0.max(self.factors.1);
        (picture > most).then(|| (most.isqrt() / factor / 4 * 4).max(MIN_TILE))
    }
}

/// Tiles whose common pixels fade from one to the next, as diffusers' `tiled_decode` with its overlap of a quarter.
///
/// The tiles of a network with group normalisation are not what the whole would be, because each tile is normalised by its own pixels: with the
/// starter model's decoder 30 dB from the whole at tiles of 16 latents, 38 dB at 32.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blended {
    /// Longest side of a tile in latents, a multiple of 4.
    pub(crate) side: usize,
    /// Numbers of input along one latent, and numbers of output.
    pub(crate) factors: (usize, usize),
    /// What lies beyond the edges.
    pub(crate) padding: Padding,
}

impl Blended {
    /// The network's output for `input` `[n, c, h, w]`; sides must be whole latents.
    pub(crate) fn run(&self, input: &Tensor, network: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Tensor> {
        let (factor, out_factor) = self.factors;
        let lengths = [input.dim(2)? / factor, input.dim(3)? / factor];
        let margins = lengths.map(|length| if self.padding == Padding::Circular { (self.side / 4).min(length) } else { 0 });
        let mut extended = input.clone();
        for (axis, margin) in [(2, margins[0]), (3, margins[1])] {
            if margin > 0 {
                extended = Tensor::cat(&[&extended, &extended.narrow(axis, 0, margin * factor)?], axis)?;
            }
        }
        let cuts = [0, 1].map(|axis| Cut::new(lengths[axis] + margins[axis], self.side));
        let mut out = self.cut(&extended, cuts, network)?;
        for (axis, length, margin) in [(2, lengths[0], margins[0]), (3, lengths[1], margins[1])] {
            if margin > 0 {
                // The extension shows the first pixels as the last ones' neighbours.
                let (length, margin) = (length * out_factor, margin * out_factor);
                out = fade(&out.narrow(axis, length, margin)?, &out.narrow(axis, 0, length)?, axis, margin)?;
            }
        }
        Ok(out)
    }

    fn cut(&self, input: &Tensor, [down, across]: [Cut; 2], network: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Tensor> {
        let (factor, out_factor) = self.factors;
        let piece = |tensor: &Tensor, axis: usize, first: usize, cut: Cut| {
            let length = (cut.side * factor).min(tensor.dim(axis)? - first * factor);
            tensor.narrow(axis, first * factor, length)?.contiguous()
        };
        let crop = |tensor: &Tensor, axis: usize, cut: Cut| tensor.narrow(axis, 0, (cut.stride * out_factor).min(tensor.dim(axis)?));
        let (mut above, mut rows): (Vec<Tensor>, Vec<Tensor>) = (Vec::new(), Vec::new());
        for top in down.firsts() {
            let band = piece(input, 2, top, down)?;
            let mut tiles: Vec<Tensor> = Vec::new();
            for (i, left) in across.firsts().enumerate() {
                let mut tile = network(&piece(&band, 3, left, across)?)?;
                if let Some(above) = above.get(i) {
                    tile = fade(above, &tile, 2, down.overlap() * out_factor)?;
                }
                if let Some(before) = tiles.last() {
                    tile = fade(before, &tile, 3, across.overlap() * out_factor)?;
                }
                tiles.push(tile);
            }
            let cropped = tiles.iter().map(|tile| crop(&crop(tile, 2, down)?, 3, across));
            rows.push(Tensor::cat(&cropped.collect::<Result<Vec<_>>>()?, 3)?);
            above = tiles;
        }
        Tensor::cat(&rows, 2)
    }
}

/// How one axis is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cut {
    length: usize,
    side: usize,
    stride: usize,
}

impl Cut {
    /// As few tiles as overlap by a quarter and are no longer than `longest`, all about as long.
    fn new(length: usize, longest: usize) -> Self {
        if length <= longest {
            return Self { length, side: length, stride: length };
        }
        let n_tiles = length.div_ceil(longest / 4 * 3);
        let stride = length.div_ceil(n_tiles).next_multiple_of(3);
        Self { length, side: stride / 3 * 4, stride }
    }

    fn overlap(self) -> usize {
        self.side - self.stride
    }

    fn firsts(self) -> impl Iterator<Item = usize> {
        (0..self.length).step_by(self.stride)
    }
}

/// `after`, whose first pixels fade in from the last ones of `before`.
fn fade(before: &Tensor, after: &Tensor, axis: usize, overlap: usize) -> Result<Tensor> {
    let (length, last) = (after.dim(axis)?, before.dim(axis)?);
    let overlap = overlap.min(length).min(last);
    if overlap == 0 {
        return Ok(after.clone());
    }
    let mut shape = [1; 4];
    shape[axis] = overlap;
    let ramp: Vec<f32> = (0..overlap).map(|i| i as f32 / overlap as f32).collect();
    let ramp = Tensor::from_vec(ramp, &shape, after.device())?.to_dtype(after.dtype())?;
    let (old, new) = (before.narrow(axis, last - overlap, overlap)?, after.narrow(axis, 0, overlap)?);
    let mixed = (old.broadcast_mul(&ramp.affine(-1.0, 1.0)?)? + new.broadcast_mul(&ramp)?)?;
    if overlap == length { Ok(mixed) } else { Tensor::cat(&[&mixed, &after.narrow(axis, overlap, length - overlap)?], axis) }
}

/// Tiles that see so many pixels around them, and of which only their own are kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cropped {
    /// Longest side of a tile.
    pub(crate) side: usize,
    /// Pixels around it that the network sees too.
    pub(crate) reach: usize,
    /// Numbers of output along one of input.
    pub(crate) factor: usize,
}

impl Cropped {
    /// The network's output for `input` `[n, c, h, w]` as float32 in main memory.
    pub(crate) fn run(&self, input: &Tensor, network: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Tensor> {
        let (n, _, height, width) = input.dims4()?;
        let (side, factor) = (self.side.max(1), self.factor);
        let plane = height * factor * width * factor;
        let (mut values, mut channels) = (Vec::new(), 0);
        for row in 0..n {
            let input = input.narrow(0, row, 1)?;
            for top in (0..height).step_by(side) {
                for left in (0..width).step_by(side) {
                    let tile = self.tile(&input, [(top, side.min(height - top)), (left, side.min(width - left))], &network)?;
                    let (_, n_channels, tall, wide) = tile.dims4()?;
                    if values.is_empty() {
                        channels = n_channels;
                        values = vec![0.0_f32; n * channels * plane];
                    }
                    let tile = tile.flatten_all()?.to_vec1::<f32>()?;
                    for (i, line) in tile.chunks_exact(wide).enumerate() {
                        let (channel, y) = (row * channels + i / tall, top * factor + i % tall);
                        values[channel * plane + y * width * factor + left * factor..][..wide].copy_from_slice(line);
                    }
                }
            }
        }
        Tensor::from_vec(values, (n, channels, height * factor, width * factor), &Device::Cpu)
    }

    /// One tile, given by first pixel and length of both axes.
    fn tile(&self, input: &Tensor, axes: [(usize, usize); 2], network: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Tensor> {
        let mut seen = input.clone();
        let mut before = [0; 2];
        for (axis, (first, length)) in axes.into_iter().enumerate() {
            let start = first.saturating_sub(self.reach);
            let end = (first + length + self.reach).min(input.dim(axis + 2)?);
            seen = seen.narrow(axis + 2, start, end - start)?;
            before[axis] = first - start;
        }
        let mut out = network(&seen.contiguous()?)?;
        for (axis, (_, length)) in axes.into_iter().enumerate() {
            out = out.narrow(axis + 2, before[axis] * self.factor, length * self.factor)?;
        }
        host::tensor(&out)?.to_dtype(DType::F32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(height: usize, width: usize) -> Tensor {
        let values: Vec<f32> = (0..2 * height * width).map(|i| (i as f32 * 0.7).sin()).collect();
        Tensor::from_vec(values, (1, 2, height, width), &Device::Cpu).expect("a picture")
    }

    fn difference(a: &Tensor, b: &Tensor) -> f32 {
        assert_eq!(a.dims(), b.dims());
        let values = (a - b).and_then(|difference| difference.abs()?.flatten_all()?.to_vec1::<f32>()).expect("a difference");
        values.into_iter().fold(0.0, f32::max)
    }

    #[test]
    fn only_pictures_beyond_the_memory_go_in_tiles() {
        for (width, side, expected) in
            [(256, 512, None), (256, 1024, None), (256, 1032, Some(128)), (128, 2048, Some(180)), (32, 2048, None)]
        {
            let fit = Fit { width, factors: (1, 8), padding: Padding::Zeros };
            assert_eq!(fit.tile_side(side * side), expected, "{side}×{side}, {width} wide");
        }
    }

    #[test]
    fn batches_beyond_the_memory_go_in_parts() {
        let calls = std::cell::RefCell::new(Vec::new());
        let fit = Fit { width: 1 << 20, factors: (1, 1), padding: Padding::Circular }; // Two rows of 32 pixels fit.
        let rows = Tensor::arange(0.0_f32, 5.0, &Device::Cpu).and_then(|rows| rows.reshape((5, 1, 1, 1))).expect("rows");
        let rows = rows.broadcast_as((5, 1, 4, 8)).and_then(|rows| rows.contiguous()).expect("rows");
        let found = fit.run(&rows, |part, padding| {
            calls.borrow_mut().push((part.dim(0)?, padding));
            Ok(part.clone())
        });
        assert_eq!(difference(&found.expect("all rows"), &rows), 0.0);
        assert_eq!(*calls.borrow(), [(2, Padding::Circular), (2, Padding::Circular), (1, Padding::Circular)]);
    }

    #[test]
    fn axes_are_cut_evenly() {
        for (length, longest, expected) in [
            (64, 64, (64, 64, 1)),
            (65, 64, (44, 33, 2)),
            (96, 64, (64, 48, 2)),
            (97, 64, (44, 33, 3)),
            (128, 108, (88, 66, 2)),
            (256, 108, (88, 66, 4)),
            (20, 16, (16, 12, 2)),
            (5, 4, (4, 3, 2)),
        ] {
            let cut = Cut::new(length, longest);
            assert_eq!((cut.side, cut.stride, cut.firsts().count()), expected, "{length} in tiles of {longest}");
        }
    }

    #[test]
    fn a_network_that_sees_one_pixel_is_not_changed_by_tiles() {
        let double = |tile: &Tensor| tile.upsample_nearest2d(2 * tile.dim(2)?, 2 * tile.dim(3)?);
        let halve = |tile: &Tensor| tile.avg_pool2d(2);
        for (height, width) in [(4, 4), (21, 9), (34, 20)] {
            for padding in [Padding::Zeros, Padding::Circular] {
                let tiles = |factors| Blended { side: 8, factors, padding };
                let (small, large) = (picture(height, width), picture(2 * height, 2 * width));
                let found = tiles((1, 2)).run(&small, double).expect("decoded");
                assert!(difference(&found, &double(&small).expect("decoded")) < 1e-6, "{height}×{width}, {padding:?}");
                let found = tiles((2, 1)).run(&large, halve).expect("encoded");
                assert!(difference(&found, &halve(&large).expect("encoded")) < 1e-6, "{height}×{width}, {padding:?}");
            }
            for side in [1, 3, 8, 100] {
                let found = Cropped { side, reach: 2, factor: 2 }.run(&picture(height, width), double).expect("enlarged");
                assert_eq!(difference(&found, &double(&picture(height, width)).expect("enlarged")), 0.0);
            }
        }
    }
}
