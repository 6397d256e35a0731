//! The tiny decoder against diffusers, in both layouts, and as what previews are made with.

use std::{collections::HashMap, fs, path::Path};

use crate::common::{data, max_difference, starter};
use crate::engine_common::{config, finish, start, text_to_image};
use candle_core::{Device, Tensor};
use inference::{
    catalogue::{CatalogueConfig, ModelEntry},
    checkpoint::OtherParts,
    engine::Submission,
    task::Task,
    vae::taesd::{Taesd, TaesdKind},
};

fn reference() -> HashMap<String, Tensor> {
    candle_core::safetensors::load(data().join("tiles/reference.safetensors"), &Device::Cpu).unwrap()
}

fn load(name: &str) -> Taesd {
    Taesd::load(&data().join("tiles").join(name), &Device::Cpu).unwrap()
}

#[test]
fn both_layouts_decode_as_in_diffusers() {
    let tensors = reference();
    for (name, expected, factor) in [
        ("taesd", "taesd.decoded", 8),
        ("taesd/diffusion_pytorch_model.safetensors", "taesd.decoded", 8),
        ("taesd_decoder.safetensors", "taesd.decoded_by_original", 4),
    ] {
        let decoder = load(name);
        assert_eq!((decoder.factor(), decoder.latent_channels()), (factor, 4), "{name}");
        let found = decoder.decode(&tensors["taesd.latents"]).unwrap();
        let difference = max_difference(&found, &tensors[expected]);
        println!("{name}: {difference:e}");
        assert!(difference <= 1e-4, "{name}: {difference}");
    }
}

#[test]
fn tiles_leave_no_seam() {
    let decoder = load("taesd");
    let latents = &reference()["taesd.latents"];
    let latents = Tensor::cat(&[latents, &(latents * -0.5).unwrap(), latents, latents, latents, latents, latents], 3).unwrap();
    let whole = decoder.decode_in_tiles(&latents, 1000).unwrap();
    for side in [4, 13] {
        let difference = max_difference(&decoder.decode_in_tiles(&latents, side).unwrap(), &whole);
        assert!(difference <= 1e-5, "tiles of {side}: {difference}");
    }
}

#[test]
fn decoders_are_found_beside_the_model() {
    let folder = tempfile::tempdir().unwrap();
    let (taesd, xl) = (TaesdKind::of_scaling_factor(0.18215), TaesdKind::of_scaling_factor(0.13025));
    let path = |name: &str| folder.path().join(name);
    let put = |name: &str| {
        fs::create_dir_all(path(name).parent().unwrap()).unwrap();
        fs::copy(data().join("tiles/taesd_decoder.safetensors"), path(name)).unwrap();
    };
    let find = |kind| Taesd::find(folder.path(), kind);
    assert_eq!((find(taesd), find(xl)), (None, None));
    put("vae_approx/taesdxl_decoder.safetensors");
    assert_eq!((find(taesd), find(xl)), (None, Some(path("vae_approx/taesdxl_decoder.safetensors"))));
    put("vae_approx/taesd_decoder.safetensors");
    assert_eq!(find(taesd), Some(path("vae_approx/taesd_decoder.safetensors")));
    fs::create_dir(path("taesd")).unwrap();
    assert_eq!(find(taesd), Some(path("vae_approx/taesd_decoder.safetensors")), "an empty folder counts as none");
    put("taesd/diffusion_pytorch_model.safetensors");
    assert_eq!((find(taesd), find(xl)), (Some(path("taesd")), Some(path("taesd"))));
    let flux = TaesdKind::of_scaling_factor(0.3611);
    assert_eq!(find(flux), None, "its latents have other channels");
    put("vae_approx/taef1_decoder.safetensors");
    assert_eq!(find(flux), Some(path("vae_approx/taef1_decoder.safetensors")));
    put("model.safetensors");
    assert_eq!(Taesd::find(&path("model.safetensors"), taesd), Some(path("taesd")), "beside a model of one file");
}

#[test]
fn other_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.json");
    fs::write(&config, r#"{"act_fn": "mish"}"#).unwrap();
    let vae = starter().join("model/vae/diffusion_pytorch_model.safetensors");
    let other = "a network without a tiny decoder's names (`decoder.layers.0.weight` or `1.weight`)";
    for (path, expected) in [
        (folder.path().to_owned(), format!("{}: `act_fn` \"mish\" is not supported", config.display())),
        (
            folder.path().join("none.safetensors"),
            format!("{}/none.safetensors cannot be read: there is no such file", folder.path().display()),
        ),
        (vae.clone(), format!("{}: {other} is not supported", vae.display())),
    ] {
        assert_eq!(Taesd::load(&path, &Device::Cpu).err().unwrap().to_string(), expected);
    }
    let file = data().join("tiles/taesd_decoder.safetensors");
    let misfit = "a tiny decoder of 4 channels that enlarges 4 times, beside a model of 4 channels and 8 times,";
    let error = Taesd::load_for(&file, &Device::Cpu, 4, 8).err().unwrap().to_string();
    assert_eq!(error, format!("{}: {misfit} is not supported", file.display()));
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[test]
fn previews_are_as_large_as_the_picture() {
    let folder = tempfile::tempdir().unwrap();
    copy(&starter().join("model"), folder.path());
    fs::create_dir(folder.path().join("vae_approx")).unwrap();
    fs::copy(data().join("tiles/taesd_decoder.safetensors"), folder.path().join("vae_approx/taesd_decoder.safetensors")).unwrap();
    let run = |model_dir: &Path| {
        let models = vec![ModelEntry {
            name: "model".into(),
            path: model_dir.to_owned(),
            vae: None,
            others: OtherParts::default(),
            prediction: None,
        }];
        let engine = start(config(1, 1), CatalogueConfig { models, ..CatalogueConfig::default() }).unwrap();
        finish(engine.submit(Submission::new(Task::from(text_to_image("a cat", 3, 4, 1)))).unwrap())
    };
    let (plain, tiny) = (run(&starter().join("model")), run(folder.path()));
    assert_eq!((plain.previews[0].dimensions(), tiny.previews[0].dimensions()), ((16, 16), (64, 64)));
    assert!(tiny.previews.windows(2).all(|pair| pair[0] != pair[1]), "each step has its own");
    assert_eq!(plain.images, tiny.images, "previews change no picture");
}
