//! Files on their way in: the long `data` of a call's JSON goes to disk as it comes, so that no file is in memory as a whole.

use super::PageError;
use crate::{
    inflow::InflowError,
    upload::{Content, PREFIX},
};
use axum::{body::Body, http::StatusCode};
use base64::{Engine, engine::general_purpose::STANDARD};
use futures::StreamExt;
use serde_json::Value;
use std::{
    collections::HashMap,
    io,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};
use tempfile::{NamedTempFile, TempPath};
use tokio::{fs::File, io::AsyncWriteExt};

/// A `data` below this stays where it is.
const MAX_KEPT_DATA_BYTES: usize = 64 << 10;
/// The most of a body that is held: all of it but the files.
const MAX_KEPT_BYTES: usize = 4 << 20;
/// What stands in the JSON for a file on disk. No file name and no base64 begins so.
const MARK: &str = "\0file ";

/// The files of one call that went to disk, by what stands for them in its JSON. Those that nobody takes are removed with it.
#[derive(Clone, Default)]
pub(super) struct Spools(Arc<Mutex<HashMap<String, Spool>>>);

struct Spool {
    path: TempPath,
    n_bytes: usize,
    is_base64: bool,
}

impl Spools {
    /// The file behind a `data`, wherever it is; `None` for what is no base64.
    pub(super) fn take(&self, data: &str) -> Option<Content> {
        if !data.starts_with(MARK) {
            return STANDARD.decode(data).ok().map(|bytes| Content::Bytes(bytes.into()));
        }
        let Spool { path, n_bytes, is_base64 } = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(data)?;
        is_base64.then_some(Content::File { path, n_bytes })
    }
}

/// Reads a body: its JSON, and the files that were in it.
///
/// # Errors
/// When the body does not come whole, is too large without its files, or has a long text where no file belongs.
pub(super) async fn read(body: Body, directory: &Path) -> Result<(Vec<u8>, Spools), PageError> {
    let (mut scanner, mut writing) = (Scanner::default(), Writing { directory, files: Vec::new() });
    let mut pieces = body.into_data_stream();
    while let Some(piece) = pieces.next().await {
        scanner.feed(&piece.map_err(|error| refuse(&error))?);
        if scanner.kept.len() > MAX_KEPT_BYTES {
            return Err(too_large());
        }
        for part in scanner.take_parts() {
            writing.write(part).await.map_err(|error| {
                tracing::error!(%error, "a file of a call cannot be written");
                PageError::new(StatusCode::INTERNAL_SERVER_ERROR, "the sandbox cannot write to its folder")
            })?;
        }
    }
    let spools = writing.end().await?;
    if !spools.is_empty() && !are_files(&serde_json::from_slice(&scanner.kept).unwrap_or_default()) {
        return Err(too_large());
    }
    Ok((scanner.kept, Spools(Arc::new(Mutex::new(spools)))))
}

fn too_large() -> PageError {
    PageError::new(StatusCode::PAYLOAD_TOO_LARGE, "that is more than the sandbox takes at once")
}

fn refuse(error: &axum::Error) -> PageError {
    match InflowError::behind(error) {
        Some(InflowError::TooLarge) => too_large(),
        Some(InflowError::Stalled) => PageError::new(StatusCode::REQUEST_TIMEOUT, "the request did not come in time"),
        Some(InflowError::Broken) | None => PageError::bad("the request is not whole"),
    }
}

/// Whether what stands for a file stands only where a file may be.
fn are_files(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.starts_with(MARK),
        Value::Array(list) => list.iter().all(are_files),
        Value::Object(object) => {
            object.iter().all(|(field, inner)| (field == "data" && object.contains_key("filename")) || are_files(inner))
        }
        _ => true,
    }
}

/// A part of the `n`th file, as the JSON has it.
struct Part {
    n: usize,
    raw: Vec<u8>,
}

/// Tells files from the rest of a JSON text, however it is cut into pieces.
#[derive(Default)]
struct Scanner {
    /// Everything but the files.
    kept: Vec<u8>,
    place: Place,
    is_escaped: bool,
    /// Where the text begins in `kept`, without its quote.
    begins: usize,
    n_files: usize,
    parts: Vec<Part>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Place {
    /// Between texts.
    #[default]
    Between,
    /// After a text that says `data`.
    AfterData,
    /// After its colon.
    BeforeData,
    /// In a text; whether it is that of a `data`.
    InText { is_data: bool },
    /// In one that goes to disk.
    InFile,
}

impl Scanner {
    fn feed(&mut self, mut piece: &[u8]) {
        while !piece.is_empty() {
            piece = match self.place {
                Place::InText { .. } | Place::InFile => self.text(piece),
                _ => self.between(piece),
            };
        }
    }

    fn take_parts(&mut self) -> Vec<Part> {
        std::mem::take(&mut self.parts)
    }

    fn between<'a>(&mut self, piece: &'a [u8]) -> &'a [u8] {
        let (byte, rest) = (piece[0], &piece[1..]);
        self.kept.push(byte);
        self.place = match (byte, self.place) {
            (b'"', place) => {
                self.begins = self.kept.len();
                Place::InText { is_data: place == Place::BeforeData }
            }
            (b' ' | b'\t' | b'\r' | b'\n', place) => place,
            (b':', Place::AfterData) => Place::BeforeData,
            _ => Place::Between,
        };
        rest
    }

    fn text<'a>(&mut self, piece: &'a [u8]) -> &'a [u8] {
        let end = match self.is_escaped {
            true => Some(0),
            false => piece.iter().position(|byte| matches!(byte, b'"' | b'\\')),
        };
        let n_plain = end.map_or(piece.len(), |end| end + usize::from(self.is_escaped || piece[end] == b'\\'));
        let is_over = !self.is_escaped && end.is_some_and(|end| piece[end] == b'"');
        self.is_escaped = !self.is_escaped && end.is_some_and(|end| piece[end] == b'\\');
        self.push(&piece[..n_plain]);
        if !is_over {
            return &piece[n_plain..];
        }
        let is_key = self.place != Place::InFile && &self.kept[self.begins..] == b"data";
        self.kept.push(b'"');
        self.place = if is_key { Place::AfterData } else { Place::Between };
        &piece[n_plain + 1..]
    }

    fn push(&mut self, raw: &[u8]) {
        if self.place == Place::InFile {
            self.parts.push(Part { n: self.n_files - 1, raw: raw.to_vec() });
            return;
        }
        self.kept.extend_from_slice(raw);
        if self.place == (Place::InText { is_data: true }) && self.kept.len() - self.begins > MAX_KEPT_DATA_BYTES {
            let begun = self.kept.split_off(self.begins);
            self.kept.extend_from_slice(format!("\\u0000file {}", self.n_files).as_bytes());
            self.parts.push(Part { n: self.n_files, raw: begun });
            self.n_files += 1;
            self.place = Place::InFile;
        }
    }
}

/// Base64 that comes in pieces.
#[derive(Default)]
struct Decoder {
    /// Up to three letters that wait for their fourth.
    left: Vec<u8>,
    is_escaped: bool,
    is_ended: bool,
    is_wrong: bool,
}

impl Decoder {
    fn feed(&mut self, raw: &[u8]) -> Vec<u8> {
        for byte in raw {
            match (self.is_escaped, *byte) {
                // JSON may write a slash with an escape, and no other letter of base64 needs one.
                (true, b'/') => self.left.push(b'/'),
                (false, b'\\') => {}
                (false, byte) => self.left.push(byte),
                (true, _) => self.is_wrong = true,
            }
            self.is_escaped = !self.is_escaped && *byte == b'\\';
        }
        let rest = self.left.split_off(self.left.len() / 4 * 4);
        let whole = std::mem::replace(&mut self.left, rest);
        // What is filled up ends the text.
        self.is_wrong |= self.is_ended && !whole.is_empty();
        self.is_ended |= whole.ends_with(b"=");
        STANDARD.decode(whole).unwrap_or_else(|_| {
            self.is_wrong = true;
            Vec::new()
        })
    }

    fn is_well(&self) -> bool {
        !self.is_wrong && !self.is_escaped && self.left.is_empty()
    }
}

struct Writing<'a> {
    directory: &'a Path,
    files: Vec<(File, TempPath, Decoder, usize)>,
}

impl Writing<'_> {
    async fn write(&mut self, part: Part) -> io::Result<()> {
        if part.n == self.files.len() {
            let (file, path) = tempfile::Builder::new().prefix(PREFIX).tempfile_in(self.directory).map(NamedTempFile::into_parts)?;
            self.files.push((File::from_std(file), path, Decoder::default(), 0));
        }
        let Some((file, _, decoder, n_bytes)) = self.files.get_mut(part.n) else { return Ok(()) };
        let bytes = decoder.feed(&part.raw);
        *n_bytes += bytes.len();
        file.write_all(&bytes).await
    }

    async fn end(self) -> Result<HashMap<String, Spool>, PageError> {
        let mut spools = HashMap::new();
        for (n, (mut file, path, decoder, n_bytes)) in self.files.into_iter().enumerate() {
            // Also waits for what is still being written.
            file.flush().await.map_err(|_| PageError::new(StatusCode::INTERNAL_SERVER_ERROR, "the sandbox cannot write to its folder"))?;
            spools.insert(format!("{MARK}{n}"), Spool { path, n_bytes, is_base64: decoder.is_well() });
        }
        Ok(spools)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The JSON that is kept and the files, of a text in pieces of so many bytes.
    fn scan(text: &str, n_bytes: usize) -> (String, Vec<Option<Vec<u8>>>) {
        let (mut scanner, mut files): (Scanner, Vec<(Decoder, Vec<u8>)>) = Default::default();
        for piece in text.as_bytes().chunks(n_bytes) {
            scanner.feed(piece);
            for Part { n, raw } in scanner.take_parts() {
                files.resize_with(files.len().max(n + 1), Default::default);
                let (decoder, bytes) = &mut files[n];
                bytes.extend(decoder.feed(&raw));
            }
            assert!(scanner.kept.len() <= 2 * MAX_KEPT_DATA_BYTES + n_bytes, "{} bytes are held", scanner.kept.len());
        }
        let files = files.into_iter().map(|(decoder, bytes)| decoder.is_well().then_some(bytes));
        (String::from_utf8(scanner.kept).expect("it is text"), files.collect())
    }

    #[test]
    fn files_go_and_all_else_stays_however_it_is_cut() {
        let bytes: Vec<u8> = (0..300_000_u32).map(|n| (n.wrapping_mul(n) >> 7) as u8).collect();
        let data = STANDARD.encode(&bytes);
        let escaped = STANDARD.encode(vec![255; 90_000]).replace('/', "\\/");
        let text = format!(
            r#"{{"content":"he said \"data\": \\","data":"short","attachments":[{{"filename":"a","data" : "{data}"}},{{"data":"{escaped}"}}],"n":["data"]}}"#
        );
        for n_bytes in [1, 3, 4096, 65_537, text.len()] {
            let (kept, files) = scan(&text, n_bytes);
            let kept: Value = serde_json::from_str(&kept).expect("it is still JSON");
            let expected = json!({
                "content": "he said \"data\": \\", "data": "short",
                "attachments": [{ "filename": "a", "data": "\0file 0" }, { "data": "\0file 1" }], "n": ["data"],
            });
            assert_eq!(kept, expected, "{n_bytes}");
            assert_eq!(files, [Some(bytes.clone()), Some(vec![255; 90_000])], "{n_bytes}");
        }
    }

    #[test]
    fn what_is_no_base64_is_noticed_in_any_piece() {
        let long = "A".repeat(100_000);
        let check = |data: &str, expected: bool| {
            let text = json!({ "filename": "a", "data": data }).to_string();
            for n_bytes in [7, 4096, text.len()] {
                assert_eq!(scan(&text, n_bytes).1[0].is_some(), expected, "{n_bytes} {}", &data[data.len() - 8..]);
            }
        };
        check(&long, true);
        check(&format!("{long}AA=="), true);
        check(&format!("{long}A"), false);
        check(&format!("{long}AA==AAAA"), false);
        check(&format!("{long}\nAAA"), false);
        check(&format!("{long}ä12"), false);
        check(&format!("{long}\0AAA"), false);
    }

    #[test]
    fn only_files_go_to_disk() {
        let check = |value: Value, expected| assert_eq!(are_files(&value), expected, "{value}");
        check(json!({ "attachments": [{ "filename": "a", "data": "\0file 0" }] }), true);
        check(json!({ "fields": { "data": "\0file 0" } }), false);
        check(json!({ "content": "\0file 0" }), false);
        check(json!(["\0file 0"]), false);
    }
}
