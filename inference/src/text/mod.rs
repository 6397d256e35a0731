//! Prompts as token ids.

pub mod tokenize;

pub use tokenize::Tokenizer;
