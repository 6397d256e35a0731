//! The bytes of uploaded files, and the signed addresses under which they are served.

use crate::{
    clock::Clock,
    replaced::{self, Replaced},
    store::{Store, files::StoredFile},
    upload::{Content, PREFIX},
    world::Id,
};
use bytes::Bytes;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{
    io,
    path::{Path, PathBuf},
};

/// Signed addresses live this long, as Discord's do.
const ADDRESS_LIFE_S: i64 = 24 * 3600;
/// Where the bytes of files are: a directory with a file per id.
pub(crate) struct FileStore {
    directory: PathBuf,
    replaced: Replaced,
}

impl FileStore {
    /// Uses `attachments/` in `data_dir`, and removes from it what no row names: a process that was killed may have left it.
    pub(crate) async fn open(data_dir: &Path, known: &[Id]) -> io::Result<Self> {
        let directory = data_dir.join("attachments");
        tokio::fs::create_dir_all(&directory).await?;
        let store = Self { directory, replaced: Replaced::new(replaced::BOUNDS) };
        let mut entries = tokio::fs::read_dir(&store.directory).await?;
        let mut stray = Vec::new();
        while let Some(entry) = entries.next_entry().await? {
            let name = entry.file_name();
            if name.to_str().is_some_and(|name| name.starts_with(PREFIX)) {
                tokio::fs::remove_file(entry.path()).await?;
            }
            let id = name.to_str().and_then(|name| name.parse().ok());
            stray.extend(id.filter(|id| known.binary_search(id).is_err()));
        }
        store.remove(&stray).await;
        Ok(store)
    }

    fn path(&self, id: Id) -> PathBuf {
        self.directory.join(id.to_string())
    }

    /// Where files are put as they come, to be taken over by [`FileStore::write`].
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) async fn write(&self, id: Id, content: Content) -> io::Result<()> {
        match content {
            Content::Bytes(bytes) => tokio::fs::write(self.path(id), &bytes).await,
            Content::File { path, .. } => path.persist(self.path(id)).map_err(|failed| failed.error),
        }
    }

    pub(crate) async fn read(&self, id: Id) -> io::Result<Bytes> {
        tokio::fs::read(self.path(id)).await.map(Bytes::from)
    }

    /// Goes on serving files that an edit took out of their messages, for a while.
    pub(crate) async fn replace(&self, files: Vec<StoredFile>, now_ms: i64) {
        let mut sized = Vec::with_capacity(files.len());
        for file in files {
            let n_bytes = tokio::fs::metadata(self.path(file.id)).await.map_or(0, |about| about.len());
            sized.push((file, n_bytes));
        }
        if !sized.is_empty() {
            self.remove(&self.replaced.keep(sized, now_ms)).await;
        }
    }

    /// The message and content type of a replaced file with exactly this address.
    pub(crate) fn replaced(&self, address: (Id, Id, &str), now_ms: i64) -> Option<(Id, String)> {
        self.replaced.find(address, now_ms)
    }

    /// Removes files that nothing names any more. One that cannot be removed only wastes space.
    pub(crate) async fn remove(&self, ids: &[Id]) {
        for id in ids {
            if let Err(error) = tokio::fs::remove_file(self.path(*id)).await {
                tracing::warn!(file.id = id, %error, "an old attachment stays on disk");
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

    fn sign(&self, path: &str, expires: i64, issued: i64) -> String {
        keyed_hash(self.secret, &format!("{path} {expires} {issued}"))
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

/// Hash of a hash, so that a known one cannot be extended to a longer text.
pub(crate) fn keyed_hash(secret: &[u8], text: &str) -> String {
    let inner = Sha256::new().chain_update(secret).chain_update(text).finalize();
    let outer = Sha256::new().chain_update(secret).chain_update(inner).finalize();
    outer.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The attachment object of an upload of so many bytes, a picture with its width and height, without its address.
pub(crate) fn describe(id: Id, filename: &str, content_type: &str, (n_bytes, dimensions): (usize, Option<(u32, u32)>)) -> Value {
    let mut attachment = json!({
        "id": id.to_string(), "filename": filename, "size": n_bytes, "content_type": content_type, "url": "", "proxy_url": "",
    });
    if let Some((width, height)) = dimensions {
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

/// Whether a text is a media type such as `image/png; a=b`, and so can be a header. Source: RFC 9110, section 8.3.1.
pub(crate) fn is_media_type(text: &str) -> bool {
    let is_token =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
    let (essence, parameters) = text.split_once(';').unwrap_or((text, ""));
    let (kind, subtype) = essence.trim_matches(' ').split_once('/').unwrap_or_default();
    is_token(kind) && is_token(subtype) && parameters.bytes().all(|byte| (b' '..=b'~').contains(&byte)) && text.len() <= 255
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

    #[tokio::test]
    async fn what_no_row_names_is_gone_after_a_start() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = FileStore::open(folder.path(), &[]).await.expect("it opens");
        for id in [3, 5, 7] {
            store.write(id, Bytes::from_static(b"x").into()).await.expect("writable");
        }
        let left = folder.path().join("attachments").join(format!("{PREFIX}x"));
        std::fs::write(&left, b"x").expect("writable");
        let store = FileStore::open(folder.path(), &[3, 7]).await.expect("it opens");
        assert!(store.read(3).await.is_ok() && store.read(5).await.is_err() && store.read(7).await.is_ok());
        assert!(!left.exists(), "what was on its way is gone too");
    }

    #[test]
    fn media_types_can_be_headers() {
        let check = |text: &str, expected| assert_eq!(is_media_type(text), expected, "{text:?}");
        for text in ["image/png", "text/plain; charset=utf-8", "application/vnd.ms-excel", "image/svg+xml", "text/plain;charset=\"utf-8\""]
        {
            check(text, true);
        }
        for text in [
            "",
            "image",
            "image/",
            "/png",
            "image/png/x",
            "image/png\r\nX-Evil: 1",
            "image/png; a=\nb",
            "im age/png",
            "bild/p\u{f6}g",
            "a/b\0",
        ] {
            check(text, false);
        }
        check(&format!("text/{}", "x".repeat(260)), false);
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
