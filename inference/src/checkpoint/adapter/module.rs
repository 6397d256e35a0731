//! What an adapter's file holds for one module of a network.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    sync::atomic::AtomicBool,
};

use super::{AdapterError, delta::Delta, header::Header};

/// A tensor of the file.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
}

/// What an adapter's file holds for one module of a network.
pub(super) struct Module {
    /// The module, as the file names it.
    pub(super) stem: String,
    /// The change of its weight.
    pub(super) delta: Option<Delta>,
    /// The change of its bias.
    pub(super) bias: Option<Bias>,
    /// The strength that the change was trained with, times its rank.
    pub(super) alpha: Option<Entry>,
    /// The length that the changed weight's rows or columns shall have (DoRA).
    pub(super) magnitude: Option<Magnitude>,
    /// Whether a network's weight was changed.
    pub(super) is_weight_used: AtomicBool,
    /// Whether a network's bias was changed.
    pub(super) is_bias_used: AtomicBool,
}

/// The change of a bias.
pub(super) enum Bias {
    /// Added as it is (`diff_b`).
    Difference(Entry),
    /// The bias of LoRA's second matrix, which alpha scales as well.
    OfProduct(Entry),
}

/// Lengths of a changed weight's rows or columns.
pub(super) enum Magnitude {
    /// As LyCORIS and kohya write it (`dora_scale`).
    Lycoris(Entry),
    /// As PEFT writes it (`lora_magnitude_vector`).
    Peft(Entry),
}

/// What a tensor is to its module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Role {
    Down,
    Up,
    Mid,
    UpBias,
    Alpha,
    DoraScale,
    MagnitudeVector,
    Difference,
    BiasDifference,
    HadaW1A,
    HadaW1B,
    HadaW2A,
    HadaW2B,
    HadaT1,
    HadaT2,
    LokrW1,
    LokrW1A,
    LokrW1B,
    LokrW2,
    LokrW2A,
    LokrW2B,
    LokrT2,
}

/// The ends of tensors' names: kohya and LyCORIS; PEFT; diffusers before PEFT.
const ENDS: [(&str, Role); 36] = [
    (".lora_down.weight", Role::Down),
    (".lora_up.weight", Role::Up),
    (".lora_mid.weight", Role::Mid),
    (".alpha", Role::Alpha),
    (".dora_scale", Role::DoraScale),
    (".diff", Role::Difference),
    (".diff_b", Role::BiasDifference),
    (".w_norm", Role::Difference),
    (".b_norm", Role::BiasDifference),
    (".hada_w1_a", Role::HadaW1A),
    (".hada_w1_b", Role::HadaW1B),
    (".hada_w2_a", Role::HadaW2A),
    (".hada_w2_b", Role::HadaW2B),
    (".hada_t1", Role::HadaT1),
    (".hada_t2", Role::HadaT2),
    (".lokr_w1", Role::LokrW1),
    (".lokr_w1_a", Role::LokrW1A),
    (".lokr_w1_b", Role::LokrW1B),
    (".lokr_w2", Role::LokrW2),
    (".lokr_w2_a", Role::LokrW2A),
    (".lokr_w2_b", Role::LokrW2B),
    (".lokr_t2", Role::LokrT2),
    (".lora_A.weight", Role::Down),
    (".lora_B.weight", Role::Up),
    (".lora_B.bias", Role::UpBias),
    (".lora_A.default.weight", Role::Down),
    (".lora_B.default.weight", Role::Up),
    (".lora_magnitude_vector", Role::MagnitudeVector),
    (".lora_magnitude_vector.weight", Role::MagnitudeVector),
    (".lora_magnitude_vector.default.weight", Role::MagnitudeVector),
    (".lora.down.weight", Role::Down),
    (".lora.up.weight", Role::Up),
    ("_lora.down.weight", Role::Down),
    ("_lora.up.weight", Role::Up),
    (".lora_linear_layer.down.weight", Role::Down),
    (".lora_linear_layer.up.weight", Role::Up),
];

/// Parts of tensors' names that tell kinds of adapters which are not read.
const UNSUPPORTED: [(&str, &str); 6] = [
    (".oft_", "an OFT adapter"),
    (".boft_", "a BOFT adapter"),
    (".on_input", "an (IA)³ adapter"),
    (".ia3_", "an (IA)³ adapter"),
    (".a1.weight", "a GLoRA adapter"),
    (".lora_embedding_", "a LoRA of word embeddings"),
];

/// The modules of a file, and the names of tensors that belong to none.
///
/// # Errors
/// Tensors of a module are missing or do not fit each other, or the file has no module.
pub(super) fn modules(path: &Path, header: &Header) -> Result<(HashMap<String, Module>, Vec<String>), AdapterError> {
    let mut found: BTreeMap<&str, Roles> = BTreeMap::new();
    let mut unknown = Vec::new();
    for (name, shape) in &header.shapes {
        let end = ENDS.iter().find_map(|(end, role)| Some((name.strip_suffix(end)?, *role)));
        match end.filter(|(stem, _)| !stem.is_empty()) {
            Some((stem, role)) => {
                found.entry(stem).or_default().0.insert(role, Entry { name: name.clone(), shape: shape.clone() });
            }
            None => unknown.push(name.clone()),
        }
    }
    let mut modules = HashMap::new();
    for (stem, roles) in found {
        if let Some(module) = Module::new(path, stem, roles)? {
            modules.insert(stem.to_owned(), module);
        } else {
            unknown.push(stem.to_owned());
        }
    }
    if modules.is_empty() {
        let path = path.to_owned();
        let kind = |name: &String| UNSUPPORTED.iter().find_map(|(part, what)| name.contains(part).then_some(*what));
        return Err(match unknown.iter().find_map(kind) {
            Some(what) => AdapterError::Unsupported { path, what },
            None => AdapterError::NotAnAdapter { path, n_tensors: header.shapes.len() },
        });
    }
    Ok((modules, unknown))
}

impl Module {
    /// `None` where there is nothing but an alpha.
    fn new(path: &Path, stem: &str, mut roles: Roles) -> Result<Option<Self>, AdapterError> {
        let alpha = roles.take(Role::Alpha);
        let magnitude = match roles.take(Role::DoraScale) {
            Some(entry) => Some(Magnitude::Lycoris(entry)),
            None => roles.take(Role::MagnitudeVector).map(Magnitude::Peft),
        };
        let bias = match roles.take(Role::BiasDifference) {
            Some(entry) => Some(Bias::Difference(entry)),
            None => roles.take(Role::UpBias).map(Bias::OfProduct),
        };
        let delta = Delta::new(path, stem, &mut roles)?;
        if delta.is_none() && bias.is_none() {
            return Ok(None);
        }
        let (is_weight_used, is_bias_used) = (AtomicBool::new(false), AtomicBool::new(false));
        Ok(Some(Self { stem: stem.to_owned(), delta, bias, alpha, magnitude, is_weight_used, is_bias_used }))
    }
}

/// The tensors of a module by what they are to it.
#[derive(Default)]
pub(super) struct Roles(HashMap<Role, Entry>);

impl Roles {
    pub(super) fn take(&mut self, role: Role) -> Option<Entry> {
        self.0.remove(&role)
    }

    /// Takes two tensors of which neither makes sense without the other.
    pub(super) fn pair(&mut self, path: &Path, module: &str, roles: [Role; 2]) -> Result<Option<(Entry, Entry)>, AdapterError> {
        let incomplete = |found: Entry, missing| {
            let found = found.name[module.len()..].trim_start_matches(['.', '_']).to_owned();
            AdapterError::Incomplete { path: path.to_owned(), module: module.to_owned(), found, missing }
        };
        match roles.map(|role| self.take(role)) {
            [Some(first), Some(second)] => Ok(Some((first, second))),
            [None, None] => Ok(None),
            [Some(found), None] => Err(incomplete(found, roles[1].partner())),
            [None, Some(found)] => Err(incomplete(found, roles[0].partner())),
        }
    }
}

impl Role {
    /// What a message calls a tensor that is missing.
    fn partner(self) -> &'static str {
        match self {
            Self::Down => "lora_down (lora_A)",
            Self::Up => "lora_up (lora_B)",
            role => ENDS.iter().find(|(_, other)| *other == role).map_or("", |(end, _)| end.trim_start_matches('.')),
        }
    }
}
