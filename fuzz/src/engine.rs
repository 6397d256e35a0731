//! The engine's readers. Each takes a file's bytes and gives the message of the error, if there is one.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
};

use candle_core::{DType, Device, Tensor};
use inference::{
    adapter::{self, Adapter, AdapterSet, Base},
    checkpoint::{Checkpoint, Header, LayerKind, Part, UnetLayout, Weights, inspect},
    error::InferenceError,
    family::stable_diffusion::ModelConfig,
    sampler::Sampler,
    schedule::{Asked, ScheduleConfig, ScheduleKind},
    state::TrajectoryState,
    text::{Embedding, Prompt, without_meaning},
    upscale::Upscaler,
};
use sha2::{Digest, Sha256};

/// Tensors of a file that are read.
const MAX_TENSORS: usize = 8;

/// What a reader says of an input.
pub type Said = Result<(), String>;

/// A reader.
pub type Target = fn(&[u8]) -> Said;

/// The folder of a target's input: its own, as readers look at what lies beside a file and tests run beside each other.
pub fn folder(file: &str) -> PathBuf {
    std::env::temp_dir().join(format!("atelier-fuzz-{}-{}", std::process::id(), file.trim_end_matches(".safetensors")))
}

fn written(name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder(name).join(name);
    if fs::write(&path, bytes).is_err() {
        fs::create_dir_all(folder(name)).and_then(|()| fs::write(&path, bytes)).expect("the temporary folder takes files");
    }
    path
}

fn said<T>(read: Result<T, InferenceError>) -> Result<T, String> {
    read.map_err(|error| match std::error::Error::source(&error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    })
}

/// A file of weights: what it is, some of its tensors, and a whole model's configuration.
pub fn weights(bytes: &[u8]) -> Said {
    let path = written("weights.safetensors", bytes);
    let header = said(Header::read(&path))?;
    said(inspect(&path))?;
    let weights = said(Weights::open(std::slice::from_ref(&path), &Device::Cpu, DType::F32))?;
    let read = header.tensors.iter().take(MAX_TENSORS).map(|tensor| said(weights.tensor(&tensor.name, &tensor.shape)).map(drop));
    let read = read.fold(Ok(()), Result::and);
    read.and(said(model(&path)))
}

fn model(path: &Path) -> Result<(), InferenceError> {
    let checkpoint = Checkpoint::open(path)?;
    let config = ModelConfig::read(&checkpoint)?;
    config.native_size();
    for (part, name) in [
        ("unet", "down_blocks.0.resnets.0.conv1.weight"),
        ("vae", "decoder.mid_block.attentions.0.to_q.weight"),
        ("text_encoder", "text_model.encoder.layers.0.self_attn.k_proj.weight"),
        ("text_encoder_2", "text_projection.weight"),
    ] {
        if checkpoint.has(part) {
            let weights = checkpoint.weights(part, &Device::Cpu, DType::F32)?;
            let shape = weights.shape(name)?.to_vec();
            weights.tensor(name, &shape)?;
        }
    }
    Ok(())
}

/// An adapter's file, read for a model with some layers of every network, and a set of it.
pub fn adapter(bytes: &[u8]) -> Said {
    static BASE: LazyLock<Arc<Base>> = LazyLock::new(|| Arc::new(base().expect("a small model")));
    let path = written("adapter.safetensors", bytes);
    let kind = adapter::kind(&path);
    let adapter = said(Adapter::load(&path, &BASE, &Device::Cpu, DType::F32))?;
    let report = adapter.report();
    assert!(kind.is_some() || report.n_applied <= report.n_modules);
    said(AdapterSet::new(vec![(Arc::new(adapter), 0.7.into())])).map(drop)
}

/// A model of a few layers.
fn base() -> Result<Base, InferenceError> {
    let (first, text) = ("down_blocks.0", "text_model.encoder.layers.0.self_attn");
    let layers = [
        (Part::Unet, "mid_block.attentions.0.transformer_blocks.0.attn1.to_q".to_owned(), LayerKind::Linear, &[8, 8][..]),
        (Part::Unet, format!("{first}.attentions.0.transformer_blocks.0.attn2.to_k"), LayerKind::Linear, &[32, 32]),
        (Part::Unet, format!("{first}.resnets.0.conv1"), LayerKind::Conv2d, &[32, 32, 3, 3]),
        (Part::Unet, format!("{first}.resnets.0.norm1"), LayerKind::Plain, &[32]),
        (Part::TextEncoder, format!("{text}.q_proj"), LayerKind::Linear, &[8, 8]),
        (Part::TextEncoder2, format!("{text}.v_proj"), LayerKind::Linear, &[8, 8]),
    ];
    let tensors = layers.iter().flat_map(|(_, name, _, shape)| {
        let ones = |shape: &[usize]| Tensor::ones(shape, DType::F32, &Device::Cpu).expect("a small tensor");
        [(format!("{name}.weight"), ones(shape)), (format!("{name}.bias"), ones(&shape[..1]))]
    });
    let path = written("base.safetensors", &[]);
    candle_core::safetensors::save(&tensors.collect::<HashMap<_, _>>(), &path)?;
    let layout = UnetLayout { n_layers: vec![1, 1], has_attention: vec![true, false] };
    [Part::Unet, Part::TextEncoder, Part::TextEncoder2].into_iter().try_fold(Base::new(layout), |base, part| {
        base.with(part, Weights::open(std::slice::from_ref(&path), &Device::Cpu, DType::F32)?, |weights| {
            layers.iter().filter(|(of, ..)| *of == part).try_for_each(|(_, name, kind, shape)| {
                let weights = weights.at(name);
                weights.tensor("weight", shape)?;
                weights.tensor("bias", &shape[..1])?;
                weights.layer(*kind);
                Ok(())
            })
        })
    })
}

/// A learned word's file.
pub fn embedding(bytes: &[u8]) -> Said {
    let embedding = said(Embedding::load(&written("embedding.safetensors", bytes)))?;
    assert!(embedding.n_vectors() > 0);
    Ok(())
}

/// A super-resolution network's file.
pub fn upscaler(bytes: &[u8]) -> Said {
    let upscaler = said(Upscaler::load(&written("upscaler.safetensors", bytes), &Device::Cpu))?;
    assert!((1..=32).contains(&upscaler.factor()));
    Ok(())
}

/// A prompt.
pub fn prompt(bytes: &[u8]) -> Said {
    let text = String::from_utf8_lossy(bytes);
    let prompt = Prompt::parse(&text);
    assert!(without_meaning(&text).iter().all(|(_, words)| !words.is_empty() && !words.contains(char::is_control)));
    assert!(!prompt.pieces().is_empty() && prompt.text().len() <= text.len() + prompt.pieces().len());
    prompt.check().map_err(|error| error.to_string())
}

/// A `scheduler_config.json`, and the plan of every sampler with it.
pub fn scheduler(bytes: &[u8]) -> Said {
    let path = Path::new("scheduler_config.json");
    let config = said(ScheduleConfig::parse(&String::from_utf8_lossy(bytes), path))?;
    for (at, sampler) in Sampler::ALL.into_iter().enumerate() {
        for (kind, n_steps, strength) in
            [(config.own_kind(), 7, None), (ScheduleKind::ALL[at % 5], 3, Some(0.4)), (ScheduleKind::SgmUniform, 30, Some(0.01))]
        {
            let plan =
                sampler.plan(&config, &Asked { kind, n_steps, strength, n_tokens: 1 << at, is_consistency_model: at % 2 == 0, eta: 0.5 });
            assert!(plan.start < plan.n_steps(), "{sampler} {kind}");
            assert!((plan.start..plan.n_steps()).all(|step| (1..=2).contains(&plan.calls_of(step))), "{sampler} {kind}");
        }
    }
    said(config.own_sampler()).map(drop)
}

/// Bytes of a state before what its digest is of: a word, the format's version, the digest.
const STATE_HEAD: usize = 8 + 4 + 32;

/// A state that a picture goes on from, as it is; and with the digest that belongs to it, as otherwise nothing behind that would be reached.
pub fn state(bytes: &[u8]) -> Said {
    let found = read_state(bytes);
    if let Some((head, body)) = bytes.split_first_chunk::<STATE_HEAD>() {
        let sealed = [&head[..12], Sha256::digest(body).as_slice(), body].concat();
        let of_sealed = read_state(&sealed);
        assert!(found.is_err() || of_sealed == found, "its own digest belongs to it");
        return of_sealed;
    }
    found
}

fn read_state(bytes: &[u8]) -> Said {
    let state = TrajectoryState::from_bytes(bytes).map_err(|error| error.to_string())?;
    for tensor in [&state.latents].into_iter().chain(&state.history) {
        let n = tensor.shape().iter().try_fold(1_usize, |n, side| n.checked_mul(*side));
        assert_eq!(n, Some(tensor.values().len()), "as many numbers as its shape says");
    }
    let again = TrajectoryState::from_bytes(&state.to_bytes()).expect("what was written is read");
    assert_eq!(again.to_bytes(), state.to_bytes());
    Ok(())
}
