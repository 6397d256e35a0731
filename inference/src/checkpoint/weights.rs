//! Weights in memory-mapped safetensors files, read one tensor at a time.

use std::{
    collections::HashMap,
    fs::File,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use candle_core::{DType, Device, Tensor};
use memmap2::Mmap;
use safetensors::{SafeTensorError, SafeTensors};

use crate::error::InferenceError;

/// The weights below one name, such as `down_blocks.0`; cheap to clone.
#[derive(Clone)]
pub struct Weights {
    files: Arc<Files>,
    prefix: String,
    device: Device,
    dtype: DType,
}

struct Files {
    maps: Vec<(PathBuf, Mmap)>,
    tensors: HashMap<String, Entry>,
    n_parameters: AtomicU64,
}

struct Entry {
    file: usize,
    dtype: safetensors::Dtype,
    shape: Vec<usize>,
    range: std::ops::Range<usize>,
}

impl Weights {
    /// Opens the files of one network; tensors are converted to `dtype` on `device` as they are read.
    ///
    /// # Errors
    /// `Missing` or `Unreadable`, naming the file.
    pub fn open(paths: &[PathBuf], device: &Device, dtype: DType) -> Result<Self, InferenceError> {
        let mut files = Files { maps: Vec::new(), tensors: HashMap::new(), n_parameters: AtomicU64::new(0) };
        for (file, path) in paths.iter().enumerate() {
            let map = map(path)?;
            let start = map.as_ptr() as usize;
            let tensors = SafeTensors::deserialize(&map).map_err(|source| unreadable(path, explain(&source)))?;
            for (name, view) in tensors.iter() {
                let offset = view.data().as_ptr() as usize - start;
                let range = offset..offset + view.data().len();
                files.tensors.insert(name.to_owned(), Entry { file, dtype: view.dtype(), shape: view.shape().to_vec(), range });
            }
            drop(tensors);
            files.maps.push((path.clone(), map));
        }
        Ok(Self { files: Arc::new(files), prefix: String::new(), device: device.clone(), dtype })
    }

    /// The weights below `name`.
    pub fn at(&self, name: impl std::fmt::Display) -> Self {
        Self { prefix: self.full_name(&name.to_string()), ..self.clone() }
    }

    /// Whether there is a tensor `name`.
    pub fn has(&self, name: &str) -> bool {
        self.files.tensors.contains_key(&self.full_name(name))
    }

    /// The shape of tensor `name`.
    ///
    /// # Errors
    /// `MissingTensor`.
    pub fn shape(&self, name: &str) -> Result<&[usize], InferenceError> {
        Ok(&self.entry(name)?.shape)
    }

    /// Reads tensor `name`, which must have this shape and only finite numbers.
    ///
    /// # Errors
    /// `MissingTensor`, `WrongShape` or `Unreadable`, naming file and tensor.
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Result<Tensor, InferenceError> {
        let entry = self.entry(name)?;
        let (path, map) = &self.files.maps[entry.file];
        let tensor = self.full_name(name);
        if entry.shape != shape {
            return Err(InferenceError::WrongShape { path: path.clone(), tensor, found: entry.shape.clone(), expected: shape.to_vec() });
        }
        let is_float =
            matches!(entry.dtype, safetensors::Dtype::F16 | safetensors::Dtype::BF16 | safetensors::Dtype::F32 | safetensors::Dtype::F64);
        let Some(dtype) = DType::try_from(entry.dtype).ok().filter(|_| is_float) else {
            return Err(unreadable(path, format!("`{tensor}` has type {:?}; only f16, bf16, f32 and f64 are read", entry.dtype)));
        };
        let values = Tensor::from_raw_buffer(&map[entry.range.clone()], dtype, shape, &Device::Cpu)?.to_dtype(DType::F32)?;
        #[cfg(unix)]
        forget(map, &entry.range);
        if !is_finite(&values)? {
            return Err(unreadable(path, format!("`{tensor}` holds a value that is not a finite number")));
        }
        self.files.n_parameters.fetch_add(values.elem_count() as u64, Ordering::Relaxed);
        Ok(values.to_dtype(self.dtype)?.to_device(&self.device)?)
    }

    /// Numbers in all tensors read so far.
    pub fn n_parameters(&self) -> u64 {
        self.files.n_parameters.load(Ordering::Relaxed)
    }

    /// The file, or the first of several.
    pub fn path(&self) -> &Path {
        self.files.maps.first().map_or(Path::new(""), |(path, _)| path.as_path())
    }

    fn entry(&self, name: &str) -> Result<&Entry, InferenceError> {
        let tensor = self.full_name(name);
        match self.files.tensors.get(&tensor) {
            Some(entry) => Ok(entry),
            None => Err(InferenceError::MissingTensor { path: self.path().to_owned(), tensor }),
        }
    }

    fn full_name(&self, name: &str) -> String {
        if self.prefix.is_empty() { name.to_owned() } else { format!("{}.{name}", self.prefix) }
    }
}

fn map(path: &Path) -> Result<Mmap, InferenceError> {
    let file = File::open(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => InferenceError::Missing { path: path.to_owned() },
        _ => unreadable(path, source.to_string()),
    })?;
    if file.metadata().map_err(|source| unreadable(path, source.to_string()))?.len() == 0 {
        return Err(unreadable(path, "the file is empty".to_owned()));
    }
    // SAFETY: the map is only read, and nobody changes a model's files while they are being loaded; that is the operator's to keep.
    #[expect(unsafe_code, reason = "gigabytes of weights should not be copied into memory before they are converted")]
    let map = unsafe { Mmap::map(&file) };
    map.map_err(|source| unreadable(path, source.to_string()))
}

/// Gives the pages of what has been read back; else a model would stand in memory twice while it is loaded.
#[cfg(unix)]
fn forget(map: &Mmap, range: &std::ops::Range<usize>) {
    // SAFETY: the map is a file's and only read, so a page that is needed again comes from the file.
    #[expect(unsafe_code, reason = "the only way to tell the system")]
    let _ = unsafe { map.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, range.start, range.len()) }; // Only memory is at stake.
}

fn explain(source: &SafeTensorError) -> String {
    match source {
        SafeTensorError::MetadataIncompleteBuffer => "its length is not what its header says; it is cut off, download it again".to_owned(),
        _ => "it is not a safetensors file".to_owned(),
    }
}

fn unreadable(path: &Path, reason: String) -> InferenceError {
    InferenceError::Unreadable { path: path.to_owned(), reason }
}

/// Whether all numbers of a float32 tensor in main memory are finite.
fn is_finite(values: &Tensor) -> candle_core::Result<bool> {
    // A finite number times zero is zero; anything else becomes not-a-number and stays it in the sum.
    Ok(values.flatten_all()?.to_vec1::<f32>()?.iter().map(|value| value * 0.0).sum::<f32>() == 0.0)
}
