//! Atelier's diffusion engine: what to make, and the device threads that make it. Knows no Discord, no SQL, no user and no guild.
//!
//! A [`Catalogue`] says what there is to draw with, from configurations and file headers alone; a [`Task`] says what to make; an [`Engine`] makes
//! the tasks of many callers in batches, and tells each how it goes. Nothing of it is async but waiting for events, in any executor.
//!
//! ```
//! use std::sync::Arc;
//!
//! use inference::{CatalogueConfig, Engine, EngineConfig, Event, ModelEntry, Shelf, Submission, Task, TextToImage, task::ImageSize};
//!
//! # fn main() -> Result<(), inference::InferenceError> {
//! # let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/starter/model");
//! let models = vec![ModelEntry::new("starter", folder)];
//! let shelf = Arc::new(Shelf::open(CatalogueConfig { models, ..CatalogueConfig::default() })?);
//! let engine = Engine::start(EngineConfig::default(), shelf.clone())?;
//!
//! let task = Task::from(TextToImage { prompt: "a frog".into(), size: ImageSize::new(64, 64), steps: 2, ..TextToImage::default() });
//! println!("{:.3} row-megapixels", shelf.catalogue().check(&task)?.cost);
//! let mut drawing = engine.submit(Submission::new(task))?;
//! let mut pictures = Vec::new();
//! while let Some(event) = futures::executor::block_on(drawing.next()) {
//!     match event {
//!         Event::Image(finished) => pictures.push(finished.image),
//!         Event::Failed(error) => return Err(inference::InferenceError::Shared(error)),
//!         _ => {}
//!     }
//! }
//! assert_eq!(pictures[0].dimensions(), (64, 64));
//! # Ok(())
//! # }
//! ```

#![warn(missing_docs)]

pub mod adapter;
mod batcher;
pub mod catalogue;
pub mod checkpoint;
pub mod clip;
pub mod engine;
pub mod error;
pub mod family;
mod host;
mod layers;
pub mod noise;
mod ops;
mod part;
mod pixels;
mod preview;
pub mod sampler;
pub mod schedule;
pub mod state;
pub mod task;
mod telemetry;
pub mod text;
mod trajectory;
pub mod upscale;
pub mod vae;

pub use catalogue::{Catalogue, CatalogueConfig, ModelEntry, Quote, Shelf};
pub use engine::{Engine, EngineConfig, Event, Submission, TaskHandle};
pub use error::{InferenceError, InvalidTask};
pub use sampler::Sampler;
pub use schedule::ScheduleKind;
pub use task::{Task, TextToImage};
