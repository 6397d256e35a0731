//! The bytes of uploaded files, and the signed addresses under which they are served.

use crate::{clock::Clock, store::Store, world::Id};
use bytes::Bytes;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// Signed addresses live this long, as Discord's do.
const ADDRESS_LIFE_S: i64 = 24 * 3600;
/// Without a directory, the oldest files go when all together are larger than this.
const MEMORY_LIMIT_BYTES: usize = 256 << 20;

/// Where the bytes of files are.
pub(crate) enum FileStore {
    Directory(PathBuf),
    Memory(Mutex<BTreeMap<Id, Bytes>>),
}

impl FileStore {
    pub(crate) fn in_memory() -> Self {
        Self::Memory(Mutex::default())
    }

    /// Uses `attachments/` in `data_dir`.
    pub(crate) async fn open(data_dir: &Path) -> io::Result<Self> {
        let directory = data_dir.join("attachments");
        tokio::fs::create_dir_all(&directory).await?;
        Ok(Self::Directory(directory))
    }

    pub(crate) async fn write(&self, id: Id, bytes: Bytes) -> io::Result<()> {
        match self {
            Self::Directory(directory) => tokio::fs::write(directory.join(id.to_string()), &bytes).await,
            Self::Memory(files) => {
                let mut files = files.lock().unwrap_or_else(PoisonError::into_inner);
                files.insert(id, bytes);
                while files.values().map(Bytes::len).sum::<usize>() > MEMORY_LIMIT_BYTES && files.len() > 1 {
                    files.pop_first();
                }
                Ok(())
            }
        }
    }

    pub(crate) async fn read(&self, id: Id) -> io::Result<Bytes> {
        match self {
            Self::Directory(directory) => tokio::fs::read(directory.join(id.to_string())).await.map(Bytes::from),
            Self::Memory(files) => {
                let files = files.lock().unwrap_or_else(PoisonError::into_inner);
                files.get(&id).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
            }
        }
    }

    /// Removes files that nothing names any more. One that cannot be removed only wastes space.
    pub(crate) async fn remove(&self, ids: &[Id]) {
        for id in ids {
            match self {
                Self::Directory(directory) => {
                    if let Err(error) = tokio::fs::remove_file(directory.join(id.to_string())).await {
                        tracing::warn!(file.id = id, %error, "an old attachment stays on disk");
                    }
                }
                Self::Memory(files) => {
                    files.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
                }
            }
        }
    }
}

/// Makes and checks the addresses of files.
pub(crate) struct Signer<'a> {
    pub(crate) base: &'a str,
    pub(crate) secret: &'a [u8],
    pub(crate) now_s: i64,
}

impl<'a> Signer<'a> {
    pub(crate) fn new(base: &'a str, store: &'a Store, clock: &Clock) -> Self {
        Self { base, secret: store.secret(), now_s: clock.now_ms() / 1000 }
    }

    /// The address of a file, good for a day.
    pub(crate) fn url(&self, channel_id: Id, id: &str, filename: &str) -> String {
        let path = format!("/attachments/{channel_id}/{id}/{filename}");
        // One address per hour and file, so that a client may cache it.
        let issued = self.now_s - self.now_s % 3600;
        let expires = issued + ADDRESS_LIFE_S;
        format!("{}{path}?ex={expires:x}&is={issued:x}&hm={}", self.base, self.sign(&path, expires, issued))
    }

    /// Whether the query of an address was signed here for this path and has not expired.
    pub(crate) fn is_valid(&self, path: &str, query: &str) -> bool {
        let field = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        let number = |name: &str| field(name).and_then(|text| i64::from_str_radix(text, 16).ok());
        let (Some(expires), Some(issued), Some(signature)) = (number("ex"), number("is"), field("hm")) else { return false };
        expires >= self.now_s && signature == self.sign(path, expires, issued)
    }

    /// Hash of a hash, so that a known signature cannot be extended to a longer path.
    fn sign(&self, path: &str, expires: i64, issued: i64) -> String {
        let inner = Sha256::new().chain_update(self.secret).chain_update(format!("{path} {expires} {issued}")).finalize();
        let outer = Sha256::new().chain_update(self.secret).chain_update(inner).finalize();
        outer.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The attachment object as it is shown: with its addresses.
    pub(crate) fn attachment(&self, channel_id: Id, stored: &Value) -> Value {
        let mut shown = stored.clone();
        if let (Some(id), Some(filename)) = (stored["id"].as_str(), stored["filename"].as_str()) {
            let url = self.url(channel_id, id, filename);
            shown["proxy_url"] = json!(url);
            shown["url"] = json!(url);
        }
        shown
    }
}

/// The attachment object of an upload, without its address. Width and height are read from the picture's header.
pub(crate) fn describe(id: Id, filename: &str, content_type: &str, bytes: &[u8]) -> Value {
    let mut attachment = json!({
        "id": id.to_string(), "filename": filename, "size": bytes.len(), "content_type": content_type, "url": "", "proxy_url": "",
    });
    let reader = image::ImageReader::new(io::Cursor::new(bytes)).with_guessed_format();
    if let Some((width, height)) = reader.ok().and_then(|reader| reader.into_dimensions().ok()) {
        attachment["width"] = json!(width);
        attachment["height"] = json!(height);
    }
    attachment
}

/// The name with everything but letters, digits, dots, dashes and underscores replaced, as Discord does.
pub(crate) fn safe_filename(name: &str) -> String {
    let safe: String =
        name.chars().take(260).map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' }).collect();
    if safe.trim_matches('.').is_empty() { "unknown".to_owned() } else { safe }
}

/// The content type of a file by its name's ending.
pub(crate) fn content_type(filename: &str) -> &'static str {
    match filename.rsplit('.').next().unwrap_or_default().to_ascii_lowercase().as_str() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" => "application/json",
        "txt" | "md" | "log" => "text/plain; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "gif" => "image/gif",
        "ico" => "image/x-icon",
        "mp4" => "video/mp4",
        "webm" => "video/webm",
        "woff2" => "font/woff2",
        "zip" => "application/zip",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_good_for_its_path_and_day_only() {
        let signer = |now_s| Signer { base: "http://127.0.0.1:1", secret: b"key", now_s };
        let url = signer(7200).url(5, "6", "a.png");
        let (path, query) = url.strip_prefix("http://127.0.0.1:1").and_then(|rest| rest.split_once('?')).expect("an address has a query");
        assert!(signer(7200).is_valid(path, query));
        assert!(signer(7200 + ADDRESS_LIFE_S).is_valid(path, query));
        assert!(!signer(7201 + ADDRESS_LIFE_S).is_valid(path, query));
        assert!(!signer(7200).is_valid("/attachments/5/7/a.png", query));
        assert!(!signer(7200).is_valid(path, &query.replace("ex=", "ex=1")));
        assert!(!Signer { base: "", secret: b"other", now_s: 7200 }.is_valid(path, query));
    }

    #[test]
    fn filenames_cannot_leave_their_place() {
        let check = |name, expected| assert_eq!(safe_filename(name), expected);
        check("grid.png", "grid.png");
        check("../../etc/passwd", ".._.._etc_passwd");
        check("a b?c#d.png", "a_b_c_d.png");
        check("..", "unknown");
        check("", "unknown");
    }
}
