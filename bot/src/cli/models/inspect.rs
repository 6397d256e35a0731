//! `atelier models inspect`: what a file or folder is.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use serde::Serialize;

use super::table;
use crate::{
    config::Config,
    hub::{
        describe::{Family, FileKind, Inspection, describe},
        folder::size_bytes,
        refuse,
        sha256::{self, Sha256Hex},
    },
    system::printable::{printable, shell_quote, visible},
};

/// Longer values of a file's own notes are cut in the table; `--json` has all of them.
const MAX_VALUE_CHARS: usize = 100;
/// Lines of a file's own notes in the table.
const MAX_NOTES: usize = 12;

/// Options of `atelier models inspect`.
#[derive(Clone, Debug, clap::Args)]
pub struct InspectArgs {
    /// A .safetensors file, a model's folder in the diffusers layout, or the name of a pulled model
    #[arg(value_name = "FILE|DIR")]
    pub path: PathBuf,
    /// Compute the sha256 too; of a folder, that of each .safetensors file
    #[arg(long)]
    pub hash: bool,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Report {
    path: String,
    kind: FileKind,
    family: Option<Family>,
    size_bytes: u64,
    n_parameters: u64,
    dtypes: Vec<Count>,
    details: Vec<Labelled>,
    metadata: Vec<Labelled>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<Vec<Hashed>>,
}

#[derive(Debug, Serialize)]
struct Count {
    dtype: String,
    n_values: u64,
}

#[derive(Debug, Serialize)]
struct Labelled {
    label: String,
    value: String,
}

#[derive(Debug, Serialize)]
struct Hashed {
    file: String,
    sha256: Sha256Hex,
}

/// Prints what the file or folder is.
///
/// # Errors
/// One sentence for the person who asked.
pub fn run(config: &Config, args: &InspectArgs) -> anyhow::Result<()> {
    let path = place(config, &args.path)?;
    let Inspection { kind, family, n_parameters, dtypes, details, metadata } = describe(&path)?;
    let labelled = |pairs: Vec<(String, String)>| pairs.into_iter().map(|(label, value)| Labelled { label, value }).collect();
    let report = Report {
        path: path.to_string_lossy().into_owned(),
        kind,
        family,
        size_bytes: size_bytes(&path),
        n_parameters,
        dtypes: dtypes.into_iter().map(|(dtype, n_values)| Count { dtype, n_values }).collect(),
        details: labelled(details),
        metadata: labelled(metadata),
        sha256: args.hash.then(|| hashes(&path)).transpose()?,
    };
    let mut out = std::io::stdout().lock();
    if args.json {
        return Ok(writeln!(out, "{}", serde_json::to_string(&report)?)?);
    }
    table::write(&mut out, &rows(&report))?;
    if let Some(hint) = hint(kind, &path) {
        writeln!(out, "\n{hint}")?;
    }
    Ok(())
}

/// The path as it is typed, or that of the pulled model of this name.
fn place(config: &Config, typed: &Path) -> anyhow::Result<PathBuf> {
    if typed.exists() {
        return Ok(typed.to_owned());
    }
    let models = config.models_folder();
    match typed.to_str().and_then(|name| models.find(name)) {
        Some(path) => Ok(path),
        None => bail!(
            "there is no file, folder or pulled model `{}`; `atelier models list` shows those in {}",
            typed.display(),
            models.path().display()
        ),
    }
}

fn rows(report: &Report) -> Vec<Vec<String>> {
    let row = |label: &str, value: String| vec![label.to_owned(), value];
    let mut rows = vec![row("file", report.path.clone()), row("kind", report.kind.to_string())];
    rows.extend(report.family.iter().map(|family| row("family", family.to_string())));
    rows.push(row("size", HumanBytes(report.size_bytes).to_string()));
    rows.push(row("parameters", millions(report.n_parameters)));
    rows.push(row("types", types(&report.dtypes)));
    rows.extend(report.details.iter().map(|detail| row(&detail.label, shown(&detail.value))));
    for hashed in report.sha256.iter().flatten() {
        let is_only = report.path.ends_with(&hashed.file);
        rows.push(row("sha256", if is_only { hashed.sha256.to_string() } else { format!("{}  {}", hashed.sha256, hashed.file) }));
    }
    rows.extend(report.metadata.iter().take(MAX_NOTES).map(|note| row(&shown(&note.label), shown(&note.value))));
    if report.metadata.len() > MAX_NOTES {
        rows.push(row("…", format!("{} more notes of its maker; `--json` shows all", report.metadata.len() - MAX_NOTES)));
    }
    rows
}

/// `f16`, or the share of each type where there are several.
fn types(counts: &[Count]) -> String {
    let total: f64 = counts.iter().map(|count| count.n_values as f64).sum();
    let share = |count: &Count| format!("{} {:.1} %", count.dtype, 100.0 * count.n_values as f64 / total.max(1.0));
    match counts {
        [only] => only.dtype.clone(),
        _ => counts.iter().map(share).collect::<Vec<_>>().join(", "),
    }
}

fn millions(n_parameters: u64) -> String {
    match n_parameters {
        0..100_000 => n_parameters.to_string(),
        _ => format!("{:.1} million", n_parameters as f64 / 1e6),
    }
}

/// One short line without what steers a terminal.
fn shown(text: &str) -> String {
    let beginning: String = text.chars().take(MAX_VALUE_CHARS + 1).collect();
    let line = printable(&beginning);
    match line.char_indices().nth(MAX_VALUE_CHARS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

fn hint(kind: FileKind, path: &Path) -> Option<String> {
    match kind {
        FileKind::Model | FileKind::SingleFile => drawing("--model", &path.to_string_lossy()),
        FileKind::Lora => drawing("--lora", &format!("{}:1", path.display())),
        _ => None,
    }
}

/// A line to copy; none where a path has signs that nobody could see in it.
pub(super) fn drawing(option: &str, value: &str) -> Option<String> {
    (visible(value) == value).then(|| format!("draw with it: atelier imagine \"a fox\" {option} {}", shell_quote(value)))
}

/// The hashes of a file, or of the weights in a folder, with a bar for people.
fn hashes(path: &Path) -> anyhow::Result<Vec<Hashed>> {
    let mut files = Vec::new();
    collect(path, &mut files).with_context(|| format!("cannot read {}", path.display()))?;
    files.sort();
    let bar = ProgressBar::new(files.iter().map(|file| size_bytes(file)).sum());
    bar.set_style(ProgressStyle::with_template("sha256 {bar:32} {bytes}/{total_bytes}, {eta} left")?);
    let hashed = files.iter().map(|file| {
        let name = file.strip_prefix(path).ok().filter(|name| !name.as_os_str().is_empty()).unwrap_or(file);
        Ok(Hashed { file: name.to_string_lossy().into_owned(), sha256: sha256::of_file(file, &bar)? })
    });
    let hashed = hashed.collect();
    bar.finish_and_clear();
    hashed
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        let is_weights = refuse::is_safetensors(&entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() || (is_weights && entry.path().is_file()) {
            collect(&entry.path(), files)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_makers_notes_stay_on_one_short_line() {
        assert_eq!(shown("a\u{1b}[31mb\nc"), "a[31mb c");
        assert_eq!(drawing("--lora", "a\"; $(x) \":1").as_deref(), Some("draw with it: atelier imagine \"a fox\" --lora 'a\"; $(x) \":1'"));
        assert_eq!(drawing("--model", "a\u{1b}"), None);
        assert_eq!(shown(&"é".repeat(500)), format!("{}…", "é".repeat(MAX_VALUE_CHARS)));
        assert_eq!((millions(99_999), millions(21_140_000)), ("99999".to_owned(), "21.1 million".to_owned()));
    }
}
