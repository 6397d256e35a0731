//! `atelier bench`: how long pictures take, how quick answers are meanwhile, what it costs in memory. Ratios, and the times they come from.

mod kept;

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::Context;
use inference::{
    engine::{Engine, Event, FinishedImage, Submission},
    task::{ImageSize, Seed, Task, TextToImage},
};
use sandbox::Visitor;
use tokio::task::JoinSet;

use self::kept::Keeping;
use super::sandbox::{RunningSandbox, start_sandbox};
use crate::{
    config::Config,
    pictures::grid,
    pictures::shown::{self, MIN_GRID_WIDTH},
};

/// Where `/info` is asked.
const CHANNEL: &str = "general";

/// Options of `atelier bench`.
#[derive(Debug, clap::Args)]
pub struct BenchArgs {
    /// Measured rounds of each kind
    #[arg(long, default_value_t = 5)]
    pub rounds: usize,
}

/// Measures and prints a table.
///
/// # Errors
/// Something could not be started.
#[expect(clippy::print_stdout, reason = "the table is this command's output")]
pub async fn run(mut config: Config, args: BenchArgs) -> anyhow::Result<()> {
    let rounds = args.rounds.max(1);
    let folder = std::env::temp_dir().join(format!("atelier-bench-{}", std::process::id()));
    config.data.dir = folder.clone();
    config.limits.daily_row_megapixels = 1e12;
    config.limits.max_active_per_user = 1000;
    let started = start_sandbox(config.clone(), SocketAddr::from(([127, 0, 0, 1], 0)), None).await?;
    let engine = started.bot.app.models.engine.clone();
    let task = |seed| draw_task(&started, seed);
    let model = started.bot.app.models.offered().models[0].clone();
    println!("{} on {}; medians of {rounds} rounds\n", model.name, engine.device());
    time(&engine, &[task(1)]).await?;
    let mut alone = Vec::new();
    let mut pairs = Vec::new();
    let mut calls = (0, 0);
    for round in 0..rounds as u64 {
        let before = engine.stats().n_network_calls;
        let first = time(&engine, &[task(10 * round)]).await?;
        let second = time(&engine, &[task(10 * round + 5)]).await?;
        let between = engine.stats().n_network_calls;
        let both = time(&engine, &[task(10 * round), task(10 * round + 5)]).await?;
        calls = (between - before, engine.stats().n_network_calls - between);
        alone.push(first);
        pairs.push(both / (first + second));
    }
    let mut shown = Vec::new();
    for round in 0..rounds as u64 {
        let drawn = time(&engine, &[task(10 * round)]).await?;
        shown.push(time_shown(&engine, &task(10 * round)).await? / drawn);
    }
    let keeping = Keeping::new(&folder, Duration::from_millis(config.engine.checkpoint_interval_ms)).await?;
    let mut kept = Vec::new();
    for round in 0..rounds as u64 {
        // Each comes first every other time, so that neither has the quieter half.
        let (mut drawn, mut with) = (0.0, 0.0);
        for is_kept in [round % 2 == 0, round % 2 == 1] {
            match is_kept {
                true => with = keeping.time(&engine, &task(10 * round)).await?,
                false => drawn = time(&engine, &[task(10 * round)]).await?,
            }
        }
        kept.push(with / drawn);
    }
    println!("4 pictures, {} steps, guided      {:>8.2} s", config.defaults.steps, median(&mut alone));
    println!("two such jobs at once / in turn     {:>8.2} of the time, {} / {} network calls", median(&mut pairs), calls.1, calls.0);

    println!("drawn and kept on their way / drawn {:>8.3} of the time, {:.2} to {:.2}", median(&mut kept), kept[0], max(&kept));
    println!("drawn and made to be shown / drawn  {:>8.2} of the time, {:.2} to {:.2}", median(&mut shown), shown[0], max(&shown));

    let visitor = Visitor::connect(started.stand_in.url(), "ada").await?;
    let mut idle = info_times(&visitor, rounds * 4).await?;
    let busy = tokio::spawn({
        let (engine, tasks) = (engine.clone(), (0..rounds as u64 + 2).map(|round| task(round * 3)).collect::<Vec<_>>());
        async move { time(&engine, &tasks).await }
    });
    let mut loaded = info_times(&visitor, rounds * 4).await?;
    anyhow::ensure!(!busy.is_finished(), "the engine was idle before the last /info: use fewer rounds");
    busy.abort();
    println!("/info while idle                    {:>8.0} ms, at most {:.0}", median(&mut idle) * 1e3, max(&idle) * 1e3);
    println!("/info while drawing                 {:>8.0} ms, at most {:.0}", median(&mut loaded) * 1e3, max(&loaded) * 1e3);
    match memory_mib() {
        Some((now, peak)) => println!("memory                              {now:>8.0} MiB, at most {peak:.0}"),
        None => println!("memory                              not known on this system"),
    }
    started.stop().await?;
    std::fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))
}

fn draw_task(started: &RunningSandbox, seed: u64) -> Task {
    let model = &started.bot.app.models.offered().models[0];
    Task::from(TextToImage { prompt: "a frog".into(), negative_prompt: None, ..model.drawing(Seed(seed), 4) })
}

/// Seconds until all tasks are done, submitted at once.
async fn time(engine: &Engine, tasks: &[Task]) -> anyhow::Result<f64> {
    let start = Instant::now();
    let mut handles = Vec::new();
    for task in tasks {
        handles.push(engine.submit(Submission::new(task.clone()))?);
    }
    for mut handle in handles {
        while let Some(event) = handle.next().await {
            if let Event::Failed(error) = event {
                anyhow::bail!("{error}");
            }
        }
    }
    Ok(start.elapsed().as_secs_f64())
}

/// Seconds until a task is done and its pictures are as large as a grid shows them.
async fn time_shown(engine: &Engine, task: &Task) -> anyhow::Result<f64> {
    let (start, mut shows) = (Instant::now(), JoinSet::new());
    let mut handle = engine.submit(Submission::new(task.clone()))?;
    while let Some(event) = handle.next().await {
        match event {
            Event::Image(FinishedImage { image, .. }) => {
                let (engine, size) = (engine.clone(), ImageSize::new(image.width(), image.height()));
                let cell = grid::cell_size(size, task.n_images() as usize, MIN_GRID_WIDTH);
                shows.spawn(async move { shown::for_width(&engine, image, cell.width).await });
            }
            Event::Failed(error) => anyhow::bail!("{error}"),
            _ => {}
        }
    }
    while let Some(shown) = shows.join_next().await {
        shown??;
    }
    Ok(start.elapsed().as_secs_f64())
}

/// Seconds from a typed `/info` to its answer, several times.
async fn info_times(visitor: &Visitor, rounds: usize) -> anyhow::Result<Vec<f64>> {
    let mut times = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let n_before = visitor.messages(CHANNEL).await?.len();
        let start = Instant::now();
        visitor.slash(CHANNEL, "info", &[]).await?;
        visitor
            .wait_for(CHANNEL, Duration::from_secs(30), |messages| (messages.len() > n_before).then_some(()))
            .await
            .context("/info was not answered")?;
        times.push(start.elapsed().as_secs_f64());
    }
    Ok(times)
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn max(values: &[f64]) -> f64 {
    values.iter().copied().fold(0.0, f64::max)
}

/// Resident memory now and at its highest, in mebibytes.
fn memory_mib() -> Option<(f64, f64)> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name))?;
        Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? / 1024.0)
    };
    Some((field("VmRSS:")?, field("VmHWM:")?))
}
