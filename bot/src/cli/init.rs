//! `atelier init`: writes a configuration to begin with, and says what comes next.

use std::{
    fs::File,
    io::{ErrorKind, Write},
    path::Path,
};

use anyhow::{Context, bail};

use crate::config::USUAL_FILE;

/// Every setting with its default and what it means.
const EXAMPLE: &str = include_str!("../../../config.example.toml");

/// Options of `atelier init`.
#[derive(Clone, Debug, clap::Args)]
pub struct InitArgs {}

/// Writes the file, or another that `--config` names; never over one that is there.
///
/// # Errors
/// There is one already, or it cannot be written.
pub fn run(named: Option<&Path>, _args: InitArgs) -> anyhow::Result<()> {
    let path = named.unwrap_or(Path::new(USUAL_FILE));
    let shown = path.display();
    let mut file = match File::options().write(true).create_new(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            bail!("{shown} is there already and stays as it is; to begin anew, move it away first")
        }
        Err(error) => return Err(error).with_context(|| format!("cannot write {shown}")),
    };
    file.write_all(EXAMPLE.as_bytes()).with_context(|| format!("cannot write {shown}"))?;
    let config = if named.is_some() { format!(" --config {shown}") } else { String::new() };
    Ok(write!(std::io::stdout(), "{}", next_steps(&shown.to_string(), &config))?)
}

fn next_steps(file: &str, config: &str) -> String {
    format!(
        "Wrote {file}: every setting with its default; change what you like. Next:

  1. Token   Make an application at https://discord.com/developers/applications and copy the token of its Bot page:
             export DISCORD_TOKEN=…
  2. Invite  atelier{config} doctor --online
             says whether all is well, and gives the link that adds the bot to your server
  3. Run     atelier{config} run

Without Discord: atelier{config} sandbox
"
    )
}
