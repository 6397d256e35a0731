//! `atelier models list`: the models that are here.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use indicatif::HumanBytes;
use serde::Serialize;

use super::table;
use crate::{
    config::Config,
    hub::{
        describe::{Family, FileKind, Inspection, describe},
        folder::{Entry, size_bytes},
    },
    models,
    system::printable::visible,
};

/// Options of `atelier models list`.
#[derive(Clone, Debug, clap::Args)]
pub struct ListArgs {
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Report {
    dir: String,
    models: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    name: String,
    /// Absent for what is unfinished or cannot be read.
    kind: Option<FileKind>,
    family: Option<Family>,
    size_bytes: u64,
    /// What a model's network predicts, and what says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    prediction: Option<String>,
    place: Place,
    /// The keys of the configuration that name it.
    named_by: Vec<String>,
    path: PathBuf,
    /// Why it cannot be used.
    fault: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Place {
    BuiltIn,
    ModelsFolder,
    Configuration,
}

/// Prints the models.
///
/// # Errors
/// The models folder cannot be read.
pub fn run(config: &Config, args: &ListArgs) -> anyhow::Result<()> {
    let folder = config.models_folder();
    let skipped = models::found(folder.path()).skipped;
    let mut rows: Vec<_> = built_in().into_iter().map(|(name, path)| row(name, path, Place::BuiltIn)).collect();
    for Entry { name, path, size_bytes, is_unfinished } in folder.entries()? {
        rows.push(match is_unfinished {
            true => Row { size_bytes, fault: Some("unfinished; pull it again to go on".into()), ..empty(name, path, Place::ModelsFolder) },
            false => {
                let fault = skipped.iter().find(|(skipped, _)| *skipped == path).map(|(_, reason)| reason.clone());
                let row = row(name, path, Place::ModelsFolder);
                Row { fault: row.fault.or(fault), ..row }
            }
        });
    }
    for (key, path) in named(config) {
        let is_same = |row: &&mut Row| is_same(&row.path, &path);
        if let Some(row) = rows.iter_mut().find(is_same) {
            row.named_by.push(key);
        } else {
            let name = name_of(&key, &path);
            rows.push(Row { named_by: vec![key], ..row(name, path, Place::Configuration) });
        }
    }
    let mut out = std::io::stdout().lock();
    if args.json {
        let report = Report { dir: folder.path().to_string_lossy().into_owned(), models: rows };
        return Ok(writeln!(out, "{}", serde_json::to_string(&report)?)?);
    }
    let head = ["NAME", "KIND", "FAMILY", "PREDICTS", "SIZE", "WHERE"].map(str::to_owned).to_vec();
    table::write(&mut out, &std::iter::once(head).chain(rows.iter().map(cells)).collect::<Vec<_>>())?;
    writeln!(out, "\nThe models folder is {}.", visible(&folder.path().to_string_lossy()))?;
    if !rows.iter().any(|row| row.place == Place::ModelsFolder) {
        writeln!(out, "It is empty; `atelier models pull OWNER/NAME` downloads a model of the Hugging Face Hub.")?;
    }
    Ok(())
}

/// The models that the program came with.
pub(super) fn built_in() -> Vec<(String, PathBuf)> {
    let starter = models::starter().ok();
    let upscaler = |path: &Path| path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    starter.into_iter().flat_map(|it| [("starter".to_owned(), it.model), (upscaler(&it.upscaler), it.upscaler)]).collect()
}

/// What the configuration names, with the key that does; the built-in ones where it is silent.
pub(super) fn named(config: &Config) -> Vec<(String, PathBuf)> {
    let or_built_in = |path: &Path, index: usize| match path.as_os_str().is_empty() {
        true => built_in().get(index).map(|(_, path)| path.clone()),
        false => Some(path.to_owned()),
    };
    // An alias may be the default model.
    let alias = config.model.path.to_str().filter(|name| !Path::new(name).exists()).and_then(|name| config.aliases.get(name));
    let model = alias.map_or_else(|| or_built_in(&config.model.path, 0), |alias| Some(alias.path.clone()));
    let mut named = Vec::new();
    let mut add =
        |key: String, path: Option<PathBuf>| named.extend(path.filter(|path| !path.as_os_str().is_empty()).map(|path| (key, path)));
    add("model.path".into(), model);
    add("model.upscaler".into(), or_built_in(&config.model.upscaler, 1));
    for (name, alias) in &config.aliases {
        add(format!("aliases.{name}"), Some(alias.path.clone()));
        add(format!("aliases.{name}.vae"), Some(alias.vae.clone()));
    }
    for (table, files) in [("loras", &config.loras), ("embeddings", &config.embeddings)] {
        files.iter().for_each(|(name, path)| add(format!("{table}.{name}"), Some(path.clone())));
    }
    named
}

/// What a path that only the configuration knows is called: by its name there, else as the file.
fn name_of(key: &str, path: &Path) -> String {
    let name = ["aliases.", "loras.", "embeddings."].into_iter().find_map(|table| key.strip_prefix(table));
    name.map_or_else(|| models::name::of_path(path), str::to_owned)
}

/// Whether two paths lead to the same file or folder.
pub(super) fn is_same(a: &Path, b: &Path) -> bool {
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    real(a).is_some_and(|a| real(b) == Some(a))
}

fn empty(name: String, path: PathBuf, place: Place) -> Row {
    Row { name, kind: None, family: None, size_bytes: 0, prediction: None, place, named_by: Vec::new(), path, fault: None }
}

fn row(name: String, path: PathBuf, place: Place) -> Row {
    let size_bytes = size_bytes(&path);
    let row = match describe(&path) {
        Ok(Inspection { kind, family, details, .. }) => {
            let prediction = details.into_iter().find_map(|(label, value)| (label == "prediction").then_some(value));
            Row { kind: Some(kind), family, prediction, ..empty(name, path, place) }
        }
        Err(error) => Row { fault: Some(crate::cli::sentence(&error)), ..empty(name, path, place) },
    };
    Row { size_bytes, ..row }
}

fn cells(row: &Row) -> Vec<String> {
    let place = match row.place {
        Place::BuiltIn => "built in",
        Place::ModelsFolder => "models folder",
        Place::Configuration => "configuration",
    };
    let named = if row.named_by.is_empty() { String::new() } else { format!(" ({})", row.named_by.join(", ")) };
    let fault = row.fault.as_ref().map(|fault| format!(": {fault}")).unwrap_or_default();
    let or_dash = |cell: Option<String>| cell.unwrap_or_else(|| "–".to_owned());
    let kind = or_dash(row.kind.map(|kind| kind.to_string()));
    let kind = kind.split_once(' ').filter(|(article, _)| matches!(*article, "a" | "an")).map_or(kind.as_str(), |(_, kind)| kind);
    let size = HumanBytes(row.size_bytes).to_string();
    let family = or_dash(row.family.map(|family| family.to_string()));
    // The reason stands in `inspect` and in the JSON.
    let first_word = |text: &String| text.split(' ').next().unwrap_or_default().to_owned();
    let prediction = or_dash(row.prediction.as_ref().map(first_word));
    vec![row.name.clone(), kind.to_owned(), family, prediction, size, format!("{place}{named}{fault}")]
}
