//! Tiny models of every family, made from tests/data/families/networks.json; tools/reference/tiny_families.py has the same formula for the weights.

use std::{collections::HashMap, fs, path::Path};

use safetensors::{Dtype, tensor::TensorView};
use serde_json::{Value, json};

use super::{data, starter};

pub const MODELS: [&str; 6] = ["sd1", "sd1_inpaint", "lcm", "sd2", "xl", "refiner"];
pub const PARTS: [&str; 4] = ["unet", "vae", "text_encoder", "text_encoder_2"];

/// A tensor: name, shape and numbers.
pub type Named = (String, Vec<usize>, Vec<f32>);

pub fn networks() -> Value {
    serde_json::from_str(&fs::read_to_string(data().join("families/networks.json")).unwrap()).unwrap()
}

/// The weights of a part.
pub fn tensors(network: &Value) -> Vec<Named> {
    let shapes = network["shapes"].as_object().unwrap();
    let shape = |shape: &Value| -> Vec<usize> { shape.as_array().unwrap().iter().map(|size| size.as_u64().unwrap() as usize).collect() };
    shapes.iter().map(|(name, sizes)| (name.clone(), shape(sizes), values(name, &shape(sizes)))).collect()
}

/// Uniform numbers of variance 1 / fan-in; norms near 1, biases near 0.
fn values(name: &str, shape: &[usize]) -> Vec<f32> {
    let hash = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let (scale, shift) = if shape.len() > 1 {
        ((2.0 * (3.0 / shape[1..].iter().product::<usize>() as f64).sqrt()) as f32, 0.0)
    } else {
        (0.2, if name.ends_with("weight") { 1.0 } else { 0.0 })
    };
    let value = |i: usize| {
        let mut x = (i as u32).wrapping_mul(0x9e37_79b9).wrapping_add(hash);
        x ^= x >> 16;
        x = x.wrapping_mul(0x7feb_352d);
        x ^= x >> 15;
        x = x.wrapping_mul(0x846c_a68b);
        x ^= x >> 16;
        ((x >> 8) as f32 / 16_777_216.0 - 0.5) * scale + shift
    };
    (0..shape.iter().product()).map(value).collect()
}

pub fn write(path: &Path, tensors: &[Named]) {
    let bytes: Vec<Vec<u8>> = tensors.iter().map(|(_, _, values)| values.iter().flat_map(|value| value.to_le_bytes()).collect()).collect();
    let view = |(name, shape, _): &Named, bytes| (name.clone(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap());
    let views: Vec<_> = tensors.iter().zip(&bytes).map(|(tensor, bytes)| view(tensor, bytes)).collect();
    safetensors::serialize_to_file(views, None, path).unwrap();
}

/// A model as a folder in the layout of diffusers, with the starter model's tokenizer and schedule.
pub fn folder(model: &str) -> tempfile::TempDir {
    let (folder, network) = (tempfile::tempdir().unwrap(), &networks()[model]);
    let json = |name: &str, value: &Value| fs::write(folder.path().join(name), value.to_string()).unwrap();
    json("model_index.json", &network["model_index.json"]);
    for part in PARTS.iter().filter(|part| network.get(part).is_some()) {
        fs::create_dir(folder.path().join(part)).unwrap();
        json(&format!("{part}/config.json"), &network[part]["config"]);
        let stem = if part.starts_with("text") { "model" } else { "diffusion_pytorch_model" };
        write(&folder.path().join(part).join(format!("{stem}.safetensors")), &tensors(&network[part]));
    }
    for part in ["tokenizer", "tokenizer_2", "scheduler"] {
        copy(&starter().join("model").join(part.trim_end_matches("_2")), &folder.path().join(part));
    }
    folder
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// The same model as one file with ldm's and OpenCLIP's names, `model.safetensors`, with a tokenizer and, where the shapes do not tell, a JSON file beside it.
pub fn single_file(model: &str) -> tempfile::TempDir {
    let (folder, network) = (tempfile::tempdir().unwrap(), &networks()[model]);
    write(&folder.path().join("model.safetensors"), &ldm_tensors(network));
    let config = &network["unet"]["config"];
    let mut beside = json!({ "unet": { "norm_num_groups": config["norm_num_groups"] } });
    if model == "lcm" {
        beside["unet"]["time_cond_proj_dim"] = config["time_cond_proj_dim"].clone();
    }
    fs::write(folder.path().join("model.json"), beside.to_string()).unwrap();
    copy(&starter().join("model/tokenizer"), &folder.path().join("tokenizer"));
    folder
}

/// All tensors of a model under the names of a single file.
pub fn ldm_tensors(network: &Value) -> Vec<Named> {
    let is_xl = network.get("text_encoder_2").is_some();
    let mut all = Vec::new();
    let unet = unet_names(&network["unet"]["config"]);
    for (name, shape, values) in tensors(&network["unet"]) {
        let (old, new) = unet.iter().find(|(new, _)| name.starts_with(&format!("{new}."))).map(|(new, old)| (old, new)).unwrap();
        all.push((format!("model.diffusion_model.{old}{}", in_resnet(&name[new.len()..])), shape, values));
    }
    let n_levels = network["vae"]["config"]["block_out_channels"].as_array().unwrap().len();
    for (name, mut shape, values) in tensors(&network["vae"]) {
        let mut old = name.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut");
        for (new, ldm) in
            [("mid_block.resnets.0", "mid.block_1"), ("mid_block.resnets.1", "mid.block_2"), ("mid_block.attentions.0", "mid.attn_1")]
        {
            old = old.replace(new, ldm);
        }
        for i in 0..n_levels {
            for (new, ldm) in [("resnets", "block"), ("downsamplers.0", "downsample"), ("upsamplers.0", "upsample")] {
                old = old.replace(&format!("down_blocks.{i}.{new}"), &format!("down.{i}.{ldm}"));
                old = old.replace(&format!("up_blocks.{i}.{new}"), &format!("up.{}.{ldm}", n_levels - 1 - i));
            }
        }
        if name.contains("attentions") {
            for (new, ldm) in [("group_norm", "norm"), ("to_q", "q"), ("to_k", "k"), ("to_v", "v"), ("to_out.0", "proj_out")] {
                old = old.replace(new, ldm);
            }
            if shape.len() == 2 {
                shape.extend([1, 1]);
            }
        }
        all.push((format!("first_stage_model.{old}"), shape, values));
    }
    if network.get("text_encoder").is_some() {
        let is_open_clip = network["text_encoder"]["config"]["hidden_act"] == "gelu";
        if is_open_clip {
            all.extend(open_clip(&network["text_encoder"], "cond_stage_model.model."));
        } else {
            let prefix = if is_xl { "conditioner.embedders.0.transformer." } else { "cond_stage_model.transformer." };
            let outer = |(name, shape, values): Named| (format!("{prefix}text_model.{name}"), shape, values);
            all.extend(tensors(&network["text_encoder"]).into_iter().map(outer));
        }
    }
    if is_xl {
        let place = usize::from(network.get("text_encoder").is_some());
        all.extend(open_clip(&network["text_encoder_2"], &format!("conditioner.embedders.{place}.model.")));
    }
    all
}

/// ldm's number of every block, by walking through the network as ldm builds it.
fn unet_names(config: &Value) -> Vec<(String, String)> {
    let kinds = |key: &str| -> Vec<bool> {
        config[key].as_array().unwrap().iter().map(|kind| kind.as_str().unwrap().contains("CrossAttn")).collect()
    };
    let (down, up) = (kinds("down_block_types"), kinds("up_block_types"));
    let n_layers = config["layers_per_block"].as_u64().unwrap();
    let mut names = vec![("conv_in".to_owned(), "input_blocks.0.0".to_owned())];
    let mut block = 0;
    for level in 0..down.len() {
        for layer in 0..n_layers {
            block += 1;
            names.push((format!("down_blocks.{level}.resnets.{layer}"), format!("input_blocks.{block}.0")));
            names.push((format!("down_blocks.{level}.attentions.{layer}"), format!("input_blocks.{block}.1")));
        }
        if level + 1 < down.len() {
            block += 1;
            names.push((format!("down_blocks.{level}.downsamplers.0.conv"), format!("input_blocks.{block}.0.op")));
        }
    }
    let mut block = 0;
    for (level, has_attention) in up.iter().enumerate() {
        for layer in 0..=n_layers {
            names.push((format!("up_blocks.{level}.resnets.{layer}"), format!("output_blocks.{block}.0")));
            names.push((format!("up_blocks.{level}.attentions.{layer}"), format!("output_blocks.{block}.1")));
            if layer == n_layers {
                let place = if *has_attention { 2 } else { 1 };
                names.push((format!("up_blocks.{level}.upsamplers.0"), format!("output_blocks.{block}.{place}")));
            }
            block += 1;
        }
    }
    let fixed = [
        ("mid_block.resnets.0", "middle_block.0"),
        ("mid_block.attentions.0", "middle_block.1"),
        ("mid_block.resnets.1", "middle_block.2"),
        ("time_embedding.linear_1", "time_embed.0"),
        ("time_embedding.linear_2", "time_embed.2"),
        ("time_embedding.cond_proj", "time_embed.cond_proj"),
        ("add_embedding.linear_1", "label_emb.0.0"),
        ("add_embedding.linear_2", "label_emb.0.2"),
        ("conv_norm_out", "out.0"),
        ("conv_out", "out.2"),
    ];
    names.extend(fixed.map(|(new, old)| (new.to_owned(), old.to_owned())));
    names
}

fn in_resnet(rest: &str) -> String {
    let names = HashMap::from([
        ("norm1", "in_layers.0"),
        ("conv1", "in_layers.2"),
        ("time_emb_proj", "emb_layers.1"),
        ("norm2", "out_layers.0"),
        ("conv2", "out_layers.3"),
        ("conv_shortcut", "skip_connection"),
    ]);
    match rest[1..].split_once('.') {
        // The norms of transformer layers have the same names and more words before them.
        Some((module, kind)) if names.contains_key(module) && !kind.contains('.') => format!(".{}.{kind}", names[module]),
        _ => rest.to_owned(),
    }
}

/// A text encoder as OpenCLIP stores it.
fn open_clip(network: &Value, prefix: &str) -> Vec<Named> {
    let mut all = Vec::new();
    let tensors: HashMap<String, (Vec<usize>, Vec<f32>)> = tensors(network)
        .into_iter()
        .map(|(name, shape, values)| (name.trim_start_matches("text_model.").to_owned(), (shape, values)))
        .collect();
    for (name, (shape, values)) in &tensors {
        let old = if let Some(rest) = name.strip_prefix("encoder.layers.") {
            if let Some((layer, kind)) = rest.split_once(".self_attn.q_proj.") {
                let part = |letter: &str| &tensors[&format!("encoder.layers.{layer}.self_attn.{letter}_proj.{kind}")].1;
                let together = [part("q").clone(), part("k").clone(), part("v").clone()].concat();
                let mut shape = shape.clone();
                shape[0] *= 3;
                all.push((format!("{prefix}transformer.resblocks.{layer}.attn.in_proj_{kind}"), shape, together));
                continue;
            }
            if rest.contains("k_proj") || rest.contains("v_proj") {
                continue;
            }
            let rest = rest.replace("self_attn.", "attn.").replace("layer_norm", "ln_").replace("fc1", "c_fc").replace("fc2", "c_proj");
            format!("transformer.resblocks.{rest}")
        } else if name == "text_projection.weight" {
            let (rows, columns) = (shape[0], shape[1]);
            let transposed = (0..columns).flat_map(|column| (0..rows).map(move |row| values[row * columns + column])).collect();
            all.push((format!("{prefix}text_projection"), vec![columns, rows], transposed));
            continue;
        } else {
            name.replace("embeddings.position_embedding.weight", "positional_embedding")
                .replace("embeddings.token_embedding", "token_embedding")
                .replace("final_layer_norm", "ln_final")
        };
        all.push((format!("{prefix}{old}"), shape.clone(), values.clone()));
    }
    all
}
