//! `atelier doctor`: is everything there that a bot needs? One line a part, each saying what to do.

mod token;

use std::{collections::BTreeSet, io::Write, path::Path, process::ExitCode};

use indicatif::HumanBytes;
use inference::{
    catalogue::{Catalogue, Kind, ModelCard, Shelf},
    engine::{DeviceChoice, EngineConfig},
};
use storage::{BlobStore, History, JobId, LocalBlobs, SqliteStore, StorageError};

use super::sentence;
use crate::{
    config::Config, discord::token::find, messages, models, pictures::guess, start, system::disk, system::memory,
    system::printable::visible, system::private,
};

/// Options of `atelier doctor`.
#[derive(Clone, Debug, clap::Args)]
pub struct DoctorArgs {
    /// Ask Discord whose the token is, and give the link that invites the bot
    #[arg(long)]
    pub online: bool,
}

/// How one part is.
#[derive(Clone, Debug, PartialEq)]
struct Check {
    verdict: Verdict,
    part: &'static str,
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Good,
    /// Works, but not all of it, or not now.
    Doubtful,
    Bad,
}

/// Prints one line a part; the exit code is 1 if any is bad.
///
/// # Errors
/// The lines cannot be printed.
pub async fn run(config: Option<&Path>, args: DoctorArgs) -> anyhow::Result<ExitCode> {
    let mut is_bad = false;
    let mut tell = |check: Check| {
        is_bad |= check.verdict == Verdict::Bad;
        writeln!(std::io::stdout(), "{check}")
    };
    let config = match Config::load(config) {
        Ok(loaded) => {
            let read = Config::file(config);
            let defaults = || "the defaults: there is no atelier.toml here (`atelier init` writes one)".to_owned();
            tell(good("configuration", read.map_or_else(defaults, whole)))?;
            loaded
        }
        // The other parts are not where the defaults would look for them.
        Err(error) => {
            tell(bad("configuration", format!("{}; nothing else was checked", sentence(&error))))?;
            return Ok(ExitCode::FAILURE);
        }
    };
    let drawn_with = config.clone();
    for check in tokio::task::spawn_blocking(move || drawing_parts(&drawn_with)).await? {
        tell(check)?;
    }
    for check in database(&config.data.dir).await {
        tell(check)?;
    }
    if let Some(check) = pictures(&config.data.dir) {
        tell(check)?;
    }
    tell(disk(&config))?;
    if let Some(open) = private::first_open(&config.data.dir) {
        tell(doubtful("data", format!("other users of this machine may read {}; the next start of the bot closes it", open.display())))?;
    }
    let checks = match find() {
        Ok(found) => token::checks(found, &config.discord.api_url, args.online).await,
        Err(error) => vec![bad("token", sentence(&error))],
    };
    for check in checks {
        tell(check)?;
    }
    Ok(if is_bad { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

impl std::fmt::Display for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = match self.verdict {
            Verdict::Good => '✓',
            Verdict::Doubtful => '!',
            Verdict::Bad => '✗',
        };
        write!(f, "{sign} {:<13} {}", self.part, visible(&self.text))
    }
}

fn good(part: &'static str, text: impl Into<String>) -> Check {
    Check { verdict: Verdict::Good, part, text: text.into() }
}

fn doubtful(part: &'static str, text: impl Into<String>) -> Check {
    Check { verdict: Verdict::Doubtful, part, text: text.into() }
}

fn bad(part: &'static str, text: impl Into<String>) -> Check {
    Check { verdict: Verdict::Bad, part, text: text.into() }
}

/// The usual model with upscaler and device, then each other model, adapter and embedding that is configured. Headers tell enough: nothing is loaded.
fn drawing_parts(config: &Config) -> Vec<Check> {
    let (named, engine) = match models::named(config).and_then(|named| Ok((named, models::engine_config(config)?))) {
        Ok(found) => found,
        Err(error) => return vec![bad("model", sentence(&error))],
    };
    let catalogue = match models::catalogue_config(config) {
        Ok(config) => Shelf::open_in_part(config).catalogue(),
        Err(error) => return vec![bad("model", sentence(&error))],
    };
    let fault = |kind, name: &str| catalogue.faults().iter().find(|fault| fault.kind == Some(kind) && fault.name == name);
    let mut checks = Vec::new();
    for (place, known) in named.iter().enumerate() {
        let name = &known.entry.name;
        checks.push(match (catalogue.model(Some(name)), fault(Kind::Model, name)) {
            (Some(card), _) => model(card),
            (None, Some(fault)) if place == 0 => bad("model", fault.reason.clone()),
            (None, fault) => bad("model", format!("{name}: {}", fault.map_or("it cannot be read", |fault| &fault.reason))),
        });
        if place == 0 {
            checks.push(upscaler(&catalogue));
            checks.push(device(&engine));
        }
    }
    let found = catalogue.models().iter().filter(|card| !named.iter().any(|known| known.entry.name == card.name));
    checks.extend(found.map(|card| model(card)));
    checks.extend(room(&catalogue, &engine));
    for (part, kind, table) in [("LoRA", Kind::Adapter, &config.loras), ("embedding", Kind::Embedding, &config.embeddings)] {
        for (name, path) in table {
            let shown = path.display();
            let of_card = catalogue.adapters().iter().find(|card| card.path == *path).and_then(|card| card.fault.clone());
            checks.push(match fault(kind, name).map(|fault| fault.reason.clone()).or(of_card) {
                _ if !path.exists() => bad(part, format!("{name}: nothing is at {shown}")),
                Some(reason) => bad(part, format!("{name}: {reason}")),
                None => good(part, format!("{name}, from {shown}")),
            });
        }
    }
    checks.extend(describing(config));
    // Each part may be well and the whole not: what the bot's start refuses is refused here.
    if !checks.iter().any(|check| check.verdict == Verdict::Bad)
        && let Err(error) = start::check(config)
    {
        checks.push(bad("model", sentence(&error)));
    }
    checks
}

fn upscaler(catalogue: &Catalogue) -> Check {
    match (catalogue.upscaler(), catalogue.faults().iter().find(|fault| fault.kind == Some(Kind::Upscaler))) {
        (Some(card), _) => good("upscaler", format!("enlarges {} times", card.factor)),
        (None, Some(fault)) => bad("upscaler", fault.reason.clone()),
        (None, None) => doubtful("upscaler", "none, so the U buttons do not enlarge; set `model.upscaler`"),
    }
}

/// What looks at pictures, where one is configured.
fn describing(config: &Config) -> Option<Check> {
    match guess::check(&config.describe).transpose()? {
        Ok(n) => Some(good("describe", format!("a CLIP and {n} words, from {}", config.describe.clip.display()))),
        Err(error) => Some(bad("describe", sentence(&error))),
    }
}

fn device(config: &EngineConfig) -> Check {
    match config.check_devices() {
        Ok(name) => good("device", name),
        Err(error) => bad("device", sentence(&error.into())),
    }
}

/// Models that are larger than what the machine has free, each alone.
fn room(catalogue: &Catalogue, engine: &EngineConfig) -> Option<Check> {
    let free = memory::available_bytes().filter(|_| engine.devices.contains(&DeviceChoice::Cpu))?;
    let too_large: Vec<_> = catalogue.models().iter().filter(|card| card.n_bytes() > free).collect();
    let named = too_large.iter().map(|card| format!("{} takes {}", card.name, HumanBytes(card.n_bytes()))).collect::<Vec<_>>();
    (!named.is_empty()).then(|| doubtful("memory", format!("{} free: {}", HumanBytes(free), named.join(", "))))
}

fn model(card: &ModelCard) -> Check {
    let millions = card.n_parameters() as f64 / 1e6;
    let folder = card.path.display();
    let name = if models::is_starter(&card.path) { "the built-in starter model" } else { &card.name };
    let shift = messages::about_shift(card).map(|shift| format!(", {shift}")).unwrap_or_default();
    good("model", format!("{name}, {millions:.1} million parameters, pictures of {} pixels{shift}, from {folder}", card.native_size))
}

/// A path from the root, so that nobody asks which folder is meant.
fn whole(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}

async fn database(folder: &Path) -> Vec<Check> {
    let path = &folder.join("atelier.sqlite");
    match (folder.exists(), path.exists()) {
        // Looking must not make anything.
        (false, _) => {
            return match private::check_folder(folder) {
                Ok(()) => vec![good("database", format!("no data folder yet; the first start makes {}", path.display()))],
                Err(error) => vec![bad("database", sentence(&error))],
            };
        }
        (true, false) if folder.is_dir() => return vec![good("database", format!("none yet; the first start makes {}", path.display()))],
        _ => {}
    }
    match SqliteStore::open(path).await {
        Ok(jobs) => [Some(good("database", path.display().to_string())), files(&jobs, &folder.join("pictures")).await]
            .into_iter()
            .flatten()
            .collect(),
        Err(error @ StorageError::InUse { .. }) => vec![doubtful("database", format!("{error}: a bot is running"))],
        Err(error) => vec![bad("database", sentence(&error.into()))],
    }
}

/// Whether the files of all pictures that jobs show are there; `None` where there are no pictures.
async fn files(jobs: &dyn History, folder: &Path) -> Option<Check> {
    match missing_files(jobs, folder).await {
        Ok((0, _)) => None,
        Ok((n_pictures, missing)) if missing.is_empty() => Some(good("pictures", format!("the files of all {n_pictures} are there"))),
        Ok((n_pictures, missing)) => Some(bad(
            "pictures",
            format!(
                "of {} finished jobs (of {n_pictures} pictures in all) files are missing in {}; put them back from a backup, or delete these jobs in Discord",
                missing.len(),
                folder.display()
            ),
        )),
        Err(error) => Some(bad("pictures", sentence(&error.into()))),
    }
}

/// How many pictures are shown, and the jobs of those whose files are missing.
async fn missing_files(jobs: &dyn History, folder: &Path) -> Result<(usize, BTreeSet<JobId>), StorageError> {
    const N: u32 = 500;
    // Looking must not make the folder.
    let blobs = folder.is_dir().then(|| LocalBlobs::open(folder)).transpose()?;
    let (mut n_pictures, mut missing, mut after) = (0, BTreeSet::new(), None);
    loop {
        let some = jobs.shown_pictures(after, N).await?;
        let Some((job, index, _)) = some.last() else { return Ok((n_pictures, missing)) };
        after = Some((*job, *index));
        n_pictures += some.len();
        for (job, _, blob) in some {
            let is_there = match &blobs {
                Some(blobs) => blobs.has(&blob).await?,
                None => false,
            };
            if !is_there {
                missing.insert(job);
            }
        }
    }
}

/// What stands where the pictures go.
fn pictures(folder: &Path) -> Option<Check> {
    let path = folder.join("pictures");
    let is_blocked = path.symlink_metadata().is_ok() && !path.is_dir();
    is_blocked.then(|| bad("data", format!("{} must be a folder: pictures are kept in it", path.display())))
}

fn disk(config: &Config) -> Check {
    let (folder, floor) = (config.data.dir.display(), config.data.min_free_mib);
    match disk::free_mib(&config.data.dir) {
        Ok(free) if free < floor => {
            bad("disk", format!("{free} MiB free, under `data.min_free_mib` = {floor}: new jobs are refused; make room"))
        }
        Ok(free) => good("disk", format!("{free} MiB free for {folder}")),
        Err(error) => bad("disk", sentence(&error)),
    }
}
