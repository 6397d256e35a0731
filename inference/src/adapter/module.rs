//! What an adapter's file holds for one module of a network.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    sync::{OnceLock, atomic::AtomicBool},
};

use super::{
    AdapterError,
    delta::Delta,
    methods::method,
    roles::{Entry, Role, Roles},
};
use crate::checkpoint::Part;

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

/// The modules of a file, and the names of tensors that belong to none.
///
/// # Errors
/// Tensors of a module are missing or do not fit each other, or the file has no module.
pub(super) fn modules(path: &Path, shapes: &BTreeMap<String, Vec<usize>>) -> Result<(HashMap<String, Module>, Vec<String>), AdapterError> {
    let mut found: BTreeMap<String, Roles> = BTreeMap::new();
    let mut unknown = Vec::new();
    for (name, shape) in shapes {
        let entry = Entry { name: name.clone(), shape: shape.clone() };
        let is_known = Role::of(name).is_some_and(|(stem, role)| found.entry(stem).or_default().put(role, entry));
        if !is_known {
            unknown.push(name.clone());
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
        let tensors = shapes.iter().map(|(name, shape)| (name.as_str(), shape.as_slice()));
        return Err(match method(tensors).filter(|method| !method.is_read) {
            Some(method) => AdapterError::Unsupported { path, what: method.what },
            None => AdapterError::NotAnAdapter { path, n_tensors: shapes.len() },
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

    /// Whether the change of its weight is a product of two matrices and nothing else, which stands beside the weight.
    pub(super) fn is_live(&self) -> bool {
        self.magnitude.is_none() && self.delta.as_ref().is_some_and(Delta::is_live) && !is_plain(&self.stem)
    }

    /// Numbers of the weight and the bias that are made anew for it.
    pub(super) fn n_own(&self) -> usize {
        let bias = match &self.bias {
            Some(Bias::Difference(entry) | Bias::OfProduct(entry)) => entry.shape.iter().fold(1, |n: usize, side| n.saturating_mul(*side)),
            None => 0,
        };
        let (rows, columns) = self.delta.as_ref().filter(|_| !self.is_live()).map_or((0, 0), Delta::size);
        rows.saturating_mul(columns).saturating_add(bias)
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

/// Whether a module's name is that of a layer that makes no products: a normalisation, a table of embeddings. All changes of these are made anew.
pub(super) fn is_plain(name: &str) -> bool {
    ["norm", "token_embedding", "position_embedding", "embed_tokens", "cap_embedder.0", "cap_embedder_0"]
        .iter()
        .any(|word| name.contains(word))
}
