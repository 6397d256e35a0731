//! The models that can be named: the default one, the configuration's aliases, and what lies in the models folder.

use std::path::{Path, PathBuf};

use anyhow::bail;
use inference::{
    catalogue::{CatalogueConfig, Fault, ModelCard, ModelEntry, NamedFile, Shelf, position_of},
    checkpoint::OtherParts,
    sampler::Sampler,
    schedule::{Prediction, ScheduleKind},
    task::Setting,
};

use super::{GUIDANCE_SCALE, STARTER_GUIDANCE_SCALE, engine_config, is_starter, name, starter};
use crate::{
    config::{AliasConfig, Config, DefaultsConfig, how},
    prompt::ModelDefaults,
};

/// What tasks call the built-in model.
pub const STARTER_NAME: &str = "starter";

/// A model that tasks may name, and what the configuration says suits it.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    /// Name and files.
    pub entry: ModelEntry,
    /// What suits it.
    pub settings: AliasConfig,
    /// Whether it only lies in the models folder, and nobody asked for it.
    pub is_found: bool,
}

/// What lies in a models folder.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// Models, by their names.
    pub models: Vec<PathBuf>,
    /// What looks like a model and cannot be drawn with or named, and why.
    pub skipped: Vec<(PathBuf, String)>,
}

impl Known {
    /// A model that only its path names.
    pub fn by_path(path: &Path) -> Self {
        let entry =
            ModelEntry { name: name::of_path(path), path: path.to_owned(), vae: None, others: OtherParts::default(), prediction: None };
        Self { entry, settings: AliasConfig::default(), is_found: false }
    }

    fn by_alias(name: &str, settings: &AliasConfig) -> Self {
        let named = |path: &PathBuf| Some(path.clone()).filter(|path| !path.as_os_str().is_empty());
        let vae = named(&settings.vae);
        let others =
            OtherParts { text_encoder: named(&settings.text_encoder), tokenizer: named(&settings.tokenizer), shift: settings.shift };
        let entry = ModelEntry { name: name.to_owned(), path: settings.path.clone(), vae, others, prediction: settings.prediction };
        Self { entry, settings: settings.clone(), is_found: false }
    }
}

/// Every model that can be named, the default one first; no name comes twice.
///
/// # Errors
/// The starter model is needed and missing.
pub fn known(config: &Config) -> anyhow::Result<Vec<Known>> {
    let mut all = named(config)?;
    for path in found(&folder(config)).models {
        let other = Known { is_found: true, ..Known::by_path(&path) };
        if !all.iter().any(|Known { entry, .. }| entry.name == other.entry.name || entry.path == other.entry.path) {
            all.push(other);
        }
    }
    Ok(all)
}

/// The models that the configuration names, the default one first; no name comes twice.
///
/// # Errors
/// The starter model is needed and missing.
pub fn named(config: &Config) -> anyhow::Result<Vec<Known>> {
    let mut first = default_model(config)?;
    let is_alias_of_another = config.aliases.get(&first.entry.name).is_some_and(|alias| alias.path != first.entry.path);
    if is_alias_of_another {
        first.entry.name = unlike(&first.entry.name, |name| config.aliases.contains_key(name));
    }
    let mut all = vec![first];
    // One model may have several names, each with settings of its own.
    let aliases = config.aliases.iter().map(|(name, settings)| Known::by_alias(name, settings));
    for other in aliases {
        if !all.iter().any(|Known { entry, .. }| entry.name == other.entry.name) {
            all.push(other);
        }
    }
    Ok(all)
}

/// What the catalogue is made of, by the configuration: what it names, and what lies in the models folder.
///
/// # Errors
/// The starter model is needed and missing.
pub fn catalogue_config(config: &Config) -> anyhow::Result<CatalogueConfig> {
    Ok(CatalogueConfig { folders: vec![folder(config)], ..catalogue_config_of(config, &named(config)?)? })
}

/// The same of these models alone, and without what lies in the models folder.
///
/// # Errors
/// A device or precision is wrong.
pub fn catalogue_config_of(config: &Config, models: &[Known]) -> anyhow::Result<CatalogueConfig> {
    let is_named = |path: &Path| !path.as_os_str().is_empty();
    // Another model draws without the built-in network too, so its absence is no error then.
    let upscaler =
        if is_named(&config.model.upscaler) { Some(config.model.upscaler.clone()) } else { starter().ok().map(|it| it.upscaler) };
    Ok(CatalogueConfig {
        models: models.iter().map(|known| known.entry.clone()).collect(),
        adapters: named_files(&config.loras),
        embeddings: named_files(&config.embeddings),
        upscaler,
        folders: Vec::new(),
        name_of: sayable,
        bytes_per_number: engine_config(config)?.bytes_per_number(),
    })
}

/// What something is called that only lies in the models folder.
fn sayable(path: &Path) -> Result<String, String> {
    let name = name::of_path(path);
    name::check(&name).map(|()| name).map_err(|fault| format!("nobody can say its name: {fault}"))
}

fn default_model(config: &Config) -> anyhow::Result<Known> {
    let path = &config.model.path;
    if path.as_os_str().is_empty() {
        let entry =
            ModelEntry { name: STARTER_NAME.into(), path: starter()?.model, vae: None, others: OtherParts::default(), prediction: None };
        return Ok(Known { entry, settings: AliasConfig::default(), is_found: false });
    }
    let alias = config.aliases.iter().find(|(name, alias)| Path::new(name) == path && !path.exists() || alias.path == *path);
    Ok(alias.map_or_else(|| Known::by_path(path), |(name, settings)| Known::by_alias(name, settings)))
}

/// The model that a person named on the command line: a path if it looks like one or is there, else a known name.
///
/// # Errors
/// Neither a path nor a name; the message lists the names.
pub fn choose(config: &Config, wanted: &str) -> anyhow::Result<Known> {
    let path = Path::new(wanted);
    if wanted.contains(std::path::is_separator) || path.exists() {
        return Ok(Known::by_path(path));
    }
    let mut all = known(config)?;
    if let Some(position) = position_of(all.iter().map(|known| known.entry.name.as_str()), wanted) {
        return Ok(all.swap_remove(position));
    }
    if wanted == STARTER_NAME {
        return default_model(&Config::default());
    }
    let names: Vec<_> = all.iter().map(|known| known.entry.name.as_str()).collect();
    bail!("there is no model `{wanted}`: no file or folder has that path, and the names are {}", names.join(", "))
}

/// Where pulled models are.
pub fn folder(config: &Config) -> PathBuf {
    config.models_folder().path().to_owned()
}

/// The models in a folder: what the engine can draw with. A LoRA or VAE that was pulled there is none.
pub fn found(dir: &Path) -> Found {
    let folders = vec![dir.to_owned()];
    let catalogue = Shelf::open_in_part(CatalogueConfig { folders, name_of: sayable, ..CatalogueConfig::default() }).catalogue();
    Found {
        models: catalogue.models().iter().map(|card| card.path.clone()).collect(),
        skipped: catalogue.faults().iter().map(|fault| (fault.path.clone(), reason(fault))).collect(),
    }
}

/// What a fault says to whoever runs the program, with what to do about it.
pub fn reason(fault: &Fault) -> String {
    if fault.is_of_name { format!("{}; name it in `[aliases]`, a LoRA in `[loras]`", fault.reason) } else { fault.reason.clone() }
}

/// The name with the smallest number behind it that is not taken.
pub fn unlike(name: &str, is_taken: impl Fn(&str) -> bool) -> String {
    (2..).map(|n| format!("{name}-{n}")).find(|name| !is_taken(name)).expect("there are more numbers than names")
}

/// Whether everything that the configuration names is there.
///
/// # Errors
/// One sentence about the first that is not: its name and its path.
pub fn check(config: &Config) -> anyhow::Result<()> {
    match missing(config)?.into_iter().next() {
        Some(first) => bail!(first),
        None => Ok(()),
    }
}

/// A sentence about each file or folder that the configuration names and that is not there.
///
/// # Errors
/// The starter model is needed and missing.
pub fn missing(config: &Config) -> anyhow::Result<Vec<String>> {
    let mut files = Vec::new();
    for Known { entry: ModelEntry { name, path, vae, others, .. }, .. } in named(config)? {
        files.push((format!("the model `{name}`"), path));
        files.extend(others.text_encoder.map(|folder| (format!("the text encoder of the model `{name}`"), folder)));
        files.extend(others.tokenizer.map(|folder| (format!("the tokenizer of the model `{name}`"), folder)));
        files.extend(vae.map(|vae| (format!("the VAE of the model `{name}`"), vae)));
    }
    files.extend(config.loras.iter().map(|(name, path)| (format!("the LoRA `{name}`"), path.clone())));
    files.extend(config.embeddings.iter().map(|(name, path)| (format!("the embedding `{name}`"), path.clone())));
    let gone = files.into_iter().filter(|(_, path)| !path.exists());
    Ok(gone.map(|(what, path)| format!("{what} should be at {}, where nothing is", path.display())).collect())
}

/// A table of names and files as the engine takes it.
fn named_files(table: &std::collections::BTreeMap<String, PathBuf>) -> Vec<NamedFile> {
    table.iter().map(|(name, path)| NamedFile { name: name.clone(), path: path.clone() }).collect()
}

/// What is drawn with a model when nobody says otherwise: its alias's settings, else the configuration's, else what suits the model.
pub fn suited(config: &Config, known: &Known, info: &ModelCard) -> ModelDefaults {
    let Known { entry, settings, .. } = known;
    let (sampler, schedule) = chosen_how(config, settings, info.prediction);
    // The built-in model is drawn with few steps here, which its own sampler does not suit.
    let own = if is_starter(&entry.path) { (Sampler::DpmPp2M, ScheduleKind::Normal) } else { (info.sampler, info.schedule) };
    let own_size = settings.width.zip(settings.height);
    ModelDefaults {
        name: entry.name.clone(),
        native_size: own_size.map_or(info.native_size, |(width, height)| inference::task::ImageSize { width, height }),
        size_multiple: info.even_multiple,
        max_side: info.max_side / info.even_multiple.max(1) * info.even_multiple,
        steps: settings.steps.unwrap_or_else(|| steps(config, info)),
        guidance_scale: settings.guidance_scale.unwrap_or_else(|| guidance_scale(config, &entry.path, info)),
        sampler: sampler.unwrap_or(own.0),
        schedule: schedule.unwrap_or(own.1),
        clip_skip: settings.clip_skip.unwrap_or(0),
        negative_prompt: Some(settings.negative_prompt.clone()).filter(|text| !text.is_empty()),
        reads_parts: info.reads(Setting::Parts),
    }
}

/// The sampler and the schedule that the configuration chooses for a model; its usual ones only where that sampler can draw with it.
fn chosen_how(config: &Config, settings: &AliasConfig, prediction: Prediction) -> (Option<Sampler>, Option<ScheduleKind>) {
    // What contradicts itself does not get past the configuration's reader.
    let of = |sampler, schedule| how(sampler, schedule).unwrap_or((None, schedule));
    let own = of(settings.sampler, settings.schedule);
    let usual = match of(config.defaults.sampler, config.defaults.schedule) {
        (Some(sampler), _) if !sampler.fits(prediction) => (None, None),
        usual => usual,
    };
    (own.0.or(usual.0), own.1.or(usual.1))
}

/// What the model's makers draw with goes before a number that nobody chose.
fn steps(config: &Config, info: &ModelCard) -> u32 {
    let (of_makers, configured) = (info.suited.map(|suited| suited.steps), config.defaults.steps);
    of_makers.filter(|_| configured == DefaultsConfig::default().steps).map_or(configured, |steps| steps.min(config.limits.max_steps))
}

fn guidance_scale(config: &Config, path: &Path, info: &ModelCard) -> f64 {
    match config.defaults.guidance_scale {
        0.0 if is_starter(path) => STARTER_GUIDANCE_SCALE,
        0.0 => info.suited.map_or(GUIDANCE_SCALE, |suited| suited.guidance_scale),
        configured => configured,
    }
}

/// A catalogue of the built-in model alone, with what a test makes of its JSON.
#[cfg(test)]
pub(crate) fn test_catalogue(change: impl FnOnce(&mut serde_json::Value)) -> inference::catalogue::Catalogue {
    let config = Config { loras: Default::default(), ..Config::default() };
    let config = catalogue_config_of(&config, &named(&config).expect("the starter is there")).expect("the defaults are right");
    let catalogue = inference::catalogue::Catalogue::open(&config).expect("it is there");
    let mut json = serde_json::to_value(catalogue).expect("JSON");
    change(&mut json);
    serde_json::from_value(json).expect("a catalogue")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        Config::parse(text).expect("a configuration")
    }

    fn names(config: &Config) -> Vec<String> {
        known(config).expect("the starter is there").into_iter().map(|known| known.entry.name).collect()
    }

    #[test]
    fn the_default_comes_first_and_no_name_twice() {
        let aliases = "[aliases.b]\npath = \"/m/b\"\n[aliases.a]\npath = \"/m/a.safetensors\"\n";
        assert_eq!(names(&config(aliases)), ["starter", "a", "b"]);
        assert_eq!(names(&config(&format!("{aliases}[model]\npath = \"b\""))), ["b", "a"], "a default may be an alias");
        assert_eq!(names(&config(&format!("{aliases}[model]\npath = \"/m/a.safetensors\""))), ["a", "b"]);
        assert_eq!(names(&config(&format!("{aliases}[model]\npath = \"/other/a.safetensors\""))), ["a-2", "a", "b"]);
        let twice = format!("{aliases}[aliases.fast]\npath = \"/m/b\"\nsteps = 4");
        assert_eq!(names(&config(&twice)), ["starter", "a", "b", "fast"], "one path under two names");
    }

    #[test]
    fn what_lies_in_the_models_folder_is_known_by_its_name() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let models = folder.path().join("models");
        for path in ["no-model/model_index.json", "lora.safetensors", "half.safetensors.part", "notes.txt", ".hidden/model_index.json"] {
            let path = models.join(path);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(path, "").expect("a file");
        }
        for name in ["tiny", "one"] {
            std::os::unix::fs::symlink(starter().expect("the source tree has it").model, models.join(name)).expect("a link");
        }
        let mut config = config("[aliases.one]\npath = \"/elsewhere\"");
        config.data.dir = folder.path().to_owned();
        assert_eq!(names(&config), ["starter", "one", "tiny"]);
        assert_eq!(choose(&config, "tiny").expect("known").entry.path, models.join("tiny"));
        assert_eq!(choose(&config, "one").expect("known").entry.path, Path::new("/elsewhere"));
        let error = choose(&config, "two").expect_err("unknown").to_string();
        assert_eq!(error, "there is no model `two`: no file or folder has that path, and the names are starter, one, tiny");
        assert_eq!(choose(&config, "/no/such").expect("a path").entry.name, "such");
    }

    #[test]
    fn whatever_a_model_is_called_its_name_can_be_said_or_the_reason_is() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let models = folder.path().join("models");
        std::fs::create_dir(&models).expect("a folder");
        let sayable = ["Dreamy Mix [v1.2] (fp16)", "my style", "e\u{301}mail", "モデル", "it's", "a_b"];
        let unsayable = ["a:b", "<x>", "two  spaces", "a\u{202e}b", "esc\u{1b}[31m", "say \"x\"", "-rf", "a, b"];
        for name in sayable.into_iter().chain(unsayable) {
            std::os::unix::fs::symlink(starter().expect("the source tree has it").model, models.join(name)).expect("a link");
        }
        let broken = models.join("broken");
        std::fs::create_dir(&broken).expect("a folder");
        std::fs::write(broken.join("model_index.json"), "{}").expect("a file");
        let mut config = config("");
        config.data.dir = folder.path().to_owned();
        for known in &known(&config).expect("the starter is there")[1..] {
            let Known { entry, is_found, .. } = known;
            assert!(*is_found && choose(&config, &entry.name).expect(&entry.name).entry.path == entry.path, "{}", entry.name);
        }
        assert_eq!(names(&config).len(), 1 + sayable.len());
        assert_eq!(choose(&config, "Dreamy_Mix_[v1.2]_(fp16)").expect("as it was said before").entry.name, sayable[0]);
        assert_eq!(choose(&config, "a_b").expect("a name of its own").entry.name, "a_b");
        let skipped = found(&models).skipped;
        for name in unsayable {
            let (_, reason) = skipped.iter().find(|(path, _)| *path == models.join(name)).expect(name);
            assert!(reason.starts_with("nobody can say its name: a name has 1 to 80") && reason.contains("this one "), "{reason}");
        }
        let (_, reason) = skipped.iter().find(|(path, _)| *path == broken).expect("it looks like a model");
        assert!(reason.contains("a pipeline without `_class_name`"), "{reason}");
    }

    #[test]
    fn missing_files_are_named_with_their_table() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = config(&format!(
            "[aliases.a]\npath = {:?}\nvae = \"/n/vae\"\n[aliases.b]\npath = \"/n/b\"\n[loras]\nink = \"/n/ink\"\n[embeddings]\nhands = \"/n/h\"",
            folder.path()
        ));
        assert_eq!(
            missing(&config).expect("the starter is there"),
            [
                "the VAE of the model `a` should be at /n/vae, where nothing is",
                "the model `b` should be at /n/b, where nothing is",
                "the LoRA `ink` should be at /n/ink, where nothing is",
                "the embedding `hands` should be at /n/h, where nothing is",
            ]
        );
        assert!(check(&config).is_err() && check(&Config::default()).is_ok());
    }
}
