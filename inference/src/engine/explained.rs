//! How a picture came from noise.

use image::{GrayImage, RgbImage};

pub use crate::family::WordMap;

/// Longest side in pixels of the pictures in an [`Explained`].
pub const EXPLAINED_SIDE: u32 = 256;

/// How the first picture of a study came from noise.
#[derive(Clone, Debug, PartialEq)]
pub struct Explained {
    /// Some of its steps, from the first to the last, both passes together.
    pub glimpses: Vec<Glimpse>,
    /// Standard deviation of the noise before each of its steps, of that of the picture (σ over α); in flow matching σ itself, a share of both.
    pub sigmas: Vec<f64>,
    /// The channels of its last latents, each from its least number to its largest.
    pub channels: Vec<GrayImage>,
    /// What the words of the prompt did, in the order of the prompt; empty in families that do not tell, and of prompts of several parts.
    pub words: Vec<WordMap>,
}

/// One step. Its latents are decoded as if they were clean, scaled to the spread of clean ones; pictures are made smaller to [`EXPLAINED_SIDE`].
#[derive(Clone, Debug, PartialEq)]
pub struct Glimpse {
    /// Counted from 1.
    pub step: u32,
    /// The noise before the step, as in [`Explained::sigmas`].
    pub sigma: f64,
    /// The forward process: the finished picture's latents with so much of the noise that it began with.
    pub forward: RgbImage,
    /// The reverse process: its latents before the step.
    pub reverse: RgbImage,
    /// What the network takes for the clean picture there.
    pub guess: RgbImage,
}
