//! Descriptions in JSON: SwarmUI's and Fooocus' are read, others are refused by name and never drawn as a prompt.

use serde_json::{Map, Value};

use super::recipe::{NotRead, Recipe, stem};

/// Keys of SwarmUI (`src/Text2Image/T2IParamTypes.cs`) and what A1111 calls the same.
const SWARM: [(&str, &str); 7] = [
    ("seed", "Seed"),
    ("steps", "Steps"),
    ("cfgscale", "CFG scale"),
    ("sampler", "Sampler"),
    ("scheduler", "Schedule type"),
    ("refinerupscale", "Hires upscale"),
    ("refinersteps", "Hires steps"),
];
/// Keys that change nothing in the picture, or that were read already.
const SWARM_QUIET: [&str; 11] =
    ["prompt", "negativeprompt", "model", "width", "height", "aspectratio", "images", "batchsize", "loras", "loraweights", "swarm_version"];
/// Keys of Fooocus (`modules/meta_parser.py`) and what A1111 calls the same.
const FOOOCUS: [(&str, &str); 6] = [
    ("seed", "Seed"),
    ("steps", "Steps"),
    ("guidance_scale", "CFG scale"),
    ("sampler", "Sampler"),
    ("scheduler", "Schedule type"),
    ("clip_skip", "Clip skip"),
];
const FOOOCUS_QUIET: [&str; 13] = [
    "prompt",
    "negative_prompt",
    "full_prompt",
    "full_negative_prompt",
    "base_model",
    "base_model_hash",
    "resolution",
    "loras",
    "metadata_scheme",
    "version",
    "created_by",
    "performance",
    "refiner_switch",
];
/// What Fooocus writes where nothing was chosen.
const NOTHING_CHOSEN: [&str; 4] = ["", "None", "Default (model)", "[]"];
/// Keys by which the JSON of others is known.
const OTHERS: [(&str, &str); 8] = [
    ("class_type", "ComfyUI"),
    ("last_node_id", "ComfyUI"),
    ("nodes", "ComfyUI"),
    ("generation_mode", "InvokeAI"),
    ("app_id", "InvokeAI"),
    ("positive_prompt", "InvokeAI"),
    ("uc", "NovelAI"),
    ("request_type", "NovelAI"),
];

/// Reads a text that is JSON; `None` for one that is not. A text with a line of settings is taken for damaged JSON only if it is whole.
pub(super) fn read(text: &str, is_without_settings: bool) -> Option<Result<Recipe, NotRead>> {
    let mut characters = text.chars().filter(|c| !c.is_whitespace());
    let begins_as_json = match characters.next()? {
        '{' => matches!(characters.next(), Some('"' | '}')),
        '[' => matches!(characters.next(), Some('"' | '{')),
        _ => false,
    };
    begins_as_json.then_some(())?;
    match serde_json::from_str(text) {
        Ok(Value::Object(found)) => Some(of_object(&found)),
        Ok(_) => Some(Err(NotRead::UnknownJson)),
        Err(_) if is_without_settings && text.contains(':') => Some(Err(NotRead::DamagedJson)),
        Err(_) => None,
    }
}

fn of_object(found: &Map<String, Value>) -> Result<Recipe, NotRead> {
    if let Some(Value::Object(parameters)) = found.get("sui_image_params") {
        return Ok(swarm(parameters));
    }
    if found.contains_key("prompt") && (found.contains_key("base_model") || found.contains_key("metadata_scheme")) {
        return Ok(fooocus(found));
    }
    // ComfyUI's nodes are by their numbers.
    let inner = found.values().filter_map(Value::as_object);
    let has = |key: &str| found.contains_key(key) || inner.clone().any(|object| object.contains_key(key));
    let known = OTHERS.iter().find(|(key, _)| has(key));
    Err(known.map_or(NotRead::UnknownJson, |(_, program)| NotRead::Program(program)))
}

/// A value as A1111 would have written it.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.trim().to_owned(),
        other => other.to_string(),
    }
}

fn text(found: &Map<String, Value>, key: &str) -> String {
    found.get(key).map(plain).unwrap_or_default()
}

fn list(found: &Map<String, Value>, key: &str) -> Vec<String> {
    match found.get(key) {
        Some(Value::Array(values)) => values.iter().map(plain).collect(),
        Some(value) => plain(value).split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect(),
        None => Vec::new(),
    }
}

fn swarm(found: &Map<String, Value>) -> Recipe {
    let mut recipe = Recipe::of(&text(found, "prompt"), found.get("negativeprompt").map(plain).as_deref());
    let (has_second, has_source) = (found.contains_key("refinerupscale"), found.contains_key("initimage"));
    let mut fields = Vec::new();
    for (key, value) in found {
        let value = plain(value);
        let name = match key.as_str() {
            "refinercontrolpercentage" if has_second => "Denoising strength",
            "initimagecreativity" if has_source && !has_second => "Denoising strength",
            // It counts the layer from the end as -1, -2, ...
            "clipstopatlayer" => "Clip skip",
            _ => match SWARM.iter().find(|(known, _)| known == key) {
                // No enlargement, so no second pass that is ours.
                Some(("refinerupscale" | "refinersteps", _)) if value == "1" => continue,
                Some((_, name)) => name,
                None => {
                    if !SWARM_QUIET.contains(&key.as_str()) {
                        recipe.note(key, &value);
                    }
                    continue;
                }
            },
        };
        let value = if name == "Clip skip" { value.trim_start_matches('-').to_owned() } else { value };
        fields.push((name, value));
    }
    let (width, height) = (text(found, "width"), text(found, "height"));
    if !(width.is_empty() && height.is_empty()) {
        fields.push(("Size", format!("{width}x{height}")));
    }
    fields.push(("Model", stem(&text(found, "model")).to_owned()));
    recipe.take_all(fields.iter().map(|(name, value)| (*name, value.as_str())));
    let (names, weights) = (list(found, "loras"), list(found, "loraweights"));
    let weight = |i: usize| weights.get(i).map_or("1", String::as_str);
    let pairs = names.iter().enumerate().map(|(i, name)| Some((name.as_str(), weight(i))));
    if !recipe.take_adapters(pairs) {
        recipe.note("loras", &names.join(", "));
    }
    recipe
}

fn fooocus(found: &Map<String, Value>) -> Recipe {
    let mut recipe = Recipe::of(&text(found, "prompt"), found.get("negative_prompt").map(plain).as_deref());
    let mut fields = Vec::new();
    let mut loras = Vec::new();
    for (key, value) in found {
        let value = plain(value);
        if let Some((_, name)) = FOOOCUS.iter().find(|(known, _)| known == key) {
            fields.push((*name, value));
        } else if key.starts_with("lora_combined_") {
            loras.push(value);
        } else if !FOOOCUS_QUIET.contains(&key.as_str()) && !NOTHING_CHOSEN.contains(&value.as_str()) {
            recipe.note(key, &value);
        }
    }
    let resolution = text(found, "resolution");
    if !resolution.is_empty() {
        fields.push(("Size", resolution.trim_matches(['(', ')', '[', ']']).replace([',', '×', '*'], "x").replace(' ', "")));
    }
    fields.push(("Model", stem(&text(found, "base_model")).to_owned()));
    recipe.take_all(fields.iter().map(|(name, value)| (*name, value.as_str())));
    if loras.is_empty() {
        let of_list = |lora: &Value| Some(format!("{} : {}", lora.get(0)?.as_str()?, lora.get(1)?));
        loras.extend(found.get("loras").and_then(Value::as_array).into_iter().flatten().filter_map(of_list));
    }
    // `name : weight`, and since 2.4 whether it is on before them.
    let is_on = |lora: &&String| !lora.starts_with("False : ");
    let pairs: Vec<_> = loras.iter().filter(is_on).map(|lora| lora.strip_prefix("True : ").unwrap_or(lora).rsplit_once(" : ")).collect();
    if !recipe.take_adapters(pairs.into_iter()) {
        recipe.note("loras", &loras.join(", "));
    }
    recipe
}
