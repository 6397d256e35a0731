//! The text encoders (transformers' `CLIPTextModel` and `CLIPTextModelWithProjection`).

use candle_core::{Device, Tensor};

mod config;
mod layer;

pub use self::config::{ClipConfig, PooledToken};
pub(crate) use self::layer::{Layer, LayerShape};
use crate::layers::{layer_norm, linear_without_bias};
use crate::{
    checkpoint::Weights,
    error::InferenceError,
    ops::{Batch, Changes, LayerKind, LayerName, LayerNorm, Linear},
};

/// Turns one prompt's tokens into its embedding. Prompts are computed one by one, so that no other prompt changes a bit of the result.
pub struct Clip {
    tokens: Table,
    positions: Table,
    layers: Vec<Layer>,
    final_norm: LayerNorm,
    projection: Option<Linear>,
    pooled_token: PooledToken,
    device: Device,
}

/// One prompt's tokens, with the start, the end and the padding.
#[derive(Clone, Copy, Debug)]
pub struct Tokens<'a> {
    /// The ids; at the places of `injected` any id that is not larger than the start's.
    pub ids: &'a [u32],
    /// Vectors that stand in for embeddings of the vocabulary.
    pub injected: &'a [Injected],
}

/// Learned vectors in place of tokens.
#[derive(Clone, Debug)]
pub struct Injected {
    /// The first one's place; never 0, and never so that the last token is covered.
    pub at: usize,
    /// `[n, width]`, in the weights' dtype and on their device.
    pub vectors: Tensor,
}

/// Which hidden state is a prompt's embedding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HiddenState {
    /// Layers at the end whose work is left out.
    pub n_skipped: usize,
    /// Whether the final normalisation follows.
    pub is_normed: bool,
}

/// What a text encoder makes of one prompt.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// The hidden state asked for, `[1, n, width]`.
    pub hidden: Tensor,
    /// The pooled embedding `[1, projection_width]` of an encoder with a projection.
    pub pooled: Option<Tensor>,
}

impl Clip {
    /// Reads the network without a projection.
    ///
    /// # Errors
    /// Whatever is wrong with the weights, naming file and tensor.
    pub fn load(weights: &Weights, config: &ClipConfig, device: &Device) -> Result<Self, InferenceError> {
        // Some merged files leave out the outermost name.
        let weights = if weights.has("embeddings.token_embedding.weight") { weights.clone() } else { weights.at("text_model") };
        let shape = config.layer();
        let layers = (0..config.n_layers).map(|i| Layer::load(&weights.at(format!("encoder.layers.{i}")), &shape));
        Ok(Self {
            tokens: Table::load(&weights.at("embeddings.token_embedding"), config.vocab_size, config.width)?,
            positions: Table::load(&weights.at("embeddings.position_embedding"), config.n_positions, config.width)?,
            layers: layers.collect::<Result<_, _>>()?,
            final_norm: layer_norm(&weights.at("final_layer_norm"), config.width, config.eps)?,
            projection: None,
            pooled_token: config.pooled_token,
            device: device.clone(),
        })
    }

    /// Reads the network with its projection.
    ///
    /// # Errors
    /// Whatever is wrong with the weights, naming file and tensor.
    pub fn load_with_projection(weights: &Weights, config: &ClipConfig, device: &Device) -> Result<Self, InferenceError> {
        let projection = linear_without_bias(&weights.at("text_projection"), config.width, config.projection_width)?;
        Ok(Self { projection: Some(projection), ..Self::load(weights, config, device)? })
    }

    /// The hidden state `state` of one prompt, and its pooled embedding where the encoder has a projection; `changes` are those of its layers.
    pub fn encode(&self, tokens: Tokens<'_>, state: HiddenState, changes: &Changes) -> candle_core::Result<Encoded> {
        let row = [changes];
        let batch = Batch::new(&row);
        let Some(n_used) = self.layers.len().checked_sub(state.n_skipped) else {
            candle_core::bail!("{} of {} layers left out", state.n_skipped, self.layers.len());
        };
        let mut hidden = self.embed(tokens, changes)?;
        for layer in &self.layers[..n_used] {
            hidden = layer.forward(&hidden, batch)?;
        }
        let wanted = hidden.clone();
        let pooled = match &self.projection {
            None => None,
            Some(projection) => {
                for layer in &self.layers[n_used..] {
                    hidden = layer.forward(&hidden, batch)?;
                }
                let row = hidden.narrow(1, self.pooled_place(tokens.ids), 1)?.contiguous()?;
                Some(projection.of(batch).forward(&self.final_norm.of(batch).forward(&row)?)?.squeeze(1)?)
            }
        };
        Ok(Encoded { hidden: if state.is_normed { self.final_norm.of(batch).forward(&wanted)? } else { wanted }, pooled })
    }

    /// Layers.
    pub fn n_layers(&self) -> usize {
        self.layers.len()
    }

    /// Numbers per token.
    pub fn width(&self) -> usize {
        self.tokens.values.dims()[1]
    }

    /// Width of the pooled embedding of an encoder with a projection.
    pub fn pooled_width(&self) -> Option<usize> {
        self.projection.as_ref().map(Linear::out_width)
    }

    /// A tensor in the weights' dtype and on their device.
    pub fn adopt(&self, tensor: &Tensor) -> candle_core::Result<Tensor> {
        tensor.to_dtype(self.tokens.values.dtype())?.to_device(&self.device)
    }

    fn embed(&self, tokens: Tokens<'_>, changes: &Changes) -> candle_core::Result<Tensor> {
        let n = tokens.ids.len();
        let mut rows = self.tokens.values(changes)?.index_select(&Tensor::new(tokens.ids, &self.device)?, 0)?;
        for Injected { at, vectors } in tokens.injected {
            let after = at + vectors.dim(0)?;
            rows = Tensor::cat(&[&rows.narrow(0, 0, *at)?, vectors, &rows.narrow(0, after, n - after)?], 0)?;
        }
        (rows + self.positions.values(changes)?.narrow(0, 0, n)?)?.unsqueeze(0)
    }

    fn pooled_place(&self, ids: &[u32]) -> usize {
        let token = match self.pooled_token {
            PooledToken::LargestId => ids.iter().copied().max().unwrap_or(0),
            PooledToken::First(id) => id,
        };
        ids.iter().position(|id| *id == token).unwrap_or(0)
    }
}

/// A table of embeddings.
struct Table {
    name: LayerName,
    values: Tensor,
}

impl Table {
    fn load(weights: &Weights, n: usize, width: usize) -> Result<Self, InferenceError> {
        Ok(Self { values: weights.tensor("weight", &[n, width])?, name: weights.layer(LayerKind::Plain) })
    }

    fn values(&self, changes: &Changes) -> candle_core::Result<Tensor> {
        match changes.get(&self.name).and_then(|change| change.weight.as_ref()) {
            Some(weight) => weight.tensor(),
            None => Ok(self.values.clone()),
        }
    }
}
