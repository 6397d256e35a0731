//! `atelier imagine`: one job from the command line, without Discord.

mod args;
mod flags;
mod from;
mod prepare;
mod show;
mod submit;

use std::{
    io::Write,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use image::RgbImage;
use indicatif::{ProgressBar, ProgressStyle};
use inference::{
    catalogue::Shelf,
    engine::{Engine, Event, FinishedImage, Submission, TaskHandle},
    task::{ImageSize, Role, Seed, Task, Upscale},
};
use serde::Serialize;
use tokio::task::JoinHandle;

pub use self::args::ImagineArgs;
use self::show::Show;
use crate::{
    config::Config,
    messages,
    models::Guide,
    pictures::hashes::Hashes,
    pictures::metadata::{self, Origin, Record},
    pictures::render,
    pictures::shown::{self, MIN_GRID_WIDTH},
    system::printable::printable,
    terminal::Preview,
};

/// What a shell reports of a program that Ctrl-C ended.
pub(super) const INTERRUPTED: u8 = 130;

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Report {
    seed: u64,
    seconds: f64,
    images: Vec<Saved>,
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Saved {
    path: String,
    seed: u64,
    width: u32,
    height: u32,
    /// The picture enlarged, beside it.
    #[serde(skip_serializing_if = "Option::is_none")]
    large: Option<Large>,
}

#[derive(Debug, Serialize)]
struct Large {
    path: String,
    width: u32,
    height: u32,
}

/// Draws, writes and reports the pictures.
///
/// # Errors
/// One sentence for the person who asked.
pub async fn run(config: Config, args: ImagineArgs) -> anyhow::Result<ExitCode> {
    let bar = ProgressBar::new_spinner();
    let show = Show::new(bar.clone(), if args.json { Preview::Never } else { args.preview });
    let mut job = Job { args: &args, bar, show, drawing: None, started: Instant::now(), saved: Vec::new(), notes: Vec::new() };
    let ended = tokio::select! {
        drawn = job.run(config) => drawn.map(|()| ExitCode::SUCCESS),
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
    show: Show,
    /// What is drawn, once it is known.
    drawing: Option<Drawing>,
    started: Instant,
    saved: Vec<Saved>,
    /// What the person who asked should know, as it was told.
    notes: Vec<String>,
}

/// What is drawn, and with what.
struct Drawing {
    task: Task,
    origin: OriginState,
}

/// What of a picture is saved.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// As it was drawn.
    Drawn,
    /// Enlarged, in place of the drawn one.
    Enlarged,
    /// Enlarged, beside the drawn one.
    Beside,
}

/// Weights are hashed while the first picture is drawn.
enum OriginState {
    Hashing(JoinHandle<Origin>),
    Known(Box<Origin>),
}

impl Drawing {
    fn seed(&self) -> Seed {
        self.task.base().map_or(Seed(0), |base| base.seed)
    }

    async fn record(&mut self, index: u32, is_enlarged: bool) -> anyhow::Result<Record> {
        if let OriginState::Hashing(hashing) = &mut self.origin {
            self.origin = OriginState::Known(Box::new(hashing.await?));
        }
        let OriginState::Known(origin) = &self.origin else { anyhow::bail!("the hashes are not known") };
        Ok(Record { task: self.task.clone(), index: Some(index), is_enlarged, origin: Origin::clone(origin) })
    }
}

impl Job<'_> {
    async fn run(&mut self, config: Config) -> anyhow::Result<()> {
        self.bar.set_message("loading the model");
        self.bar.enable_steady_tick(Duration::from_millis(100));
        let (args, hashes) = (self.args.clone(), Arc::new(Hashes::of_user()));
        let known_hashes = hashes.clone();
        let (is_shown, has_graphics) = (self.show.is_on(), self.show.has_graphics());
        let starting = tokio::task::spawn_blocking(move || {
            let mut prepared = prepare::prepare(config, &args, &known_hashes)?;
            prepared.engine.preview_every = u32::from(is_shown);
            let mut things = prepared.things.clone();
            // What pictures are made with stays as it is; this one only shows them.
            things.upscaler = things.upscaler.or(prepared.shows_with.take().filter(|_| has_graphics));
            let shelf = Arc::new(Shelf::open(things)?);
            let catalogue = shelf.catalogue();
            let card = catalogue.model(None).context("no model is there")?;
            // What is wrong is told before anything is loaded.
            let submission = submit::submission(&args, &mut prepared, card)?;
            let engine = Engine::start(prepared.engine.clone(), shelf)?;
            anyhow::Ok((engine, prepared, submission))
        });
        let (engine, prepared, submission) = starting.await??;
        let guide = Guide::of(&engine.catalogue());
        let not_known = guide.and_then(|guide| guide.note(&submission.task));
        let of_task: Vec<_> = submission.task.notes().into_iter().chain(not_known).collect();
        prepared.notes.iter().cloned().chain(messages::note_sentences(&of_task)).for_each(|note| self.tell(&note));
        let folder = &self.args.out;
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
        let (task, is_enlarging, device) = (submission.task.clone(), prepared.is_enlarging, engine.device().to_owned());
        let (hashed, catalogue) = (task.clone(), engine.catalogue());
        let hashing = tokio::task::spawn_blocking(move || Origin::of(&hashed, &catalogue, &device, &hashes));
        self.drawing = Some(Drawing { task, origin: OriginState::Hashing(hashing) });
        self.bar.set_style(ProgressStyle::with_template("{bar:32} {pos}/{len} steps, {eta} left{msg}")?);
        self.bar.set_message("");
        self.bar.reset();
        self.started = Instant::now();
        let size = render::picture_size(&submission.task);
        self.show.begin(submission.task.n_images(), (size.width, size.height));
        self.draw(&engine, submission, is_enlarging).await
    }

    /// Tells the person who asked, beside the pictures.
    fn tell(&mut self, note: &str) {
        // A note may quote what a stranger's picture says.
        let note = printable(note);
        self.show.tell(&format!("atelier: {note}"));
        self.notes.push(note);
    }

    /// The next finished picture; `None` after the last.
    async fn next_picture(&mut self, handle: &mut TaskHandle) -> anyhow::Result<Option<FinishedImage>> {
        loop {
            match handle.next().await.context("the engine has stopped")? {
                Event::Progress(progress) => {
                    self.bar.set_length(progress.total.into());
                    self.bar.set_position(progress.done.into());
                }
                Event::Notes(notes) => messages::note_sentences(&notes).iter().for_each(|note| self.tell(note)),
                Event::Preview { index, image, .. } => self.show.preview(index, image),
                Event::Loading | Event::Checkpoint { .. } => {}
                Event::Image(image) => return Ok(Some(image)),
                Event::Done(_) => return Ok(None),
                Event::Failed(error) => return Err(anyhow::Error::new(error)),
            }
        }
    }

    /// Saves the pictures as they come, or has them enlarged while the others are still drawn.
    async fn draw(&mut self, engine: &Engine, submission: Submission, is_enlarging: bool) -> anyhow::Result<()> {
        let (mut upscales, mut small) = (Vec::new(), Vec::new());
        let mut drawing = engine.submit(submission)?;
        while let Some(finished) = self.next_picture(&mut drawing).await? {
            let FinishedImage { index, seed, image, .. } = finished;
            self.show.finished(index, image.clone());
            let is_shown_larger = self.show.has_graphics() && !is_enlarging && !self.args.enlarge;
            small.extend(is_shown_larger.then(|| (index, image.clone())));
            if is_enlarging || self.args.enlarge {
                let size = ImageSize::new(image.width(), image.height());
                let task = Task::upscale(Upscale { size, passes: 1 }, seed.to_string());
                upscales.push((index, seed, engine.submit(Submission::new(task).with(Role::Init, image.clone()))?));
            }
            if !is_enlarging {
                self.save(index, seed, image, Form::Drawn).await?;
            }
        }
        let form = if self.args.enlarge { Form::Beside } else { Form::Enlarged };
        self.bar.set_message(if upscales.is_empty() { "" } else { ", enlarging" });
        for (index, seed, mut enlarging) in upscales {
            while let Some(picture) = self.next_picture(&mut enlarging).await? {
                self.show.finished(index, picture.image.clone());
                self.save(index, seed, picture.image, form).await?;
            }
        }
        for (index, image) in small {
            self.show.finished(index, shown::for_width(engine, image, MIN_GRID_WIDTH).await?);
        }
        Ok(())
    }

    async fn save(&mut self, index: u32, seed: Seed, image: RgbImage, form: Form) -> anyhow::Result<()> {
        let record = self.drawing.as_mut().context("nothing is drawn")?.record(index, form != Form::Drawn).await?;
        let path = self.args.out.join(if form == Form::Beside { format!("{seed}-large.png") } else { format!("{seed}.png") });
        let (width, height) = image.dimensions();
        let shown = path.to_string_lossy().into_owned();
        tokio::task::spawn_blocking(move || {
            let bytes = metadata::png(&image, &record)?;
            std::fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))
        })
        .await??;
        match self.saved.iter_mut().find(|saved| form == Form::Beside && saved.seed == seed.0) {
            Some(saved) => saved.large = Some(Large { path: shown, width, height }),
            None => self.saved.push(Saved { path: shown, seed: seed.0, width, height, large: None }),
        }
        Ok(())
    }

    fn report(mut self) -> anyhow::Result<()> {
        let Some(drawing) = self.drawing else {
            eprintln!("atelier: stopped before the first step");
            return Ok(());
        };
        let (seed, n_images) = (drawing.seed(), drawing.task.n_images());
        if self.saved.len() < n_images as usize {
            eprintln!("atelier: stopped; {} of {n_images} pictures were finished", self.saved.len());
        }
        self.saved.sort_by_key(|image| image.seed.wrapping_sub(seed.0));
        print(
            &Report { seed: seed.0, seconds: self.started.elapsed().as_secs_f64(), images: self.saved, notes: self.notes },
            self.args.json,
        )
    }
}

fn print(report: &Report, is_json: bool) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if is_json {
        return Ok(writeln!(out, "{}", serde_json::to_string(report)?)?);
    }
    for Saved { path, seed, width, height, large } in &report.images {
        writeln!(out, "{path}  {width}×{height}  seed {seed}")?;
        if let Some(Large { path, width, height }) = large {
            writeln!(out, "{path}  {width}×{height}  enlarged")?;
        }
    }
    let Report { seed, seconds, images, .. } = report;
    let (n_images, again) = if images.len() == 1 { ("1 picture".to_owned(), "it") } else { (format!("{} pictures", images.len()), "them") };
    Ok(writeln!(out, "{n_images} in {seconds:.1} s; `--seed {seed}` draws {again} again")?)
}

#[cfg(test)]
mod tests;
