//! What the person who runs the bot sees in a terminal: `run`, `doctor`, `init`, a taken port, a pull without a network.

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use atelier::{config::Config, discord::invite_url};
use tokio::net::TcpSocket;

use crate::support::*;

/// Nobody's.
const TOKEN: &str = "MTIzNDU2Nzg5MDEyMzQ1Njc4.GaBcDe.xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";

/// Runs in a folder, with nothing of this machine's environment that matters.
fn atelier(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_atelier"));
    command.current_dir(folder).args(arguments);
    for variable in ["ATELIER_CONFIG", "RUST_LOG", "DISCORD_TOKEN", "DISCORD_TOKEN_FILE", "HF_ENDPOINT", "HF_TOKEN"] {
        command.env_remove(variable);
    }
    for proxy in ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env_remove(proxy);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

fn said(output: &Output) -> String {
    text(&output.stdout) + &text(&output.stderr)
}

/// A port at which nobody listens while this is kept: it is taken, and every connection refused.
struct Closed {
    _socket: TcpSocket,
    port: u16,
}

impl Closed {
    fn new() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(([127, 0, 0, 1], 0).into()).expect("a port");
        let port = socket.local_addr().expect("an address").port();
        Self { _socket: socket, port }
    }
}

fn interrupt(child: &Child) {
    let is_sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill is there").success();
    assert!(is_sent);
}

/// The lines of standard error up to the one with these words; then the program is interrupted, and what it still says comes too.
fn log_until(mut command: Command, words: &str) -> (Vec<String>, Option<i32>) {
    let mut child = command.spawn().expect("it starts");
    let mut lines = Vec::new();
    let mut reader = BufReader::new(child.stderr.take().expect("a pipe")).lines();
    for line in reader.by_ref() {
        lines.push(line.expect("UTF-8"));
        if lines.last().is_some_and(|line| line.contains(words)) {
            break;
        }
    }
    assert!(lines.last().is_some_and(|line| line.contains(words)), "{words:?} is not said: {lines:#?}");
    interrupt(&child);
    lines.extend(reader.map(|line| line.expect("UTF-8")));
    (lines, child.wait().expect("it ends").code())
}

#[test]
fn without_a_way_to_discord_a_start_says_one_sentence_and_goes_on() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let closed = Closed::new();
    let port = closed.port;
    std::fs::write(folder.path().join("atelier.toml"), format!("[discord]\napi_url = \"http://127.0.0.1:{port}\"")).expect("a file");
    let mut command = atelier(folder.path(), &["run"]);
    command.env("DISCORD_TOKEN", "any.token");
    let (lines, code) = log_until(command, "I cannot reach");
    assert_eq!(code, Some(0), "{lines:#?}");
    let expected = format!(
        "I cannot reach the stand-in at http://127.0.0.1:{port} (the connection is refused); trying again in 5 s, later less often."
    );
    assert_eq!(lines.iter().filter(|line| line.ends_with(&expected)).count(), 1, "{lines:#?}");
    for foreign in ["serenity", "tungstenite", "Err", "\u{1b}"] {
        assert!(!lines.iter().any(|line| line.contains(foreign)), "{foreign}: {lines:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_and_the_doctor_say_as_whom_in_how_many_servers_and_how_to_invite() {
    let studio = Studio::open(Mode::Plain, |_| {}).await;
    let state = studio.ada.state().await.expect("readable");
    let (name, id) = (state["bot"]["username"].as_str().expect("a name"), state["bot"]["id"].as_str().expect("an id"));
    let url = format!("{}/api/v10/users/@me/guilds", studio.running.stand_in.url());
    let client = reqwest::Client::builder().no_proxy().build().expect("a plain client");
    let asked = client.get(url).header("authorization", format!("Bot {}", studio.running.stand_in.token()));
    let guilds: Vec<serde_json::Value> = asked.send().await.expect("it answers").json().await.expect("JSON");
    let n_guilds = guilds.len();
    let servers = if n_guilds == 1 { "1 server".to_owned() } else { format!("{n_guilds} servers") };
    let identity = format!("{name} (id {id}), in {servers}");
    let link = invite_url(id.parse().expect("a number"));

    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("atelier.toml"), format!("[discord]\napi_url = \"{}\"", studio.running.stand_in.url()))
        .expect("a file");
    let token = studio.running.stand_in.token().to_owned();
    let path = folder.path().to_owned();
    let (lines, code, doctor) = tokio::task::spawn_blocking(move || {
        let mut command = atelier(&path, &["run"]);
        command.env("DISCORD_TOKEN", &token);
        let (lines, code) = log_until(command, "Ready: ");
        let doctor = atelier(&path, &["doctor"]).env("DISCORD_TOKEN", &token).output().expect("it starts");
        (lines, code, doctor)
    })
    .await
    .expect("no panic");
    assert_eq!(code, Some(0), "{lines:#?}");
    let is_said = |end: &str| lines.iter().any(|line| line.ends_with(end));
    assert!(is_said(&format!(" as {identity}.")), "{identity}: {lines:#?}");
    assert!(is_said(&format!(" open {link}")), "{link}: {lines:#?}");
    assert!(!lines.iter().any(|line| line.contains("WARN")), "{lines:#?}");
    assert_eq!(doctor.status.code(), Some(0), "{}", said(&doctor));
    for expected in [format!("belongs to {identity}\n"), format!("open {link}\n")] {
        assert!(text(&doctor.stdout).contains(&expected), "{expected}: {}", said(&doctor));
    }
    studio.close().await;
}

/// A configuration, and what in it is wrong.
const CONFIGURATIONS: [&str; 16] = [
    "",
    "[defaults]\nsteps = 30",
    "[discord]\napi_url = \"http://example.com\"",
    "[discord]\napi_url = \"https://discord.com\"",
    "[discord]\napi_url = \"http://203.0.113.1:1\"",
    "[discord]\napi_url = \"127.0.0.1:8420\"",
    "[discord]\napi_ulr = \"x\"",
    "[limits]\nmax_steps = 0",
    "[model]\npath = \"/nowhere\"",
    "[model]\nupscaler = \"/nowhere.safetensors\"",
    "[model]\ndevice = \"gpu\"",
    "[aliases.dreamy]\npath = \"/nowhere\"",
    "[aliases.odd]\npath = STARTER\nwidth = 65\nheight = 64",
    "[aliases.odd]\npath = STARTER\nclip_skip = 100",
    "[loras]\nink = \"/nowhere\"",
    "[data]\ndir = \"atelier.toml/data\"",
];

#[test]
fn the_doctor_refuses_the_configurations_that_a_start_refuses() {
    let starter = format!("{:?}", atelier::models::starter().expect("the starter").model);
    for config in CONFIGURATIONS {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("atelier.toml"), config.replace("STARTER", &starter)).expect("a file");
        let doctor = atelier(folder.path(), &["doctor"]).env("DISCORD_TOKEN", TOKEN).output().expect("it starts");
        let closed = Closed::new();
        // Where nothing is refused a start goes on until it is interrupted: at Discord's door, or at a proxy's that is closed.
        let mut run = atelier(folder.path(), &["run"]);
        run.env("DISCORD_TOKEN", TOKEN).env("HTTPS_PROXY", format!("http://127.0.0.1:{}", closed.port));
        let mut child = run.spawn().expect("it starts");
        let mut lines = Vec::new();
        for line in BufReader::new(child.stderr.take().expect("a pipe")).lines() {
            lines.push(line.expect("UTF-8"));
            if lines.last().is_some_and(|line| line.contains("I cannot reach")) {
                interrupt(&child);
            }
        }
        let is_refused = !child.wait().expect("it ends").success();
        assert_eq!(doctor.status.code() == Some(1), is_refused, "{config}:\n{}\n{lines:#?}", said(&doctor));
        assert_eq!(said(&doctor).contains('✗'), is_refused, "{config}");
        assert!(!said(&doctor).contains(" 0 MiB free"), "{config}");
    }
}

#[test]
fn no_line_in_a_file_is_coloured() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("bad.toml"), "[discord]\napi_url = \"x\"").expect("a file");
    for arguments in [
        &["doctor"][..],
        &["--config", "bad.toml", "doctor"],
        &["--config", "bad.toml", "run"],
        &["models", "list"],
        &["init"],
        &["imagine", "a frog", "--steps", "1", "--count", "1"],
    ] {
        let output = atelier(folder.path(), arguments).env("RUST_LOG", "debug").env("DISCORD_TOKEN", TOKEN).output().expect("it starts");
        assert!(!said(&output).contains('\u{1b}'), "{arguments:?}: {}", said(&output));
    }
}

#[test]
fn init_writes_the_defaults_once_and_says_what_comes_next() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let init = |arguments: &[&str]| atelier(folder.path(), arguments).output().expect("it starts");
    let written = init(&["init"]);
    assert!(written.status.success(), "{}", said(&written));
    for step in ["atelier.toml", "DISCORD_TOKEN", "atelier doctor --online", "atelier run"] {
        assert!(text(&written.stdout).contains(step), "{}", said(&written));
    }
    let path = folder.path().join("atelier.toml");
    let first = std::fs::read_to_string(&path).expect("it is there");
    assert_eq!(Config::load(Some(&path)).expect("it is valid"), Config::default());
    assert!(first.lines().filter(|line| line.starts_with('#')).count() > 50, "it is explained");

    std::fs::write(&path, "# mine").expect("a file");
    let refused = init(&["init"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("atelier.toml is there already and stays as it is"), "{}", said(&refused));
    assert_eq!(std::fs::read_to_string(&path).expect("it is there"), "# mine");
    assert!(init(&["--config", "other.toml", "init"]).status.success());
    assert_eq!(std::fs::read_to_string(folder.path().join("other.toml")).expect("it is there"), first);
}

#[test]
fn a_taken_port_is_said_or_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let held = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = held.local_addr().expect("an address").port().to_string();
    std::fs::write(folder.path().join("own.toml"), format!("[sandbox]\nlisten = \"127.0.0.1:{port}\"")).expect("a file");
    for arguments in [&["sandbox", "--port", &port][..], &["--config", "own.toml", "sandbox"]] {
        let refused = atelier(folder.path(), arguments).output().expect("it starts");
        assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
        let expected = format!("atelier: port {port} is taken by another program; choose another with --port N");
        assert!(text(&refused.stderr).starts_with(&expected), "{}", said(&refused));
    }

    // Whether it is we who hold the usual port or somebody else: it is taken.
    let usual = Config::default().sandbox.listen;
    let _usual = TcpListener::bind(usual);
    let mut child = atelier(folder.path(), &["sandbox"]).spawn().expect("it starts");
    let mut shown = Vec::new();
    let mut reader = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    for line in reader.by_ref() {
        shown.push(line.expect("UTF-8"));
        if shown.last().is_some_and(|line| line.contains("Ctrl-C")) {
            break;
        }
    }
    interrupt(&child);
    shown.extend(reader.map(|line| line.expect("UTF-8")));
    let ended = child.wait_with_output().expect("it ends");
    let used = shown.iter().find_map(|line| line.trim().strip_prefix("Open   http://127.0.0.1:")).expect("an address").to_owned();
    assert_ne!(used, usual.port().to_string());
    let expected = format!("Port {} is taken by another program, so it is {used} this time; choose another with --port N", usual.port());
    assert!(shown.iter().any(|line| line.trim().starts_with(&expected)), "{shown:#?}");
    assert_eq!((ended.status.code(), text(&ended.stderr).as_str()), (Some(0), ""), "an end by Ctrl-C is no matter for a warning");
}

#[test]
fn a_pull_without_a_network_ends_at_once_and_says_what_to_do() {
    let (folder, closed) = (tempfile::tempdir().expect("a temporary folder"), Closed::new());
    for (endpoint, why) in [
        (format!("http://127.0.0.1:{}", closed.port), "the connection is refused"),
        ("https://no-such-host.invalid".to_owned(), "its name cannot be resolved"),
    ] {
        for (more, place) in [(&[][..], "tiny"), (&["--as", "sd15"], "sd15"), (&["--file", "a.safetensors"], "a.safetensors")] {
            let arguments = [&["models", "pull", "ada/tiny", "--endpoint", &endpoint], more].concat();
            let output = atelier(folder.path(), &arguments).output().expect("it starts");
            let said = text(&output.stderr);
            assert_eq!((output.status.code(), said.lines().count()), (Some(1), 1), "{said}");
            assert!(said.starts_with("atelier: cannot reach ") && said.contains(why) && !said.contains("attempts"), "{said}");
            assert!(said.trim_end().ends_with(&format!("copy it to ./atelier-data/models/{place}")), "{said}");
        }
    }
}
