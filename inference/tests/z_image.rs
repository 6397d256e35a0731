//! The networks of Z-Image against those of diffusers, with the tiny model of `tools/reference/z_image.py`.

use std::path::Path;

use candle_core::{DType, Device, Tensor};
use inference::{
    family::{
        stable_diffusion::Padding,
        z_image::{Batch, Caption, Transformer, TransformerConfig},
    },
    vae::{Vae, VaeConfig},
};

use crate::z_image_common::{Setting, assert_near, ids, open};

/// In double precision every operation is the plain one that other devices have.
const DTYPES: [DType; 2] = [DType::F32, DType::F64];

fn transformer_of(setting: &Setting, dtype: DType) -> Transformer {
    let config = TransformerConfig::read(&setting.config("transformer"), Path::new("config.json")).unwrap();
    let weights = open(&[setting.part("transformer/diffusion_pytorch_model.safetensors")]).of_type(dtype);
    Transformer::load(&weights, &config, &Device::Cpu, dtype).unwrap()
}

fn caption(setting: &Setting, transformer: &Transformer, name: &str) -> Caption {
    transformer.prepare(&setting.reference[&format!("text.{name}")].unsqueeze(0).unwrap(), Batch::default()).unwrap()
}

#[test]
fn the_transformers_outputs_are_those_of_diffusers() {
    let setting = Setting::new();
    let transformers = DTYPES.map(|dtype| transformer_of(&setting, dtype));
    let mut n = 0;
    for ((name, latents), transformer) in setting.reference.iter().flat_map(|case| transformers.iter().map(move |it| (case, it))) {
        let Some(case) = name.strip_prefix("transformer.").and_then(|name| name.strip_suffix(".latents")) else { continue };
        let (prompt, rest) = case.split_once('.').unwrap();
        let time: f64 = rest.split_once('.').unwrap().1.parse().unwrap();
        let caption = caption(&setting, transformer, prompt);
        let found = transformer.predict(&latents.unsqueeze(0).unwrap(), &[1000.0 - 1000.0 * time], &[&caption], Batch::default()).unwrap();
        let expected = setting.reference[&format!("transformer.{case}.output")].neg().unwrap();
        assert_near(case, &found.squeeze(0).unwrap().to_dtype(DType::F32).unwrap(), &expected, 1e-4);
        n += 1;
    }
    assert_eq!(n, 2 * 8);
}

#[test]
fn a_row_keeps_its_bits_beside_prompts_of_other_lengths() {
    let setting = Setting::new();
    let transformer = transformer_of(&setting, DType::F32);
    let captions: Vec<Caption> = ["short", "plain", "empty"].map(|name| caption(&setting, &transformer, name)).into();
    let lengths: Vec<usize> = ["short", "plain", "empty"].iter().map(|name| ids(&setting.texts[*name]).len()).collect();
    assert!(lengths[0] != lengths[1] && captions.iter().all(|caption| caption.n_tokens() == 32), "{lengths:?}");
    let latents = Tensor::randn(0.0_f32, 1.0, (3, 16, 6, 10), &Device::Cpu).unwrap();
    let timesteps = [1000.0, 512.5, 3.0];
    let together = transformer.predict(&latents, &timesteps, &captions.iter().collect::<Vec<_>>(), Batch::default()).unwrap();
    for row in 0..3 {
        let alone =
            transformer.predict(&latents.narrow(0, row, 1).unwrap(), &timesteps[row..=row], &[&captions[row]], Batch::default()).unwrap();
        let bits = |tensor: &Tensor| crate::common::floats(tensor).into_iter().map(f32::to_bits).collect::<Vec<_>>();
        assert_eq!(bits(&alone), bits(&together.narrow(0, row, 1).unwrap()), "row {row}");
    }
    let other = caption(&setting, &transformer, "longer");
    assert!(transformer.predict(&latents.narrow(0, 0, 2).unwrap(), &timesteps[..2], &[&captions[0], &other], Batch::default()).is_err());
}

#[test]
fn the_autoencoder_shifts_latents_as_diffusers_does() {
    let setting = Setting::new();
    let config = VaeConfig::read(&setting.config("vae"), Path::new("config.json")).unwrap();
    let vae = Vae::load(&open(&[setting.part("vae/diffusion_pytorch_model.safetensors")]), &config).unwrap();
    let reference = |name: &str| &setting.reference[&format!("vae.{name}")];
    let (mean, deviation) = vae.encode(reference("pixels"), Padding::Zeros).unwrap();
    assert_near("mean", &mean, reference("scaled_mean"), 1e-5);
    assert_near("deviation", &(deviation / config.scaling_factor).unwrap(), reference("deviation"), 1e-5);
    assert_near("decoded", &vae.decode(reference("latents"), Padding::Zeros).unwrap(), reference("decoded"), 1e-5);
}

#[test]
fn transformers_of_other_shapes_are_refused() {
    let setting = Setting::new();
    for (key, value) in [
        ("all_patch_size", serde_json::json!([4])),
        ("qk_norm", false.into()),
        ("siglip_feat_dim", 8.into()),
        ("n_heads", 3.into()),
        ("n_kv_heads", 1.into()),
        ("axes_dims", serde_json::json!([4, 6])),
        ("axes_dims", serde_json::json!([4, 6, 8])),
        ("axes_dims", serde_json::json!([3, 7, 6])),
        ("dim", 0.into()),
    ] {
        let mut config = setting.config("transformer");
        config[key] = value;
        assert!(TransformerConfig::read(&config, Path::new("config.json")).is_err(), "{key}");
    }
}
