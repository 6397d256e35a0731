//! Weights in safetensors files, read one tensor at a time.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use candle_core::{DType, Device, Tensor};
use safetensors::Dtype;

use super::{
    Stamp,
    header::TensorInfo,
    json::unreadable,
    layers::{Layer, Survey},
    names::Change,
    numbers::{self, KINDS, Kind},
    opened::Opened,
};
use crate::{
    error::InferenceError,
    ops::{LayerKind, LayerName},
};

/// The weights below one name, such as `down_blocks.0`; cheap to clone.
#[derive(Clone)]
pub struct Weights {
    files: Arc<Files>,
    prefix: String,
    names: Option<Names>,
    n_parameters: Arc<AtomicU64>,
    device: Device,
    dtype: DType,
    survey: Option<Arc<Survey>>,
}

/// From the name that is asked for to the file's name.
type Names = Arc<dyn Fn(&str) -> Option<(String, Change)> + Send + Sync>;

struct Files {
    opened: Vec<Opened>,
    tensors: HashMap<String, Entry>,
    metadata: BTreeMap<String, String>,
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
    was_read: AtomicBool,
}

impl Entry {
    fn new(file: usize, TensorInfo { dtype, shape, range, .. }: TensorInfo) -> Self {
        let mut third = shape.clone();
        if let Some(rows) = third.first_mut().filter(|rows| rows.is_multiple_of(3)) {
            *rows /= 3;
        }
        let transposed = shape.iter().rev().copied().collect();
        Self { file, dtype, shape, third, transposed, range, was_read: AtomicBool::new(false) }
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
        let mut files = Files { opened: Vec::new(), tensors: HashMap::new(), metadata: BTreeMap::new() };
        for (file, path) in paths.iter().enumerate() {
            let (opened, header) = Opened::open(path)?;
            for tensor in header.tensors {
                let name = tensor.name.clone();
                if files.tensors.insert(name.clone(), Entry::new(file, tensor)).is_some() {
                    return Err(unreadable(path, format!("`{name}` is in another file of the model too")));
                }
            }
            files.opened.push(opened);
            files.metadata.extend(header.metadata);
        }
        let (prefix, n_parameters) = (String::new(), Arc::default());
        Ok(Self { files: Arc::new(files), prefix, names: None, n_parameters, device: device.clone(), dtype, survey: None })
    }

    /// The same files for another network: other type, other device, and `names` from the names that are asked for to those of the files.
    pub fn renamed(
        &self,
        (device, dtype): (&Device, DType),
        names: impl Fn(&str) -> Option<(String, Change)> + Send + Sync + 'static,
    ) -> Self {
        let outer = self.full_name("");
        let names = move |name: &str| names(name).map(|(name, change)| (format!("{outer}{name}"), change));
        let (prefix, n_parameters) = (String::new(), Arc::default());
        Self { names: Some(Arc::new(names)), prefix, n_parameters, device: device.clone(), dtype, ..self.clone() }
    }

    /// The same weights in another type.
    pub fn of_type(self, dtype: DType) -> Self {
        Self { dtype, ..self }
    }

    /// The type in which they are read.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The layers that `load` reads, from the files' headers alone: it gets tensors of the right shapes without numbers.
    ///
    /// # Errors
    /// As [`tensor`](Self::tensor).
    pub fn layers(&self, load: impl FnOnce(&Self) -> Result<(), InferenceError>) -> Result<Vec<Layer>, InferenceError> {
        self.survey(load).map(|survey| survey.layers())
    }

    /// How many numbers `load` reads, told as [`layers`](Self::layers) are.
    pub(crate) fn n_numbers(&self, load: impl FnOnce(&Self) -> Result<(), InferenceError>) -> Result<u64, InferenceError> {
        self.survey(load).map(|survey| survey.n_values())
    }

    fn survey(&self, load: impl FnOnce(&Self) -> Result<(), InferenceError>) -> Result<Arc<Survey>, InferenceError> {
        let survey = Arc::new(Survey::default());
        load(&Self { survey: Some(survey.clone()), ..self.clone() })?;
        Ok(survey)
    }

    /// The name of the layer that these weights are, by which adapters know it.
    pub fn layer(&self, kind: LayerKind) -> LayerName {
        let name: LayerName = self.prefix.as_str().into();
        if let Some(survey) = &self.survey {
            survey.note_layer(&name, kind);
        }
        name
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

    /// Every tensor in the files: its name there and the numbers in it.
    pub(super) fn tensors(&self) -> impl Iterator<Item = (&str, u64)> {
        let n_values = |entry: &Entry| entry.shape.iter().map(|size| *size as u64).product();
        self.files.tensors.iter().map(move |(name, entry)| (name.as_str(), n_values(entry)))
    }

    /// What the files' makers wrote about them.
    pub(super) fn metadata(&self) -> &BTreeMap<String, String> {
        &self.files.metadata
    }

    /// The names in the files of the tensors that nobody has read, sorted.
    pub(super) fn unread(&self) -> Vec<&str> {
        let unread = self.files.tensors.iter().filter(|(_, entry)| !entry.was_read.load(Ordering::Relaxed));
        let mut names: Vec<&str> = unread.map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names
    }

    /// Reads tensor `name`, which must have this shape and only finite numbers. A 1×1 convolution counts as a linear layer and the other way round.
    ///
    /// # Errors
    /// `MissingTensor`, `WrongShape` or `Unreadable`, naming file and tensor.
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Result<Tensor, InferenceError> {
        let (entry, change) = self.entry(name)?;
        let file = &self.files.opened[entry.file];
        let (tensor, found) = (self.name_in_file(name), entry.shape(change));
        if without_ones(found) != without_ones(shape) {
            let path = file.path().to_owned();
            return Err(InferenceError::WrongShape { path, tensor, found: found.to_vec(), expected: shape.to_vec() });
        }
        if matches!(change, Change::Third(_)) && !entry.shape.first().is_some_and(|rows| rows.is_multiple_of(3)) {
            return Err(unreadable(file.path(), format!("`{tensor}` of shape {:?} is not queries, keys and values", entry.shape)));
        }
        if let Some(survey) = &self.survey {
            return survey.note_tensor(self.full_name(name), shape);
        }
        let n_values = shape.iter().product();
        let mut values = numbers::read(file, self.kind(entry, &tensor)?, entry.range(change), n_values)?;
        self.scale(&mut values, (&tensor, entry), change)?;
        if !numbers::are_finite(&values) {
            return Err(unreadable(file.path(), format!("`{tensor}` holds a value that is not a finite number")));
        }
        entry.was_read.store(true, Ordering::Relaxed);
        let values = match change {
            Change::Transposed => Tensor::from_vec(values, entry.shape.as_slice(), &Device::Cpu)?.t()?.contiguous()?.reshape(shape)?,
            Change::Same | Change::Third(_) => Tensor::from_vec(values, shape, &Device::Cpu)?,
        };
        self.n_parameters.fetch_add(values.elem_count() as u64, Ordering::Relaxed);
        Ok(values.to_dtype(self.dtype)?.to_device(&self.device)?)
    }

    /// Numbers in all tensors read so far.
    pub fn n_parameters(&self) -> u64 {
        self.n_parameters.load(Ordering::Relaxed)
    }

    /// The file, or the first of several.
    pub fn path(&self) -> &Path {
        self.files.opened.first().map_or(Path::new(""), Opened::path)
    }

    /// The files with what tells whether one was changed.
    pub(super) fn stamps(&self) -> impl Iterator<Item = (&Path, Stamp)> {
        self.files.opened.iter().map(|opened| (opened.path(), opened.stamp()))
    }

    fn kind(&self, entry: &Entry, name: &str) -> Result<Kind, InferenceError> {
        let path = self.files.opened[entry.file].path();
        let refused = || unreadable(path, format!("`{name}` has type {:?}; only {KINDS} are read", entry.dtype));
        Kind::of(entry.dtype).ok_or_else(refused)
    }

    /// Multiplies the numbers of a quantised tensor by the scale beside it, if there is one.
    fn scale(&self, values: &mut [f32], (name, entry): (&str, &Entry), change: Change) -> Result<(), InferenceError> {
        let mut beside = numbers::scale_names(name).into_iter().flatten();
        let found = beside.find_map(|name| Some((self.files.tensors.get(&name)?, name)));
        let Some((scale, scale_name)) = found else { return Ok(()) };
        let file = &self.files.opened[scale.file];
        let n_rows = entry.shape.first().copied().unwrap_or(1);
        if !numbers::is_scale(&scale.shape, n_rows) {
            let reason = format!("`{scale_name}` has shape {:?}; one number, or one for each of {n_rows} rows, is read", scale.shape);
            return Err(unreadable(file.path(), reason));
        }
        let scales = numbers::read(file, self.kind(scale, &scale_name)?, scale.range.clone(), scale.shape.iter().product())?;
        scale.was_read.store(true, Ordering::Relaxed);
        match change {
            Change::Third(i) if scales.len() > 1 => numbers::apply(values, n_rows / 3, &scales[i * n_rows / 3..(i + 1) * n_rows / 3]),
            _ => numbers::apply(values, n_rows, &scales),
        }
        Ok(())
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
