//! Names of tensors in files from before diffusers: CompVis's and Stability's repositories ("ldm", "sgm") and OpenCLIP.
//!
//! Every function takes diffusers' or transformers' name and gives the other one. Whole tensors (`….conv1.weight`) and modules (`….conv1`) can be named.
//! The rules are those of diffusers 0.42, `loaders/single_file_utils.py`, read backwards.

use serde::{Deserialize, Serialize};

/// What a U-Net's names depend on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnetLayout {
    /// Residual blocks of each level on the way down, the largest level first; one more on the way up.
    pub n_layers: Vec<usize>,
    /// Whether each level has attention on the way up.
    pub has_attention: Vec<bool>,
}

impl UnetLayout {
    /// Number of the first block of a level on the way down; the number 0 is the first convolution.
    fn first_input(&self, level: usize) -> usize {
        1 + self.n_layers[..level].iter().map(|n| n + 1).sum::<usize>()
    }

    /// Number of the first block of a level on the way up.
    fn first_output(&self, level: usize) -> usize {
        self.n_layers[level + 1..].iter().map(|n| n + 1).sum()
    }
}

/// What has to be done to a tensor after it was found under its other name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing; a 1×1 convolution counts as a linear layer.
    Same,
    /// It is the n-th third of the rows: queries, keys, values.
    Third(usize),
    /// Rows and columns change places.
    Transposed,
}

/// The ldm name of a U-Net's tensor or module, without `model.diffusion_model.`; `None` for names that ldm does not have.
pub fn ldm_unet_name(diffusers: &str, layout: &UnetLayout) -> Option<String> {
    let (module, rest) = split(diffusers);
    let joined = |first: String, rest: &str| if rest.is_empty() { first } else { format!("{first}.{rest}") };
    let embedding = |block: &str| {
        let (layer, rest) = split(rest);
        let i = ["linear_1", "linear_2"].iter().position(|name| *name == layer)?;
        Some(joined(format!("{block}.{}", 2 * i), rest))
    };
    match module {
        "time_embedding" => embedding("time_embed"),
        "add_embedding" | "class_embedding" => embedding("label_emb.0"),
        "conv_in" => Some(joined("input_blocks.0.0".to_owned(), rest)),
        "conv_norm_out" => Some(joined("out.0".to_owned(), rest)),
        "conv_out" => Some(joined("out.2".to_owned(), rest)),
        "mid_block" => {
            let (kind, i, rest) = numbered(rest)?;
            match (kind, i) {
                ("resnets", 0 | 1) => Some(format!("middle_block.{}{}", 2 * i, after(&ldm_resnet_name(rest)?))),
                ("attentions", 0) => Some(joined("middle_block.1".to_owned(), rest)),
                _ => None,
            }
        }
        "down_blocks" | "up_blocks" => {
            let (level, rest) = split(rest);
            let level: usize = level.parse().ok().filter(|level| *level < layout.n_layers.len())?;
            let (kind, i, rest) = numbered(rest)?;
            let is_down = module == "down_blocks";
            // diffusers counts the levels of the way up from the smallest.
            let level = if is_down { level } else { layout.n_layers.len() - 1 - level };
            let (blocks, first) =
                if is_down { ("input_blocks", layout.first_input(level)) } else { ("output_blocks", layout.first_output(level)) };
            let n_layers = layout.n_layers[level] + usize::from(!is_down);
            match kind {
                "resnets" if i < n_layers => Some(format!("{blocks}.{}.0{}", first + i, after(&ldm_resnet_name(rest)?))),
                "attentions" if i < n_layers => Some(joined(format!("{blocks}.{}.1", first + i), rest)),
                "downsamplers" if i == 0 && is_down => {
                    let (_, rest) = split(rest);
                    Some(joined(format!("{blocks}.{}.0.op", first + n_layers), rest))
                }
                "upsamplers" if i == 0 && !is_down => {
                    let place = 1 + usize::from(layout.has_attention[level]);
                    Some(joined(format!("{blocks}.{}.{place}", first + n_layers - 1), rest))
                }
                _ => None,
            }
        }
        _ => None,
    }
}

/// The name that a Z-Image transformer's tensor or module has in files with queries, keys and values in one, and which part of it is meant.
pub fn fused_transformer_name(diffusers: &str) -> (String, Change) {
    let whole = format!("{diffusers}.");
    let names = [
        ("all_x_embedder.2-1.", "x_embedder."),
        ("all_final_layer.2-1.", "final_layer."),
        (".to_out.0.", ".out."),
        (".norm_q.", ".q_norm."),
        (".norm_k.", ".k_norm."),
    ];
    let third = [".to_q.", ".to_k.", ".to_v."].into_iter().enumerate().find(|(_, part)| whole.contains(part));
    let (mut name, change) = match third {
        Some((i, part)) => (whole.replace(part, ".qkv."), Change::Third(i)),
        None => (names.iter().fold(whole, |name, (diffusers, file)| name.replace(diffusers, file)), Change::Same),
    };
    name.pop();
    (name, change)
}

/// The ldm name of an autoencoder's tensor or module, without `first_stage_model.`, for as many levels.
pub fn ldm_vae_name(diffusers: &str, n_levels: usize) -> Option<String> {
    let (side, rest) = split(diffusers);
    if matches!(side, "quant_conv" | "post_quant_conv") {
        return Some(diffusers.to_owned());
    }
    if !matches!(side, "encoder" | "decoder") {
        return None;
    }
    let (module, rest) = split(rest);
    Some(match module {
        "conv_in" | "conv_out" => diffusers.to_owned(),
        "conv_norm_out" => format!("{side}.norm_out{}", after(rest)),
        "mid_block" => match numbered(rest)? {
            ("resnets", i @ (0 | 1), rest) => {
                format!("{side}.mid.block_{}{}", i + 1, after(&rest.replace("conv_shortcut", "nin_shortcut")))
            }
            ("attentions", 0, rest) => {
                let names = [("group_norm", "norm"), ("to_q", "q"), ("to_k", "k"), ("to_v", "v"), ("to_out.0", "proj_out")];
                let (name, rest) = names.iter().find_map(|(new, old)| Some((old, rest.strip_prefix(new)?)))?;
                format!("{side}.mid.attn_1.{name}{rest}")
            }
            _ => return None,
        },
        "down_blocks" | "up_blocks" => {
            let (level, rest) = split(rest);
            let level: usize = level.parse().ok().filter(|level| *level < n_levels)?;
            let (way, level) = if module == "down_blocks" { ("down", level) } else { ("up", n_levels - 1 - level) };
            match numbered(rest)? {
                ("resnets", i, rest) => format!("{side}.{way}.{level}.block.{i}{}", after(&rest.replace("conv_shortcut", "nin_shortcut"))),
                ("downsamplers", 0, rest) => format!("{side}.{way}.{level}.downsample{}", after(rest)),
                ("upsamplers", 0, rest) => format!("{side}.{way}.{level}.upsample{}", after(rest)),
                _ => return None,
            }
        }
        _ => return None,
    })
}

/// OpenCLIP's name of a text encoder's tensor, and what to do to the tensor. The name may lack `text_model.`, as in transformers from 5.6 on.
pub fn open_clip_name(transformers: &str) -> Option<(String, Change)> {
    let name = transformers.strip_prefix("text_model.").unwrap_or(transformers);
    let same = |name: String| Some((name, Change::Same));
    let (module, rest) = split(name);
    match module {
        "text_projection" => Some(("text_projection".to_owned(), Change::Transposed)),
        "final_layer_norm" => same(format!("ln_final{}", after(rest))),
        "embeddings" => match split(rest).0 {
            "token_embedding" => same(rest.to_owned()),
            "position_embedding" => same("positional_embedding".to_owned()),
            _ => None,
        },
        "encoder" => {
            let (_, i, rest) = numbered(rest).filter(|(kind, _, _)| *kind == "layers")?;
            let block = format!("transformer.resblocks.{i}");
            if let Some(rest) = rest.strip_prefix("self_attn.") {
                let (layer, kind) = split(rest);
                return match ["q_proj", "k_proj", "v_proj"].iter().position(|name| *name == layer) {
                    Some(third) => Some((format!("{block}.attn.in_proj_{kind}"), Change::Third(third))),
                    None => same(format!("{block}.attn.{rest}")),
                };
            }
            let names = [("layer_norm1", "ln_1"), ("layer_norm2", "ln_2"), ("mlp.fc1", "mlp.c_fc"), ("mlp.fc2", "mlp.c_proj")];
            let (name, rest) = names.iter().find_map(|(new, old)| Some((old, rest.strip_prefix(new)?)))?;
            same(format!("{block}.{name}{rest}"))
        }
        _ => None,
    }
}

/// The name within a residual block.
fn ldm_resnet_name(diffusers: &str) -> Option<String> {
    let (module, rest) = split(diffusers);
    let name = match module {
        "" => return Some(String::new()),
        "norm1" => "in_layers.0",
        "conv1" => "in_layers.2",
        "time_emb_proj" => "emb_layers.1",
        "norm2" => "out_layers.0",
        "conv2" => "out_layers.3",
        "conv_shortcut" => "skip_connection",
        _ => return None,
    };
    Some(format!("{name}{}", after(rest)))
}

/// The first word of a name and the rest.
fn split(name: &str) -> (&str, &str) {
    name.split_once('.').unwrap_or((name, ""))
}

/// A word, the number after it, and the rest: `resnets.1.conv1` is `resnets`, 1 and `conv1`.
fn numbered(name: &str) -> Option<(&str, usize, &str)> {
    let (word, rest) = split(name);
    let (number, rest) = split(rest);
    Some((word, number.parse().ok()?, rest))
}

/// The rest of a name with its dot.
fn after(rest: &str) -> String {
    if rest.is_empty() { String::new() } else { format!(".{rest}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn xl() -> UnetLayout {
        UnetLayout { n_layers: vec![2, 2, 2], has_attention: vec![false, true, true] }
    }

    fn sd1() -> UnetLayout {
        UnetLayout { n_layers: vec![2; 4], has_attention: vec![true, true, true, false] }
    }

    /// Names as they stand in v1-5-pruned.safetensors and sd_xl_base_1.0.safetensors.
    #[test]
    fn unet_names_are_those_of_published_files() {
        for (layout, diffusers, expected) in [
            (sd1(), "conv_in.weight", Some("input_blocks.0.0.weight")),
            (sd1(), "time_embedding.linear_2.bias", Some("time_embed.2.bias")),
            (sd1(), "down_blocks.0.resnets.1.conv1.weight", Some("input_blocks.2.0.in_layers.2.weight")),
            (sd1(), "down_blocks.0.downsamplers.0.conv.weight", Some("input_blocks.3.0.op.weight")),
            (sd1(), "down_blocks.2.attentions.1.proj_in", Some("input_blocks.8.1.proj_in")),
            (sd1(), "down_blocks.3.resnets.1.time_emb_proj.bias", Some("input_blocks.11.0.emb_layers.1.bias")),
            (sd1(), "mid_block.resnets.1.norm2.weight", Some("middle_block.2.out_layers.0.weight")),
            (sd1(), "mid_block.attentions.0.norm.weight", Some("middle_block.1.norm.weight")),
            (sd1(), "up_blocks.0.upsamplers.0.conv.weight", Some("output_blocks.2.1.conv.weight")),
            (sd1(), "up_blocks.1.upsamplers.0.conv.bias", Some("output_blocks.5.2.conv.bias")),
            (sd1(), "up_blocks.3.resnets.2.conv_shortcut.weight", Some("output_blocks.11.0.skip_connection.weight")),
            (sd1(), "conv_norm_out.weight", Some("out.0.weight")),
            (sd1(), "conv_out.bias", Some("out.2.bias")),
            (xl(), "add_embedding.linear_1.weight", Some("label_emb.0.0.weight")),
            (xl(), "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q", Some("input_blocks.4.1.transformer_blocks.0.attn1.to_q")),
            (
                xl(),
                "up_blocks.0.attentions.2.transformer_blocks.9.ff.net.0.proj.weight",
                Some("output_blocks.2.1.transformer_blocks.9.ff.net.0.proj.weight"),
            ),
            (xl(), "up_blocks.0.upsamplers.0.conv.weight", Some("output_blocks.2.2.conv.weight")),
            (xl(), "down_blocks.3.resnets.0.conv1.weight", None),
            (xl(), "time_embedding.cond_proj.weight", None),
        ] {
            assert_eq!(ldm_unet_name(diffusers, &layout).as_deref(), expected, "{diffusers}");
        }
    }

    #[test]
    fn vae_names_are_those_of_published_files() {
        for (diffusers, expected) in [
            ("encoder.down_blocks.1.resnets.0.conv_shortcut.weight", Some("encoder.down.1.block.0.nin_shortcut.weight")),
            ("encoder.down_blocks.0.downsamplers.0.conv.bias", Some("encoder.down.0.downsample.conv.bias")),
            ("decoder.up_blocks.0.resnets.2.norm1.weight", Some("decoder.up.3.block.2.norm1.weight")),
            ("decoder.up_blocks.2.upsamplers.0.conv.weight", Some("decoder.up.1.upsample.conv.weight")),
            ("decoder.mid_block.resnets.1.conv2.weight", Some("decoder.mid.block_2.conv2.weight")),
            ("encoder.mid_block.attentions.0.to_out.0.weight", Some("encoder.mid.attn_1.proj_out.weight")),
            ("encoder.mid_block.attentions.0.group_norm.bias", Some("encoder.mid.attn_1.norm.bias")),
            ("decoder.conv_norm_out.weight", Some("decoder.norm_out.weight")),
            ("post_quant_conv.weight", Some("post_quant_conv.weight")),
            ("decoder.up_blocks.4.resnets.2.norm1.weight", None),
        ] {
            assert_eq!(ldm_vae_name(diffusers, 4).as_deref(), expected, "{diffusers}");
        }
    }

    #[test]
    fn open_clip_names_are_those_of_published_files() {
        for (transformers, expected) in [
            ("text_model.encoder.layers.3.self_attn.k_proj.bias", ("transformer.resblocks.3.attn.in_proj_bias", Change::Third(1))),
            ("encoder.layers.0.self_attn.out_proj.weight", ("transformer.resblocks.0.attn.out_proj.weight", Change::Same)),
            ("text_model.encoder.layers.31.mlp.fc2.weight", ("transformer.resblocks.31.mlp.c_proj.weight", Change::Same)),
            ("text_model.encoder.layers.31.layer_norm1.bias", ("transformer.resblocks.31.ln_1.bias", Change::Same)),
            ("text_model.embeddings.position_embedding.weight", ("positional_embedding", Change::Same)),
            ("text_model.embeddings.token_embedding.weight", ("token_embedding.weight", Change::Same)),
            ("text_model.final_layer_norm.weight", ("ln_final.weight", Change::Same)),
            ("text_projection.weight", ("text_projection", Change::Transposed)),
        ] {
            assert_eq!(open_clip_name(transformers), Some((expected.0.to_owned(), expected.1)), "{transformers}");
        }
        assert_eq!(open_clip_name("vision_model.post_layernorm.weight"), None);
    }

    #[test]
    fn fused_transformer_names_are_those_of_published_files() {
        for (diffusers, expected) in [
            ("layers.7.attention.to_k.weight", ("layers.7.attention.qkv.weight", Change::Third(1))),
            ("noise_refiner.0.attention.to_v", ("noise_refiner.0.attention.qkv", Change::Third(2))),
            ("layers.7.attention.to_out.0.weight", ("layers.7.attention.out.weight", Change::Same)),
            ("layers.7.attention.to_out.0", ("layers.7.attention.out", Change::Same)),
            ("layers.7.attention.norm_q.weight", ("layers.7.attention.q_norm.weight", Change::Same)),
            ("layers.7.feed_forward.w1", ("layers.7.feed_forward.w1", Change::Same)),
            ("all_x_embedder.2-1", ("x_embedder", Change::Same)),
            ("all_final_layer.2-1.adaLN_modulation.1.bias", ("final_layer.adaLN_modulation.1.bias", Change::Same)),
            ("x_pad_token", ("x_pad_token", Change::Same)),
        ] {
            assert_eq!(fused_transformer_name(diffusers), (expected.0.to_owned(), expected.1), "{diffusers}");
        }
    }
}
