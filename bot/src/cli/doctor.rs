//! `atelier doctor`: is everything there that a bot needs? One line a part, each saying what to do.

use std::{io::Write, path::Path, process::ExitCode, time::Duration};

use anyhow::{Context, bail};
use inference::engine::{Engine, EngineConfig, ModelInfo};
use serde::Deserialize;
use storage::{SqliteStore, StorageError};

use super::sentence;
use crate::{
    config::Config,
    discord, disk, models,
    printable::visible,
    private,
    token::{self, Found},
};

/// Discord's own API.
const DISCORD_URL: &str = "https://discord.com";
const TIMEOUT: Duration = Duration::from_secs(10);

/// Options of `atelier doctor`.
#[derive(Clone, Debug, clap::Args)]
pub struct DoctorArgs {
    /// Ask Discord whether it knows the token
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
            tell(good(
                "configuration",
                read.map_or_else(|| "the defaults: there is no atelier.toml here".into(), |path| path.display().to_string()),
            ))?;
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
    tell(database(&config.data.dir).await)?;
    tell(disk(&config))?;
    if let Some(open) = private::first_open(&config.data.dir) {
        tell(doubtful("data", format!("other users of this machine may read {}; the next start of the bot closes it", open.display())))?;
    }
    tell(match token::find() {
        Ok(found) => token_check(found, &config.discord.api_url, args.online).await,
        Err(error) => bad("token", sentence(&error)),
    })?;
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

/// The usual model with upscaler and device, then each other model, adapter and embedding that is configured.
fn drawing_parts(config: &Config) -> Vec<Check> {
    let known = match models::known(config) {
        Ok(known) => known,
        Err(error) => return vec![bad("model", sentence(&error))],
    };
    let of = |known: &models::Known| {
        let mut engine = models::engine_config_of(config, std::slice::from_ref(known))?;
        engine.adapters.clear();
        engine.embeddings.clear();
        anyhow::Ok(engine)
    };
    let mut checks = engine_parts(of(&known[0]));
    for other in &known[1..] {
        let started = of(other).and_then(|engine| Ok(Engine::start(EngineConfig { upscaler: None, ..engine })?.info().clone()));
        checks.push(match started {
            Ok(info) => model(&info),
            Err(error) => bad("model", format!("{}: {}", other.entry.name, sentence(&error))),
        });
    }
    for (part, table) in [("LoRA", &config.loras), ("embedding", &config.embeddings)] {
        for (name, path) in table {
            let shown = path.display();
            let is_there = path.exists();
            checks.push(if is_there {
                good(part, format!("{name}, from {shown}"))
            } else {
                bad(part, format!("{name}: nothing is at {shown}"))
            });
        }
    }
    checks
}

/// Model, upscaler and device. What fails without the super-resolution network is not its fault.
fn engine_parts(config: anyhow::Result<EngineConfig>) -> Vec<Check> {
    let config = match config {
        Ok(config) => config,
        Err(error) => return vec![bad("model", sentence(&error))],
    };
    let start = |config: &EngineConfig| Engine::start(config.clone()).map(|engine| engine.info().clone()).map_err(anyhow::Error::from);
    match start(&config) {
        Ok(info) => {
            let upscaler = match info.upscale_factor {
                Some(factor) => good("upscaler", format!("enlarges {factor} times")),
                None => doubtful("upscaler", "none, so the U buttons do not enlarge; set `model.upscaler`"),
            };
            vec![model(&info), upscaler, good("device", info.device)]
        }
        Err(error) => match start(&EngineConfig { upscaler: None, ..config.clone() }) {
            Ok(info) => vec![model(&info), bad("upscaler", sentence(&error)), good("device", info.device)],
            Err(error) if error.downcast_ref().is_some_and(is_of_device) => vec![bad("device", sentence(&error))],
            Err(error) => vec![bad("model", sentence(&error))],
        },
    }
}

fn is_of_device(error: &inference::error::InferenceError) -> bool {
    matches!(error, inference::error::InferenceError::Device { .. })
}

fn model(info: &ModelInfo) -> Check {
    let millions = info.n_parameters as f64 / 1e6;
    let folder = info.path.display();
    let name = if models::is_starter(&info.path) { "the built-in starter model" } else { &info.name };
    good("model", format!("{name}, {millions:.1} million parameters, pictures of {} pixels, from {folder}", info.native_size))
}

async fn database(folder: &Path) -> Check {
    let path = &folder.join("atelier.sqlite");
    match (folder.exists(), path.exists()) {
        // Looking must not make anything.
        (false, _) => return good("database", format!("no data folder yet; the first start makes {}", path.display())),
        (true, false) => return good("database", format!("none yet; the first start makes {}", path.display())),
        (true, true) => {}
    }
    match SqliteStore::open(path).await {
        Ok(_) => good("database", path.display().to_string()),
        Err(error @ StorageError::InUse { .. }) => doubtful("database", format!("{error}: a bot is running")),
        Err(error) => bad("database", sentence(&error.into())),
    }
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

async fn token_check(found: Option<Found>, api_url: &str, is_online: bool) -> Check {
    if let Err(error) = discord::check_stand_in(api_url).map_or(Ok(()), |checked| checked.map_err(anyhow::Error::from)) {
        return bad("token", sentence(&error));
    }
    let Some(Found { token, place }) = found else {
        return doubtful("token", "DISCORD_TOKEN is not set; `atelier run` needs it, `atelier sandbox` does not");
    };
    let token = token.as_str();
    let is_stand_in = !api_url.is_empty();
    if !is_stand_in && !is_plausible(token) {
        return bad("token", format!("{place} does not look like a bot's token; copy it from the Bot page of the developer portal"));
    }
    if !is_stand_in && !is_online {
        return good("token", format!("{place} has one; `--online` asks Discord whether it is right"));
    }
    match who_am_i(token, if is_stand_in { api_url } else { DISCORD_URL }).await {
        Ok(name) => good("token", format!("belongs to {name}")),
        Err(error) => bad("token", sentence(&error)),
    }
}

/// Three parts with dots between them; the first is the bot's id in base64.
fn is_plausible(token: &str) -> bool {
    let parts: Vec<_> = token.split('.').collect();
    let is_base64 = |part: &&str| part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_' || c == '=');
    matches!(parts[..], [id, time, hash] if id.len() >= 18 && time.len() >= 5 && hash.len() >= 20) && parts.iter().all(is_base64)
}

/// The name that Discord, or its stand-in, knows the token's bot by.
async fn who_am_i(token: &str, base: &str) -> anyhow::Result<String> {
    #[derive(Deserialize)]
    struct User {
        username: String,
    }
    let base = reqwest::Url::parse(base).with_context(|| format!("`discord.api_url` is \"{base}\""))?;
    // A token goes to Discord or to this machine, wherever a configuration points.
    if base.as_str().trim_end_matches('/') != DISCORD_URL
        && let Some(checked) = discord::check_stand_in(base.as_str())
    {
        checked?;
    }
    let client = reqwest::Client::builder().timeout(TIMEOUT).redirect(reqwest::redirect::Policy::none()).build()?;
    let request = client.get(base.join("/api/v10/users/@me")?).header("authorization", format!("Bot {token}"));
    let response = request.send().await.map_err(|error| error.without_url()).with_context(|| format!("cannot reach {base}"))?;
    match response.status().as_u16() {
        200 => Ok(response.json::<User>().await?.username),
        401 => bail!("{base} refuses DISCORD_TOKEN; copy it again from the Bot page of the developer portal"),
        status => bail!("{base} answered with status {status}; try again later"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_of_another_shape_are_not_plausible() {
        let id = "MTIzNDU2Nzg5MDEyMzQ1Njc4";
        for (token, expected) in [
            (format!("{id}.GaBcDe.{}", "x".repeat(38)), true),
            (format!("{id}.GaBcDe"), false),
            (format!("Bot {id}.GaBcDe.{}", "x".repeat(38)), false),
            (format!("{id}.GaBcDe.{}", "x".repeat(5)), false),
            ("changeme".into(), false),
        ] {
            assert_eq!(is_plausible(&token), expected, "{token}");
        }
    }

    #[tokio::test]
    async fn a_token_never_leaves_for_another_host() {
        let error = who_am_i("secret", "http://203.0.113.1/").await.expect_err("not loopback").to_string();
        assert!(error.contains("must be on loopback") && !error.contains("secret"), "{error}");
        assert!(who_am_i("secret", "https://discord.com.example/").await.is_err());
        assert!(who_am_i("secret", "https://discord.com:444/").await.is_err());
    }
}
