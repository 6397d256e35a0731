//! The commands as a person runs them.

use std::{ffi::OsStr, fs, path::Path, process::Stdio};

use serde_json::{Value, json};
use tokio::process::Command;

use crate::pull::hub::{Fault, File, Hub, hex};

struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

fn command<S: AsRef<OsStr>>(root: &Path, args: &[S]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_atelier"));
    command.arg("models").args(args).current_dir(root).stdin(Stdio::null());
    for variable in ["HF_TOKEN", "HF_ENDPOINT", "RUST_LOG", "ATELIER_CONFIG"] {
        command.env_remove(variable);
    }
    command
}

async fn run<S: AsRef<OsStr>>(root: &Path, args: &[S]) -> Ran {
    let output = command(root, args).output().await.expect("the program starts");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

fn root() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

async fn list(root: &Path) -> Vec<Value> {
    let ran = run(root, &["list", "--json"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let report: Value = serde_json::from_str(&ran.out).expect("one JSON object");
    report["models"].as_array().expect("a list").clone()
}

/// A file with tensors of these names and shapes, all zero.
fn safetensors(tensors: &[(&str, &[usize])], metadata: Value) -> Vec<u8> {
    let (mut header, mut end) = (json!({ "__metadata__": metadata }), 0);
    for (name, shape) in tensors {
        let start = end;
        end += shape.iter().product::<usize>() * 2;
        header[name] = json!({ "dtype": "F16", "shape": shape, "data_offsets": [start, end] });
    }
    let header = header.to_string();
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &vec![0; end]].concat()
}

#[tokio::test]
async fn pull_list_inspect_and_remove_go_together() {
    let hub = Hub::open().await;
    let root = hub.root.path();
    fs::write(root.join("atelier.toml"), format!("[models]\ndir = \"models\"\nendpoint = \"{}\"\n", hub.url)).expect("a file");
    let ran = run(root, &["pull", "ada/tiny", "--as", "mine"]).await;
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    assert!(ran.out.starts_with("mine: 10 files, ") && ran.out.contains(" is in models/mine\n"), "{}", ran.out);
    assert!(ran.out.contains("draw with it: atelier imagine \"a fox\" --model models/mine\n"), "{}", ran.out);
    let listed = list(root).await;
    let mine = listed.iter().find(|row| row["name"] == "mine").expect("it is listed");
    let files: usize = fs::read_dir(root.join("models/mine")).expect("a folder").count();
    assert_eq!((&mine["place"], &mine["kind"], files), (&json!("models_folder"), &json!("model"), 6));
    let ran = run(root, &["inspect", "mine", "--hash", "--json"]).await;
    let report: Value = serde_json::from_str(&ran.out).expect("one JSON object");
    let unet = "unet/diffusion_pytorch_model.safetensors";
    let hashes = report["sha256"].as_array().expect("a list");
    assert!(hashes.contains(&json!({ "file": unet, "sha256": hex(&hub.bytes(unet)) })), "{report}");
    assert_eq!((report["n_parameters"].as_u64(), hashes.len()), (Some(12_000), 3));
    let ran = run(root, &["remove", "mine"]).await;
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("nobody can be asked here; say `--yes`"), "{}", ran.err);
    let ran = run(root, &["remove", "mine", "--yes"]).await;
    assert_eq!((ran.code, hub.names()), (Some(0), Vec::new()), "{}", ran.err);
    assert!(ran.out.starts_with("removed models/mine ("), "{}", ran.out);
}

#[tokio::test]
async fn the_token_and_the_endpoint_come_from_the_environment() {
    let hub = Hub::open().await;
    let pull = |file: &'static str| {
        let mut command = command(hub.root.path(), &["pull", "ada/tiny", "--file", file, "--token-env", "MY_TOKEN"]);
        command.env("MY_TOKEN", " hf_secret\n").env("HF_ENDPOINT", &hub.url);
        command
    };
    let output = pull("tiny.safetensors").output().await.expect("the program starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(hub.root.path().join("atelier-data/models/tiny.safetensors").is_file());
    assert!(hub.calls().iter().filter(|call| call.is_hub).all(|call| call.authorization.as_deref() == Some("Bearer hf_secret")));
    hub.next_answer(401, &[]);
    let output = pull("tiny.safetensors").output().await.expect("the program starts");
    let err = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(err.contains("the token in MY_TOKEN may not see it") && !err.contains("hf_secret"), "{err}");
    assert_eq!(err.lines().count(), 1, "{err}");
}

#[tokio::test]
async fn ctrl_c_stops_a_pull_that_can_go_on() {
    let hub = Hub::open().await;
    hub.put("big.safetensors", File::large(crate::pull::hub::weights(3, 100_000)).with([Fault::Hang(50_000)]));
    let mut pull = command(hub.root.path(), &["pull", "ada/tiny", "--file", "big.safetensors", "--endpoint", &hub.url]);
    let child = pull.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    hub.hanging().await;
    let id = child.id().expect("it runs").to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().await.expect("kill is there").success());
    let output = child.wait_with_output().await.expect("it ends");
    let err = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!((output.status.code(), err.as_str()), (Some(130), "atelier: stopped; the same command goes on from here\n"));
    let listed = list(hub.root.path()).await;
    let big = listed.iter().find(|row| row["name"] == "big").expect("it is listed");
    assert_eq!(big["fault"], "unfinished; pull it again to go on");
    let output = pull.output().await.expect("the program starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let path = hub.root.path().join("atelier-data/models/big.safetensors");
    assert_eq!(fs::read(path).expect("the file"), hub.bytes("big.safetensors"));
}

#[tokio::test]
async fn a_fresh_list_shows_the_built_in_models_and_how_to_get_more() {
    let root = root();
    let ran = run(root.path(), &["list"]).await;
    let lines: Vec<_> = ran.out.lines().collect();
    assert!(lines[0].starts_with("NAME") && lines[1].starts_with("starter ") && lines[1].contains("built in (model.path)"), "{}", ran.out);
    assert!(lines[2].contains("realesr-animevideov3-x4") && lines[2].contains("upscaler"), "{}", ran.out);
    assert!(ran.out.ends_with("It is empty; `atelier models pull OWNER/NAME` downloads a model of the Hugging Face Hub.\n"), "{}", ran.out);
}

#[tokio::test]
async fn what_the_configuration_names_is_listed_and_stays() {
    let root = root();
    let models = root.path().join("models");
    fs::create_dir_all(models.join("used/unet")).expect("a folder");
    fs::create_dir_all(models.join("free")).expect("a folder");
    fs::write(models.join("up.safetensors"), safetensors(&[("conv_first.weight", &[1, 3, 3, 3])], json!({}))).expect("a file");
    fs::write(models.join("kept.safetensors"), "x").expect("a file");
    fs::write(models.join("half.safetensors.part"), "x").expect("a file");
    fs::write(models.join("half.safetensors.part.json"), "{}").expect("a file");
    fs::write(root.path().join("outside.safetensors"), "x").expect("a file");
    std::os::unix::fs::symlink(root.path().join("outside.safetensors"), models.join("link.safetensors")).expect("a link");
    let config = "[model]\npath = \"models/used\"\nupscaler = \"models/../models/up.safetensors\"\n[models]\ndir = \"models\"\n\
                  [aliases.big]\npath = \"elsewhere\"\n[loras]\nink = \"models/kept.safetensors\"\n";
    fs::write(root.path().join("atelier.toml"), config).expect("a file");
    let listed = list(root.path()).await;
    let of = |name: &str| listed.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("{name} is listed: {listed:?}"));
    assert_eq!((&of("used")["named_by"], &of("up")["named_by"]), (&json!(["model.path"]), &json!(["model.upscaler"])));
    assert_eq!((&of("up")["kind"], &of("free")["named_by"]), (&json!("upscaler"), &json!([])));
    let big = of("big");
    assert_eq!((&big["place"], &big["path"], &big["named_by"]), (&json!("configuration"), &json!("elsewhere"), &json!(["aliases.big"])));
    assert!(big["fault"].is_string(), "nothing is there: {big}");
    for (name, expected) in [
        ("used", "`model.path` of the configuration names it"),
        ("up", "`model.upscaler` of the configuration names it"),
        ("kept", "`loras.ink` of the configuration names it"),
        ("starter", "starter is built in and stays"),
        ("none", "there is no model `none` in models; there are free, half, kept, link, up, used"),
        ("../outside", "cannot be a model's name"),
        ("..", "cannot be a model's name"),
    ] {
        let ran = run(root.path(), &["remove", "--yes", name]).await;
        assert!(ran.code == Some(1) && ran.err.contains(expected), "{name}: {}", ran.err);
    }
    for name in ["half", "link.safetensors", "free"] {
        let ran = run(root.path(), &["remove", "--yes", name]).await;
        assert_eq!(ran.code, Some(0), "{}", ran.err);
    }
    assert_eq!(run(root.path(), &["remove", "--yes", "--force", "used"]).await.code, Some(0));
    let mut left: Vec<_> = fs::read_dir(&models).expect("a folder").flatten().map(|entry| entry.file_name()).collect();
    left.sort();
    assert_eq!(left, ["kept.safetensors", "up.safetensors"]);
    assert!(root.path().join("outside.safetensors").is_file(), "a link is removed, not what it leads to");
}

#[tokio::test]
async fn inspect_says_what_a_file_is() {
    let root = root();
    let put = |name: &str, bytes: &[u8]| fs::write(root.path().join(name), bytes).expect("a file");
    let module = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k";
    let (down, up) = (format!("{module}.lora_down.weight"), format!("{module}.lora_up.weight"));
    let notes = json!({ "ss_network_dim": "4", "title": "evil \u{1b}[2J title" });
    put("style.safetensors", &safetensors(&[(&down, &[4, 768]), (&up, &[320, 4])], notes));
    let ran = run(root.path(), &["inspect", "style.safetensors", "--hash"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let lines: Vec<Vec<_>> = ran.out.lines().map(|line| line.split_whitespace().collect()).collect();
    let row = |label: &str| lines.iter().find(|words| words.first() == Some(&label)).map(|words| words[1..].join(" ")).unwrap_or_default();
    assert_eq!((row("kind"), row("parameters"), row("types")), ("a LoRA".into(), "4352".into(), "f16".into()), "{}", ran.out);
    assert!(row("family").contains('1'), "{}", ran.out);
    assert_eq!(row("sha256"), hex(&fs::read(root.path().join("style.safetensors")).expect("the file")));
    assert_eq!((row("ss_network_dim"), row("title")), ("4".into(), "evil [2J title".into()));
    assert!(ran.out.ends_with("draw with it: atelier imagine \"a fox\" --lora style.safetensors:1\n"), "{}", ran.out);

    put("old.ckpt", b"PK\x03\x04");
    put("hidden.safetensors", b"PK\x03\x04 pickle");
    put("model.gguf", b"GGUF");
    put("cut.safetensors", &safetensors(&[("a", &[9])], json!({}))[..60]);
    fs::create_dir(root.path().join("empty")).expect("a folder");
    for (name, expected) in [
        ("old.ckpt", "is a pickle, which can run code when it is read, so it is refused; convert it to .safetensors"),
        ("hidden.safetensors", "is a pickle"),
        ("model.gguf", "is a GGUF file"),
        ("cut.safetensors", "cut off"),
        ("empty", "model_index.json"),
        ("none.safetensors", "there is no file, folder or pulled model `none.safetensors`; `atelier models list` shows those in"),
    ] {
        let ran = run(root.path(), &["inspect", name]).await;
        assert!(ran.code == Some(1) && ran.err.contains(expected) && ran.err.lines().count() == 1, "{name}: {}", ran.err);
        assert_eq!(ran.out, "");
    }
}
