//! States as bytes, and what they are refused for.

use std::path::Path;

use candle_core::{DType, Device, Tensor};
use image::{GrayImage, RgbImage};

use super::*;
use crate::{
    noise::TorchGenerator,
    task::{AdapterUse, ImageSize, ImageToImage, Inpaint, Role, Task, TextToImage},
};

fn state(n_history: usize) -> TrajectoryState {
    let mut generator = TorchGenerator::new(7);
    let mut tensor = || {
        let mut values = generator.randn(4 * 3 * 2);
        (values[0], values[1], values[2]) = (-0.0, f32::MIN_POSITIVE / 2.0, f32::MAX);
        SavedTensor { shape: vec![1, 4, 3, 2], values }
    };
    TrajectoryState {
        index: 2,
        seed: Seed(u64::MAX),
        pass: PassKind::Second,
        step: 7,
        latents: tensor(),
        history: (0..n_history).map(|_| tensor()).collect(),
        generator: {
            generator.randn(3);
            GeneratorState::from(&generator)
        },
        belongs_to: BelongsTo { task: "ab".repeat(32), model: "cd".repeat(32), device: DeviceClass::of(&Device::Cpu, DType::F32) },
    }
}

#[test]
fn a_state_is_read_as_it_was_written() {
    for n_history in 0..6 {
        let state = state(n_history);
        let bytes = state.to_bytes();
        let read = TrajectoryState::from_bytes(&bytes).expect("a state");
        assert_eq!(read, state);
        assert_eq!(read.latents.values[0].to_bits(), (-0.0_f32).to_bits());
        assert!(read.generator.cached.is_some());
        assert_eq!(read.to_bytes(), bytes);
        let tensor = read.latents.on(&Device::Cpu).expect("a tensor");
        assert_eq!(SavedTensor::of(&tensor).expect("its numbers"), read.latents);
    }
    let halves = Tensor::zeros((1, 1, 1, 1), DType::BF16, &Device::Cpu).expect("a tensor");
    assert!(SavedTensor::of(&halves).is_err(), "nothing is rounded on its way");
}

#[test]
fn damage_at_any_place_is_an_error() {
    let bytes = state(1).to_bytes();
    for place in 0..bytes.len() {
        for bit in [0x01, 0x10, 0x80] {
            let mut damaged = bytes.clone();
            damaged[place] ^= bit;
            let error = TrajectoryState::from_bytes(&damaged).expect_err("it is damaged");
            let is_format = (8..12).contains(&place);
            assert_eq!(matches!(error, StateError::Format { .. }), is_format, "byte {place}: {error}");
        }
        assert!(TrajectoryState::from_bytes(&bytes[..place]).is_err(), "{place} bytes");
    }
    assert!(TrajectoryState::from_bytes(&[bytes.as_slice(), &[0]].concat()).is_err());
    let large = vec![0; (128 << 20) + 1];
    assert!(matches!(TrajectoryState::from_bytes(&large), Err(StateError::TooLarge { .. })));
}

/// What has the right digest may still be no state.
#[test]
fn well_formed_bytes_that_are_no_state_are_an_error() {
    let refused = |change: &dyn Fn(&mut TrajectoryState)| {
        let mut state = state(2);
        change(&mut state);
        let error = TrajectoryState::from_bytes(&state.to_bytes()).expect_err("no state");
        assert!(matches!(error, StateError::Damaged { .. }), "{error}");
    };
    refused(&|state| state.generator.position = 625);
    refused(&|state| state.generator.words.truncate(623));
    refused(&|state| state.latents.shape = vec![1, 4, 6]);
    refused(&|state| state.history[1].shape = vec![1, 4, 2, 3]);
    refused(&|state| state.history = vec![state.latents.clone(); 17]);

    let with_body = |body: &[u8]| [b"atlstate".as_slice(), &1_u32.to_le_bytes(), &sha2::Digest::finalize(sha2_of(body)), body].concat();
    let body = state(1).to_bytes()[44..].to_vec();
    assert!(TrajectoryState::from_bytes(&with_body(&body)).is_ok());
    // A digest stops no one who means to: every byte of the header, and lengths that reach beyond the end.
    let n_header = usize::try_from(u64::from_le_bytes(body[..8].try_into().expect("eight"))).expect("small") + 8;
    for place in 0..n_header {
        for bit in [0x01, 0x04, 0x40] {
            let mut body = body.clone();
            body[place] ^= bit;
            drop(TrajectoryState::from_bytes(&with_body(&body)));
        }
    }
    for n in [0, 7, 8, 9, n_header, body.len() - 1] {
        assert!(TrajectoryState::from_bytes(&with_body(&body[..n])).is_err(), "{n} bytes");
    }
}

fn sha2_of(body: &[u8]) -> sha2::Sha256 {
    let mut digest = <sha2::Sha256 as sha2::Digest>::new();
    sha2::Digest::update(&mut digest, body);
    digest
}

#[test]
fn a_state_goes_on_only_where_everything_is_equal() {
    let here = state(0).belongs_to;
    assert_eq!(check(&here, &here), Ok(()));
    let said = |change: &dyn Fn(&mut BelongsTo)| {
        let mut found = here.clone();
        change(&mut found);
        check(&found, &here).expect_err("refused").to_string()
    };
    assert_eq!(said(&|found| found.task.clear()), "the state is of another task");
    assert_eq!(said(&|found| found.model.clear()), "the state was computed with other files of the model, its adapters or its words");
    assert!(said(&|found| found.device.numbers += 1).contains("whose numbers are of version"));
    for change in [
        (|device: &mut DeviceClass| device.kind = DeviceKind::Cuda) as fn(&mut DeviceClass),
        |device| device.model = "another".into(),
        |device| device.precision = "bf16".into(),
        |device| device.kernels = "another".into(),
    ] {
        assert!(said(&|found| change(&mut found.device)).starts_with("the state was computed on "));
    }
}

#[test]
fn a_fingerprint_is_that_of_what_decides_the_numbers() {
    let base = TextToImage { prompt: "a cat".into(), seed: Seed(7), n_images: 4, ..TextToImage::default() };
    let of = |base: &TextToImage| of_task(&base.clone().into(), &[]);
    assert_eq!(of(&base), of(&TextToImage { seed: Seed(9), n_images: 1, ..base.clone() }), "one of several jobs for the same pictures");
    for other in [
        TextToImage { prompt: "a cat ".into(), ..base.clone() },
        TextToImage { negative_prompt: Some(String::new()), ..base.clone() },
        TextToImage { size: ImageSize::new(64, 128), ..base.clone() },
        TextToImage { guidance_scale: 5.5, ..base.clone() },
        TextToImage { adapters: vec![AdapterUse::new("ink", 0.5)], ..base.clone() },
        TextToImage { model: Some("other".into()), ..base.clone() },
    ] {
        assert_ne!(of(&base), of(&other), "{other:?}");
    }
    let (black, white) = (RgbImage::new(8, 8), RgbImage::from_pixel(8, 8, image::Rgb([255; 3])));
    let changed = |name: &str, strength, source: &RgbImage| {
        let task = Task::image_to_image(ImageToImage { base: base.clone(), strength }, name);
        of_task(&task, &[(Role::Init, source.clone().into())])
    };
    assert_eq!(changed("a", 0.5, &black), changed("b", 0.5, &black), "whatever the picture is called");
    assert_ne!(changed("a", 0.5, &black), changed("a", 0.5, &white));
    assert_ne!(changed("a", 0.5, &black), changed("a", 0.6, &black));
    let filled = |mask: &GrayImage| {
        let task = Task::inpaint(Inpaint { base: base.clone(), strength: 0.5 }, "a", "b");
        let inputs = [(Role::Init, black.clone().into()), (Role::Mask, mask.clone().into())];
        let turned = Task { inputs: task.inputs.iter().rev().cloned().collect(), ..task.clone() };
        assert_eq!(of_task(&task, &inputs), of_task(&turned, &[inputs[1].clone(), inputs[0].clone()]), "in whatever order they come");
        of_task(&task, &inputs)
    };
    assert_ne!(filled(&GrayImage::new(8, 8)), filled(&GrayImage::from_pixel(8, 8, image::Luma([255]))));
}

#[test]
fn a_models_files_are_told_from_others_wherever_they_lie() {
    let folder = tempfile::tempdir().expect("a folder");
    let (first, second) = (folder.path().join("first"), folder.path().join("elsewhere"));
    let write = |folder: &Path, name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, bytes).expect("written");
    };
    let weights: Vec<u8> = (0..400_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for folder in [&first, &second] {
        write(folder, "unet/weights.safetensors", &weights);
        write(folder, "unet/config.json", b"{}");
        write(folder, "README.md", folder.to_string_lossy().as_bytes());
    }
    let digest = |path: &Path| Files::default().and("model", path).digest().expect("readable");
    let whole = digest(&first);
    assert_eq!(whole, digest(&second), "copied, and read by nobody: README.md");
    assert_ne!(whole, Files::default().and("vae", &first).digest().expect("readable"), "another purpose");
    // Another training changes every number; a change of one place in the middle of many is not looked for.
    let trained: Vec<u8> = weights.iter().map(|byte| byte ^ 1).collect();
    for (name, bytes) in [
        ("unet/weights.safetensors", trained.as_slice()),
        ("unet/weights.safetensors", &weights[..399_999]),
        ("unet/config.json", b"[]"),
        ("unet/more.json", b"{}"),
    ] {
        let kept = std::fs::read(second.join(name)).ok();
        write(&second, name, bytes);
        assert_ne!(whole, digest(&second), "{name}");
        match kept {
            Some(kept) => write(&second, name, &kept),
            None => std::fs::remove_file(second.join(name)).expect("removed"),
        }
        assert_eq!(whole, digest(&second));
    }
    let last = |change: u8| {
        let path = folder.path().join("one.safetensors");
        let mut weights = weights.clone();
        *weights.last_mut().expect("some") ^= change;
        std::fs::write(&path, weights).expect("written");
        digest(&path)
    };
    assert_ne!(last(0), last(1), "the end is looked at");
    let gone = Files::default().and("model", &folder.path().join("gone")).digest();
    assert_eq!(gone, Err(StateError::Files { kind: std::io::ErrorKind::NotFound }));
}
