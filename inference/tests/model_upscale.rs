//! The super-resolution networks against torch (tests/data/upscale/README.md).

use std::{collections::HashMap, path::Path};

use crate::common::{data, floats, max_difference, picture, psnr, read_picture, starter};
use candle_core::{Device, Tensor};
use image::imageops::{FilterType, resize};
use inference::upscale::Upscaler;

fn load() -> Upscaler {
    Upscaler::load(&starter().join("upscaler/realesr-animevideov3-x4.safetensors"), &Device::Cpu).unwrap()
}

#[test]
fn enlarges_as_in_torch_and_not_as_bicubic() {
    let upscaler = load();
    assert_eq!(upscaler.factor(), 4);
    for n in 0..2 {
        let source = image::open(starter().join(format!("reference/{n}.png"))).unwrap().into_rgb8();
        let expected = read_picture(&data().join(format!("upscale/{n}.png")));
        let found = upscaler.upscale(&picture(&source)).unwrap().clamp(0.0, 1.0).unwrap();
        let bicubic = picture(&resize(&source, source.width() * 4, source.height() * 4, FilterType::CatmullRom));
        let (ours, plain) = (psnr(&found, &expected, 1.0), psnr(&bicubic, &expected, 1.0));
        println!("picture {n}: {ours:.1} dB, bicubic {plain:.1} dB");
        assert!(ours >= 50.0, "picture {n}: {ours} dB");
        assert!(plain < 40.0, "picture {n}: bicubic has {plain} dB");
    }
}

#[test]
fn tiles_leave_no_seam() {
    let upscaler = load();
    let pixels = read_picture(&starter().join("reference/2.png"));
    let pixels = Tensor::cat(&[&pixels, &pixels.narrow(3, 0, 21).unwrap()], 3).unwrap();
    let whole = upscaler.upscale_in_tiles(&pixels, 1000).unwrap();
    assert_eq!(whole.dims(), [1, 3, 256, 340]);
    for side in [64, 37, 20] {
        let tiled = upscaler.upscale_in_tiles(&pixels, side).unwrap();
        assert!(max_difference(&tiled, &whole) <= 1e-5, "tiles of {side}");
    }
}

fn tiny(name: &str) -> Upscaler {
    Upscaler::load(&data().join(format!("upscale/tiny/{name}.safetensors")), &Device::Cpu).unwrap()
}

fn span(tensor: &Tensor) -> f32 {
    let values = floats(tensor);
    values.iter().copied().fold(f32::MIN, f32::max) - values.iter().copied().fold(f32::MAX, f32::min)
}

#[test]
fn every_layout_enlarges_as_in_torch() {
    let reference = candle_core::safetensors::load(data().join("upscale/tiny/reference.safetensors"), &Device::Cpu).unwrap();
    for (file, case, factor) in [
        ("x4", "x4", 4),
        ("trunk_x4", "x4", 4),
        ("x2", "x2", 2),
        ("x1", "x1", 1),
        ("old_x4", "old_x4", 4),
        ("old_x2", "old_x2", 2),
        ("old_x1", "old_x1", 1),
        ("compact_x2", "compact_x2", 2),
    ] {
        let upscaler = tiny(file);
        assert_eq!(upscaler.factor(), factor, "{file}");
        let (pixels, expected) = (&reference[&format!("{case}.pixels")], &reference[&format!("{case}.enlarged")]);
        let found = upscaler.upscale(pixels).unwrap();
        let difference = max_difference(&found, expected) / span(expected);
        println!("{file}: {difference:e} of the span, {:.1} dB", psnr(&found, expected, f64::from(span(expected))));
        assert!(difference <= 1e-5, "{file}: {difference}");
        let two = upscaler.upscale(&Tensor::cat(&[pixels, &(pixels * 0.5).unwrap()], 0).unwrap()).unwrap();
        assert_eq!(max_difference(&two.narrow(0, 0, 1).unwrap(), &found), 0.0, "{file}: a row does not depend on the other");
    }
}

/// A network of so many blocks, all copies of the first.
fn deep(n_blocks: usize, folder: &Path) -> Upscaler {
    let tensors = candle_core::safetensors::load(data().join("upscale/tiny/x4.safetensors"), &Device::Cpu).unwrap();
    let mut copies = HashMap::new();
    for (name, tensor) in &tensors {
        match name.strip_prefix("params_ema.body.0.") {
            Some(rest) => (0..n_blocks).for_each(|block| drop(copies.insert(format!("body.{block}.{rest}"), tensor.clone()))),
            None if name.starts_with("params_ema.body.") => {}
            None => drop(copies.insert(name.replace("params_ema.", ""), tensor.clone())),
        }
    }
    let file = folder.join("deep.safetensors");
    candle_core::safetensors::save(&copies, &file).unwrap();
    Upscaler::load(&file, &Device::Cpu).unwrap()
}

/// A network of one block sees nineteen pixels far, which the tiles' overlap holds; one of eight sees 124, hardly anything of
/// it beyond the overlap of 32.
#[test]
fn tiles_of_esrgan_make_the_whole() {
    let folder = tempfile::tempdir().unwrap();
    let pixels = read_picture(&starter().join("reference/2.png"));
    let pixels = Tensor::cat(&[&pixels, &pixels, &pixels.narrow(3, 0, 5).unwrap()], 3).unwrap();
    for (n_blocks, tolerance) in [(1, 1e-6), (8, 1e-5)] {
        let upscaler = deep(n_blocks, folder.path());
        let whole = upscaler.upscale_in_tiles(&pixels, 1000).unwrap();
        assert_eq!(whole.dims(), [1, 3, 256, 532]);
        for side in [48, 29] {
            let difference = max_difference(&upscaler.upscale_in_tiles(&pixels, side).unwrap(), &whole) / span(&whole);
            println!("{n_blocks} blocks, tiles of {side}: {difference:e} of the span");
            assert!(difference <= tolerance, "{n_blocks} blocks, tiles of {side}: {difference}");
        }
    }
}

#[test]
fn tiles_of_squares_laid_into_channels_make_the_whole() {
    let pixels = read_picture(&starter().join("reference/1.png")).narrow(2, 0, 43).unwrap().narrow(3, 0, 61).unwrap().contiguous().unwrap();
    for name in ["x2", "x1"] {
        let upscaler = tiny(name);
        let whole = upscaler.upscale_in_tiles(&pixels, 1000).unwrap();
        assert_eq!(whole.dims(), [1, 3, 43 * upscaler.factor() as usize, 61 * upscaler.factor() as usize]);
        let difference = max_difference(&upscaler.upscale_in_tiles(&pixels, 30).unwrap(), &whole) / span(&whole);
        assert!(difference <= 1e-5, "{name}: {difference}");
    }
}
