//! Scaled dot-product attention.

use candle_core::{D, DType, Device, Result, Tensor};
use candle_nn::ops::{softmax, softmax_last_dim};

use super::cpu::{self, attention::Sizes, let_floats};

/// Scores kept at once by the plain version.
const MAX_SCORES: usize = 1 << 26;

/// How attention is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attention {
    /// Heads, side by side in the last axis.
    pub n_heads: usize,
    /// Whether query i sees only the keys 0 to i.
    pub is_causal: bool,
    /// Whether half precision is too narrow for the scores.
    pub upcast: bool,
}

/// `softmax(q·kᵀ/√width)·v` for `q` `[n, s, heads·width]`, `k` and `v` `[n, t, heads·width]`.
pub fn attention(q: &Tensor, k: &Tensor, v: &Tensor, options: Attention) -> Result<Tensor> {
    let ((n, n_queries, width), n_keys) = (q.dims3()?, k.dim(1)?);
    if k.dims3()? != (n, n_keys, width) || v.dims() != k.dims() || width % options.n_heads != 0 || options.is_causal && n_queries != n_keys
    {
        candle_core::bail!("attention of {:?}, {:?} and {:?} with {} heads", q.shape(), k.shape(), v.shape(), options.n_heads);
    }
    if cpu::takes(q) && cpu::takes(k) && cpu::takes(v) {
        let Attention { n_heads, is_causal, .. } = options;
        let sizes = Sizes { n, n_heads, width: width / n_heads, n_queries, n_keys, is_causal };
        let_floats!(queries = q);
        let_floats!(keys = k);
        let_floats!(values = v);
        return Tensor::from_vec(cpu::attention::attention(queries, keys, values, sizes), q.shape(), &Device::Cpu);
    }
    #[cfg(feature = "flash-attn")]
    if flash::takes(q, options) {
        return flash::attention(q, k, v, options);
    }
    plain(q, k, v, options)
}

/// What each query pays to each key, `softmax(q·kᵀ/√width)`, as the mean over heads: `[s, t]` in float32, for `q` `[1, s, heads·width]` and `k`
/// `[1, t, heads·width]`.
pub fn shares(q: &Tensor, k: &Tensor, options: Attention) -> Result<Tensor> {
    let (n, _, width) = q.dims3()?;
    if n != 1 || k.dim(0)? != 1 || k.dim(2)? != width || width % options.n_heads != 0 || options.is_causal {
        candle_core::bail!("shares of {:?} and {:?} with {} heads", q.shape(), k.shape(), options.n_heads);
    }
    let head_width = width / options.n_heads;
    let mut sum: Option<Tensor> = None;
    // Head by head: all scores of a large picture at once would take much memory.
    for head in 0..options.n_heads {
        let of = |tensor: &Tensor| tensor.squeeze(0)?.narrow(1, head * head_width, head_width)?.to_dtype(DType::F32)?.contiguous();
        let scores = (of(q)?.matmul(&of(k)?.t()?)? * (1.0 / (head_width as f64).sqrt()))?;
        let shares = softmax_last_dim(&scores)?;
        sum = Some(if let Some(sum) = sum { (sum + shares)? } else { shares });
    }
    sum.map_or_else(|| candle_core::bail!("attention without heads"), |sum| sum / options.n_heads as f64)
}

pub(super) fn plain(q: &Tensor, k: &Tensor, v: &Tensor, options: Attention) -> Result<Tensor> {
    let (n, n_queries, width) = q.dims3()?;
    let n_keys = k.dim(1)?;
    let head_width = width / options.n_heads;
    let heads = |tensor: &Tensor| tensor.reshape((n, (), options.n_heads, head_width))?.transpose(1, 2)?.contiguous();
    let scores_dtype = if options.upcast { DType::F32 } else { q.dtype() };
    let q = (heads(q)?.to_dtype(scores_dtype)? * (1.0 / (head_width as f64).sqrt()))?;
    let (k, v) = (heads(k)?.to_dtype(scores_dtype)?.t()?, heads(v)?);
    let step = (MAX_SCORES / (n * options.n_heads * n_keys)).clamp(1, n_queries);
    let blocks = (0..n_queries).step_by(step).map(|first| {
        let queries = q.narrow(2, first, step.min(n_queries - first))?;
        let mut scores = queries.contiguous()?.matmul(&k)?.to_dtype(DType::F32)?;
        if options.is_causal {
            let rows = first..first + scores.dim(2)?;
            let mask: Vec<f32> = rows.flat_map(|i| (0..n_keys).map(move |j| if j > i { f32::NEG_INFINITY } else { 0.0 })).collect();
            scores = scores.broadcast_add(&Tensor::from_vec(mask, (1, 1, scores.dim(2)?, n_keys), q.device())?)?;
        }
        // The fused softmax has no backward pass.
        let shares = if scores.track_op() { softmax(&scores, D::Minus1)? } else { softmax_last_dim(&scores)? };
        shares.to_dtype(v.dtype())?.matmul(&v)
    });
    let out = Tensor::cat(&blocks.collect::<Result<Vec<_>>>()?, D::Minus2)?;
    out.transpose(1, 2)?.reshape((n, n_queries, width))
}

#[cfg(feature = "flash-attn")]
mod flash {
    use super::*;

    /// FlashAttention 2 wants half precision, heads of at most 256 numbers and a multiple of 8.
    pub fn takes(q: &Tensor, options: Attention) -> bool {
        let width = q.dims().last().map_or(0, |width| width / options.n_heads);
        q.device().is_cuda() && matches!(q.dtype(), DType::F16 | DType::BF16) && !options.upcast && width <= 256 && width % 8 == 0
    }

    pub fn attention(q: &Tensor, k: &Tensor, v: &Tensor, options: Attention) -> Result<Tensor> {
        let (n, n_queries, width) = q.dims3()?;
        let head_width = width / options.n_heads;
        let heads = |tensor: &Tensor| tensor.reshape((n, (), options.n_heads, head_width));
        let scale = 1.0 / (head_width as f32).sqrt();
        candle_flash_attn::flash_attn(&heads(q)?, &heads(k)?, &heads(v)?, scale, options.is_causal)?.reshape((n, n_queries, width))
    }
}
