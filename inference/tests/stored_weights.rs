//! Weights as files store them: quantised with scales, and files that change while they are open.

use std::{
    fs::{self, File},
    path::Path,
    time::{Duration, SystemTime},
};

use crate::common::{
    families::{self, Named},
    floats,
};
use candle_core::{DType, Device, Tensor};
use inference::{
    checkpoint::{Checkpoint, Weights},
    family::{ModelFiles, stable_diffusion::Model},
    text::Embedding,
};
use serde_json::json;

/// A tensor as it is stored: name, type, shape and bytes.
type Stored = (String, &'static str, Vec<usize>, Vec<u8>);

fn write(path: &Path, tensors: &[Stored]) {
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    for (name, dtype, shape, bytes) in tensors {
        header.insert(name.clone(), json!({ "dtype": dtype, "shape": shape, "data_offsets": [data.len(), data.len() + bytes.len()] }));
        data.extend(bytes);
    }
    let header = serde_json::Value::Object(header).to_string();
    fs::write(path, [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &data].concat()).unwrap();
}

fn f32s(name: &str, shape: &[usize], values: &[f32]) -> Stored {
    (name.to_owned(), "F32", shape.to_vec(), values.iter().flat_map(|value| value.to_le_bytes()).collect())
}

/// How scales are stored.
#[derive(Clone, Copy, Debug)]
struct Style {
    dtype: &'static str,
    name: fn(&str) -> String,
    shape: fn(&[usize]) -> Vec<usize>,
    extra: Option<&'static str>,
}

fn comfy(name: &str) -> String {
    format!("{}scale_weight", name.strip_suffix("weight").unwrap())
}

fn diffusers(name: &str) -> String {
    format!("{name}_scale")
}

const STYLES: [Style; 6] = [
    Style { dtype: "F8_E4M3", name: comfy, shape: |_| vec![], extra: Some("scale_input") },
    Style { dtype: "F8_E5M2", name: comfy, shape: |_| vec![1], extra: None },
    Style { dtype: "F8_E4M3", name: comfy, shape: |shape| vec![shape[0]], extra: None },
    Style { dtype: "F8_E4M3", name: diffusers, shape: |_| vec![1], extra: Some("input_scale") },
    Style { dtype: "F8_E5M2", name: diffusers, shape: |shape| vec![shape[0], 1], extra: None },
    Style { dtype: "F8_E4M3", name: diffusers, shape: |shape| [&shape[..1], &vec![1; shape.len() - 1]].concat(), extra: None },
];

/// The numbers of eight bits, by the library for the one kind and as the upper half of float16 for the other.
fn decode(dtype: &str, bytes: &[u8]) -> Vec<f32> {
    let tensor = match dtype {
        "F8_E4M3" => Tensor::from_raw_buffer(bytes, DType::F8E4M3, &[bytes.len()], &Device::Cpu),
        _ => {
            Tensor::from_raw_buffer(&bytes.iter().flat_map(|byte| [0, *byte]).collect::<Vec<_>>(), DType::F16, &[bytes.len()], &Device::Cpu)
        }
    };
    floats(&tensor.unwrap().to_dtype(DType::F32).unwrap())
}

/// The same file twice: quantised with scales, and with the scales multiplied in.
fn quantised(tensors: &[Named], style: Style) -> (Vec<Stored>, Vec<Stored>) {
    let (mut with_scales, mut multiplied) = (Vec::new(), Vec::new());
    for (name, shape, values) in tensors {
        if shape.len() < 2 || !name.ends_with("weight") {
            with_scales.push(f32s(name, shape, values));
            multiplied.push(f32s(name, shape, values));
            continue;
        }
        // Any finite bytes do: what matters is that both files mean the same.
        let bytes: Vec<u8> = values.iter().map(|value| (value.to_bits() >> 16) as u8 & 0xbb).collect();
        let scale_shape = (style.shape)(shape);
        let n: usize = scale_shape.iter().product();
        let scales: Vec<f32> = (0..n).map(|i| 0.01 + 0.003 * i as f32).collect();
        let per_scale = bytes.len() / n;
        let products: Vec<f32> = decode(style.dtype, &bytes).iter().enumerate().map(|(i, value)| value * scales[i / per_scale]).collect();
        multiplied.push(f32s(name, shape, &products));
        with_scales.push((name.clone(), style.dtype, shape.clone(), bytes));
        with_scales.push(f32s(&(style.name)(name), &scale_shape, &scales));
        if let Some(extra) = style.extra {
            with_scales.push(f32s(&format!("{}{extra}", name.strip_suffix("weight").unwrap()), &[], &[3.0]));
        }
    }
    if style.extra == Some("scale_input") {
        with_scales.push(("scaled_fp8".to_owned(), style.dtype, vec![2], vec![0, 0]));
    }
    (with_scales, multiplied)
}

/// Every tensor of a model as it is read.
fn all(path: &Path, model: &str) -> Vec<(String, Vec<f32>)> {
    let checkpoint = Checkpoint::open(path).unwrap();
    let network = &families::networks()[model];
    let mut all = Vec::new();
    for part in families::PARTS.iter().filter(|part| network.get(part).is_some()) {
        let weights = checkpoint.weights(part, &Device::Cpu, DType::F32).unwrap();
        for (name, shape, _) in families::tensors(&network[part]) {
            let name = if part.starts_with("text") && !name.starts_with("text_") { format!("text_model.{name}") } else { name };
            all.push((name.clone(), floats(&weights.tensor(&name, &shape).unwrap())));
        }
    }
    all
}

#[test]
fn scales_are_multiplied_in_wherever_a_weight_is_read() {
    for style in STYLES {
        for model in ["sd1", "sd2", "xl"] {
            let (file, network) = (families::single_file(model), &families::networks()[model]);
            let path = file.path().join("model.safetensors");
            let (with_scales, multiplied) = quantised(&families::ldm_tensors(network), style);
            write(&path, &multiplied);
            let expected = all(&path, model);
            write(&path, &with_scales);
            assert!(all(&path, model) == expected, "{model} in one file, {style:?}");
            Model::load(&path, &Device::Cpu, DType::F32).unwrap();

            let folder = families::folder(model);
            for part in families::PARTS.iter().filter(|part| network.get(part).is_some()) {
                let stem = if part.starts_with("text") { "model" } else { "diffusion_pytorch_model" };
                let (with_scales, multiplied) = quantised(&families::tensors(&network[part]), style);
                let path = folder.path().join(part).join(format!("{stem}.safetensors"));
                write(&path, &multiplied);
                let expected = all(folder.path(), model);
                write(&path, &with_scales);
                assert!(all(folder.path(), model) == expected, "{model} as a folder, {part}, {style:?}");
            }
            Model::load(folder.path(), &Device::Cpu, DType::F32).unwrap();
        }
    }
}

#[test]
fn scales_that_fit_no_rows_and_integers_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.safetensors");
    let weight = |dtype| ("a.weight".to_owned(), dtype, vec![2, 2], vec![0x38; 4]);
    for (tensors, reason) in [
        (
            vec![weight("F8_E4M3"), f32s("a.weight_scale", &[2, 2], &[1.0; 4])],
            "`a.weight_scale` has shape [2, 2]; one number, or one for each of 2 rows, is read",
        ),
        (vec![weight("F8_E4M3"), f32s("a.scale_weight", &[], &[f32::NAN])], "`a.weight` holds a value that is not a finite number"),
        (vec![weight("I8")], "`a.weight` has type I8; only f8_e4m3, f8_e5m2, f16, bf16, f32 and f64 are read"),
        (vec![weight("U8")], "`a.weight` has type U8; only f8_e4m3, f8_e5m2, f16, bf16, f32 and f64 are read"),
    ] {
        write(&path, &tensors);
        let weights = Weights::open(std::slice::from_ref(&path), &Device::Cpu, DType::F32).unwrap();
        let error = weights.tensor("a.weight", &[2, 2]).unwrap_err().to_string();
        assert_eq!(error, format!("{} cannot be read: {reason}", path.display()));
    }
}

#[test]
fn learned_words_of_eight_bits_are_read() {
    let folder = tempfile::tempdir().unwrap();
    for dtype in ["F8_E4M3", "F8_E5M2"] {
        let path = folder.path().join(format!("{dtype}.safetensors"));
        write(&path, &[("emb_params".to_owned(), dtype, vec![3, 16], vec![0x38; 48])]);
        assert_eq!(Embedding::load(&path).unwrap().n_vectors(), 3, "{dtype}");
    }
}

/// What somebody may do to a file that is open, and its name.
type FileChange = (&'static str, fn(&Path));

const CHANGES: [FileChange; 4] = [
    ("cut short", |path| File::options().write(true).open(path).unwrap().set_len(100).unwrap()),
    ("emptied", |path| File::options().write(true).open(path).unwrap().set_len(0).unwrap()),
    ("overwritten", |path| fs::write(path, vec![0; fs::metadata(path).unwrap().len() as usize]).unwrap()),
    ("longer", |path| fs::write(path, vec![0; fs::metadata(path).unwrap().len() as usize + 1]).unwrap()),
];

/// So that the next change has another time whatever the clock's steps are.
fn make_old(path: &Path) {
    File::options().write(true).open(path).unwrap().set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000)).unwrap();
}

#[test]
fn a_file_that_changes_while_it_is_open_is_an_ordinary_error() {
    let changed = "the file was changed since it was opened; start again";
    for (what, change) in CHANGES {
        let file = families::single_file("sd1");
        let path = file.path().join("model.safetensors");
        make_old(&path);
        let model = ModelFiles::open(&path).unwrap();
        assert!(model.denoiser(&Device::Cpu, DType::F32).is_ok(), "{what}: before");
        change(&path);
        let error = model.denoiser(&Device::Cpu, DType::F32).err().unwrap().to_string();
        assert_eq!(error, format!("{} cannot be read: {changed}", path.display()), "{what}");
    }
    // A folder's files are opened again, so another file in the place of one is a change too.
    let folder = families::folder("sd1");
    let path = folder.path().join("unet/diffusion_pytorch_model.safetensors");
    make_old(&path);
    let model = ModelFiles::open(folder.path()).unwrap();
    assert!(model.denoiser(&Device::Cpu, DType::F32).is_ok(), "before");
    fs::copy(&path, folder.path().join("copy")).unwrap();
    fs::rename(folder.path().join("copy"), &path).unwrap();
    let error = model.denoiser(&Device::Cpu, DType::F32).err().unwrap().to_string();
    assert_eq!(error, format!("{} cannot be read: {changed}", path.display()));
}

/// What a network does not read would have changed its pictures; what belongs to no network does not stop it.
#[test]
fn tensors_that_a_network_does_not_know_are_named() {
    let load = |path: &Path| Model::load(path, &Device::Cpu, DType::F32).map(|_| ()).map_err(|error| error.to_string());
    let extra = |name: &str| (name.to_owned(), vec![1], vec![1.0]);
    let file = families::single_file("sd1");
    let path = file.path().join("model.safetensors");
    let own = families::ldm_tensors(&families::networks()["sd1"]);
    for (name, network) in [
        ("model.diffusion_model.middle_block.1.transformer_blocks.1.norm1.weight", Some("U-Net")),
        ("model.diffusion_model.output_blocks.0.1.foo.weight", Some("U-Net")),
        ("model.diffusion_model.label_emb.0.0.weight", Some("U-Net")),
        ("first_stage_model.decoder.up.0.attn.0.q.weight", Some("VAE")),
        ("model.diffusion_model.scaled_fp8", None),
        ("model_ema.diffusion_modelinput_blocks00weight", None),
        ("cond_stage_model.logit_scale", None),
        ("first_stage_model.loss.logvar", None),
        ("safety_checker.concept_embeds", None),
        ("something.else", None),
    ] {
        families::write(&path, &[own.clone(), vec![extra(name)]].concat());
        match (load(&path), network) {
            (Ok(()), None) => {}
            (Err(error), Some(network)) => {
                let reason = format!("it has 1 tensor (`{name}`) that belong to its {network} and that the engine does not know");
                assert!(error.ends_with(&reason) || error.contains("transformer_blocks.1"), "{name}: {error}");
            }
            (found, _) => panic!("{name}: {found:?}"),
        }
    }
    let folder = families::folder("sd1");
    let path = folder.path().join("unet/diffusion_pytorch_model.safetensors");
    let own = families::tensors(&families::networks()["sd1"]["unet"]);
    families::write(&path, &[own, vec![extra("up_blocks.0.attentions.0.foo.weight")]].concat());
    let error = load(folder.path()).unwrap_err();
    assert!(error.contains("`up_blocks.0.attentions.0.foo.weight`"), "{error}");
}
