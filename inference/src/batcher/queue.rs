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
    part::{PartId, Slot},
    text::WordPlace,
    upscale::Upscaler,
    vae::Vae,
};

/// One row, and the part of a model that it is for.
pub(crate) enum Work {
    /// A prompt to encode.
    Prompt { text: Rc<Slot<Text>>, request: PromptRequest },
    /// A prompt whose length is asked.
    Length { text: Rc<Slot<Text>>, prompt: String },
    /// A prompt whose words are asked for.
    Words { text: Rc<Slot<Text>>, prompt: String },
    /// A prompt to make ready for a denoiser.
    Prepare { denoiser: Rc<Slot<Denoiser>>, conditioning: Arc<Conditioning>, told: Told },
    /// Latents to denoise.
    Predict { denoiser: Rc<Slot<Denoiser>>, row: Row<Arc<Prepared>> },
    /// A picture in -1..1 to encode; the answer is mean and standard deviation, one after the other along the channels.
    Encode { vae: Rc<Slot<Vae>>, pixels: Tensor, padding: Padding },
    /// Latents to decode.
    Decode { vae: Rc<Slot<Vae>>, latents: Tensor, padding: Padding },
    /// A picture in 0..1 to enlarge.
    Upscale { upscaler: Rc<Slot<Upscaler>>, pixels: Tensor },
    /// Latents whose numbers are wanted in main memory.
    Read { latents: Tensor },
}

impl Work {
    /// For the log.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Prompt { .. } => "prompt",
            Self::Length { .. } => "length",
            Self::Words { .. } => "words",
            Self::Prepare { .. } => "prepare",
            Self::Predict { .. } => "predict",
            Self::Encode { .. } => "encode",
            Self::Decode { .. } => "decode",
            Self::Upscale { .. } => "upscale",
            Self::Read { .. } => "read",
        }
    }

    /// The picture or the latents, for networks that take nothing else.
    pub(crate) fn tensor(&self) -> Option<&Tensor> {
        match self {
            Self::Encode { pixels: tensor, .. } | Self::Decode { latents: tensor, .. } => Some(tensor),
            Self::Upscale { pixels: tensor, .. } | Self::Read { latents: tensor } => Some(tensor),
            Self::Prompt { .. } | Self::Length { .. } | Self::Words { .. } | Self::Prepare { .. } | Self::Predict { .. } => None,
        }
    }

    /// The part that it is for, and whether that is in memory.
    fn part(&self) -> (PartId, bool) {
        match self {
            Self::Prompt { text, .. } | Self::Length { text, .. } | Self::Words { text, .. } => (text.id(), text.is_filled()),
            Self::Prepare { denoiser, .. } | Self::Predict { denoiser, .. } => (denoiser.id(), denoiser.is_filled()),
            Self::Encode { vae, .. } | Self::Decode { vae, .. } => (vae.id(), vae.is_filled()),
            Self::Upscale { upscaler, .. } => (upscaler.id(), upscaler.is_filled()),
            Self::Read { .. } => (PartId::NONE, true),
        }
    }
}

/// What a row became.
pub(crate) enum Answer {
    /// A row of numbers.
    Tensor(Tensor),
    /// A prompt's length.
    Length(usize),
    /// Where a prompt's words stand.
    Words(Vec<WordPlace>),
    /// Numbers in main memory.
    Floats(Vec<f32>),
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
        let (part, _) = self.work.part();
        let (shape, padding) = match &self.work {
            Work::Prompt { .. } | Work::Length { .. } | Work::Words { .. } | Work::Prepare { .. } => (Vec::new(), Padding::Zeros),
            Work::Predict { row, .. } => ([row.latents.dims(), row.prepared.shape()].concat(), row.padding),
            Work::Encode { pixels: tensor, padding, .. } | Work::Decode { latents: tensor, padding, .. } => {
                (tensor.dims().to_vec(), *padding)
            }
            Work::Upscale { pixels: tensor, .. } | Work::Read { latents: tensor } => (tensor.dims().to_vec(), Padding::Zeros),
        };
        Key { part, kind: std::mem::discriminant(&self.work), shape, padding }
    }
}

/// One row, who waits for it, and what it costs in row-megapixels.
pub(crate) struct Call {
    pub(crate) work: Work,
    pub(crate) picture: (u64, u32),
    /// Its place among all calls; given by the queue.
    pub(crate) place: u64,
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
    n_pushed: u64,
}

/// What a free row (a prompt) counts for when turns are shared out.
const LEAST_COST: f64 = 1e-6;

impl Queue {
    pub(crate) fn push(&mut self, call: Call) {
        self.n_pushed += 1;
        let (key, call) = (call.key(), Call { place: self.n_pushed, ..call });
        if !self.groups.contains_key(&key) {
            self.turns.push_back(key.clone());
        }
        self.groups.entry(key).or_default().calls.push_back(call);
    }

    /// Takes the next batch of at most `max_rows` rows; `None` when nothing waits whose part is in memory.
    pub(crate) fn next_batch(&mut self, max_rows: usize) -> Option<Vec<Call>> {
        self.forget_cancelled();
        let ready = self.groups.iter().filter(|(_, group)| group.is_ready());
        let costs: HashMap<Key, f64> = ready.map(|(key, group)| (key.clone(), group.batch_cost(max_rows))).collect();
        let quantum = costs.values().copied().reduce(f64::min)?;
        loop {
            let key = self.turns.front()?;
            if let Some(&cost) = costs.get(key) {
                let group = self.groups.get_mut(key)?;
                if group.deficit >= cost {
                    group.deficit -= cost;
                    return Some(group.take(max_rows));
                }
            }
            self.turns.rotate_left(1);
            let next = self.turns.front()?;
            if costs.contains_key(next) {
                self.groups.get_mut(next)?.deficit += quantum;
            }
        }
    }

    fn forget_cancelled(&mut self) {
        for group in self.groups.values_mut() {
            group.calls.retain(|call| !call.reply.is_canceled());
        }
        self.groups.retain(|_, group| !group.calls.is_empty());
        self.turns.retain(|key| self.groups.contains_key(key));
    }

    /// The parts that calls wait for, in memory or not; the one of the oldest call first.
    pub(crate) fn demands(&mut self) -> Vec<PartId> {
        self.forget_cancelled();
        let mut oldest: Vec<(u64, PartId)> =
            self.groups.iter().filter_map(|(key, group)| Some((group.calls.front()?.place, key.part))).collect();
        oldest.sort_unstable_by_key(|(place, _)| *place);
        let mut parts = Vec::new();
        for (_, part) in oldest {
            if !parts.contains(&part) {
                parts.push(part);
            }
        }
        parts
    }

    /// Takes out the calls that are for a part.
    pub(crate) fn take_calls(&mut self, part: PartId) -> Vec<Call> {
        let groups = self.groups.iter_mut().filter(|(key, _)| key.part == part);
        groups.flat_map(|(_, group)| group.calls.drain(..)).collect()
    }
}

impl Group {
    /// Whether the part is in memory that all calls of a group are for.
    fn is_ready(&self) -> bool {
        self.calls.front().is_some_and(|call| call.work.part().1)
    }

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
