//! The kinds of changes: how a weight's difference is made of the small tensors of a file.
//!
//! Sources: LoRA (Hu et al. 2021, section 4.1); LyCORIS (Yeh et al. 2023, section 3) and its `functional/` at 4.1.3: LoCon with a core (`lora_mid`),
//! LoHa, LoKr. A difference is a matrix here: the weight's first axis are its rows, all others its columns.

use std::path::Path;

use candle_core::Tensor;

use super::{
    AdapterError,
    roles::{Entry, Role, Roles},
};
use crate::error::InferenceError;

/// A difference of a weight, as a file holds it.
pub(super) enum Delta {
    /// LoRA and LoCon: the product of two matrices.
    Product(Pair),
    /// LoHa: two products, multiplied number by number.
    Hadamard(Pair, Pair),
    /// LoKr: the Kronecker product of two matrices, each whole or a product.
    Kronecker(Factor, Factor),
    /// The difference itself.
    Full(Entry),
}

/// A matrix of low rank.
pub(super) struct Pair {
    /// `[rows, rank]`; in LoHa and LoKr with a core `[rank, rows]`.
    pub(super) rows: Entry,
    /// `[rank, columns]`.
    pub(super) columns: Entry,
    /// `[rank, rank, height, width]` between the two (a Tucker decomposition).
    pub(super) core: Option<Entry>,
    /// Whether `rows` is `[rank, rows]`.
    is_transposed: bool,
}

/// A factor of a Kronecker product.
pub(super) enum Factor {
    /// As it is.
    Whole(Entry),
    /// Of low rank.
    Pair(Pair),
}

/// Reads a tensor of the file.
pub(super) type Read<'a> = &'a dyn Fn(&Entry) -> Result<Tensor, InferenceError>;

impl Delta {
    pub(super) fn new(path: &Path, module: &str, roles: &mut Roles) -> Result<Option<Self>, AdapterError> {
        let incomplete = |found: &str, missing| {
            let (path, module) = (path.to_owned(), module.to_owned());
            AdapterError::Incomplete { path, module, found: found.to_owned(), missing }
        };
        if let Some((columns, rows)) = roles.pair(path, module, [Role::Down, Role::Up])? {
            let pair = Pair { rows, columns, core: roles.take(Role::Mid), is_transposed: false };
            return pair.checked(path, module).map(|pair| Some(Self::Product(pair)));
        }
        let first = roles.pair(path, module, [Role::HadaW1A, Role::HadaW1B])?;
        let second = roles.pair(path, module, [Role::HadaW2A, Role::HadaW2B])?;
        let cores = roles.pair(path, module, [Role::HadaT1, Role::HadaT2])?;
        let (core1, core2) = cores.unzip();
        match (first, second) {
            (Some(first), Some(second)) => {
                let (first, second) = (Pair::lycoris(first, core1), Pair::lycoris(second, core2));
                let (first, second) = (first.checked(path, module)?, second.checked(path, module)?);
                if first.size() != second.size() {
                    return Err(first.differs(path, module, &first.columns, &second.columns));
                }
                return Ok(Some(Self::Hadamard(first, second)));
            }
            (Some(_), None) => return Err(incomplete("hada_w1_a", "hada_w2_a")),
            (None, Some(_)) => return Err(incomplete("hada_w2_a", "hada_w1_a")),
            (None, None) => {}
        }
        let first = Factor::new(path, module, roles, (Role::LokrW1, [Role::LokrW1A, Role::LokrW1B]), None)?;
        let core = roles.take(Role::LokrT2);
        let second = Factor::new(path, module, roles, (Role::LokrW2, [Role::LokrW2A, Role::LokrW2B]), core)?;
        match (first, second) {
            (Some(first), Some(second)) => Ok(Some(Self::Kronecker(first, second))),
            (Some(_), None) => Err(incomplete("lokr_w1", "lokr_w2")),
            (None, Some(_)) => Err(incomplete("lokr_w2", "lokr_w1")),
            (None, None) => Ok(roles.take(Role::Difference).map(Self::Full)),
        }
    }

    /// The rank by which alpha is divided; `None` where alpha means nothing.
    pub(super) fn rank(&self) -> Option<usize> {
        match self {
            Self::Product(pair) | Self::Hadamard(pair, _) => Some(pair.rank()),
            Self::Kronecker(_, Factor::Pair(pair)) | Self::Kronecker(Factor::Pair(pair), _) => Some(pair.rank()),
            Self::Kronecker(..) | Self::Full(_) => None,
        }
    }

    /// Whether it is a product that is cheap beside the weight, as `Adapter` makes branches of.
    pub(super) fn is_live(&self) -> bool {
        match self {
            // A core is a convolution of its own, between two others.
            Self::Product(Pair { core: Some(core), .. }) => matches!(core.shape[..], [_, _, height, width] if height == width && width > 1),
            Self::Product(_) => true,
            _ => false,
        }
    }

    /// Numbers of a product of two matrices, with the core between them; 0 for other kinds.
    pub(super) fn n_live(&self) -> usize {
        let Self::Product(Pair { rows, columns, core, .. }) = self else { return 0 };
        [Some(rows), Some(columns), core.as_ref()].into_iter().flatten().map(|entry| entry.shape.iter().product::<usize>()).sum()
    }

    /// Rows and columns of the difference.
    pub(super) fn size(&self) -> (usize, usize) {
        match self {
            Self::Product(pair) | Self::Hadamard(pair, _) => pair.size(),
            Self::Kronecker(first, second) => {
                let (first, second) = (first.size(), second.size());
                (first.0.saturating_mul(second.0), first.1.saturating_mul(second.1))
            }
            Self::Full(entry) => flat(&entry.shape),
        }
    }

    /// Whether it is for a convolution with a kernel larger than 1×1.
    pub(super) fn is_spatial(&self) -> bool {
        let wide = |entry: &Entry| entry.shape.len() > 2 && entry.shape[2..].iter().any(|side| *side > 1);
        matches!(self, Self::Product(pair) if wide(&pair.columns) || pair.core.is_some())
    }

    /// Computes the difference `[rows, columns]`, float32.
    pub(super) fn values(&self, read: Read) -> Result<Tensor, InferenceError> {
        match self {
            Self::Product(pair) => pair.values(read),
            Self::Hadamard(first, second) => Ok((first.values(read)? * second.values(read)?)?),
            Self::Kronecker(first, second) => Ok(kronecker(&first.values(read)?, &second.values(read)?)?),
            Self::Full(entry) => Ok(read(entry)?.reshape(flat(&entry.shape))?),
        }
    }
}

impl Pair {
    /// LoHa's and LoKr's pairs: with a core the first matrix lies on its side.
    fn lycoris((rows, columns): (Entry, Entry), core: Option<Entry>) -> Self {
        Self { rows, columns, is_transposed: core.is_some(), core }
    }

    fn checked(self, path: &Path, module: &str) -> Result<Self, AdapterError> {
        let rows = flat(&self.rows.shape);
        let rank = if self.is_transposed { rows.0 } else { rows.1 };
        let differ = |first: &Entry, second: &Entry| Err(self.differs(path, module, first, second));
        match &self.core {
            Some(core) if core.shape.len() < 2 || core.shape[0] != rank => differ(&self.rows, core),
            Some(core) if core.shape[1] != flat(&self.columns.shape).0 => differ(core, &self.columns),
            None if rank != flat(&self.columns.shape).0 => differ(&self.rows, &self.columns),
            _ if self.rank() == 0 => differ(&self.rows, &self.columns),
            _ => Ok(self),
        }
    }

    fn differs(&self, path: &Path, module: &str, first: &Entry, second: &Entry) -> AdapterError {
        let (first, second) = (first.shape.clone(), second.shape.clone());
        AdapterError::Rank { path: path.to_owned(), module: module.to_owned(), first, second }
    }

    fn rank(&self) -> usize {
        flat(&self.columns.shape).0
    }

    fn size(&self) -> (usize, usize) {
        let (rows, columns) = (flat(&self.rows.shape), flat(&self.columns.shape));
        let kernel: usize = self.core.as_ref().map_or(1, |core| core.shape[2..].iter().product());
        (if self.is_transposed { rows.1 } else { rows.0 }, columns.1.saturating_mul(kernel))
    }

    fn values(&self, read: Read) -> Result<Tensor, InferenceError> {
        let matrix = |entry: &Entry| Ok::<_, InferenceError>(read(entry)?.reshape(flat(&entry.shape))?);
        let (rows, columns) = (matrix(&self.rows)?, matrix(&self.columns)?);
        let rows = if self.is_transposed { rows.t()?.contiguous()? } else { rows };
        Ok(match &self.core {
            Some(core) => tucker(&rows, &read(core)?, &columns)?,
            None => rows.matmul(&columns)?,
        })
    }
}

impl Factor {
    fn new(
        path: &Path,
        module: &str,
        roles: &mut Roles,
        (whole, pair): (Role, [Role; 2]),
        core: Option<Entry>,
    ) -> Result<Option<Self>, AdapterError> {
        if let Some(entry) = roles.take(whole) {
            return Ok(Some(Self::Whole(entry)));
        }
        let Some(pair) = roles.pair(path, module, pair)? else { return Ok(None) };
        Ok(Some(Self::Pair(Pair::lycoris(pair, core).checked(path, module)?)))
    }

    fn size(&self) -> (usize, usize) {
        match self {
            Self::Whole(entry) => flat(&entry.shape),
            Self::Pair(pair) => pair.size(),
        }
    }

    fn values(&self, read: Read) -> Result<Tensor, InferenceError> {
        match self {
            Self::Whole(entry) => Ok(read(entry)?.reshape(flat(&entry.shape))?),
            Self::Pair(pair) => pair.values(read),
        }
    }
}

/// Rows and columns of a tensor as a matrix.
pub(super) fn flat(shape: &[usize]) -> (usize, usize) {
    match shape {
        [] => (1, 1),
        [rows, rest @ ..] => (*rows, rest.iter().product()),
    }
}

/// `[o, i · k]`, the sum over p and q of `rows[o, p] · core[p, q, k] · columns[q, i]`; k is the kernel's places, in one axis or two.
fn tucker(rows: &Tensor, core: &Tensor, columns: &Tensor) -> candle_core::Result<Tensor> {
    let (p, q) = (core.dim(0)?, core.dim(1)?);
    let (o, i) = (rows.dim(0)?, columns.dim(1)?);
    let kernel = core.elem_count() / (p * q).max(1);
    let left = rows.matmul(&core.reshape((p, q * kernel))?)?.reshape((o, q, kernel))?;
    let product = left.transpose(1, 2)?.contiguous()?.reshape((o * kernel, q))?.matmul(columns)?;
    product.reshape((o, kernel, i))?.transpose(1, 2)?.contiguous()?.reshape((o, i * kernel))
}

/// `[a · c, b · d]` of `[a, b]` and `[c, d]`. A kernel's places may stand in the second's columns.
fn kronecker(first: &Tensor, second: &Tensor) -> candle_core::Result<Tensor> {
    let ((a, b), (c, d)) = (first.dims2()?, second.dims2()?);
    let product = first.reshape((a, 1, b, 1))?.broadcast_mul(&second.reshape((1, c, 1, d))?)?;
    product.reshape((a * c, b * d))
}
