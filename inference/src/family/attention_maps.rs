//! What a network looked at while it drew: the words of its prompt, place by place (Tang et al. 2022, "What the DAAM").

use std::cell::RefCell;

use candle_core::{Result, Tensor};
use image::GrayImage;

use crate::{
    error::InferenceError,
    host,
    ops::{Attention, shares},
    text::WordPlace,
};

/// How much each place of one picture looked at each token of its prompt, added up over heads, layers and steps. It stays where it is computed until it is
/// read.
#[derive(Default)]
pub(crate) struct AttentionMaps {
    levels: RefCell<Vec<Level>>,
}

/// Layers of one size.
struct Level {
    /// Height and width.
    size: (usize, usize),
    /// `[height·width, tokens]`, each row adds up to `n`.
    sum: Tensor,
    n: usize,
}

/// Where a picture looked at a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WordMap {
    /// The word.
    pub word: String,
    /// In the size of the network's largest layers: black where it was looked at least, white where most.
    pub heat: GrayImage,
}

impl AttentionMaps {
    /// Adds what a layer looked at: queries `[1, height·width, w]` of the picture and keys `[1, tokens, w]` of the prompt.
    pub(crate) fn add(&self, q: &Tensor, keys: &Tensor, options: Attention, size: (usize, usize)) -> Result<()> {
        let shares = shares(q, keys, options)?;
        let mut levels = self.levels.borrow_mut();
        match levels.iter_mut().find(|level| level.size == size && level.sum.dims() == shares.dims()) {
            Some(level) => {
                level.sum = (&level.sum + shares)?;
                level.n += 1;
            }
            None => levels.push(Level { size, sum: shares, n: 1 }),
        }
        Ok(())
    }

    /// Where each of these words was looked at: the mean over its tokens, heads, layers and steps; none where nothing was noted.
    pub(crate) fn of_words(&self, words: &[WordPlace]) -> std::result::Result<Vec<WordMap>, InferenceError> {
        let levels = self.levels.borrow();
        let Some(size) = levels.iter().map(|level| level.size).max_by_key(|(height, width)| height * width) else { return Ok(Vec::new()) };
        let mut heats = vec![vec![0.0_f32; size.0 * size.1]; words.len()];
        for level in &*levels {
            let (numbers, n_tokens) = (host::floats(&level.sum)?, level.sum.dim(1)?);
            for (place, heat) in words.iter().zip(&mut heats) {
                let of_word =
                    |row: &[f32]| place.tokens.iter().filter_map(|token| row.get(*token)).sum::<f32>() / place.tokens.len() as f32;
                let small: Vec<f32> = numbers.chunks(n_tokens).map(of_word).collect();
                add_enlarged(heat, size, &small, level.size);
            }
        }
        Ok(words.iter().zip(heats).map(|(place, heat)| WordMap { word: place.word.clone(), heat: stretched(&heat, size) }).collect())
    }

    /// How many layers and steps were noted.
    #[cfg(test)]
    pub(crate) fn n(&self) -> usize {
        self.levels.borrow().iter().map(|level| level.n).sum()
    }

    /// The mean share of each token, `[height, width, tokens]` flat, of each size.
    #[cfg(test)]
    pub(crate) fn means(&self) -> Vec<((usize, usize), Vec<f32>)> {
        let mean = |level: &Level| (&level.sum / level.n as f64).and_then(|mean| mean.flatten_all()?.to_vec1()).expect("numbers");
        self.levels.borrow().iter().map(|level| (level.size, mean(level))).collect()
    }
}

/// Adds a smaller map to a larger one, smoothly enlarged (bilinear, places as their middles).
fn add_enlarged(large: &mut [f32], (height, width): (usize, usize), small: &[f32], (small_height, small_width): (usize, usize)) {
    let weights = |at: usize, n: usize, n_small: usize| {
        let place = ((at as f32 + 0.5) * n_small as f32 / n as f32 - 0.5).clamp(0.0, (n_small - 1) as f32);
        let first = place as usize;
        (first, (first + 1).min(n_small - 1), place - first as f32)
    };
    for y in 0..height {
        let (above, below, down) = weights(y, height, small_height);
        for x in 0..width {
            let (left, right, across) = weights(x, width, small_width);
            let row = |y: usize| small[y * small_width + left] * (1.0 - across) + small[y * small_width + right] * across;
            large[y * width + x] += row(above) * (1.0 - down) + row(below) * down;
        }
    }
}

/// From the least to the most.
fn stretched(heat: &[f32], (height, width): (usize, usize)) -> GrayImage {
    let (least, most) = heat.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(least, most), value| (least.min(*value), most.max(*value)));
    let range = (most - least).max(f32::MIN_POSITIVE);
    let bytes = heat.iter().map(|value| ((value - least) / range * 255.0).round() as u8).collect();
    GrayImage::from_raw(width as u32, height as u32, bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::noise::TorchGenerator;

    fn tensor(seed: u64, shape: (usize, usize, usize)) -> Tensor {
        let n = shape.0 * shape.1 * shape.2;
        Tensor::from_vec(TorchGenerator::new(seed).randn(n), shape, &Device::Cpu).expect("numbers")
    }

    /// softmax(q·kᵀ/√width) in f64, number by number, as the mean over heads: `[s][t]`.
    fn plain(q: &Tensor, keys: &Tensor, n_heads: usize) -> Vec<Vec<f64>> {
        let rows = |tensor: &Tensor| tensor.squeeze(0).and_then(|rows| rows.to_vec2::<f32>()).expect("numbers");
        let (q, keys) = (rows(q), rows(keys));
        let width = q[0].len() / n_heads;
        let of_head = |q: &[f32], head: usize| {
            let dot = |key: &Vec<f32>| (head * width..(head + 1) * width).map(|i| f64::from(q[i]) * f64::from(key[i])).sum::<f64>();
            let scores: Vec<f64> = keys.iter().map(|key| (dot(key) / (width as f64).sqrt()).exp()).collect();
            let sum: f64 = scores.iter().sum();
            scores.into_iter().map(|score| score / sum / n_heads as f64).collect::<Vec<_>>()
        };
        let of = |q: &Vec<f32>| {
            let heads: Vec<Vec<f64>> = (0..n_heads).map(|head| of_head(q, head)).collect();
            (0..keys.len()).map(|token| heads.iter().map(|head| head[token]).sum()).collect()
        };
        q.iter().map(of).collect()
    }

    /// Within 1e-5 of shares that add up to 1.
    #[test]
    fn maps_are_the_mean_of_a_plain_softmax_over_heads_layers_and_steps() {
        let maps = AttentionMaps::default();
        let mut wanted: Vec<((usize, usize), Vec<f64>, usize)> = Vec::new();
        for (seed, (size, n_heads, width)) in
            (0..).zip([((4, 6), 2, 16), ((4, 6), 2, 16), ((2, 3), 4, 32), ((4, 6), 1, 8), ((1, 1), 8, 64)])
        {
            let (q, keys) = (tensor(seed, (1, size.0 * size.1, width)), tensor(seed + 100, (1, 77, width)));
            maps.add(&q, &keys, Attention { n_heads, is_causal: false, upcast: false }, size).expect("added");
            let shares = plain(&q, &keys, n_heads).concat();
            match wanted.iter_mut().find(|(of, ..)| *of == size) {
                Some((_, sum, n)) => {
                    sum.iter_mut().zip(&shares).for_each(|(sum, share)| *sum += share);
                    *n += 1;
                }
                None => wanted.push((size, shares, 1)),
            }
        }
        let found = maps.means();
        assert_eq!((found.len(), maps.n()), (3, 5));
        for ((size, mean), (wanted_size, sum, n)) in found.iter().zip(&wanted) {
            assert_eq!(size, wanted_size);
            for (mean, sum) in mean.iter().zip(sum) {
                assert!((f64::from(*mean) - sum / *n as f64).abs() < 1e-5, "{size:?}: {mean}, not {}", sum / *n as f64);
            }
        }
    }

    #[test]
    fn a_word_is_hot_where_its_tokens_are_looked_at_and_small_layers_count_as_much_as_large_ones() {
        let options = Attention { n_heads: 1, is_causal: false, upcast: false };
        let maps = AttentionMaps::default();
        // The token `t` is looked at by the place whose query is its key.
        let keys = Tensor::eye(8, candle_core::DType::F32, &Device::Cpu).and_then(|keys| keys.unsqueeze(0)? * 30.0).expect("keys");
        let look = |size: (usize, usize), at: &[usize]| {
            let rows: Vec<Tensor> = at.iter().map(|token| keys.narrow(1, *token, 1).expect("a key")).collect();
            maps.add(&Tensor::cat(&rows, 1).expect("queries"), &keys, options, size).expect("added");
        };
        assert_eq!(maps.of_words(&[]).expect("read"), []);
        let all: Vec<usize> = (0..16).map(|place| if place % 4 < 2 { 3 } else { 5 }).collect();
        look((4, 4), &all);
        look((1, 2), &[3, 4]);
        let place = |word: &str, tokens: &[usize]| WordPlace { word: word.into(), tokens: tokens.to_vec() };
        let found = maps.of_words(&[place("left", &[3]), place("right", &[5, 4]), place("gone", &[70])]).expect("read");
        assert_eq!(found.iter().map(|map| map.word.as_str()).collect::<Vec<_>>(), ["left", "right", "gone"]);
        for y in 0..4 {
            let row = |map: &WordMap| (0..4).map(|x| map.heat.get_pixel(x, y)[0]).collect::<Vec<_>>();
            assert_eq!((row(&found[0])[0], row(&found[0])[3], row(&found[1])[0], row(&found[1])[3]), (255, 0, 0, 255), "{y}");
            assert!(row(&found[0]).is_sorted_by(|a, b| a >= b), "{y}: {:?}", row(&found[0]));
        }
        assert!(found[2].heat.pixels().all(|pixel| pixel[0] == 0));
    }
}
