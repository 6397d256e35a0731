//! What whole files of weights say about themselves, and what they are taken for.

use std::fs;

use crate::{
    common::{
        data,
        families::{self, folder, single_file},
        floats, starter,
    },
    model_files::file,
};
use candle_core::{DType, Device};
use inference::checkpoint::{Family, FileKind, inspect};

#[test]
fn parts_alone_are_not_taken_for_models() {
    let folder = folder("xl");
    for (file, what) in [
        ("unet/diffusion_pytorch_model.safetensors", "a U-Net alone"),
        ("vae/diffusion_pytorch_model.safetensors", "a VAE alone"),
        ("text_encoder/model.safetensors", "a text encoder alone"),
    ] {
        let path = folder.path().join(file);
        let error = inference::family::stable_diffusion::Model::load(&path, &Device::Cpu, DType::F32).err().unwrap().to_string();
        assert_eq!(error, format!("{}: {what} where a whole model is needed is not supported", path.display()));
    }
}

fn details(pairs: &[(String, String)]) -> Vec<(&str, &str)> {
    pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect()
}

#[test]
fn models_say_what_they_are() {
    for (model, family) in [
        ("sd1", Family::StableDiffusion1),
        ("sd1_inpaint", Family::StableDiffusion1),
        ("sd2", Family::StableDiffusion2),
        ("xl", Family::StableDiffusionXl),
        ("refiner", Family::StableDiffusionXlRefiner),
    ] {
        let file = single_file(model);
        let found = inspect(&file.path().join("model.safetensors")).unwrap();
        assert_eq!((found.kind, found.family), (FileKind::SingleFile, Some(family)), "{model}");
        let made_for = details(&found.details).into_iter().find(|(key, _)| *key == "made for");
        assert_eq!(made_for, (model == "sd1_inpaint").then_some(("made for", "inpainting")), "{model}");
        let found = inspect(folder(model).path()).unwrap();
        assert_eq!(found.kind, FileKind::Model);
        assert_eq!(found.dtypes.len(), 1);
    }
    let found = inspect(&starter().join("model")).unwrap();
    assert_eq!((found.kind, found.dtypes[0].0.as_str()), (FileKind::Model, "f16"));
    assert!((20_900_000..21_200_000).contains(&found.n_parameters), "{}", found.n_parameters);
    let sharded = inspect(&data().join("tiny")).unwrap();
    assert!(details(&sharded.details).iter().any(|(key, value)| *key == "unet" && value.ends_with("in 2 files")), "{sharded:?}");
}

/// A single file of a tiny model with remarks of its maker and further tensors.
fn single_file_with(model: &str, remarks: &str, more: &[(String, Vec<usize>, Vec<f32>)]) -> tempfile::TempDir {
    let folder = single_file(model);
    let path = folder.path().join("model.safetensors");
    let read = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
    let mut tensors: Vec<_> = read.iter().map(|(name, tensor)| (name.clone(), tensor.dims().to_vec(), floats(tensor))).collect();
    tensors.extend_from_slice(more);
    families::write(&path, &tensors);
    let bytes = fs::read(&path).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header = format!("{{\"__metadata__\":{remarks},{}", std::str::from_utf8(&bytes[9..8 + length]).unwrap());
    fs::write(&path, [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &bytes[8 + length..]].concat()).unwrap();
    folder
}

#[test]
fn what_a_single_file_predicts_is_what_it_says_and_the_reason_is_told() {
    let marker = |name: &str| vec![(name.to_owned(), vec![0], Vec::new())];
    let bias = |spread: f32| {
        let name = "model.diffusion_model.output_blocks.11.1.transformer_blocks.0.norm1.bias".to_owned();
        vec![(name, vec![4], vec![spread, -spread, spread, -spread])]
    };
    for (model, remarks, more, expected) in [
        ("xl", "{}", Vec::new(), "epsilon (a guess"),
        ("xl", "{}", marker("v_pred"), "v_prediction (the file's tensor `v_pred`)"),
        ("xl", r#"{"modelspec.prediction_type":"v"}"#, Vec::new(), "v_prediction (the file's remark modelspec.prediction_type = v)"),
        ("xl", r#"{"modelspec.prediction_type":"epsilon"}"#, marker("v_pred"), "v_prediction (the file's tensor"),
        ("sd1", r#"{"ss_v_parameterization":"True"}"#, Vec::new(), "v_prediction (the file's remark ss_v_parameterization"),
        ("sd2", r#"{"modelspec.architecture":"stable-diffusion-v2-512"}"#, Vec::new(), "epsilon (the file's remark modelspec.architecture"),
        ("sd2", r#"{"modelspec.architecture":"stable-diffusion-v2-768-v"}"#, bias(0.01), "v_prediction (the file's remark"),
        ("sd2", "{}", bias(0.05), "epsilon (measured: a bias spreads by 0.050"),
        ("sd2", "{}", bias(0.2), "v_prediction (measured: a bias spreads by 0.200"),
    ] {
        let folder = single_file_with(model, remarks, &more);
        let path = folder.path().join("model.safetensors");
        let found = inspect(&path).unwrap();
        let prediction = details(&found.details).into_iter().find(|(key, _)| *key == "prediction").map(|(_, value)| value);
        assert!(prediction.is_some_and(|prediction| prediction.starts_with(expected)), "{model} {remarks}: {prediction:?}");
        let checkpoint = inference::checkpoint::Checkpoint::open(&path).unwrap();
        let (size, expects_512) =
            (checkpoint.json("unet/config.json").unwrap()["sample_size"].clone(), model == "sd2" && expected.starts_with("eps"));
        assert!(!expects_512 || size == 64, "{model} {remarks}: {size}");
    }
}

#[test]
fn small_files_say_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.safetensors");
    let check = |names: &[(&str, &[usize])], kind: FileKind, family: Option<Family>, expected: &[(&str, &str)]| {
        let tensors: Vec<_> =
            names.iter().map(|(name, shape)| ((*name).to_owned(), shape.to_vec(), vec![0.0; shape.iter().product()])).collect();
        families::write(&path, &tensors);
        let found = inspect(&path).unwrap();
        assert_eq!((found.kind, found.family, details(&found.details)), (kind, family, expected.to_vec()), "{names:?}");
    };
    let kohya: &[(&str, &[usize])] = &[
        ("lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight", &[4, 768]),
        ("lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lora_up.weight", &[320, 4]),
        ("lora_te_text_model_encoder_layers_0_mlp_fc1.lora_down.weight", &[8, 768]),
    ];
    check(kohya, FileKind::Lora, Some(Family::StableDiffusion1), &[("rank", "4, 8"), ("changes", "U-Net, text encoder")]);
    check(
        &[("unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_k.lora_A.weight", &[2, 2048])],
        FileKind::Lora,
        Some(Family::StableDiffusionXl),
        &[("rank", "2"), ("changes", "U-Net")],
    );
    check(&[("lora_unet_mid_block_resnets_0_conv1.hada_w1_a", &[4, 4])], FileKind::Lora, None, &[("method", "LoHa"), ("changes", "U-Net")]);
    check(&[("emb_params", &[3, 768])], FileKind::TextualInversion, Some(Family::StableDiffusion1), &[("tokens", "3")]);
    check(
        &[("clip_l", &[2, 768]), ("clip_g", &[2, 1280])],
        FileKind::TextualInversion,
        Some(Family::StableDiffusionXl),
        &[("tokens", "2")],
    );
    check(&[("<fox>", &[1024])], FileKind::TextualInversion, Some(Family::StableDiffusion2), &[("tokens", "1")]);
    check(&[("conv_first.weight", &[64, 3, 3, 3])], FileKind::Upscaler, None, &[]);
    check(&[("1.weight", &[64, 4, 3, 3]), ("3.conv.0.weight", &[64, 64, 3, 3])], FileKind::Taesd, None, &[]);
    check(
        &[("control_model.input_blocks.0.0.weight", &[8, 4, 3, 3]), ("control_model.x.attn2.to_k.weight", &[8, 1024])],
        FileKind::ControlNet,
        Some(Family::StableDiffusion2),
        &[],
    );
    check(&[("what", &[2, 3, 4])], FileKind::Unknown, None, &[]);
    assert_eq!(inspect(&starter().join("upscaler/realesr-animevideov3-x4.safetensors")).unwrap().kind, FileKind::Upscaler);
}

/// Two gigabytes of zeros that take no room on the disk: telling what they are must not read them.
#[test]
fn inspecting_does_not_read_the_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let n_bytes = 1_u64 << 31;
    let header = format!(r#"{{"conv_in.weight":{{"dtype":"U8","shape":[{n_bytes}],"data_offsets":[0,{n_bytes}]}}}}"#);
    let path = file(folder.path(), &header, 0);
    fs::File::options().write(true).open(&path).unwrap().set_len(8 + header.len() as u64 + n_bytes).unwrap();
    let found = inspect(&path).unwrap();
    assert_eq!((found.n_parameters, found.dtypes), (n_bytes, vec![("u8".to_owned(), n_bytes)]));
}
