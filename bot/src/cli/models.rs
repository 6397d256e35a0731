//! `atelier models`: what a model file is, which models are here, getting and removing them. Needs neither engine nor GPU.

pub mod inspect;
pub mod list;
pub mod pull;
pub mod remove;
mod table;

use std::process::ExitCode;

use clap::Subcommand;

use crate::config::Config;

/// Options of `atelier models`.
#[derive(Clone, Debug, clap::Args)]
pub struct ModelsArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: ModelsCommand,
}

/// What to do with models.
#[derive(Clone, Debug, Subcommand)]
pub enum ModelsCommand {
    /// Say what a model, LoRA, upscaler or other file is
    Inspect(inspect::InspectArgs),
    /// Show the models that are here
    List(list::ListArgs),
    /// Download a model from the Hugging Face Hub or an https address
    Pull(pull::PullArgs),
    /// Delete a model from the models folder
    Remove(remove::RemoveArgs),
}

/// Does it.
///
/// # Errors
/// One sentence for the person who asked.
pub async fn run(config: Config, args: ModelsArgs) -> anyhow::Result<ExitCode> {
    let done = match args.command {
        ModelsCommand::Pull(args) => return pull::run(config, args).await,
        ModelsCommand::Inspect(args) => tokio::task::spawn_blocking(move || inspect::run(&config, &args)).await?,
        ModelsCommand::List(args) => tokio::task::spawn_blocking(move || list::run(&config, &args)).await?,
        ModelsCommand::Remove(args) => tokio::task::spawn_blocking(move || remove::run(&config, &args)).await?,
    };
    done.map(|()| ExitCode::SUCCESS)
}
