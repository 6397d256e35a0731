//! What PEFT notes beside its tensors: alpha, where it is not the rank.

use std::path::Path;

use serde_json::{Map, Value};

use super::header::Header;
use crate::checkpoint::Part;

/// PEFT's configuration of an adapter for one network.
#[derive(Default)]
pub(super) struct Settings {
    rank: Option<f64>,
    alpha: Option<f64>,
    alphas: Vec<(String, f64)>,
    is_rank_stabilized: bool,
}

impl Settings {
    /// The configuration in a file's header (`lora_adapter_metadata`, as diffusers writes it) or beside it (`adapter_config.json`, as PEFT does).
    pub(super) fn read(path: &Path, header: &Header, part: Part) -> Option<Self> {
        let in_header = header.metadata.get("lora_adapter_metadata").and_then(|json| serde_json::from_str(json).ok());
        let beside = || {
            let is_peft = header.shapes.keys().any(|name| name.starts_with("base_model.model."));
            let text = std::fs::read_to_string(path.with_file_name("adapter_config.json")).ok().filter(|_| is_peft)?;
            serde_json::from_str(&text).ok()
        };
        let json: Map<String, Value> = in_header.or_else(beside)?;
        let prefix = match part {
            Part::Unet => "unet.",
            Part::Transformer => "transformer.",
            Part::TextEncoder => "text_encoder.",
            Part::TextEncoder2 => "text_encoder_2.",
        };
        let is_prefixed = json.keys().any(|key| key.contains('.'));
        let get = |key: &str| if is_prefixed { json.get(&format!("{prefix}{key}")) } else { json.get(key) };
        let alphas = get("alpha_pattern").and_then(Value::as_object);
        let settings = Self {
            rank: get("r").and_then(Value::as_f64),
            alpha: get("lora_alpha").or_else(|| get("alpha")).and_then(Value::as_f64),
            alphas: alphas.into_iter().flatten().filter_map(|(pattern, alpha)| Some((pattern.clone(), alpha.as_f64()?))).collect(),
            is_rank_stabilized: get("use_rslora").and_then(Value::as_bool).unwrap_or(false),
        };
        settings.alpha.is_some().then_some(settings)
    }

    /// What a module's difference is multiplied by; `rank` is that of its tensors.
    pub(super) fn scale(&self, module: &str, rank: Option<usize>) -> f64 {
        // A pattern is a module's name or its last words; `^` says that it is all of it.
        let fits = |pattern: &str| match pattern.strip_prefix('^') {
            Some(whole) => module == whole || module.strip_prefix("text_model.") == Some(whole),
            None => module.strip_suffix(pattern).is_some_and(|before| before.is_empty() || before.ends_with('.')),
        };
        let alpha = self.alphas.iter().find(|(pattern, _)| fits(pattern)).map(|(_, alpha)| *alpha).or(self.alpha);
        let rank = rank.map(|rank| rank as f64).or(self.rank);
        match (alpha, rank) {
            (Some(alpha), Some(rank)) if rank > 0.0 => alpha / if self.is_rank_stabilized { rank.sqrt() } else { rank },
            _ => 1.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_names_or_their_last_words() {
        let alphas = vec![("^mid_block.to_q".to_owned(), 2.0), ("attn2.to_k".to_owned(), 6.0)];
        let settings = Settings { rank: Some(4.0), alpha: Some(8.0), alphas, is_rank_stabilized: false };
        for (module, expected) in [
            ("mid_block.to_q", 0.5),
            ("up.mid_block.to_q", 2.0),
            ("down_blocks.0.attn2.to_k", 1.5),
            ("down_blocks.0.xattn2.to_k", 2.0),
            ("conv_in", 2.0),
        ] {
            assert_eq!(settings.scale(module, Some(4)), expected, "{module}");
        }
        assert_eq!(Settings { is_rank_stabilized: true, ..settings }.scale("conv_in", Some(16)), 2.0);
    }
}
