//! Prompts: from what somebody typed to the tensors that the U-Net looks at.

mod brackets;
mod chunks;
pub mod clip;
mod emphasis;
pub mod encode;
mod encoder;
mod learned_words;
mod lengths;
mod parts;
pub mod prompt;
pub mod qwen3;
mod refusal;
pub mod tags;
pub mod textual_inversion;
pub mod tokenize;
mod unread;
mod words;

pub use encode::{TextEncoders, TextOptions};
pub use encoder::EncoderFiles;
pub(crate) use learned_words::mentions;
pub(crate) use lengths::{ChatShape, Cut, EncoderShape, PromptLengths, PromptMeasure, message};
pub use parts::{MAX_PARTS, PromptPart, is_parted, parts};
pub use prompt::{Piece, Prompt};
pub use refusal::{MAX_WEIGHT, PromptError};
pub use tags::AdapterTag;
pub use textual_inversion::Embedding;
pub use tokenize::Tokenizer;
pub use unread::{Unread, without_meaning};
pub use words::WordPlace;
