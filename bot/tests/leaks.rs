//! What reaches people and the log: no path of the host, no tensor's name, no token.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::support::*;
use sandbox::{Clock, Fault, FaultKind, InteractionId, ManualClock, OnViolation, Sandbox, SandboxConfig, Visitor};
use serde_json::{Value, json};

/// What is only for whoever runs the bot.
const SECRETS: [&str; 7] = [".safetensors", "lora_unet", "lora_te", "down_blocks", "transformer_blocks", "panicked", "module `"];

fn adapter(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../inference/tests/data/families/adapters").join(name)
}

pub fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("readable") {
        let entry = entry.expect("readable");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() { copy_folder(&entry.path(), &target) } else { assert!(fs::copy(entry.path(), target).is_ok()) }
    }
}

/// Every byte of the bot's database.
fn database(folder: &Path) -> Vec<u8> {
    ["atelier.sqlite", "atelier.sqlite-wal"].iter().flat_map(|name| fs::read(folder.join(name)).unwrap_or_default()).collect()
}

fn holds(bytes: &[u8], word: &str) -> bool {
    bytes.windows(word.len()).any(|window| window == word.as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_fail_are_told_by_name_and_never_by_path() {
    let host = tempfile::tempdir().expect("a temporary folder");
    let host_path = fs::canonicalize(host.path()).expect("a path");
    let mut data = PathBuf::new();
    // The clock stands still: nobody looks at the files again before they are used.
    let clock = ManualClock::new();
    let studio = Studio::open_with_clock(Mode::Plain, Clock::Manual(clock.clone()), |config| {
        data = config.data.dir.clone();
        for (name, file) in
            [("of another model", "kohya_sdxl"), ("of another", "peft_sdxl"), ("moved away", "kohya_sd1"), ("garbage", "peft_sd1")]
        {
            let path = host_path.join(format!("{file}.safetensors"));
            fs::copy(adapter(&format!("{file}.safetensors")), &path).expect("copied");
            config.loras.insert(name.into(), path);
        }
        for name in ["dreamy", "half", "gone"] {
            let path = host_path.join(name);
            copy_folder(&atelier::models::starter().expect("the starter").model, &path);
            config.aliases.insert(name.into(), atelier::config::AliasConfig { path, ..Default::default() });
        }
    })
    .await;
    let unet = |model: &str| host_path.join(model).join("unet/diffusion_pytorch_model.safetensors");
    fs::rename(host_path.join("kohya_sd1.safetensors"), host_path.join("elsewhere.safetensors")).expect("renamed");
    fs::write(host_path.join("peft_sd1.safetensors"), "<html>no such file</html>").expect("written");
    fs::write(unet("dreamy"), "garbage".repeat(1000)).expect("written");
    fs::remove_file(host_path.join("half/vae/diffusion_pytorch_model.safetensors")).expect("removed");
    fs::remove_dir_all(host_path.join("gone")).expect("removed");

    let ada = &studio.ada;
    for (text, sentence) in [
        ("one <lora:of another model:1>", "The LoRA `of another model` "),
        ("two <lora:of another:1>", "The LoRA `of another` "),
        ("three <lora:moved away:1>", "The LoRA `moved away` is not here any more"),
        ("four <lora:garbage:1>", "The LoRA `garbage` cannot be used"),
        ("five --model dreamy", "The model `dreamy` cannot be loaded"),
        ("six --model half", "The model `half` is not here any more"),
        ("seven --model gone", "The model `gone` is not here any more"),
    ] {
        ada.slash(CHANNEL, "imagine", &prompt(text)).await.expect("sent");
        let told = message_with(ada, sentence).await;
        assert!(content(&told).contains("No picture this time; it costs nothing."), "{told}");
    }
    // Somebody has looked: those who ask are told before they wait.
    clock.advance(std::time::Duration::from_secs(2));
    for (text, sentence) in [
        ("one <lora:moved away:1>", "this LoRA is no longer there"),
        ("two --model gone", "this model is no longer there"),
        ("three --model dreamy", "there is no such model"),
    ] {
        ada.slash(CHANNEL, "imagine", &prompt(text)).await.expect("sent");
        told(ada, sentence).await;
    }
    ada.slash(CHANNEL, "imagine", &prompt("a frog --images 1 --seed 7")).await.expect("sent");
    nth_grid(ada, 1).await;

    let shown = json!(ada.messages(CHANNEL).await.expect("readable")).to_string();
    let kept = database(&data);
    assert!(holds(&kept, "adapter_gone"), "failures are kept as data");
    let here = host_path.to_str().expect("text");
    for secret in SECRETS.into_iter().chain([here, env!("CARGO_MANIFEST_DIR")]) {
        assert!(!shown.contains(secret), "a message holds {secret}: {shown}");
        assert!(!holds(&kept, secret), "the database holds {secret}");
    }
    studio.close().await;
}

/// The bot's token in [`no_token_is_in_the_log_whatever_goes_wrong`].
const TOKEN: &str = "canary-token-of-the-bot";

/// A bot as a process of its own, with all that it could log in a file.
struct Logged {
    folder: tempfile::TempDir,
    child: std::process::Child,
}

impl Logged {
    fn start(stand_in: &Sandbox) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let data = folder.path().join("data");
        let config = format!("[discord]\napi_url = {:?}\n[data]\ndir = {data:?}\n[defaults]\nsteps = 2\n", stand_in.url());
        fs::write(folder.path().join("atelier.toml"), config).expect("writable");
        let log = fs::File::create(folder.path().join("log")).expect("a file");
        let child = Command::new(env!("CARGO_BIN_EXE_atelier"))
            .args(["--config", "atelier.toml", "run"])
            .current_dir(folder.path())
            .env("DISCORD_TOKEN", TOKEN)
            .env("RUST_LOG", "trace")
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the program starts");
        Self { folder, child }
    }

    /// Ends it in order; all of its log.
    fn log(mut self) -> String {
        let ended = Command::new("kill").arg(self.child.id().to_string()).status().expect("it is running");
        assert!(ended.success());
        self.child.wait().expect("it ends");
        String::from_utf8_lossy(&fs::read(self.folder.path().join("log")).expect("its log")).into_owned()
    }
}

/// The tokens that a stand-in has issued, from its database: 64 hexadecimal digits each.
fn issued(folder: &Path) -> Vec<String> {
    let mut bytes = Vec::new();
    for file in fs::read_dir(folder).expect("readable") {
        bytes.extend(fs::read(file.expect("readable").path()).unwrap_or_default());
    }
    let runs = bytes.split(|byte| !matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    // Text columns stand side by side: what follows a token may look like more of it.
    runs.filter(|run| run.len() >= 64).map(|run| String::from_utf8_lossy(&run[..64]).into_owned()).collect()
}

/// The lines of a log in which digits of whatever kind follow each other for long, with commas between them or without: a token, and bytes of one.
fn long_numbers(log: &str) -> Vec<&str> {
    let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b',' | b' ');
    log.lines().filter(|line| line.as_bytes().split(|byte| !is_part(byte)).any(|run| run.len() >= 2 * TOKEN.len())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_token_is_in_the_log_whatever_goes_wrong() {
    let data = tempfile::tempdir().expect("a temporary folder");
    // What lost answers do to a bot is not the matter here.
    let config = SandboxConfig {
        data_dir: Some(data.path().to_owned()),
        token: TOKEN.into(),
        on_violation: OnViolation::Report,
        ..SandboxConfig::default()
    };
    let stand_in = Sandbox::start(config).await.expect("the stand-in starts");
    let bot = Logged::start(&stand_in);
    let ada = Visitor::connect(stand_in.url(), "ada").await.expect("ada enters");
    ada.wait_for_command("imagine", PATIENCE).await.expect("the bot registers its commands");

    let is_over = |interaction: InteractionId| {
        move |kind: &str, data: &Value| {
            (data["interaction"] == interaction.0 && matches!(kind, "interaction_acknowledged" | "interaction_failed")).then_some(())
        }
    };
    let kinds = [FaultKind::Reset, FaultKind::LostAnswer, FaultKind::ServerError];
    for (route, kind) in ["* /interactions", "* /webhooks"].into_iter().flat_map(|route| kinds.map(|kind| (route, kind))) {
        for (command, options) in [
            ("info", vec![]),
            ("imagine", vec![("prompt", json!("a frog --images 1 --seed 7"))]),
            ("imagine", vec![("prompt", json!("a frog --seed -1"))]),
        ] {
            let seq = ada.seq().await.expect("the stand-in answers");
            let fault = Fault { count: Some(2), route: Some(route.into()), status: Some(503), ..Fault::new(kind) };
            let fault = stand_in.fault(fault).expect("a fault");
            let interaction = ada.slash(CHANNEL, command, &options).await.expect("sent");
            ada.wait_for_event(seq, PATIENCE, is_over(interaction)).await.expect("it ends");
            stand_in.end_fault(fault);
        }
    }
    ada.slash(CHANNEL, "imagine", &prompt("a robot --images 1 --seed 8")).await.expect("sent");
    let grid = message_with(&ada, "Finished").await;
    // However often it is tried.
    stand_in.fault(Fault { route: Some("* /interactions".into()), ..Fault::new(FaultKind::Reset) }).expect("a fault");
    let seq = ada.seq().await.expect("the stand-in answers");
    let interaction = ada.press(id(&grid), "🔄").await.expect("sent");
    ada.wait_for_event(seq, PATIENCE, is_over(interaction)).await.expect("it ends");

    let log = bot.log();
    stand_in.forgive_violations();
    stand_in.shutdown().await;
    assert!(log.contains("a first answer was not taken in time"), "things went wrong");
    assert!(log.contains("/***") && log.contains("TRACE"), "addresses are traced");
    let mut secrets = issued(data.path());
    assert!(secrets.len() >= 20, "every interaction has a token: {}", secrets.len());
    secrets.push(TOKEN.into());
    assert!(!log.contains(TOKEN));
    let log = long_numbers(&log);
    for secret in &secrets {
        let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        let numbers = secret.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(", ");
        for form in [secret, &hex, &numbers] {
            assert!(form == TOKEN || !long_numbers(form).is_empty(), "it would be found");
            let line = log.iter().find(|line| line.contains(form.as_str()));
            assert!(line.is_none(), "{line:?}");
        }
    }
}
