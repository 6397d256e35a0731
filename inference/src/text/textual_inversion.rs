//! Learned words (textual inversion, Gal et al. 2022) in safetensors files.

use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use safetensors::Dtype;

use crate::{
    checkpoint::{Header, Weights, regular},
    error::InferenceError,
};

/// Far more than any embedding needs: 75 vectors for both encoders of Stable Diffusion XL in float32 are 614 KB.
const MAX_BYTES: u64 = 64 << 20;

/// A learned word: vectors that stand in a prompt where its name is typed.
#[derive(Clone, Debug)]
pub struct Embedding {
    path: PathBuf,
    names: Vec<String>,
    pub(super) vectors: Vectors,
}

/// The vectors `[n, width]` with the tensor's name in the file, float32 on the processor.
#[derive(Clone, Debug)]
pub(super) enum Vectors {
    /// For the only encoder of a model.
    Only(String, Tensor),
    /// For the two encoders of Stable Diffusion XL.
    Both(Tensor, Tensor),
}

impl Embedding {
    /// Reads a file: `emb_params`, the word itself as diffusers writes it, or `clip_l` and `clip_g` for Stable Diffusion XL.
    ///
    /// Its names are the file's without the extension, and the word in the file where there is one.
    ///
    /// # Errors
    /// `Missing` or `Unreadable`, naming the file; pickle files are refused with a way to convert them.
    pub fn load(path: &Path) -> Result<Self, InferenceError> {
        let unreadable = |reason: String| InferenceError::Unreadable { path: path.to_owned(), reason };
        if let Some(reason) = pickle(path) {
            return Err(unreadable(reason));
        }
        let (_, n_bytes) = regular::open(path)?;
        if n_bytes > MAX_BYTES {
            return Err(unreadable(format!("it has {n_bytes} bytes, too many for a learned word")));
        }
        let header = Header::read(path)?;
        let weights = Weights::open(&[path.to_owned()], &Device::Cpu, DType::F32)?;
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().trim().to_owned()).unwrap_or_default();
        let mut names = vec![stem];
        let take = |name: &str| vectors((&header, &weights), name);
        let vectors = if let (Some(first), Some(second)) = (take("clip_l")?, take("clip_g")?) {
            Vectors::Both(first, second)
        } else if let Some(vectors) = take("emb_params")? {
            Vectors::Only("emb_params".to_owned(), vectors)
        } else if let [word] = header.tensors.iter().filter(|tensor| !is_scale(&tensor.name)).collect::<Vec<_>>()[..] {
            names.insert(0, word.name.trim().to_owned());
            Vectors::Only(word.name.clone(), take(&word.name)?.ok_or_else(|| InferenceError::Missing { path: path.to_owned() })?)
        } else {
            let reason = "a learned word's file holds `emb_params`, `clip_l` and `clip_g`, or one tensor with the word's name";
            return Err(unreadable(reason.to_owned()));
        };
        names.retain(|name| !name.is_empty());
        Ok(Self { path: path.to_owned(), names, vectors })
    }

    /// The same vectors under this name alone.
    pub fn named(self, name: &str) -> Self {
        Self { names: vec![name.trim().to_owned()], ..self }
    }

    /// The words that it is typed as, capital or not.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Vectors, which is also the number of tokens that it takes in a prompt.
    pub fn n_vectors(&self) -> usize {
        match &self.vectors {
            Vectors::Only(_, vectors) | Vectors::Both(vectors, _) => vectors.dims()[0],
        }
    }

    /// The vectors' width, one for each text encoder that it was made for.
    pub fn widths(&self) -> Vec<usize> {
        match &self.vectors {
            Vectors::Only(_, vectors) => vec![vectors.dims()[1]],
            Vectors::Both(first, second) => vec![first.dims()[1], second.dims()[1]],
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Whether a tensor of this name says how another one is to be read.
fn is_scale(name: &str) -> bool {
    name.ends_with("_scale") || name == "scaled_fp8"
}

/// Tensor `name` as `[n, width]` in float32.
fn vectors((header, weights): (&Header, &Weights), name: &str) -> Result<Option<Tensor>, InferenceError> {
    let Some(tensor) = header.tensors.iter().find(|tensor| tensor.name == name) else { return Ok(None) };
    let is_float = matches!(tensor.dtype, Dtype::F8_E4M3 | Dtype::F8_E5M2 | Dtype::F16 | Dtype::BF16 | Dtype::F32 | Dtype::F64);
    let shape = match *tensor.shape {
        [width] => (1, width),
        [n, width] => (n, width),
        _ => (0, 0),
    };
    if !is_float || shape.0 == 0 || shape.1 == 0 {
        let reason = format!("`{name}` is {:?} of {:?}, not vectors", tensor.shape, tensor.dtype);
        return Err(InferenceError::Unreadable { path: weights.path().to_owned(), reason });
    }
    Ok(Some(weights.tensor(name, &tensor.shape)?.reshape(shape)?))
}

fn pickle(path: &Path) -> Option<String> {
    let load = match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "pt" => "{\"emb_params\": torch.load(\"FILE\", weights_only=True)[\"string_to_param\"][\"*\"].detach()}",
        "bin" => "torch.load(\"FILE\", weights_only=True)",
        _ => return None,
    };
    Some(format!(
        "pickle files are refused because they can run code; convert it to safetensors, for example with \
         `safetensors.torch.save_file({load}, \"NAME.safetensors\")` in Python"
    ))
}
