//! `atelier imagine`: one job from the command line, without Discord.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Context;
use image::{RgbImage, imageops::FilterType};
use indicatif::{ProgressBar, ProgressStyle};
use inference::{
    engine::{Engine, Event, FinishedImage, ModelInfo, Submission, TaskHandle},
    sampler::Sampler,
    schedule::ScheduleKind,
    task::{ImageSize, ImageToImage, Seed, Task, TextToImage, Upscale},
};
use serde::Serialize;

use crate::{
    config::{self, Config},
    grid, models,
    prompt::{self, Aspect, ParseContext, PromptError, TypedOptions},
    random::random_seed,
};

/// What a shell reports of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;
/// Strength of a change when nobody says otherwise.
const STRENGTH: f64 = 0.6;

/// Options of `atelier imagine`.
#[derive(Clone, Debug, clap::Args)]
pub struct ImagineArgs {
    /// What to draw, taken as it stands
    pub prompt: String,
    /// Read `--parameters` at the end of the prompt, as the bot does
    #[arg(long)]
    pub parse: bool,
    /// Folder of a Stable Diffusion model in the diffusers layout [default: the configuration's, or the built-in one]
    #[arg(long, value_name = "DIR")]
    pub model: Option<PathBuf>,
    /// What to stay away from
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub negative: Option<String>,
    /// Denoising steps, 1 to 150
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=150))]
    pub steps: Option<u32>,
    /// Guidance scale, 1 (off) to 30 [default: 4 for the built-in model, else 7.5]
    #[arg(long, value_name = "F", value_parser = guidance)]
    pub guidance: Option<f64>,
    /// ddim, euler, euler_a or dpmpp_2m
    #[arg(long, value_name = "NAME", value_parser = sampler)]
    pub sampler: Option<Sampler>,
    /// normal or karras
    #[arg(long, value_name = "NAME", value_parser = schedule)]
    pub schedule: Option<ScheduleKind>,
    /// Seed of the first picture, 0 to 18446744073709551615; the others follow it [default: random]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Width in pixels [default: the model's own]
    #[arg(long, value_name = "N")]
    pub width: Option<u32>,
    /// Height in pixels [default: the model's own]
    #[arg(long, value_name = "N")]
    pub height: Option<u32>,
    /// Pictures to draw, 1 to 16
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=16))]
    pub count: u32,
    /// A picture (PNG, JPEG or WebP) to start from; its middle is taken if its shape differs
    #[arg(long, value_name = "FILE")]
    pub init: Option<PathBuf>,
    /// How much of the start picture changes, above 0 to 1 [default: 0.6]
    #[arg(long, value_name = "F", requires = "init", value_parser = strength)]
    pub strength: Option<f64>,
    /// Type of weights and activations: f32 or bf16 (CUDA only)
    #[arg(long, value_name = "TYPE", value_parser = |text: &str| config::parse_precision(text).map(|_| text.to_owned()))]
    pub dtype: Option<String>,
    /// cpu or cuda:N
    #[arg(long, value_name = "DEVICE", value_parser = |text: &str| config::parse_device(text).map(|_| text.to_owned()))]
    pub device: Option<String>,
    /// Folder for the pictures, named by their seeds; an older picture of that name is replaced
    #[arg(long, value_name = "DIR", default_value = "out")]
    pub out: PathBuf,
    /// Print one JSON object as the last line: seed, seconds (without loading) and the pictures
    #[arg(long)]
    pub json: bool,
    /// Enlarge the pictures with the super-resolution network
    #[arg(long)]
    pub upscale: bool,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Report {
    seed: u64,
    seconds: f64,
    images: Vec<Saved>,
}

#[derive(Debug, Serialize)]
struct Saved {
    path: String,
    seed: u64,
    width: u32,
    height: u32,
}

/// Draws, writes and reports the pictures.
///
/// # Errors
/// One sentence for the person who asked.
pub async fn run(config: Config, args: ImagineArgs) -> anyhow::Result<ExitCode> {
    let mut job = Job { args: &args, bar: ProgressBar::new_spinner(), base: None, started: Instant::now(), saved: Vec::new() };
    let ended = tokio::select! {
        drawn = job.run(with_args(config, &args)) => drawn.map(|()| ExitCode::SUCCESS),
        () = super::interrupted() => Ok(ExitCode::from(INTERRUPTED)),
    };
    job.bar.finish_and_clear();
    let code = ended?;
    job.report()?;
    Ok(code)
}

/// One run; dropping its future cancels what the engine still has of it.
struct Job<'a> {
    args: &'a ImagineArgs,
    bar: ProgressBar,
    /// What is drawn, once it is known.
    base: Option<TextToImage>,
    started: Instant,
    saved: Vec<Saved>,
}

impl Job<'_> {
    async fn run(&mut self, config: Config) -> anyhow::Result<()> {
        self.bar.set_message("loading the model");
        self.bar.enable_steady_tick(Duration::from_millis(100));
        let mut engine_config = models::engine_config(&config)?;
        engine_config.preview_every = 0;
        if !self.args.upscale {
            engine_config.upscaler = None;
        }
        let engine = tokio::task::spawn_blocking(move || Engine::start(engine_config)).await??;
        let (args, info) = (self.args.clone(), engine.info().clone());
        let submission = tokio::task::spawn_blocking(move || submission(&args, &config, &info)).await??;
        let folder = &self.args.out;
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
        self.base = submission.task.base().cloned();
        self.bar.set_style(ProgressStyle::with_template("{bar:32} {pos}/{len} steps, {eta} left{msg}")?);
        self.bar.set_message("");
        self.bar.reset();
        self.started = Instant::now();
        self.draw(&engine, submission).await
    }

    /// Saves the pictures as they come, or has them enlarged while the others are still drawn.
    async fn draw(&mut self, engine: &Engine, submission: Submission) -> anyhow::Result<()> {
        let mut upscales = Vec::new();
        let mut drawing = engine.submit(submission)?;
        while let Some(FinishedImage { seed, image, .. }) = next_picture(&mut drawing, &self.bar).await? {
            if self.args.upscale {
                let task = Task::Upscale(Upscale { source: seed.to_string(), size: ImageSize::new(image.width(), image.height()) });
                upscales.push((seed, engine.submit(Submission { task, source: Some(image), mask: None })?));
            } else {
                self.save(seed, image).await?;
            }
        }
        self.bar.set_message(if upscales.is_empty() { "" } else { ", enlarging" });
        for (seed, mut enlarging) in upscales {
            while let Some(picture) = next_picture(&mut enlarging, &self.bar).await? {
                self.save(seed, picture.image).await?;
            }
        }
        Ok(())
    }

    async fn save(&mut self, seed: Seed, image: RgbImage) -> anyhow::Result<()> {
        let path = self.args.out.join(format!("{seed}.png"));
        let (width, height) = image.dimensions();
        let saved = Saved { path: path.to_string_lossy().into_owned(), seed: seed.0, width, height };
        tokio::task::spawn_blocking(move || {
            std::fs::write(&path, grid::png(&image)).with_context(|| format!("cannot write {}", path.display()))
        })
        .await??;
        self.saved.push(saved);
        Ok(())
    }

    fn report(mut self) -> anyhow::Result<()> {
        let Some(base) = self.base else {
            eprintln!("atelier: stopped before the first step");
            return Ok(());
        };
        if self.saved.len() < base.n_images as usize {
            eprintln!("atelier: stopped; {} of {} pictures were finished", self.saved.len(), base.n_images);
        }
        self.saved.sort_by_key(|image| image.seed.wrapping_sub(base.seed.0));
        print(&Report { seed: base.seed.0, seconds: self.started.elapsed().as_secs_f64(), images: self.saved }, self.args.json)
    }
}

/// The next finished picture; `None` after the last.
async fn next_picture(handle: &mut TaskHandle, bar: &ProgressBar) -> anyhow::Result<Option<FinishedImage>> {
    loop {
        match handle.next().await.context("the engine has stopped")? {
            Event::Progress(progress) => {
                bar.set_length(progress.total.into());
                bar.set_position(progress.done.into());
            }
            Event::Preview { .. } => {}
            Event::Image(image) => return Ok(Some(image)),
            Event::Done(_) => return Ok(None),
            Event::Failed(error) => return Err(anyhow::Error::new(error)),
        }
    }
}

fn with_args(mut config: Config, args: &ImagineArgs) -> Config {
    if let Some(model) = &args.model {
        config.model.path.clone_from(model);
    }
    if let Some(device) = &args.device {
        config.model.device.clone_from(device);
    }
    if let Some(dtype) = &args.dtype {
        config.model.precision.clone_from(dtype);
    }
    config
}

/// What to hand to the engine; reads the start picture.
fn submission(args: &ImagineArgs, config: &Config, info: &ModelInfo) -> anyhow::Result<Submission> {
    let source = args.init.as_deref().map(|path| Ok::<_, anyhow::Error>((path, open(path)?))).transpose()?;
    let seed = args.seed.map_or_else(random_seed, Seed);
    let mut context = ParseContext { max_steps: 150, n_images: args.count, ..ParseContext::new(config, info, seed, u64::MAX) };
    // The start picture's shape is kept as well as the model's area allows.
    if let Some(aspect) = source.as_ref().and_then(|(_, image)| Aspect::new(image.width().into(), image.height().into())) {
        context.native_size = prompt::size_of_aspect(aspect, &context);
    }
    let mut base = if args.parse { parsed(args, context)? } else { taken_as_it_stands(args, context) };
    base.size = ImageSize::new(args.width.unwrap_or(base.size.width), args.height.unwrap_or(base.size.height));
    let Some((path, image)) = source else { return Ok(Submission { task: Task::TextToImage(base), source: None, mask: None }) };
    let size = base.size;
    let task = Task::ImageToImage(ImageToImage { base, source: path.display().to_string(), strength: args.strength.unwrap_or(STRENGTH) });
    let source = Some(image.resize_to_fill(size.width, size.height, FilterType::Lanczos3).to_rgb8());
    Ok(Submission { task, source, mask: None })
}

fn open(path: &Path) -> anyhow::Result<image::DynamicImage> {
    let read = || image::ImageReader::open(path)?.with_guessed_format()?.decode();
    read().with_context(|| format!("cannot read the picture {}", path.display()))
}

fn taken_as_it_stands(args: &ImagineArgs, context: ParseContext) -> TextToImage {
    TextToImage {
        prompt: args.prompt.clone(),
        negative_prompt: args.negative.clone(),
        size: context.native_size,
        steps: args.steps.unwrap_or(context.steps),
        guidance_scale: args.guidance.unwrap_or(context.guidance_scale),
        sampler: args.sampler.unwrap_or(context.sampler),
        schedule: args.schedule.unwrap_or(context.schedule),
        seed: context.random_seed,
        n_images: context.n_images,
        ..TextToImage::default()
    }
}

fn parsed(args: &ImagineArgs, mut context: ParseContext) -> anyhow::Result<TextToImage> {
    context.schedule = args.schedule.unwrap_or(context.schedule);
    let typed = TypedOptions {
        negative: args.negative.clone(),
        guidance: args.guidance,
        steps: args.steps.map(i64::from),
        // A typed seed is a signed number; ours may be larger.
        seed: None,
        aspect: None,
        sampler: args.sampler.map(|sampler| prompt::sampler_name(sampler).to_owned()),
    };
    let parsed = prompt::parse(&args.prompt, &typed, &context)?;
    match args.seed {
        Some(seed) if parsed.seed_given && parsed.task.seed != Seed(seed) => {
            let shown = |seed: Seed| format!("--seed {seed}");
            Err(PromptError::Twice { first: shown(parsed.task.seed), second: shown(Seed(seed)) }.into())
        }
        _ => Ok(parsed.task),
    }
}

fn print(report: &Report, is_json: bool) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if is_json {
        return Ok(writeln!(out, "{}", serde_json::to_string(report)?)?);
    }
    for Saved { path, seed, width, height } in &report.images {
        writeln!(out, "{path}  {width}×{height}  seed {seed}")?;
    }
    let Report { seed, seconds, images } = report;
    Ok(writeln!(out, "{} pictures in {seconds:.1} s; `--seed {seed}` draws them again", images.len())?)
}

fn guidance(text: &str) -> Result<f64, String> {
    number(text, |value| prompt::GUIDANCE.contains(value)).ok_or_else(|| "the guidance must be a number from 1 to 30".into())
}

fn strength(text: &str) -> Result<f64, String> {
    number(text, |value| *value > 0.0 && *value <= 1.0).ok_or_else(|| "the strength must be a number above 0 and at most 1".into())
}

fn number(text: &str, is_allowed: impl FnOnce(&f64) -> bool) -> Option<f64> {
    text.parse().ok().filter(is_allowed)
}

fn sampler(text: &str) -> Result<Sampler, String> {
    prompt::parse_sampler(text)
        .ok_or_else(|| format!("the sampler must be {}", prompt::name_list(&prompt::SAMPLERS.map(prompt::sampler_name))))
}

fn schedule(text: &str) -> Result<ScheduleKind, String> {
    let names = prompt::SCHEDULES.map(prompt::schedule_name);
    prompt::parse_schedule(text).ok_or_else(|| format!("the schedule must be {}", prompt::name_list(&names)))
}
