//! Files and texts from strangers, given to the functions of the program that read them.
//!
//! ```sh
//! cargo install cargo-fuzz
//! cargo +nightly fuzz run weights            # or adapter, embedding, upscaler, prompt, scheduler, state, picture, metadata, line
//! RUSTC_BOOTSTRAP=1 cargo fuzz run --sanitizer none --no-default-features prompt   # stable Rust, the engine's targets only
//! ```
//!
//! What is found goes to `corpus/TARGET/`. Every file there is read by ordinary tests too (`inference/tests/corpus.rs`, `bot/tests/corpus.rs`),
//! which include the modules of this crate, and its mutations with them.

#[cfg(feature = "bot")]
pub mod bot;
pub mod engine;
pub mod mutate;
