//! The parts of the starter model, each loaded alone, against the model as a whole.

use std::{path::Path, rc::Rc, sync::Arc, thread};

use candle_core::{DType, Device, Tensor};

use super::{AttentionMaps, Conditioning, Denoiser, ModelFiles, Prepared, PromptRequest, Row, Text, Told, stable_diffusion::Model};
use crate::{adapter::AdapterSet, ops::Padding, task::ImageSize, vae::Vae};

fn bits(tensor: &Tensor) -> Vec<u32> {
    let values = tensor.flatten_all().and_then(|values| values.to_vec1::<f32>()).expect("float32");
    values.into_iter().map(f32::to_bits).collect()
}

#[test]
fn parts_are_sent_and_shared() {
    fn is_shared<T: Send + Sync>() {}
    is_shared::<Text>();
    is_shared::<Conditioning>();
    is_shared::<Denoiser>();
    is_shared::<Prepared>();
    is_shared::<Vae>();
    is_shared::<ModelFiles>();
}

#[test]
fn a_part_that_was_loaded_alone_on_its_own_thread_gives_the_models_bits() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/starter/model");
    let (device, dtype) = (Device::Cpu, DType::F32);
    let model = Model::load(&path, &device, dtype).expect("the starter model");
    let files = ModelFiles::open(&path).expect("its files");
    let latents = Tensor::arange(0.0_f32, 256.0, &device).and_then(|values| (values / 100.0)?.reshape((1, 4, 8, 8))).expect("latents");

    let request = PromptRequest { text: Some("a cat".into()), has_parts: false, clip_skip: 0, length: 1, adapters: AdapterSet::default() };
    let of_text = files.clone();
    let (conditioning, n_text) = thread::spawn(move || {
        let text = of_text.text(&Device::Cpu, DType::F32).expect("text encoders");
        (text.encode(&request).expect("a prompt"), text.n_bytes())
    })
    .join()
    .expect("no panic");
    assert_eq!(conditioning.shape()[1], 77);
    assert_eq!(conditioning.n_bytes(), 4 * conditioning.shape().iter().product::<usize>());

    // The text encoders are gone; what they made of the prompt goes on.
    let denoiser = files.denoiser(&device, dtype).expect("a denoiser");
    let told =
        Told { size: ImageSize::new(64, 64), is_negative: false, guidance_scale: 1.0, adapters: AdapterSet::default(), drifts: Vec::new() };
    let prepared = Arc::new(denoiser.prepare(&conditioning, &told).expect("a prompt"));
    let row =
        Row { latents: latents.clone(), timestep: 500.0, prepared, adapters: AdapterSet::default(), padding: Padding::Zeros, maps: None };
    let found = denoiser.predict(&[&row, &row]).expect("two rows");
    let context = model.encode_text(&["a cat"]).expect("a context");
    let whole = model.prepare(&super::stable_diffusion::Conditioning { context, pooled: None }, &[]).expect("a prompt");
    let expected = model.predict(&latents, &[500.0], &[&whole]).expect("a row");
    assert_eq!(bits(&found), [bits(&expected), bits(&expected)].concat());

    // Who looks on changes nothing, and is told of their own row alone: of each layer that looks at the prompt, shares that add up to 1.
    let maps = Rc::new(AttentionMaps::default());
    let watched = Row { maps: Some(maps.clone()), ..row.clone() };
    assert_eq!(bits(&denoiser.predict(&[&row, &watched]).expect("two rows")), bits(&found));
    let n_layers = whole.n_layers();
    assert!(n_layers > 0 && maps.n() == n_layers, "{} of {n_layers}", maps.n());
    for (size, shares) in maps.means() {
        assert_eq!(shares.len(), size.0 * size.1 * 77);
        let sums = shares.chunks(77).map(|place| place.iter().sum::<f32>());
        sums.for_each(|sum| assert!((sum - 1.0).abs() < 1e-4, "{size:?}: {sum}"));
    }

    let n_denoiser = denoiser.n_bytes();
    drop(denoiser);
    let vae = files.vae(&device, dtype).expect("an autoencoder");
    let decoded = vae.decode(&latents, Padding::Zeros).expect("a picture");
    assert_eq!(bits(&decoded), bits(&model.decode(&latents).expect("a picture")));
    assert_eq!(n_text + n_denoiser + vae.n_bytes(), 4 * model.n_parameters());
}
