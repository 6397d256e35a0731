//! Weights in memory-mapped safetensors files, read one tensor at a time.

use std::{
    collections::HashMap,
    fs::File,
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use candle_core::{DType, Device, Storage, Tensor};
use memmap2::Mmap;
use safetensors::Dtype;

use super::{
    Header, Part, Patch,
    header::{TensorInfo, unreadable},
    names::Change,
};
use crate::error::InferenceError;

/// The weights below one name, such as `down_blocks.0`; cheap to clone.
#[derive(Clone)]
pub struct Weights {
    files: Arc<Files>,
    prefix: String,
    names: Option<Names>,
    n_parameters: Arc<AtomicU64>,
    device: Device,
    dtype: DType,
    patch: Option<(Part, Arc<dyn Patch>)>,
}

/// From the name that is asked for to the file's name.
type Names = Arc<dyn Fn(&str) -> Option<(String, Change)> + Send + Sync>;

struct Files {
    maps: Vec<(PathBuf, Mmap)>,
    tensors: HashMap<String, Entry>,
}

struct Entry {
    file: usize,
    dtype: Dtype,
    shape: Vec<usize>,
    /// The shape after [`Change::Third`].
    third: Vec<usize>,
    /// The shape after [`Change::Transposed`].
    transposed: Vec<usize>,
    range: Range<usize>,
}

impl Entry {
    fn new(file: usize, TensorInfo { dtype, shape, range, .. }: TensorInfo) -> Self {
        let mut third = shape.clone();
        if let Some(rows) = third.first_mut().filter(|rows| rows.is_multiple_of(3)) {
            *rows /= 3;
        }
        let transposed = shape.iter().rev().copied().collect();
        Self { file, dtype, shape, third, transposed, range }
    }

    fn shape(&self, change: Change) -> &[usize] {
        match change {
            Change::Same => &self.shape,
            Change::Third(_) => &self.third,
            Change::Transposed => &self.transposed,
        }
    }

    fn range(&self, change: Change) -> Range<usize> {
        match change {
            Change::Third(i) => {
                let n_bytes = self.range.len() / 3;
                let start = self.range.start + i * n_bytes;
                start..start + n_bytes
            }
            Change::Same | Change::Transposed => self.range.clone(),
        }
    }
}

impl Weights {
    /// Opens the files of one network; tensors are converted to `dtype` on `device` as they are read.
    ///
    /// # Errors
    /// `Missing` or `Unreadable`, naming the file.
    pub fn open(paths: &[PathBuf], device: &Device, dtype: DType) -> Result<Self, InferenceError> {
        let mut files = Files { maps: Vec::new(), tensors: HashMap::new() };
        for (file, path) in paths.iter().enumerate() {
            for tensor in Header::read(path)?.tensors {
                let name = tensor.name.clone();
                if files.tensors.insert(name.clone(), Entry::new(file, tensor)).is_some() {
                    return Err(unreadable(path, format!("`{name}` is in another file of the model too")));
                }
            }
        }
        for path in paths {
            files.maps.push((path.clone(), map(path)?));
        }
        let (prefix, n_parameters) = (String::new(), Arc::default());
        Ok(Self { files: Arc::new(files), prefix, names: None, n_parameters, device: device.clone(), dtype, patch: None })
    }

    /// The same files for another network: other type, other device, and `names` from the names that are asked for to those of the files.
    pub fn renamed(
        &self,
        (device, dtype): (&Device, DType),
        names: impl Fn(&str) -> Option<(String, Change)> + Send + Sync + 'static,
    ) -> Self {
        let n_parameters = Arc::default();
        Self { names: Some(Arc::new(names)), n_parameters, device: device.clone(), dtype, ..self.clone() }
    }

    /// The same weights in another type.
    pub fn of_type(self, dtype: DType) -> Self {
        Self { dtype, ..self }
    }

    /// The type in which they are read.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The same weights, changed by `patch` as they are read.
    pub fn patched(self, part: Part, patch: Arc<dyn Patch>) -> Self {
        Self { patch: Some((part, patch)), ..self }
    }

    /// The weights below `name`.
    pub fn at(&self, name: impl std::fmt::Display) -> Self {
        Self { prefix: self.full_name(&name.to_string()), ..self.clone() }
    }

    /// Whether there is a tensor `name`.
    pub fn has(&self, name: &str) -> bool {
        self.find(&self.full_name(name)).is_some()
    }

    /// The shape of tensor `name`.
    ///
    /// # Errors
    /// `MissingTensor`.
    pub fn shape(&self, name: &str) -> Result<&[usize], InferenceError> {
        let (entry, change) = self.entry(name)?;
        Ok(entry.shape(change))
    }

    /// The names in the files, in no order; those of the files even where the weights are asked for by other names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.files.tensors.keys().map(String::as_str)
    }

    /// Reads tensor `name`, which must have this shape and only finite numbers. A 1×1 convolution counts as a linear layer and the other way round.
    ///
    /// # Errors
    /// `MissingTensor`, `WrongShape` or `Unreadable`, naming file and tensor.
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Result<Tensor, InferenceError> {
        let (entry, change) = self.entry(name)?;
        let (path, map) = &self.files.maps[entry.file];
        let (tensor, found) = (self.name_in_file(name), entry.shape(change));
        if without_ones(found) != without_ones(shape) {
            return Err(InferenceError::WrongShape { path: path.clone(), tensor, found: found.to_vec(), expected: shape.to_vec() });
        }
        let is_read = matches!(entry.dtype, Dtype::F8_E4M3 | Dtype::F16 | Dtype::BF16 | Dtype::F32 | Dtype::F64);
        let Some(dtype) = DType::try_from(entry.dtype).ok().filter(|_| is_read) else {
            return Err(unreadable(path, format!("`{tensor}` has type {:?}; only f8_e4m3, f16, bf16, f32 and f64 are read", entry.dtype)));
        };
        if matches!(change, Change::Third(_)) && !entry.shape.first().is_some_and(|rows| rows.is_multiple_of(3)) {
            return Err(unreadable(path, format!("`{tensor}` of shape {:?} is not queries, keys and values", entry.shape)));
        }
        let range = entry.range(change);
        let stored = if change == Change::Transposed { &entry.shape } else { shape };
        let values = Tensor::from_raw_buffer(&map[range.clone()], dtype, stored, &Device::Cpu)?.to_dtype(DType::F32)?;
        release(map, range);
        let values = if change == Change::Transposed { values.t()?.contiguous()?.reshape(shape)? } else { values };
        if !is_finite(&values)? {
            return Err(unreadable(path, format!("`{tensor}` holds a value that is not a finite number")));
        }
        self.n_parameters.fetch_add(values.elem_count() as u64, Ordering::Relaxed);
        let values = match &self.patch {
            Some((part, patch)) => patch.apply(*part, &self.full_name(name), values)?,
            None => values,
        };
        Ok(values.to_dtype(self.dtype)?.to_device(&self.device)?)
    }

    /// Numbers in all tensors read so far.
    pub fn n_parameters(&self) -> u64 {
        self.n_parameters.load(Ordering::Relaxed)
    }

    /// The file, or the first of several.
    pub fn path(&self) -> &Path {
        self.files.maps.first().map_or(Path::new(""), |(path, _)| path.as_path())
    }

    fn find(&self, name: &str) -> Option<(&Entry, Change)> {
        match &self.names {
            Some(names) => names(name).and_then(|(name, change)| Some((self.files.tensors.get(&name)?, change))),
            None => Some((self.files.tensors.get(name)?, Change::Same)),
        }
    }

    fn entry(&self, name: &str) -> Result<(&Entry, Change), InferenceError> {
        let missing = || InferenceError::MissingTensor { path: self.path().to_owned(), tensor: self.name_in_file(name) };
        self.find(&self.full_name(name)).ok_or_else(missing)
    }

    /// The name that messages use, because it can be looked up in the file.
    fn name_in_file(&self, name: &str) -> String {
        let full = self.full_name(name);
        self.names.as_ref().and_then(|names| names(&full)).map_or(full, |(name, _)| name)
    }

    fn full_name(&self, name: &str) -> String {
        if self.prefix.is_empty() { name.to_owned() } else { format!("{}.{name}", self.prefix) }
    }
}

/// A shape without the side of a 1×1 filter.
fn without_ones(shape: &[usize]) -> &[usize] {
    match shape {
        [_, _, 1, 1] | [_, _, 1] => &shape[..2],
        _ => shape,
    }
}

fn map(path: &Path) -> Result<Mmap, InferenceError> {
    let file = File::open(path).map_err(|source| unreadable(path, source.to_string()))?;
    // SAFETY: the map is only read, and nobody changes a model's files while they are being loaded; that is the operator's to keep.
    #[expect(unsafe_code, reason = "gigabytes of weights should not be copied into memory before they are converted")]
    let map = unsafe { Mmap::map(&file) };
    map.map_err(|source| unreadable(path, source.to_string()))
}

/// Gives the pages of a tensor that was read back, so that a file is never in memory together with what was made of it.
fn release(map: &Mmap, range: Range<usize>) {
    #[cfg(unix)]
    {
        // SAFETY: the map is of a file and is only read, so pages that are needed again are read again.
        #[expect(unsafe_code, reason = "the advice may lose changes, and this map has none")]
        let advised = unsafe { map.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, range.start, range.len()) };
        if let Err(source) = advised {
            tracing::debug!(%source, "pages of a weights file stay in memory");
        }
    }
}

/// Whether all numbers of a float32 tensor in main memory are finite.
fn is_finite(values: &Tensor) -> candle_core::Result<bool> {
    let (storage, layout) = values.storage_and_layout();
    let (Storage::Cpu(storage), Some((start, end))) = (&*storage, layout.contiguous_offsets()) else {
        candle_core::bail!("expected a contiguous tensor in main memory")
    };
    // A finite number times zero is zero; anything else becomes not-a-number and stays it in the sum.
    Ok(storage.as_slice::<f32>()?[start..end].iter().map(|value| value * 0.0).sum::<f32>() == 0.0)
}
