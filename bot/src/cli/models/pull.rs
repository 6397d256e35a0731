//! `atelier models pull`: downloads a model.

use std::{io::Write, process::ExitCode, time::Duration};

use anyhow::anyhow;
use indicatif::{HumanBytes, ProgressBar};

use super::inspect::drawing;
use crate::{
    cli::{imagine::INTERRUPTED, interrupted},
    config::Config,
    hub::{
        Client, Offline, Pull, Pulled, Retries, Source, Token,
        describe::{FileKind, describe},
        sha256::Sha256Hex,
    },
    system::printable::{shell_quote, visible},
};

/// Options of `atelier models pull`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  atelier models pull stable-diffusion-v1-5/stable-diffusion-v1-5 --as sd15
  atelier models pull stabilityai/stable-diffusion-xl-base-1.0 --variant fp16
  atelier models pull latent-consistency/lcm-lora-sdv1-5 --file pytorch_lora_weights.safetensors --as lcm
  atelier models pull https://example.org/style.safetensors --sha256 9f86d0…")]
pub struct PullArgs {
    /// OWNER/NAME or OWNER/NAME@REVISION of the Hugging Face Hub, or the https address of a .safetensors file
    #[arg(value_name = "SOURCE")]
    pub source: String,
    /// One .safetensors file of the repository instead of the whole diffusers folder
    #[arg(long, value_name = "FILE")]
    pub file: Option<String>,
    /// What to call it here [default: its own name]
    #[arg(long = "as", value_name = "NAME")]
    pub name: Option<String>,
    /// Prefer the weights of this precision: half the download
    #[arg(long, value_name = "NAME", value_parser = ["fp16"])]
    pub variant: Option<String>,
    /// The sha256 that the file must have; the hub's own are always compared
    #[arg(long, value_name = "HEX", value_parser = |text: &str| text.parse::<Sha256Hex>())]
    pub sha256: Option<Sha256Hex>,
    /// The hub or a mirror of it [default: the configuration's]
    #[arg(long, value_name = "URL", env = "HF_ENDPOINT", hide_env_values = true)]
    pub endpoint: Option<String>,
    /// The environment variable that holds your token, for gated and private models
    #[arg(long, value_name = "VARIABLE", default_value = "HF_TOKEN")]
    pub token_env: String,
}

/// Downloads and says where it is.
///
/// # Errors
/// One sentence for the person who asked.
pub async fn run(config: Config, args: PullArgs) -> anyhow::Result<ExitCode> {
    let endpoint = args.endpoint.as_ref().filter(|endpoint| !endpoint.is_empty()).unwrap_or(&config.models.endpoint);
    let client = Client::new(endpoint, Token::from_env(&args.token_env), Retries::default())?;
    let source = Source::parse(&args.source, args.file.as_deref(), client.hub().endpoint())?;
    let pull = Pull { source, name: args.name, sha256: args.sha256, variant: args.variant };
    let (models, bar) = (config.models_folder(), ProgressBar::new_spinner());
    bar.set_message(format!("asking {}", client.hub().endpoint()));
    bar.enable_steady_tick(Duration::from_millis(200));
    let ended = tokio::select! {
        pulled = pull.run(&client, &models, &bar) => pulled.map(Some),
        () = interrupted() => Ok(None),
    };
    bar.finish_and_clear();
    let ended = ended.map_err(|error| match error.is::<Offline>() {
        true => anyhow!("{error}; {}", pull.by_hand(client.hub(), &models)),
        false => error,
    });
    let Some(pulled) = ended? else {
        eprintln!("atelier: stopped; the same command goes on from here");
        return Ok(ExitCode::from(INTERRUPTED));
    };
    tokio::task::spawn_blocking(move || report(&pulled)).await??;
    Ok(ExitCode::SUCCESS)
}

fn report(pulled: &Pulled) -> anyhow::Result<()> {
    let Pulled { name, path, n_files, size_bytes, unchecked_sha256, was_there } = pulled;
    let mut out = std::io::stdout().lock();
    let files = if *n_files == 1 { "1 file".to_owned() } else { format!("{n_files} files") };
    let there = if *was_there { "is there already, in" } else { "is in" };
    writeln!(out, "{}: {files}, {}, {there} {}", visible(name), HumanBytes(*size_bytes), visible(&path.to_string_lossy()))?;
    if let Some(sha256) = unchecked_sha256 {
        writeln!(out, "sha256 {sha256}; nobody vouches for it, so compare it with what the model's page says")?;
    }
    match describe(path).map(|inspection| inspection.kind) {
        Ok(FileKind::Model | FileKind::SingleFile) => {
            drawing("--model", &path.to_string_lossy()).map_or(Ok(()), |line| writeln!(out, "{line}"))?;
        }
        Ok(FileKind::Lora) => drawing("--lora", &format!("{}:1", path.display())).map_or(Ok(()), |line| writeln!(out, "{line}"))?,
        Ok(kind) => writeln!(out, "it is {kind}; `atelier models inspect {}` says more", shell_quote(name))?,
        Err(error) => eprintln!("atelier: it came as it is there, but the engine cannot use it: {}", crate::cli::sentence(&error)),
    }
    Ok(())
}
