//! The names under which files hold the changes of a module: every prefix with every system of names, joined by dots or by underscores.
//!
//! kohya joins a module's path with underscores (`lora_unet_down_blocks_0_…`), which cannot be undone: names hold underscores themselves. So both sides
//! are brought to one form: a file's name loses its prefix and its dots (`Place`), and every name that a module can have is looked up without its dots.

use std::collections::{BTreeMap, HashMap};

use crate::checkpoint::{
    Part,
    names::{self, Change, UnetLayout, fused_transformer_name},
};

/// What a prefix says of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// Nothing.
    Any,
    /// The U-Net, or the transformer of a model that has none.
    Denoiser,
    /// A text encoder: the first, where it fits.
    Text,
    /// The first text encoder.
    FirstText,
    /// The second text encoder.
    SecondText,
}

/// Prefixes without their dots, the longest of those that begin alike first.
const PREFIXES: [(&str, Target); 29] = [
    // kohya; OneTrainer writes the same with dots. Some write two underscores for networks whose name is empty.
    ("lora_unet__", Target::Denoiser),
    ("lora_unet_", Target::Denoiser),
    ("lora_te_", Target::Text),
    ("lora_te1_", Target::FirstText),
    ("lora_te2_", Target::SecondText),
    // LyCORIS' own wrapper.
    ("lycoris_unet_", Target::Denoiser),
    ("lycoris_te_", Target::Text),
    ("lycoris_te1_", Target::FirstText),
    ("lycoris_te2_", Target::SecondText),
    ("lycoris_", Target::Any),
    // PEFT and diffusers; OneTrainer and OMI have the U-Net's with ldm names.
    ("base_model_model_", Target::Any),
    ("default_", Target::Any),
    ("unet_", Target::Denoiser),
    ("text_encoder_1_", Target::FirstText),
    ("text_encoder_2_", Target::SecondText),
    // ComfyUI's saver.
    ("text_encoders_clip_l_", Target::FirstText),
    ("text_encoders_clip_h_", Target::FirstText),
    ("text_encoders_clip_g_", Target::SecondText),
    ("text_encoders_", Target::Text),
    ("text_encoder_", Target::Text),
    ("diffusion_model_", Target::Denoiser),
    ("model_diffusion_model_", Target::Denoiser),
    // OMI.
    ("clip_l_", Target::FirstText),
    ("clip_h_", Target::FirstText),
    ("clip_g_", Target::SecondText),
    // The names in whole models.
    ("cond_stage_model_", Target::FirstText),
    ("conditioner_embedders_0_", Target::Text),
    ("conditioner_embedders_1_", Target::SecondText),
    ("conditioner_", Target::Text),
];

/// What a file's name for a module says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The network.
    pub(super) target: Target,
    /// The module's path in it, without dots.
    pub(super) path: String,
}

/// A name that a module may have, without a prefix and without dots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) path: String,
    /// The module is the n-th third of the rows of what the file means (OpenCLIP keeps queries, keys and values in one).
    pub(super) third: Option<usize>,
}

/// A file's modules by their paths.
pub(super) struct Places(HashMap<String, Vec<(Target, String)>>);

/// How sure it is that a name means a module of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Certainty {
    /// The prefix says so.
    Certain,
    /// The shapes must tell.
    Possible,
}

impl Target {
    fn means(self, part: Part) -> Option<Certainty> {
        match (self, part) {
            (Self::Any | Self::Denoiser, Part::Unet | Part::Transformer)
            | (Self::FirstText, Part::TextEncoder)
            | (Self::SecondText, Part::TextEncoder2) => Some(Certainty::Certain),
            (Self::Any | Self::Text, Part::TextEncoder | Part::TextEncoder2) => Some(Certainty::Possible),
            _ => None,
        }
    }
}

impl Place {
    /// Takes a file's name for a module apart.
    pub(super) fn of(stem: &str) -> Self {
        let joined = stem.replace('.', "_");
        let (mut path, mut target) = (joined.as_str(), Target::Any);
        // Some prefixes stand before others.
        while target == Target::Any
            && let Some((rest, found)) = PREFIXES.iter().find_map(|(prefix, target)| Some((path.strip_prefix(prefix)?, *target)))
        {
            (path, target) = (rest, found);
        }
        // Wrappers of text encoders: ComfyUI's and ldm's `transformer`, `model` round OpenCLIP's, `text_model`, which transformers has dropped.
        let path = path.strip_prefix("transformer_").filter(|rest| !rest.starts_with("resblocks_")).unwrap_or(path);
        let path = path.strip_prefix("text_model_").or_else(|| path.strip_prefix("model_")).unwrap_or(path);
        Self { target, path: path.to_owned() }
    }

    /// The network that the name means, where the prefix or the path tells.
    pub(super) fn part(&self) -> Option<Part> {
        const UNET: [&str; 12] = [
            "down_blocks_",
            "mid_block_",
            "up_blocks_",
            "conv_",
            "time_embed",
            "add_embedding_",
            "input_blocks_",
            "middle_block_",
            "output_blocks_",
            "label_emb_",
            "out_0",
            "out_2",
        ];
        const TEXT: [&str; 5] = ["encoder_layers_", "final_layer_norm", "text_projection", "transformer_resblocks_", "ln_final"];
        let begins = |starts: &[&str]| starts.iter().any(|start| self.path.starts_with(start));
        match self.target {
            Target::Any | Target::Denoiser if self.is_in_transformer() => Some(Part::Transformer),
            Target::Denoiser => Some(Part::Unet),
            Target::Text | Target::FirstText => Some(Part::TextEncoder),
            Target::SecondText => Some(Part::TextEncoder2),
            Target::Any if begins(&UNET) => Some(Part::Unet),
            Target::Any if begins(&TEXT) => Some(Part::TextEncoder),
            Target::Any => None,
        }
    }

    /// Whether the path is that of a module of a Z-Image transformer's layers, which tell it from other transformers.
    pub(super) fn is_in_layer_of_z_image(&self) -> bool {
        const LAYERS: [&str; 3] = ["layers_", "noise_refiner_", "context_refiner_"];
        const MODULES: [&str; 3] = ["_attention_", "_feed_forward_", "_adaLN_modulation_"];
        let layer = LAYERS.iter().find_map(|layers| self.path.strip_prefix(layers));
        let rest = layer.map(|rest| rest.trim_start_matches(|character: char| character.is_ascii_digit()));
        rest.is_some_and(|rest| MODULES.iter().any(|module| rest.starts_with(module)))
    }

    /// The same of its layers and of what stands before and after them.
    fn is_in_transformer(&self) -> bool {
        const OTHERS: [&str; 7] = [
            "all_x_embedder_2-1",
            "all_final_layer_2-1",
            "cap_embedder_",
            "t_embedder_mlp_",
            "x_embedder",
            "final_layer_linear",
            "final_layer_adaLN",
        ];
        self.is_in_layer_of_z_image() || OTHERS.iter().any(|start| self.path.starts_with(start))
    }
}

impl Places {
    pub(super) fn new<'a>(stems: impl Iterator<Item = &'a String>) -> Self {
        let sorted: BTreeMap<&String, Place> = stems.map(|stem| (stem, Place::of(stem))).collect();
        let mut places: HashMap<String, Vec<(Target, String)>> = HashMap::new();
        for (stem, Place { target, path }) in sorted {
            places.entry(path).or_default().push((target, stem.clone()));
        }
        Self(places)
    }

    /// The file's names for a module of `part` that has these names, the likeliest first.
    pub(super) fn find(&self, part: Part, names: &[Name]) -> Vec<(&str, Option<usize>, Certainty)> {
        let mut found = Vec::new();
        for Name { path, third } in names {
            let owners = self.0.get(path).into_iter().flatten();
            found.extend(owners.filter_map(|(target, stem)| Some((stem.as_str(), *third, target.means(part)?))));
        }
        found.sort_by_key(|(_, _, certainty)| *certainty);
        found
    }
}

/// Every name that files may have for `module` (diffusers' or transformers' name), the likeliest first.
pub(super) fn names(part: Part, module: &str, layout: Option<&UnetLayout>) -> Vec<Name> {
    let plain = |path: String| Name { path: path.replace('.', "_"), third: None };
    match part {
        Part::Unet => {
            let systems = [Some(module.to_owned()), layout.and_then(|layout| names::ldm_unet_name(module, layout))];
            return systems.into_iter().flatten().flat_map(|name| with_processors(&name)).map(plain).collect();
        }
        Part::Transformer => {
            let (fused, change) = fused_transformer_name(module);
            let third = if let Change::Third(third) = change { Some(third) } else { None };
            return vec![plain(module.to_owned()), Name { third, ..plain(fused) }];
        }
        Part::TextEncoder | Part::TextEncoder2 => {}
    }
    let module = module.strip_prefix("text_model.").unwrap_or(module);
    let mut found = vec![plain(module.to_owned())];
    if let Some((attention, projection)) = module.rsplit_once("self_attn.") {
        found.extend(old_projection(projection).map(|old| plain(format!("{attention}self_attn.{old}"))));
    }
    let open_clip = names::open_clip_name(&format!("{module}.weight"));
    if let Some((name, change @ (Change::Same | Change::Third(_)))) = open_clip {
        let name = name.trim_end_matches("weight").trim_end_matches(['.', '_']);
        let third = if let Change::Third(third) = change { Some(third) } else { None };
        found.push(Name { third, ..plain(name.to_owned()) });
        if let (Some(_), Some((_, projection))) = (third, module.rsplit_once("self_attn.")) {
            found.push(plain(name.replace("in_proj", projection)));
        }
    }
    found
}

/// Every name with every prefix, joined by underscores.
#[cfg(test)]
pub(super) fn with_prefixes(part: Part, module: &str, layout: Option<&UnetLayout>) -> Vec<String> {
    let prefixes = PREFIXES.iter().filter(|(_, target)| target.means(part).is_some()).map(|(prefix, _)| *prefix);
    let prefixes: Vec<&str> = prefixes.chain([""]).collect();
    let wrappers: &[&str] = if matches!(part, Part::Unet | Part::Transformer) { &[""] } else { &["", "text_model_", "model_"] };
    let names = names(part, module, layout);
    let name = |prefix: &str, wrapper: &str, name: &Name| format!("{prefix}{wrapper}{}", name.path);
    let of_prefix = |prefix| names.iter().flat_map(move |found| wrappers.iter().map(move |wrapper| name(prefix, wrapper, found)));
    prefixes.into_iter().flat_map(of_prefix).collect()
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
fn old_projection(projection: &str) -> Option<&'static str> {
    match projection {
        "q_proj" => Some("to_q"),
        "k_proj" => Some("to_k"),
        "v_proj" => Some("to_v"),
        "out_proj" => Some("to_out"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(part: Part, module: &str, stem: &str, expected: Option<(Option<usize>, Certainty)>) {
        let layout = UnetLayout { n_layers: vec![2, 2, 2], has_attention: vec![false, true, true] };
        let stems = [stem.to_owned()];
        let places = Places::new(stems.iter());
        let found = places.find(part, &names(part, module, Some(&layout)));
        assert_eq!(found.first().map(|(_, third, certainty)| (*third, *certainty)), expected, "{stem} for {module}");
    }

    #[test]
    fn a_module_is_found_under_every_name_in_use() {
        let certain = Some((None, Certainty::Certain));
        let possible = Some((None, Certainty::Possible));
        let q = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q";
        for stem in [
            "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q",
            "lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q",
            "lora_unet.down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q",
            "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn1.processor.to_q",
            "unet.input_blocks.4.1.transformer_blocks.0.attn1.to_q",
            "diffusion_model.down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q",
            "model.diffusion_model.input_blocks.4.1.transformer_blocks.0.attn1.to_q",
            "base_model.model.unet.input_blocks.4.1.transformer_blocks.0.attn1.to_q",
            "lycoris_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q",
            q,
        ] {
            check(Part::Unet, q, stem, certain);
            check(Part::TextEncoder, "encoder.layers.3.mlp.fc1", stem, None);
        }
        let v = "layers.3.attention.to_v";
        for (stem, third) in [
            ("transformer.layers.3.attention.to_v", None),
            ("layers.3.attention.to_v", None),
            ("base_model.model.transformer.layers.3.attention.to_v", None),
            ("diffusion_model.layers.3.attention.qkv", Some(2)),
            ("model.diffusion_model.layers.3.attention.qkv", Some(2)),
            ("lora_unet_layers_3_attention_to_v", None),
            ("lora_unet__layers_3_attention_qkv", Some(2)),
            ("lycoris_layers_3_attention_to_v", None),
        ] {
            check(Part::Transformer, v, stem, Some((third, Certainty::Certain)));
            check(Part::Transformer, "layers.2.attention.to_v", stem, None);
        }
        let out = "mid_block.attentions.0.transformer_blocks.0.attn2.to_out.0";
        check(Part::Unet, out, "mid_block.attentions.0.transformer_blocks.0.attn2.processor.to_out", certain);
        check(Part::Unet, out, "unet.middle_block.1.transformer_blocks.0.attn2.to_out.0", certain);
        let v = "text_model.encoder.layers.3.self_attn.v_proj";
        for (stem, first, second) in [
            ("lora_te_text_model_encoder_layers_3_self_attn_v_proj", possible, possible),
            ("lora_te1_text_model_encoder_layers_3_self_attn_v_proj", certain, None),
            ("lora_te1.text_model.encoder.layers.3.self_attn.v_proj", certain, None),
            ("text_encoder.text_model.encoder.layers.3.self_attn.to_v", possible, possible),
            ("base_model.model.text_model.encoder.layers.3.self_attn.v_proj", possible, possible),
            ("text_encoders.clip_l.transformer.text_model.encoder.layers.3.self_attn.v_proj", certain, None),
            ("text_encoders.clip_g.transformer.text_model.encoder.layers.3.self_attn.v_proj", None, certain),
            ("text_encoders.clip_h.transformer.text_model.encoder.layers.3.self_attn.v_proj", certain, None),
            ("clip_l.text_model.encoder.layers.3.self_attn.v_proj", certain, None),
            ("clip_g.transformer.resblocks.3.attn.v_proj", None, certain),
            ("text_encoder_2.text_model.encoder.layers.3.self_attn.v_proj", None, certain),
            ("lora_te2_transformer_resblocks_3_attn_in_proj", None, Some((Some(2), Certainty::Certain))),
            ("conditioner.embedders.1.model.transformer.resblocks.3.attn.in_proj", None, Some((Some(2), Certainty::Certain))),
            ("cond_stage_model.model.transformer.resblocks.3.attn.in_proj", Some((Some(2), Certainty::Certain)), None),
            ("unet.encoder.layers.3.self_attn.v_proj", None, None),
        ] {
            check(Part::TextEncoder, v, stem, first);
            check(Part::TextEncoder2, v, stem, second);
            check(Part::TextEncoder, v.trim_start_matches("text_model."), stem, first);
        }
        check(Part::TextEncoder2, "encoder.layers.3.mlp.fc1", "lora_te2_transformer_resblocks_3_mlp_c_fc", certain);
        check(Part::TextEncoder2, "text_projection", "lora_te2_text_projection", certain);
        check(Part::TextEncoder2, "text_projection", "text_encoders.clip_g.transformer.text_projection", certain);
    }

    #[test]
    fn a_name_tells_its_network() {
        for (stem, part) in [
            ("lora_unet_x", Some(Part::Unet)),
            ("unet.input_blocks.1.1.proj_in", Some(Part::Unet)),
            ("lycoris_time_embedding_linear_1", Some(Part::Unet)),
            ("base_model.model.text_model.encoder.layers.0.mlp.fc1", Some(Part::TextEncoder)),
            ("text_encoders.clip_g.transformer.text_projection", Some(Part::TextEncoder2)),
            ("transformer.single_transformer_blocks.0.attn.to_q", None),
            ("transformer.layers.0.attention.to_q", Some(Part::Transformer)),
            ("diffusion_model.layers.29.attention.qkv", Some(Part::Transformer)),
            ("lora_unet__context_refiner_0_feed_forward_w1", Some(Part::Transformer)),
            ("lora_unet_noise_refiner_1_adaLN_modulation_0", Some(Part::Transformer)),
            ("default.all_final_layer.2-1.linear", Some(Part::Transformer)),
            ("diffusion_model.layers.0.self_attn.to_q", Some(Part::Unet)),
            ("text_encoders.qwen3_4b.transformer.model.layers.0.self_attn.q_proj", Some(Part::TextEncoder)),
            ("final_layer_norm", Some(Part::TextEncoder)),
        ] {
            assert_eq!(Place::of(stem).part(), part, "{stem}");
        }
    }
}
