//! Pictures as the network looks at them (transformers' `CLIPImageProcessor` with PIL): the shorter side made as long as the network's, the middle cut out.

use std::path::Path;

use image::{Rgb, RgbImage};
use serde_json::Value;

use crate::{checkpoint::json::unsupported, error::InferenceError};

/// OpenAI's mean and standard deviation of the colours, 0..1.
const MEAN: [f32; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
const STD: [f32; 3] = [0.268_629_54, 0.261_302_6, 0.275_777_1];
/// PIL's number for the bicubic filter.
const BICUBIC: i64 = 3;
/// Binary places of PIL's weights.
const PRECISION: u32 = 22;

/// How pictures are prepared.
#[derive(Clone, Debug, PartialEq)]
pub struct Preparation {
    /// The side of what the network sees, in pixels.
    pub side: u32,
    mean: [f32; 3],
    std: [f32; 3],
}

impl Preparation {
    /// Reads `preprocessor_config.json` for a network that sees squares of `side` pixels.
    ///
    /// # Errors
    /// `Unsupported`, naming `path` and what it asks for.
    pub(super) fn read(json: &Value, path: &Path, side: u32) -> Result<Self, InferenceError> {
        for key in ["do_resize", "do_center_crop", "do_rescale", "do_normalize"] {
            if json.get(key).is_some_and(|value| *value != Value::Bool(true)) {
                return Err(unsupported(path, format!("`{key}` {}", json[key])));
            }
        }
        if let Some(filter) = json.get("resample").and_then(Value::as_i64).filter(|filter| *filter != BICUBIC) {
            return Err(unsupported(path, format!("`resample` {filter}")));
        }
        for (key, names) in [("size", &["shortest_edge"][..]), ("crop_size", &["height", "width"][..])] {
            let Some(value) = json.get(key) else { continue };
            let found: Vec<_> = if value.is_u64() { vec![value.as_u64()] } else { names.iter().map(|name| value[name].as_u64()).collect() };
            if found.iter().any(|found| *found != Some(side.into())) {
                return Err(unsupported(path, format!("`{key}` {value} with a network that sees {side} pixels")));
            }
        }
        let colours = |key: &str, usual: [f32; 3]| match json.get(key) {
            None | Some(Value::Null) => Ok(usual),
            Some(value) => {
                let numbers: Vec<f32> = value.as_array().into_iter().flatten().filter_map(|one| Some(one.as_f64()? as f32)).collect();
                <[f32; 3]>::try_from(numbers).map_err(|_| unsupported(path, format!("`{key}` {value}")))
            }
        };
        let (mean, std) = (colours("image_mean", MEAN)?, colours("image_std", STD)?);
        if std.iter().any(|std| *std <= 0.0) {
            return Err(unsupported(path, "`image_std` that is not above 0".to_owned()));
        }
        Ok(Self { side, mean, std })
    }

    /// The picture as numbers `[3, side, side]`.
    pub fn prepare(&self, picture: &RgbImage) -> Vec<f32> {
        let (width, height) = picture.dimensions();
        let side = u64::from(self.side);
        let long = |long: u32, short: u32| (side * u64::from(long) / u64::from(short.max(1))) as u32;
        let (new_width, new_height) = if width <= height { (self.side, long(height, width)) } else { (long(width, height), self.side) };
        let resized = resize(picture, new_width, new_height);
        let (left, top) = ((new_width - self.side) / 2, (new_height - self.side) / 2);
        let mut values = Vec::with_capacity(3 * (self.side * self.side) as usize);
        for colour in 0..3 {
            for y in 0..self.side {
                for x in 0..self.side {
                    let Rgb(pixel) = resized.get_pixel(left + x, top + y);
                    values.push((f32::from(pixel[colour]) / 255.0 - self.mean[colour]) / self.std[colour]);
                }
            }
        }
        values
    }
}

/// Pillow's `Image.resize(…, BICUBIC)` (`Resample.c` of version 13), to the bit for the shapes that are asked for here: along rows, then along columns,
/// rounded to bytes between; of a picture that is more than twice as high as wide, and is made lower, columns come first.
fn resize(picture: &RgbImage, width: u32, height: u32) -> RgbImage {
    if picture.height() > 2 * picture.width() && height < picture.height() {
        return across(&down(picture, height), width);
    }
    down(&across(picture, width), height)
}

fn across(picture: &RgbImage, width: u32) -> RgbImage {
    if width == picture.width() { picture.clone() } else { along_rows(picture, width) }
}

fn down(picture: &RgbImage, height: u32) -> RgbImage {
    if height == picture.height() { picture.clone() } else { turned(&along_rows(&turned(picture), height)) }
}

fn turned(picture: &RgbImage) -> RgbImage {
    RgbImage::from_fn(picture.height(), picture.width(), |x, y| *picture.get_pixel(y, x))
}

fn along_rows(picture: &RgbImage, width: u32) -> RgbImage {
    let weights = weights(picture.width(), width);
    RgbImage::from_fn(width, picture.height(), |x, y| {
        let (first, weights) = &weights[x as usize];
        let sum = |colour: usize| {
            let pixels = (*first..).zip(weights).map(|(x, weight)| i64::from(picture.get_pixel(x, y)[colour]) * weight);
            let sum = pixels.sum::<i64>() + (1 << (PRECISION - 1));
            (sum >> PRECISION).clamp(0, 255) as u8
        };
        Rgb([sum(0), sum(1), sum(2)])
    })
}

/// For each new pixel the first old one that it is made of, and the weights of that and of those after it.
fn weights(old: u32, new: u32) -> Vec<(u32, Vec<i64>)> {
    let scale = f64::from(old) / f64::from(new);
    let spread = scale.max(1.0);
    let support = 2.0 * spread;
    let of = |pixel: u32| {
        let centre = (f64::from(pixel) + 0.5) * scale;
        let first = ((centre - support + 0.5) as i64).max(0) as u32;
        let last = ((centre + support + 0.5) as i64).min(old.into()) as u32;
        let weights: Vec<f64> = (first..last).map(|x| bicubic((f64::from(x) - centre + 0.5) / spread)).collect();
        let sum: f64 = weights.iter().sum();
        let whole = |weight: f64| (weight / sum * f64::from(1 << PRECISION)).round() as i64;
        (first, weights.into_iter().map(whole).collect())
    };
    (0..new).map(of).collect()
}

fn bicubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    match x {
        _ if x < 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
        _ if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * A,
        _ => 0.0,
    }
}
