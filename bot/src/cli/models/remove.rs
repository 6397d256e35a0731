//! `atelier models remove`: deletes a model of the models folder, and nothing else.

use std::{
    fs,
    io::{IsTerminal, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use indicatif::HumanBytes;

use super::list;
use crate::{
    config::Config,
    hub::{
        ModelsFolder,
        folder::{check_name, size_bytes},
    },
    system::printable::visible,
};

/// Options of `atelier models remove`.
#[derive(Clone, Debug, clap::Args)]
pub struct RemoveArgs {
    /// The model's name, as `atelier models list` shows it
    pub name: String,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
    /// Remove it even if the configuration names it
    #[arg(long)]
    pub force: bool,
}

/// Asks and deletes.
///
/// # Errors
/// There is no such model, it must stay, or nobody can be asked.
pub fn run(config: &Config, args: &RemoveArgs) -> anyhow::Result<()> {
    let models = config.models_folder();
    let paths = found(&models, &args.name)?;
    for path in &paths {
        let named = list::named(config).into_iter().find(|(_, named)| is_within(path, named));
        if let Some((key, _)) = named.filter(|_| !args.force) {
            bail!("{} is in use: `{key}` of the configuration names it; change that first, or say `--force`", args.name);
        }
    }
    let size = HumanBytes(paths.iter().map(|path| size_bytes(path)).sum());
    let shown = visible(&paths[0].to_string_lossy());
    if !args.yes && !agrees(&format!("Remove {shown} ({size})? [y/N] "))? {
        return Ok(writeln!(std::io::stdout(), "nothing was removed")?);
    }
    for path in &paths {
        delete(path).with_context(|| format!("cannot remove {}", path.display()))?;
    }
    Ok(writeln!(std::io::stdout(), "removed {shown} ({size})")?)
}

/// What is to be deleted: a model, or what is left of an interrupted pull with its note.
fn found(models: &ModelsFolder, name: &str) -> anyhow::Result<Vec<PathBuf>> {
    check_name(name)?;
    if let Some(path) = models.find(name) {
        return Ok(vec![path]);
    }
    if let Some(part) = models.find_unfinished(name) {
        let mut note = part.clone().into_os_string();
        note.push(".json");
        return Ok([part, PathBuf::from(note)].into_iter().filter(|path| path.exists()).collect());
    }
    if list::built_in().iter().any(|(built_in, _)| built_in == name) {
        bail!("{name} is built in and stays");
    }
    let names: Vec<_> = models.entries()?.into_iter().map(|entry| entry.name).collect();
    let folder = models.path().display();
    match names.is_empty() {
        true => bail!("there is no model `{name}`: the models folder {folder} is empty"),
        false => bail!("there is no model `{name}` in {folder}; there are {}", names.join(", ")),
    }
}

/// Whether the configuration's path is what would be deleted, or in it. A link is compared by its own place, for only the link goes.
fn is_within(path: &Path, named: &Path) -> bool {
    let is_link = fs::symlink_metadata(path).is_ok_and(|data| data.is_symlink());
    let is_below = || {
        let (path, named) = (std::path::absolute(path).ok(), std::path::absolute(named).ok());
        path.zip(named).is_some_and(|(path, named)| named.starts_with(path))
    };
    let is_really_below =
        || fs::canonicalize(path).ok().zip(fs::canonicalize(named).ok()).is_some_and(|(path, named)| named.starts_with(path));
    is_below() || (!is_link && is_really_below())
}

fn agrees(question: &str) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        bail!("nobody can be asked here; say `--yes` to remove it");
    }
    let mut out = std::io::stdout();
    write!(out, "{question}")?;
    out.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// Never follows a link: the link itself goes.
fn delete(path: &Path) -> std::io::Result<()> {
    if fs::symlink_metadata(path)?.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}
