//! The engine's tests against its public face, in one program: every program links everything again.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking and tells what it measured")]

mod catalogue;
mod clip;
mod common;
mod corpus;
mod engine_common;
mod engine_devices;
mod engine_errors;
mod engine_explained;
mod engine_hires;
mod engine_mixed;
mod engine_models;
mod engine_noise;
mod engine_parts;
mod engine_pictures;
mod engine_residency;
mod engine_seamless;
mod engine_states;
mod engine_usage;
mod family_models;
mod model_depths;
mod model_errors;
mod model_families;
mod model_files;
mod model_inspect;
mod model_memory;
mod model_reference;
mod model_rows;
mod model_taesd;
mod model_tiles;
mod model_upscale;
mod stored_weights;
mod text_embeddings;
mod text_prompts;
mod text_reference;
mod z_image;
mod z_image_common;
mod z_image_engine;
mod z_image_files;
mod z_image_lora;
mod z_image_text;
