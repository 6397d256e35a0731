//! What operators watch: a job's span through all threads, and the metrics.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

use crate::support::*;
use atelier::{config::AliasConfig, models};
use sandbox::Visitor;
use serde_json::json;
use storage::{Backlog, GuildId, HistoryFilter};

#[tokio::test(flavor = "multi_thread")]
async fn a_span_follows_a_job_from_the_wish_through_the_device_thread_to_the_delivery() {
    log::listen();
    // A second model, so that the first picture of it has to wait until it is loaded.
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("other");
    copy(&models::starter().expect("the source tree has it").model, &path);
    let change = |config: &mut atelier::config::Config| {
        config.aliases.insert("other".into(), AliasConfig { path, ..AliasConfig::default() });
    };
    let studio = Studio::open(Mode::Plain, change).await;
    let app = &studio.running.bot.app;
    studio.ada.slash(CHANNEL, "imagine", &prompt("a frog --model other --steps 3")).await.expect("sent");
    nth_grid(&studio.ada, 1).await;
    while app.jobs.backlog().await.expect("readable") != Backlog::default() {
        pause().await;
    }
    let state = studio.ada.state().await.expect("readable");
    let guild = state["guilds"][0]["id"].as_str().expect("an id").to_owned();
    let filter = HistoryFilter { guild: GuildId(guild.parse().expect("a number")), user: None, channels: None };
    let id = app.jobs.history(filter, 0, 1).await.expect("readable").0[0].id.to_string();

    let logged = log::about(&id);
    for (target, message, is_on_device) in [
        ("atelier::jobs::enqueue", "queued", false),
        ("atelier::jobs::worker", "drawing", false),
        ("inference::engine", "loaded", true),
        ("inference::batcher", "computed", true),
        ("atelier::jobs::worker", "done", false),
        ("atelier::jobs::delivery", "delivered", false),
    ] {
        let found = logged.iter().find(|logged| logged.target.starts_with(target) && logged.message == message);
        let found = found.unwrap_or_else(|| panic!("{target} does not say {message}: {logged:#?}"));
        assert_eq!(found.thread.starts_with("inference-"), is_on_device, "{found:?}");
        let field = |name: &str| found.job.get(name).map(String::as_str);
        assert_eq!(field("user.id"), Some(studio.ada.user_id()), "{found:?}");
        assert_eq!((field("guild.id"), field("task.kind")), (Some(guild.as_str()), Some("text_to_image")), "{found:?}");
    }
    let batch = logged.iter().find(|logged| logged.message == "computed").expect("as above");
    assert_eq!(batch.spans, ["job", "batch"]);
    studio.close().await;
}

/// Copies a folder with everything in it.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("made");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("readable");
        let (path, copied) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &copied);
        } else {
            std::fs::copy(&path, &copied).expect("copied");
        }
    }
}

/// `atelier sandbox` with its metrics open.
struct Served {
    child: Child,
    /// Kept open: the program goes on writing.
    _said: BufReader<ChildStdout>,
    metrics: SocketAddr,
    page: String,
}

impl Served {
    /// Starts with a port that was free a moment ago, and again where somebody else took it.
    fn start(folder: &Path) -> Self {
        let free = || TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port");
        (0..9).find_map(|_| Self::try_start(folder, free())).expect("it says where its page is")
    }

    fn try_start(folder: &Path, metrics: SocketAddr) -> Option<Self> {
        let config = format!("[metrics]\nlisten = \"{metrics}\"\n[defaults]\nsteps = 2\n[engine]\npreview_every = 0\n");
        std::fs::write(folder.join("atelier.toml"), config).expect("written");
        let mut child = sandbox_of(folder).stdout(Stdio::piped()).spawn().expect("the program starts");
        let mut said = BufReader::new(child.stdout.take().expect("piped"));
        let mut lines = said.by_ref().lines().map_while(Result::ok);
        let page = lines.find_map(|line| line.trim().strip_prefix("Open ").map(|url| url.trim().to_owned()));
        let Some(page) = page else {
            child.wait().expect("it ends");
            return None;
        };
        Some(Self { child, _said: said, metrics, page })
    }

    /// Status and body of what is at a path.
    fn get(&self, path: &str) -> (String, String) {
        let mut stream = TcpStream::connect(self.metrics).expect("it listens");
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes()).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        (head.split(' ').nth(1).expect("a status").to_owned(), body.to_owned())
    }

    /// The values of `GET /metrics` by name and labels.
    fn read(&self) -> Vec<(String, f64)> {
        let (status, body) = self.get("/metrics");
        assert_eq!(status, "200", "{body}");
        let values = body.lines().filter(|line| line.starts_with("atelier_"));
        values.map(|line| line.rsplit_once(' ').map(|(name, value)| (name.to_owned(), value.parse().expect(line))).expect(line)).collect()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill(); // It may have ended by itself.
        let _ = self.child.wait();
    }
}

fn sandbox_of(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_atelier"));
    command.current_dir(folder).args(["sandbox", "--port", "0", "--data", "data"]).env_remove("ATELIER_CONFIG").env_remove("RUST_LOG");
    command.env("XDG_CACHE_HOME", folder.join("cache")).stdin(Stdio::null()).stderr(Stdio::piped());
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_what_was_drawn_and_delivered() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let served = Served::start(folder.path());
    let ada = Visitor::connect(&served.page, "ada").await.expect("ada enters");
    for n in 1..=2 {
        ada.slash(CHANNEL, "imagine", &[("prompt", json!("a frog --images 1")), ("seed", json!(n))]).await.expect("sent");
        nth_grid(&ada, n).await;
    }
    for (path, status) in [("/livez", "200"), ("/readyz", "200"), ("/", "200"), ("/elsewhere", "404")] {
        assert_eq!(served.get(path).0, status, "{path}");
    }
    let value = |name: &str| served.read().into_iter().find(|(found, _)| found == name).map(|(_, value)| value);
    // A delivery is counted when Discord has answered, which is after everybody can see it.
    while value(r#"atelier_deliveries_total{path="token"}"#) != Some(2.0) {
        pause().await;
    }
    for (name, expected) in [
        (r#"atelier_jobs_total{outcome="done"}"#, 2.0),
        ("atelier_queue_wait_seconds_count", 2.0),
        (r#"atelier_job_seconds_count{outcome="done"}"#, 2.0),
        // Two jobs of one picture and two steps, guided: two rows a call.
        ("atelier_batch_rows_count", 4.0),
        ("atelier_batch_rows_sum", 8.0),
        ("atelier_step_seconds_count", 4.0),
        ("atelier_queue_depth", 0.0),
        (&format!("atelier_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION")), 1.0),
    ] {
        assert_eq!(value(name), Some(expected), "{name} of {:#?}", served.read());
    }
    assert!(value(r#"atelier_residency_bytes{device="cpu (f32)"}"#).is_some_and(|bytes| bytes > 1e6), "{:#?}", served.read());
    assert!(value(r#"atelier_discord_requests_total{route="interaction_response",status="200"}"#).is_some_and(|n| n >= 2.0));
    assert_eq!(value(r#"atelier_jobs_total{outcome="failed"}"#), None);
}

#[test]
fn a_port_that_is_taken_stops_the_start_in_one_sentence() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let listen = taken.local_addr().expect("an address");
    std::fs::write(folder.path().join("atelier.toml"), format!("[metrics]\nlisten = \"{listen}\"\n")).expect("written");
    let output = sandbox_of(folder.path()).stdout(Stdio::null()).output().expect("the program starts");
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(1), "{said}");
    let expected = format!("atelier: the metrics cannot be served at {listen} (`metrics.listen`): port {} is taken", listen.port());
    assert!(said.lines().count() == 1 && said.starts_with(&expected), "{said}");
}
