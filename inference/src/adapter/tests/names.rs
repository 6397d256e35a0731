//! Every prefix with every system of names, joined by dots or underscores, in every kind of adapter: the same numbers change the same weights, bit for
//! bit.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use ::safetensors::{Dtype, tensor::TensorView};

use super::*;
use crate::{
    adapter::kind,
    checkpoint::{Family, FileKind, inspect, ldm_unet_name, open_clip_name},
};

/// Layers that adapters change, with the shapes of their weights.
fn layers(model: &str, part: Part) -> Vec<(String, Vec<usize>)> {
    let layer = |Named { part: of, name, values, .. }: &Named| {
        let module = name.strip_suffix(".weight")?;
        (*of == part && values.rank() > 1 && !module.contains("embeddings")).then(|| (module.to_owned(), values.dims().to_vec()))
    };
    base(model).iter().filter_map(layer).collect()
}

fn numbers(seed: &str, shape: &[usize]) -> Tensor {
    let hash = seed.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let value = |i: usize| {
        let mixed = (i as u32).wrapping_mul(0x9e37_79b9).wrapping_add(hash).wrapping_mul(0x7feb_352d);
        (mixed >> 8) as f32 / 16_777_216.0 - 0.5
    };
    Tensor::from_vec((0..shape.iter().product()).map(value).collect::<Vec<f32>>(), shape, &Device::Cpu).unwrap()
}

/// The ends of names of a kind of adapter, with the shapes that they have for a weight.
type Kind = (&'static str, fn(&[usize]) -> Vec<(&'static str, Vec<usize>)>);

/// The kinds, with kohya's and LyCORIS' ends.
const KINDS: [Kind; 5] = [
    ("LoRA", |shape| lora([".lora_down.weight", ".lora_up.weight", ".alpha"], shape)),
    ("LoHa", |shape| {
        let (rows, columns) = flat(shape);
        let (rows, columns) = (vec![rows, 2], vec![2, columns]);
        vec![
            (".hada_w1_a", rows.clone()),
            (".hada_w1_b", columns.clone()),
            (".hada_w2_a", rows),
            (".hada_w2_b", columns),
            (".alpha", vec![]),
        ]
    }),
    ("LoKr", |shape| vec![(".lokr_w1", vec![1, 1]), (".lokr_w2", shape.to_vec())]),
    ("full", |shape| vec![(".diff", shape.to_vec())]),
    ("DoRA", |shape| {
        let mut lora = lora([".lora_down.weight", ".lora_up.weight", ".alpha"], shape);
        lora.push((".dora_scale", vec![shape[0], 1]));
        lora
    }),
];

/// What programs call LoRA's matrices and alpha.
const LORA_ENDS: [[&str; 3]; 8] = [
    [".lora_down.weight", ".lora_up.weight", ".alpha"],
    [".lora_A.weight", ".lora_B.weight", ".alpha"],
    [".lora_A.default.weight", ".lora_B.default.weight", ".alpha"],
    [".lora_A.my-style.weight", ".lora_B.my-style.weight", ".alpha"],
    [".lora_A", ".lora_B", ".alpha"],
    [".lora.down.weight", ".lora.up.weight", ".lora.alpha"],
    ["_lora.down.weight", "_lora.up.weight", "_lora.alpha"],
    [".lora_linear_layer.down.weight", ".lora_linear_layer.up.weight", ".alpha"],
];

fn lora(ends: [&'static str; 3], shape: &[usize]) -> Vec<(&'static str, Vec<usize>)> {
    let (mut down, mut up) = (shape.to_vec(), vec![1; shape.len()]);
    (down[0], up[0], up[1]) = (2, shape[0], 2);
    ends.into_iter().zip([down, up, vec![]]).collect()
}

fn flat(shape: &[usize]) -> (usize, usize) {
    (shape[0], shape[1..].iter().product())
}

/// The path of a layer in a system of names.
type System = (&'static str, fn(&str, &UnetLayout) -> Option<String>);

const UNET_SYSTEMS: [System; 2] = [("diffusers", |layer, _| Some(layer.to_owned())), ("ldm", |layer, layout| ldm_unet_name(layer, layout))];
const TEXT_SYSTEMS: [System; 4] = [
    ("transformers", |layer, _| Some(format!("text_model.{}", layer.trim_start_matches("text_model.")))),
    ("new transformers", |layer, _| Some(layer.trim_start_matches("text_model.").to_owned())),
    ("open_clip", |layer, _| open_clip(layer)),
    ("open_clip in a model", |layer, _| open_clip(layer).map(|name| format!("model.{name}"))),
];

/// OpenCLIP's name, with queries, keys and values apart; the projection behind it has the same in both.
fn open_clip(layer: &str) -> Option<String> {
    let layer = layer.trim_start_matches("text_model.");
    let (name, _) = open_clip_name(&format!("{layer}.weight"))?;
    let projection = layer.rsplit('.').next()?;
    Some(name.trim_end_matches("weight").trim_end_matches(['.', '_']).replace("in_proj", projection))
}

const UNET_PREFIXES: [&str; 11] = [
    "lora_unet_",
    "lora_unet.",
    "lycoris_",
    "lycoris_unet_",
    "unet.",
    "base_model.model.",
    "base_model.model.unet.",
    "diffusion_model.",
    "model.diffusion_model.",
    "",
    "unet_",
];
const TEXT_PREFIXES: [&str; 15] = [
    "lora_te_",
    "lora_te.",
    "lora_te1_",
    "lora_te1.",
    "lycoris_te_",
    "lycoris_te1_",
    "text_encoder.",
    "base_model.model.",
    "base_model.model.text_encoder.",
    "text_encoders.clip_l.transformer.",
    "text_encoders.clip_h.transformer.",
    "clip_l.",
    "clip_l.transformer.",
    "cond_stage_model.transformer.",
    "",
];
const SECOND_TEXT_PREFIXES: [&str; 10] = [
    "lora_te2_",
    "lora_te2.",
    "lycoris_te2_",
    "text_encoder_2.",
    "base_model.model.text_encoder_2.",
    "text_encoders.clip_g.transformer.",
    "text_encoders.clip_g.",
    "clip_g.",
    "conditioner.embedders.1.",
    "clip_g.transformer.",
];

/// Tensors whose numbers depend on layer and kind alone, named by `name` and `ends`.
fn tensors(layers: &[(String, Vec<usize>)], kind: Kind, ends: Option<[&str; 3]>, name: impl Fn(&str) -> String) -> HashMap<String, Tensor> {
    let mut tensors = HashMap::new();
    for (layer, shape) in layers {
        for (i, (end, shape)) in kind.1(shape).into_iter().enumerate() {
            let values = numbers(&format!("{layer}{end}"), &shape);
            let end = ends.and_then(|ends| ends.get(i).copied()).unwrap_or(end);
            tensors.insert(format!("{}{end}", name(layer)), values);
        }
    }
    tensors
}

/// What a file of these tensors makes of all weights, which must use all of it.
fn made_by(model: &str, path: &Path, tensors: &HashMap<String, Tensor>) -> Result<Vec<Vec<f32>>, String> {
    safetensors::save(tensors, path).unwrap();
    applied(model, path)
}

fn applied(tiny_model: &str, path: &Path) -> Result<Vec<Vec<f32>>, String> {
    let said = |error: InferenceError| error.to_string();
    let of = model(tiny_model, "");
    let adapter = load(path, &of).map_err(said)?;
    if let Some(warning) = adapter.report().warning() {
        return Err(warning);
    }
    let set = AdapterSet::new(vec![(adapter, 0.75.into())]).map_err(said)?;
    Ok(made(&set, tiny_model, "").iter().map(floats).collect())
}

/// Tries every combination for a part.
fn check_product(model: &str, part: Part, prefixes: &[&str], systems: &[System], kohya: &str) -> usize {
    let (layers, layout) = (layers(model, part), tiny(model));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("adapter.safetensors");
    let untouched: Vec<Vec<f32>> = base(model).iter().map(|tensor| floats(&tensor.values)).collect();
    let mut n_combinations = 0;
    for kind in KINDS {
        let expected = made_by(model, &path, &tensors(&layers, kind, None, |layer| format!("{kohya}{}", layer.replace('.', "_")))).unwrap();
        let n_changed = expected.iter().zip(&untouched).filter(|(changed, before)| changed != before).count();
        assert_eq!(n_changed, layers.len(), "{model}, {}", kind.0);
        let all_ends: Vec<Option<[&str; 3]>> =
            if matches!(kind.0, "LoRA" | "DoRA") { LORA_ENDS.into_iter().map(Some).collect() } else { vec![None] };
        for (prefix, (system, path_of), ends, has_dots) in prefixes
            .iter()
            .flat_map(|prefix| systems.iter().map(move |system| (*prefix, *system)))
            .flat_map(|(prefix, system)| all_ends.iter().map(move |ends| (prefix, system, *ends)))
            .flat_map(|(prefix, system, ends)| [true, false].map(|has_dots| (prefix, system, ends, has_dots)))
        {
            let name = |layer: &str| {
                let name = path_of(layer, &layout).unwrap_or_else(|| panic!("{layer} has no name in {system}"));
                format!("{prefix}{}", if has_dots { name } else { name.replace('.', "_") })
            };
            let found = made_by(model, &path, &tensors(&layers, kind, ends, name));
            assert_eq!(found.as_ref(), Ok(&expected), "{model}, {prefix}, {system}, {}, {ends:?}, dots {has_dots}", kind.0);
            n_combinations += 1;
        }
    }
    n_combinations
}

#[test]
fn the_u_net_is_found_by_every_prefix_system_and_kind() {
    for model in ["sd1", "xl"] {
        let n = check_product(model, Part::Unet, &UNET_PREFIXES, &UNET_SYSTEMS, "lora_unet_");
        assert_eq!(n, 11 * 2 * 2 * (8 + 1 + 1 + 1 + 8));
    }
}

#[test]
fn the_only_text_encoder_is_found_by_every_prefix_system_and_kind() {
    assert_eq!(check_product("sd1", Part::TextEncoder, &TEXT_PREFIXES, &TEXT_SYSTEMS, "lora_te_"), 15 * 4 * 2 * 19);
}

#[test]
fn both_text_encoders_are_found_by_every_prefix_system_and_kind() {
    check_product("xl", Part::TextEncoder, &TEXT_PREFIXES, &TEXT_SYSTEMS, "lora_te1_");
    check_product("xl", Part::TextEncoder2, &SECOND_TEXT_PREFIXES, &TEXT_SYSTEMS, "lora_te2_");
}

#[test]
fn a_name_that_may_mean_both_text_encoders_means_the_one_that_it_fits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("adapter.safetensors");
    let first = layers("xl", Part::TextEncoder);
    let second = layers("xl", Part::TextEncoder2);
    assert!(second.iter().any(|(name, _)| first.iter().any(|(other, _)| name.ends_with(other.as_str()))), "the same layer in two sizes");
    let expected = made_by("xl", &path, &tensors(&second, KINDS[0], None, |layer| format!("lora_te2_{}", layer.replace('.', "_"))));
    for prefix in ["", "lora_te_", "base_model.model.", "text_encoder."] {
        let found = made_by("xl", &path, &tensors(&second, KINDS[0], None, |layer| format!("{prefix}{layer}")));
        assert_eq!(found, expected, "{prefix}");
    }
    assert!(expected.is_ok());
    let found = made_by("xl", &path, &tensors(&second, KINDS[0], None, |layer| format!("lora_te1_{}", layer.replace('.', "_"))));
    assert!(found.is_err_and(|said| said.contains("the model's has shape")), "a name that says which is taken at its word");
}

#[test]
fn one_file_may_mix_the_names_of_several_programs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("adapter.safetensors");
    let (unet, text) = (layers("sd1", Part::Unet), layers("sd1", Part::TextEncoder));
    let both = |unet_name: &dyn Fn(&str) -> String, text_name: &dyn Fn(&str) -> String| {
        let mut both = tensors(&unet, KINDS[0], None, unet_name);
        both.extend(tensors(&text, KINDS[0], None, text_name));
        both
    };
    let joined = |prefix: &'static str| move |layer: &str| format!("{prefix}{}", layer.replace('.', "_"));
    let ldm = |prefix: &'static str| move |layer: &str| format!("{prefix}{}", ldm_unet_name(layer, &tiny("sd1")).unwrap());
    let dotted = |prefix: &'static str| move |layer: &str| format!("{prefix}{layer}");
    let expected = made_by("sd1", &path, &both(&joined("lora_unet_"), &joined("lora_te_text_model_")));
    assert!(expected.is_ok());
    for (program, tensors) in [
        ("OneTrainer", both(&ldm("unet."), &joined("lora_te1_text_model_"))),
        ("ComfyUI", both(&ldm("diffusion_model."), &dotted("text_encoders.clip_l.transformer.text_model."))),
        ("OMI", both(&ldm("unet."), &dotted("clip_l.text_model."))),
        ("diffusers", both(&dotted("unet."), &dotted("text_encoder.text_model."))),
    ] {
        assert_eq!(made_by("sd1", &path, &tensors), expected, "{program}");
        let inspection = inspect(&path).unwrap();
        assert!(inspection.details.contains(&("changes".into(), "U-Net, text encoder".into())), "{program}: {:?}", inspection.details);
    }
}

#[test]
fn open_clip_may_keep_queries_keys_and_values_in_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("adapter.safetensors");
    let attention = "encoder.layers.1.self_attn";
    let (d, apart) = (8, |end: &str| format!("text_encoder_2.{attention}.{end}.diff"));
    let names = ["q_proj", "k_proj", "v_proj"];
    let thirds = names.map(|name| numbers(name, &[d, d]));
    let expected = made_by("xl", &path, &names.iter().zip(&thirds).map(|(name, third)| (apart(name), third.clone())).collect()).unwrap();
    for prefix in ["lora_te2_", "clip_g.", "text_encoders.clip_g.", "conditioner.embedders.1.model."] {
        let name = format!("{prefix}transformer.resblocks.1.attn.in_proj.diff");
        assert_eq!(made_by("xl", &path, &HashMap::from([(name, Tensor::cat(&thirds, 0).unwrap())])).as_ref(), Ok(&expected), "{prefix}");
    }
}

/// Alphas of 4 in every type of number that holds it.
fn fours() -> [(Dtype, Vec<u8>); 14] {
    [
        (Dtype::I8, vec![4]),
        (Dtype::U8, vec![4]),
        (Dtype::I16, vec![4, 0]),
        (Dtype::U16, vec![4, 0]),
        (Dtype::I32, vec![4, 0, 0, 0]),
        (Dtype::U32, vec![4, 0, 0, 0]),
        (Dtype::I64, vec![4, 0, 0, 0, 0, 0, 0, 0]),
        (Dtype::U64, vec![4, 0, 0, 0, 0, 0, 0, 0]),
        (Dtype::F8_E4M3, vec![0x48]),
        (Dtype::F8_E5M2, vec![0x44]),
        (Dtype::F16, vec![0, 0x44]),
        (Dtype::BF16, vec![0x80, 0x40]),
        (Dtype::F32, 4f32.to_le_bytes().to_vec()),
        (Dtype::F64, 4f64.to_le_bytes().to_vec()),
    ]
}

/// Writes one layer's LoRA with this alpha.
fn with_alpha(path: &Path, dtype: Dtype, shape: Vec<usize>, alpha: &[u8]) -> PathBuf {
    let bytes = |n: usize| (0..n).flat_map(|i| (i as f32 * 0.25 - 1.0).to_le_bytes()).collect::<Vec<u8>>();
    let (down, up) = (bytes(12), bytes(16));
    let stem = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k";
    let views = [
        (format!("{stem}.lora_down.weight"), TensorView::new(Dtype::F32, vec![2, 6], &down).unwrap()),
        (format!("{stem}.lora_up.weight"), TensorView::new(Dtype::F32, vec![8, 2], &up).unwrap()),
        (format!("{stem}.alpha"), TensorView::new(dtype, shape, alpha).unwrap()),
    ];
    ::safetensors::serialize_to_file(views, None, path).unwrap();
    path.to_owned()
}

#[test]
fn alpha_may_be_any_type_of_number() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("adapter.safetensors");
    let expected = applied("sd1", &with_alpha(&path, Dtype::F32, vec![], &4f32.to_le_bytes()));
    assert!(expected.is_ok() && expected != applied("sd1", &with_alpha(&path, Dtype::F32, vec![], &2f32.to_le_bytes())));
    for (dtype, alpha) in fours() {
        for shape in [vec![], vec![1]] {
            assert_eq!(applied("sd1", &with_alpha(&path, dtype, shape, &alpha)), expected, "{dtype:?}");
        }
    }
    let said = applied("sd1", &with_alpha(&path, Dtype::BOOL, vec![], &[1])).unwrap_err();
    assert!(said.ends_with("attn2_to_k.alpha` holds no number"), "{said}");
}

#[test]
fn kinds_that_are_not_read_are_named_by_refusal_and_inspection_alike() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("adapter.safetensors");
    let stem = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k";
    let peft = "base_model.model.mid_block.attentions.0.transformer_blocks.0.attn2.to_k";
    for (name, tensors) in [
        ("a GLoRA adapter", vec![format!("{stem}.a1.weight"), format!("{stem}.a2.weight"), format!("{stem}.b1.weight")]),
        ("an (IA)³ adapter", vec![format!("{stem}.weight"), format!("{stem}.on_input")]),
        ("an (IA)³ adapter", vec![format!("{peft}.ia3_l")]),
        ("an OFT adapter", vec![format!("{}.oft_blocks", stem.replace("lora_unet", "oft_unet")), format!("{stem}.alpha")]),
        ("an OFT adapter", vec![format!("{peft}.oft_r.weight"), format!("{peft}.oft_s")]),
        ("an OFT adapter", vec![format!("{peft}.oft_R.default.weight")]),
        ("a BOFT adapter", vec![format!("{peft}.boft_R"), format!("{peft}.boft_s")]),
        ("a VeRA adapter", vec![format!("{peft}.vera_lambda_b"), format!("{peft}.vera_lambda_d")]),
    ] {
        let tensors: HashMap<_, _> =
            tensors.into_iter().map(|name| (name, Tensor::ones((2, 4, 4), DType::F32, &Device::Cpu).unwrap())).collect();
        let said = made_by("sd1", &path, &tensors).unwrap_err();
        assert_eq!(said, format!("{} is {name}, which is not supported", path.display()));
        let inspection = inspect(&path).unwrap();
        assert_eq!(inspection.kind, FileKind::Lora, "{name}");
        let method = name.split_once(' ').unwrap().1.trim_end_matches(" adapter");
        assert!(inspection.details.contains(&("method".into(), format!("{method}, which is not supported"))), "{:?}", inspection.details);
    }
    // LyCORIS' BOFT differs from its OFT in the number of sides alone.
    let blocks = Tensor::ones((2, 4, 2, 2), DType::F32, &Device::Cpu).unwrap();
    let said = made_by("sd1", &path, &HashMap::from([(format!("{stem}.oft_blocks"), blocks)])).unwrap_err();
    assert!(said.ends_with("is a BOFT adapter, which is not supported"), "{said}");
}

#[test]
fn names_of_every_program_tell_the_family() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("adapter.safetensors");
    let layer = "encoder.layers.0.mlp.fc1";
    for prefix in SECOND_TEXT_PREFIXES {
        let layer = vec![(layer.to_owned(), vec![8, 8])];
        safetensors::save(&tensors(&layer, KINDS[0], None, |layer| format!("{prefix}{layer}")), &path).unwrap();
        assert_eq!(kind(&path).unwrap().family, Some(Family::StableDiffusionXl), "{prefix}");
        assert_eq!(inspect(&path).unwrap().family, Some(Family::StableDiffusionXl), "{prefix}");
    }
}
