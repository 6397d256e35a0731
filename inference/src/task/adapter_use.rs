//! An adapter, and how much of it.

use serde::{Deserialize, Serialize};

use crate::adapter::AdapterWeights;

/// An adapter (LoRA and its kin) and how much of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdapterUse {
    /// The name that the engine knows it by.
    pub name: String,
    /// Factor on its change of the weights.
    pub weight: f64,
    /// Factor on its change of the text encoders' weights; `None` is the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text_encoder_weight: Option<f64>,
}

impl AdapterUse {
    /// An adapter with one weight for all networks.
    pub fn new(name: impl Into<String>, weight: f64) -> Self {
        Self { name: name.into(), weight, text_encoder_weight: None }
    }

    /// Its weights, network by network.
    pub fn weights(&self) -> AdapterWeights {
        AdapterWeights { unet: self.weight, text_encoder: self.text_encoder_weight.unwrap_or(self.weight) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::TextToImage;

    #[test]
    fn adapters_of_task_and_prompt_have_a_weight_for_each_network() {
        let check = |prompt: &str, expected: &[(&str, f64, f64)]| {
            let base = TextToImage { prompt: prompt.into(), adapters: vec![AdapterUse::new("own", 0.7)], ..TextToImage::default() };
            let found = base.all_adapters();
            let found: Vec<_> = found.iter().map(|used| (used.name.as_str(), used.weights().unet, used.weights().text_encoder)).collect();
            assert_eq!(found, [&[("own", 0.7, 0.7)], expected].concat(), "{prompt}");
        };
        check("a fox <lora:ink>", &[("ink", 1.0, 1.0)]);
        check("a fox <lora:ink:0.8:0.5> <lyco:wash:2>", &[("ink", 0.5, 0.8), ("wash", 2.0, 2.0)]);
        check("<lora:ink:te=0.3:unet=0> a fox", &[("ink", 0.0, 0.3)]);
        check("<lora:ink:0:0.5> a fox <lora:wash:0> <lora:oil:0:0>", &[("ink", 0.5, 0.0)]);
    }

    #[test]
    fn a_stored_adapter_of_one_weight_is_read_and_written_as_ever() {
        let stored = r#"{"name":"ink","weight":0.5}"#;
        let read: AdapterUse = serde_json::from_str(stored).expect("an adapter");
        assert_eq!((&read, serde_json::to_string(&read).expect("JSON").as_str()), (&AdapterUse::new("ink", 0.5), stored));
        let both = AdapterUse { text_encoder_weight: Some(0.25), ..read };
        assert_eq!(serde_json::from_str::<AdapterUse>(&serde_json::to_string(&both).expect("JSON")).expect("an adapter"), both);
    }
}
