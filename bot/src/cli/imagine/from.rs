//! `--from`: what a picture says of how it was drawn, and where what it was drawn with is on this machine.

use std::{io::BufReader, path::Path};

use anyhow::{Context, bail};
use inference::{
    catalogue::{CatalogueConfig, NamedFile},
    task::{AdapterUse, ImageToImage, Task},
};

use crate::{
    config::Config,
    models::{self, Known},
    pictures,
    pictures::hashes::{Hashes, Part},
    pictures::metadata::{
        self, Found, Origin,
        parameters::{self, NotRead, Recipe, Said},
    },
};

/// Digits of a hash that a person is shown.
const DIGITS: usize = 10;

/// What is drawn again.
#[derive(Clone, Debug)]
pub struct Recalled {
    /// The picture alone, or all of a grid.
    pub task: Task,
    /// Whether the super-resolution network enlarged it.
    pub is_enlarged: bool,
    /// With what it was drawn.
    pub origin: Origin,
    /// The model's name.
    pub model: Option<String>,
    /// What another program's text says of values whose silence means the model's own; `None` for our own record.
    pub said: Option<Said>,
    /// For the person who asked.
    pub notes: Vec<String>,
}

/// Reads a picture's metadata.
///
/// # Errors
/// It cannot be read or has none.
pub fn recall(path: &Path) -> anyhow::Result<Recalled> {
    let shown = path.display();
    let file = pictures::open(path).with_context(|| format!("cannot read the picture {shown}"))?;
    match metadata::read(BufReader::new(file)).with_context(|| format!("cannot read the metadata of {shown}"))? {
        Found::Record(record) => {
            let metadata::Record { mut task, index, is_enlarged, origin } = *record;
            if let (Some(base), Some(index)) = (task.base_mut(), index) {
                (base.seed, base.n_images) = (base.seed.of_image(index), 1);
            }
            let model = task.base().and_then(|base| base.model.clone());
            Ok(Recalled { task, is_enlarged, origin, model, said: None, notes: Vec::new() })
        }
        Found::Parameters(text) => {
            parameters::read(&text).map(of_another_program).with_context(|| format!("{shown} cannot be drawn again"))
        }
        Found::Program(name) => Err(NotRead::Program(name)).with_context(|| format!("{shown} cannot be drawn again")),
        Found::Nothing => bail!("{shown} says nothing of how it was drawn: it has no metadata of Atelier or A1111"),
    }
}

fn of_another_program(recipe: Recipe) -> Recalled {
    let Recipe { base, said, model, strength, notes } = recipe;
    let mut notes: Vec<_> = notes.iter().map(|note| format!("not understood, so left out: {note}")).collect();
    notes.push("another program drew this picture: Atelier's noise is torch's of a CPU, so a picture of it may differ".into());
    let task = match strength {
        Some(strength) => Task::image_to_image(ImageToImage { base, strength }, ""),
        None => Task::from(base),
    };
    Recalled { task, is_enlarged: false, origin: Origin::default(), model, said: Some(said), notes }
}

impl Recalled {
    /// The model on this machine: of the same name and weights, else of the same weights, else of the same name.
    ///
    /// # Errors
    /// There is none; the sentence says how to name it.
    pub fn find_model(&mut self, config: &Config, hashes: &Hashes) -> anyhow::Result<Known> {
        let mut all = models::known(config)?;
        let Some(name) = self.model.clone() else { return Ok(all.swap_remove(0)) };
        let of_name = all.iter().find(|known| known.entry.name == name).cloned();
        let Some(hash) = &self.origin.model_hash else {
            return Ok(of_name.unwrap_or_else(|| {
                self.notes.push(format!("the model `{name}` is not known here; the usual one draws instead"));
                all.swap_remove(0)
            }));
        };
        if let Some(known) = of_name.as_ref().filter(|known| hashes.of_model(&known.entry.path).is_ok_and(|found| found == *hash)) {
            return Ok(known.clone());
        }
        if let Some(path) = hashes.find_model(hash) {
            let mut known = Known::by_path(&path);
            known.entry.name = name;
            return Ok(known);
        }
        let digits: String = hash.chars().take(DIGITS).collect();
        let Some(known) = of_name else {
            bail!("the picture was drawn with the model `{name}` (hash {digits}), which is not known here: name its path with --model");
        };
        self.notes
            .push(format!("the model `{name}` has other weights now (the picture's had the hash {digits}), so the picture will differ"));
        Ok(known)
    }

    /// Whether it was drawn with a LoRA that a file on the command line is meant by: of that name, or that the file is named after.
    pub fn names(&self, file: &NamedFile) -> bool {
        self.task.base().is_some_and(|base| base.all_adapters().iter().any(|used| is_named(file, &used.name)))
    }

    /// Adds what else it was drawn with to what the engine loads; what stands in `given` was named on the command line.
    ///
    /// # Errors
    /// A LoRA is not known here; the sentence says how to name it.
    pub fn find_files(
        &mut self,
        things: &mut CatalogueConfig,
        hashes: &Hashes,
        given: &[NamedFile],
        is_replaced: bool,
    ) -> anyhow::Result<()> {
        let Some(base) = self.task.base() else { return Ok(()) };
        let mut used = base.clone();
        if is_replaced {
            used.adapters.clear();
        }
        for AdapterUse { name, .. } in used.all_adapters() {
            let own = given.iter().find(|file| is_named(file, &name));
            if let Some(own) = own.filter(|_| !things.adapters.iter().any(|file| file.name == name)) {
                things.adapters.push(NamedFile { name: name.clone(), path: own.path.clone() });
            }
            let hash = self.origin.adapter_hashes.get(&name);
            let same = hash.and_then(|hash| hashes.find(hash, Part::Tensors));
            let registered = things.adapters.iter().position(|file| file.name == name);
            match (same, registered) {
                (Some(path), Some(position)) if own.is_none() => things.adapters[position].path = path,
                (Some(path), None) => things.adapters.push(NamedFile { name, path }),
                (None, Some(position)) if is_other(hash, hashes.of_file(&things.adapters[position].path, Part::Tensors)) => {
                    self.notes.push(format!("the LoRA `{name}` has other weights now, so the picture will differ"));
                }
                (_, Some(_)) => {}
                (None, None) => bail!("the picture was drawn with the LoRA `{name}`, which is not known here: name its file with --lora"),
            }
        }
        for (word, hash) in &self.origin.embedding_hashes {
            let registered = things.embeddings.iter().find(|file| file.name == *word);
            match hashes.find(hash, Part::Whole) {
                _ if registered.is_some_and(|file| is_other(Some(hash), hashes.of_file(&file.path, Part::Whole))) => {
                    self.notes.push(format!("the embedding `{word}` has other numbers now, so the picture will differ"));
                }
                _ if registered.is_some() => {}
                Some(path) => things.embeddings.push(NamedFile { name: word.clone(), path }),
                None => self.notes.push(format!("the embedding `{word}` is not known here: name its file with --embedding")),
            }
        }
        Ok(())
    }

    /// Makes the engine take the VAE that the picture was drawn with; a name's own VAE may be another by now.
    pub fn find_vae(&mut self, things: &mut CatalogueConfig, hashes: &Hashes) {
        // Another program's text says nothing of it.
        let (Some(_), Some(model)) = (&self.origin.model_hash, things.models.first_mut()) else { return };
        let Some(hash) = &self.origin.vae_hash else {
            model.vae = None;
            return;
        };
        let is_same = model.vae.as_deref().is_some_and(|path| hashes.of_model(path).is_ok_and(|found| found == *hash));
        if !is_same {
            model.vae = hashes.find(hash, Part::Whole);
        }
        if model.vae.is_none() {
            self.notes.push("the picture was drawn with another VAE, which is not known here: name it with --vae".into());
        }
    }

    /// Computes where and in what type the picture was drawn, unless an option says otherwise.
    pub fn find_device(&mut self, config: &mut Config, is_given: bool) {
        let Origin { device, dtype, .. } = &self.origin;
        let is_here = device == "cpu" || cfg!(feature = "cuda");
        if device.is_empty() {
            return;
        }
        if is_here && !is_given {
            (config.engine.devices, config.model.precision) = (vec![device.clone()], dtype.clone());
        } else if !is_here {
            self.notes.push(format!(
                "the picture was drawn on {device} in {dtype}, which this program does not have, so it will differ slightly"
            ));
        }
    }
}

/// Whether a file goes by a name, or has it before its ending: a picture may say it otherwise than we do.
fn is_named(file: &NamedFile, name: &str) -> bool {
    file.name == name || file.path.file_stem().is_some_and(|stem| stem == name)
}

/// Whether a file's hash is known and another.
fn is_other(expected: Option<&String>, found: std::io::Result<String>) -> bool {
    expected.is_some_and(|expected| found.is_ok_and(|found| found != *expected))
}
