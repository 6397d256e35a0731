//! What the configuration keys by name: other models, adapters and embeddings.

use std::{fmt::Display, path::PathBuf, str::FromStr};

use anyhow::{Context, bail};
use inference::{
    catalogue::limits::{MAX_GUIDANCE, MAX_STEPS},
    sampler::{Sampler, SamplerChoice},
    schedule::{Prediction, ScheduleKind, Shift},
};
use serde::{Deserialize, Deserializer, de::Error};

use super::Config;
use crate::models::name::check;

/// `[aliases.NAME]`: a model and what suits it; what is left out is as in `[defaults]`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AliasConfig {
    /// A diffusers folder or a `.safetensors` file.
    pub path: PathBuf,
    /// Another VAE than the model's own; empty for that.
    pub vae: PathBuf,
    /// Where the text encoder is, for a file with a transformer alone; empty for beside it.
    pub text_encoder: PathBuf,
    /// Where the tokenizer is, for the same.
    pub tokenizer: PathBuf,
    /// What its network predicts, where its files say nothing or the wrong thing.
    #[serde(deserialize_with = "name")]
    pub prediction: Option<Prediction>,
    /// How far its schedule is shifted, for a file with a transformer alone, where nothing says it or the wrong thing.
    pub shift: Option<Shift>,
    /// Denoising steps.
    pub steps: Option<u32>,
    /// Guidance scale.
    pub guidance_scale: Option<f64>,
    /// Sampler, which may name its schedule too.
    #[serde(deserialize_with = "name")]
    pub sampler: Option<SamplerChoice>,
    /// Schedule.
    #[serde(deserialize_with = "name")]
    pub schedule: Option<ScheduleKind>,
    /// Width in pixels; goes with a height.
    pub width: Option<u32>,
    /// Height in pixels; goes with a width.
    pub height: Option<u32>,
    /// Layers of the text encoder left out beyond the model's own rule.
    pub clip_skip: Option<u32>,
    /// What to stay away from when nobody says otherwise; empty for nothing.
    pub negative_prompt: String,
    /// Whether it draws what is for adults.
    pub adult: bool,
}

/// Reads a name that may be empty.
pub(super) fn name<'de, D: Deserializer<'de>, T: FromStr<Err: Display>>(source: D) -> Result<Option<T>, D::Error> {
    let text = String::deserialize(source)?;
    if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(D::Error::custom) }
}

/// The sampler and the schedule that two keys name.
///
/// # Errors
/// They name two schedules.
pub(crate) fn how(
    sampler: Option<SamplerChoice>,
    schedule: Option<ScheduleKind>,
) -> anyhow::Result<(Option<Sampler>, Option<ScheduleKind>)> {
    let own = sampler.and_then(|choice| choice.schedule);
    match (own, schedule) {
        (Some(own), Some(other)) if own != other => bail!("`sampler` names the schedule {own} and `schedule` {other}; keep one"),
        _ => Ok((sampler.map(|choice| choice.sampler), schedule.or(own))),
    }
}

impl Config {
    /// Names that a line can say and values in range.
    pub(super) fn check_tables(&self) -> anyhow::Result<()> {
        for (name, alias) in &self.aliases {
            let in_section = || format!("`aliases.{name}`");
            check(name).with_context(in_section)?;
            alias.check(self.limits.max_steps).with_context(in_section)?;
        }
        for name in self.loras.keys() {
            check(name).with_context(|| format!("`loras.{name}`"))?;
        }
        for name in self.embeddings.keys() {
            check(name).with_context(|| format!("`embeddings.{name}`"))?;
        }
        Ok(())
    }
}

impl AliasConfig {
    fn check(&self, max_steps: u32) -> anyhow::Result<()> {
        if self.path.as_os_str().is_empty() {
            bail!("`path` is missing; it names a folder or a `.safetensors` file");
        }
        how(self.sampler, self.schedule)?;
        let max_steps = max_steps.min(MAX_STEPS);
        if let Some(steps) = self.steps.filter(|steps| !(1..=max_steps).contains(steps)) {
            bail!("`steps` is {steps}; it must be 1 to {max_steps} (`limits.max_steps`)");
        }
        if let Some(guidance) = self.guidance_scale.filter(|guidance| !(0.0..=MAX_GUIDANCE).contains(guidance)) {
            bail!("`guidance_scale` is {guidance}; it must be 0 to {MAX_GUIDANCE}");
        }
        if self.width.is_some() != self.height.is_some() {
            bail!("`width` and `height` go together");
        }
        if let Some(side) = [self.width, self.height].into_iter().flatten().find(|side| !(8..=4096).contains(side)) {
            bail!("a side of {side} pixels; it must be 8 to 4096");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::EXAMPLE, *};

    /// The example with the comment signs removed that stand right before a key or a section.
    fn uncommented() -> String {
        let is_code = |rest: &str| rest.starts_with(|c: char| c == '[' || c.is_ascii_lowercase());
        EXAMPLE.lines().map(|line| line.strip_prefix('#').filter(|rest| is_code(rest)).unwrap_or(line)).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_commented_example_of_the_tables_is_valid_and_complete() {
        let config = Config::parse(&uncommented()).expect("it is valid without its comment signs");
        let (name, alias) = config.aliases.first_key_value().expect("an alias");
        assert!(!config.loras.is_empty() && !config.embeddings.is_empty());
        let example: toml::Table = toml::from_str(&uncommented()).expect("it is TOML");
        let shown = example["aliases"][name].as_table().expect("a section");
        let source = include_str!("tables.rs");
        let fields: Vec<_> = source
            .lines()
            .take_while(|line| !line.starts_with("/// Reads a name"))
            .filter_map(|line| line.strip_prefix("    pub ")?.split_once(':'))
            .collect();
        for (field, _) in &fields {
            assert!(shown.contains_key(*field), "config.example.toml lacks `{field}` of an alias");
        }
        assert_eq!(shown.len(), fields.len());
        assert!(alias.sampler.is_some() && alias.steps.is_some(), "{alias:?}");
    }

    fn check_error(text: &str, expected: &str) {
        let error = format!("{:#}", Config::parse(text).expect_err("the text is wrong"));
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn wrong_tables_are_named() {
        check_error("[aliases.a]\npaht = \"x\"", "unknown field `paht`");
        check_error("[aliases.a]\nsteps = 5", "`aliases.a`: `path` is missing");
        check_error("[aliases.a]\npath = \"x\"\nsteps = 0", "`aliases.a`: `steps` is 0; it must be 1 to 100");
        check_error("[aliases.a]\npath = \"x\"\nguidance_scale = 31.0", "`guidance_scale` is 31");
        check_error("[aliases.a]\npath = \"x\"\nwidth = 512", "`width` and `height` go together");
        check_error("[aliases.a]\npath = \"x\"\nshift = 0", "a shift is a number above 0 and up to 100");
        check_error("[aliases.a]\npath = \"x\"\nsampler = \"eular\"", "there is no sampler `eular`");
        check_error(
            "[aliases.a]\npath = \"x\"\nsampler = \"Euler Karras\"\nschedule = \"beta\"",
            "names the schedule karras and `schedule` beta",
        );
        check_error("[aliases.\"a  b\"]\npath = \"x\"", "`aliases.a  b`: a name has 1 to 80");
        check_error("[aliases.\"../x\"]\npath = \"x\"", "`aliases.../x`: a name has 1 to 80");
        check_error("[loras]\n\"a:b\" = \"x\"", "`loras.a:b`: a name has 1 to 80");
        check_error("[embeddings]\n\"a\\tb\" = \"x\"", "this one has \\u{9}, which nobody sees");
        check_error("[engine]\nmax_batch_rows = 0", "`engine.max_batch_rows` is 0; it must be 2 to 1024");
    }

    #[test]
    fn whole_numbers_are_guidance_scales_too() {
        let config = Config::parse("[aliases.a]\npath = \"x\"\nguidance_scale = 7\n[loras]\n\"ink wash\" = \"y\"").expect("it is valid");
        assert_eq!((config.aliases["a"].guidance_scale, config.loras.len()), (Some(7.0), 1));
    }
}
