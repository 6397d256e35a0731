use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

use inference::{
    error::{InferenceError, InvalidTask},
    state::StateError,
    task::TextToImage,
};
use serde_json::json;
use storage::JobId;

use super::*;
use crate::{messages, models::test_catalogue};

/// What none of a person's business is. No name in [`loaded`] holds one of these.
const SECRETS: [&str; 9] = ["/srv", "safetensors", "ada_s_disk", "down_blocks", "lora_unet", "out of bounds", "0xdead", "panick", "tensor"];

const MODEL: &str = "/srv/ada_s_disk/models/dreamy.safetensors";
const LORA: &str = "/srv/ada_s_disk/loras/my style v2.safetensors";
const WORD: &str = "/srv/ada_s_disk/words/bad_hands.safetensors";

fn loaded() -> Catalogue {
    test_catalogue(|json| {
        let adapter = |name: &str| {
            let known = json!({ "name": name, "path": LORA, "version": [], "kind": "LoRA", "family": null, "parts": [] });
            merged(known, json!({ "rank": 4, "n_parameters": 1, "trigger_words": [], "fault": null }))
        };
        (json["usual"], json["models"][0]["name"], json["models"][0]["path"]) = (json!("first"), json!("first"), json!("/srv/first"));
        json["adapters"] = json!([adapter("other name"), adapter("my style")]);
        json["embeddings"] = json!([{ "name": "bad_hands", "path": WORD, "version": [], "widths": [8], "n_vectors": 1 }]);
    })
}

fn merged(mut one: serde_json::Value, other: serde_json::Value) -> serde_json::Value {
    one.as_object_mut().expect("an object").extend(other.as_object().cloned().expect("an object"));
    one
}

fn task() -> Task {
    Task::from(TextToImage { model: Some("dreamy".into()), prompt: "a fox <lora:my style:0.8>".into(), ..TextToImage::default() })
}

/// Which variant an error is: this does not compile when there is another one, and [`errors`] must then have it.
fn variant(error: &InferenceError) -> usize {
    match error {
        InferenceError::Missing { .. } => 0,
        InferenceError::Unreadable { .. } => 1,
        InferenceError::WrongShape { .. } => 2,
        InferenceError::MissingTensor { .. } => 3,
        InferenceError::Unsupported { .. } => 4,
        InferenceError::NoModels => 5,
        InferenceError::Adapter(_) => 6,
        InferenceError::Device { .. } => 7,
        InferenceError::InvalidTask(_) => 8,
        InferenceError::InvalidPrompt(_) => 9,
        InferenceError::NotANumber { .. } => 10,
        InferenceError::Compute(_) => 11,
        InferenceError::Panicked { .. } => 12,
        InferenceError::Cancelled => 13,
        InferenceError::Busy => 14,
        InferenceError::Shared(_) => 15,
        InferenceError::Internal { .. } => 16,
        InferenceError::Stopped => 17,
        InferenceError::State(_) => 18,
        InferenceError::NoDevices => 19,
        InferenceError::DeviceEnded { .. } => 20,
    }
}

const N_VARIANTS: usize = 21;

/// Every variant, about the model's, the adapter's and the word's file, as bad as it can be.
fn errors() -> Vec<InferenceError> {
    let adapters = |path: &str| {
        let (path, module) = (PathBuf::from(path), "lora_unet_down_blocks_0".to_owned());
        [
            AdapterError::Missing { path: path.clone() },
            AdapterError::NotAnAdapter { path: path.clone(), n_tensors: 7 },
            AdapterError::Unsupported { path: path.clone(), what: "an OFT adapter" },
            AdapterError::Incomplete { path: path.clone(), module: module.clone(), found: "lora_unet.a".into(), missing: "lora_unet.b" },
            AdapterError::Rank { path: path.clone(), module: module.clone(), first: vec![1], second: vec![2] },
            AdapterError::Shape { path: path.clone(), module, adapter: vec![1], model: vec![2], made_for: None },
            AdapterError::NothingMatches { path, n_modules: 7, made_for: None },
        ]
    };
    let reason = || "/srv/ada_s_disk: tensor down_blocks.0.weight panicked: index out of bounds at 0xdead".to_owned();
    // The tensor library's errors begin as those of others.
    let compute = || InferenceError::Compute(std::io::Error::other(reason()).into());
    let mut errors: Vec<InferenceError> = Vec::new();
    for path in [MODEL, LORA, WORD, "/srv/nobody_s.safetensors"] {
        let (file, tensor) = (|| PathBuf::from(path), || "down_blocks.0.weight".to_owned());
        errors.push(InferenceError::Missing { path: file() });
        errors.push(InferenceError::Unreadable { path: file(), reason: reason() });
        errors.push(InferenceError::WrongShape { path: file(), tensor: tensor(), found: vec![1], expected: vec![2] });
        errors.push(InferenceError::MissingTensor { path: file(), tensor: tensor() });
        errors.push(InferenceError::Unsupported { path: file(), what: reason() });
        errors.extend(adapters(path).map(InferenceError::Adapter));
        errors.push(InferenceError::Shared(Arc::new(InferenceError::Unreadable { path: file(), reason: reason() })));
    }
    errors.extend([
        InferenceError::NoModels,
        InferenceError::Device { device: "cuda:0".into(), reason: reason() },
        InferenceError::InvalidTask(InvalidTask::Steps { found: 200, max: 100 }),
        InferenceError::InvalidPrompt(text::PromptError::TooLong { found: 50, chunk: 75, max: 40 }),
        InferenceError::NotANumber { index: 1, step: 7 },
        compute(),
        InferenceError::Panicked { reason: reason() },
        InferenceError::Panicked { reason: format!("{}: out of memory", reason()) },
        InferenceError::Cancelled,
        InferenceError::Busy,
        InferenceError::Shared(Arc::new(compute())),
        InferenceError::Shared(Arc::new(InferenceError::Panicked { reason: reason() })),
        InferenceError::Internal { what: "a tensor in down_blocks" },
        InferenceError::Stopped,
        InferenceError::State(StateError::Damaged { what: "a tensor in down_blocks" }),
        InferenceError::NoDevices,
        InferenceError::DeviceEnded { device: "cuda:1 (bf16)".into() },
    ]);
    errors
}

#[test]
fn no_error_of_the_engine_leaks_a_path_a_tensor_or_a_panic() {
    let errors = errors();
    let tried: BTreeSet<usize> = errors.iter().map(variant).collect();
    assert_eq!(tried.len(), N_VARIANTS, "every variant is tried: {tried:?}");
    let (loaded, job) = (loaded(), JobId::new());
    for task in [task(), Task::upscale(inference::task::Upscale { size: inference::task::ImageSize::new(8, 8), passes: 1 }, "ab")] {
        for error in &errors {
            let failure = of_engine(error, &task, &loaded);
            let stored = serde_json::to_string(&failure).expect("JSON");
            let said = messages::failure(&failure, job);
            for secret in SECRETS {
                assert!(!stored.contains(secret), "{error:?} is stored as {stored}");
                assert!(!said.contains(secret), "{error:?} is told as {said}");
            }
            assert!(said.len() > 20 && said.ends_with(['.', ')']), "{said}");
        }
    }
}

#[test]
fn no_error_of_a_task_is_the_end_of_the_program_but_that_the_engine_is_gone() {
    for error in errors() {
        assert!(!is_of_no_engine(&error, true), "{error:?}");
        assert_eq!(is_of_no_engine(&error, false), matches!(error, InferenceError::Stopped), "{error:?}");
    }
    assert!(is_of_no_engine(&InferenceError::Shared(Arc::new(InferenceError::Stopped)), false));
}

/// The next error of the store, as bad as it can be; this does not compile when there is another kind.
fn after(error: &StorageError) -> Option<StorageError> {
    let path = || PathBuf::from("/srv/ada_s_disk/atelier.sqlite");
    let source = || std::io::Error::other("/srv/ada_s_disk: tensor down_blocks panicked at 0xdead");
    Some(match error {
        StorageError::BadBlobKey(_) => StorageError::UnknownZone("/srv/ada_s_disk".into()),
        StorageError::UnknownZone(_) => StorageError::MissingBlob("/srv/ada_s_disk".into()),
        StorageError::MissingBlob(_) => StorageError::ReadOnly { path: path() },
        StorageError::ReadOnly { .. } => StorageError::InUse { path: path() },
        StorageError::InUse { .. } => StorageError::TooNew { path: path(), found: 9, known: 8 },
        StorageError::TooNew { .. } => StorageError::DiskFull,
        StorageError::DiskFull => StorageError::Undone,
        StorageError::Undone => StorageError::OldSqlite("/srv/lib".into()),
        StorageError::OldSqlite(_) => StorageError::NotADatabase { path: path() },
        StorageError::NotADatabase { .. } => StorageError::Open { path: path(), source: source() },
        StorageError::Open { .. } => StorageError::BlobFolder { path: path(), source: source() },
        StorageError::BlobFolder { .. } => StorageError::MissingJob("/srv".into()),
        StorageError::MissingJob(_) => StorageError::NotFinal("/srv".into()),
        StorageError::NotFinal(_) => StorageError::Corrupt { what: "a tensor", job: "/srv".into() },
        // The rest hold errors of libraries that only the store knows.
        StorageError::Corrupt { .. } | StorageError::Migrate(_) | StorageError::Database(_) | StorageError::Blobs(_) => return None,
    })
}

#[test]
fn no_error_of_the_store_says_more_than_that_the_fault_is_ours_or_the_disk_is_full() {
    let errors = std::iter::successors(Some(StorageError::BadBlobKey("/srv".into())), after);
    let mut n_tried = 0;
    for error in errors {
        let (shown, is_full) = (format!("{error:?}"), matches!(error, StorageError::DiskFull));
        let (failure, job) = (of_ours(&anyhow::Error::from(error).context("/srv/ada_s_disk/pictures")), JobId::new());
        assert_eq!(failure, if is_full { Failure::DiskFull } else { Failure::Internal }, "{shown}");
        let said = messages::failure(&failure, job);
        assert!(SECRETS.iter().all(|secret| !said.contains(secret)), "{shown} is told as {said}");
        assert!(is_full || said.contains(&job.to_string()), "{said}");
        n_tried += 1;
    }
    assert_eq!(n_tried, 15);
}

#[test]
fn people_are_told_by_name_what_they_can_change() {
    let check = |error: InferenceError, expected: Failure| assert_eq!(of_engine(&error, &task(), &loaded()), expected, "{error:?}");
    let name = |name: &str| name.to_owned();
    check(InferenceError::Missing { path: MODEL.into() }, Failure::ModelGone { name: name("dreamy") });
    check(InferenceError::Unreadable { path: MODEL.into(), reason: "x".into() }, Failure::ModelUnfit { name: name("dreamy") });
    check(InferenceError::Missing { path: LORA.into() }, Failure::AdapterGone { name: name("my style") });
    check(AdapterError::Missing { path: LORA.into() }.into(), Failure::AdapterGone { name: name("my style") });
    check(
        InferenceError::Unreadable { path: LORA.into(), reason: "x".into() },
        Failure::AdapterUnfit { name: name("my style"), made_for: None },
    );
    check(InferenceError::Unreadable { path: WORD.into(), reason: "x".into() }, Failure::WordUnfit { name: name("bad_hands") });
    let made_for = Some(inference::checkpoint::Family::StableDiffusionXl);
    check(
        AdapterError::NothingMatches { path: LORA.into(), n_modules: 9, made_for }.into(),
        Failure::AdapterUnfit { name: name("my style"), made_for: Some("Stable Diffusion XL".into()) },
    );
    check(InferenceError::Panicked { reason: "CUDA_ERROR_OUT_OF_MEMORY".into() }, Failure::OutOfMemory);
    let shared = InferenceError::Shared(Arc::new(InferenceError::NotANumber { index: 1, step: 7 }));
    check(shared, Failure::NotANumber { picture: 1, step: 7 });
    let refused = InvalidTask::UnknownAdapter { found: name("my style"), known: "there are none".into() };
    assert_eq!(of_refusal(&UserError::Task(refused)), Failure::AdapterGone { name: name("my style") });
}

#[test]
fn a_refused_task_is_said_again_from_what_was_stored() {
    for invalid in [
        InvalidTask::Steps { found: 200, max: 100 },
        InvalidTask::Guidance { found: 31.5, max: 30.0 },
        InvalidTask::HiresOfMask,
        InvalidTask::NeedsMask,
        InvalidTask::Seamless,
        InvalidTask::Size { width: 65, height: 64, multiple: 8, min: 64, max: 2048 },
        InvalidTask::Prompt(text::PromptError::TooLong { found: 50, chunk: 75, max: 40 }),
    ] {
        let failure = of_engine(&InferenceError::InvalidTask(invalid.clone()), &task(), &loaded());
        let said = messages::failure(&failure, JobId::new());
        assert_eq!(said, UserError::Task(invalid).to_string());
    }
}

#[test]
fn our_own_faults_are_internal_but_for_a_full_disk() {
    let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
    assert_eq!(of_ours(&anyhow::Error::from(full).context("/srv/pictures")), Failure::DiskFull);
    assert_eq!(of_ours(&anyhow::Error::from(StorageError::DiskFull).context("saving")), Failure::DiskFull);
    assert_eq!(of_ours(&anyhow::anyhow!("/srv/pictures: the network panicked")), Failure::Internal);
}
