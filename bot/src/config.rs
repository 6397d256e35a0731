//! The configuration file: every key, its default and its range. `config.example.toml` shows all of it and a test compares the two.

mod describe;
mod devices;
mod limits;
mod paths;
mod policy;
mod retired;
mod tables;
mod wildcards;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail, ensure};
use inference::{
    engine::{DeviceChoice, Precision},
    sampler::SamplerChoice,
    schedule::ScheduleKind,
};
use serde::Deserialize;

use crate::hub::{self, ModelsFolder};
pub use describe::DescribeConfig;
pub use devices::{parse_device, parse_precision};
pub use limits::LimitsConfig;
use limits::range;
pub use policy::PolicyConfig;
pub use tables::AliasConfig;
pub(crate) use tables::how;
pub use wildcards::{PromptsConfig, wildcards};

/// Read from the working directory when no other file is named.
pub const USUAL_FILE: &str = "atelier.toml";

/// All of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How to reach Discord.
    pub discord: DiscordConfig,
    /// What to draw with.
    pub model: ModelConfig,
    /// Where pulled models are and where they come from.
    pub models: ModelsSection,
    /// What a picture is like when nobody says otherwise.
    pub defaults: DefaultsConfig,
    /// What prompts may be made of.
    pub prompts: PromptsConfig,
    /// How pictures are described whose files say nothing.
    pub describe: DescribeConfig,
    /// Who may have how much.
    pub limits: LimitsConfig,
    /// Who runs the bot, and what is not for everybody.
    pub policy: PolicyConfig,
    /// How the engine works.
    pub engine: EngineSection,
    /// Where things are kept.
    pub data: DataConfig,
    /// The stand-in.
    pub sandbox: SandboxSection,
    /// What operators watch.
    pub metrics: MetricsConfig,
    /// Other models by name.
    pub aliases: BTreeMap<String, AliasConfig>,
    /// Adapters (LoRA and its kin) by name.
    pub loras: BTreeMap<String, PathBuf>,
    /// Textual inversions by the word that stands for them.
    pub embeddings: BTreeMap<String, PathBuf>,
}

/// `[discord]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DiscordConfig {
    /// Address of a stand-in on loopback; empty for Discord itself.
    pub api_url: String,
    /// Milliseconds between two edits of one job's progress.
    pub progress_interval_ms: u64,
}

/// `[model]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelConfig {
    /// A diffusers folder, a `.safetensors` file or an alias; empty for the starter model.
    pub path: PathBuf,
    /// A super-resolution network; empty for the built-in one.
    pub upscaler: PathBuf,
    /// `f32`, `bf16` or `f16`.
    pub precision: String,
}

/// `[models]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelsSection {
    /// Folder of pulled models; empty for `models` in the data folder.
    pub dir: PathBuf,
    /// The Hugging Face Hub, or a mirror of it.
    pub endpoint: String,
}

/// `[defaults]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DefaultsConfig {
    /// Denoising steps.
    pub steps: u32,
    /// Guidance scale; 0 for the model's own.
    pub guidance_scale: f64,
    /// Sampler, which may name its schedule too; `None` for the model's own.
    #[serde(deserialize_with = "tables::name")]
    pub sampler: Option<SamplerChoice>,
    /// Schedule; `None` for the model's own.
    #[serde(deserialize_with = "tables::name")]
    pub schedule: Option<ScheduleKind>,
    /// Pictures of one `/imagine`.
    pub n_images: u32,
    /// Strength of V1 to V4.
    pub variation_strength: f64,
    /// Strength of what is drawn around a picture.
    pub outpaint_strength: f64,
}

/// `[engine]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EngineSection {
    /// Each `cpu` or `cuda:N`.
    pub devices: Vec<String>,
    /// Most memory that models may take on each device, in mebibytes; 0 for most of what it has.
    pub memory_mib: u64,
    /// Most rows in a batch.
    pub max_batch_rows: usize,
    /// Jobs drawn at the same time.
    pub max_running_jobs: usize,
    /// A preview every so many steps.
    pub preview_every: u32,
    /// Milliseconds between two times that a job's unfinished pictures are kept as they are; 0 for never.
    pub checkpoint_interval_ms: u64,
}

/// `[data]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataConfig {
    /// Folder of the database and the pictures.
    pub dir: PathBuf,
    /// Free space below which new jobs are refused, in mebibytes.
    pub min_free_mib: u64,
    /// Days that words and pictures are kept; 0 for ever.
    pub retention_days: u32,
    /// Days that stopped pictures can go on for.
    pub keep_states_days: u32,
    /// What they go on from takes at most so much, in mebibytes.
    pub keep_states_mib: u64,
}

/// `[sandbox]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SandboxSection {
    /// Where the stand-in listens.
    pub listen: SocketAddr,
    /// Milliseconds between two edits of one job's progress.
    pub progress_interval_ms: u64,
}

/// `[metrics]`
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MetricsConfig {
    /// Where Prometheus metrics are served; `None` for nowhere.
    #[serde(deserialize_with = "tables::name")]
    pub listen: Option<SocketAddr>,
}

impl Default for DiscordConfig {
    fn default() -> Self {
        Self { api_url: String::new(), progress_interval_ms: 2000 }
    }
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self { path: PathBuf::new(), upscaler: PathBuf::new(), precision: "f32".into() }
    }
}

impl Default for ModelsSection {
    fn default() -> Self {
        Self { dir: PathBuf::new(), endpoint: "https://huggingface.co".into() }
    }
}

impl Default for DefaultsConfig {
    fn default() -> Self {
        Self { steps: 25, guidance_scale: 0.0, sampler: None, schedule: None, n_images: 4, variation_strength: 0.6, outpaint_strength: 0.5 }
    }
}

impl Default for EngineSection {
    fn default() -> Self {
        Self {
            devices: vec!["cpu".into()],
            memory_mib: 0,
            max_batch_rows: 16,
            max_running_jobs: 4,
            preview_every: 3,
            checkpoint_interval_ms: 5000,
        }
    }
}

impl Default for DataConfig {
    fn default() -> Self {
        Self { dir: "./atelier-data".into(), min_free_mib: 256, retention_days: 0, keep_states_days: 7, keep_states_mib: 256 }
    }
}

impl Default for SandboxSection {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 8420)), progress_interval_ms: 400 }
    }
}

impl Config {
    /// Reads and checks a file; without one, `atelier.toml` of the working directory if it is there, else the defaults.
    ///
    /// # Errors
    /// The file cannot be read, has an unknown key or a value out of range; the message names the file and the key.
    pub fn load(path: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = Self::file(path) else { return Ok(Self::default()) };
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read the configuration {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("the configuration {}", path.display()))
    }

    /// The file that is read: the named one, else `atelier.toml` of the working directory if it is there.
    pub fn file(named: Option<&Path>) -> Option<&Path> {
        let usual = Path::new(USUAL_FILE);
        named.or_else(|| usual.is_file().then_some(usual))
    }

    /// Reads and checks a configuration's text.
    ///
    /// # Errors
    /// An unknown key, a wrong type or a value out of range.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        retired::check(&toml::from_str(text).map_err(paths::explained)?)?;
        let mut config: Self = toml::from_str(text).map_err(paths::explained)?;
        config.settle_paths(std::env::home_dir().as_deref())?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> anyhow::Result<()> {
        let Self { defaults, limits, engine, .. } = self;
        limits.check()?;
        range("defaults.steps", defaults.steps, 1, limits.max_steps).context("`limits.max_steps` is the most for `defaults.steps`")?;
        range("defaults.n_images", defaults.n_images, 1, 4)?;
        range("engine.max_batch_rows", engine.max_batch_rows, 2, 1024)?;
        range("engine.max_running_jobs", engine.max_running_jobs, 1, 256)?;
        range("data.retention_days", self.data.retention_days, 0, 36_500)?;
        range("data.keep_states_days", self.data.keep_states_days, 0, 36_500)?;
        range("discord.progress_interval_ms", self.discord.progress_interval_ms, 100, 60_000)?;
        range("sandbox.progress_interval_ms", self.sandbox.progress_interval_ms, 10, 60_000)?;
        if defaults.guidance_scale != 0.0 && !(1.0..=30.0).contains(&defaults.guidance_scale) {
            bail!("`defaults.guidance_scale` is {}; it must be 0 (the model's own) or 1 to 30", defaults.guidance_scale);
        }
        for (key, strength) in [("variation_strength", defaults.variation_strength), ("outpaint_strength", defaults.outpaint_strength)] {
            ensure!(strength > 0.0 && strength <= 1.0, "`defaults.{key}` is {strength}; it must be above 0 and at most 1");
        }
        let listen = self.sandbox.listen;
        ensure!(listen.ip().is_loopback(), "`sandbox.listen` is {listen}; the sandbox listens on loopback only, such as 127.0.0.1:8420");
        tables::how(defaults.sampler, defaults.schedule).context("`defaults`")?;
        self.devices()?;
        self.precision()?;
        hub::parse_endpoint(&self.models.endpoint).context("`models.endpoint`")?;
        self.check_tables()
    }

    /// The folder of pulled models.
    pub fn models_folder(&self) -> ModelsFolder {
        let is_named = !self.models.dir.as_os_str().is_empty();
        ModelsFolder::new(if is_named { self.models.dir.clone() } else { self.data.dir.join("models") })
    }

    /// The devices to compute on.
    ///
    /// # Errors
    /// None, or one that is not `cpu` or `cuda:N`.
    pub fn devices(&self) -> anyhow::Result<Vec<DeviceChoice>> {
        let devices = &self.engine.devices;
        if devices.is_empty() {
            bail!("`engine.devices` names none; the usual one is devices = [\"cpu\"]");
        }
        devices.iter().map(|device| parse_device(device).with_context(|| format!("`engine.devices` has \"{device}\""))).collect()
    }

    /// The type of weights and activations.
    ///
    /// # Errors
    /// Not `f32`, `bf16` or `f16`.
    pub fn precision(&self) -> anyhow::Result<Precision> {
        parse_precision(&self.model.precision).with_context(|| format!("`model.precision` is \"{}\"", self.model.precision))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) const EXAMPLE: &str = include_str!("../../config.example.toml");

    #[test]
    fn the_example_shows_every_key_with_its_default() {
        assert_eq!(Config::parse(EXAMPLE).expect("the example is valid"), Config::default());
        let example: toml::Table = toml::from_str(EXAMPLE).expect("the example is TOML");
        for (section, keys) in &example {
            for key in keys.as_table().expect("a section").keys() {
                let without = EXAMPLE.lines().filter(|line| !line.starts_with(&format!("{key} ="))).collect::<Vec<_>>().join("\n");
                assert!(Config::parse(&without).is_ok(), "{section}.{key} has a default");
            }
        }
    }

    #[test]
    fn the_example_lacks_no_key() {
        // Every field of the sections is a key of the example: the fields are read from these files.
        let sources = [include_str!("config.rs"), include_str!("config/describe.rs"), include_str!("config/limits.rs")];
        let fields = sources.iter().flat_map(|source| source.lines().take_while(|line| !line.starts_with("impl Default")));
        for field in fields.filter_map(|line| line.strip_prefix("    pub ")?.split_once(':')).map(|(name, _)| name) {
            // What is keyed by names has only an example, behind comment signs.
            let begins = [format!("{field} ="), format!("[{field}]"), format!("#[{field}]"), format!("#[{field}.")];
            let is_there = EXAMPLE.lines().any(|line| begins.iter().any(|begin| line.starts_with(begin)));
            assert!(is_there, "config.example.toml lacks `{field}`");
        }
    }

    #[test]
    fn models_are_kept_with_the_data_unless_a_folder_is_named() {
        let folder = |text: &str| Config::parse(text).expect("the text is right").models_folder();
        assert_eq!(folder("").path(), Path::new("./atelier-data/models"));
        assert_eq!(folder("[data]\ndir = \"/data\"").path(), Path::new("/data/models"));
        assert_eq!(folder("[data]\ndir = \"/data\"\n[models]\ndir = \"/models\"").path(), Path::new("/models"));
    }

    fn check_error(text: &str, expected: &str) {
        let error = format!("{:#}", Config::parse(text).expect_err("the text is wrong"));
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn wrong_values_are_named() {
        check_error("[model]\npaht = \"x\"", "unknown field `paht`");
        check_error("[modle]\npath = \"x\"", "unknown field `modle`");
        check_error("[defaults]\nsteps = 0", "`defaults.steps` is 0; it must be 1 to 100");
        check_error("[limits]\nmax_steps = 0", "`limits.max_steps` is 0; it must be 1 to 150");
        check_error(
            "[limits]\nmax_steps = 10",
            "`limits.max_steps` is the most for `defaults.steps`: `defaults.steps` is 25; it must be 1 to 10",
        );
        check_error("[defaults]\nguidance_scale = 0.5", "`defaults.guidance_scale` is 0.5");
        check_error("[defaults]\nsampler = \"eular\"", "there is no sampler `eular`; there are ");
        check_error("[engine]\ndevices = [\"gpu\"]", "`engine.devices` has \"gpu\": the device must be cpu or cuda:N");
        check_error("[engine]\ndevices = []", "`engine.devices` names none");
        check_error("[models]\nendpoint = \"huggingface.co\"", "`models.endpoint`: the hub's address must be like https://huggingface.co");
        check_error(
            "[limits]\nmax_steps = 30\n[aliases.a]\npath = \"x\"\nsteps = 40",
            "`steps` is 40; it must be 1 to 30 (`limits.max_steps`)",
        );
        check_error("[sandbox]\nlisten = \"0.0.0.0:8420\"", "loopback only");
        check_error("[metrics]\nlisten = \"9090\"", "invalid socket address");
    }
}
