//! Everything that passed, as lines of JSON: the newest in memory, and all of them in a file where there is a directory.

use serde_json::{Value, json};
use std::{
    collections::VecDeque,
    io,
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::{
    fs::{File, OpenOptions},
    io::AsyncWriteExt,
    sync::mpsc,
};
use tokio_util::sync::CancellationToken;

const N_KEPT: usize = 10_000;
/// Lines that wait for the disk.
const N_WAITING: usize = 10_000;
/// A longer body is cut off.
const MAX_BODY_BYTES: usize = 8 << 10;
/// A larger file is put aside, and the one that was aside is gone.
const MAX_FILE_BYTES: u64 = 64 << 20;

#[derive(Default)]
struct Ring {
    seq: u64,
    lines: VecDeque<Value>,
}

/// The journal of a running stand-in.
#[derive(Default)]
pub(crate) struct Journal {
    ring: Mutex<Ring>,
    file: Option<mpsc::Sender<String>>,
    /// Lines that the disk was too slow for.
    n_dropped: AtomicU64,
}

impl Journal {
    /// A journal that also writes to `file`.
    pub(crate) fn with_file() -> (Self, mpsc::Receiver<String>) {
        let (file, lines) = mpsc::channel(N_WAITING);
        (Self { file: Some(file), ..Self::default() }, lines)
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a line: `seq`, `at_ms`, `kind` and the fields of `data`.
    pub(crate) fn write(&self, now_ms: i64, kind: &str, mut data: Value) {
        let mut ring = self.ring();
        ring.seq += 1;
        data["seq"] = json!(ring.seq);
        data["at_ms"] = json!(now_ms);
        data["kind"] = json!(kind);
        if let Some(file) = &self.file {
            let n_dropped = self.n_dropped.load(Ordering::Relaxed);
            if n_dropped > 0 {
                data["n_dropped"] = json!(n_dropped);
            }
            match file.try_send(format!("{data}\n")) {
                Ok(()) => _ = self.n_dropped.fetch_sub(n_dropped, Ordering::Relaxed),
                Err(_) => _ = self.n_dropped.fetch_add(1, Ordering::Relaxed),
            }
        }
        if ring.lines.len() == N_KEPT {
            ring.lines.pop_front();
        }
        ring.lines.push_back(data);
    }

    /// At most `limit` lines after a number, and the number to go on from.
    pub(crate) fn after(&self, after: u64, limit: usize) -> (u64, Vec<Value>) {
        let ring = self.ring();
        let oldest = ring.seq - ring.lines.len() as u64;
        let lines: Vec<Value> = ring.lines.iter().skip(after.saturating_sub(oldest) as usize).take(limit).cloned().collect();
        let seq = lines.last().and_then(|line| line["seq"].as_u64()).unwrap_or(ring.seq);
        (seq, lines)
    }
}

/// A body as the journal keeps it: without the tokens that it may hold, and cut off when it is long.
pub(crate) fn body(body: &Value) -> Value {
    let mut body = body.clone();
    blank(&mut body);
    let text = body.to_string();
    if text.len() <= MAX_BODY_BYTES {
        return body;
    }
    let end = (0..=MAX_BODY_BYTES).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    json!(format!("{}… ({} bytes)", &text[..end], text.len()))
}

fn blank(value: &mut Value) {
    match value {
        Value::Object(object) => {
            for (name, inner) in object {
                if name == "token" && inner.is_string() { *inner = json!("***") } else { blank(inner) }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(blank),
        _ => {}
    }
}

/// Writes lines to `journal.jsonl` until the stand-in ends; then those that still wait.
pub(crate) async fn keep(directory: PathBuf, mut lines: mpsc::Receiver<String>, shutdown: CancellationToken) {
    if let Err(error) = write_all(&directory, &mut lines, shutdown).await {
        tracing::error!(%error, path = %directory.display(), "the sandbox's journal cannot be written");
    }
}

async fn write_all(directory: &Path, lines: &mut mpsc::Receiver<String>, shutdown: CancellationToken) -> io::Result<()> {
    let path = directory.join("journal.jsonl");
    let (mut file, mut size_bytes) = open(&path).await?;
    loop {
        let line = tokio::select! {
            biased;
            line = lines.recv() => line,
            () = shutdown.cancelled() => lines.try_recv().ok(),
        };
        let Some(line) = line else { return file.flush().await };
        if size_bytes + line.len() as u64 > MAX_FILE_BYTES {
            file.flush().await?;
            tokio::fs::rename(&path, directory.join("journal.old.jsonl")).await?;
            (file, size_bytes) = open(&path).await?;
        }
        file.write_all(line.as_bytes()).await?;
        size_bytes += line.len() as u64;
    }
}

async fn open(path: &Path) -> io::Result<(File, u64)> {
    let file = OpenOptions::new().create(true).append(true).open(path).await?;
    let size_bytes = file.metadata().await?.len();
    Ok((file, size_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ring_forgets_the_oldest() {
        let journal = Journal::default();
        (0..N_KEPT + 5).for_each(|n| journal.write(7, "page", json!({ "n": n })));
        let (seq, lines) = journal.after(0, 2);
        assert_eq!((seq, lines[0]["n"].as_u64(), lines.len()), (7, Some(5), 2));
        let (seq, lines) = journal.after(N_KEPT as u64 + 4, 100);
        assert_eq!((seq, lines.len()), (N_KEPT as u64 + 5, 1));
    }

    #[test]
    fn bodies_are_cut_off_and_hold_no_tokens() {
        assert_eq!(body(&json!({ "d": [{ "token": "secret" }] })), json!({ "d": [{ "token": "***" }] }));
        let long = body(&json!("ä".repeat(MAX_BODY_BYTES)));
        assert!(long.as_str().is_some_and(|text| text.len() < MAX_BODY_BYTES + 100 && text.ends_with("(16386 bytes)")), "{long}");
    }
}
