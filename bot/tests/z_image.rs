//! Z-Image on the command line: a folder, and single files with the other parts from elsewhere, beside diffusers' pictures of the tiny model of
//! `tools/reference/z_image.py`.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use image::RgbImage;
use serde_json::Value;

use crate::family_models::{self as models, Tensor, Tensors};

/// Least likeness to diffusers' picture in decibels.
const LEAST_PSNR: f64 = 45.0;

struct Setting {
    folder: tempfile::TempDir,
    transformer: Tensors,
}

impl Setting {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let parts = models::write_some(&data(), folder.path(), &["turbo"]);
        let transformer = models::tensors(&data(), &parts, "turbo", "transformer").clone();
        Self { folder, transformer }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn part(&self, name: &str) -> PathBuf {
        self.path("models/turbo").join(name)
    }

    /// The transformer under the names of a single file.
    fn single_file(&self, name: &str, prefix: &str) -> PathBuf {
        let names = fs::read_to_string(data().join("single_file.json")).expect("the names");
        let names: BTreeMap<String, Vec<String>> = serde_json::from_str(&names).expect("names");
        let stacked = |parts: &Vec<String>| {
            let mut shape = self.transformer[&parts[0]].shape.clone();
            shape[0] *= parts.len();
            Tensor { shape, bytes: parts.iter().flat_map(|part| self.transformer[part].bytes.clone()).collect() }
        };
        let tensors = names.iter().map(|(name, parts)| (format!("{prefix}{name}"), stacked(parts))).collect();
        models::write_tensors(&self.path(name), &tensors);
        self.path(name)
    }

    /// What `atelier` says to these words and those of the case.
    fn run(&self, case: &Case, words: &[&str], model: &Path) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_atelier"));
        command
            .args(words)
            .args(["imagine", "--literal"])
            .args(&case.args)
            .arg("--model")
            .arg(model)
            .args(["--json", "--out"])
            .arg(self.path("out"));
        command.current_dir(self.folder.path()).env("HOME", self.folder.path()).stdin(Stdio::null());
        for variable in ["ATELIER_CONFIG", "RUST_LOG", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"] {
            command.env_remove(variable);
        }
        command.output().expect("the program starts")
    }

    fn check(&self, name: &str, case: &Case, words: &[&str], model: &Path) {
        let output = self.run(case, words, model);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {said}");
        let printed = String::from_utf8_lossy(&output.stdout);
        let report: Value = serde_json::from_str(printed.lines().last().expect("a line")).expect("JSON");
        let path = report["images"][0]["path"].as_str().expect("a picture");
        let drawn = image::open(path).expect("a picture").into_rgb8();
        let likeness = psnr(&drawn, &case.picture);
        assert!(likeness >= LEAST_PSNR, "{name}: {likeness:.1} dB");
    }
}

/// The arguments of `atelier imagine` but for the model, and diffusers' picture.
struct Case {
    args: Vec<String>,
    picture: RgbImage,
}

impl Case {
    fn new(id: &str) -> Self {
        let cases: Value = serde_json::from_str(&fs::read_to_string(data().join("cases.json")).expect("the cases")).expect("JSON");
        let case = cases["cases"].as_array().expect("a list").iter().find(|case| case["id"] == id).expect(id);
        let place: Vec<u32> = serde_json::from_value(case["pictures"][0].clone()).expect("a place");
        let sheet = image::open(data().join("pictures/turbo.png")).expect("the pictures").into_rgb8();
        let picture = image::imageops::crop_imm(&sheet, place[0], place[1], place[2], place[3]).to_image();
        let args: Vec<String> = serde_json::from_value(case["args"].clone()).expect("words");
        let placed = |arg: String| arg.strip_prefix('@').map_or(arg.clone(), |name| data().join(name).display().to_string());
        Self { args: args.into_iter().map(placed).collect(), picture }
    }

    fn with(&self, more: &[&Path]) -> Self {
        let options = ["--text-encoder", "--vae", "--tokenizer"];
        let more = options.iter().zip(more).flat_map(|(option, path)| [option.to_string(), path.display().to_string()]);
        Self { args: self.args.iter().cloned().chain(more).collect(), picture: self.picture.clone() }
    }
}

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../inference/tests/data/z_image")
}

fn psnr(one: &RgbImage, other: &RgbImage) -> f64 {
    assert_eq!(one.dimensions(), other.dimensions());
    let squares: f64 = one.as_raw().iter().zip(other.as_raw()).map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2)).sum();
    10.0 * (255.0_f64.powi(2) * one.as_raw().len() as f64 / squares).log10()
}

#[test]
fn pictures_of_z_image_are_those_of_diffusers_from_every_layout() {
    let setting = Setting::new();
    for id in ["turbo/own", "turbo/negative", "turbo/image_guided", "turbo/mask"] {
        setting.check(id, &Case::new(id), &[], &setting.part(""));
    }
    let case = Case::new("turbo/guidance_1");
    let (text, vae, tokenizer) = (setting.part("text_encoder"), setting.part("vae"), setting.part("tokenizer"));
    let plain = setting.single_file("plain.safetensors", "");
    setting.check("options", &case.with(&[&text, &vae, &tokenizer]), &[], &plain);
    let prefixed = setting.single_file("prefixed.safetensors", "model.diffusion_model.");
    let config = setting.path("config.toml");
    // A folder may also be one that has the part in it.
    let keys = format!("path = {prefixed:?}\nvae = {vae:?}\ntext_encoder = {:?}\ntokenizer = {tokenizer:?}", setting.part(""));
    fs::write(&config, format!("[aliases.z]\n{keys}\n")).expect("a configuration");
    setting.check("configuration", &case, &["--config", &config.display().to_string()], Path::new("z"));
}

#[test]
fn a_transformer_alone_says_what_it_lacks() {
    let setting = Setting::new();
    let path = setting.single_file("alone.safetensors", "");
    let (text, vae, tokenizer) = (setting.part("text_encoder"), setting.part("vae"), setting.part("tokenizer"));
    let case = Case::new("turbo/1_step");
    let said = |case: &Case| {
        let output = setting.run(case, &[], &path);
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(said(&case).contains("without a folder for its text encoder"), "{}", said(&case));
    let mut some = case.with(&[&text]);
    assert!(said(&some).contains("it has no VAE"), "{}", said(&some));
    some = case.with(&[&text, &vae]);
    assert!(said(&some).contains("without a folder for its tokenizer"), "{}", said(&some));
    some = case.with(&[&text, &vae, &tokenizer]);
    setting.check("all", &some, &[], &path);
}

#[test]
fn doctor_says_whether_a_transformer_alone_is_taken_for_base_or_turbo_and_keys_decide_otherwise() {
    let setting = Setting::new();
    let (vae, parts) = (setting.part("vae"), setting.part(""));
    let config = setting.path("config.toml");
    let doctor = |name: &str, more: &str| {
        let file = setting.single_file(name, "");
        let keys = format!("path = {file:?}\nvae = {vae:?}\ntext_encoder = {parts:?}\ntokenizer = {parts:?}");
        fs::write(&config, format!("[aliases.z]\n{keys}\n{more}\n")).expect("a configuration");
        let mut command = Command::new(env!("CARGO_BIN_EXE_atelier"));
        command.arg("doctor").arg("--config").arg(&config).current_dir(setting.folder.path()).env("HOME", setting.folder.path());
        let output = command.env_remove("RUST_LOG").env_remove("DISCORD_TOKEN").stdin(Stdio::null()).output().expect("the program starts");
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    };
    for (name, more, expected) in [
        ("mine.safetensors", "", "shift 3 (a guess: neither the file nor its name says whether it is Turbo or not, and most are)"),
        ("z_image_bf16.safetensors", "", "shift 6 (the file's name)"),
        ("mine.safetensors", "shift = 6", "shift 6 (the configuration)"),
    ] {
        let said = doctor(name, more);
        assert!(said.contains(expected), "{name} {more}: {said}");
    }
    let said = doctor("mine.safetensors", "shift = 0");
    assert!(said.contains("a shift is a number above 0 and up to 100"), "{said}");
    let plain = setting.single_file("mine.safetensors", "");
    let case = Case::new("turbo/guidance_1").with(&[&setting.part("text_encoder"), &vae, &setting.part("tokenizer")]);
    let drawn = |shift: &[&str]| {
        let case = Case {
            args: case.args.iter().cloned().chain(shift.iter().map(|word| (*word).to_owned())).collect(),
            picture: case.picture.clone(),
        };
        let output = setting.run(&case, &[], &plain);
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let report: Value = serde_json::from_str(printed.lines().last().expect("a line")).expect("JSON");
        image::open(report["images"][0]["path"].as_str().expect("a picture")).expect("a picture").into_rgb8()
    };
    let (usual, turbo, base) = (drawn(&[]), drawn(&["--shift", "3"]), drawn(&["--shift", "6"]));
    assert!(usual == turbo && usual != base);
}
