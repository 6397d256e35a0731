//! What is loaded for one run: model, adapters, embeddings, networks.

use std::path::{Path, PathBuf};

use anyhow::bail;
use inference::{
    catalogue::{CatalogueConfig, NamedFile, position_of},
    engine::EngineConfig,
    task::{AdapterUse, Enlarger, Task, TaskKind},
};

use super::{
    args::ImagineArgs,
    from::{self, Recalled},
};
use crate::{
    config::Config,
    models::{self, Known},
    pictures::hashes::Hashes,
    prompt::{PromptError, Typed},
};

/// What is known before the engine starts.
pub struct Prepared {
    /// The configuration with the options that replace its values.
    pub config: Config,
    /// What is drawn with.
    pub things: CatalogueConfig,
    /// How the engine runs.
    pub engine: EngineConfig,
    /// The model.
    pub known: Known,
    /// The prompt with what it says beside its words; `None` where it is drawn as it stands, or none is given.
    pub line: Option<Typed>,
    /// The adapters of `--lora`.
    pub adapters: Vec<AdapterUse>,
    /// The picture that is drawn again.
    pub recalled: Option<Recalled>,
    /// Whether the super-resolution network enlarges the pictures at the end.
    pub is_enlarging: bool,
    /// The super-resolution network for what is only shown.
    pub shows_with: Option<PathBuf>,
    /// For the person who asked.
    pub notes: Vec<String>,
}

/// Finds everything that the options name; reads files, so it runs where blocking is allowed.
///
/// # Errors
/// One sentence: what is not there.
pub fn prepare(mut config: Config, args: &ImagineArgs, hashes: &Hashes) -> anyhow::Result<Prepared> {
    // Nothing at all is a prompt here: pictures without words.
    let is_line = |prompt: &&str| !args.literal && !prompt.trim().is_empty();
    let mut line = args.prompt.as_deref().filter(is_line).map(Typed::read).transpose()?;
    match (&mut line, args.line.0.first()) {
        (Some(line), Some(_)) => line.add(&args.line.0)?,
        (None, Some((name, _))) => bail!("--{name} is a parameter of the prompt: it goes with one, and not with --literal"),
        (_, None) => {}
    }
    let wanted = wanted_model(args, line.as_mut())?;
    let mut recalled = args.from.as_deref().map(from::recall).transpose()?;
    if let Some(recalled) = &mut recalled {
        recalled.find_device(&mut config, args.device.is_some() || args.dtype.is_some());
    }
    // One task runs on one device.
    config.engine.devices = args.device.clone().or(config.engine.devices.first().cloned()).into_iter().collect();
    config.model.precision = args.dtype.clone().unwrap_or(config.model.precision);
    config.model.upscaler = args.upscaler.clone().unwrap_or(config.model.upscaler);
    let mut known = match (&wanted, &mut recalled) {
        (Some(wanted), _) => models::choose(&config, wanted)?,
        (None, Some(recalled)) => recalled.find_model(&config, hashes)?,
        (None, None) => models::known(&config)?.swap_remove(0),
    };
    known.entry.prediction = args.prediction.or(known.entry.prediction);
    if let Some(vae) = &args.vae {
        known.entry.vae = Some(there(vae, "VAE")?);
    }
    let others = &mut known.entry.others;
    others.shift = args.shift.or(others.shift);
    for (given, place, what) in
        [(&args.text_encoder, &mut others.text_encoder, "text encoder"), (&args.tokenizer, &mut others.tokenizer, "tokenizer")]
    {
        if let Some(path) = given {
            *place = Some(there(path, what)?);
        }
    }
    let mut things = models::catalogue_config_of(&config, std::slice::from_ref(&known))?;
    // A name of the configuration that this run does not use may be missing.
    things.adapters.retain(|file| file.path.exists());
    things.embeddings.retain(|file| file.path.exists());
    let tagged = inference::text::Prompt::parse(args.prompt.as_deref().unwrap_or_default());
    let named = args.lora.iter().map(|text| text.rsplit_once(':').map_or(text.as_str(), |(name, _)| name));
    let in_line = line.iter().flat_map(Typed::loras);
    for name in named.chain(tagged.adapters().iter().map(|tag| tag.name.as_str())).chain(in_line) {
        things.adapters.extend(lying_there(&config, name, &things.adapters));
    }
    let given = args.lora.iter().map(|text| adapter(text, &mut things.adapters)).collect::<anyhow::Result<Vec<_>>>()?;
    for path in &args.embedding {
        let file = NamedFile { name: models::name::of_path(path), path: there(path, "embedding")? };
        things.embeddings.retain(|other| other.name != file.name);
        things.embeddings.push(file);
    }
    let mut adapters: Vec<_> = given.iter().map(|given| given.used.clone()).collect();
    if let Some(recalled) = &mut recalled {
        let words = line.as_ref().map(Typed::prompt).or(args.prompt.as_deref());
        if let (Some(words), Some(base)) = (words, recalled.task.base_mut()) {
            // The adapters of the prompt that is replaced are not needed.
            words.clone_into(&mut base.prompt);
        }
        let is_given = |file: &&NamedFile| given.iter().any(|given| given.used.name == file.name);
        let files: Vec<_> = things.adapters.iter().filter(is_given).cloned().collect();
        // A LoRA of the picture's own that is only named, without a weight, keeps the picture's.
        let is_answer = |given: &Given| !given.is_weighted && files.iter().any(|file| file.name == given.used.name && recalled.names(file));
        adapters = given.into_iter().filter(|given| !is_answer(given)).map(|given| given.used).collect();
        recalled.find_files(&mut things, hashes, &files, !adapters.is_empty())?;
        if args.vae.is_none() && wanted.is_none() {
            recalled.find_vae(&mut things, hashes);
        }
    }
    // Of a picture that was enlarged, `--enlarge` writes the one that was drawn too.
    let is_enlarging = args.upscale || !args.enlarge && recalled.as_ref().is_some_and(|recalled| recalled.is_enlarged);
    let task = recalled.as_ref().map(|recalled| &recalled.task);
    let recalled_enlarger = task.and_then(Task::base).and_then(|base| base.hires).map(|hires| hires.enlarger);
    let is_between = args.hires_upscaler.or(recalled_enlarger) == Some(Enlarger::Network);
    let shows_with = things.upscaler.clone().filter(|path| path.exists());
    if !is_enlarging && !args.enlarge && !is_between && !matches!(task.map(|task| &task.kind), Some(TaskKind::Upscale(_))) {
        things.upscaler = None;
    }
    let notes = recalled.as_mut().map(|recalled| std::mem::take(&mut recalled.notes)).unwrap_or_default();
    let engine = models::engine_config(&config)?;
    Ok(Prepared { config, things, engine, known, line, adapters, recalled, is_enlarging, shows_with, notes })
}

/// The model that the prompt or the flag names; in both it may be a path.
fn wanted_model(args: &ImagineArgs, line: Option<&mut Typed>) -> Result<Option<String>, PromptError> {
    match (line.map(Typed::take_model).transpose()?.flatten(), &args.model) {
        (Some((value, first)), Some(flag)) if value != *flag => {
            Err(PromptError::Twice { first, second: format!("--model {}", models::name::quoted(flag)) })
        }
        (Some((value, _)), _) => Ok(Some(value)),
        (None, flag) => Ok(flag.clone()),
    }
}

/// A LoRA of this name in the models folder, where the configuration names none.
fn lying_there(config: &Config, name: &str, known: &[NamedFile]) -> Option<NamedFile> {
    let is_new = models::name::check(name).is_ok() && position_of(known.iter().map(|file| file.name.as_str()), name).is_none();
    let path = models::folder(config).join(format!("{name}.safetensors"));
    (is_new && path.is_file()).then(|| NamedFile { name: name.to_owned(), path })
}

fn there(path: &Path, what: &str) -> anyhow::Result<PathBuf> {
    if path.exists() {
        return Ok(path.to_owned());
    }
    bail!("there is no {what} at {}", path.display())
}

/// A `--lora`.
#[derive(Debug)]
struct Given {
    used: AdapterUse,
    /// Whether it says its weight.
    is_weighted: bool,
}

/// Reads `FILE|NAME[:WEIGHT]`; a file is added to those that the engine knows, under a name of its own.
fn adapter(text: &str, files: &mut Vec<NamedFile>) -> anyhow::Result<Given> {
    let weighted = text.rsplit_once(':').and_then(|(wanted, weight)| Some((wanted, weight.parse::<f64>().ok()?)));
    let (wanted, weight) = weighted.unwrap_or((text, 1.0));
    let given = |name: &str| Given { used: AdapterUse::new(name, weight), is_weighted: weighted.is_some() };
    if !weight.is_finite() {
        bail!("`--lora {text}`: the weight must be a number");
    }
    let path = Path::new(wanted);
    if !wanted.contains(std::path::is_separator) && !path.exists() {
        if position_of(files.iter().map(|file| file.name.as_str()), wanted).is_some() {
            return Ok(given(wanted));
        }
        let names: Vec<_> = files.iter().map(|file| file.name.as_str()).collect();
        let names = if names.is_empty() { "there are no names".into() } else { format!("the names are {}", names.join(", ")) };
        bail!("there is no LoRA `{wanted}`: no file has that path, and {names}");
    }
    let path = there(path, "LoRA")?;
    let stem = models::name::of_path(&path);
    let is_taken = |name: &str| files.iter().any(|file| file.name == name && file.path != path);
    let name = if is_taken(&stem) { models::unlike(&stem, is_taken) } else { stem };
    if !files.iter().any(|file| file.name == name) {
        files.push(NamedFile { name: name.clone(), path });
    }
    Ok(given(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adapters_are_files_or_names_with_a_weight_behind_the_last_colon() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = |name: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(&path, "").expect("a file");
            path.display().to_string()
        };
        let (ink, other_ink, colon) = (file("ink.safetensors"), file("b/ink.safetensors"), file("a:b.safetensors"));
        let mut files = vec![NamedFile { name: "wash".into(), path: "/wash".into() }];
        let mut check = |text: &str, name: &str, weight: f64| {
            assert_eq!(adapter(text, &mut files).expect(text).used, AdapterUse::new(name, weight), "{text}");
        };
        check(&ink, "ink", 1.0);
        check(&format!("{other_ink}:-0.5"), "ink-2", -0.5);
        check(&format!("{ink}:2"), "ink", 2.0);
        check(&colon, "a:b", 1.0);
        check(&format!("{colon}:0.25"), "a:b", 0.25);
        check("wash:.5", "wash", 0.5);
        assert_eq!(files.len(), 4);
        let mut error = |text: &str| adapter(text, &mut files).expect_err(text).to_string();
        assert_eq!(error("wish:1"), "there is no LoRA `wish`: no file has that path, and the names are wash, ink, ink-2, a:b");
        assert_eq!(error("/nowhere/x:1"), "there is no LoRA at /nowhere/x");
        assert_eq!(error("wash:inf"), "`--lora wash:inf`: the weight must be a number");
        assert_eq!(
            adapter("x", &mut Vec::new()).expect_err("none").to_string(),
            "there is no LoRA `x`: no file has that path, and there are no names"
        );
    }
}
