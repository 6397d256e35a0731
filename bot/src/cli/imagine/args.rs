//! The options of `atelier imagine`.

use std::path::PathBuf;

use inference::{
    catalogue::limits::{MAX_GUIDANCE, MAX_IMAGES, MAX_STEPS},
    sampler::{Sampler, SamplerChoice},
    schedule::{Prediction, ScheduleKind, Shift},
    task::{Enlarger, MIN_STOP},
};

use super::flags::LineFlags;
use crate::{
    config,
    prompt::{self, Aspect, MAX_HIRES},
    terminal::Preview,
};

/// Options of `atelier imagine`.
#[derive(Clone, Debug, clap::Args)]
pub struct ImagineArgs {
    /// What to draw; `--parameters` such as `--ar 3:2 --seed 7` may follow in it as in Discord, and `<lora:NAME:WEIGHT>` adds a LoRA
    #[arg(required_unless_present = "from")]
    pub prompt: Option<String>,
    /// Draw the prompt as it stands: nothing in it is a parameter
    #[arg(long, requires = "prompt")]
    pub literal: bool,
    #[arg(long, hide = true, conflicts_with = "literal")]
    /// What was asked for when it was not usual: reading the parameters.
    pub parse: bool,
    /// Draw a picture of Atelier, A1111, SwarmUI or Fooocus again by its metadata; options given beside it override
    #[arg(long, value_name = "PICTURE")]
    pub from: Option<PathBuf>,
    /// Folder in the diffusers layout, single .safetensors file, or a name of the configuration [default: the configuration's, or the built-in one]
    #[arg(long, value_name = "DIR|FILE|NAME")]
    pub model: Option<String>,
    /// Another VAE than the model's own
    #[arg(long, value_name = "DIR|FILE")]
    pub vae: Option<PathBuf>,
    /// The text encoder, for a model file that holds a transformer alone [default: beside it]
    #[arg(long, value_name = "DIR")]
    pub text_encoder: Option<PathBuf>,
    /// The tokenizer, for the same [default: beside it]
    #[arg(long, value_name = "DIR")]
    pub tokenizer: Option<PathBuf>,
    /// A LoRA, and how much of it [weight: 1]; may be given several times
    #[arg(long, value_name = "FILE|NAME[:WEIGHT]")]
    pub lora: Vec<String>,
    /// A textual inversion; its word in prompts is the file's name without ending; may be given several times
    #[arg(long, value_name = "FILE")]
    pub embedding: Vec<PathBuf>,
    /// What to stay away from
    #[arg(long, visible_aliases = prompt::other_spellings("negative"), value_name = "TEXT", allow_hyphen_values = true)]
    pub negative: Option<String>,
    /// Denoising steps, 1 to 1000 [default: 25, or the configuration's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_STEPS)))]
    pub steps: Option<u32>,
    /// Guidance scale, 0 to 30; up to 1 is off, for Z-Image 0 alone [default: the model's own, 4 for the built-in one, else 7.5]
    #[arg(long, visible_aliases = prompt::other_spellings("guidance"), value_name = "F", value_parser = guidance)]
    pub guidance: Option<f64>,
    /// How far guided predictions are brought back to the spread of unguided ones, 0 (not) to 1
    #[arg(long, visible_aliases = prompt::other_spellings("guidance-rescale"), value_name = "F", value_parser = share)]
    pub guidance_rescale: Option<f64>,
    /// The share of the steps in which guidance is on, such as 0.1:0.8
    #[arg(long, value_name = "FROM:TO", value_parser = interval)]
    pub guidance_interval: Option<(f64, f64)>,
    #[arg(long, value_name = "NAME", value_parser = sampler, help = sampler_help())]
    /// How one noise level goes to the next.
    pub sampler: Option<SamplerChoice>,
    #[arg(long, value_name = "NAME", value_parser = schedule, help = schedule_help())]
    /// How the noise levels are chosen.
    pub schedule: Option<ScheduleKind>,
    /// What the model's network predicts, v or epsilon, where its files say nothing or the wrong thing [default: as its files say]
    #[arg(long, value_name = "NAME")]
    pub prediction: Option<Prediction>,
    /// How far the schedule is shifted, for a file with a transformer alone: 3 for Z-Image-Turbo, 6 for Z-Image [default: as its files and its name say]
    #[arg(long, value_name = "F")]
    pub shift: Option<Shift>,
    /// Layers of the text encoder left out beyond the model's own rule, for both prompts
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=i64::from(prompt::MAX_CLIP_SKIP)))]
    pub clip_skip: Option<u32>,
    /// Seed of the first picture, 0 to 18446744073709551615; the others follow it [default: random]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Width to height, such as 3:2, at about the model's own number of pixels
    #[arg(long, visible_aliases = prompt::other_spellings("aspect"), value_name = "W:H", conflicts_with_all = ["width", "height"])]
    pub aspect: Option<Aspect>,
    /// Width in pixels [default: the model's own]
    #[arg(long, value_name = "N")]
    pub width: Option<u32>,
    /// Height in pixels [default: the model's own]
    #[arg(long, value_name = "N")]
    pub height: Option<u32>,
    /// Pictures to draw, 1 to 16 [default: 4]
    #[arg(long, visible_aliases = prompt::other_spellings("count"), value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_IMAGES)))]
    pub count: Option<u32>,
    /// Let the picture's edges continue on the opposite side, for textures
    #[arg(long, visible_aliases = prompt::other_spellings("seamless"))]
    pub seamless: bool,
    /// A picture (PNG, JPEG or WebP) to start from; its middle is taken if its shape differs
    #[arg(long, value_name = "FILE")]
    pub init: Option<PathBuf>,
    /// Where the start picture is drawn anew: white; what is black stays
    #[arg(long, value_name = "FILE", requires = "init")]
    pub mask: Option<PathBuf>,
    /// How much of the start picture changes, above 0 to 1 [default: 0.6, or 1 with a mask]
    #[arg(long, value_name = "F", requires = "init", value_parser = strength)]
    pub strength: Option<f64>,
    /// How many times as much the start picture counts as what is drawn anew, 0 to 3: 1 is a strength of 0.5, 3 one of 0.25
    #[arg(long, value_name = "F", requires = "init", conflicts_with = "strength", value_parser = picture_weight)]
    pub iw: Option<f64>,
    /// Draw a second pass over the picture enlarged so many times, above 1 to 4
    #[arg(long, value_name = "SCALE", value_parser = scale)]
    pub hires: Option<f64>,
    /// How much the second pass changes, above 0 to 1 [default: 0.6]
    #[arg(long, value_name = "F", value_parser = strength)]
    pub hires_strength: Option<f64>,
    /// Steps of the second pass's full schedule [default: as many as the first's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_STEPS)))]
    pub hires_steps: Option<u32>,
    /// What enlarges between the passes: latent or network [default: latent]
    #[arg(long, value_name = "NAME", value_parser = enlarger)]
    pub hires_upscaler: Option<Enlarger>,
    /// Hand each picture out after this share of its steps in per cent, 10 to 100, as it is then
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(i64::from(MIN_STOP)..=100))]
    pub stop: Option<u32>,
    /// Enlarge the pictures with the super-resolution network, and write nothing else
    #[arg(long)]
    pub upscale: bool,
    /// Write each picture once more beside it, enlarged with the super-resolution network, as SEED-large.png
    #[arg(long, conflicts_with = "upscale")]
    pub enlarge: bool,
    /// Another super-resolution network than the configuration's
    #[arg(long, value_name = "FILE")]
    pub upscaler: Option<PathBuf>,
    /// Type of weights and activations: f32, bf16 or f16; a CPU computes in f32 [default: the configuration's]
    #[arg(long, value_name = "TYPE", value_parser = |text: &str| config::parse_precision(text).map(|_| text.to_owned()))]
    pub dtype: Option<String>,
    /// cpu or cuda:N
    #[arg(long, value_name = "DEVICE", value_parser = |text: &str| config::parse_device(text).map(|_| text.to_owned()))]
    pub device: Option<String>,
    /// Folder for the pictures, named by their seeds; an older picture of that name is replaced
    #[arg(long, value_name = "DIR", default_value = "out")]
    pub out: PathBuf,
    /// Show the pictures in the terminal while they are drawn; never where output goes elsewhere, with --json or in a small window
    #[arg(long, value_name = "HOW", value_enum, default_value_t)]
    pub preview: Preview,
    /// Print one JSON object as the last line: seed, seconds (without loading) and the pictures
    #[arg(long)]
    pub json: bool,
    /// Parameters of the prompt that are flags too.
    #[command(flatten)]
    pub line: LineFlags,
}

fn sampler_help() -> String {
    format!("How one noise level goes to the next: {} [default: the model's own]", prompt::name_list(&Sampler::ALL.map(Sampler::name)))
}

fn schedule_help() -> String {
    let names = prompt::name_list(&ScheduleKind::ALL.map(ScheduleKind::name));
    format!("How the noise levels are chosen: {names} [default: the model's own]")
}

fn guidance(text: &str) -> Result<f64, String> {
    number(text, |value| (0.0..=MAX_GUIDANCE).contains(value)).ok_or_else(|| "the guidance must be a number from 0 to 30".into())
}

fn share(text: &str) -> Result<f64, String> {
    number(text, |value| (0.0..=1.0).contains(value)).ok_or_else(|| "it must be a number from 0 to 1".into())
}

fn picture_weight(text: &str) -> Result<f64, String> {
    let most = prompt::MAX_PICTURE_WEIGHT;
    number(text, |value| (0.0..=most).contains(value)).ok_or_else(|| format!("the weight of the picture must be a number from 0 to {most}"))
}

fn strength(text: &str) -> Result<f64, String> {
    number(text, |value| *value > 0.0 && *value <= 1.0).ok_or_else(|| "the strength must be a number above 0 and at most 1".into())
}

fn scale(text: &str) -> Result<f64, String> {
    number(text, |value| *value > 1.0 && *value <= MAX_HIRES).ok_or_else(|| "the enlargement must be a number above 1 and at most 4".into())
}

fn interval(text: &str) -> Result<(f64, f64), String> {
    let parts = text.split_once(':').and_then(|(from, to)| Some((share(from).ok()?, share(to).ok()?)));
    parts.filter(|(from, to)| from < to).ok_or_else(|| "it must be two numbers from 0 to 1, the smaller first, such as 0.1:0.8".into())
}

fn number(text: &str, is_allowed: impl FnOnce(&f64) -> bool) -> Option<f64> {
    text.parse().ok().filter(is_allowed)
}

fn sampler(text: &str) -> Result<SamplerChoice, String> {
    text.parse().map_err(|_| format!("the sampler must be {}", prompt::name_list(&Sampler::ALL.map(Sampler::name))))
}

fn schedule(text: &str) -> Result<ScheduleKind, String> {
    text.parse().map_err(|_| format!("the schedule must be {}", prompt::name_list(&ScheduleKind::ALL.map(ScheduleKind::name))))
}

fn enlarger(text: &str) -> Result<Enlarger, String> {
    match text {
        "latent" => Ok(Enlarger::Latent),
        "network" => Ok(Enlarger::Network),
        _ => Err("it must be latent or network".into()),
    }
}
