//! Which LoRA fits which model: what the catalogue says of a Z-Image beside a Stable Diffusion.

use std::path::Path;

use candle_core::{DType, Device, Tensor};
use inference::{
    adapter,
    catalogue::{Catalogue, CatalogueConfig, ModelEntry, NamedFile, PartKind},
    checkpoint::{Family, FileKind, inspect},
    error::InvalidTask,
    task::{AdapterUse, ImageSize, Task, TextToImage},
};

use crate::{common::families, z_image_common::Setting};

/// A LoRA whose file has one module of this name, `rank` 2, for a layer of these sides.
fn write(path: &Path, stem: &str, [out, width]: [usize; 2]) {
    let zeros = |shape: [usize; 2]| Tensor::zeros(&shape, DType::F32, &Device::Cpu).unwrap();
    let tensors = [("lora_A", zeros([2, width])), ("lora_B", zeros([out, 2]))];
    let tensors = tensors.map(|(end, tensor)| (format!("{stem}.{end}.weight"), tensor));
    candle_core::safetensors::save(&tensors.into_iter().collect(), path).unwrap();
}

#[test]
fn each_family_is_offered_its_own_and_refuses_the_others() {
    let (setting, sd1, folder) = (Setting::new(), families::folder("sd1"), tempfile::tempdir().unwrap());
    let path = |name: &str| folder.path().join(format!("{name}.safetensors"));
    let transformer =
        ["transformer.layers.0.attention.to_q", "diffusion_model.layers.0.attention.qkv", "lora_unet__layers_0_attention_to_q"];
    for (i, stem) in transformer.into_iter().enumerate() {
        write(&path(&format!("z{i}")), stem, if stem.ends_with("qkv") { [96, 32] } else { [32, 32] });
    }
    write(&path("sd"), "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k", [320, 768]);
    let models = [("z", setting.part("")), ("sd1", sd1.path().to_owned())];
    let names = ["z0", "z1", "z2", "sd"];
    let config = CatalogueConfig {
        models: models.map(|(name, path)| ModelEntry::new(name, path)).into(),
        adapters: names.map(|name| NamedFile { name: name.into(), path: path(name) }).into(),
        ..CatalogueConfig::default()
    };
    let catalogue = Catalogue::open(&config).unwrap();
    for name in names {
        let (own, other) = if name == "sd" { ("sd1", "z") } else { ("z", "sd1") };
        let found = inspect(&path(name)).unwrap();
        let family = if name == "sd" { Family::StableDiffusion1 } else { Family::ZImage };
        assert_eq!((found.kind, found.family), (FileKind::Lora, Some(family)), "{name}");
        let card = catalogue.adapter(name).unwrap();
        assert_eq!((&card.parts[..], card.rank), (&[PartKind::Denoiser][..], Some(2)), "{name}");
        let fitting: Vec<&str> = catalogue.models().iter().filter(|model| model.fits(card)).map(|model| model.name.as_str()).collect();
        assert_eq!(fitting, [own], "{name}");
        let check = |model: &str| {
            let adapters = vec![AdapterUse::new(name, 1.0)];
            catalogue.check(&Task::from(TextToImage {
                model: Some(model.into()),
                size: ImageSize::new(64, 64),
                adapters,
                sampler: "euler".parse().unwrap(),
                ..TextToImage::default()
            }))
        };
        assert!(check(own).is_ok(), "{name}: {:?}", check(own));
        let refused = check(other).unwrap_err();
        assert!(matches!(refused, InvalidTask::AdapterFamily { .. }), "{name}: {refused}");
        let kind = adapter::kind(&path(name)).unwrap();
        assert!(refused.to_string().contains(&kind.family.unwrap().to_string()), "{refused}");
    }
    let z = catalogue.check(&Task::from(TextToImage {
        model: Some("z".into()),
        prompt: "a fox <lora:sd:0.5>".into(),
        size: ImageSize::new(64, 64),
        sampler: "euler".parse().unwrap(),
        ..TextToImage::default()
    }));
    assert_eq!(
        z.unwrap_err().to_string(),
        "the LoRA `sd` was made for Stable Diffusion 1 and changes nothing of Z-Image; leave it out, or choose another model"
    );
    // Other transformers begin with a module of that name too.
    write(&path("flux"), "transformer.x_embedder", [32, 64]);
    let flux = inspect(&path("flux")).unwrap();
    assert_eq!((flux.kind, flux.family), (FileKind::Lora, None));
}

#[test]
fn a_lora_of_lumina_2_is_refused_though_its_modules_are_named_as_those_of_z_image() {
    let (setting, folder) = (Setting::new(), tempfile::tempdir().unwrap());
    let stems = [
        ("diffusion_model.layers.0.attention.qkv", [3840, 2304]),
        ("lora_unet__layers_0_feed_forward_w1", [9216, 2304]),
        ("transformer.layers.0.attention.to_q", [2304, 2304]),
    ];
    for (i, (stem, sides)) in stems.into_iter().enumerate() {
        let path = folder.path().join(format!("{i}.safetensors"));
        write(&path, stem, sides);
        let config = CatalogueConfig {
            models: vec![ModelEntry::new("z", setting.part(""))],
            adapters: vec![NamedFile { name: "lumina".into(), path: path.clone() }],
            ..CatalogueConfig::default()
        };
        let catalogue = Catalogue::open(&config).unwrap();
        let task = TextToImage {
            size: ImageSize::new(64, 64),
            adapters: vec![AdapterUse::new("lumina", 1.0)],
            sampler: "euler".parse().unwrap(),
            ..TextToImage::default()
        };
        let refused = catalogue.check(&Task::from(task)).unwrap_err().to_string();
        let sentence = "the LoRA `lumina` was made for another transformer (such as FLUX or Lumina 2) and changes nothing of Z-Image";
        assert!(refused.starts_with(sentence), "{stem}: {refused}");
        assert_eq!(adapter::kind(&path).unwrap().family, inspect(&path).unwrap().family, "{stem}");
    }
}
