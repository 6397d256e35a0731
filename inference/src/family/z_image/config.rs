use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use crate::{
    checkpoint::json::{allow_only, check_divides, check_sizes, parse, unreadable},
    error::InferenceError,
};

/// Axes of a token's place: the caption's or the picture's, down, right.
pub const N_AXES: usize = 3;

/// The transformer's shape (diffusers' `ZImageTransformer2DModel`).
#[derive(Clone, Debug)]
pub struct TransformerConfig {
    /// Channels of the latents.
    pub channels: usize,
    /// Numbers per token.
    pub width: usize,
    /// Layers that see picture and caption together.
    pub n_layers: usize,
    /// Layers before them that see only the one, and as many that see only the other.
    pub n_refiner_layers: usize,
    /// Attention heads.
    pub n_heads: usize,
    /// Numbers per token of the text encoder.
    pub caption_width: usize,
    /// Added to variances.
    pub eps: f64,
    /// Base of the angles that say where a token is.
    pub rope_theta: f64,
    /// Factor on the time, 0 for noise and 1 for the picture.
    pub time_scale: f64,
    /// How many of a head's numbers tell the place on each axis.
    pub axis_widths: [usize; N_AXES],
    /// Places on each axis.
    pub axis_lengths: [usize; N_AXES],
}

#[derive(Deserialize)]
#[serde(default)]
struct Raw {
    in_channels: usize,
    dim: usize,
    n_layers: usize,
    n_refiner_layers: usize,
    n_heads: usize,
    n_kv_heads: usize,
    norm_eps: f64,
    cap_feat_dim: usize,
    rope_theta: f64,
    t_scale: f64,
    axes_dims: Vec<usize>,
    axes_lens: Vec<usize>,
}

impl Default for Raw {
    fn default() -> Self {
        Self {
            in_channels: 16,
            dim: 3840,
            n_layers: 30,
            n_refiner_layers: 2,
            n_heads: 30,
            n_kv_heads: 30,
            norm_eps: 1e-5,
            cap_feat_dim: 2560,
            rope_theta: 256.0,
            t_scale: 1000.0,
            axes_dims: vec![32, 48, 48],
            axes_lens: vec![1024, 512, 512],
        }
    }
}

impl TransformerConfig {
    /// Reads `transformer/config.json`.
    ///
    /// # Errors
    /// `Unsupported` or `Unreadable`, naming `path` and the key.
    pub fn read(json: &Value, path: &Path) -> Result<Self, InferenceError> {
        allow_only(
            json,
            path,
            &[
                ("_class_name", &["\"ZImageTransformer2DModel\""]),
                ("all_patch_size", &["[2]"]),
                ("all_f_patch_size", &["[1]"]),
                ("qk_norm", &["true"]),
                ("siglip_feat_dim", &["null"]),
            ],
        )?;
        let raw: Raw = parse(json, path)?;
        check_sizes(
            path,
            &[
                ("in_channels", raw.in_channels),
                ("dim", raw.dim),
                ("n_layers", raw.n_layers),
                ("n_heads", raw.n_heads),
                ("cap_feat_dim", raw.cap_feat_dim),
            ],
        )?;
        check_divides(path, &[raw.dim], "n_heads", raw.n_heads)?;
        let axes = |key: &str, values: &[usize]| -> Result<[usize; N_AXES], InferenceError> {
            check_sizes(path, &values.iter().map(|value| (key, *value)).collect::<Vec<_>>())?;
            values.try_into().map_err(|_| unreadable(path, format!("`{key}` has {} values", values.len())))
        };
        let axis_widths = axes("axes_dims", &raw.axes_dims)?;
        if axis_widths.iter().any(|width| !width.is_multiple_of(2)) || axis_widths.iter().sum::<usize>() != raw.dim / raw.n_heads {
            return Err(unreadable(path, format!("`axes_dims` {axis_widths:?} do not share out heads of {}", raw.dim / raw.n_heads)));
        }
        if raw.n_refiner_layers > 1 << 10 {
            return Err(unreadable(path, format!("`n_refiner_layers` is {}", raw.n_refiner_layers)));
        }
        if raw.n_kv_heads != raw.n_heads {
            return Err(unreadable(path, format!("`n_kv_heads` is {} and `n_heads` {}", raw.n_kv_heads, raw.n_heads)));
        }
        Ok(Self {
            channels: raw.in_channels,
            width: raw.dim,
            n_layers: raw.n_layers,
            n_refiner_layers: raw.n_refiner_layers,
            n_heads: raw.n_heads,
            caption_width: raw.cap_feat_dim,
            eps: raw.norm_eps,
            rope_theta: raw.rope_theta,
            time_scale: raw.t_scale,
            axis_widths,
            axis_lengths: axes("axes_lens", &raw.axes_lens)?,
        })
    }

    /// Numbers per head.
    pub fn head_width(&self) -> usize {
        self.width / self.n_heads
    }

    /// Numbers per token inside a layer's feed-forward part; eight thirds of the width, rounded as Python does.
    pub fn inner_width(&self) -> usize {
        (self.width as f64 / 3.0 * 8.0) as usize
    }

    /// Numbers that say which time it is.
    pub fn time_width(&self) -> usize {
        self.width.min(256)
    }

    /// The angles `[places, head_width / 2]` in float32, computed in double precision as diffusers does.
    pub fn angles(&self, places: impl Iterator<Item = [usize; N_AXES]>) -> Vec<f32> {
        let frequency = |width: usize, i: usize| 1.0 / self.rope_theta.powf((2 * i) as f64 / width as f64);
        let frequencies = self.axis_widths.map(|width| (0..width / 2).map(|i| frequency(width, i)).collect::<Vec<f64>>());
        let of_place = |place: [usize; N_AXES]| {
            let of_axis = |axis: usize| frequencies[axis].iter().map(move |frequency| (place[axis] as f64 * frequency) as f32);
            (0..N_AXES).flat_map(of_axis).collect::<Vec<f32>>()
        };
        places.flat_map(of_place).collect()
    }
}
