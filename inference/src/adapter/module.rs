//! What an adapter's file holds for one module of a network.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap, hash_map},
    path::Path,
    sync::{OnceLock, atomic::AtomicBool},
};

use super::{AdapterError, delta::Delta, header::Header, methods::method};
use crate::checkpoint::Part;

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
    /// The network that it belongs to, once that is known of a name that does not tell.
    pub(super) owner: OnceLock<Part>,
    /// A weight that it did not fit: the change's shape and the weight's.
    pub(super) misfit: OnceLock<(Vec<usize>, Vec<usize>)>,
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

/// The modules of a file, and the names of tensors that belong to none.
///
/// # Errors
/// Tensors of a module are missing or do not fit each other, or the file has no module.
pub(super) fn modules(path: &Path, header: &Header) -> Result<(HashMap<String, Module>, Vec<String>), AdapterError> {
    let mut found: BTreeMap<String, Roles> = BTreeMap::new();
    let mut unknown = Vec::new();
    for (name, shape) in &header.shapes {
        let plain = without_adapter_name(name);
        let end = ENDS.iter().find_map(|(end, role)| Some((plain.strip_suffix(end)?, *role)));
        let place = end.filter(|(stem, _)| !stem.is_empty()).map(|(stem, role)| found.entry(stem.to_owned()).or_default().0.entry(role));
        match place {
            Some(hash_map::Entry::Vacant(place)) => {
                place.insert(Entry { name: name.clone(), shape: shape.clone() });
            }
            _ => unknown.push(name.clone()),
        }
    }
    let mut modules = HashMap::new();
    for (stem, roles) in found {
        if let Some(module) = Module::new(path, &stem, roles)? {
            modules.insert(stem, module);
        } else {
            unknown.push(stem);
        }
    }
    if modules.is_empty() {
        let path = path.to_owned();
        let tensors = header.shapes.iter().map(|(name, shape)| (name.as_str(), shape.as_slice()));
        return Err(match method(tensors).filter(|method| !method.is_read) {
            Some(method) => AdapterError::Unsupported { path, what: method.what },
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
        let (owner, misfit) = (OnceLock::new(), OnceLock::new());
        Ok(Some(Self { stem: stem.to_owned(), delta, bias, alpha, magnitude, is_weight_used, is_bias_used, owner, misfit }))
    }

    /// Whether a module whose name may mean several networks belongs to this one: to the first with a weight or bias of its size.
    pub(super) fn belongs_to(&self, part: Part, kind: &str, shape: &[usize], n_parts: usize) -> bool {
        if let Some(owner) = self.owner.get() {
            return *owner == part;
        }
        let n_values = shape.iter().product::<usize>().saturating_mul(n_parts);
        let change = match (kind, &self.delta, &self.bias) {
            ("weight", Some(delta), _) => {
                let (rows, columns) = delta.size();
                vec![rows, columns]
            }
            ("bias", _, Some(Bias::Difference(entry) | Bias::OfProduct(entry))) => entry.shape.clone(),
            _ => return false,
        };
        let n_rows = if kind == "weight" { shape.first().copied().unwrap_or(1) } else { n_values / n_parts };
        let is_fitting = match change[..] {
            [rows, columns] if kind == "weight" => rows == n_rows * n_parts && rows.saturating_mul(columns) == n_values,
            _ => change.iter().product::<usize>() == n_values,
        };
        if is_fitting {
            // Another thread would have decided the same.
            return *self.owner.get_or_init(|| part) == part;
        }
        self.misfit.get_or_init(|| (change, shape.to_vec()));
        false
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
