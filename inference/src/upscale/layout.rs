//! Where the three namings of ESRGAN's files keep each convolution.

use crate::{checkpoint::Weights, error::InferenceError};

/// The convolutions of an RRDBNet, in the order in which it runs them.
pub(super) struct Layout {
    pub(super) first: Weights,
    /// Each block's three dense blocks of five convolutions.
    pub(super) blocks: Vec<[[Weights; 5]; 3]>,
    pub(super) body: Weights,
    /// After each doubling.
    pub(super) doublings: Vec<Weights>,
    pub(super) hr: Weights,
    pub(super) last: Weights,
}

#[derive(Clone, Copy)]
struct Names {
    blocks: &'static str,
    dense: &'static str,
    body: &'static str,
    doubling: &'static str,
    hr: &'static str,
}

/// BasicSR's and Real-ESRGAN's.
const NEW: Names = Names { blocks: "body", dense: "rdb", body: "conv_body", doubling: "conv_up", hr: "conv_hr" };
/// The official ESRGAN's second, also BSRGAN's.
const TRUNK: Names = Names { blocks: "RRDB_trunk", dense: "RDB", body: "trunk_conv", doubling: "upconv", hr: "HRconv" };

impl Layout {
    /// `None` where the file holds another network.
    pub(super) fn of(weights: &Weights) -> Result<Option<Self>, InferenceError> {
        if weights.has("body.0.rdb1.conv1.weight") {
            Ok(Some(Self::new(weights, NEW)))
        } else if weights.has("RRDB_trunk.0.RDB1.conv1.weight") {
            Ok(Some(Self::new(weights, TRUNK)))
        } else if weights.has("model.1.sub.0.RDB1.conv1.0.weight") {
            Self::old(&weights.at("model")).map(Some)
        } else {
            Ok(None)
        }
    }

    fn new(weights: &Weights, names: Names) -> Self {
        let conv =
            |block: usize, dense: usize, conv: usize| weights.at(format!("{}.{block}.{}{dense}.conv{conv}", names.blocks, names.dense));
        let doubling = |i: usize| weights.at(format!("{}{i}", names.doubling));
        Self {
            first: weights.at("conv_first"),
            blocks: blocks(conv),
            body: weights.at(names.body),
            doublings: (1..).map(doubling).take_while(is_there).collect(),
            hr: weights.at(names.hr),
            last: weights.at("conv_last"),
        }
    }

    /// The first ESRGAN's numbers: blocks in `1.sub`, then every third number a doubling's convolution, and two at the end.
    fn old(weights: &Weights) -> Result<Self, InferenceError> {
        let conv = |block: usize, dense: usize, conv: usize| weights.at(format!("1.sub.{block}.RDB{dense}.conv{conv}.0"));
        let blocks = blocks(conv);
        let mut tail: Vec<Weights> = (2..32).map(|i| weights.at(i)).filter(is_there).collect();
        let (Some(last), Some(hr)) = (tail.pop(), tail.pop()) else {
            return Err(InferenceError::MissingTensor { path: weights.path().to_owned(), tensor: "model.10.weight".to_owned() });
        };
        Ok(Self { first: weights.at(0), body: weights.at(format!("1.sub.{}", blocks.len())), blocks, doublings: tail, hr, last })
    }
}

fn blocks(conv: impl Fn(usize, usize, usize) -> Weights) -> Vec<[[Weights; 5]; 3]> {
    let n_blocks = (0..).take_while(|block| is_there(&conv(*block, 1, 1))).count();
    (0..n_blocks).map(|block| std::array::from_fn(|dense| std::array::from_fn(|i| conv(block, dense + 1, i + 1)))).collect()
}

fn is_there(weights: &Weights) -> bool {
    weights.has("weight")
}
