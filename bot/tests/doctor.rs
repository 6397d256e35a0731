//! `atelier doctor`, run as a person runs it.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    path::Path,
    process::Command,
    thread::JoinHandle,
};

use sandbox::{Fault, FaultKind, Sandbox, SandboxConfig, Visitor};
use storage::{BlobStore, Delivery, GuildId, Limits, LocalBlobs, NewImage, NewJob, Queue, RunningLimits, SqliteStore, Timestamp, UserId};

/// Three parts, the first an id in base64; nobody's.
const TOKEN: &str = "MTIzNDU2Nzg5MDEyMzQ1Njc4.GaBcDe.xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";

struct Report {
    code: Option<i32>,
    said: String,
}

/// Runs with a configuration, `data.dir` being the folder, and a token.
fn doctor(folder: &Path, config: &str, token: Option<&str>) -> Report {
    let file = folder.join("config.toml");
    std::fs::write(&file, format!("{config}\n[data]\ndir = {:?}\n", folder.join("data"))).expect("a file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_atelier"));
    command.arg("doctor").arg("--config").arg(&file).current_dir(folder).env_remove("RUST_LOG").env_remove("DISCORD_TOKEN");
    for proxy in ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env_remove(proxy);
    }
    if let Some(token) = token {
        command.env("DISCORD_TOKEN", token);
    }
    let output = command.output().expect("the program starts");
    let said = String::from_utf8(output.stdout).expect("UTF-8") + &String::from_utf8(output.stderr).expect("UTF-8");
    Report { code: output.status.code(), said }
}

impl Report {
    #[track_caller]
    fn check(&self, part: &str, sign: char, expected: &str) {
        let mut lines = self.said.lines().filter(|line| line.split_whitespace().nth(1) == Some(part));
        assert!(lines.any(|line| line.starts_with(sign) && line.contains(expected)), "{part}: {}", self.said);
    }
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

#[test]
fn a_fresh_clone_is_well_but_for_the_token() {
    let folder = folder();
    let report = doctor(folder.path(), "", None);
    assert_eq!(report.code, Some(0), "{}", report.said);
    report.check("configuration", '✓', "config.toml");
    report.check("model", '✓', "the built-in starter model, 21.1 million parameters, pictures of 64×64 pixels");
    report.check("upscaler", '✓', "enlarges 4 times");
    report.check("device", '✓', "cpu");
    report.check("database", '✓', "atelier.sqlite");
    report.check("disk", '✓', "MiB free");
    report.check("token", '!', "DISCORD_TOKEN is not set");
    assert_eq!(report.said.lines().count(), 7, "{}", report.said);
}

#[test]
fn looking_makes_nothing_and_names_what_was_read() {
    let folder = folder();
    let report = doctor(folder.path(), "", None);
    report.check("database", '✓', "no data folder yet");
    assert!(!folder.path().join("data").exists(), "nothing was made");
    let command = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_atelier"));
        let output = command.arg("doctor").args(arguments).current_dir(folder.path()).env_remove("DISCORD_TOKEN").output();
        String::from_utf8(output.expect("it starts").stdout).expect("UTF-8")
    };
    assert!(command(&[]).starts_with("✓ configuration the defaults: there is no atelier.toml here"));
    std::fs::write(folder.path().join("atelier.toml"), "[data]\ndir = \"elsewhere\"").expect("a file");
    let read = folder.path().join("atelier.toml");
    assert!(command(&[]).starts_with(&format!("✓ configuration {}\n", read.display())), "it says which file it read");
    let report = doctor(folder.path(), "[discord]\napi_url = \"http://203.0.113.1:1\"", None);
    report.check("token", '✗', "a stand-in must be on loopback");
    assert_eq!(report.code, Some(1), "`run` refuses it too");
}

#[test]
#[cfg(unix)]
fn a_data_folder_that_others_may_read_is_told() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).expect("a folder");
    std::fs::create_dir(data.join("pictures")).expect("a folder");
    let allow = |mode| std::fs::set_permissions(&data, std::fs::Permissions::from_mode(mode)).expect("it is ours");
    allow(0o755);
    doctor(folder.path(), "", None).check("data", '!', "other users of this machine may read");
    allow(0o700);
    assert!(!doctor(folder.path(), "", None).said.contains("other users"));
}

#[test]
fn a_token_may_be_in_a_file() {
    let folder = folder();
    let file = folder.path().join("token");
    std::fs::write(&file, format!("{TOKEN}\n")).expect("a file");
    let run = |path: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_atelier"));
        command.arg("doctor").current_dir(folder.path()).env_remove("DISCORD_TOKEN").env("DISCORD_TOKEN_FILE", path);
        String::from_utf8(command.output().expect("it starts").stdout).expect("UTF-8")
    };
    let said = run(&file);
    assert!(said.contains("the file of DISCORD_TOKEN_FILE has one") && !said.contains(TOKEN), "{said}");
    let said = run(Path::new("/nowhere/token"));
    assert!(said.contains("✗ token") && said.contains("the file of DISCORD_TOKEN_FILE cannot be read"), "{said}");
}

#[tokio::test]
async fn a_database_in_use_is_no_failure() {
    let folder = folder();
    let _bot = storage::SqliteStore::open(&folder.path().join("data/atelier.sqlite")).await.expect("a new database");
    let path = folder.path().to_owned();
    let report = tokio::task::spawn_blocking(move || doctor(&path, "", None)).await.expect("no panic");
    assert_eq!(report.code, Some(0), "{}", report.said);
    report.check("database", '!', "is in use");
}

#[tokio::test]
async fn jobs_whose_files_are_missing_are_counted() {
    let folder = folder();
    let data = folder.path().join("data");
    let store = SqliteStore::open(&data.join("atelier.sqlite")).await.expect("a new database");
    let blobs = LocalBlobs::open(&data.join("pictures")).expect("a new folder");
    let mut files = Vec::new();
    for number in 0..3_u32 {
        let job = NewJob {
            key: number.to_string(),
            press: None,
            guild: GuildId(1),
            user: UserId(1),
            roles: Vec::new(),
            action: "imagine".into(),
            tier: storage::Tier::Fast,
            model: None,
            task: serde_json::json!({}),
            parent: None,
            notes: None,
            inputs: Vec::new(),
            row_megapixels: 1.0,
            delivery: Delivery { channel: 1, token: String::new(), token_expires: Timestamp(0), message: None, is_private: false },
            admission: storage::Admission::default(),
        };
        store.enqueue(job, &limits(), Timestamp(0)).await.expect("written");
        let running = RunningLimits { max_running: 1, max_running_per_user: 1, max_running_per_guild: 1 };
        let lease = store.claim(std::time::Duration::from_secs(30), &running, &[], Timestamp(0)).await.expect("written").expect("it waits");
        for index in 0..2 {
            let blob = blobs.put(format!("{number} {index}").into()).await.expect("kept");
            files.push(data.join("pictures").join(&blob.as_str()[..2]).join(blob.as_str()));
            let image = NewImage { index, seed: 1, width: 8, height: 8, blob, provenance: None, digests: Vec::new() };
            store.record_image(&lease, &image).await.expect("written");
        }
        store.complete(&lease, 1.0, Timestamp(0)).await.expect("written");
    }
    store.close().await;
    let ask = async || {
        let path = folder.path().to_owned();
        tokio::task::spawn_blocking(move || doctor(&path, "", None)).await.expect("no panic")
    };
    let report = ask().await;
    report.check("pictures", '✓', "the files of all 6 are there");
    assert_eq!(report.code, Some(0), "{}", report.said);
    for file in &files[1..4] {
        std::fs::remove_file(file).expect("it is there");
    }
    let report = ask().await;
    report.check("pictures", '✗', "of 2 finished jobs (of 6 pictures in all) files are missing");
    assert_eq!(report.code, Some(1), "{}", report.said);
    std::fs::remove_dir_all(data.join("pictures")).expect("it is there");
    ask().await.check("pictures", '✗', "of 3 finished jobs");
    assert!(!data.join("pictures").exists(), "nothing was made");
}

fn limits() -> Limits {
    Limits {
        daily_row_megapixels: 100.0,
        daily_row_megapixels_per_user: None,
        daily_row_megapixels_host: None,
        monthly_row_megapixels: None,
        monthly_row_megapixels_per_user: None,
        monthly_row_megapixels_host: None,
        is_relax_free: false,
        max_active_per_user: 10,
        max_queued_per_guild: 10,
        max_queued: 10,
    }
}

#[test]
fn what_looks_at_pictures_is_told_where_it_is_configured() {
    let (folder, clip) = (folder(), crate::describe::tiny_clip());
    let with = |words: &str| format!("[describe]\nclip = {clip:?}\nwords = {words:?}\n");
    doctor(folder.path(), &with(""), Some(TOKEN)).check("describe", '✓', "a CLIP and 350 words, from ");
    doctor(folder.path(), &with("/nowhere"), Some(TOKEN)).check("describe", '✗', "`describe.words`: /nowhere: ");
    assert!(!doctor(folder.path(), "", Some(TOKEN)).said.contains("describe"), "without one there is nothing to check");
}

#[test]
fn what_is_wrong_is_named_and_fails() {
    for (config, part, expected) in [
        ("[model]\npath = \"/nowhere\"", "model", "/nowhere"),
        ("[model]\nupscaler = \"/nowhere.safetensors\"", "upscaler", "/nowhere.safetensors"),
        ("[aliases.dreamy]\npath = \"/nowhere\"", "model", "dreamy: /nowhere"),
        ("[loras]\nink = \"/nowhere\"", "LoRA", "ink: nothing is at /nowhere"),
        ("[embeddings]\nhands = \"/nowhere\"", "embedding", "hands: nothing is at /nowhere"),
        ("[describe]\nclip = \"/nowhere\"", "describe", "`describe.clip`: /nowhere/config.json cannot be read: it is missing"),
        ("[model]\npaht = \"x\"", "configuration", "unknown field `paht`"),
        ("[discord]\napi_url = \"http://203.0.113.1\"", "token", "a stand-in must be on loopback"),
        (
            "[discord]\napi_url = \"http://127.0.0.1:1\"",
            "token",
            "cannot reach the stand-in at http://127.0.0.1:1: the connection is refused",
        ),
    ] {
        let folder = folder();
        let report = doctor(folder.path(), config, Some(TOKEN));
        assert_eq!(report.code, Some(1), "{config}: {}", report.said);
        report.check(part, '✗', expected);
        let n_bad = report.said.lines().filter(|line| line.starts_with('✗')).count();
        assert_eq!(n_bad, 1, "{config}: {}", report.said);
    }
}

#[test]
#[cfg(not(feature = "cuda"))]
fn a_device_that_this_build_lacks_is_named() {
    let folder = folder();
    let report = doctor(folder.path(), "[engine]\ndevices = [\"cuda:0\"]", None);
    assert_eq!(report.code, Some(1), "{}", report.said);
    report.check("device", '✗', "cuda");
}

#[test]
fn a_full_disk_fails() {
    let folder = folder();
    let file = folder.path().join("floor.toml");
    std::fs::write(&file, format!("[data]\ndir = {:?}\nmin_free_mib = 99999999999", folder.path().join("data"))).expect("a file");
    let output = Command::new(env!("CARGO_BIN_EXE_atelier")).arg("doctor").arg("--config").arg(&file).output().expect("it starts");
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("✗ disk") && said.contains("`data.min_free_mib` = 99999999999"), "{said}");
}

#[test]
fn the_token_is_looked_at_and_never_shown() {
    let folder = folder();
    let report = doctor(folder.path(), "", Some(TOKEN));
    report.check("token", '✓', "`--online`");
    assert!(report.code == Some(0) && !report.said.contains(TOKEN), "{}", report.said);
    let report = doctor(folder.path(), "", Some("hunter2"));
    report.check("token", '✗', "does not look like a bot's token");
    assert!(report.code == Some(1) && !report.said.contains("hunter2"), "{}", report.said);
}

/// A Discord that answers one call; gives the lines of the call.
fn one_answer(status: &'static str, body: &'static str) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let answered = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a call");
        let lines = BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
        write!(stream, "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())
            .expect("the caller waits");
        lines
    });
    (url, answered)
}

#[test]
fn a_stand_in_is_asked_who_the_token_belongs_to() {
    for (status, body, sign, expected) in [
        ("200 OK", "{\"id\":\"1\",\"username\":\"Atelier\"}", '✓', "belongs to Atelier"),
        ("401 Unauthorized", "{\"message\":\"401: Unauthorized\",\"code\":0}", '✗', "refuses DISCORD_TOKEN"),
        ("500 Internal Server Error", "", '✗', "status 500"),
    ] {
        let folder = folder();
        let (url, answered) = one_answer(status, body);
        let report = doctor(folder.path(), &format!("[discord]\napi_url = \"{url}\""), Some("any.token"));
        report.check("token", sign, expected);
        assert_eq!(report.code, Some(i32::from(sign == '✗')), "{}", report.said);
        let call = answered.join().expect("it was called");
        assert_eq!(call[0], "GET /api/v10/users/@me HTTP/1.1");
        assert!(call.iter().any(|line| line == "authorization: Bot any.token"), "{call:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_where_the_past_is_hidden_from_the_bot_are_named() {
    let stand_in = Sandbox::start(SandboxConfig::default()).await.expect("the stand-in starts");
    let state = Visitor::connect(stand_in.url(), "ada").await.expect("ada enters").state().await.expect("readable");
    let guild = &state["guilds"][0];
    let report = || {
        let (url, token) = (stand_in.url().trim_end_matches('/').to_owned(), stand_in.token().to_owned());
        tokio::task::spawn_blocking(move || doctor(folder().path(), &format!("[discord]\napi_url = \"{url}\""), Some(&token)))
    };
    let well = report().await.expect("it runs");
    assert!(!well.said.contains("Read Message History"), "{}", well.said);
    let fault = Fault {
        guild: guild["id"].as_str().map(str::to_owned),
        permission: Some("READ_MESSAGE_HISTORY".into()),
        ..Fault::new(FaultKind::PermissionRemoved)
    };
    stand_in.fault(fault).expect("the permission is known");
    let hidden = report().await.expect("it runs");
    hidden.check("permissions", '!', &format!("Read Message History is not allowed in {}", guild["name"].as_str().expect("a name")));
    assert_eq!(hidden.code, Some(0), "{}", hidden.said);
    stand_in.shutdown().await;
}

#[test]
fn ten_models_are_looked_at_and_none_is_loaded() {
    let folder = folder();
    let starter = atelier::models::starter().expect("the starter model").model;
    let mut config = String::new();
    for n in 0..10 {
        let path = folder.path().join(format!("m{n}"));
        crate::family_models::copy(&starter, &path);
        // Numbers that nobody could load: all are not-a-number.
        let unet = path.join("unet/diffusion_pytorch_model.safetensors");
        let mut bytes = std::fs::read(&unet).expect("weights");
        let start = 8 + u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes")) as usize;
        bytes[start..].fill(0xff);
        std::fs::write(&unet, bytes).expect("written");
        config += &format!("[aliases.m{n}]\npath = {path:?}\n");
    }
    let report = doctor(folder.path(), &config, None);
    assert_eq!(report.code, Some(0), "{}", report.said);
    for n in 0..10 {
        report.check("model", '✓', &format!("m{n}, 21.1 million parameters, pictures of 64×64 pixels"));
    }
}
