//! `atelier imagine`, run as a person runs it, with the built-in model.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

/// Runs in an empty folder, so that nothing is found by the working directory.
fn atelier(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_atelier"));
    command.current_dir(folder).args(args).env_remove("ATELIER_CONFIG").env_remove("RUST_LOG");
    command.env("XDG_CACHE_HOME", folder.join("cache"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(folder: &Path, args: &[&str]) -> Output {
    atelier(folder, args).output().expect("the program starts")
}

/// The last line of `--json`.
fn draw(folder: &Path, args: &[&str]) -> Value {
    let output = run(folder, &[&["imagine", "--json", "--steps", "2"], args].concat());
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
    serde_json::from_str(text(&output.stdout).lines().last().expect("a line")).expect("the last line is JSON")
}

fn picture(folder: &Path, path: &str) -> image::RgbImage {
    image::open(folder.join(path)).expect("a picture").into_rgb8()
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().to_owned();
    (folder, path)
}

#[test]
fn pictures_are_written_by_seed_and_reported_as_json() {
    let (_keep, folder) = folder();
    let report = draw(&folder, &["a frog", "--seed", "7", "--count", "2", "--out", "a/b"]);
    assert_eq!(report["seed"], 7);
    assert!(report["seconds"].as_f64().is_some_and(|seconds| seconds > 0.0), "{report}");
    let images = report["images"].as_array().expect("a list");
    for (image, seed) in images.iter().zip([7, 8]) {
        assert_eq!(image["path"], format!("a/b/{seed}.png"));
        assert_eq!((&image["seed"], &image["width"], &image["height"]), (&seed.into(), &64.into(), &64.into()));
        assert_eq!(picture(&folder, &format!("a/b/{seed}.png")).dimensions(), (64, 64));
    }
    assert_eq!(images.len(), 2);
    assert!(picture(&folder, "a/b/7.png") != picture(&folder, "a/b/8.png"));

    draw(&folder, &["a frog", "--seed", "8", "--count", "1", "--out", "alone"]);
    assert!(picture(&folder, "alone/8.png") == picture(&folder, "a/b/8.png"), "a picture can be made again alone");
}

#[test]
fn without_json_the_paths_and_the_seed_are_shown() {
    let (_keep, folder) = folder();
    let output = run(&folder, &["imagine", "a frog", "--steps", "1", "--count", "1"]);
    let shown = String::from_utf8(output.stdout).expect("UTF-8");
    let file = std::fs::read_dir(folder.join("out")).expect("the default folder").next().expect("a file").expect("a file").file_name();
    let seed = file.to_str().and_then(|name| name.strip_suffix(".png")).expect("a seed");
    assert!(seed.parse::<u64>().is_ok());
    assert!(shown.contains(&format!("out/{seed}.png  64×64  seed {seed}\n")) && shown.contains(&format!("`--seed {seed}`")), "{shown}");
    assert_eq!(String::from_utf8(output.stderr).expect("UTF-8"), "", "no progress bar outside a terminal");
}

#[test]
fn what_the_network_predicts_can_be_said() {
    let (_keep, folder) = folder();
    let drawn = |name: &str, more: &[&str]| {
        draw(&folder, &[&["a frog", "--seed", "7", "--count", "1", "--out", name], more].concat());
        picture(&folder, &format!("{name}/7.png"))
    };
    let own = drawn("own", &[]);
    assert!(drawn("v", &["--prediction", "v"]) == own, "the built-in model predicts the velocity");
    assert!(drawn("epsilon", &["--prediction", "epsilon"]) != own);
    let starter = atelier::models::starter().expect("the starter").model;
    std::fs::write(folder.join("atelier.toml"), format!("[aliases.other]\npath = {starter:?}\nprediction = \"epsilon\"")).expect("a file");
    assert!(
        drawn("alias", &["--model", "other", "--guidance", "4"]) == drawn("epsilon-4", &["--prediction", "epsilon", "--guidance", "4"])
    );
}

#[test]
fn the_largest_seed_is_followed_by_zero() {
    let (_keep, folder) = folder();
    let report = draw(&folder, &["a frog", "--seed", "18446744073709551615", "--count", "2"]);
    assert_eq!(report["images"][0]["seed"], u64::MAX);
    assert_eq!(report["images"][1]["path"], "out/0.png");
}

#[test]
fn parameters_in_the_prompt_are_read_unless_it_is_literal() {
    let (_keep, folder) = folder();
    let prompt = "a frog --ar 3:2 --seed 9 --images 1";
    for more in [&[][..], &["--parse"], &["--seed", "9"], &["--no", "text"]] {
        let report = draw(&folder, &[&[prompt], more].concat());
        assert_eq!((&report["seed"], report["images"].as_array().map(Vec::len)), (&9.into(), Some(1)), "{more:?}");
        assert_eq!((&report["images"][0]["width"], &report["images"][0]["height"]), (&80.into(), &48.into()), "{more:?}");
    }
    let report = draw(&folder, &[prompt, "--literal", "--seed", "5", "--count", "1"]);
    assert_eq!((&report["seed"], &report["images"][0]["width"]), (&5.into(), &64.into()));
    let again = draw(&folder, &["a frog --cfg 3", "--from", "out/9.png", "--out", "again"]);
    assert_eq!(
        (&again["seed"], &again["images"][0]["width"]),
        (&9.into(), &80.into()),
        "what the new prompt does not say is the picture's"
    );
}

#[test]
fn a_start_picture_is_changed_and_kept_in_shape() {
    let (_keep, folder) = folder();
    image::RgbImage::from_pixel(200, 100, image::Rgb([250, 40, 40])).save(folder.join("red.png")).expect("a picture");
    let red = draw(&folder, &["a frog", "--seed", "3", "--count", "1", "--init", "red.png", "--strength", "0.5", "--out", "red"]);
    assert_eq!((&red["images"][0]["width"], &red["images"][0]["height"]), (&96.into(), &48.into()));
    draw(&folder, &["a frog", "--seed", "3", "--count", "1", "--width", "96", "--height", "48", "--out", "none"]);
    assert!(picture(&folder, "red/3.png") != picture(&folder, "none/3.png"));
}

#[test]
fn upscaled_pictures_are_four_times_as_large() {
    let (_keep, folder) = folder();
    let report = draw(&folder, &["a frog", "--seed", "3", "--count", "2", "--upscale"]);
    for (index, seed) in [3, 4].into_iter().enumerate() {
        assert_eq!((&report["images"][index]["seed"], &report["images"][index]["width"]), (&seed.into(), &256.into()));
        assert_eq!(picture(&folder, &format!("out/{seed}.png")).dimensions(), (256, 256));
    }
}

/// A PNG file that declares three thousand megapixels and has none.
fn bomb() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = png::Encoder::new(&mut bytes, 60_000, 50_000).write_header().expect("a header");
    writer.write_chunk(png::chunk::IDAT, &[0]).expect("a chunk");
    drop(writer);
    bytes
}

#[test]
fn wrong_usage_is_exit_code_2() {
    let (_keep, folder) = folder();
    for (args, expected) in [
        (&["--count", "17"][..], "17 is not in 1..=16"),
        (&["--steps", "0"], "0 is not in 1..=1000"),
        (&["--guidance", "NaN"], "the guidance must be a number from 0 to 30"),
        (&["--seed", "-1"], "-1"),
        (&["--seed", "18446744073709551616"], "too large"),
        (&["--sampler", "eular"], "the sampler must be d"),
        (&["--schedule", "x"], "the schedule must be normal"),
        (&["--strength", "0.5"], "--init"),
        (&["--init", "a.png", "--strength", "1.1"], "the strength must be a number above 0 and at most 1"),
        (&["--device", "gpu"], "the device must be cpu or cuda:N"),
        (&["--dtype", "f64"], "the precision must be f32, bf16 or f16"),
        (&["--mask", "a.png"], "--init"),
        (&["--guidance-rescale", "1.1"], "it must be a number from 0 to 1"),
        (&["--guidance-interval", "0.5:0.5"], "it must be two numbers from 0 to 1, the smaller first"),
        (&["--hires", "1"], "the enlargement must be a number above 1 and at most 4"),
        (&["--hires-upscaler", "lanczos"], "it must be latent or network"),
        (&["--clip-skip", "13"], "13 is not in 0..=12"),
    ] {
        let output = run(&folder, &[&["imagine", "a frog"], args].concat());
        let said = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(expected) && output.stdout.is_empty(), "{args:?}: {said}");
    }
}

#[test]
fn what_cannot_be_drawn_is_one_sentence_and_exit_code_1() {
    let (_keep, folder) = folder();
    std::fs::write(folder.join("notes.png"), "not a picture").expect("a file");
    std::fs::write(folder.join("file"), "").expect("a file");
    std::fs::write(folder.join("bomb.png"), bomb()).expect("a file");
    for (name, side) in [("grey", 32), ("small", 16)] {
        image::RgbImage::from_pixel(side, side, image::Rgb([128; 3])).save(folder.join(format!("{name}.png"))).expect("a picture");
    }
    for (args, expected) in [
        (&["--model", "/nowhere"][..], "/nowhere"),
        (&["--model", "dreamy"], "there is no model `dreamy`: no file or folder has that path, and the names are starter"),
        (&["--lora", "ink:0.5"], "there is no LoRA `ink`: no file has that path, and there are no names"),
        (&["--lora", "./ink.safetensors"], "there is no LoRA at ./ink.safetensors"),
        (&["--vae", "vae.safetensors"], "there is no VAE at vae.safetensors"),
        (&["--embedding", "hands.pt"], "there is no embedding at hands.pt"),
        (&["--hires-steps", "3"], "--hires-strength, --hires-steps and --hires-upscaler go with --hires"),
        (&["--init", "bomb.png"], "cannot read the picture bomb.png: 60000×50000 are more than 64 megapixels"),
        (&["--init", "grey.png", "--mask", "bomb.png"], "cannot read the picture bomb.png: 60000×50000"),
        (
            &["--init", "grey.png", "--mask", "small.png", "--width", "64", "--height", "64"],
            "the mask has 16×16 pixels; it must have as many as the start picture, 32×32, or as is drawn, 64×64",
        ),
        (&["--config", "/nowhere.toml"], "cannot read the configuration /nowhere.toml: No such file"),
        (&["--width", "65"], "65×64"),
        (&["--init", "missing.png"], "cannot read the picture missing.png: No such file"),
        (&["--init", "notes.png"], "cannot read the picture notes.png: "),
        (&["--out", "file/x"], "cannot make the folder file/x: Not a directory"),
    ] {
        let output = run(&folder, &[&["imagine", "a frog", "--steps", "1"], args].concat());
        let said = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        assert!(said.starts_with("atelier: ") && said.lines().count() == 1 && said.contains(expected), "{args:?}: {said}");
        assert!(output.stdout.is_empty());
    }
    let output = run(&folder, &["imagine", "a frog --ar 0:2"]);
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!((output.status.code(), said.as_str()), (Some(1), "atelier: `--ar 0:2`: both sides must be at least 1.\n"));
    let output = run(&folder, &["imagine", "a frog --seed 5", "--seed", "6"]);
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(said.contains("`--seed 5` and `--seed 6` contradict each other"), "{said}");
}

#[test]
fn ctrl_c_stops_and_says_what_is_finished() {
    let (_keep, folder) = folder();
    let child = atelier(&folder, &["imagine", "a frog", "--steps", "150", "--count", "16"]).spawn().expect("the program starts");
    // The folder is made just before the first step, when the signal is long listened for.
    let deadline = Instant::now() + Duration::from_secs(60);
    while !folder.join("out").exists() {
        assert!(Instant::now() < deadline, "it never came to draw");
        std::thread::yield_now();
    }
    let is_sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill is there").success();
    assert!(is_sent);
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(130), "{said}");
    let is_stopped = said.contains("stopped; ") && said.contains(" of 16 pictures were finished") && !said.contains("16 of 16");
    assert!(is_stopped, "{said}");
}

/// A LoRA that changes a layer of the starter model and one that it does not have.
fn write_lora(path: &Path) {
    let layer = "text_encoders.clip_l.transformer.text_model.encoder.layers";
    let (mut header, mut end) = (serde_json::Map::new(), 0);
    for name in [format!("{layer}.0.mlp.fc1"), format!("{layer}.99.mlp.fc1")] {
        for (kind, shape) in
            [("lora_down", [1, width("config.json", "hidden_size")]), ("lora_up", [width("config.json", "intermediate_size"), 1])]
        {
            let length = 4 * shape[0] * shape[1];
            let tensor = serde_json::json!({"dtype": "F32", "shape": shape, "data_offsets": [end, end + length]});
            header.insert(format!("{name}.{kind}.weight"), tensor);
            end += length;
        }
    }
    let header = Value::Object(header).to_string();
    let numbers = (0..end / 4).flat_map(|_| 0.2f32.to_le_bytes());
    let file: Vec<u8> = (header.len() as u64).to_le_bytes().into_iter().chain(header.bytes()).chain(numbers).collect();
    std::fs::write(path, file).expect("a file");
}

/// A number in the configuration of the starter's text encoder.
fn width(file: &str, key: &str) -> u64 {
    let path = atelier::models::starter().expect("the starter").model.join("text_encoder").join(file);
    let config: Value = serde_json::from_str(&std::fs::read_to_string(path).expect("a configuration")).expect("JSON");
    config[key].as_u64().expect("a number")
}

#[test]
fn what_was_not_done_is_told_beside_the_pictures() {
    let (_keep, folder) = folder();
    write_lora(&folder.join("ink.safetensors"));
    let args = [
        "imagine",
        "a [red:green:0.5] frog",
        "--negative",
        "x AND y",
        "--steps",
        "1",
        "--count",
        "1",
        "--seed",
        "3",
        "--lora",
        "ink.safetensors",
    ];
    let sentences = [
        "Without a meaning here and drawn as words in the prompt: `[red:green:0.5]`.",
        "Without a meaning here and drawn as words in the negative prompt: `AND`.",
        "LoRA `ink`: only 1 of its 2 parts fit this model; the others did nothing.",
    ];
    let told = |args: &[&str]| {
        let output = run(&folder, args);
        let said = String::from_utf8(output.stderr).expect("UTF-8");
        assert!(output.status.success(), "{said}");
        let lines = said.lines().filter_map(|line| line.strip_prefix("atelier: ")).map(str::to_owned).collect::<Vec<_>>();
        (lines, String::from_utf8(output.stdout).expect("UTF-8"))
    };
    assert_eq!(told(&args).0, sentences);
    let (lines, json) = told(&[&args[..], &["--json"]].concat());
    let report: Value = serde_json::from_str(json.lines().last().expect("a line")).expect("JSON");
    assert_eq!((lines, &report["notes"]), (sentences.map(str::to_owned).to_vec(), &serde_json::json!(sentences)));
    assert_eq!(
        told(&["imagine", "--from", "out/3.png", "--out", "again", "--lora", "ink.safetensors"]).0,
        sentences,
        "also of a picture's own prompt"
    );
    assert_eq!(draw(&folder, &["a (frog:1.2)", "--count", "1"])["notes"], serde_json::json!([]));
}

#[test]
fn the_large_picture_is_written_beside_the_drawn_one_which_stays_as_it_is() {
    let (_keep, folder) = folder();
    let small = draw(&folder, &["a frog", "--seed", "3", "--count", "2", "--out", "small"]);
    let both = draw(&folder, &["a frog", "--seed", "3", "--count", "2", "--out", "both", "--enlarge"]);
    draw(&folder, &["a frog", "--seed", "3", "--count", "2", "--out", "upscaled", "--upscale"]);
    let bytes = |path: &str| std::fs::read(folder.join(path)).expect("a file");
    for (index, seed) in [3, 4].into_iter().enumerate() {
        assert!(bytes(&format!("both/{seed}.png")) == bytes(&format!("small/{seed}.png")), "to the bit, with its metadata");
        assert!(bytes(&format!("both/{seed}-large.png")) == bytes(&format!("upscaled/{seed}.png")));
        let large = serde_json::json!({ "path": format!("both/{seed}-large.png"), "width": 256, "height": 256 });
        assert_eq!((&both["images"][index]["width"], &both["images"][index]["large"]), (&64.into(), &large));
        assert_eq!(small["images"][index].get("large"), None);
    }
    draw(&folder, &["--from", "both/4-large.png", "--enlarge", "--out", "again"]);
    for name in ["4.png", "4-large.png"] {
        assert!(picture(&folder, &format!("again/{name}")) == picture(&folder, &format!("both/{name}")), "{name} is drawn again");
    }
}
