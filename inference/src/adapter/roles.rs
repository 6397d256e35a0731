//! What the tensors of an adapter's file are to their modules, told by their names.

use std::{
    borrow::Cow,
    collections::{HashMap, hash_map},
    path::Path,
};

use super::AdapterError;

/// A tensor of the file.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
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
const ENDS: [(&str, Role); 37] = [
    (".lora_down.weight", Role::Down),
    (".lora_up.weight", Role::Up),
    (".lora_mid.weight", Role::Mid),
    (".lora.alpha", Role::Alpha),
    ("_lora.alpha", Role::Alpha),
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
    (".lora_A", Role::Down),
    (".lora_B", Role::Up),
    (".lora_B.bias", Role::UpBias),
    (".lora_magnitude_vector", Role::MagnitudeVector),
    (".lora_magnitude_vector.weight", Role::MagnitudeVector),
    (".lora.down.weight", Role::Down),
    (".lora.up.weight", Role::Up),
    ("_lora.down.weight", Role::Down),
    ("_lora.up.weight", Role::Up),
    (".lora_linear_layer.down.weight", Role::Down),
    (".lora_linear_layer.up.weight", Role::Up),
];

/// Tensors of PEFT behind which an adapter's name may stand (`….lora_A.default.weight`).
const NAMED: [&str; 3] = [".lora_A.", ".lora_B.", ".lora_magnitude_vector."];

/// The same name without an adapter's name in it.
fn without_adapter_name(name: &str) -> Cow<'_, str> {
    for part in NAMED {
        if let Some((stem, rest)) = name.rsplit_once(part)
            && let Some((_, kind)) = rest.split_once('.').filter(|(word, kind)| !word.is_empty() && matches!(*kind, "weight" | "bias"))
        {
            return Cow::Owned(format!("{stem}{part}{kind}"));
        }
    }
    Cow::Borrowed(name)
}

/// The tensors of a module by what they are to it.
#[derive(Default)]
pub(super) struct Roles(HashMap<Role, Entry>);

impl Roles {
    /// Whether the tensor is the first of its role, and so the module's.
    pub(super) fn put(&mut self, role: Role, entry: Entry) -> bool {
        match self.0.entry(role) {
            hash_map::Entry::Vacant(place) => {
                place.insert(entry);
                true
            }
            hash_map::Entry::Occupied(_) => false,
        }
    }

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
    /// The module and the role that a tensor's name tells.
    pub(super) fn of(name: &str) -> Option<(String, Self)> {
        let plain = without_adapter_name(name);
        let (stem, role) = ENDS.iter().find_map(|(end, role)| Some((plain.strip_suffix(end)?, *role)))?;
        (!stem.is_empty()).then(|| (stem.to_owned(), role))
    }

    /// Whether a tensor of this name belongs to a product of two matrices, and to nothing more.
    pub(super) fn is_of_plain_product(name: &str) -> bool {
        [".lora_down.weight", ".lora_up.weight", ".alpha", ".lora_A.weight", ".lora_B.weight"].iter().any(|end| name.ends_with(end))
    }

    /// What a message calls a tensor that is missing.
    fn partner(self) -> &'static str {
        match self {
            Self::Down => "lora_down (lora_A)",
            Self::Up => "lora_up (lora_B)",
            role => ENDS.iter().find(|(_, other)| *other == role).map_or("", |(end, _)| end.trim_start_matches('.')),
        }
    }
}
