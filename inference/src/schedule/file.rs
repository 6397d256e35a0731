//! The keys of a `scheduler_config.json` as they stand in the file.

use serde::{Deserialize, Deserializer};

/// Every key that changes pictures. Which ones are absent matters: each sampler's class has defaults of its own.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct File {
    #[serde(rename = "_class_name")]
    pub(super) class_name: Option<String>,
    pub(super) num_train_timesteps: Option<usize>,
    pub(super) beta_start: Option<f64>,
    pub(super) beta_end: Option<f64>,
    pub(super) beta_schedule: Option<String>,
    pub(super) trained_betas: Option<Vec<f32>>,
    pub(super) rescale_betas_zero_snr: Option<bool>,
    pub(super) prediction_type: Option<String>,
    pub(super) timestep_spacing: Option<String>,
    pub(super) steps_offset: Option<i64>,
    pub(super) clip_sample: Option<bool>,
    pub(super) clip_sample_range: Option<f64>,
    pub(super) thresholding: Option<bool>,
    pub(super) dynamic_thresholding_ratio: Option<f64>,
    pub(super) sample_max_value: Option<f64>,
    pub(super) set_alpha_to_one: Option<bool>,
    pub(super) variance_type: Option<String>,
    pub(super) skip_prk_steps: Option<bool>,
    pub(super) final_sigmas_type: Option<String>,
    pub(super) solver_order: Option<usize>,
    pub(super) algorithm_type: Option<String>,
    pub(super) solver_type: Option<String>,
    pub(super) lower_order_final: Option<bool>,
    pub(super) euler_at_final: Option<bool>,
    pub(super) predict_x0: Option<bool>,
    pub(super) disable_corrector: Option<Vec<usize>>,
    #[serde(deserialize_with = "finite")]
    pub(super) lambda_min_clipped: Option<f64>,
    pub(super) use_karras_sigmas: Option<bool>,
    pub(super) use_exponential_sigmas: Option<bool>,
    pub(super) use_beta_sigmas: Option<bool>,
    pub(super) use_lu_lambdas: Option<bool>,
    pub(super) use_flow_sigmas: Option<bool>,
    pub(super) flow_shift: Option<f64>,
    pub(super) sigma_min: Option<f64>,
    pub(super) sigma_max: Option<f64>,
    pub(super) interpolation_type: Option<String>,
    pub(super) timestep_type: Option<String>,
    pub(super) original_inference_steps: Option<usize>,
    pub(super) timestep_scaling: Option<f64>,
    pub(super) shift: Option<f64>,
    pub(super) use_dynamic_shifting: Option<bool>,
    pub(super) base_shift: Option<f64>,
    pub(super) max_shift: Option<f64>,
    pub(super) base_image_seq_len: Option<u32>,
    pub(super) max_image_seq_len: Option<u32>,
    pub(super) time_shift_type: Option<String>,
    pub(super) shift_terminal: Option<f64>,
    pub(super) invert_sigmas: Option<bool>,
    pub(super) stochastic_sampling: Option<bool>,
}

impl File {
    /// Parses the text of the file.
    pub(super) fn parse(text: &str) -> Result<Self, serde_json::Error> {
        // Python writes infinities bare, which is no JSON.
        let text = text.replace(": -Infinity", ": null").replace(": Infinity", ": null");
        serde_json::from_str(&text)
    }

    /// The first key whose value would silently give other pictures than the model's makers see, and that value.
    pub(super) fn unsupported(&self) -> Option<(&'static str, String)> {
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
        let n = self.trained_betas.as_ref().map(Vec::len).or(self.num_train_timesteps).unwrap_or(1000);
        (!(2..=100_000).contains(&n)).then(|| ("num_train_timesteps", n.to_string()))
    }

    /// Tokens of the pictures with the base shift and with the largest.
    pub(super) fn shifted_tokens(&self) -> (u32, u32) {
        (self.base_image_seq_len.unwrap_or(256), self.max_image_seq_len.unwrap_or(4096))
    }
}

/// A number, or none where the file has anything else (null, or what some programs write for infinity).
fn finite<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    Ok(serde_json::Value::deserialize(deserializer)?.as_f64())
}
