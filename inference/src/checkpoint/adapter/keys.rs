//! The names under which files hold the changes of a module.
//!
//! kohya joins a module's path with underscores (`lora_unet_down_blocks_0_…`), which cannot be undone: names hold underscores themselves. So every name
//! that a module can have is made and looked up.

use super::super::{
    Part,
    names::{self, UnetLayout},
};

/// A name that a file may have for a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) stem: String,
    /// The module is the n-th third of the rows of what the file means (OpenCLIP keeps queries, keys and values in one).
    pub(super) third: Option<usize>,
}

/// The names under which a file may hold the changes of `module` (diffusers' or transformers' name), the likeliest first.
pub(super) fn keys(part: Part, module: &str, layout: &UnetLayout) -> Vec<Key> {
    let mut keys = Vec::new();
    match part {
        Part::Unet => unet(module, layout, &mut keys),
        Part::TextEncoder => {
            let dotted = ["text_encoder.", "", "base_model.model.", "base_model.model.text_encoder."];
            let joined = ["lora_te_", "lora_te1_", "lycoris_te_", "lycoris_te1_", "lycoris_"];
            text_encoder(module, &dotted, &joined, &mut keys);
        }
        Part::TextEncoder2 => {
            let dotted = ["text_encoder_2.", "base_model.model.text_encoder_2."];
            text_encoder(module, &dotted, &["lora_te2_", "lycoris_te2_"], &mut keys);
        }
    }
    keys
}

fn unet(module: &str, layout: &UnetLayout, keys: &mut Vec<Key>) {
    for name in with_processors(module) {
        push(keys, &["unet.", "", "base_model.model.", "base_model.model.unet."], &name);
    }
    let joined = ["lora_unet_", "lycoris_", "lycoris_unet_"];
    push(keys, &joined, &module.replace('.', "_"));
    if let Some(name) = names::ldm_unet_name(module, layout) {
        push(keys, &joined, &name.replace('.', "_"));
        push(keys, &["diffusion_model.", "model.diffusion_model.", ""], &name);
    }
}

fn text_encoder(module: &str, dotted: &[&str], joined: &[&str], keys: &mut Vec<Key>) {
    // transformers has dropped the outermost name, files have kept it.
    let module = module.strip_prefix("text_model.").unwrap_or(module);
    for name in [module.to_owned(), old_projection(module)] {
        for name in [format!("text_model.{name}"), name] {
            push(keys, dotted, &name);
        }
    }
    for name in [format!("text_model_{}", module.replace('.', "_")), module.replace('.', "_")] {
        push(keys, joined, &name);
    }
    let third = match names::open_clip_name(&format!("{module}.weight")) {
        Some((name, names::Change::Same)) => Some((name, None)),
        Some((name, names::Change::Third(third))) => Some((name, Some(third))),
        Some((_, names::Change::Transposed)) | None => None,
    };
    if let Some((name, third)) = third {
        let name = name.trim_end_matches("weight").trim_end_matches(['.', '_']).replace('.', "_");
        for prefix in joined {
            for name in [format!("{prefix}{name}"), format!("{prefix}model_{name}")] {
                keys.push(Key { stem: name, third });
            }
        }
    }
}

fn push(keys: &mut Vec<Key>, prefixes: &[&str], name: &str) {
    keys.extend(prefixes.iter().map(|prefix| Key { stem: format!("{prefix}{name}"), third: None }));
}

/// The names of an attention's projections now, and as long as diffusers kept LoRA in attention processors.
fn with_processors(module: &str) -> Vec<String> {
    let mut names = vec![module.to_owned()];
    if let Some((attention, projection)) = module.rsplit_once(".to_").filter(|(attention, _)| attention.ends_with(['1', '2'])) {
        let old = if projection == "out.0" { "out" } else { projection };
        names.extend([
            format!("{attention}.to_{old}"),
            format!("{attention}.processor.to_{projection}"),
            format!("{attention}.processor.to_{old}"),
        ]);
    }
    names
}

/// The names of a text encoder's projections as diffusers once wrote them.
fn old_projection(module: &str) -> String {
    let Some((attention, projection)) = module.rsplit_once("self_attn.") else { return module.to_owned() };
    let old = match projection {
        "q_proj" => "to_q",
        "k_proj" => "to_k",
        "v_proj" => "to_v",
        "out_proj" => "to_out",
        other => other,
    };
    format!("{attention}self_attn.{old}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(part: Part, module: &str, expected: &str, third: Option<usize>) {
        let layout = UnetLayout { n_layers: vec![2, 2, 2], has_attention: vec![false, true, true] };
        let keys = keys(part, module, &layout);
        assert!(keys.contains(&Key { stem: expected.to_owned(), third }), "{expected} is not among {keys:#?}");
    }

    #[test]
    fn a_module_is_found_under_every_name_in_use() {
        let q = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q";
        check(Part::Unet, q, "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q", None);
        check(Part::Unet, q, "lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q", None);
        check(Part::Unet, q, "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn1.processor.to_q", None);
        check(Part::Unet, q, "lycoris_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q", None);
        let out = "mid_block.attentions.0.transformer_blocks.0.attn2.to_out.0";
        check(Part::Unet, out, "mid_block.attentions.0.transformer_blocks.0.attn2.processor.to_out", None);
        check(Part::Unet, out, "unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_out.0", None);
        let v = "text_model.encoder.layers.3.self_attn.v_proj";
        check(Part::TextEncoder, v, "lora_te_text_model_encoder_layers_3_self_attn_v_proj", None);
        check(Part::TextEncoder, "encoder.layers.3.self_attn.v_proj", "text_encoder.text_model.encoder.layers.3.self_attn.v_proj", None);
        check(Part::TextEncoder, v, "text_encoder.text_model.encoder.layers.3.self_attn.to_v", None);
        check(Part::TextEncoder2, v, "lora_te2_transformer_resblocks_3_attn_in_proj", Some(2));
        check(Part::TextEncoder2, "encoder.layers.3.mlp.fc1", "lora_te2_transformer_resblocks_3_mlp_c_fc", None);
        check(Part::TextEncoder2, "text_projection", "lora_te2_text_projection", None);
    }
}
