//! CLIP of both kinds against transformers. Origin: `tools/reference/clip.py` (torch 2.15, transformers 5.24, Pillow 13; float32 on a CPU).

use std::{fs, path::Path, sync::Arc};

use candle_core::{Device, Tensor};
use image::{Rgb, RgbImage};
use inference::clip::{Clip, ClipFiles, Looker};
use serde_json::Value;

use crate::common::{data, floats};

/// Largest difference of a meaning's numbers, whose squares add up to 1.
const TOLERANCE: f32 = 1e-4;
/// `exp(2.5)` of both models.
const SCALE: f32 = 12.182_494;

struct Reference {
    texts: Vec<String>,
    pictures: Vec<RgbImage>,
}

fn reference() -> Reference {
    let json: Value = serde_json::from_slice(&fs::read(data().join("clip/reference.json")).unwrap()).unwrap();
    let side = |size: &Value, which: usize| size[which].as_u64().unwrap() as u32;
    Reference {
        texts: json["texts"].as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect(),
        pictures: json["sizes"].as_array().unwrap().iter().map(|size| picture(side(size, 0), side(size, 1))).collect(),
    }
}

/// As in the script.
fn picture(width: u32, height: u32) -> RgbImage {
    let byte = |value: i64| value.rem_euclid(256) as u8;
    RgbImage::from_fn(width, height, |x, y| {
        let (x, y) = (i64::from(x), i64::from(y));
        Rgb([byte(x * 7 + y * 3), byte(x * y), byte(255 - x * 5 + y * 11)])
    })
}

fn rows(tensor: &Tensor) -> Vec<Vec<f32>> {
    (0..tensor.dim(0).unwrap()).map(|row| floats(&tensor.get(row).unwrap())).collect()
}

fn check(what: &str, found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let most = found.iter().zip(expected).map(|(found, expected)| (found - expected).abs()).fold(0.0, f32::max);
    assert!(most <= tolerance, "{what}: {most}");
}

#[test]
fn words_and_pictures_mean_what_they_mean_to_transformers() {
    let Reference { texts, pictures } = reference();
    for name in ["quick", "exact"] {
        let expected = candle_core::safetensors::load(data().join(format!("clip/{name}.safetensors")), &Device::Cpu).unwrap();
        let files = ClipFiles::open(&data().join("clip").join(name)).unwrap();
        let clip = Clip::load(&files).unwrap();
        for (picture, expected) in pictures.iter().zip(rows(&expected["pixels"])) {
            check(&format!("{name}, pixels of {:?}", picture.dimensions()), &files.preparation().prepare(picture), &expected, 1e-5);
        }
        let words: Vec<_> = texts.iter().map(|text| clip.words(text).unwrap()).collect();
        let seen: Vec<_> = pictures.iter().map(|picture| clip.picture(picture).unwrap()).collect();
        for (i, expected) in rows(&expected["texts"]).iter().enumerate() {
            check(&format!("{name}, {:?}", texts[i]), words[i].values(), expected, TOLERANCE);
        }
        for (i, expected) in rows(&expected["pictures"]).iter().enumerate() {
            check(&format!("{name}, picture {i}"), seen[i].values(), expected, TOLERANCE);
        }
        for (i, expected) in rows(&expected["logits"]).iter().enumerate() {
            let found: Vec<_> = words.iter().map(|words| SCALE * seen[i].likeness(words)).collect();
            check(&format!("{name}, logits of picture {i}"), &found, expected, SCALE * TOLERANCE);
        }
    }
}

#[test]
fn a_looker_gives_the_same_on_its_own_thread() {
    let Reference { texts, pictures } = reference();
    let folder = data().join("clip/quick");
    let (clip, looker) = (Clip::load(&ClipFiles::open(&folder).unwrap()).unwrap(), Looker::start(&folder).unwrap());
    let words = futures::executor::block_on(looker.words(Arc::from(texts.clone()))).unwrap();
    assert_eq!(words, texts.iter().map(|text| clip.words(text).unwrap()).collect::<Vec<_>>());
    let seen = futures::executor::block_on(looker.picture(pictures[0].clone())).unwrap();
    assert_eq!(seen, clip.picture(&pictures[0]).unwrap());
}

fn changed(change: impl FnOnce(&Path)) -> String {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(data().join("clip/quick")).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    change(folder.path());
    let error = ClipFiles::open(folder.path()).map(drop).unwrap_err();
    error.to_string().replace(&folder.path().display().to_string(), "FOLDER")
}

#[test]
fn folders_that_are_no_clip_are_refused_with_what_is_wrong() {
    let replaced = |file: &'static str, from: &'static str, to: &'static str| {
        move |folder: &Path| {
            let text = fs::read_to_string(folder.join(file)).unwrap();
            assert!(text.contains(from), "{from}");
            fs::write(folder.join(file), text.replace(from, to)).unwrap();
        }
    };
    let remove = |file: &'static str| move |folder: &Path| fs::remove_file(folder.join(file)).unwrap();
    for (found, expected) in [
        (changed(remove("config.json")), "FOLDER/config.json cannot be read: it is missing; the folder of a CLIP holds config.json"),
        (changed(remove("preprocessor_config.json")), "FOLDER/preprocessor_config.json cannot be read: it is missing"),
        (changed(remove("model.safetensors")), "FOLDER/model.safetensors cannot be read: it is missing"),
        (changed(remove("vocab.json")), "FOLDER/vocab.json cannot be read: it is missing"),
        (changed(replaced("config.json", "\"model_type\": \"clip\"", "\"model_type\": \"siglip\"")), "`model_type` \"siglip\" (only"),
        (changed(replaced("config.json", "quick_gelu", "relu")), "`hidden_act` \"relu\" is not supported"),
        (
            changed(replaced("config.json", "\"patch_size\": 8", "\"patch_size\": 16")),
            "has shape [24, 3, 8, 8], the model needs [24, 3, 16, 16]",
        ),
        (changed(replaced("config.json", "\"patch_size\": 8", "\"patch_size\": 64")), "`image_size` is 32 with patches of 64"),
        (changed(replaced("config.json", "\"vocab_size\": 574", "\"vocab_size\": 500")), "its network knows 500"),
        (changed(replaced("config.json", "\"projection_dim\": 12", "\"projection_dim\": 13")), "the model needs [13, 16]"),
        (changed(replaced("preprocessor_config.json", "\"resample\": 3", "\"resample\": 2")), "`resample` 2 is not supported"),
        (
            changed(replaced("preprocessor_config.json", "\"do_resize\": true", "\"do_resize\": false")),
            "`do_resize` false is not supported",
        ),
        (
            changed(replaced("preprocessor_config.json", "\"shortest_edge\": 32", "\"shortest_edge\": 40")),
            "with a network that sees 32 pixels",
        ),
    ] {
        assert!(found.contains(expected), "{found} lacks {expected}");
    }
}
