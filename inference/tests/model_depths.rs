//! U-Nets whose depths differ between the ways down and up, or whose middle has no attention.

use std::{fs, path::Path};

use crate::common::families::{self, networks};
use candle_core::{DType, Device, Tensor};
use inference::family::stable_diffusion::{Conditioning, Model};
use serde_json::{Value, json};

fn load(path: &Path) -> Result<Model, String> {
    Model::load(path, &Device::Cpu, DType::F32).map_err(|error| error.to_string())
}

/// The network's output for some latents and some prompt.
fn answer(model: &Model) -> Vec<f32> {
    let ramp = |shape: &[usize]| {
        let n: usize = shape.iter().product();
        Tensor::from_vec((0..n).map(|i| (i as f32 * 0.37).sin()).collect(), shape, &Device::Cpu).unwrap()
    };
    let config = model.config();
    let pooled = config.unet.added.is_some().then(|| ramp(&[1, config.pooled_width]));
    let prompt = Conditioning { context: ramp(&[1, 5, config.unet.context_width]), pooled };
    let prompt = model.prepare(&prompt, &vec![64.0; model.n_ids()]).unwrap();
    crate::common::floats(&model.predict(&ramp(&[1, config.unet.in_channels, 8, 8]), &[500.0], &[&prompt]).unwrap())
}

/// From and to: a transformer layer that is there, and one that is added with its numbers.
type Added = (&'static str, &'static str);

const UP: [Added; 2] = [
    ("up_blocks.1.attentions.0.transformer_blocks.0.", "up_blocks.1.attentions.0.transformer_blocks.1."),
    ("up_blocks.0.attentions.1.transformer_blocks.1.", "up_blocks.0.attentions.1.transformer_blocks.2."),
];
const MID: [Added; 1] = [("mid_block.attentions.0.transformer_blocks.1.", "mid_block.attentions.0.transformer_blocks.2.")];

/// The tiny XL model with other depths: as a folder, and as one file made of the same tensors.
fn variant(added: &[Added], removed: &[&str], config: &Value) -> (tempfile::TempDir, tempfile::TempDir) {
    let mut network = networks()["xl"].clone();
    let shapes = network["unet"]["shapes"].as_object_mut().unwrap();
    for (from, to) in added {
        let more: Vec<_> =
            shapes.iter().filter_map(|(name, shape)| Some((format!("{to}{}", name.strip_prefix(from)?), shape.clone()))).collect();
        assert!(!more.is_empty(), "{from}");
        shapes.extend(more);
    }
    shapes.retain(|name, _| !removed.iter().any(|start| name.starts_with(start)));
    network["unet"]["config"].as_object_mut().unwrap().extend(config.as_object().unwrap().clone());
    let (folder, file) = (families::folder("xl"), families::single_file("xl"));
    families::write(&folder.path().join("unet/diffusion_pytorch_model.safetensors"), &families::tensors(&network["unet"]));
    fs::write(folder.path().join("unet/config.json"), network["unet"]["config"].to_string()).unwrap();
    families::write(&file.path().join("model.safetensors"), &families::ldm_tensors(&network));
    (folder, file)
}

#[test]
fn depths_are_those_of_each_block() {
    let base = answer(&load(families::folder("xl").path()).unwrap());
    let up = json!({ "reverse_transformer_layers_per_block": [[2, 3], [2, 1], 1] });
    let no_attention = json!({ "mid_block_type": "UNetMidBlock2D" });
    for (what, added, removed, config) in [
        ("deeper up", &UP[..], &[][..], up),
        ("a middle without attention", &[], &["mid_block.attentions.", "mid_block.resnets.1."], no_attention),
        ("no middle", &[], &["mid_block."], json!({ "mid_block_type": null })),
    ] {
        let (folder, file) = variant(added, removed, &config);
        let found = answer(&load(folder.path()).unwrap());
        assert!(found != base, "{what} makes no difference");
        assert!(answer(&load(&file.path().join("model.safetensors")).unwrap()) == found, "{what} in one file");
    }
    // diffusers has no word for a middle deeper than the last level; a file shows it.
    let (_, file) = variant(&MID, &[], &json!({}));
    let model = load(&file.path().join("model.safetensors")).unwrap();
    assert_eq!(model.config().unet.mid.as_ref().unwrap().attention.as_ref().unwrap().depths, [3]);
    assert!(answer(&model) != base);
}

#[test]
fn depths_that_do_not_fit_are_one_sentence() {
    for (config, reason) in [
        (
            json!({ "transformer_layers_per_block": [1, [1], 2] }),
            "`transformer_layers_per_block` has lists in it, so `reverse_transformer_layers_per_block` is needed too",
        ),
        (
            json!({ "reverse_transformer_layers_per_block": [[2, 2, 2], 1, 1] }),
            "`reverse_transformer_layers_per_block` has 3 values for a level of 2 blocks",
        ),
        (json!({ "reverse_transformer_layers_per_block": [0, 1, 1] }), "`reverse_transformer_layers_per_block` is 0"),
    ] {
        let (folder, _) = variant(&[], &[], &config);
        let path = folder.path().join("unet/config.json");
        assert_eq!(load(folder.path()).err().unwrap(), format!("{} cannot be read: {reason}", path.display()));
    }
}
