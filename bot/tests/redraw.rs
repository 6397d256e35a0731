//! `atelier imagine --from`: a picture is drawn again by what its file says.

use std::{
    io::Cursor,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use atelier::pictures::metadata::{self, Found, Record};
use image::RgbImage;
use serde_json::Value;

/// A folder for pictures and one for the program's own cache.
struct Desk {
    _keep: tempfile::TempDir,
    folder: PathBuf,
}

impl Desk {
    fn new() -> Self {
        let keep = tempfile::tempdir().expect("a temporary folder");
        Self { folder: keep.path().to_owned(), _keep: keep }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_atelier"));
        command.current_dir(&self.folder).arg("imagine").args(args).env_remove("ATELIER_CONFIG").env_remove("RUST_LOG");
        command.env("XDG_CACHE_HOME", self.folder.join("cache")).stdin(Stdio::null());
        command
    }

    /// The report of `--json`, and what is said beside it.
    #[track_caller]
    fn draw(&self, args: &[&str]) -> (Value, String) {
        let output = self.command(args).arg("--json").output().expect("the program starts");
        let said = String::from_utf8(output.stderr).expect("UTF-8");
        assert!(output.status.success(), "{args:?}: {said}");
        let report = String::from_utf8(output.stdout).expect("UTF-8");
        (serde_json::from_str(report.lines().last().expect("a line")).expect("JSON"), said)
    }

    #[track_caller]
    fn refused(&self, args: &[&str], expected: &str) {
        let output = self.command(args).output().expect("the program starts");
        let said = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        assert!(said.lines().count() == 1 && said.contains(expected), "{args:?}: {said}");
    }

    fn picture(&self, path: &str) -> RgbImage {
        image::open(self.folder.join(path)).expect("a picture").into_rgb8()
    }

    fn record(&self, path: &str) -> Record {
        let bytes = std::fs::read(self.folder.join(path)).expect("a file");
        match metadata::read(Cursor::new(bytes)).expect("a PNG file") {
            Found::Record(record) => *record,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn the_third_picture_of_a_job_is_drawn_again_alone_to_the_bit() {
    let desk = Desk::new();
    let options =
        ["--steps", "3", "--sampler", "euler_a", "--schedule", "karras", "--guidance", "3.3", "--negative", "", "--clip-skip", "1"];
    desk.draw(&[&["a 🐸 frog, \"big\"", "--seed", "40", "--count", "3"], &options[..]].concat());
    let record = desk.record("out/42.png");
    let base = record.task.base().expect("it draws");
    assert_eq!((record.index, base.n_images, base.seed.0, base.negative_prompt.as_deref()), (Some(2), 3, 40, Some("")));
    assert_eq!((record.origin.device.as_str(), record.origin.dtype.as_str()), ("cpu", "f32"));

    let (report, said) = desk.draw(&["--from", "out/42.png", "--out", "again"]);
    assert_eq!((&report["seed"], report["images"].as_array().map(Vec::len), said.as_str()), (&42.into(), Some(1), ""));
    assert!(desk.picture("again/42.png") == desk.picture("out/42.png"));
    let (report, _) = desk.draw(&["--from", "again/42.png", "--seed", "40", "--count", "2", "--out", "others"]);
    assert_eq!(report["images"].as_array().map(Vec::len), Some(2));
    assert!(desk.picture("others/41.png") == desk.picture("out/41.png"), "options override");
    desk.draw(&["a robot", "--from", "out/42.png", "--out", "robot"]);
    assert!(desk.picture("robot/42.png") != desk.picture("out/42.png"));
    assert_eq!(desk.record("robot/42.png").task.base().map(|base| base.prompt.as_str()), Some("a robot"));
}

#[test]
fn the_usual_sampler_draws_unless_somebody_chose_another() {
    let desk = Desk::new();
    let drawn = |args: &[&str]| {
        desk.draw(&[&["a frog", "--seed", "7", "--count", "1", "--steps", "1"], args].concat());
        desk.record("out/7.png").task.base().map(|base| (base.sampler.name(), base.schedule.name()))
    };
    assert_eq!(drawn(&[]), Some(("dpmpp_2m", "normal")), "as the bot draws the built-in model");
    std::fs::write(desk.folder.join("atelier.toml"), "[defaults]\nsampler = \"euler\"\nschedule = \"karras\"").expect("a file");
    assert_eq!(drawn(&[]), Some(("euler", "karras")));
    assert_eq!(drawn(&["--sampler", "euler_a", "--schedule", "normal"]), Some(("euler_a", "normal")));
}

#[test]
fn a_model_is_found_again_by_its_weights() {
    let desk = Desk::new();
    std::os::unix::fs::symlink(atelier::models::starter().expect("the starter").model, desk.folder.join("mine")).expect("a link");
    desk.draw(&["a frog", "--model", "mine", "--seed", "7", "--count", "1", "--steps", "2"]);
    let elsewhere = desk.folder.join("else");
    std::fs::create_dir(&elsewhere).expect("a folder");
    let picture = desk.folder.join("out/7.png");
    let from = ["--from", picture.to_str().expect("UTF-8"), "--out", "again"];
    let output = desk.command(&from).current_dir(&elsewhere).output().expect("the program starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(desk.picture("else/again/7.png") == desk.picture("out/7.png"));
    assert_eq!(desk.record("else/again/7.png").task.base().and_then(|base| base.model.as_deref()), Some("mine"));
    let words = std::fs::read(&picture).expect("a file");
    let path = Path::new("starter/model").to_str().expect("UTF-8").as_bytes();
    assert!(!words.windows(path.len()).any(|window| window == path), "a file does not tell where things are");

    std::fs::remove_dir_all(desk.folder.join("cache")).expect("the cache is there");
    desk.refused(&from, "was drawn with the model `mine` (hash ");
    desk.refused(&from, "name its path with --model");
    let (_, said) = desk.draw(&[&from[..], &["--model", "mine"]].concat());
    assert_eq!(said, "");
    assert!(desk.picture("again/7.png") == desk.picture("out/7.png"));
}

/// A LoRA of rank 1 for one layer of the starter model.
fn write_lora(path: &Path, value: f32) {
    const LAYER: &str = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q";
    let weights = atelier::models::starter().expect("the starter").model.join("unet/diffusion_pytorch_model.safetensors");
    let bytes = std::fs::read(weights).expect("the starter's weights");
    let length = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes")) as usize;
    let header: Value = serde_json::from_slice(&bytes[8..8 + length]).expect("a header");
    let shape = &header[format!("{LAYER}.weight")]["shape"];
    let (n_out, n_in) = (shape[0].as_u64().expect("a size"), shape[1].as_u64().expect("a size"));
    let name = format!("lora_unet_{}", LAYER.replace('.', "_"));
    let header = serde_json::json!({
        format!("{name}.lora_down.weight"): {"dtype": "F32", "shape": [1, n_in], "data_offsets": [0, 4 * n_in]},
        format!("{name}.lora_up.weight"): {"dtype": "F32", "shape": [n_out, 1], "data_offsets": [4 * n_in, 4 * (n_in + n_out)]},
        format!("{name}.alpha"): {"dtype": "F32", "shape": [], "data_offsets": [4 * (n_in + n_out), 4 * (n_in + n_out) + 4]},
    })
    .to_string();
    let numbers = std::iter::repeat_n(value, (n_in + n_out) as usize).chain([1.0]).flat_map(f32::to_le_bytes);
    let file: Vec<u8> = (header.len() as u64).to_le_bytes().into_iter().chain(header.bytes()).chain(numbers).collect();
    std::fs::write(path, file).expect("a file");
}

#[test]
fn a_picture_with_a_lora_is_drawn_again_while_the_file_is_there() {
    let desk = Desk::new();
    write_lora(&desk.folder.join("ink.safetensors"), 0.3);
    let frog = ["--seed", "7", "--count", "1", "--steps", "2"];
    desk.draw(&[&["a frog", "--out", "plain"], &frog[..]].concat());
    desk.draw(&[&["a frog", "--lora", "ink.safetensors:0.8"], &frog[..]].concat());
    assert!(desk.picture("out/7.png") != desk.picture("plain/7.png"), "it changes the picture");
    desk.draw(&[&["a frog<lora:ink:0.8>", "--lora", "ink.safetensors:0", "--out", "tag"], &frog[..]].concat());
    assert!(desk.picture("tag/7.png") == desk.picture("out/7.png"), "a tag in the prompt is the same");
    desk.draw(&["--from", "out/7.png", "--out", "again"]);
    assert!(desk.picture("again/7.png") == desk.picture("out/7.png"));
    desk.draw(&["--from", "tag/7.png", "--out", "tag-again"]);
    assert!(desk.picture("tag-again/7.png") == desk.picture("out/7.png"));
    std::fs::remove_file(desk.folder.join("ink.safetensors")).expect("it is there");
    desk.refused(&["--from", "out/7.png"], "was drawn with the LoRA `ink`, which is not known here: name its file with --lora");
}

#[test]
fn what_was_drawn_from_a_picture_needs_that_picture() {
    let desk = Desk::new();
    RgbImage::from_fn(64, 64, |x, y| image::Rgb([x as u8 * 3, y as u8 * 3, 90])).save(desk.folder.join("sky.png")).expect("a picture");
    desk.draw(&["a frog", "--seed", "3", "--count", "1", "--steps", "4", "--init", "sky.png", "--strength", "0.5"]);
    let source = atelier::pictures::hashes::of_bytes(&std::fs::read(desk.folder.join("sky.png")).expect("a file"));
    assert_eq!(desk.record("out/3.png").task.source(), Some(source.as_str()));
    let sentence = format!("the picture was drawn from another picture (SHA-256 {}), which its metadata does not hold", &source[..10]);
    desk.refused(&["--from", "out/3.png"], &sentence);
    let (_, said) = desk.draw(&["--from", "out/3.png", "--init", "sky.png", "--out", "again"]);
    assert_eq!(said, "");
    assert!(desk.picture("again/3.png") == desk.picture("out/3.png"));
    RgbImage::new(64, 64).save(desk.folder.join("night.png")).expect("a picture");
    let (_, said) = desk.draw(&["--from", "out/3.png", "--init", "night.png", "--out", "night"]);
    assert!(said.contains("other than that of --init, so it will differ"), "{said}");
}

#[test]
fn enlarged_pictures_are_enlarged_again() {
    let desk = Desk::new();
    desk.draw(&["a frog", "--seed", "3", "--count", "1", "--steps", "2", "--upscale"]);
    desk.draw(&["--from", "out/3.png", "--out", "again"]);
    assert_eq!(desk.picture("again/3.png").dimensions(), (256, 256));
    assert!(desk.picture("again/3.png") == desk.picture("out/3.png"));
}

#[test]
fn pictures_of_other_programs_are_read_as_far_as_they_are_ours() {
    let desk = Desk::new();
    let write = |name: &str, text: Option<&str>| {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, 1, 1);
        if let Some(text) = text {
            encoder.add_text_chunk("parameters".into(), text.into()).expect("Latin-1");
        }
        encoder.write_header().and_then(|mut writer| writer.write_image_data(&[0])).expect("a picture");
        std::fs::write(desk.folder.join(name), bytes).expect("a file");
    };
    let text =
        "a frog\nNegative prompt: leaves\nSteps: 2, Sampler: DPM++ 2M Karras, CFG scale: 3, Seed: 9, Size: 64x48, Model: sd, ENSD: 31337";
    write("theirs.png", Some(text));
    write("bare.png", None);
    std::fs::write(desk.folder.join("notes.png"), "not a picture").expect("a file");
    let (report, said) = desk.draw(&["--from", "theirs.png"]);
    assert_eq!((&report["seed"], &report["images"][0]["height"]), (&9.into(), &48.into()));
    for note in ["left out: ENSD: 31337", "the model `sd` is not known here", "another program drew this picture"] {
        assert!(said.contains(note), "{said}");
    }
    let options =
        ["--negative", "leaves", "--steps", "2", "--sampler", "dpmpp_2m", "--schedule", "karras", "--guidance", "3", "--seed", "9"];
    desk.draw(&[&["a frog", "--count", "1", "--width", "64", "--height", "48", "--out", "same"], &options[..]].concat());
    assert!(desk.picture("same/9.png") == desk.picture("out/9.png"));
    desk.refused(&["--from", "bare.png"], "bare.png says nothing of how it was drawn: it has no metadata of Atelier or A1111");
    desk.refused(&["--from", "notes.png"], "cannot read the metadata of notes.png: it is not a PNG, JPEG or WebP file");
    desk.refused(&["--from", "gone.png"], "cannot read the picture gone.png: No such file");
}
