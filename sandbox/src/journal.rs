//! Everything that passed, as lines of JSON: the newest in memory, and more of them, shortened, in files where that is wanted.

mod file;

pub(crate) use file::keep;
use serde::Serialize;
use serde_json::Value;
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::mpsc;

const N_KEPT: usize = 10_000;
/// The lines in memory are no longer than this together.
const MAX_KEPT_BYTES: usize = 8 << 20;
/// Lines that wait for the disk.
const N_WAITING: usize = 10_000;
/// A longer body is cut off.
const MAX_BODY_BYTES: usize = 8 << 10;

/// The fields of a line, as JSON without the braces: written once, for memory, disk and readers alike.
#[derive(Default)]
pub(crate) struct Fields {
    json: String,
    is_heartbeat: bool,
}

impl Fields {
    /// With a further field.
    pub(crate) fn with(self, name: &str, value: impl Serialize) -> Self {
        // Only maps with keys that are no texts cannot be written, and no line has one.
        let text = serde_json::to_string(&value).unwrap_or_else(|_| "null".to_owned());
        self.with_json(name, &text)
    }

    /// With a field whose value is JSON already.
    pub(crate) fn with_json(mut self, name: &str, json: &str) -> Self {
        if !self.json.is_empty() {
            self.json.push(',');
        }
        for part in ["\"", name, "\":", json] {
            self.json.push_str(part);
        }
        self
    }

    /// A heartbeat or its answer: only who asks for those is shown it, and no file has it.
    pub(crate) fn of_heartbeat(self, is_heartbeat: bool) -> Self {
        Self { is_heartbeat, ..self }
    }
}

struct Line {
    text: Arc<str>,
    is_heartbeat: bool,
}

#[derive(Default)]
struct Ring {
    seq: u64,
    size_bytes: usize,
    lines: VecDeque<Line>,
}

impl Ring {
    fn push(&mut self, line: Line) {
        self.size_bytes += line.text.len();
        self.lines.push_back(line);
        while self.lines.len() > N_KEPT || self.size_bytes > MAX_KEPT_BYTES {
            let Some(oldest) = self.lines.pop_front() else { return };
            self.size_bytes -= oldest.text.len();
        }
    }
}

/// The journal of a running stand-in.
#[derive(Default)]
pub(crate) struct Journal {
    ring: Mutex<Ring>,
    file: Option<mpsc::Sender<Arc<str>>>,
    /// Lines that the disk was too slow for.
    n_dropped: AtomicU64,
}

impl Journal {
    /// A journal that also writes to `file`.
    pub(crate) fn with_file() -> (Self, mpsc::Receiver<Arc<str>>) {
        let (file, lines) = mpsc::channel(N_WAITING);
        (Self { file: Some(file), ..Self::default() }, lines)
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a line: `seq`, `at_ms`, `kind` and the fields.
    pub(crate) fn write(&self, now_ms: i64, kind: &str, Fields { json, is_heartbeat }: Fields) {
        let comma = if json.is_empty() { "" } else { "," };
        let mut ring = self.ring();
        ring.seq += 1;
        let text: Arc<str> = format!(r#"{{"seq":{},"at_ms":{now_ms},"kind":"{kind}"{comma}{json}}}"#, ring.seq).into();
        if let Some(file) = self.file.as_ref().filter(|_| !is_heartbeat) {
            self.write_to(file, now_ms, &text);
        }
        ring.push(Line { text, is_heartbeat });
    }

    fn write_to(&self, file: &mpsc::Sender<Arc<str>>, now_ms: i64, line: &Arc<str>) {
        let n_dropped = self.n_dropped.load(Ordering::Relaxed);
        if n_dropped > 0 {
            let told = format!(r#"{{"at_ms":{now_ms},"kind":"dropped","n_lines":{n_dropped}}}"#);
            if file.try_send(told.into()).is_ok() {
                self.n_dropped.fetch_sub(n_dropped, Ordering::Relaxed);
            }
        }
        if file.try_send(Arc::clone(line)).is_err() {
            self.n_dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// At most `limit` lines after a number, and the number to go on from.
    pub(crate) fn after(&self, after: u64, limit: usize, with_heartbeats: bool) -> (u64, Vec<Arc<str>>) {
        let ring = self.ring();
        let oldest = ring.seq - ring.lines.len() as u64;
        let n_skipped = after.saturating_sub(oldest);
        let (mut seq, mut found) = (oldest + n_skipped, Vec::new());
        for line in ring.lines.iter().skip(n_skipped as usize) {
            if found.len() == limit {
                break;
            }
            seq += 1;
            if with_heartbeats || !line.is_heartbeat {
                found.push(Arc::clone(&line.text));
            }
        }
        (if found.is_empty() { ring.seq } else { seq }, found)
    }
}

/// A body as the journal keeps it: without the tokens that it may hold, and cut off when it is long.
pub(crate) fn body(body: &Value) -> String {
    text(&body.to_string())
}

/// As [`body`], of JSON that has no spaces between its marks.
pub(crate) fn text(json: &str) -> String {
    if json.len() <= MAX_BODY_BYTES {
        return blank(json);
    }
    let end = (0..=MAX_BODY_BYTES).rev().find(|end| json.is_char_boundary(*end)).unwrap_or(0);
    // A text is always JSON.
    Value::String(format!("{}… ({} bytes)", blank(&json[..end]), json.len())).to_string()
}

/// As [`body`], of whatever a client sent: what is no JSON, or too long, is kept as the beginning of a text.
pub(crate) fn bytes(bytes: &[u8]) -> String {
    let parsed = if bytes.len() <= MAX_BODY_BYTES { serde_json::from_slice(bytes).ok() } else { None };
    parsed.as_ref().map(body).unwrap_or_else(|| {
        let text = String::from_utf8_lossy(&bytes[..bytes.len().min(MAX_BODY_BYTES)]);
        Value::String(format!("{}… ({} bytes)", blank(&text), bytes.len())).to_string()
    })
}

/// Blanks tokens. Within a text a quote has a backslash before it, so that only a field can look like this.
fn blank(json: &str) -> String {
    const TOKEN: &str = r#""token":""#;
    let mut blanked = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(start) = rest.find(TOKEN) {
        let (before, token) = rest.split_at(start + TOKEN.len());
        blanked.push_str(before);
        blanked.push_str("***");
        rest = &token[end_of_text(token)..];
    }
    blanked.push_str(rest);
    blanked
}

/// Where the quote is that ends a text; the length, when it was cut off.
fn end_of_text(text: &str) -> usize {
    let mut is_escaped = false;
    let is_end = |byte: u8| {
        let is_end = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        is_end
    };
    text.bytes().position(is_end).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parsed(line: &str) -> Value {
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    #[test]
    fn the_ring_forgets_the_oldest() {
        let journal = Journal::default();
        (0..N_KEPT + 5).for_each(|n| journal.write(7, "page", Fields::default().with("n", n)));
        let (seq, lines) = journal.after(0, 2, false);
        assert_eq!((seq, parsed(&lines[0]), lines.len()), (7, json!({ "seq": 6, "at_ms": 7, "kind": "page", "n": 5 }), 2));
        let (seq, lines) = journal.after(N_KEPT as u64 + 4, 100, false);
        assert_eq!((seq, lines.len()), (N_KEPT as u64 + 5, 1));
        assert_eq!(journal.after(N_KEPT as u64 + 5, 100, false).0, N_KEPT as u64 + 5);
    }

    #[test]
    fn heartbeats_are_shown_to_who_asks_and_no_file_has_them() {
        let (journal, mut lines) = Journal::with_file();
        (0..6).for_each(|n| journal.write(7, "gateway", Fields::default().with("n", n).of_heartbeat(n % 2 == 0)));
        let of = |after, limit, with| {
            let (seq, lines) = journal.after(after, limit, with);
            (seq, lines.iter().map(|line| parsed(line)["n"].as_u64()).collect::<Option<Vec<_>>>().unwrap_or_default())
        };
        assert_eq!(of(0, 100, true), (6, vec![0, 1, 2, 3, 4, 5]));
        assert_eq!(of(0, 100, false), (6, vec![1, 3, 5]));
        assert_eq!(of(0, 2, false), (4, vec![1, 3]));
        assert_eq!(of(4, 2, false), (6, vec![5]));
        let kept: Vec<Value> = std::iter::from_fn(|| lines.try_recv().ok()).map(|line| parsed(&line)["n"].clone()).collect();
        assert_eq!(kept, [1, 3, 5]);
    }

    #[test]
    fn the_ring_is_bounded_in_bytes() {
        let journal = Journal::default();
        let long = body(&json!("x".repeat(MAX_BODY_BYTES)));
        (0..3000).for_each(|_| journal.write(7, "rest", Fields::default().with_json("request", &long)));
        let (_, lines) = journal.after(0, N_KEPT, false);
        let size_bytes: usize = lines.iter().map(|line| line.len()).sum();
        assert!((MAX_KEPT_BYTES - 2 * MAX_BODY_BYTES..=MAX_KEPT_BYTES).contains(&size_bytes), "{size_bytes} bytes");
        let newest = lines.last().expect("the newest are kept");
        assert_eq!(parsed(newest)["seq"], 3000);
    }

    #[test]
    fn a_disk_that_is_too_slow_is_told_of() {
        let (journal, mut lines) = Journal::with_file();
        (0..N_WAITING + 3).for_each(|_| journal.write(7, "page", Fields::default()));
        for _ in 0..2 {
            lines.try_recv().expect("a line waits");
        }
        journal.write(8, "page", Fields::default());
        let last: Vec<Value> = std::iter::from_fn(|| lines.try_recv().ok()).skip(N_WAITING - 2).map(|line| parsed(&line)).collect();
        assert_eq!(last[0], json!({ "at_ms": 8, "kind": "dropped", "n_lines": 3 }));
        assert_eq!(last[1]["seq"], N_WAITING + 4);
    }

    #[test]
    fn bodies_are_cut_off_and_hold_no_tokens() {
        let check = |given: Value, expected: Value| assert_eq!(parsed(&body(&given)), expected);
        check(json!({ "d": [{ "token": "secret" }] }), json!({ "d": [{ "token": "***" }] }));
        check(json!({ "token": "a\\\"b\\", "x": "\"token\":\"kept\"" }), json!({ "token": "***", "x": "\"token\":\"kept\"" }));
        check(json!({ "token": null, "tokens": "y" }), json!({ "token": null, "tokens": "y" }));
        let long = parsed(&body(&json!("ä".repeat(MAX_BODY_BYTES))));
        assert!(long.as_str().is_some_and(|text| text.len() < MAX_BODY_BYTES + 100 && text.ends_with("(16386 bytes)")), "{long}");
        // The end falls within the token.
        let split = body(&json!({ "a": "x".repeat(MAX_BODY_BYTES - 20), "token": "secret".repeat(100) }));
        assert!(!split.contains("secret") && split.contains("***"), "{split}");
    }
}
