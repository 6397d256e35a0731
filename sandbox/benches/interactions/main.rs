//! How many interactions a second the stand-in carries, what checking them against Discord's description costs,
//! and whether its memory stays flat.
//!
//! ```sh
//! cargo bench -p atelier-sandbox                      # rates with the checks on and off, in turn
//! cargo bench -p atelier-sandbox -- --soak 100000     # memory over so many interactions
//! ```

mod bot;
mod server;
mod soak;
mod wire;

use bot::{Bot, Work};
use clap::Parser;
use server::Server;
use std::time::Duration;

#[derive(Debug, Parser)]
struct Args {
    /// Interactions of a round
    #[arg(long, default_value_t = 3000)]
    interactions: usize,
    /// Rounds of each kind, after one that does not count
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Interactions that wait for their answers at the same time
    #[arg(long, default_value_t = 64)]
    in_flight: usize,
    /// Measure memory over so many interactions instead
    #[arg(long, value_name = "INTERACTIONS")]
    soak: Option<usize>,
    /// What cargo passes to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    match args.soak {
        Some(n) => soak::run(n, args.in_flight).await,
        None => rates(&args).await,
    }
}

/// A stand-in and what was measured of it.
struct Side {
    server: Server,
    bot: Bot,
    rates: Vec<f64>,
    latencies: Vec<Duration>,
    processor_s: f64,
}

impl Side {
    async fn start(is_validating: bool) -> anyhow::Result<Self> {
        let server = Server::start(is_validating, None)?;
        let bot = Bot::start(server.host).await?;
        Ok(Self { server, bot, rates: Vec::new(), latencies: Vec::new(), processor_s: 0.0 })
    }

    async fn round(&mut self, args: &Args, work: Work) -> anyhow::Result<()> {
        let before_s = self.server.processor_s()?;
        let (elapsed, latencies) = self.bot.round(work, args.interactions, args.in_flight).await?;
        self.processor_s += self.server.processor_s()? - before_s;
        self.rates.push(args.interactions as f64 / elapsed.as_secs_f64());
        self.latencies.extend(latencies);
        Ok(())
    }

    fn forget(&mut self) {
        self.rates.clear();
        self.latencies.clear();
        self.processor_s = 0.0;
    }

    #[expect(clippy::print_stdout, reason = "the figures are what a benchmark is for")]
    fn tell(&mut self, name: &str, args: &Args) {
        self.latencies.sort_unstable();
        let at = |part: f64| self.latencies[((self.latencies.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e3;
        let processor_us = self.processor_s * 1e6 / (args.interactions * self.rates.len()) as f64;
        println!(
            "  {name:<14} {:>6.0} interactions/s   {processor_us:>5.0} µs of processor each   latency {:>5.1} ms (median), {:>5.1} ms (99 of 100)",
            median(&self.rates),
            at(0.5),
            at(0.99)
        );
    }
}

#[expect(clippy::print_stdout, reason = "the figures are what a benchmark is for")]
async fn rates(args: &Args) -> anyhow::Result<()> {
    let (mut checked, mut unchecked) = (Side::start(true).await?, Side::start(false).await?);
    println!(
        "{} rounds of {} interactions, {} at once; stand-in and bot share this machine",
        args.rounds, args.interactions, args.in_flight
    );
    for (work, name) in [(Work::Answer, "Answered at once"), (Work::Defer, "Deferred, then edited")] {
        for side in [&mut checked, &mut unchecked] {
            side.round(args, work).await?;
            side.forget();
        }
        for _ in 0..args.rounds {
            checked.round(args, work).await?;
            unchecked.round(args, work).await?;
        }
        let ratios: Vec<f64> = checked.rates.iter().zip(&unchecked.rates).map(|(on, off)| on / off).collect();
        println!("{name}:");
        checked.tell("validation on", args);
        unchecked.tell("validation off", args);
        println!(
            "  on to off, round by round: {:.2} (median; {:.2} to {:.2})",
            median(&ratios),
            least(&ratios),
            -least(&ratios.iter().map(|ratio| -ratio).collect::<Vec<_>>())
        );
        checked.forget();
        unchecked.forget();
    }
    Ok(())
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn least(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}
