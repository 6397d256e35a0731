//! The stand-in as a process of its own, so that its memory is its own.

use anyhow::Context;
use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
};

pub struct Server {
    process: Child,
    pub host: SocketAddr,
}

impl Server {
    pub fn start(is_validating: bool, data_dir: Option<&Path>) -> anyhow::Result<Self> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_atelier-sandbox"));
        command.args(["--listen", "127.0.0.1:0", "--print-env"]).env("RUST_LOG", "error").stdout(Stdio::piped());
        if !is_validating {
            command.arg("--no-validation");
        }
        if let Some(data_dir) = data_dir {
            command.arg("--data-dir").arg(data_dir);
        }
        let mut process = command.spawn().context("the stand-in does not start")?;
        let said = process.stdout.take().context("the stand-in says nothing")?;
        // All of it is read: the program must not write into a closed pipe. The token comes last.
        let mut host = None;
        for line in BufReader::new(said).lines() {
            let line = line?;
            if let Some(address) = line.strip_prefix("SANDBOX_URL=http://") {
                host = Some(address.parse()?);
            } else if line.starts_with("DISCORD_TOKEN=") {
                break;
            }
        }
        Ok(Self { process, host: host.context("the stand-in does not tell its address")? })
    }

    /// Bytes of memory that are in use and not shared with files.
    pub fn memory_bytes(&self) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).context("no RssAnon")?;
        let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib * 1024)
    }

    /// Seconds of processor time so far. Source: `proc(5)`, fields 14 and 15, in hundredths of a second on Linux.
    pub fn processor_s(&self) -> anyhow::Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id()))?;
        let (_, fields) = stat.rsplit_once(')').context("no stat")?;
        let ticks: u64 = fields.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
        Ok(ticks as f64 / 100.0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
