//! How much of an adapter goes into each network.

use crate::checkpoint::Part;

/// How much of an adapter goes into each network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdapterWeights {
    /// Factor on its change of the U-Net or transformer.
    pub unet: f64,
    /// Factor on its change of the text encoders.
    pub text_encoder: f64,
}

impl AdapterWeights {
    pub(super) fn of(self, part: Part) -> f64 {
        match part {
            Part::Unet | Part::Transformer => self.unet,
            Part::TextEncoder | Part::TextEncoder2 => self.text_encoder,
        }
    }
}

impl From<f64> for AdapterWeights {
    /// The same for all networks.
    fn from(weight: f64) -> Self {
        Self { unet: weight, text_encoder: weight }
    }
}
