//! Whether memory stays flat: what the newest messages need, and no more however many there were.

use crate::{
    bot::{Bot, Work},
    server::Server,
    wire::Wire,
};
use anyhow::{Context, ensure};
use serde_json::Value;

const N_SAMPLES: usize = 20;
/// The first samples fill what is kept; growth counts from here on.
const N_WARM: usize = 5;
const MAX_GROWTH: f64 = 1.10;
/// Without a directory a channel keeps this many messages, and at most this many more for a while.
const N_IN_MEMORY: usize = 1000;
const FORGET_EVERY: usize = 100;

#[expect(clippy::print_stdout, reason = "the figures are what a benchmark is for")]
pub async fn run(n: usize, n_in_flight: usize) -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    for (name, data_dir) in [("With a directory", Some(directory.path())), ("Without a directory", None)] {
        let server = Server::start(true, data_dir)?;
        let mut bot = Bot::start(server.host).await?;
        println!("{name}:");
        let mut samples = Vec::new();
        for sample in 1..=N_SAMPLES {
            let (elapsed, _) = bot.round(Work::Answer, n / N_SAMPLES, n_in_flight).await?;
            let memory_mib = server.memory_bytes()? as f64 / f64::from(1 << 20);
            let rate = (n / N_SAMPLES) as f64 / elapsed.as_secs_f64();
            println!("  {:>7} interactions   {memory_mib:>6.1} MiB   {rate:>5.0}/s", sample * n / N_SAMPLES);
            samples.push(memory_mib);
        }
        let kept = history(&server, &bot).await?;
        let growth = samples[N_SAMPLES - 1] / samples[N_WARM - 1];
        println!("  {growth:.2} times the memory of a quarter of the way; {kept} messages can be read");
        ensure!(growth < MAX_GROWTH, "memory is not flat");
        let expected = if data_dir.is_some() { n / N_SAMPLES * N_SAMPLES } else { N_IN_MEMORY };
        ensure!((expected..expected + FORGET_EVERY).contains(&kept), "{expected} messages should be there");
    }
    Ok(())
}

/// Reads the channel back to its beginning; returns the number of messages.
async fn history(server: &Server, bot: &Bot) -> anyhow::Result<usize> {
    let mut wire = Wire::connect(server.host).await?;
    let (mut n, mut before) = (0, String::new());
    loop {
        let path = format!("/sandbox/api/channels/{}/messages?user={}&limit=200{before}", bot.channel, bot.user);
        let page: Vec<Value> = serde_json::from_slice(wire.send("GET", &path, "").await?)?;
        let Some(oldest) = page.first() else { return Ok(n) };
        n += page.len();
        before = format!("&before={}", oldest["id"].as_str().context("a message has no id")?);
    }
}
