//! A hub on loopback and its server of files, which can be told to misbehave. Both are real HTTP servers.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use atelier::hub::{Client, ModelsFolder, Pull, Pulled, Retries, Source, Token};
use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::stream;
use indicatif::ProgressBar;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::Notify};

/// The commit that every branch stands at.
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// One file of `ada/tiny`.
#[derive(Clone)]
pub struct File {
    pub bytes: Vec<u8>,
    /// Large files come from the other server and have a sha256.
    pub is_large: bool,
    /// What the list says, if it is not the truth.
    pub listed_bytes: Option<u64>,
    pub honours_range: bool,
    pub honours_if_range: bool,
    pub etag: Option<String>,
    /// What happens to the next answers, first to last.
    pub faults: VecDeque<Fault>,
}

/// How one answer goes wrong.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The connection breaks after so many bytes of the answer.
    Cut(usize),
    /// The connection stays open after so many bytes, and nothing comes.
    Hang(usize),
    /// Other bytes of the same length.
    WrongBytes,
    /// A body that ends in order, so many bytes early, with a length to match.
    Short(usize),
    /// A body without a length that sends so many mebibytes of zeros.
    Unsized(usize),
    /// This status and headers.
    Status(u16, Vec<(&'static str, String)>),
}

/// One call as it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub path: String,
    pub range: Option<String>,
    pub if_range: Option<String>,
    pub authorization: Option<String>,
    pub is_hub: bool,
}

#[derive(Default)]
struct World {
    files: Mutex<BTreeMap<String, File>>,
    calls: Mutex<Vec<Call>>,
    /// Faults of the hub's own answers.
    hub_faults: Mutex<VecDeque<Fault>>,
    cdn: Mutex<String>,
    hanging: Notify,
}

/// The servers, and a folder to pull into.
pub struct Hub {
    pub url: String,
    world: Arc<World>,
    pub root: TempDir,
}

impl File {
    pub fn large(bytes: Vec<u8>) -> Self {
        let etag = Some(format!("\"{}\"", &hex(&bytes)[..12]));
        Self { bytes, is_large: true, listed_bytes: None, honours_range: true, honours_if_range: true, etag, faults: VecDeque::new() }
    }

    pub fn small(text: &str) -> Self {
        Self { is_large: false, ..Self::large(text.as_bytes().to_vec()) }
    }

    pub fn with(self, faults: impl IntoIterator<Item = Fault>) -> Self {
        Self { faults: faults.into_iter().collect(), ..self }
    }
}

impl Hub {
    /// Opens a hub whose repository `ada/tiny` is a diffusers folder with pickles and other things beside it.
    pub async fn open() -> Self {
        let world = Arc::new(World::default());
        let url = serve(world.clone(), true).await;
        *lock(&world.cdn) = serve(world.clone(), false).await;
        let hub = Self { url, world, root: tempfile::tempdir().expect("a temporary folder") };
        for (path, text) in [
            ("README.md", "# Tiny"),
            ("model_index.json", "{\"_class_name\": \"StableDiffusionPipeline\"}"),
            ("scheduler/scheduler_config.json", "{}"),
            ("tokenizer/merges.txt", "#version: 0.2"),
            ("tokenizer/vocab.json", "{}"),
            ("unet/config.json", "{}"),
            ("vae/config.json", "{}"),
            ("text_encoder/config.json", "{}"),
        ] {
            hub.put(path, File::small(text));
        }
        for (seed, path) in [
            "unet/diffusion_pytorch_model.safetensors",
            "unet/diffusion_pytorch_model.fp16.safetensors",
            "vae/diffusion_pytorch_model.safetensors",
            "text_encoder/model.safetensors",
            "tiny.safetensors",
        ]
        .into_iter()
        .enumerate()
        {
            hub.put(path, File::large(weights(seed as u8, 4000)));
        }
        hub.put("unet/diffusion_pytorch_model.bin", File::large(b"PK\x03\x04".to_vec()));
        hub
    }

    pub fn put(&self, path: &str, file: File) {
        lock(&self.world.files).insert(path.to_owned(), file);
    }

    /// Takes away all files of a folder.
    pub fn remove_folder(&self, folder: &str) {
        lock(&self.world.files).retain(|path, _| !path.starts_with(&format!("{folder}/")));
    }

    pub fn bytes(&self, path: &str) -> Vec<u8> {
        lock(&self.world.files)[path].bytes.clone()
    }

    /// Changes a file.
    pub fn change(&self, path: &str, change: impl FnOnce(&mut File)) {
        change(lock(&self.world.files).get_mut(path).expect("the file is there"));
    }

    /// What the hub answers next, whatever is asked.
    pub fn next_answer(&self, status: u16, headers: &[(&'static str, &str)]) {
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        lock(&self.world.hub_faults).push_back(Fault::Status(status, headers));
    }

    /// The calls since this was last asked.
    pub fn calls(&self) -> Vec<Call> {
        std::mem::take(&mut *lock(&self.world.calls))
    }

    /// The ranges of the calls for a file's bytes since calls were last asked for.
    pub fn ranges(&self, path: &str) -> Vec<Option<String>> {
        let ours = |call: &Call| !call.is_hub && call.path.ends_with(path);
        self.calls().into_iter().filter(ours).map(|call| call.range).collect()
    }

    /// Resolves when an answer hangs.
    pub async fn hanging(&self) {
        self.world.hanging.notified().await;
    }

    /// The address of a file's bytes, on the server that is not the hub.
    pub fn cdn(&self, path: &str) -> String {
        format!("{}/{path}", lock(&self.world.cdn))
    }

    pub fn models(&self) -> ModelsFolder {
        ModelsFolder::new(self.root.path().join("models"))
    }

    /// The names in the models folder.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = std::fs::read_dir(self.models().path())
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    pub fn client(&self, token: &str, n_retries: usize) -> Client {
        let retries = Retries::new(vec![Duration::ZERO; n_retries]);
        Client::new(&self.url, Token::new("HF_TOKEN", token), retries).expect("an address")
    }

    pub fn asked(&self, source: &str, file: Option<&str>) -> Pull {
        let source = Source::parse(source, file, self.client("", 0).hub().endpoint()).expect("a source");
        Pull { source, name: None, sha256: None, variant: None }
    }

    /// Pulls without a token and with five further attempts.
    pub async fn pull(&self, pull: &Pull) -> anyhow::Result<Pulled> {
        self.pull_as(pull, "", 5).await
    }

    pub async fn pull_as(&self, pull: &Pull, token: &str, n_retries: usize) -> anyhow::Result<Pulled> {
        pull.run(&self.client(token, n_retries), &self.models(), &ProgressBar::hidden()).await
    }
}

/// A safetensors file of one tensor.
pub fn weights(seed: u8, n_bytes: usize) -> Vec<u8> {
    let header = json!({ "conv.weight": { "dtype": "U8", "shape": [n_bytes], "data_offsets": [0, n_bytes] } }).to_string();
    let data = (0..n_bytes).map(|index| (index * 31 + usize::from(seed) * 7) as u8);
    (header.len() as u64).to_le_bytes().into_iter().chain(header.bytes()).chain(data).collect()
}

pub fn hex(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

fn lock<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().expect("no test panics with it")
}

async fn serve(world: Arc<World>, is_hub: bool) -> String {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let answer = move |State(world): State<Arc<World>>, request: Request| async move { answer(&world, is_hub, request) };
    let app = Router::new().fallback(answer).with_state(world);
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

fn answer(world: &Arc<World>, is_hub: bool, request: Request) -> Response {
    let headers = request.headers();
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let path = request.uri().path().to_owned();
    lock(&world.calls).push(Call {
        path: path.clone(),
        range: text(header::RANGE),
        if_range: text(header::IF_RANGE),
        authorization: text(header::AUTHORIZATION),
        is_hub,
    });
    if is_hub && let Some(Fault::Status(status, headers)) = lock(&world.hub_faults).pop_front() {
        return refused(status, &headers);
    }
    if !is_hub {
        return bytes(world, path.trim_start_matches('/'), request.headers());
    }
    match path.split('/').skip(1).collect::<Vec<_>>()[..] {
        ["api", "models", "ada", "tiny", "revision", "main" | "refs%2Fpr%2F1"] => axum::Json(list(world)).into_response(),
        ["api", "models", "ada", "tiny", "revision", _] => refused(404, &[("x-error-code", "RevisionNotFound".into())]),
        ["ada", "tiny", "resolve", COMMIT, ref file @ ..] => resolve(world, &file.join("/"), request.headers()),
        _ => refused(401, &[("x-error-code", "RepoNotFound".into())]),
    }
}

fn list(world: &World) -> Value {
    let entry = |(path, file): (&String, &File)| {
        let size = file.listed_bytes.unwrap_or(file.bytes.len() as u64);
        let lfs = file.is_large.then(|| json!({ "sha256": hex(&file.bytes), "size": size, "pointerSize": 134 }));
        json!({ "rfilename": path, "size": size, "blobId": "0", "lfs": lfs })
    };
    json!({ "id": "ada/tiny", "sha": COMMIT, "siblings": lock(&world.files).iter().map(entry).collect::<Vec<_>>() })
}

/// Small files come from the hub itself, large ones by way of the other server.
fn resolve(world: &Arc<World>, path: &str, headers: &HeaderMap) -> Response {
    let Some(file) = lock(&world.files).get(path).cloned() else {
        return refused(404, &[("x-error-code", "EntryNotFound".into())]);
    };
    if !file.is_large {
        return bytes(world, path, headers);
    }
    let location = format!("{}/{path}", lock(&world.cdn));
    refused(302, &[("location", location), ("x-linked-etag", format!("\"{}\"", hex(&file.bytes)))])
}

/// A file's bytes, with ranges and faults.
fn bytes(world: &Arc<World>, path: &str, headers: &HeaderMap) -> Response {
    let mut files = lock(&world.files);
    let Some(file) = files.get_mut(path) else { return refused(404, &[]) };
    let fault = file.faults.pop_front();
    if let Some(Fault::Status(status, headers)) = &fault {
        return refused(*status, headers);
    }
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let is_same = !file.honours_if_range || text(header::IF_RANGE).is_none_or(|asked| Some(asked) == file.etag.as_deref());
    let asked = text(header::RANGE).and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
    let start = asked.filter(|_| file.honours_range && is_same);
    let (total, mut content) = (file.bytes.len(), file.bytes.clone());
    if start.is_some_and(|start| start >= total) {
        return refused(416, &[("content-range", format!("bytes */{total}"))]);
    }
    match fault {
        Some(Fault::WrongBytes) => content.iter_mut().skip(200).for_each(|byte| *byte ^= 1),
        Some(Fault::Short(n)) => content.truncate(total - n),
        _ => {}
    }
    if let Some(Fault::Unsized(n_mib)) = fault {
        let zeros = Bytes::from(vec![0; 1 << 20]);
        return Body::from_stream(stream::iter((0..n_mib).map(move |_| Ok::<_, io::Error>(zeros.clone())))).into_response();
    }
    let body = content.split_off(start.unwrap_or_default());
    let mut response = Response::builder().header(header::CONTENT_LENGTH, body.len());
    if let Some(etag) = &file.etag {
        response = response.header(header::ETAG, etag);
    }
    if let Some(start) = start {
        response = response.status(206).header(header::CONTENT_RANGE, format!("bytes {start}-{}/{total}", total - 1));
    }
    let body = match fault {
        Some(Fault::Cut(n)) => broken(body[..n.min(body.len())].to_vec(), None),
        Some(Fault::Hang(n)) => broken(body[..n.min(body.len())].to_vec(), Some(world.clone())),
        _ => Body::from(body),
    };
    response.body(body).expect("a response")
}

/// Bytes after which the connection breaks, or hangs.
fn broken(bytes: Vec<u8>, hangs: Option<Arc<World>>) -> Body {
    Body::from_stream(stream::unfold(Some(bytes), move |bytes| {
        let hangs = hangs.clone();
        async move {
            if let Some(bytes) = bytes {
                return Some((Ok(Bytes::from(bytes)), None));
            }
            // The server sends what it has when the body has nothing more for the moment.
            tokio::task::yield_now().await;
            if let Some(world) = hangs {
                world.hanging.notify_one();
                std::future::pending::<()>().await;
            }
            Some((Err(io::Error::other("cut")), None))
        }
    }))
}

fn refused(status: u16, headers: &[(&'static str, String)]) -> Response {
    let mut response = StatusCode::from_u16(status).expect("a status").into_response();
    for (name, value) in headers {
        response.headers_mut().insert(*name, value.parse().expect("a value"));
    }
    response
}
