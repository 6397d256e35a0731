//! A state as bytes: a fixed head, then a safetensors file whose metadata has what is no tensor.
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `atlstate` |
//! | 4 | the format's version, little-endian |
//! | 32 | SHA-256 of all that follows |
//! | the rest | safetensors: `latents`, `generator`, `history.0` …; in the metadata `state`, as JSON |

use std::collections::HashMap;

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{BelongsTo, PassKind, SavedTensor, StateError, TrajectoryState};
use crate::{noise::GeneratorState, task::Seed};

const MAGIC: &[u8; 8] = b"atlstate";
/// Version of the format, raised with every change of it.
const FORMAT: u32 = 1;
/// Magic, version and digest.
const HEAD: usize = 8 + 4 + 32;
/// More than any state has: six times the latents of a picture of 4096×4096 pixels with 16 channels.
const MAX_BYTES: usize = 128 << 20;
/// More than any sampler remembers.
const MAX_HISTORY: usize = 16;
/// Where the metadata has what is no tensor.
const KEY: &str = "state";

/// What is no tensor.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rest {
    index: u32,
    seed: Seed,
    pass: PassKind,
    step: u32,
    n_history: usize,
    position: u32,
    /// Bits of a half pair of normals.
    cached: Option<u64>,
    belongs_to: BelongsTo,
}

impl TrajectoryState {
    /// The state as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let rest = Rest {
            index: self.index,
            seed: self.seed,
            pass: self.pass,
            step: self.step,
            n_history: self.history.len(),
            position: self.generator.position,
            cached: self.generator.cached.map(f64::to_bits),
            belongs_to: self.belongs_to.clone(),
        };
        let rest = serde_json::to_string(&rest).expect("words and whole numbers are JSON");
        let bytes = |tensor: &SavedTensor| tensor.values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        let words: Vec<u8> = self.generator.words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let mut tensors = vec![("generator".to_owned(), Dtype::U32, vec![self.generator.words.len()], words)];
        tensors.push(("latents".to_owned(), Dtype::F32, self.latents.shape.clone(), bytes(&self.latents)));
        let history = self.history.iter().enumerate();
        tensors.extend(history.map(|(i, tensor)| (format!("history.{i}"), Dtype::F32, tensor.shape.clone(), bytes(tensor))));
        let views = tensors.iter().map(|(name, dtype, shape, bytes)| {
            (name.as_str(), TensorView::new(*dtype, shape.clone(), bytes).expect("as many numbers as the shape says"))
        });
        let metadata = HashMap::from([(KEY.to_owned(), rest)]);
        let body = safetensors::serialize(views, Some(metadata)).expect("a header of a few names");
        let digest = Sha256::digest(&body);
        [MAGIC.as_slice(), &FORMAT.to_le_bytes(), &digest, &body].concat()
    }

    /// Reads a state.
    ///
    /// # Errors
    /// [`StateError::TooLarge`], [`StateError::Format`] or [`StateError::Damaged`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StateError> {
        if bytes.len() > MAX_BYTES {
            return Err(StateError::TooLarge { found: bytes.len(), max: MAX_BYTES });
        }
        let head = bytes.first_chunk::<HEAD>().filter(|head| head.starts_with(MAGIC)).ok_or(damaged("it does not begin as one"))?;
        let format = u32::from_le_bytes([head[8], head[9], head[10], head[11]]);
        if format != FORMAT {
            return Err(StateError::Format { found: format, here: FORMAT });
        }
        let body = &bytes[HEAD..];
        if Sha256::digest(body).as_slice() != &head[12..] {
            return Err(damaged("its digest is another one"));
        }
        let (_, metadata) = SafeTensors::read_metadata(body).map_err(|_| damaged("its header cannot be read"))?;
        let tensors = SafeTensors::deserialize(body).map_err(|_| damaged("its tensors cannot be read"))?;
        let rest = metadata.metadata().as_ref().and_then(|metadata| metadata.get(KEY)).and_then(|json| serde_json::from_str(json).ok());
        let Some(Rest { index, seed, pass, step, n_history, position, cached, belongs_to }) = rest else {
            return Err(damaged("its description cannot be read"));
        };
        if n_history > MAX_HISTORY || tensors.len() != 2 + n_history {
            return Err(damaged("it has another number of tensors"));
        }
        let latents = floats(&tensors, "latents")?;
        let history = (0..n_history).map(|i| floats(&tensors, &format!("history.{i}"))).collect::<Result<Vec<_>, _>>()?;
        if latents.shape.len() != 4 || history.iter().any(|tensor| tensor.shape != latents.shape) {
            return Err(damaged("its tensors have other shapes"));
        }
        let generator = GeneratorState { words: words(&tensors)?, position, cached: cached.map(f64::from_bits) };
        if !generator.is_valid() {
            return Err(damaged("its generator cannot be"));
        }
        Ok(Self { index, seed, pass, step, latents, history, generator, belongs_to })
    }
}

fn damaged(what: &'static str) -> StateError {
    StateError::Damaged { what }
}

fn view<'a>(tensors: &SafeTensors<'a>, name: &str, dtype: Dtype) -> Result<TensorView<'a>, StateError> {
    let found = tensors.tensor(name).ok().filter(|tensor| tensor.dtype() == dtype);
    found.ok_or(damaged("it lacks a tensor"))
}

fn floats(tensors: &SafeTensors<'_>, name: &str) -> Result<SavedTensor, StateError> {
    let tensor = view(tensors, name, Dtype::F32)?;
    let values = tensor.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    Ok(SavedTensor { shape: tensor.shape().to_vec(), values })
}

fn words(tensors: &SafeTensors<'_>) -> Result<Vec<u32>, StateError> {
    Ok(view(tensors, "generator", Dtype::U32)?.data().as_chunks().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect())
}
