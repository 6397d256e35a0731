//! The keys of a `scheduler_config.json` as they stand in the file.

use serde::{Deserialize, Deserializer, Serialize};

/// Every key that changes pictures. Which ones are absent matters: each sampler's class has defaults of its own.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Keys {
    #[serde(rename = "_class_name")]
    pub(crate) class_name: Option<String>,
    pub(crate) num_train_timesteps: Option<usize>,
    pub(crate) beta_start: Option<f64>,
    pub(crate) beta_end: Option<f64>,
    pub(crate) beta_schedule: Option<String>,
    pub(crate) trained_betas: Option<Vec<f32>>,
    pub(crate) rescale_betas_zero_snr: Option<bool>,
    pub(crate) prediction_type: Option<String>,
    pub(crate) timestep_spacing: Option<String>,
    pub(crate) steps_offset: Option<i64>,
    pub(crate) clip_sample: Option<bool>,
    pub(crate) clip_sample_range: Option<f64>,
    pub(crate) thresholding: Option<bool>,
    pub(crate) dynamic_thresholding_ratio: Option<f64>,
    pub(crate) sample_max_value: Option<f64>,
    pub(crate) set_alpha_to_one: Option<bool>,
    pub(crate) variance_type: Option<String>,
    pub(crate) skip_prk_steps: Option<bool>,
    pub(crate) final_sigmas_type: Option<String>,
    pub(crate) solver_order: Option<usize>,
    pub(crate) algorithm_type: Option<String>,
    pub(crate) solver_type: Option<String>,
    pub(crate) lower_order_final: Option<bool>,
    pub(crate) euler_at_final: Option<bool>,
    pub(crate) predict_x0: Option<bool>,
    pub(crate) disable_corrector: Option<Vec<usize>>,
    #[serde(deserialize_with = "finite")]
    pub(crate) lambda_min_clipped: Option<f64>,
    pub(crate) use_karras_sigmas: Option<bool>,
    pub(crate) use_exponential_sigmas: Option<bool>,
    pub(crate) use_beta_sigmas: Option<bool>,
    pub(crate) use_lu_lambdas: Option<bool>,
    pub(crate) use_flow_sigmas: Option<bool>,
    pub(crate) flow_shift: Option<f64>,
    pub(crate) sigma_min: Option<f64>,
    pub(crate) sigma_max: Option<f64>,
    pub(crate) interpolation_type: Option<String>,
    pub(crate) timestep_type: Option<String>,
    pub(crate) original_inference_steps: Option<usize>,
    pub(crate) timestep_scaling: Option<f64>,
    pub(crate) shift: Option<f64>,
    pub(crate) use_dynamic_shifting: Option<bool>,
    pub(crate) base_shift: Option<f64>,
    pub(crate) max_shift: Option<f64>,
    pub(crate) base_image_seq_len: Option<u32>,
    pub(crate) max_image_seq_len: Option<u32>,
    pub(crate) time_shift_type: Option<String>,
    pub(crate) shift_terminal: Option<f64>,
    pub(crate) invert_sigmas: Option<bool>,
    pub(crate) stochastic_sampling: Option<bool>,
}

impl Keys {
    /// Parses the text of the file.
    pub(crate) fn parse(text: &str) -> Result<Self, serde_json::Error> {
        // Python writes infinities bare, which is no JSON.
        let text = text.replace(": -Infinity", ": null").replace(": Infinity", ": null");
        serde_json::from_str(&text)
    }

    /// The first key whose value would silently give other pictures than the model's makers see, and that value.
    pub(crate) fn unsupported(&self) -> Option<(&'static str, String)> {
        let words: [(&'static str, &Option<String>, &[&str]); 10] = [
            ("beta_schedule", &self.beta_schedule, &["linear", "scaled_linear", "squaredcos_cap_v2", "exp", "laplace", "sigmoid"]),
            ("prediction_type", &self.prediction_type, &["epsilon", "v_prediction", "sample", "flow_prediction"]),
            ("timestep_spacing", &self.timestep_spacing, &["leading", "trailing", "linspace"]),
            ("variance_type", &self.variance_type, &["fixed_small", "fixed_small_log", "fixed_large", "fixed_large_log"]),
            ("final_sigmas_type", &self.final_sigmas_type, &["zero", "sigma_min"]),
            ("algorithm_type", &self.algorithm_type, &["dpmsolver", "dpmsolver++", "sde-dpmsolver", "sde-dpmsolver++", "deis"]),
            ("solver_type", &self.solver_type, &["midpoint", "heun", "logrho", "bh1", "bh2"]),
            ("interpolation_type", &self.interpolation_type, &["linear", "log_linear"]),
            ("timestep_type", &self.timestep_type, &["discrete", "continuous"]),
            ("time_shift_type", &self.time_shift_type, &["exponential", "linear"]),
        ];
        for (key, value, known) in words {
            if let Some(value) = value.as_deref().filter(|value| !known.contains(value)) {
                return Some((key, value.into()));
            }
        }
        if self.invert_sigmas == Some(true) {
            return Some(("invert_sigmas", "true".into()));
        }
        let (base, max) = self.shifted_tokens();
        if self.use_dynamic_shifting == Some(true) && base >= max {
            return Some(("max_image_seq_len", max.to_string()));
        }
        if let Some(order) = self.solver_order.filter(|order| !(1..=3).contains(order)) {
            return Some(("solver_order", order.to_string()));
        }
        let n = self.n_trained();
        (!(2..=100_000).contains(&n)).then(|| ("num_train_timesteps", n.to_string()))
    }

    /// Timesteps of training.
    pub(crate) fn n_trained(&self) -> usize {
        self.trained_betas.as_ref().map(Vec::len).or(self.num_train_timesteps).unwrap_or(1000)
    }

    /// Tokens of the pictures with the base shift and with the largest.
    pub(crate) fn shifted_tokens(&self) -> (u32, u32) {
        (self.base_image_seq_len.unwrap_or(256), self.max_image_seq_len.unwrap_or(4096))
    }
}

/// A number, or none where the file has anything else (null, or what some programs write for infinity).
fn finite<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    Ok(serde_json::Value::deserialize(deserializer)?.as_f64())
}
