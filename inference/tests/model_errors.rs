//! What is said about model folders that cannot be loaded: the exact sentences.

use std::{fs, path::Path};

use crate::common::starter;
use candle_core::{DType, Device};
use inference::{family::stable_diffusion::Model, upscale::Upscaler};

/// A copy of the starter model, to be spoilt.
fn starter_copy() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let source = starter().join("model");
    fs::copy(source.join("model_index.json"), folder.path().join("model_index.json")).unwrap();
    for part in ["text_encoder", "tokenizer", "unet", "vae", "scheduler"] {
        fs::create_dir(folder.path().join(part)).unwrap();
        for entry in fs::read_dir(source.join(part)).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), folder.path().join(part).join(entry.file_name())).unwrap();
        }
    }
    folder
}

/// Loads a copy of the starter model after `spoil`; `FOLDER` in the sentence stands for its path.
fn check(spoil: impl FnOnce(&Path), expected: &str) {
    let folder = starter_copy();
    spoil(folder.path());
    let error = Model::load(folder.path(), &Device::Cpu, DType::F32).err().expect("a spoilt model must not load");
    assert_eq!(error.to_string().replace(&folder.path().display().to_string(), "FOLDER"), expected);
}

fn replace(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{from}");
    fs::write(path, text.replace(from, to)).unwrap();
}

const UNET: &str = "unet/diffusion_pytorch_model.safetensors";
const VAE: &str = "vae/diffusion_pytorch_model.safetensors";

/// Changes the header of a safetensors file without changing its length.
fn replace_in_header(path: &Path, from: &str, to: &str) {
    assert_eq!(from.len(), to.len());
    let mut bytes = fs::read(path).unwrap();
    let place = bytes.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
    bytes[place..place + to.len()].copy_from_slice(to.as_bytes());
    fs::write(path, bytes).unwrap();
}

#[test]
fn missing_parts_are_named() {
    let parts = "a model folder holds model_index.json, unet/, vae/, text_encoder/, tokenizer/ and scheduler/";
    for name in ["model_index.json", "unet/config.json", UNET, "tokenizer/tokenizer.json"] {
        let spoil = |folder: &Path| {
            fs::remove_file(folder.join(name)).unwrap();
            if name.starts_with("tokenizer") {
                fs::remove_file(folder.join("tokenizer/vocab.json")).unwrap();
            }
        };
        let named = if name.starts_with("tokenizer") { "tokenizer/vocab.json" } else { name };
        check(spoil, &format!("FOLDER/{named} is missing; {parts}"));
    }
    check(|folder| fs::remove_dir_all(folder.join("vae")).unwrap(), &format!("FOLDER/vae/config.json is missing; {parts}"));
    let error = Model::load(Path::new("/no/such/model"), &Device::Cpu, DType::F32).err().unwrap();
    assert_eq!(error.to_string(), format!("/no/such/model is missing; {parts}"));
}

#[test]
fn broken_files_are_named() {
    let cut = |folder: &Path| {
        let bytes = fs::read(folder.join(UNET)).unwrap();
        fs::write(folder.join(UNET), &bytes[..bytes.len() - 1000]).unwrap();
    };
    check(cut, &format!("FOLDER/{UNET} cannot be read: its length is not what its header says; it is cut off, download it again"));
    check(|folder| fs::write(folder.join(VAE), "").unwrap(), &format!("FOLDER/{VAE} cannot be read: the file is empty"));
    let pickle = |folder: &Path| fs::rename(folder.join(UNET), folder.join("unet/diffusion_pytorch_model.bin")).unwrap();
    check(
        pickle,
        "FOLDER/unet/diffusion_pytorch_model.bin cannot be read: pickle files are refused because they can run code; convert it to safetensors, \
         for example with `save_pretrained(folder, safe_serialization=True)` of diffusers or transformers",
    );
    check(
        |folder| fs::write(folder.join("vae/config.json"), "{").unwrap(),
        "FOLDER/vae/config.json cannot be read: EOF while parsing an object at line 1 column 1",
    );
}

#[test]
fn wrong_weights_are_named() {
    check(
        |folder| replace(&folder.join("vae/config.json"), "\"layers_per_block\": 1", "\"layers_per_block\": 2"),
        &format!("FOLDER/{VAE} has no `encoder.down_blocks.0.resnets.1.norm1.weight`"),
    );
    check(
        |folder| replace(&folder.join("text_encoder/config.json"), "\"intermediate_size\": 768", "\"intermediate_size\": 769"),
        "FOLDER/text_encoder/model.safetensors: `text_model.encoder.layers.0.mlp.fc1.weight` has shape [768, 192], the model needs [769, 192]",
    );
    check(
        |folder| replace(&folder.join("unet/config.json"), "\"time_cond_proj_dim\": null", "\"time_cond_proj_dim\": 256"),
        &format!("FOLDER/{UNET} has no `time_embedding.cond_proj.weight`"),
    );
    check(
        |folder| replace(&folder.join("unet/config.json"), "\"in_channels\": 4", "\"in_channels\": 9"),
        &format!("FOLDER/{UNET}: `conv_in.weight` has shape [128, 4, 3, 3], the model needs [128, 9, 3, 3]"),
    );
    let nan = |folder: &Path| {
        let path = folder.join(VAE);
        let bytes = fs::read(&path).unwrap();
        let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let data = tensors.tensor("decoder.conv_in.bias").unwrap().data().as_ptr() as usize - bytes.as_ptr() as usize;
        let mut bytes = bytes;
        bytes[data + 2..data + 4].copy_from_slice(&[0x00, 0x7e]);
        fs::write(path, bytes).unwrap();
    };
    check(nan, &format!("FOLDER/{VAE} cannot be read: `decoder.conv_in.bias` holds a value that is not a finite number"));
    check(
        |folder| replace_in_header(&folder.join(VAE), "\"dtype\":\"F16\"", "\"dtype\":\"I16\""),
        &format!(
            "FOLDER/{VAE} cannot be read: `decoder.conv_in.bias` has type I16; only f8_e4m3, f8_e5m2, f16, bf16, f32 and f64 are read"
        ),
    );
}

#[test]
fn what_the_engine_cannot_do_is_named() {
    for (file, from, to, what) in [
        ("model_index.json", "\"StableDiffusionPipeline\"", "\"StableDiffusion3Pipeline\"", "StableDiffusion3Pipeline"),
        ("unet/config.json", "\"addition_embed_type\": null", "\"addition_embed_type\": \"image\"", "`addition_embed_type` \"image\""),
        ("unet/config.json", "\"class_embed_type\": null", "\"class_embed_type\": \"timestep\"", "`class_embed_type` \"timestep\""),
        ("unet/config.json", "\"UpBlock2D\"", "\"AttnUpBlock2D\"", "`up_block_types` \"AttnUpBlock2D\""),
        ("unet/config.json", "\"in_channels\": 4", "\"in_channels\": 5", "`in_channels` 5 where the other parts have 4"),
        (
            "unet/config.json",
            "\"in_channels\": 4",
            "\"in_channels\": 8",
            "`in_channels` 8, a model that is told what to change in a picture (InstructPix2Pix),",
        ),
        (
            "unet/config.json",
            "\"cross_attention_dim\": 192",
            "\"cross_attention_dim\": 1024",
            "`cross_attention_dim` 1024 where the other parts have 192",
        ),
        ("vae/config.json", "\"latents_mean\": null", "\"latents_mean\": [0.5]", "`latents_mean` [0.5]"),
        ("text_encoder/config.json", "\"quick_gelu\"", "\"gelu_new\"", "`hidden_act` \"gelu_new\""),
        ("text_encoder/config.json", "\"CLIPTextModel\"", "\"T5EncoderModel\"", "`architectures` [\"T5EncoderModel\"]"),
    ] {
        check(|folder| replace(&folder.join(file), from, to), &format!("FOLDER/{file}: {what} is not supported"));
    }
}

#[test]
fn senseless_configurations_are_refused() {
    for (file, from, to, reason) in [
        ("unet/config.json", "\"norm_num_groups\": 32", "\"norm_num_groups\": 0", "`norm_num_groups` is 0"),
        ("unet/config.json", "\"norm_num_groups\": 32", "\"norm_num_groups\": 7", "128 channels cannot be divided by `norm_num_groups` 7"),
        ("unet/config.json", "\"attention_head_dim\": 4", "\"attention_head_dim\": 0", "`attention_head_dim` is 0"),
        ("unet/config.json", "\"layers_per_block\": 1", "\"layers_per_block\": [1, 1]", "`layers_per_block` has 2 values for 3 blocks"),
        ("vae/config.json", "\"scaling_factor\": 0.18215", "\"scaling_factor\": 0.0", "`scaling_factor` is 0"),
        (
            "unet/config.json",
            "\"addition_embed_type\": null",
            "\"addition_embed_type\": \"text_time\"",
            "`addition_time_embed_dim` is missing, which `addition_embed_type` needs",
        ),
    ] {
        check(|folder| replace(&folder.join(file), from, to), &format!("FOLDER/{file} cannot be read: {reason}"));
    }
}

#[test]
fn files_that_are_no_upscaler_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("text.safetensors"), "not weights").unwrap();
    fs::write(path("network.pth"), "PK").unwrap();
    let pickle = "pickle files are refused because they can run code; convert it to safetensors";
    let other = "a network that is neither ESRGAN's (RRDBNet) nor Real-ESRGAN's compact one (SRVGGNetCompact) is not supported";
    for (file, expected) in [
        (path("none.safetensors"), " cannot be read: there is no such file".to_owned()),
        (path("text.safetensors"), " cannot be read: it is not a safetensors file".to_owned()),
        (path("network.pth"), format!(" cannot be read: {pickle}")),
        (starter().join("model/vae/diffusion_pytorch_model.safetensors"), format!(": {other}")),
    ] {
        let error = Upscaler::load(&file, &Device::Cpu).err().unwrap();
        assert_eq!(error.to_string(), format!("{}{expected}", file.display()));
    }
}
