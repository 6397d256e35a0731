//! `atelier imagine` beside diffusers: every family, sampler, schedule and option once, with tiny models, as a person runs it.
//!
//! The cases, the models' recipes and the pictures are made by `tools/reference/families.py`. All cases are run by the engine's own tests
//! (`inference/src/trajectory/tests/families.rs`); here are those that show the program something new, and each single file.
//! `PARITY_ONLY=sd2/` runs all cases with that in their names, `PARITY_ONLY=/` every one.

mod single_file;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use image::RgbImage;
use serde::Deserialize;
use serde_json::Value;

use crate::family_models as models;

/// Least likeness to diffusers' picture in decibels. One step of 256 in every pixel is 48.
const LEAST_PSNR: f64 = 45.0;

#[derive(Deserialize)]
struct Cases {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    id: String,
    model: String,
    args: Vec<String>,
    /// Left, top, width and height of each picture in the sheet of the case's family.
    pictures: Vec<[u32; 4]>,
}

impl Case {
    fn family(&self) -> &str {
        self.model.trim_end_matches(".safetensors")
    }

    /// What the case says to the program: its model, each option, and each sampler, schedule and file.
    fn words(&self) -> Vec<String> {
        let options = self.args[1..].iter().filter(|arg| arg.parse::<f64>().is_err()).cloned();
        options.chain([self.model.clone()]).collect()
    }
}

struct Setting {
    data: PathBuf,
    work: PathBuf,
    sheets: BTreeMap<String, RgbImage>,
}

#[test]
fn pictures_are_those_of_diffusers() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../inference/tests/data/families");
    let cases = fs::read_to_string(data.join("cases.json")).expect("the cases");
    let mut cases = serde_json::from_str::<Cases>(&cases).expect("a list of cases").cases;
    if let Ok(only) = std::env::var("PARITY_ONLY") {
        cases.retain(|case| case.id.contains(&only));
    } else {
        let mut seen = BTreeSet::new();
        // Not `any`: every word of a case is seen with it.
        cases.retain(|case| case.words().into_iter().filter(|word| seen.insert(word.clone())).count() > 0);
    }
    assert!(!cases.is_empty(), "no case has that in its name");
    let work = folder.path().to_owned();
    let setting = Setting { sheets: sheets(&data, &cases), data, work };
    let parts = models::write_all(&setting.data, &setting.work);
    single_file::write_all(&setting.data, &setting.work, &parts);
    drop(parts);

    let (next, results) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let n_workers = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..n_workers {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let likeness = likeness(&setting, case);
                    results.lock().expect("no worker panics").push((case.id.as_str(), likeness));
                }
            });
        }
    });
    let mut results = results.into_inner().expect("no worker panics");
    results.sort_by_key(|(id, _)| *id);
    let mut wrong = String::new();
    let mut lowest = f64::INFINITY;
    for (id, likeness) in &results {
        match likeness {
            Ok(likeness) if *likeness >= LEAST_PSNR => lowest = lowest.min(*likeness),
            Ok(likeness) => writeln!(wrong, "  {id}: {likeness:.1} dB").expect("a string takes all"),
            Err(reason) => writeln!(wrong, "  {id}: {reason}").expect("a string takes all"),
        }
    }
    let n_wrong = wrong.lines().count();
    assert!(n_wrong == 0, "{n_wrong} of {} cases are not as diffusers draws them ({LEAST_PSNR} dB):\n{wrong}", results.len());
    eprintln!("{} cases, the least alike {lowest:.1} dB", results.len());
}

fn sheets(data: &Path, cases: &[Case]) -> BTreeMap<String, RgbImage> {
    let mut sheets = BTreeMap::new();
    for case in cases {
        sheets.entry(case.family().to_owned()).or_insert_with(|| {
            image::open(data.join(format!("pictures/{}.png", case.family()))).expect("the family's pictures").into_rgb8()
        });
    }
    sheets
}

/// The least PSNR of a case's pictures, or why there are none.
fn likeness(setting: &Setting, case: &Case) -> Result<f64, String> {
    let name = case.id.replace('/', "_");
    let out = setting.work.join("out").join(&name);
    let output = command(setting, case, &out).output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(said.lines().next().unwrap_or("it says nothing").to_owned());
    }
    let printed = String::from_utf8_lossy(&output.stdout);
    let report: Value = printed.lines().last().and_then(|line| serde_json::from_str(line).ok()).ok_or("the last line is not JSON")?;
    let images = report["images"].as_array().ok_or("no list of pictures")?;
    if images.len() != case.pictures.len() {
        return Err(format!("{} pictures instead of {}", images.len(), case.pictures.len()));
    }
    let mut least = f64::INFINITY;
    for (image, [left, top, width, height]) in images.iter().zip(&case.pictures) {
        let path = image["path"].as_str().ok_or("a picture without a path")?;
        let drawn = image::open(path).map_err(|error| error.to_string())?.into_rgb8();
        let expected = image::imageops::crop_imm(&setting.sheets[case.family()], *left, *top, *width, *height).to_image();
        if drawn.dimensions() != expected.dimensions() {
            return Err(format!("{:?} pixels instead of {:?}", drawn.dimensions(), expected.dimensions()));
        }
        least = least.min(psnr(&drawn, &expected));
    }
    Ok(least)
}

/// The case's command line. Two of its arguments are keys of the configuration: `--embedding FILE` and `--vae FILE`.
fn command(setting: &Setting, case: &Case, out: &Path) -> Command {
    let mut model = setting.work.join("models").join(case.family());
    if case.model.ends_with(".safetensors") {
        model = setting.work.join("single").join(case.family()).join(&case.model);
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_atelier"));
    let mut config = String::new();
    let mut model = model.to_string_lossy().into_owned();
    let mut args = Vec::new();
    let mut rest = case.args.iter();
    while let Some(arg) = rest.next() {
        let mut file = || placed(setting, rest.next().expect("a file follows"));
        if arg == "--embedding" {
            let path = file();
            let word = Path::new(&path).file_stem().expect("a file's name").to_string_lossy().into_owned();
            writeln!(config, "[embeddings]\n{word:?} = {path:?}").expect("a string takes all");
        } else if arg == "--vae" {
            writeln!(config, "[aliases.other]\npath = {model:?}\nvae = {:?}", file()).expect("a string takes all");
            model = "other".to_owned();
        } else {
            args.push(placed(setting, arg));
        }
    }
    if !config.is_empty() {
        let path = setting.work.join(case.id.replace('/', "_") + ".toml");
        fs::write(&path, config).expect("a configuration");
        command.arg("--config").arg(path);
    }
    command.arg("imagine").args(args).args(["--model", &model, "--json", "--out"]).arg(out);
    // Many run at the same time, each on one thread, and none sees the files of who runs the tests.
    command.current_dir(&setting.work).env("HOME", &setting.work).env("RAYON_NUM_THREADS", "1");
    for variable in ["ATELIER_CONFIG", "RUST_LOG", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"] {
        command.env_remove(variable);
    }
    command.stdin(Stdio::null());
    command
}

/// An argument with the file that it names: `@` stands for the data's folder, `%` for that of the models.
fn placed(setting: &Setting, arg: &str) -> String {
    let in_folder = |folder: &Path, name: &str| folder.join(name).to_string_lossy().into_owned();
    match (arg.strip_prefix('@'), arg.strip_prefix('%')) {
        (Some(name), _) => in_folder(&setting.data, name),
        (_, Some(name)) => in_folder(&setting.work.join("models"), name),
        _ => arg.to_owned(),
    }
}

fn psnr(a: &RgbImage, b: &RgbImage) -> f64 {
    let squares: f64 = a.as_raw().iter().zip(b.as_raw()).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
    let error = squares / a.as_raw().len() as f64;
    10.0 * (255.0_f64.powi(2) / error).log10()
}
