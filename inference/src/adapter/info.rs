//! What can be said of an adapter before it is used.

use std::{collections::HashMap, fmt, path::Path};

use super::{
    delta::Delta,
    header::{ALPHA, Header},
    keys::Place,
    module::{Module, is_plain, modules},
    roles::Role,
};
use crate::checkpoint::{Family, Part, TensorInfo};

/// How a file holds its changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AdapterKind {
    /// Products of two matrices, for linear layers and 1×1 convolutions.
    Lora,
    /// The same for wider convolutions too.
    Locon,
    /// Two products, multiplied number by number.
    Loha,
    /// Kronecker products.
    Lokr,
    /// Differences at full size.
    Full,
    /// Several of them.
    Mixed,
}

impl fmt::Display for AdapterKind {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Lora => "LoRA",
            Self::Locon => "LoCon",
            Self::Loha => "LoHa",
            Self::Lokr => "LoKr",
            Self::Full => "full difference",
            Self::Mixed => "mixed",
        })
    }
}

/// What a file's header says of an adapter.
#[derive(Clone, Debug, PartialEq)]
pub struct AdapterInfo {
    /// How it holds its changes.
    pub kind: AdapterKind,
    /// Whether it sets the lengths of weights' rows or columns as well (DoRA).
    pub is_dora: bool,
    /// The commonest rank; `None` where there are only full matrices.
    pub rank: Option<usize>,
    /// Modules that it changes.
    pub n_modules: usize,
    /// Numbers of its products of two matrices: those stay in memory with the adapter, other changes do not.
    pub n_live: usize,
    /// Numbers of the layers that it changes by more than such products, and that sets of it therefore make anew; at most, as the model may lack some.
    pub n_own: usize,
    /// The models that it was made for, where names or shapes tell.
    pub family: Option<Family>,
}

/// What an adapter's file holds, from its header alone; `None` for other files.
pub fn kind(path: &Path) -> Option<AdapterInfo> {
    let header = Header::read(path).ok()?;
    let (modules, unknown) = modules(path, &header.shapes).ok()?;
    // A checkpoint may hold a tensor that is named like an adapter's.
    (unknown.len() <= header.shapes.len() / 2).then(|| AdapterInfo::of(&modules))
}

impl AdapterInfo {
    pub(super) fn of(modules: &HashMap<String, Module>) -> Self {
        let deltas = || modules.values().filter_map(|module| module.delta.as_ref());
        let mut kinds: Vec<_> = deltas().map(kind_of).collect();
        // A LoCon has plain LoRA for its linear layers; a LyCORIS of any kind has full differences for normalisations.
        let has = |kinds: &[AdapterKind], kind| kinds.contains(&kind);
        if has(&kinds, AdapterKind::Locon) {
            kinds.retain(|kind| *kind != AdapterKind::Lora);
        }
        if kinds.iter().any(|kind| *kind != AdapterKind::Full) {
            kinds.retain(|kind| *kind != AdapterKind::Full);
        }
        let kind = match kinds.split_first() {
            None => AdapterKind::Full,
            Some((first, rest)) if rest.iter().all(|kind| kind == first) => *first,
            Some(_) => AdapterKind::Mixed,
        };
        let mut ranks: HashMap<usize, usize> = HashMap::new();
        deltas().filter_map(Delta::rank).for_each(|rank| *ranks.entry(rank).or_default() += 1);
        Self {
            kind,
            is_dora: modules.values().any(|module| module.magnitude.is_some()),
            rank: ranks.into_iter().max_by_key(|(rank, n)| (*n, *rank)).map(|(rank, _)| rank),
            n_modules: modules.len(),
            n_live: modules.values().filter(|module| module.is_live()).filter_map(|module| module.delta.as_ref()).map(Delta::n_live).sum(),
            n_own: modules.values().fold(0, |sum, module| module.n_own().saturating_add(sum)),
            family: family(modules),
        }
    }
}

/// Numbers of an adapter's products of two matrices, and of the layers that sets of it make anew, from the header of its file alone.
pub(crate) fn n_numbers(path: &Path, tensors: &[TensorInfo]) -> (u64, u64) {
    let sum = |tensors: &mut dyn Iterator<Item = &TensorInfo>| tensors.map(TensorInfo::n_values).sum::<u64>();
    // Most files hold nothing else, and a thousand of them are to be read in no time.
    if tensors.iter().all(|tensor| Role::is_of_plain_product(&tensor.name) && !is_plain(&tensor.name)) {
        return (sum(&mut tensors.iter().filter(|tensor| !tensor.name.ends_with(ALPHA))), 0);
    }
    let shapes = tensors.iter().map(|tensor| (tensor.name.clone(), tensor.shape.clone())).collect();
    match modules(path, &shapes) {
        Ok((modules, _)) => {
            let info = AdapterInfo::of(&modules);
            (info.n_live as u64, info.n_own as u64)
        }
        // Loading it will say what is wrong.
        Err(_) => (sum(&mut tensors.iter()), 0),
    }
}

fn kind_of(delta: &Delta) -> AdapterKind {
    match delta {
        Delta::Product(_) if delta.is_spatial() => AdapterKind::Locon,
        Delta::Product(_) => AdapterKind::Lora,
        Delta::Hadamard(..) => AdapterKind::Loha,
        Delta::Kronecker(..) => AdapterKind::Lokr,
        Delta::Full(_) => AdapterKind::Full,
    }
}

/// Numbers per token of Lumina 2, whose modules have the names of Z-Image's.
const LUMINA_WIDTH: usize = 2304;
/// How modules are called that take in a token of a layer.
const TAKE_TOKENS: [&str; 6] = ["attention_qkv", "attention.qkv", "attention_to_q", "attention.to_q", "feed_forward_w1", "feed_forward.w1"];
/// Tensors with a column for each number that their module takes in.
const OF_COLUMNS: [&str; 4] = ["lora_A.weight", "lora_down.weight", "hada_w1_b", "diff"];

/// Whether a tensor is of a module of Lumina 2, as far as shapes tell.
pub(crate) fn is_as_wide_as_lumina(name: &str, shape: &[usize]) -> bool {
    let is_one = || TAKE_TOKENS.iter().any(|module| name.contains(module)) && OF_COLUMNS.iter().any(|end| name.ends_with(end));
    shape.get(1) == Some(&LUMINA_WIDTH) && is_one()
}

/// The width of the text that a U-Net's cross-attention reads tells its family; text encoders tell less.
fn family(modules: &HashMap<String, Module>) -> Option<Family> {
    let has = |words: &[&str]| modules.keys().any(|stem| words.iter().any(|word| stem.contains(word)));
    if has(&["double_blocks", "single_blocks", "single_transformer_blocks", "joint_blocks", "lora_transformer_"]) {
        return Some(Family::Transformer);
    }
    let columns = |ends: &[&str]| {
        let mut sizes = modules.values().filter(|module| ends.iter().any(|end| module.stem.ends_with(end)));
        sizes.find_map(|module| Some(module.delta.as_ref()?.size().1))
    };
    if modules.keys().any(|stem| Place::of(stem).is_in_layer_of_z_image()) {
        return Some(if columns(&TAKE_TOKENS) == Some(LUMINA_WIDTH) { Family::Transformer } else { Family::ZImage });
    }
    if modules.keys().any(|stem| stem.starts_with("transformer.")) {
        return Some(Family::Transformer);
    }
    match columns(&["attn2_to_k", "attn2_to_v", "attn2.to_k", "attn2.to_v", "attn2.processor.to_k", "attn2.processor.to_v"]) {
        Some(768) => return Some(Family::StableDiffusion1),
        Some(1024) => return Some(Family::StableDiffusion2),
        Some(2048) => return Some(Family::StableDiffusionXl),
        Some(1280) => return Some(Family::StableDiffusionXlRefiner),
        _ => {}
    }
    let changes = |part| modules.keys().any(|stem| Place::of(stem).part() == Some(part));
    if changes(Part::TextEncoder2) {
        return Some(Family::StableDiffusionXl);
    }
    let width = columns(&["self_attn_q_proj", "self_attn.q_proj", "self_attn.to_q"]).filter(|_| changes(Part::TextEncoder));
    (width == Some(1024)).then_some(Family::StableDiffusion2)
}
