//! Files of people come in by way of the disk: whatever their size and number, the stand-in holds little of them.

use crate::support::*;
use base64::{Engine, engine::general_purpose::STANDARD};
use sandbox::{Sandbox, Visitor};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

/// Names of what lies in the folder of files.
fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder.join("attachments")).expect("it is there");
    entries.map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned()).collect()
}

async fn say(url: &str, user: &str, attachments: Value) -> (u16, Value) {
    let client = reqwest::Client::builder().no_proxy().build().expect("a plain client");
    let body = json!({ "user": user, "channel": GENERAL, "content": "", "attachments": attachments });
    let answer = client.post(format!("{url}/sandbox/api/messages")).json(&body).send().await.expect("it answers");
    (answer.status().as_u16(), answer.json().await.expect("it is JSON"))
}

#[tokio::test]
async fn a_large_file_is_kept_whole_and_a_refused_one_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let sandbox = Sandbox::start(config(Some(folder.path()))).await.expect("it starts");
    let ada = Visitor::connect(sandbox.url(), "ada").await.expect("ada is here");
    let mut picture = png();
    picture.extend((0..5_000_000_u32).map(|n| (n % 251) as u8));
    let file = |bytes: &[u8]| Visitor::file("large.png", "image/png", bytes);
    let (status, said) = say(sandbox.url(), ada.user_id(), json!([file(&picture), file(b"small")])).await;
    assert_eq!((status, &said["attachments"][0]["width"], &said["attachments"][0]["size"]), (200, &json!(3), &json!(picture.len())));
    assert_eq!(ada.attachment_bytes(&said, 0).await.expect("it is served"), picture);
    assert_eq!(ada.attachment_bytes(&said, 1).await.expect("it is served"), b"small".as_slice());
    let kept = files(folder.path());
    assert_eq!(kept.len(), 2);

    let damaged = json!({ "filename": "a", "content_type": "image/png", "data": format!("{}!", STANDARD.encode(&picture)) });
    let too_large = file(&vec![7; 11 << 20]);
    let untold = json!({ "filename": "a", "content_type": "no type", "data": STANDARD.encode(&picture) });
    for (refused, expected) in [(damaged, 400), (too_large, 413), (untold, 400)] {
        assert_eq!(say(sandbox.url(), ada.user_id(), json!([file(&picture), refused])).await.0, expected);
        assert_eq!(files(folder.path()), kept);
    }
    let client = reqwest::Client::builder().no_proxy().build().expect("a plain client");
    let url = format!("{}/sandbox/api/messages", sandbox.url());
    for body in [
        json!({ "content": "x".repeat(5 << 20) }),
        json!({ "data": "x".repeat(5 << 20) }),
        json!({ "fields": { "data": "x".repeat(100_000) } }),
    ] {
        let answer = client.post(&url).json(&body).send().await.expect("it answers");
        assert_eq!(answer.status(), 413, "no text is so long");
    }
    assert_eq!(files(folder.path()), kept);
}

#[tokio::test]
async fn many_large_bodies_at_once_are_not_held() {
    const N_BODIES: usize = 12;
    const FILE_BYTES: usize = 10 << 20;
    let mut child = Command::new(env!("CARGO_BIN_EXE_atelier-sandbox"))
        .args(["--listen", "127.0.0.1:0", "--print-env"])
        .env("RUST_LOG", "off")
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines().map(|line| line.expect("readable"));
    let url = lines.find_map(|line| line.strip_prefix("SANDBOX_URL=").map(str::to_owned)).expect("it tells its address");
    let ada = Visitor::connect(&url, "ada").await.expect("ada is here");
    let file = Visitor::file("large.bin", "application/octet-stream", &vec![7; FILE_BYTES]);
    let attachments = Value::Array(vec![file; 3]);
    let sent = futures_of((0..N_BODIES).map(|_| say(&url, ada.user_id(), attachments.clone()))).await;
    assert!(sent.iter().all(|(status, _)| *status == 200), "{:?}", sent.iter().map(|(status, _)| status).collect::<Vec<_>>());
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()));
    child.kill().expect("it is ours");
    child.wait().expect("it ends");
    // Where the system tells the most that a process ever had.
    let Ok(status) = status else { return };
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<usize>().ok());
    let peak_mib = peak.expect("the peak is told") >> 10;
    assert!(peak_mib < 200, "{peak_mib} MiB for {N_BODIES} bodies of 40 MiB");
}

async fn futures_of<F: Future<Output = (u16, Value)> + Send>(all: impl Iterator<Item = F>) -> Vec<(u16, Value)> {
    futures::future::join_all(all).await
}
