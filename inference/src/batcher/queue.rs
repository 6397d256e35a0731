//! Rows waiting for a network, grouped by what can go through it together; groups and tasks take turns.

use std::{
    collections::{HashMap, VecDeque},
    rc::Rc,
    sync::Arc,
};

use candle_core::Tensor;
use futures::channel::oneshot;

use super::watch::Watch;
use crate::{
    engine::Meter,
    error::InferenceError,
    family::{Conditioning, Denoiser, Prepared, PromptRequest, Row, Text, Told},
    ops::Padding,
    part::PartId,
    upscale::Upscaler,
    vae::Vae,
};

/// One row, and the part of a model that it is for.
pub(crate) enum Work {
    /// A prompt to encode.
    Prompt { text: Arc<Text>, request: PromptRequest },
    /// A prompt to make ready for a denoiser.
    Prepare { denoiser: Arc<Denoiser>, conditioning: Arc<Conditioning>, told: Told },
    /// Latents to denoise.
    Predict { denoiser: Arc<Denoiser>, row: Row<Arc<Prepared>> },
    /// A picture in -1..1 to encode; the answer is mean and standard deviation, one after the other along the channels.
    Encode { vae: Arc<Vae>, pixels: Tensor, padding: Padding },
    /// Latents to decode.
    Decode { vae: Arc<Vae>, latents: Tensor, padding: Padding },
    /// A picture in 0..1 to enlarge.
    Upscale { upscaler: Arc<Upscaler>, pixels: Tensor },
}

impl Work {
    /// For the log.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Prompt { .. } => "prompt",
            Self::Prepare { .. } => "prepare",
            Self::Predict { .. } => "predict",
            Self::Encode { .. } => "encode",
            Self::Decode { .. } => "decode",
            Self::Upscale { .. } => "upscale",
        }
    }

    /// The picture or the latents, for networks that take nothing else.
    pub(crate) fn tensor(&self) -> Option<&Tensor> {
        match self {
            Self::Encode { pixels: tensor, .. } | Self::Decode { latents: tensor, .. } | Self::Upscale { pixels: tensor, .. } => {
                Some(tensor)
            }
            Self::Prompt { .. } | Self::Prepare { .. } | Self::Predict { .. } => None,
        }
    }
}

/// What a row became.
pub(crate) enum Answer {
    /// A row of numbers.
    Tensor(Tensor),
    /// An encoded prompt.
    Conditioning(Arc<Conditioning>),
    /// A prompt that is ready for every step.
    Prepared(Arc<Prepared>),
}

/// Rows with the same key may go through a part of a model as one batch, whatever their adapters are.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    part: PartId,
    kind: std::mem::Discriminant<Work>,
    shape: Vec<usize>,
    padding: Padding,
}

impl Call {
    fn key(&self) -> Key {
        let (part, shape, padding) = match &self.work {
            Work::Prompt { text, .. } => (text.id(), Vec::new(), Padding::Zeros),
            Work::Prepare { denoiser, .. } => (denoiser.id(), Vec::new(), Padding::Zeros),
            Work::Predict { denoiser, row } => (denoiser.id(), [row.latents.dims(), row.prepared.shape()].concat(), row.padding),
            Work::Encode { vae, pixels: tensor, padding } | Work::Decode { vae, latents: tensor, padding } => {
                (vae.id(), tensor.dims().to_vec(), *padding)
            }
            Work::Upscale { upscaler, pixels } => (upscaler.id(), pixels.dims().to_vec(), Padding::Zeros),
        };
        Key { part, kind: std::mem::discriminant(&self.work), shape, padding }
    }
}

/// One row, who waits for it, and what it costs in row-megapixels.
pub(crate) struct Call {
    pub(crate) work: Work,
    pub(crate) picture: (u64, u32),
    pub(crate) watch: Rc<Watch>,
    pub(crate) cost: f64,
    pub(crate) most_rows: usize,
    pub(crate) meter: Arc<Meter>,
    pub(crate) reply: oneshot::Sender<Result<Answer, Arc<InferenceError>>>,
}

#[derive(Default)]
struct Group {
    calls: VecDeque<Call>,
    deficit: f64,
}

/// The rows that wait. Groups take turns by deficit round robin (Shreedhar and Varghese 1995) on row-megapixels, so every group gets the same
/// share of the device; within a group the tasks take turns picture by picture.
#[derive(Default)]
pub(crate) struct Queue {
    groups: HashMap<Key, Group>,
    turns: VecDeque<Key>,
}

/// What a free row (a prompt) counts for when turns are shared out.
const LEAST_COST: f64 = 1e-6;

impl Queue {
    pub(crate) fn push(&mut self, call: Call) {
        let key = call.key();
        if !self.groups.contains_key(&key) {
            self.turns.push_back(key.clone());
        }
        self.groups.entry(key).or_default().calls.push_back(call);
    }

    /// Takes the next batch of at most `max_rows` rows; `None` when nothing waits.
    pub(crate) fn next_batch(&mut self, max_rows: usize) -> Option<Vec<Call>> {
        for group in self.groups.values_mut() {
            group.calls.retain(|call| !call.reply.is_canceled());
        }
        self.groups.retain(|_, group| !group.calls.is_empty());
        self.turns.retain(|key| self.groups.contains_key(key));
        let costs: HashMap<Key, f64> = self.groups.iter().map(|(key, group)| (key.clone(), group.batch_cost(max_rows))).collect();
        let quantum = costs.values().copied().reduce(f64::min)?;
        loop {
            let key = self.turns.front()?;
            let (group, cost) = (self.groups.get_mut(key)?, costs[key]);
            if group.deficit >= cost {
                group.deficit -= cost;
                return Some(group.take(max_rows));
            }
            self.turns.rotate_left(1);
            let next = self.turns.front()?;
            self.groups.get_mut(next)?.deficit += quantum;
        }
    }
}

impl Group {
    fn n_rows(&self, max_rows: usize) -> usize {
        let most = self.calls.front().map_or(1, |call| call.most_rows);
        self.calls.len().min(max_rows).min(most).max(1)
    }

    /// All rows of a group cost the same.
    fn batch_cost(&self, max_rows: usize) -> f64 {
        let each = self.calls.front().map_or(0.0, |call| call.cost);
        (each * self.n_rows(max_rows) as f64).max(LEAST_COST)
    }

    /// Takes the first picture of each task, then the second of each, and so on.
    fn take(&mut self, max_rows: usize) -> Vec<Call> {
        let n_rows = self.n_rows(max_rows);
        let mut seen: HashMap<u64, Vec<u32>> = HashMap::new();
        let mut ranks = Vec::with_capacity(self.calls.len());
        for (i, call) in self.calls.iter().enumerate() {
            let pictures = seen.entry(call.picture.0).or_default();
            let rank = pictures.iter().position(|&picture| picture == call.picture.1).unwrap_or_else(|| {
                pictures.push(call.picture.1);
                pictures.len() - 1
            });
            ranks.push((rank, i));
        }
        ranks.sort_unstable();
        let mut chosen: Vec<usize> = ranks.into_iter().take(n_rows).map(|(_, i)| i).collect();
        chosen.sort_unstable();
        let mut taken: Vec<Call> = chosen.into_iter().rev().filter_map(|i| self.calls.remove(i)).collect();
        taken.reverse();
        taken
    }
}
