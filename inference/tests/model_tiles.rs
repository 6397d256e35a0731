//! Decoding in tiles, and convolutions that wrap round (tests/data/README.md says where the reference values come from).

use std::{collections::HashMap, fs};

use crate::common::{data, floats, max_difference, picture, psnr, starter};
use candle_core::{DType, Device, Tensor};
use image::imageops::{FilterType, resize};
use inference::family::stable_diffusion::{Conditioning, Model, Padding, PromptState};

fn tiny() -> Model {
    let folder = tempfile::tempdir().unwrap();
    for part in ["unet", "vae", "text_encoder", "tokenizer"] {
        let source = if part == "tokenizer" { starter().join("model/tokenizer") } else { data().join("tiny").join(part) };
        fs::create_dir(folder.path().join(part)).unwrap();
        for entry in fs::read_dir(source).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), folder.path().join(part).join(entry.file_name())).unwrap();
        }
    }
    fs::copy(data().join("tiny/model_index.json"), folder.path().join("model_index.json")).unwrap();
    Model::load(folder.path(), &Device::Cpu, DType::F32).unwrap()
}

fn starter_model() -> Model {
    Model::load(&starter().join("model"), &Device::Cpu, DType::F32).unwrap()
}

fn reference() -> HashMap<String, Tensor> {
    candle_core::safetensors::load(data().join("tiles/reference.safetensors"), &Device::Cpu).unwrap()
}

fn relative(found: &Tensor, expected: &Tensor) -> f32 {
    max_difference(found, expected) / floats(expected).iter().fold(0.0, |a: f32, b| a.max(b.abs()))
}

fn check(name: &str, found: &Tensor, expected: &Tensor) {
    let difference = relative(found, expected);
    println!("{name}: {difference:e} of the largest");
    assert!(difference <= 1e-4, "{name}: {difference}");
}

/// The tensor moved down and right by so many pixels; what leaves comes back on the other side.
fn rolled(tensor: &Tensor, (down, right): (usize, usize)) -> Tensor {
    [(2, down), (3, right)].into_iter().fold(tensor.clone(), |tensor, (axis, by)| {
        let length = tensor.dim(axis).unwrap();
        let (kept, gone) = (tensor.narrow(axis, 0, length - by).unwrap(), tensor.narrow(axis, length - by, by).unwrap());
        Tensor::cat(&[gone, kept], axis).unwrap()
    })
}

#[test]
fn tiles_fade_into_each_other_as_in_diffusers() {
    let (model, tensors) = (tiny(), reference());
    let decoded = model.decode_in_tiles(&tensors["tiles.latents"], 16, Padding::Zeros).unwrap();
    check("decoded", &decoded, &tensors["tiles.decoded"]);
    let (mean, deviation) = model.encode_in_tiles(&tensors["tiles.pixels"], 16, Padding::Zeros).unwrap();
    check("mean", &mean, &tensors["tiles.mean"]);
    check("deviation", &deviation, &tensors["tiles.deviation"]);
    let whole = model.decode(&tensors["tiles.latents"]).unwrap();
    assert!(relative(&whole, &decoded) > 1e-2, "without tiles the picture is another");
}

/// Latents `[1, 4, 48, 48]` of a picture of the starter model, enlarged.
fn large_latents(model: &Model) -> Tensor {
    let image = image::open(starter().join("reference/2.png")).unwrap().into_rgb8();
    let pixels = picture(&resize(&image, 192, 192, FilterType::CatmullRom)).affine(2.0, -1.0).unwrap();
    (model.encode_image(&pixels).unwrap().0 * model.scaling_factor()).unwrap()
}

/// Group normalisation makes tiles differ from the whole, small ones most: 30 to 38 dB at these sizes; the engine's have about ninety latents and more.
#[test]
fn tiles_look_like_the_whole_picture() {
    let model = starter_model();
    let latents = large_latents(&model);
    for padding in [Padding::Zeros, Padding::Circular] {
        let whole = model.decode_padded(&latents, padding).unwrap();
        for side in [16, 24, 32] {
            let psnr = psnr(&model.decode_in_tiles(&latents, side, padding).unwrap(), &whole, 2.0);
            println!("{padding:?}, tiles of {side}: {psnr:.1} dB");
            assert!(psnr >= 30.0, "{padding:?}, tiles of {side}: {psnr} dB");
        }
    }
}

fn prepared(model: &Model, context: &Tensor) -> PromptState {
    model.prepare(&Conditioning { context: context.clone(), pooled: None }, &[]).unwrap()
}

#[test]
fn networks_wrap_round_as_torch_with_circular_padding() {
    let (model, tensors) = (tiny(), reference());
    let (latents, context) = (&tensors["wrap.latents"], &tensors["wrap.context"]);
    let timestep = f64::from(floats(&tensors["wrap.timesteps"])[0]);
    let prompt = prepared(&model, context);
    let found = model.predict_padded(latents, &[timestep], &[&prompt], Padding::Circular).unwrap();
    check("U-Net", &found, &tensors["wrap.output"]);
    check("decoded", &model.decode_padded(latents, Padding::Circular).unwrap(), &tensors["wrap.decoded"]);
    let (mean, deviation) = model.encode_image_padded(&tensors["wrap.pixels"], Padding::Circular).unwrap();
    check("mean", &mean, &tensors["wrap.mean"]);
    check("deviation", &deviation, &tensors["wrap.deviation"]);
    let zeros = model.predict(latents, &[timestep], &[&prompt]).unwrap();
    assert!(relative(&zeros, &tensors["wrap.output"]) > 1e-2, "with zeros the answer is another");
}

#[test]
fn a_network_that_wraps_round_has_no_edges() {
    let model = starter_model();
    let latents = large_latents(&model).narrow(2, 0, 16).unwrap().narrow(3, 8, 24).unwrap().contiguous().unwrap();
    let prompt = prepared(&model, &model.encode_text(&["a cat"]).unwrap());
    let predict = |latents: &Tensor| model.predict_padded(latents, &[500.0], &[&prompt], Padding::Circular).unwrap();
    let decode = |latents: &Tensor| model.decode_padded(latents, Padding::Circular).unwrap();
    let (answer, pixels) = (predict(&latents), decode(&latents));
    let encode = |pixels: &Tensor| model.encode_image_padded(pixels, Padding::Circular).unwrap().0;
    let mean = encode(&pixels);
    // The U-Net halves twice, and so does the encoder.
    for by in [(4, 0), (0, 4), (8, 12)] {
        check(&format!("U-Net rolled by {by:?}"), &predict(&rolled(&latents, by)), &rolled(&answer, by));
    }
    for by in [(1, 0), (0, 3), (7, 11)] {
        let pixels_by = (4 * by.0, 4 * by.1);
        check(&format!("decoder rolled by {by:?}"), &decode(&rolled(&latents, by)), &rolled(&pixels, pixels_by));
        check(&format!("encoder rolled by {by:?}"), &encode(&rolled(&pixels, pixels_by)), &rolled(&mean, by));
    }
    let zeros = model.decode(&rolled(&latents, (7, 11))).unwrap();
    assert!(relative(&zeros, &rolled(&model.decode(&latents).unwrap(), (28, 44))) > 1e-2, "with zeros there are edges");
}

#[test]
fn rows_that_wrap_round_do_not_depend_on_each_other() {
    let model = starter_model();
    let latents = large_latents(&model);
    let row = |i: usize| latents.narrow(2, 5 * i, 8).unwrap().narrow(3, 7 * i, 12).unwrap().contiguous().unwrap();
    let rows: Vec<Tensor> = (0..5).map(row).collect();
    let prompts = ["a cat", "", "a dog", "snow", "an owl"].map(|prompt| prepared(&model, &model.encode_text(&[prompt]).unwrap()));
    let prompts: Vec<&PromptState> = prompts.iter().collect();
    let timesteps = [1.0, 250.0, 500.0, 750.0, 999.0];
    let stack = |rows: &[Tensor]| Tensor::cat(rows, 0).unwrap();
    let together = model.predict_padded(&stack(&rows), &timesteps, &prompts, Padding::Circular).unwrap();
    let decoded = model.decode_padded(&stack(&rows), Padding::Circular).unwrap();
    for (i, row) in rows.iter().enumerate() {
        let alone = model.predict_padded(row, &timesteps[i..=i], &prompts[i..=i], Padding::Circular).unwrap();
        assert_eq!(max_difference(&together.get(i).unwrap().unsqueeze(0).unwrap(), &alone), 0.0, "row {i}");
        let alone = model.decode_padded(row, Padding::Circular).unwrap();
        assert_eq!(max_difference(&decoded.get(i).unwrap().unsqueeze(0).unwrap(), &alone), 0.0, "picture {i}");
    }
}
