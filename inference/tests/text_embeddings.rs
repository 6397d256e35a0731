//! Files of learned words: what is read and what is said about the others.

use std::{collections::HashMap, fs, path::Path};

use candle_core::{DType, Device, Tensor};
use inference::{
    checkpoint::{TokenizerSource, Weights, hf_folder::read_json},
    text::clip::ClipConfig,
    text::{Embedding, EncoderFiles, TextEncoders, TextOptions},
};

fn write(path: &Path, tensors: &[(&str, Tensor)]) {
    let tensors: HashMap<String, Tensor> = tensors.iter().map(|(name, tensor)| ((*name).to_owned(), tensor.clone())).collect();
    candle_core::safetensors::save(&tensors, path).unwrap();
}

fn vectors(shape: &[usize]) -> Tensor {
    Tensor::ones(shape, DType::F32, &Device::Cpu).unwrap()
}

/// The encoders of tests/data/text: 16 numbers wide, 20 numbers wide, or both.
fn encoders(which: &[&str]) -> TextEncoders {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/text");
    let read = |name: &str| {
        let path = folder.join(name).join("config.json");
        let weights = Weights::open(&[folder.join(name).join("model.safetensors")], &Device::Cpu, DType::F32).unwrap();
        (weights, ClipConfig::read(&read_json(&path).unwrap(), &path).unwrap())
    };
    let (first, second) = (read("text_encoder"), read("text_encoder_2"));
    let folders = ["tokenizer", "tokenizer_2"].map(|name| TokenizerSource::Folder(folder.join(name)));
    let first = EncoderFiles { weights: &first.0, config: &first.1, tokenizer: &folders[0] };
    let second = EncoderFiles { weights: &second.0, config: &second.1, tokenizer: &folders[1] };
    let chosen = |name: &str| which.contains(&name);
    TextEncoders::load(
        Some(first).filter(|_| chosen("first")),
        Some(second).filter(|_| chosen("second")),
        TextOptions::default(),
        &Device::Cpu,
    )
    .unwrap()
}

#[test]
fn names_and_sizes_come_from_the_file() {
    let folder = tempfile::tempdir().unwrap();
    for (file, tensors, names, n) in [
        ("easy.safetensors", vec![("emb_params", vectors(&[4, 16]))], vec!["easy"], 4),
        ("learned.safetensors", vec![("<cat-toy>", vectors(&[16]))], vec!["<cat-toy>", "learned"], 1),
        ("many.safetensors", vec![("<s>", vectors(&[3, 16]))], vec!["<s>", "many"], 3),
        ("xl.safetensors", vec![("clip_g", vectors(&[2, 20])), ("clip_l", vectors(&[2, 16]))], vec!["xl"], 2),
    ] {
        let path = folder.path().join(file);
        write(&path, &tensors);
        let embedding = Embedding::load(&path).unwrap();
        assert!(embedding.names() == names && embedding.n_vectors() == n, "{file}: {embedding:?}");
        assert_eq!(embedding.named(" other ").names(), ["other"]);
    }
}

#[test]
fn files_that_are_no_learned_words_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let check = |file: &str, tensors: &[(&str, Tensor)], expected: &str| {
        let path = folder.path().join(file);
        if !tensors.is_empty() {
            write(&path, tensors);
        }
        let error = Embedding::load(&path).unwrap_err().to_string();
        assert_eq!(error.replace(&folder.path().display().to_string(), "FOLDER"), format!("FOLDER/{file}{expected}"));
    };
    let two = [("a", vectors(&[16])), ("b", vectors(&[16]))];
    let reason = " cannot be read: a learned word's file holds `emb_params`, `clip_l` and `clip_g`, or one tensor with the word's name";
    check("two.safetensors", &two, reason);
    check("cube.safetensors", &[("emb_params", vectors(&[1, 2, 3]))], " cannot be read: `emb_params` is [1, 2, 3] of F32, not vectors");
    check("none.safetensors", &[("emb_params", vectors(&[0, 16]))], " cannot be read: `emb_params` is [0, 16] of F32, not vectors");
    let infinite = (vectors(&[16]) * f64::INFINITY).unwrap();
    check("infinite.safetensors", &[("x", infinite)], " cannot be read: `x` holds a value that is not a finite number");
    let whole = vectors(&[16]).to_dtype(DType::I64).unwrap();
    check("whole.safetensors", &[("x", whole)], " cannot be read: `x` is [16] of I64, not vectors");
    fs::write(folder.path().join("text.safetensors"), "hello").unwrap();
    check("text.safetensors", &[], " cannot be read: it is not a safetensors file");
    let refused = " cannot be read: pickle files are refused because they can run code; convert it to safetensors, for example with `safetensors.torch.save_file(";
    check(
        "old.pt",
        &[],
        &format!(
            "{refused}{{\"emb_params\": torch.load(\"FILE\", weights_only=True)[\"string_to_param\"][\"*\"].detach()}}, \"NAME.safetensors\")` in Python"
        ),
    );
    check("old.bin", &[], &format!("{refused}torch.load(\"FILE\", weights_only=True), \"NAME.safetensors\")` in Python"));
    let error = Embedding::load(&folder.path().join("absent.safetensors")).unwrap_err().to_string();
    assert!(error.contains("absent.safetensors is missing"), "{error}");
}

#[test]
fn widths_must_be_the_encoders() {
    let folder = tempfile::tempdir().unwrap();
    let check = |which: &[&str], tensors: &[(&str, Tensor)], expected: Option<&str>| {
        let path = folder.path().join("word.safetensors");
        write(&path, tensors);
        let found = encoders(which).add_embedding(&Embedding::load(&path).unwrap()).err().map(|error| error.to_string());
        assert_eq!(found.map(|error| error.replace(&path.display().to_string(), "FILE")).as_deref(), expected);
    };
    let both = [("clip_l", vectors(&[2, 16])), ("clip_g", vectors(&[2, 20]))];
    check(&["first"], &[("emb_params", vectors(&[75, 16]))], None);
    check(&["first"], &both, None);
    check(&["second"], &both, None);
    check(&["second"], &[("<x>", vectors(&[20]))], None);
    check(&["first", "second"], &both, None);
    check(&["first"], &[("<x>", vectors(&[24]))], Some("FILE: `<x>` has shape [1, 24], the model needs [1, 16]"));
    let swapped = [("clip_l", vectors(&[2, 16])), ("clip_g", vectors(&[2, 16]))];
    check(&["first", "second"], &swapped, Some("FILE: `clip_g` has shape [2, 16], the model needs [2, 20]"));
    let only = "FILE cannot be read: it has vectors of 16 numbers, the model's two text encoders need 16 and 20";
    check(&["first", "second"], &[("emb_params", vectors(&[2, 16]))], Some(only));
    check(&["first"], &[("x", vectors(&[76, 16]))], Some("FILE cannot be read: it has 76 vectors, at most 75 fit into a prompt"));
}
