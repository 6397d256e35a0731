//! How a task's pictures read its prompt each in their own way.

use sha2::{Digest, Sha256};

use super::{Seed, TextToImage};
use crate::{family::Drift, text};

/// The most chaos.
pub const MAX_CHAOS: u32 = 100;
/// The most weirdness.
pub const MAX_WEIRD: u32 = 3000;

/// Share of noise in what a prompt becomes, at the most chaos and at the most weirdness. With more, pictures have little of the prompt.
const MOST: f64 = 0.6;
/// So that the noise is not the one that the picture begins with.
const OTHER_NOISE: u64 = 0x6368_616f;

impl TextToImage {
    /// How the picture of a seed reads the prompt: with weirdness as all pictures of that prompt do, with chaos in a way of its own.
    pub(crate) fn drifts(&self, seed: Seed) -> Vec<Drift> {
        let mut drifts = Vec::new();
        if self.weird > 0 {
            let digest = Sha256::digest(self.prompt.as_bytes());
            let seed = digest.iter().take(4).fold(0, |seed, byte| seed << 8 | u64::from(*byte));
            drifts.push(Drift { seed, amount: MOST * f64::from(self.weird) / f64::from(MAX_WEIRD) });
        }
        if self.chaos > 0 {
            drifts.push(Drift { seed: seed.0 ^ OTHER_NOISE, amount: MOST * f64::from(self.chaos) / f64::from(MAX_CHAOS) });
        }
        drifts
    }

    /// The texts that are encoded in place of the prompt: those that are compared, its parts, or itself.
    pub(crate) fn texts(&self) -> Vec<&str> {
        if !self.readings.is_empty() {
            return self.readings.iter().map(String::as_str).collect();
        }
        let parts = text::parts(&self.prompt).ok().flatten().filter(|_| self.has_parts);
        parts.map_or_else(|| vec![self.prompt.as_str()], |parts| parts.into_iter().map(|part| part.text).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use candle_core::{DType, Device, Tensor};

    use super::*;
    use crate::family::stable_diffusion::Model;

    fn distance(a: &Tensor, b: &Tensor) -> f32 {
        (a - b).and_then(|difference| difference.sqr()?.mean_all()?.sqrt()?.to_scalar()).expect("a number")
    }

    #[test]
    fn readings_spread_with_chaos_and_move_as_one_with_weirdness() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/starter/model");
        let model = Model::load(&path, &Device::Cpu, DType::F32).expect("the starter model");
        for prompt in ["a red apple", "a frog on grass", "a lighthouse at night"] {
            let plain = model.encode_text(&[prompt]).expect("a text state");
            let read = |chaos, weird, seed| {
                let base = TextToImage { prompt: prompt.into(), chaos, weird, ..TextToImage::default() };
                Drift::of(&base.drifts(Seed(seed)), &plain).expect("numbers")
            };
            let spread = |chaos, weird| {
                let readings: Vec<_> = (100..108).map(|seed| read(chaos, weird, seed)).collect();
                let pairs = (0..readings.len()).flat_map(|i| (0..i).map(move |j| (i, j)));
                let all: Vec<f32> = pairs.map(|(i, j)| distance(&readings[i], &readings[j])).collect();
                all.iter().sum::<f32>() / all.len() as f32
            };
            let spreads = [0, 25, 50, 100].map(|chaos| spread(chaos, 0));
            assert_eq!(spreads[0], 0.0, "{prompt}");
            assert!(spreads.is_sorted_by(|a, b| a < b), "{prompt}: {spreads:?}");
            assert_eq!(spread(0, 3000), 0.0, "{prompt}: all read it in one way");
            let away = [0, 1000, 3000].map(|weird| distance(&plain, &read(0, weird, 100)));
            assert!(away.is_sorted_by(|a, b| a < b), "{prompt}: {away:?}");
        }
    }

    #[test]
    fn weirdness_is_the_prompts_and_chaos_the_pictures() {
        let of = |prompt: &str, chaos, weird, seed| {
            TextToImage { prompt: prompt.into(), chaos, weird, ..TextToImage::default() }.drifts(Seed(seed))
        };
        assert_eq!(of("a fox", 0, 0, 7), []);
        assert_eq!(of("a fox", 0, 1500, 7), of("a fox", 0, 1500, 8));
        assert_ne!(of("a fox", 0, 1500, 7), of("a frog", 0, 1500, 7));
        assert_ne!(of("a fox", 50, 0, 7), of("a fox", 50, 0, 8));
        assert_eq!(of("a fox", 50, 0, 7), of("a frog", 50, 0, 7));
        let amounts: Vec<f64> = of("a fox", 50, 3000, 7).iter().map(|drift| drift.amount).collect();
        assert_eq!(amounts, [0.6, 0.3]);
    }
}
