//! The models of a device thread: all known by their headers, a few loaded.

use std::{path::PathBuf, rc::Rc, sync::Arc};

use candle_core::{DType, Device};

use super::{EngineConfig, ModelEntry, ModelInfo, NamedFile};
use crate::{
    checkpoint::{Adapters, Checkpoint, ModelSource},
    error::{InferenceError, InvalidTask},
    limits::Limits,
    model::Model,
    networks::{Loaded, Networks},
    preview::Preview,
    task::{AdapterUse, Task},
    text::Prompt,
    trajectory::Facts,
    upscale::Upscaler,
};

/// What is known of a model before it is loaded.
#[derive(Clone)]
pub(crate) struct Known {
    pub(crate) entry: ModelEntry,
    pub(crate) info: ModelInfo,
    pub(crate) limits: Limits,
}

/// A model in memory, changed by a set of adapters.
struct InMemory {
    model: usize,
    adapters: Vec<AdapterUse>,
    networks: Rc<Loaded>,
    facts: Rc<Facts>,
    last_use: u64,
}

/// The models of a device thread.
pub(crate) struct Store {
    config: EngineConfig,
    device: Device,
    dtype: DType,
    upscaler: Option<Rc<Upscaler>>,
    known: Vec<Known>,
    in_memory: Vec<InMemory>,
    n_uses: u64,
}
