//! Adapters against the weights that diffusers and LyCORIS make of them (`tools/reference/adapters.py`), and what is said of those that do not fit.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::Path,
};

use serde_json::Value;

use super::*;
use crate::{
    adapter::{AdapterKind, keys, kind},
    checkpoint::Family,
};

/// The largest difference, and the largest number that was expected.
fn difference(found: &Tensor, expected: &Tensor) -> (f32, f32) {
    assert_eq!(found.dims(), expected.dims());
    let pairs = floats(found).into_iter().zip(floats(expected));
    pairs.fold((0.0, 0.0), |(difference, largest): (f32, f32), (found, expected)| {
        assert!(found.is_finite());
        (difference.max((found - expected).abs()), largest.max(expected.abs()))
    })
}

#[test]
fn every_format_makes_the_weights_of_its_reference() {
    let cases: Vec<Value> = serde_json::from_str(&fs::read_to_string(file("cases.json")).unwrap()).unwrap();
    assert_eq!(cases.len(), 18);
    for case in cases {
        let (name, tiny_model) = (case["name"].as_str().unwrap(), case["model"].as_str().unwrap());
        let files: Vec<_> =
            case["files"].as_array().unwrap().iter().map(|pair| (file(pair[0].as_str().unwrap()), pair[1].as_f64().unwrap())).collect();
        let expected = safetensors::load(file(&format!("{name}.expected.safetensors")), &Device::Cpu).unwrap();
        // Single files name text encoders with `text_model.`, folders of new versions without.
        for wrapper in ["", "text_model."] {
            let of = model(tiny_model, wrapper);
            let adapters: Vec<_> = files.iter().map(|(path, weight)| (load(path, &of).unwrap(), (*weight).into())).collect();
            for (adapter, _) in &adapters {
                let report = adapter.report();
                assert_eq!((report.n_applied, report.unmatched.len(), report.warning()), (report.n_modules, 0, None), "{name}");
            }
            let mut n_changed = 0;
            let set = AdapterSet::new(adapters).unwrap();
            for (Named { full, values, .. }, found) in base(tiny_model).iter().zip(made(&set, tiny_model, wrapper)) {
                let Some(expected) = expected.get(full) else {
                    assert_eq!(floats(&found), floats(values), "{name}: {full} must stay as it is");
                    continue;
                };
                n_changed += 1;
                let (difference, largest) = difference(&found, expected);
                assert!(difference <= 1e-6 * largest, "{name}: {full} differs by {difference} of {largest}");
            }
            assert_eq!(n_changed, expected.len(), "{name}");
        }
    }
}

/// Every linear layer and convolution of the published models with its key; lines say how much of the line before they begin with.
fn kohya_keys() -> Vec<(String, String, String)> {
    let text = fs::read_to_string(file("kohya_keys.txt")).unwrap();
    let (mut group, mut module, mut key) = (String::new(), String::new(), String::new());
    let mut keys = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("= ") {
            group = name.to_owned();
            continue;
        }
        let words: Vec<_> = line.split(' ').collect();
        module = format!("{}{}", &module[..words[0].parse().unwrap()], words[1]);
        key = format!("{}{}", &key[..words[2].parse().unwrap()], words[3]);
        keys.push((group.clone(), module.clone(), key.clone()));
    }
    keys
}

#[test]
fn every_module_of_the_published_models_has_its_kohya_key_and_no_two_share_one() {
    let keys = kohya_keys();
    let mut owners: HashMap<(String, String), String> = HashMap::new();
    let mut n: BTreeMap<String, usize> = BTreeMap::new();
    for (group, module, key) in keys {
        let (part, layout) = match group.as_str() {
            "sd15 unet" => (Part::Unet, UnetLayout { n_layers: vec![2; 4], has_attention: vec![true, true, true, false] }),
            "xl unet" => (Part::Unet, UnetLayout { n_layers: vec![2; 3], has_attention: vec![false, true, true] }),
            "xl te2" => (Part::TextEncoder2, tiny("xl")),
            _ => (Part::TextEncoder, tiny("xl")),
        };
        let names = keys::with_prefixes(part, &module, Some(&layout));
        assert!(names.contains(&key), "{group}: {module} has no key {key}");
        for name in names {
            let owner = owners.entry((group.clone(), name.clone())).or_insert_with(|| module.clone());
            let is_fused = name.ends_with("attn_in_proj");
            assert!(is_fused || *owner == module, "{group}: {name} is {owner} and {module}");
        }
        *n.entry(group).or_default() += 1;
    }
    let n: Vec<_> = n.iter().map(|(group, n)| (group.as_str(), *n)).collect();
    assert_eq!(n, [("sd15 te", 72), ("sd15 unet", 282), ("xl te1", 72), ("xl te2", 192), ("xl unet", 794)]);
}

/// Writes tensors of ones.
fn write(folder: &Path, tensors: &[(&str, &[usize])]) -> PathBuf {
    let tensors: HashMap<_, _> =
        tensors.iter().map(|(name, shape)| ((*name).to_owned(), Tensor::ones(*shape, DType::F32, &Device::Cpu).unwrap())).collect();
    let path = folder.join("adapter.safetensors");
    safetensors::save(&tensors, &path).unwrap();
    path
}

const Q: &str = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k";

/// What is said when a file of these tensors is opened, applied to the small model and checked; `FILE` stands for its path.
fn said(tensors: &[(&str, &[usize])]) -> String {
    let folder = tempfile::tempdir().unwrap();
    said_of(&write(folder.path(), tensors))
}

fn said_of(path: &Path) -> String {
    let said = match load(path, &model("sd1", "")) {
        Ok(adapter) => adapter.report().warning().unwrap_or_default(),
        Err(error) => error.to_string(),
    };
    said.replace(&path.display().to_string(), "FILE")
}

#[test]
fn what_does_not_fit_is_named() {
    let (down, up) = (format!("{Q}.lora_down.weight"), format!("{Q}.lora_up.weight"));
    assert_eq!(said(&[(&down, &[2, 6])]), format!("FILE: module `{Q}` has `lora_down.weight` but no `lora_up (lora_B)`"));
    assert_eq!(said(&[(&up, &[8, 2])]), format!("FILE: module `{Q}` has `lora_up.weight` but no `lora_down (lora_A)`"));
    assert_eq!(said(&[(&down, &[2, 6]), (&up, &[8, 3])]), format!("FILE: module `{Q}`: ranks of [8, 3] and [2, 6] differ"));
    for (width, family) in
        [(768, "Stable Diffusion 1"), (1024, "Stable Diffusion 2"), (2048, "Stable Diffusion XL"), (1280, "Stable Diffusion XL refiner")]
    {
        let expected =
            format!("FILE: module `{Q}` changes a weight of 8×{width} numbers, the model's has shape [8, 6]; it was made for {family}");
        assert_eq!(said(&[(&down, &[2, width]), (&up, &[8, 2])]), expected);
    }
    assert_eq!(
        said(&[(&down, &[2, 6]), (&up, &[9, 2])]),
        format!("FILE: module `{Q}` changes a weight of 9×6 numbers, the model's has shape [8, 6]")
    );
    let scale = format!("{Q}.dora_scale");
    assert_eq!(
        said(&[(&down, &[2, 6]), (&up, &[8, 2]), (&scale, &[5, 1])]),
        format!("FILE: module `{Q}` changes a weight of 5×1 numbers, the model's has shape [8, 6]")
    );
    let hada = [(format!("{Q}.hada_w1_a"), [8, 2]), (format!("{Q}.hada_w1_b"), [2, 6])];
    let hada: Vec<_> = hada.iter().map(|(name, shape)| (name.as_str(), &shape[..])).collect();
    assert_eq!(said(&hada), format!("FILE: module `{Q}` has `hada_w1_a` but no `hada_w2_a`"));
}

#[test]
fn files_that_match_nothing_are_refused_and_those_that_match_partly_are_told() {
    let flux: [(&str, &[usize]); 2] =
        [("transformer.x_embedder.lora_A.weight", &[2, 6]), ("transformer.x_embedder.lora_B.weight", &[8, 2])];
    assert_eq!(said(&flux), "FILE: 0 of 1 modules match the model; it was made for another transformer (such as FLUX or Lumina 2)");
    let deep = Q.replace("mid_block_attentions_0", "down_blocks_2_attentions_1");
    let names = [format!("{deep}.lora_down.weight"), format!("{deep}.lora_up.weight")];
    let other: [(&str, &[usize]); 2] = [(&names[0], &[2, 768]), (&names[1], &[8, 2])];
    assert_eq!(said(&other), "FILE: 0 of 1 modules match the model; it was made for Stable Diffusion 1");
    let (down, up) = (format!("{Q}.lora_down.weight"), format!("{Q}.lora_up.weight"));
    let both: [(&str, &[usize]); 5] =
        [(&down, &[2, 6]), (&up, &[8, 2]), (&names[0], &[2, 6]), (&names[1], &[8, 2]), ("bundle_emb.x.string_to_param", &[1])];
    assert_eq!(said(&both), format!("FILE: 1 of 2 modules match the model; `bundle_emb.x.string_to_param` and 1 more did nothing"));
    // The layer has no bias that could be changed.
    let bias = format!("{Q}.diff_b");
    let with_bias: [(&str, &[usize]); 3] = [(&down, &[2, 6]), (&up, &[8, 2]), (&bias, &[8])];
    assert_eq!(said(&with_bias), format!("FILE: 1 of 1 modules match the model; `{Q}` did nothing"));
}

#[test]
fn files_that_are_no_adapters_are_named() {
    assert_eq!(
        said(&[("conv_in.weight", &[2, 2]), ("conv_in.bias", &[2])]),
        "FILE is not an adapter: none of its 2 tensors is named as in LoRA, LoCon, LoHa, LoKr or full difference files"
    );
    let oft = format!("{Q}.oft_blocks");
    assert_eq!(said(&[(&oft, &[2, 4, 4])]), "FILE is an OFT adapter, which is not supported");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    assert_eq!(said_of(&path), "FILE is missing");
    for (text, reason) in
        [("", "the file is empty"), ("PK\u{3}\u{4} and other bytes of a pickle", "PyTorch"), ("a text", "it is not a safetensors file")]
    {
        fs::write(&path, text).unwrap();
        let said = said_of(&path);
        assert!(said.starts_with("FILE cannot be read: ") && said.contains(reason), "{said}");
    }
    let whole = fs::read(file("kohya.safetensors")).unwrap();
    fs::write(&path, &whole[..whole.len() - 9]).unwrap();
    assert_eq!(said_of(&path), "FILE cannot be read: its length is not what its header says; it is cut off, download it again");
}

#[test]
fn numbers_that_are_none_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let tensor = |values: &[f32], shape: (usize, usize)| Tensor::from_slice(values, shape, &Device::Cpu).unwrap();
    let (down, up) = (format!("{Q}.lora_down.weight"), format!("{Q}.lora_up.weight"));
    let mut bad = vec![0.5; 8];
    bad[3] = f32::NAN;
    safetensors::save(&HashMap::from([(down, tensor(&[1.0; 6], (1, 6))), (up, tensor(&bad, (8, 1)))]), &path).unwrap();
    assert_eq!(said_of(&path), format!("FILE cannot be read: `{Q}.lora_up.weight` holds a value that is not a finite number"));
}

#[test]
fn alpha_may_be_a_whole_number_and_weights_scale() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let ones = |shape: (usize, usize)| Tensor::ones(shape, DType::F32, &Device::Cpu).unwrap();
    let alpha = Tensor::new(3i64, &Device::Cpu).unwrap();
    let names = ["lora_down.weight", "lora_up.weight", "alpha"].map(|end| format!("{Q}.{end}"));
    safetensors::save(&names.into_iter().zip([ones((2, 6)), ones((8, 2)), alpha]).collect::<HashMap<_, _>>(), &path).unwrap();
    // Two ranks of ones, alpha / rank = 1.5, weights 0.5 - 2.
    check_added(&[(path.clone(), 0.5), (path, -2.0)], -4.5);
}

/// What adapters add to every number of the small model's layer.
fn check_added(files: &[(PathBuf, f64)], expected: f32) {
    let found = made(&set(files, &model("sd1", "")).unwrap(), "sd1", "");
    let name = "unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight";
    let (place, tensor) = base("sd1").iter().enumerate().find(|(_, tensor)| tensor.full == name).unwrap();
    let added = floats(&(&found[place] - &tensor.values).unwrap());
    assert!(added.iter().all(|added| (added - expected).abs() < 1e-5), "{added:?} are not {expected}");
}

#[test]
fn networks_may_have_weights_of_their_own() {
    for (name, tiny_model, has_text) in [("kohya", "sd1", true), ("dora_lycoris", "sd1", false), ("kohya_xl", "xl", true)] {
        let (path, of) = (file(&format!("{name}.safetensors")), model(tiny_model, ""));
        let with = |weights: AdapterWeights| made(&set(&[(path.clone(), weights)], &of).unwrap(), tiny_model, "");
        let (both, alone) = (with(AdapterWeights { unet: 0.5, text_encoder: -0.8 }), [0.5, -0.8, 0.0].map(|weight| with(weight.into())));
        let unet_alone = with(AdapterWeights { unet: 0.5, text_encoder: 0.0 });
        let (mut n_unet, mut n_text) = (0, 0);
        for (place, Named { part, full, values, .. }) in base(tiny_model).iter().enumerate() {
            let of = |all: &[Tensor]| floats(&all[place]);
            let is_unet = *part == Part::Unet;
            assert_eq!(of(&both), of(&alone[usize::from(!is_unet)]), "{name}: {full}");
            assert_eq!(of(&unet_alone), of(&alone[if is_unet { 0 } else { 2 }]), "{name}: {full}");
            assert_eq!(of(&alone[2]), floats(values), "{name}: {full} at weight 0");
            let is_changed = of(&both) != floats(values);
            if is_unet { n_unet += usize::from(is_changed) } else { n_text += usize::from(is_changed) }
        }
        assert!(n_unet > 0 && (n_text > 0) == has_text, "{name} changes {n_unet} tensors of the U-Net and {n_text} of text encoders");
    }
}

#[test]
fn a_configuration_beside_the_file_gives_alpha_as_peft_saves_it() {
    let folder = tempfile::tempdir().unwrap();
    let module = "mid_block.attentions.0.transformer_blocks.0.attn2.to_k";
    let names = ["lora_A", "lora_B"].map(|end| format!("base_model.model.{module}.{end}.weight"));
    let path = write(folder.path(), &[(&names[0], &[2, 6]), (&names[1], &[8, 2])]);
    fs::write(folder.path().join("adapter_config.json"), r#"{"peft_type": "LORA", "r": 2, "lora_alpha": 8, "alpha_pattern": {}}"#).unwrap();
    check_added(&[(path, 0.5)], 4.0);
}

#[test]
fn files_tell_what_they_are_from_their_headers() {
    for (name, expected, is_dora, rank, n_modules) in [
        ("kohya", AdapterKind::Locon, false, Some(2), 13),
        ("old_processors", AdapterKind::Lora, false, Some(2), 5),
        ("locon", AdapterKind::Locon, false, Some(2), 4),
        ("loha", AdapterKind::Loha, false, Some(2), 4),
        ("lokr", AdapterKind::Lokr, false, Some(1), 6),
        ("full", AdapterKind::Full, false, None, 3),
        ("dora_partly", AdapterKind::Locon, true, Some(2), 2),
        ("dora_lycoris", AdapterKind::Mixed, true, Some(2), 6),
    ] {
        let info = kind(&file(&format!("{name}.safetensors"))).unwrap();
        assert_eq!((info.kind, info.is_dora, info.rank, info.n_modules), (expected, is_dora, rank, n_modules), "{name}");
    }
    assert_eq!(kind(&file("kohya_xl.safetensors")).unwrap().family, Some(Family::StableDiffusionXl));
    assert_eq!(kind(&file("sd1.safetensors")), None, "a checkpoint is no adapter");
    assert_eq!(kind(&file("cases.json")), None);
}
