//! What the network of a single file was trained to predict, and what says so: no shape tells it.

use std::collections::BTreeMap;

use super::{Family, Weights, ldm::UNET};

/// The key of a schedule's configuration that says where its `prediction_type` is from; ours alone.
pub(super) const SAID_BY: &str = "_prediction_said_by";
/// Stable Diffusion 2 predicts the velocity if this bias spreads more. From ComfyUI's `comfy/supported_models.py`, `SD20.model_type`.
const MAX_SPREAD_OF_EPSILON: f64 = 0.09;
const MEASURED: &str = "output_blocks.11.1.transformer_blocks.0.norm1.bias";

/// A prediction as diffusers calls it, and why.
pub(super) struct Decided {
    pub(super) prediction: &'static str,
    pub(super) said_by: String,
}

const VELOCITY: &str = "v_prediction";
const EPSILON: &str = "epsilon";

/// Decides by what the file says: its marker, its maker's remarks, and where nothing is said what is measured, else what is usual.
pub(super) fn of_file(weights: &Weights, family: Family, in_channels: usize) -> Decided {
    if weights.has("v_pred") {
        return Decided { prediction: VELOCITY, said_by: "the file's tensor `v_pred`".to_owned() };
    }
    if let Some(decided) = of_remarks(weights.metadata()) {
        return decided;
    }
    if family == Family::StableDiffusion2 && in_channels == 4 {
        return match spread(weights) {
            Some(spread) => Decided {
                prediction: if spread > MAX_SPREAD_OF_EPSILON { VELOCITY } else { EPSILON },
                said_by: format!("measured: a bias spreads by {spread:.3}, and over {MAX_SPREAD_OF_EPSILON} means v"),
            },
            None => Decided { prediction: VELOCITY, said_by: "a guess: most models of this family do".to_owned() },
        };
    }
    Decided { prediction: EPSILON, said_by: "a guess: the file does not say, and most models of this family do".to_owned() }
}

/// What trainers write: `modelspec` (Stability AI's ModelSpec 1.0) and kohya's own remarks.
fn of_remarks(remarks: &BTreeMap<String, String>) -> Option<Decided> {
    let remark = |key: &'static str| Some((key, remarks.get(key)?.trim().to_lowercase()));
    let decided =
        |prediction, (key, value): (&str, String)| Some(Decided { prediction, said_by: format!("the file's remark {key} = {value}") });
    if let Some((key, value)) = remark("modelspec.prediction_type") {
        match value.replace(['-', ' '], "_").as_str() {
            "v" | "v_pred" | "v_prediction" | "velocity" | "vpred" => return decided(VELOCITY, (key, value)),
            "eps" | "epsilon" | "noise" | "eps_prediction" | "epsilon_prediction" => return decided(EPSILON, (key, value)),
            _ => {}
        }
    }
    if let Some((key, value)) = remark("ss_v_parameterization") {
        match value.as_str() {
            "true" | "1" => return decided(VELOCITY, (key, value)),
            "false" | "0" => return decided(EPSILON, (key, value)),
            _ => {}
        }
    }
    let (key, value) = remark("modelspec.architecture")?;
    let value = value.split('/').next().unwrap_or_default().to_owned();
    match value.as_str() {
        "stable-diffusion-v2-768-v" => decided(VELOCITY, (key, value)),
        "stable-diffusion-v2-512" => decided(EPSILON, (key, value)),
        _ => None,
    }
}

/// The standard deviation of a bias of the last level.
fn spread(weights: &Weights) -> Option<f64> {
    let name = format!("{UNET}{MEASURED}");
    let shape = weights.shape(&name).ok()?.to_vec();
    let values: Vec<f32> = weights.tensor(&name, &shape).ok()?.flatten_all().ok()?.to_vec1().ok()?;
    let n = values.len() as f64;
    let mean = values.iter().map(|value| f64::from(*value)).sum::<f64>() / n;
    let square = values.iter().map(|value| (f64::from(*value) - mean).powi(2)).sum::<f64>() / n;
    Some(square.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remarks_of_trainers_are_read_in_every_spelling() {
        for (key, value, expected) in [
            ("modelspec.prediction_type", "v", Some(VELOCITY)),
            ("modelspec.prediction_type", "V-Prediction", Some(VELOCITY)),
            ("modelspec.prediction_type", "v_prediction", Some(VELOCITY)),
            ("modelspec.prediction_type", "velocity", Some(VELOCITY)),
            ("modelspec.prediction_type", "epsilon", Some(EPSILON)),
            ("modelspec.prediction_type", "eps", Some(EPSILON)),
            ("modelspec.prediction_type", "rectified flow", None),
            ("ss_v_parameterization", "True", Some(VELOCITY)),
            ("ss_v_parameterization", "False", Some(EPSILON)),
            ("modelspec.architecture", "stable-diffusion-v2-768-v", Some(VELOCITY)),
            ("modelspec.architecture", "stable-diffusion-v2-768-v/lora", Some(VELOCITY)),
            ("modelspec.architecture", "stable-diffusion-v2-512", Some(EPSILON)),
            ("modelspec.architecture", "stable-diffusion-xl-v1-base", None),
            ("title", "v_prediction", None),
        ] {
            let remarks = BTreeMap::from([(key.to_owned(), value.to_owned())]);
            let found = of_remarks(&remarks);
            assert_eq!(found.as_ref().map(|found| found.prediction), expected, "{key} = {value}");
            assert!(found.is_none_or(|found| found.said_by.contains(key)));
        }
    }
}
