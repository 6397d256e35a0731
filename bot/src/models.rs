//! Where models are: the built-in starter model, found from any working directory, and what the configuration names.

mod at_work;
mod catalog;
pub mod guide;
pub mod name;
pub mod stock;
pub mod vocabulary;

use std::path::{Path, PathBuf};

use anyhow::bail;
use inference::{catalogue::ModelCard, engine::EngineConfig};

pub use at_work::Models;
#[cfg(test)]
pub(crate) use catalog::test_catalogue;
pub use catalog::{
    Found, Known, STARTER_NAME, catalogue_config, catalogue_config_of, check, choose, folder, found, known, missing, named, suited, unlike,
};
pub use guide::Guide;
pub use stock::{Offered, Stock};

use crate::config::Config;

/// Guidance scale of the starter model, from its model card.
const STARTER_GUIDANCE_SCALE: f64 = 4.0;
/// Guidance scale of other models, the usual one of Stable Diffusion.
const GUIDANCE_SCALE: f64 = 7.5;

/// The built-in model and super-resolution network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Starter {
    /// A diffusers folder.
    pub model: PathBuf,
    /// A `.safetensors` file.
    pub upscaler: PathBuf,
    /// A folder with what people are told of the model.
    pub guide: PathBuf,
}

impl Starter {
    fn inside(folder: &Path) -> Self {
        Self {
            model: folder.join("model"),
            upscaler: folder.join("upscaler/realesr-animevideov3-x4.safetensors"),
            guide: folder.join("guide"),
        }
    }

    fn exists(&self) -> bool {
        self.model.join("model_index.json").is_file() && self.upscaler.is_file()
    }
}

/// Finds the starter model: beside the program, in `../share/atelier`, in the source tree, in the working directory.
///
/// # Errors
/// It is at none of these places; the message lists them.
pub fn starter() -> anyhow::Result<Starter> {
    let program = std::env::current_exe().and_then(std::fs::canonicalize);
    let mut places = Vec::new();
    if let Some(folder) = program.as_deref().ok().and_then(Path::parent) {
        places.push(folder.join("models/starter"));
        places.extend(folder.parent().map(|prefix| prefix.join("share/atelier/models/starter")));
    }
    places.push(Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("models/starter"));
    places.extend(std::env::current_dir().map(|folder| folder.join("models/starter")));
    first_starter(&places)
}

fn first_starter(places: &[PathBuf]) -> anyhow::Result<Starter> {
    if let Some(starter) = places.iter().map(|place| Starter::inside(place)).find(Starter::exists) {
        return Ok(starter);
    }
    let places: Vec<_> = places.iter().map(|place| place.display().to_string()).collect();
    bail!("the starter model is at none of {}; set `model.path` to the folder of a model", places.join(", "))
}

/// How the engine runs, by the configuration.
///
/// # Errors
/// A device or precision is wrong.
pub fn engine_config(config: &Config) -> anyhow::Result<EngineConfig> {
    Ok(EngineConfig {
        memory_bytes: Some(config.engine.memory_mib).filter(|&mib| mib > 0).map(|mib| mib.saturating_mul(1 << 20)),
        devices: config.devices()?,
        precision: config.precision()?,
        max_batch_rows: config.engine.max_batch_rows,
        preview_every: config.engine.preview_every,
    })
}

/// Whether a folder is the built-in model.
pub fn is_starter(model_dir: &Path) -> bool {
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    real(model_dir).is_some_and(|model_dir| starter().is_ok_and(|starter| real(&starter.model) == Some(model_dir)))
}

/// Whether the configuration draws with the built-in model, by silence or by name.
pub fn is_configured_starter(config: &Config) -> bool {
    config.model.path.as_os_str().is_empty() || is_starter(&config.model.path)
}

/// What the built-in model is called for people.
pub const STARTER: &str = "starter model";

/// The model's name for people.
pub fn display_name(info: &ModelCard) -> String {
    if is_starter(&info.path) { STARTER.to_owned() } else { info.name.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_complete_folder_wins() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let places = ["half", "first", "second"].map(|name| root.path().join(name));
        for place in &places {
            let starter = Starter::inside(place);
            for file in [starter.model.join("model_index.json"), starter.upscaler] {
                std::fs::create_dir_all(file.parent().expect("a parent")).expect("a folder");
                std::fs::write(file, "{}").expect("a file");
            }
        }
        std::fs::remove_file(Starter::inside(&places[0]).upscaler).expect("the file is there");
        assert_eq!(first_starter(&places).expect("two are complete"), Starter::inside(&places[1]));
    }

    #[test]
    fn the_error_lists_every_place() {
        let error = first_starter(&["/nowhere/a".into(), "/nowhere/b".into()]).expect_err("nothing is there").to_string();
        assert!(error.contains("/nowhere/a, /nowhere/b; set `model.path`"), "{error}");
    }
}
