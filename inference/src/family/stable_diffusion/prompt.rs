//! What a prompt gives the U-Net at every step, computed once.

use std::sync::Arc;

use candle_core::Tensor;

use crate::{
    family::AttentionMaps,
    ops::{Attention, Batch},
};

/// A prompt made ready for the U-Net: the keys and values of every layer that looks at it, and what it adds to the timestep's embedding. Cheap to clone.
#[derive(Clone, Debug)]
pub struct PromptState {
    pub(super) keys_values: Arc<Vec<(Tensor, Tensor)>>,
    pub(super) n_tokens: usize,
    /// `[1, time_width]`.
    pub(super) added: Option<Tensor>,
    /// `[1, width]` of the guidance scale.
    pub(super) guidance: Option<Tensor>,
}

impl PromptState {
    /// Tokens; prompts in one batch must have the same number.
    pub fn n_tokens(&self) -> usize {
        self.n_tokens
    }

    /// Layers that look at the prompt.
    pub fn n_layers(&self) -> usize {
        self.keys_values.len()
    }
}

/// The prompts of a batch's rows, and who notes what the network looks at of each: one for each row, or nobody.
#[derive(Clone, Copy)]
pub struct PromptRows<'a> {
    pub(super) prompts: &'a [&'a PromptState],
    pub(super) maps: &'a [Option<&'a AttentionMaps>],
}

impl<'a> From<&'a [&'a PromptState]> for PromptRows<'a> {
    fn from(prompts: &'a [&'a PromptState]) -> Self {
        Self { prompts, maps: &[] }
    }
}

/// Hands the prompts' keys and values to the layers, in the order in which they were computed, and what changes the layers.
pub(super) struct Prompts<'a> {
    rows: &'a [&'a PromptState],
    maps: &'a [Option<&'a AttentionMaps>],
    batch: Batch<'a>,
    next: usize,
}

impl<'a> Prompts<'a> {
    pub(super) fn new(rows: PromptRows<'a>, batch: Batch<'a>) -> Self {
        Self { rows: rows.prompts, maps: rows.maps, batch, next: 0 }
    }

    /// What changes the layers for each row.
    pub(super) fn batch(&self) -> Batch<'a> {
        self.batch
    }

    /// Keys and values `[n, tokens, width]` of the next layer, which looks at them with these queries `[n, height·width, width]`.
    pub(super) fn next(&mut self, q: &Tensor, options: Attention, size: (usize, usize)) -> candle_core::Result<(Tensor, Tensor)> {
        let (keys, values) = self.next_layer()?;
        for (row, maps) in self.maps.iter().enumerate().filter_map(|(row, maps)| Some((row, maps.as_ref()?))) {
            maps.add(&q.narrow(0, row, 1)?, &keys.narrow(0, row, 1)?, options, size)?;
        }
        Ok((keys, values))
    }

    fn next_layer(&mut self) -> candle_core::Result<(Tensor, Tensor)> {
        let layer = self.next;
        self.next += 1;
        let pick = |row: &'a PromptState| row.keys_values.get(layer);
        let Some(rows) = self.rows.iter().map(|row| pick(row)).collect::<Option<Vec<_>>>() else {
            candle_core::bail!("a prompt that was made ready for another network")
        };
        Ok((stack(rows.iter().map(|(keys, _)| keys))?, stack(rows.iter().map(|(_, values)| values))?))
    }

    /// Rows `[n, width]` of what only some prompts may have; zeros for those that have none, `None` when nobody has it.
    pub(super) fn rows(&self, pick: fn(&PromptState) -> Option<&Tensor>) -> candle_core::Result<Option<Tensor>> {
        let Some(some) = self.rows.iter().find_map(|row| pick(row)) else { return Ok(None) };
        let zeros = some.zeros_like()?;
        stack(self.rows.iter().map(|row| pick(row).unwrap_or(&zeros))).map(Some)
    }
}

fn stack<'a>(rows: impl Iterator<Item = &'a Tensor>) -> candle_core::Result<Tensor> {
    let rows: Vec<&Tensor> = rows.collect();
    if let [row] = rows[..] { Ok(row.clone()) } else { Tensor::cat(&rows, 0) }
}
