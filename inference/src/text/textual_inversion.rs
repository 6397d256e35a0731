//! Learned words (textual inversion, Gal et al. 2022) in safetensors files.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use candle_core::{DType, Device, Tensor};

use crate::{
    checkpoint::{Header, regular},
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
        // Checked here, because its messages say what is wrong.
        Header::read(path)?;
        let bytes = regular::read(path, MAX_BYTES)?;
        let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu);
        let mut tensors = tensors.map_err(|_| unreadable("it is not a safetensors file".to_owned()))?;
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().trim().to_owned()).unwrap_or_default();
        let mut names = vec![stem];
        let mut take = |name: &str| vectors(&mut tensors, name).map_err(&unreadable);
        let vectors = if let (Some(first), Some(second)) = (take("clip_l")?, take("clip_g")?) {
            Vectors::Both(first, second)
        } else if let Some(vectors) = take("emb_params")? {
            Vectors::Only("emb_params".to_owned(), vectors)
        } else if let (Some(word), 1) = (tensors.keys().next().cloned(), tensors.len()) {
            names.insert(0, word.trim().to_owned());
            let vectors = self::vectors(&mut tensors, &word).map_err(unreadable)?;
            Vectors::Only(word, vectors.ok_or_else(|| InferenceError::Missing { path: path.to_owned() })?)
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

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Takes tensor `name` as `[n, width]` in float32.
fn vectors(tensors: &mut HashMap<String, Tensor>, name: &str) -> Result<Option<Tensor>, String> {
    let Some(tensor) = tensors.remove(name) else { return Ok(None) };
    let is_float = matches!(tensor.dtype(), DType::F16 | DType::BF16 | DType::F32 | DType::F64);
    let shape = match *tensor.dims() {
        [width] => (1, width),
        [n, width] => (n, width),
        _ => (0, 0),
    };
    if !is_float || shape.0 == 0 || shape.1 == 0 {
        return Err(format!("`{name}` is {:?} of {:?}, not vectors", tensor.dims(), tensor.dtype()));
    }
    let rows = tensor.to_dtype(DType::F32).and_then(|tensor| tensor.reshape(shape)).map_err(|source| source.to_string())?;
    let values: Vec<f32> = rows.flatten_all().and_then(|rows| rows.to_vec1()).map_err(|source| source.to_string())?;
    if values.iter().all(|value| value.is_finite()) {
        Ok(Some(rows))
    } else {
        Err(format!("`{name}` holds a value that is not a finite number"))
    }
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
