//! The journal on disk: shortened lines in two files that together have a bound.

use serde_json::{Map, Value, json};
use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::{
    fs::{self, File, OpenOptions},
    io::AsyncWriteExt,
    sync::mpsc,
};
use tokio_util::sync::CancellationToken;

/// Lines that go to the disk at once.
const N_AT_ONCE: usize = 256;
/// A body in a line is no longer than this. Whole ones fill a disk: an edit is a request, an answer and an event, which say the same.
const MAX_BODY_BYTES: usize = 1 << 10;
/// The fields of a line that are bodies.
const BODIES: [&str; 3] = ["request", "answer", "body"];
/// A longer text is kept without its middle.
const MAX_TEXT_CHARS: usize = 100;
/// What is deeper inside of a body is left out first.
const DEPTHS: [usize; 4] = [6, 4, 3, 1];

/// Writes lines to `journal.jsonl` until the stand-in ends; then those that still wait. A full file becomes `journal.old.jsonl`.
pub(crate) async fn keep(directory: PathBuf, max_bytes: u64, mut lines: mpsc::Receiver<Arc<str>>, shutdown: CancellationToken) {
    if let Err(error) = write_all(&directory, max_bytes / 2, &mut lines, shutdown).await {
        tracing::error!(%error, path = %directory.display(), "the sandbox's journal cannot be written");
    }
}

async fn write_all(
    directory: &Path,
    max_file_bytes: u64,
    lines: &mut mpsc::Receiver<Arc<str>>,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let (path, old) = (directory.join("journal.jsonl"), directory.join("journal.old.jsonl"));
    // An earlier process may have had a larger bound.
    for path in [&path, &old] {
        if fs::metadata(path).await.is_ok_and(|known| known.len() > max_file_bytes) {
            fs::remove_file(path).await?;
        }
    }
    let (mut file, mut size_bytes) = open(&path).await?;
    let (mut batch, mut bytes) = (Vec::with_capacity(N_AT_ONCE), Vec::new());
    loop {
        tokio::select! {
            biased;
            _ = lines.recv_many(&mut batch, N_AT_ONCE) => {}
            () = shutdown.cancelled() => batch.extend(std::iter::from_fn(|| lines.try_recv().ok())),
        }
        if batch.is_empty() {
            return file.flush().await;
        }
        for line in batch.drain(..) {
            let Some(line) = shortened(&line) else { continue };
            if size_bytes + (bytes.len() + line.len()) as u64 >= max_file_bytes {
                file.write_all(&bytes).await?;
                bytes.clear();
                file.flush().await?;
                fs::rename(&path, &old).await?;
                (file, size_bytes) = open(&path).await?;
            }
            bytes.extend_from_slice(line.as_bytes());
            bytes.push(b'\n');
        }
        file.write_all(&bytes).await?;
        size_bytes += bytes.len() as u64;
        bytes.clear();
    }
}

async fn open(path: &Path) -> io::Result<(File, u64)> {
    let file = OpenOptions::new().create(true).append(true).open(path).await?;
    let size_bytes = file.metadata().await?.len();
    Ok((file, size_bytes))
}

/// The line with bodies that are short, and still JSON. Nothing, for a body that is deeper than can be read.
fn shortened(line: &str) -> Option<String> {
    if line.len() <= MAX_BODY_BYTES {
        return Some(line.to_owned());
    }
    let mut fields = serde_json::from_str::<Map<String, Value>>(line).ok()?;
    for body in BODIES {
        if let Some(body) = fields.get_mut(body) {
            shorten(body);
        }
    }
    Some(json!(fields).to_string())
}

fn shorten(body: &mut Value) {
    for depth in DEPTHS {
        if body.to_string().len() <= MAX_BODY_BYTES {
            return;
        }
        fold(body, depth);
    }
    if body.to_string().len() > MAX_BODY_BYTES {
        fold(body, 0);
    }
}

/// Cuts long texts, and leaves out what is deeper than `depth`.
fn fold(value: &mut Value, depth: usize) {
    match value {
        Value::String(text) => {
            let n_chars = text.chars().count();
            if n_chars > MAX_TEXT_CHARS {
                let beginning: String = text.chars().take(MAX_TEXT_CHARS / 2).collect();
                let end: String = text.chars().skip(n_chars - MAX_TEXT_CHARS / 4).collect();
                *text = format!("{beginning}…{end} ({n_chars} characters)");
            }
        }
        Value::Array(_) | Value::Object(_) if depth == 0 => {
            let size_bytes = value.to_string().len();
            // What is as short as its stand-in may stay.
            if size_bytes > 20 {
                *value = json!(format!("… ({size_bytes} bytes)"));
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|item| fold(item, depth - 1)),
        Value::Object(object) => object.values_mut().for_each(|inner| fold(inner, depth - 1)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(body: Value) -> Value {
        let line = json!({ "seq": 7, "kind": "rest", "path": "/x", "answer": body });
        serde_json::from_str(&shortened(&line.to_string()).expect("it can be read")).expect("a line is JSON")
    }

    #[test]
    fn a_short_line_stays_as_it_is() {
        let body = json!({ "content": "x".repeat(500), "embeds": [] });
        assert_eq!(of(body.clone())["answer"], body);
    }

    #[test]
    fn a_long_body_says_the_most_that_fits() {
        let url = format!("https://a.example/{}?ex=1&is=2&hm={}", "x".repeat(100), "0".repeat(64));
        let files = vec![json!({ "id": "5", "filename": "a.png", "url": url, "proxy_url": url }); 4];
        let buttons = vec![json!({ "type": 2, "style": 2, "label": "U1", "custom_id": "1:upscale:1:0" }); 5];
        let rows = vec![json!({ "type": 1, "components": buttons }); 3];
        let line = of(json!({ "id": "9", "content": "a frog", "attachments": files, "components": rows }));
        let body = &line["answer"];
        assert!(body.to_string().len() <= MAX_BODY_BYTES, "{} bytes: {body}", body.to_string().len());
        assert_eq!((&line["seq"], &body["id"], &body["content"]), (&json!(7), &json!("9"), &json!("a frog")));
        let long = json!({ "content": format!("begin {} end", "y".repeat(5000)), "id": "1" });
        let told = of(long)["answer"]["content"].as_str().unwrap_or_default().to_owned();
        assert!(told.starts_with("begin yyy") && told.ends_with("yyy end (5010 characters)"), "{told}");
    }

    #[test]
    fn whatever_a_body_is_it_becomes_short() {
        let wide: Map<String, Value> = (0..5000).map(|n| (format!("field {n}"), json!(n))).collect();
        let deep = (0..100).fold(json!("x".repeat(90)), |inner, _| json!([inner, "y".repeat(90)]));
        for body in [json!(wide), deep, json!(vec!["x"; 5000]), json!("z".repeat(100_000))] {
            let size_bytes = of(body)["answer"].to_string().len();
            assert!(size_bytes <= MAX_BODY_BYTES, "{size_bytes} bytes");
        }
    }

    #[tokio::test]
    async fn two_files_have_one_bound() {
        const MAX_BYTES: u64 = 64 << 10;
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(directory.path().join("journal.old.jsonl"), vec![b'x'; 200 << 10]).expect("a file of an earlier process");
        let (file, lines) = mpsc::channel(10_000);
        let ended = CancellationToken::new();
        let body = json!("x".repeat(900)).to_string();
        for n in 0..1000 {
            file.send(format!(r#"{{"seq":{n},"kind":"rest","answer":{body}}}"#).into()).await.expect("the channel has room");
        }
        ended.cancel();
        keep(directory.path().to_owned(), MAX_BYTES, lines, ended).await;
        let files =
            ["journal.jsonl", "journal.old.jsonl"].map(|name| std::fs::read_to_string(directory.path().join(name)).expect("it is there"));
        let size_bytes = files.iter().map(String::len).sum::<usize>() as u64;
        assert!((MAX_BYTES / 2..=MAX_BYTES).contains(&size_bytes), "{size_bytes} bytes");
        let newest: Value = serde_json::from_str(files[0].lines().last().expect("a line")).expect("JSON");
        assert_eq!(newest["seq"], 999);
    }
}
