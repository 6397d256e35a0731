//! The super-resolution network against torch (tests/data/upscale/README.md).

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking and tells what it measured")]

mod common;

use candle_core::{Device, Tensor};
use common::{data, max_difference, picture, psnr, read_picture, starter};
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
