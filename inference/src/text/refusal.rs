//! Why a prompt is refused.

/// The largest weight of a word, and the smallest is its negative.
pub const MAX_WEIGHT: f64 = 100.0;

/// Why a prompt is refused.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, thiserror::Error)]
pub enum PromptError {
    /// A weight out of range.
    #[error("the weight {0} in the prompt is out of range: weights go from -{MAX_WEIGHT} to {MAX_WEIGHT}")]
    Weight(f64),
    /// An adapter's weight that is not a number or out of range.
    #[error("`{tag}` in the prompt: the weight must be a number from -{MAX_WEIGHT} to {MAX_WEIGHT}")]
    AdapterWeight {
        /// The tag as typed.
        tag: String,
    },
    /// More tokens than the encoders are asked to read.
    #[error("the prompt needs {found} chunks of {chunk} tokens, at most {max} are read; make it shorter or use fewer `BREAK`s")]
    TooLong {
        /// Chunks that it would need.
        found: usize,
        /// Tokens in a chunk.
        chunk: usize,
        /// The largest number of chunks.
        max: usize,
    },
    /// Parts whose weights leave nothing to draw.
    #[error("the weights of the prompt's parts add up to {sum}: together they must be more than 0")]
    NoWeight {
        /// Their sum.
        sum: f64,
    },
    /// More parts than are encoded.
    #[error("the prompt has {found} parts, at most {max} are read")]
    TooManyParts {
        /// The parts.
        found: usize,
        /// The most.
        max: usize,
    },
    /// More layers left out than there are.
    #[error("clip skip must be at most {max} for this model, not {found}")]
    ClipSkip {
        /// The value.
        found: u32,
        /// The largest.
        max: usize,
    },
}
