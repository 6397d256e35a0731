//! Qwen3 as Z-Image's text encoder, against transformers.

use std::path::Path;

use candle_core::{DType, Device};
use inference::text::qwen3::{ChatTokenizer, Qwen3, Qwen3Config, templated};
use serde_json::Value;

use crate::z_image_common::{Setting, assert_near, ids, open};

#[test]
fn templated_prompts_and_their_ids_are_those_of_transformers() {
    let setting = Setting::new();
    let tokenizer = ChatTokenizer::load(&setting.part("tokenizer"), 512).unwrap();
    for (name, text) in setting.prompts() {
        let found = templated(text["prompt"].as_str().unwrap());
        assert_eq!(found, text["templated"].as_str().unwrap(), "{name}");
        assert_eq!(tokenizer.ids(&found).unwrap(), ids(text), "{name}");
        let is_cut = ids(text).len() == 512;
        assert_eq!(is_cut, name == "long", "{name}");
    }
}

#[test]
fn text_states_are_those_of_transformers_in_every_layout_of_files() {
    let setting = Setting::new();
    let path = Path::new("config.json");
    let whole = setting.part("text_encoder/model.safetensors");
    // As the published model is stored: with the outer name, in several files, with what the states do not need.
    let tensors = candle_core::safetensors::load(&whole, &Device::Cpu).unwrap();
    let shards = [0, 1].map(|which| setting.part(&format!("text_encoder/model-0000{which}.safetensors")));
    for (which, shard) in shards.iter().enumerate() {
        let is_here = |name: &str| name.contains("layers.1") == (which == 1);
        let part = tensors.iter().filter(|(name, _)| is_here(name)).map(|(name, tensor)| (format!("model.{name}"), tensor.clone()));
        candle_core::safetensors::save(&part.collect(), shard).unwrap();
    }
    let config = setting.config("text_encoder");
    let mut older = config.clone();
    older["rope_theta"] = older["rope_parameters"]["rope_theta"].clone();
    older.as_object_mut().unwrap().remove("rope_parameters");
    let whole = open(&[whole]);
    // In double precision every operation is the plain one that other devices have.
    let plain = whole.clone().of_type(DType::F64);
    for (weights, config) in [(whole, config.clone()), (open(&shards), older), (plain, config)] {
        let config = Qwen3Config::read(&config, path).unwrap();
        let encoder = Qwen3::load(&weights, &config, config.n_layers - 1, &Device::Cpu).unwrap();
        for (name, text) in setting.prompts() {
            let found = encoder.encode(&ids(text)).unwrap().squeeze(0).unwrap().to_dtype(DType::F32).unwrap();
            assert_near(name, &found, &setting.reference[&format!("text.{name}")], 1e-5);
        }
    }
}

#[test]
fn what_a_text_encoder_cannot_do_is_refused() {
    let setting = Setting::new();
    let changed = |key: &str, value: Value| {
        let mut config = setting.config("text_encoder");
        config[key] = value;
        Qwen3Config::read(&config, Path::new("config.json"))
    };
    for (key, value) in [
        ("model_type", "qwen2".into()),
        ("attention_bias", true.into()),
        ("use_sliding_window", true.into()),
        ("rope_scaling", serde_json::json!({ "rope_type": "yarn" })),
        ("layer_types", serde_json::json!(["sliding_attention"])),
        ("head_dim", 15.into()),
        ("num_key_value_heads", 3.into()),
        ("rope_theta", serde_json::json!(0.0)),
    ] {
        // The newer key comes first.
        let config =
            if key == "rope_theta" { changed("rope_parameters", serde_json::json!({ "rope_theta": value })) } else { changed(key, value) };
        assert!(config.is_err(), "{key}");
    }
}
