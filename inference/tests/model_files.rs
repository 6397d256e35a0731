//! Safetensors files that are broken, and what is wrong with them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::common::{
    families::{self, folder, single_file},
    floats,
};
use candle_core::{DType, Device};
use inference::checkpoint::{FileKind, Header, Weights, inspect};

/// A file with this header and so many zeros after it.
pub(crate) fn file(folder: &Path, header: &str, n_bytes: usize) -> PathBuf {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(vec![0; n_bytes]);
    raw(folder, &bytes)
}

fn raw(folder: &Path, bytes: &[u8]) -> PathBuf {
    let path = folder.join("file.safetensors");
    fs::write(&path, bytes).unwrap();
    path
}

fn open(path: &Path) -> String {
    let error = Weights::open(&[path.to_owned()], &Device::Cpu, DType::F32).err().expect("a broken file must not open").to_string();
    error.replace(&format!("{} cannot be read: ", path.display()), "")
}

#[test]
fn broken_headers_are_explained() {
    let folder = tempfile::tempdir().unwrap();
    let cut = "its length is not what its header says; it is cut off, download it again";
    for (header, n_bytes, reason) in [
        (r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, 4, cut),
        (r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, 9, "1 bytes after its last tensor belong to none"),
        (r#"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}"#, 8, "`a` has 8 bytes where its shape needs 12"),
        (r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#, 8, "`a` has a senseless shape or place"),
        (
            r#"{"a":{"dtype":"F32","shape":[4611686018427387904,4611686018427387904],"data_offsets":[0,8]}}"#,
            8,
            "`a` has a senseless shape or place",
        ),
        (
            r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[18446744073709551608,18446744073709551615]}}"#,
            8,
            "`a` has a senseless shape or place",
        ),
        (
            r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}"#,
            12,
            "`a` and `b` overlap",
        ),
        (
            r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[12,16]}}"#,
            16,
            "4 bytes before `b` belong to no tensor",
        ),
        (
            r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
            8,
            "it has two tensors `a`",
        ),
        (
            r#"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#,
            4,
            "its header is broken: invalid value: integer `-1`, expected u64 at line 1 column 31",
        ),
        (r#"{"a":{"#, 0, "its header is broken: EOF while parsing an object at line 1 column 6"),
    ] {
        assert_eq!(open(&file(folder.path(), header, n_bytes)), reason, "{header}");
    }
}

#[test]
fn headers_are_bounded_while_they_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let tensors = |n: usize| {
        let tensors: Vec<_> = (0..n).map(|i| format!(r#""t{i}":{{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}"#)).collect();
        format!("{{{}}}", tensors.join(","))
    };
    let remarks = |n: usize| {
        let remarks: Vec<_> = (0..n).map(|i| format!(r#""r{i}":"x""#)).collect();
        format!(r#"{{"__metadata__":{{{}}}}}"#, remarks.join(","))
    };
    let shape = |n: usize| format!(r#"{{"a":{{"dtype":"F32","shape":[{}],"data_offsets":[0,4]}}}}"#, vec!["1"; n].join(","));
    for (header, n_bytes, reason) in [
        (tensors(50_000), 0, None),
        (tensors(50_001), 0, Some("more than 50000 tensors")),
        (remarks(10_000), 0, None),
        (remarks(10_001), 0, Some("more than 10000 remarks of its maker")),
        (shape(8), 4, None),
        (shape(9), 4, Some("a tensor of more than 8 dimensions")),
        (shape(1_000_000), 4, Some("a tensor of more than 8 dimensions")),
    ] {
        let read = Header::read(&file(folder.path(), &header, n_bytes)).map_err(|error| error.to_string());
        match reason {
            None => assert!(read.is_ok(), "{read:?}"),
            Some(reason) => assert!(read.as_ref().is_err_and(|error| error.contains(reason)), "{reason}: {read:?}"),
        }
    }
}

#[test]
fn remarks_are_texts_or_shown_as_they_stand_and_long_ones_are_cut() {
    let folder = tempfile::tempdir().unwrap();
    let long = "ä".repeat(10 << 20);
    let header = format!(r#"{{"__metadata__":{{"a":"x\u00e9","b":{{"c":[1,2]}},"d":3,"e":null,"f":"{long}"}}}}"#);
    let metadata = Header::read(&file(folder.path(), &header, 0)).unwrap().metadata;
    let short: Vec<_> = metadata.iter().take(4).map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(short, [("a", "xé"), ("b", r#"{"c":[1,2]}"#), ("d", "3"), ("e", "null")]);
    assert!((15 << 20..=16 << 20).contains(&metadata["f"].len()) && metadata["f"].ends_with('ä'), "{}", metadata["f"].len());
}

/// Nobody ever writes to these pipes: whoever opens one waits for ever.
#[test]
fn what_is_no_file_is_not_waited_for() {
    type Place = fn(&Path) -> PathBuf;
    let places: [(&str, Place); 6] = [
        ("sd1", |folder| folder.join("model_index.json")),
        ("sd1", |folder| folder.join("unet/config.json")),
        ("sd1", |folder| folder.join("scheduler/scheduler_config.json")),
        ("sd1", |folder| folder.join("vae/config.json")),
        ("sd1", |folder| folder.join("text_encoder/config.json")),
        ("sd1", |folder| folder.join("vae/diffusion_pytorch_model.safetensors")),
    ];
    for (name, place) in places {
        for is_folder in [false, true] {
            let folder = folder(name);
            let path = place(folder.path());
            fs::remove_file(&path).unwrap();
            if is_folder {
                fs::create_dir(&path).unwrap();
            } else {
                rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
            }
            if path.ends_with("scheduler_config.json") {
                assert!(!inference::catalogue::is_model(folder.path()));
                continue;
            }
            let error =
                inference::family::stable_diffusion::Model::load(folder.path(), &Device::Cpu, DType::F32).err().unwrap().to_string();
            assert!(error.contains(path.parent().unwrap().to_str().unwrap()), "{error}");
        }
    }
}

#[test]
fn descriptions_and_vocabularies_have_a_longest_length() {
    for (name, max_bytes) in [
        ("unet/config.json", 4_u64 << 20),
        ("scheduler/scheduler_config.json", 4 << 20),
        ("tokenizer/tokenizer.json", 64 << 20),
        ("tokenizer/vocab.json", 64 << 20),
        ("tokenizer/merges.txt", 64 << 20),
    ] {
        let folder = folder("sd1");
        let path = folder.path().join(name);
        let tokenizer = folder.path().join("tokenizer");
        if name == "tokenizer/vocab.json" || name == "tokenizer/merges.txt" {
            // They are read where there is no `tokenizer.json`.
            let _ = fs::remove_file(tokenizer.join("tokenizer.json"));
            fs::write(tokenizer.join("vocab.json"), "{}").unwrap();
            fs::write(tokenizer.join("merges.txt"), "").unwrap();
        }
        fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(1 << 40).unwrap();
        let found = match name.split_once('/').unwrap().0 {
            "tokenizer" => inference::text::Tokenizer::load(&tokenizer, 77).err(),
            "scheduler" => inference::catalogue::check_model(folder.path()).err(),
            _ => inference::family::stable_diffusion::Model::load(folder.path(), &Device::Cpu, DType::F32).err(),
        };
        let error = found.unwrap().to_string();
        assert!(error.contains(&format!("{max_bytes} are the most that such a file may have")), "{name}: {error}");
    }
}

#[test]
fn other_files_are_recognised() {
    let folder = tempfile::tempdir().unwrap();
    let pickle = "it is a PyTorch file, which is refused because it can run code; convert it to safetensors, for example with \
                  `safetensors.torch.save_file` or `save_pretrained(folder, safe_serialization=True)` of diffusers";
    let huge = [&200_000_000_u64.to_le_bytes()[..], b"{"].concat();
    let cut = [&20_u64.to_le_bytes()[..], b"{\"a\""].concat();
    for (bytes, reason) in [
        (&b""[..], "the file is empty"),
        (b"GGUF\x03\0\0\0\0\0", "it is a GGUF file, which is not read; take the model's safetensors version"),
        (b"PK\x03\x04archive/data.pkl", pickle),
        (b"\x80\x02}q\0(X\0\0\0\0", pickle),
        (b"version https://git-lfs.github.com/spec/v1\n", "it is a Git LFS pointer and not the file itself; fetch it with `git lfs pull`"),
        (b"<!doctype html><html>", "it is a web page and not the file itself; download it again"),
        (b"hello world, this is text", "it is not a safetensors file"),
        (&huge, "its header has 200000000 bytes; more than 100 MB is refused"),
        (&cut, "it is cut off in its header, download it again"),
    ] {
        assert_eq!(open(&raw(folder.path(), bytes)), reason, "{bytes:?}");
    }
    let missing = folder.path().join("none.safetensors");
    assert!(open(&missing).starts_with(&format!("{} is missing", missing.display())));
}

#[test]
fn a_missing_shard_and_a_doubled_tensor_are_named() {
    let folder = folder("sd1");
    let unet = folder.path().join("unet");
    let load = || inference::family::stable_diffusion::Model::load(folder.path(), &Device::Cpu, DType::F32).err().unwrap().to_string();
    fs::rename(unet.join("diffusion_pytorch_model.safetensors"), unet.join("diffusion_pytorch_model-00001-of-00002.safetensors")).unwrap();
    let index = r#"{"weight_map":{"conv_in.weight":"diffusion_pytorch_model-00001-of-00002.safetensors","conv_out.bias":"diffusion_pytorch_model-00002-of-00002.safetensors"}}"#;
    fs::write(unet.join("diffusion_pytorch_model.safetensors.index.json"), index).unwrap();
    let second = unet.join("diffusion_pytorch_model-00002-of-00002.safetensors");
    assert!(load().starts_with(&format!("{} is missing", second.display())), "{}", load());
    families::write(&second, &[("conv_out.bias".to_owned(), vec![1], vec![0.0])]);
    assert_eq!(load(), format!("{} cannot be read: `conv_out.bias` is in another file of the model too", second.display()));
}

#[test]
fn numbers_of_eight_bits_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), r#"{"a":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]}}"#, 4);
    let mut bytes = fs::read(&path).unwrap();
    let n = bytes.len();
    // E4M3: sign, four bits of exponent with bias 7, three of fraction.
    bytes[n - 4..].copy_from_slice(&[0x38, 0xc4, 0x01, 0x7e]);
    fs::write(&path, &bytes).unwrap();
    let read = || Weights::open(std::slice::from_ref(&path), &Device::Cpu, DType::F32).unwrap().tensor("a", &[4]);
    assert_eq!(floats(&read().unwrap()), [1.0, -3.0, 0.001_953_125, 448.0]);
    bytes[n - 1] = 0x7f;
    fs::write(&path, &bytes).unwrap();
    assert!(read().err().unwrap().to_string().ends_with("`a` holds a value that is not a finite number"));
}

#[test]
fn files_of_other_savers_are_read_or_say_what_they_lack() {
    let rename = |change: &dyn Fn(&str) -> Option<String>| {
        let folder = single_file("sd1");
        let path = folder.path().join("model.safetensors");
        let read = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
        let tensors: Vec<_> =
            read.iter().filter_map(|(name, tensor)| Some((change(name)?, tensor.dims().to_vec(), floats(tensor)))).collect();
        families::write(&path, &tensors);
        let loaded = inference::family::stable_diffusion::Model::load(&path, &Device::Cpu, DType::F32)
            .map(|_| ())
            .map_err(|error| error.to_string());
        (loaded.map_err(|error| error.replace(&path.display().to_string(), "FILE")), inspect(&path).unwrap().kind)
    };
    const UNET: &str = "model.diffusion_model.";
    let below = rename(&|name| Some(format!("state_dict.{name}")));
    assert_eq!(below, (Ok(()), FileKind::SingleFile));
    let no_vae = rename(&|name| (!name.starts_with("first_stage_model.")).then(|| name.to_owned()));
    assert_eq!(no_vae.0, Err("FILE cannot be read: it has no VAE; name one with `--vae`, or with `vae` in its `[aliases]`".to_owned()));
    let smoothed = |name: &str| name.strip_prefix(UNET).map(|rest| format!("model_ema.diffusion_model{}", rest.replace('.', "")));
    let (ema, kind) = rename(&|name| Some(smoothed(name).unwrap_or_else(|| name.to_owned())));
    assert!(ema.is_err_and(|error| error.contains("only the smoothed twin (EMA) of its U-Net")) && kind == FileKind::Unet);
    let (unet, kind) =
        rename(&|name| Some(name.strip_prefix(UNET).map_or_else(|| name.to_owned(), |rest| format!("diffusion_model.{rest}"))));
    assert!(unet.is_err_and(|error| error.contains("a U-Net alone where a whole model is needed")) && kind == FileKind::Unet);
}
