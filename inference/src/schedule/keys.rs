//! The keys of a `scheduler_config.json` as they stand in the file.

use serde::{Deserialize, Deserializer, Serialize};

/// Declares the words that keys may have.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident($key:literal) { $($word:ident = $text:literal),+ })+) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
            pub(crate) enum $name {
                $(#[serde(rename = $text)] $word,)+
            }
        )+

        /// Every such key with its words.
        const WORDS: &[(&str, &[&str])] = &[$(($key, &[$($text),+])),+];
    };
}

words! {
    /// How the noise of training grows from timestep to timestep.
    BetaSchedule("beta_schedule") {
        Linear = "linear", ScaledLinear = "scaled_linear", Cosine = "squaredcos_cap_v2", Exponential = "exp", Laplace = "laplace",
        Sigmoid = "sigmoid"
    }
    /// What the network's output means.
    PredictionType("prediction_type") {
        Epsilon = "epsilon", Velocity = "v_prediction", Sample = "sample", Flow = "flow_prediction"
    }
    /// How training timesteps are picked (Lin et al. 2023, table 2): from 0 in equal whole steps, from the last in equal steps, or from the first
    /// to the last, both included.
    Spacing("timestep_spacing") { Leading = "leading", Trailing = "trailing", Linspace = "linspace" }
    /// DDPM's variance (Ho et al. 2020, section 3.2).
    VarianceType("variance_type") {
        Small = "fixed_small", SmallLog = "fixed_small_log", Large = "fixed_large", LargeLog = "fixed_large_log"
    }
    /// Where the last step ends.
    FinalSigmas("final_sigmas_type") { Zero = "zero", SigmaMin = "sigma_min" }
    /// Which exponential integrator DPM-Solver uses: of the noise or of the clean latents, without or with fresh noise.
    AlgorithmType("algorithm_type") {
        DpmSolver = "dpmsolver", DpmSolverPp = "dpmsolver++", SdeDpmSolver = "sde-dpmsolver", SdeDpmSolverPp = "sde-dpmsolver++", Deis = "deis"
    }
    /// How a solver's terms enter: DPM-Solver's of second order, DEIS's, UniPC's.
    SolverType("solver_type") { Midpoint = "midpoint", Heun = "heun", LogRho = "logrho", Bh1 = "bh1", Bh2 = "bh2" }
    /// How Euler's sigmas lie between timesteps.
    Interpolation("interpolation_type") { Linear = "linear", LogLinear = "log_linear" }
    /// What Euler tells the network.
    TimestepType("timestep_type") { Discrete = "discrete", Continuous = "continuous" }
    /// How the shift of flow matching grows with the picture's size.
    TimeShift("time_shift_type") { Exponential = "exponential", Linear = "linear" }
}

/// Why a file is refused.
pub(super) enum Refusal {
    /// It is malformed.
    Json(serde_json::Error),
    /// A key has a value that would silently give other pictures than the model's makers see.
    Unsupported(&'static str, String),
}

/// Every key that changes pictures. Which ones are absent matters: each sampler's class has defaults of its own.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Keys {
    #[serde(rename = "_class_name")]
    pub(crate) class_name: Option<String>,
    pub(crate) num_train_timesteps: Option<usize>,
    pub(crate) beta_start: Option<f64>,
    pub(crate) beta_end: Option<f64>,
    pub(crate) beta_schedule: Option<BetaSchedule>,
    pub(crate) trained_betas: Option<Vec<f32>>,
    pub(crate) rescale_betas_zero_snr: Option<bool>,
    pub(crate) prediction_type: Option<PredictionType>,
    pub(crate) timestep_spacing: Option<Spacing>,
    pub(crate) steps_offset: Option<i64>,
    pub(crate) clip_sample: Option<bool>,
    pub(crate) clip_sample_range: Option<f64>,
    pub(crate) thresholding: Option<bool>,
    pub(crate) dynamic_thresholding_ratio: Option<f64>,
    pub(crate) sample_max_value: Option<f64>,
    pub(crate) set_alpha_to_one: Option<bool>,
    pub(crate) variance_type: Option<VarianceType>,
    pub(crate) skip_prk_steps: Option<bool>,
    pub(crate) final_sigmas_type: Option<FinalSigmas>,
    pub(crate) solver_order: Option<usize>,
    pub(crate) algorithm_type: Option<AlgorithmType>,
    pub(crate) solver_type: Option<SolverType>,
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
    pub(crate) interpolation_type: Option<Interpolation>,
    pub(crate) timestep_type: Option<TimestepType>,
    pub(crate) original_inference_steps: Option<usize>,
    pub(crate) timestep_scaling: Option<f64>,
    pub(crate) shift: Option<f64>,
    pub(crate) use_dynamic_shifting: Option<bool>,
    pub(crate) base_shift: Option<f64>,
    pub(crate) max_shift: Option<f64>,
    pub(crate) base_image_seq_len: Option<u32>,
    pub(crate) max_image_seq_len: Option<u32>,
    pub(crate) time_shift_type: Option<TimeShift>,
    pub(crate) shift_terminal: Option<f64>,
    pub(crate) invert_sigmas: Option<bool>,
    pub(crate) stochastic_sampling: Option<bool>,
}

impl Keys {
    /// Parses the text of the file.
    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
        // Python writes infinities bare, which is no JSON.
        let text = text.replace(": -Infinity", ": null").replace(": Infinity", ": null");
        let json: serde_json::Value = serde_json::from_str(&text).map_err(Refusal::Json)?;
        for &(key, words) in WORDS {
            if let Some(word) = json[key].as_str().filter(|word| !words.contains(word)) {
                return Err(Refusal::Unsupported(key, word.into()));
            }
        }
        let keys: Self = serde_json::from_str(&text).map_err(Refusal::Json)?;
        match keys.unsupported() {
            Some((key, value)) => Err(Refusal::Unsupported(key, value)),
            None => Ok(keys),
        }
    }

    /// The first key, of those whose values are no words, that has one that the engine does not have.
    fn unsupported(&self) -> Option<(&'static str, String)> {
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
