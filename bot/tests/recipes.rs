//! `atelier imagine --from` with pictures of other programs, and samplers, seeds and start pictures as people have them.

use std::{
    io::Cursor,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use image::{ImageEncoder, RgbImage, codecs::jpeg::JpegEncoder, codecs::webp::WebPEncoder};

/// A folder with the program's own cache and the recipes of `tests/data/recipes`.
struct Desk {
    _keep: tempfile::TempDir,
    folder: PathBuf,
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

impl Desk {
    fn new() -> Self {
        let keep = tempfile::tempdir().expect("a temporary folder");
        for entry in std::fs::read_dir(data("recipes")).expect("the recipes") {
            let entry = entry.expect("an entry");
            std::fs::copy(entry.path(), keep.path().join(entry.file_name())).expect("a copy");
        }
        Self { folder: keep.path().to_owned(), _keep: keep }
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_atelier"));
        command.current_dir(&self.folder).arg("imagine").args(args).env_remove("ATELIER_CONFIG").env_remove("RUST_LOG");
        command.env("XDG_CACHE_HOME", self.folder.join("cache")).stdin(Stdio::null());
        command.output().expect("the program starts")
    }

    /// The only picture, and what is said beside it.
    #[track_caller]
    fn draw(&self, args: &[&str]) -> (RgbImage, String) {
        let _ = std::fs::remove_dir_all(self.folder.join("out"));
        let output = self.run(args);
        let said = String::from_utf8(output.stderr).expect("UTF-8");
        assert!(output.status.success(), "{args:?}: {said}");
        let pictures: Vec<_> = std::fs::read_dir(self.folder.join("out")).expect("a folder").collect();
        let [Ok(picture)] = &pictures[..] else { panic!("{args:?}: {} pictures", pictures.len()) };
        (image::open(picture.path()).expect("a picture").into_rgb8(), said)
    }

    /// One sentence and no picture.
    #[track_caller]
    fn refused(&self, args: &[&str], expected: &str) {
        let output = self.run(args);
        let said = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        assert!(said.lines().count() == 1 && said.contains(expected), "{args:?}: {said}");
    }

    fn write(&self, name: &str, text: &str) {
        self.write_chunk(name, "parameters", text);
    }

    fn write_chunk(&self, name: &str, keyword: &str, text: &str) {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, 1, 1);
        encoder.add_itxt_chunk(keyword.into(), text.into()).expect("a keyword");
        encoder.write_header().and_then(|mut writer| writer.write_image_data(&[0])).expect("a picture");
        std::fs::write(self.folder.join(name), bytes).expect("a file");
    }
}

/// What the recipes ask for, as options.
const APPLE: [&str; 11] = ["a red apple", "--steps", "6", "--sampler", "euler", "--guidance", "4", "--seed", "7", "--count", "1"];

#[test]
fn a_recipes_clip_skip_moves_both_prompts_of_a_model_with_clip_alone() {
    let desk = Desk::new();
    let options = ["--negative", "blur", "--steps", "6", "--sampler", "Euler Karras", "--guidance", "4", "--seed", "7", "--count", "1"];
    let plain = [&["a red apple on a blue background"], &options[..]].concat();
    let (without, _) = desk.draw(&plain);
    let (with, _) = desk.draw(&[&plain[..], &["--clip-skip", "1"]].concat());
    assert!(with != without);
    assert!(desk.draw(&["--from", "a1111.png"]).0 == without);
    assert!(desk.draw(&["--from", "clip2.png"]).0 == with);

    // The same network with the text encoder's activation of Stable Diffusion 2 is no CLIP of OpenAI's.
    let model = desk.folder.join("other");
    copy(&atelier::models::starter().expect("the starter").model, &model);
    let path = model.join("text_encoder/config.json");
    let config = std::fs::read_to_string(&path).expect("a file").replace("quick_gelu", "gelu");
    std::fs::remove_file(&path).expect("a file");
    std::fs::write(&path, config).expect("a file");
    let (plain, said) = desk.draw(&["--from", "a1111.png", "--model", "./other"]);
    assert!(!said.contains("Clip skip"), "{said}");
    let (skipped, said) = desk.draw(&["--from", "clip2.png", "--model", "./other"]);
    assert!(skipped == plain && said.contains("left out: Clip skip: 2, which"), "{said}");
    let (asked, said) = desk.draw(&["--from", "clip2.png", "--model", "./other", "--clip-skip", "1"]);
    assert!(asked != plain && !said.contains("Clip skip"), "{said}");
}

/// A folder with links in place of its files.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let copied = to.join(path.file_name().expect("a name"));
        if path.is_dir() { copy(&path, &copied) } else { std::os::unix::fs::symlink(path, copied).expect("a link") }
    }
}

#[test]
fn a_task_recorded_before_skips_layers_for_the_prompt_alone() {
    let desk = Desk::new();
    let skipped = [&APPLE[..], &["--negative", "blur", "--clip-skip", "1"]].concat();
    let (both, _) = desk.draw(&skipped);
    let bytes = std::fs::read(desk.folder.join("out/7.png")).expect("a file");
    let Ok(atelier::pictures::metadata::Found::Record(record)) = atelier::pictures::metadata::read(Cursor::new(&bytes)) else {
        panic!("a record")
    };
    let mut before = serde_json::to_value(&record).expect("JSON");
    before["task"].as_object_mut().expect("a task").remove("clip_skip_of").expect("new tasks say it");
    desk.write_chunk("before.png", "atelier", &before.to_string());
    let (prompt_alone, _) = desk.draw(&["--from", "before.png"]);
    assert!(prompt_alone != both);
    std::fs::copy(desk.folder.join("out/7.png"), desk.folder.join("again.png")).expect("a copy");
    assert!(desk.draw(&["--from", "again.png"]).0 == prompt_alone, "and so does what is drawn from it");
    assert!(desk.draw(&["--from", "before.png", "--clip-skip", "1"]).0 == both, "what is asked for now is meant as now");
}

#[test]
fn recipes_of_every_program_draw_what_they_say() {
    let desk = Desk::new();
    let apple = desk.draw(&APPLE).0;
    assert!(desk.draw(&["--from", "swarm.png", "--sampler", "euler"]).0 == apple);
    let (quoted, said) = desk.draw(&["--from", "quote_multi.png"]);
    assert!(quoted == apple);
    for note in ["Hashes: {\"vae\": \"735e4c3a44\", \"model\": \"e4a30e4607\"}", "Template: a {red|green} apple", "Hires prompt: x, y: z"] {
        assert!(said.contains(&format!("left out: {note}\n")), "{note}: {said}");
    }
    let fooocus = r#"{"base_model": "starter", "guidance_scale": 4.0, "metadata_scheme": "fooocus", "prompt": "a red apple",
        "resolution": "(64, 64)", "sampler": "euler", "seed": "7", "steps": 6, "styles": "['Fooocus V2']"}"#;
    desk.write("fooocus.png", fooocus);
    let (drawn, said) = desk.draw(&["--from", "fooocus.png"]);
    assert!(drawn == apple && said.contains("left out: styles: ['Fooocus V2']"), "{said}");
    let (hires, said) = desk.draw(&["--from", "hires_resize.png"]);
    assert_eq!(hires.dimensions(), (128, 128), "{said}");
    assert!(hires == desk.draw(&[&APPLE[..], &["--hires", "2", "--hires-strength", "0.5"]].concat()).0);

    for (keyword, text, program) in [
        ("parameters", r#"{"3": {"class_type": "KSampler"}}"#, "it was drawn with ComfyUI"),
        ("prompt", r#"{"3": {"class_type": "KSampler"}}"#, "it was drawn with ComfyUI"),
        ("invokeai_metadata", r#"{"positive_prompt": "a fox"}"#, "it was drawn with InvokeAI"),
        ("parameters", r#"{"text": "a fox"}"#, "its description is JSON of an unknown program"),
        ("parameters", r#"{"sui_image_params": {"prompt": "a f"#, "its description is damaged JSON"),
    ] {
        desk.write_chunk("other.png", keyword, text);
        desk.refused(&["--from", "other.png"], program);
    }
    assert!(!desk.folder.join("out/other.png").exists());
}

#[test]
fn jpeg_and_webp_files_of_a1111_are_read() {
    let desk = Desk::new();
    let apple = desk.draw(&APPLE).0;
    let text = "a red apple\nSteps: 6, Sampler: Euler, CFG scale: 4, Seed: 7, Size: 64x64, Model: starter";
    // One entry in one directory: the comment, in UTF-16 as A1111 writes it.
    let comment: Vec<u8> = b"UNICODE\0".iter().copied().chain(text.encode_utf16().flat_map(u16::to_be_bytes)).collect();
    let entry = [&b"\x92\x86\0\x07"[..], &(comment.len() as u32).to_be_bytes(), &26_u32.to_be_bytes()].concat();
    let exif = [&b"MM\0*\0\0\0\x08\0\x01"[..], &entry, &[0; 4], &comment].concat();
    let picture = RgbImage::new(8, 8);
    let mut jpeg = Vec::new();
    let mut encoder = JpegEncoder::new(&mut jpeg);
    encoder.set_exif_metadata(exif.clone()).expect("it has room");
    encoder.write_image(picture.as_raw(), 8, 8, image::ExtendedColorType::Rgb8).expect("a picture");
    let mut webp = Vec::new();
    let mut encoder = WebPEncoder::new_lossless(&mut webp);
    encoder.set_exif_metadata(exif).expect("it has room");
    encoder.write_image(picture.as_raw(), 8, 8, image::ExtendedColorType::Rgb8).expect("a picture");
    for (name, bytes) in [("theirs.jpg", jpeg), ("theirs.webp", webp)] {
        std::fs::write(desk.folder.join(name), bytes).expect("a file");
        assert!(desk.draw(&["--from", name]).0 == apple, "{name}");
    }
    picture.save(desk.folder.join("bare.jpg")).expect("a picture");
    desk.refused(&["--from", "bare.jpg"], "bare.jpg says nothing of how it was drawn");
}

#[test]
fn what_a_recipe_does_not_say_is_the_models_own() {
    let desk = Desk::new();
    desk.write("silent.png", "a red apple");
    desk.write("seed.png", "a red apple\nSteps: 2, Seed: -7");
    let config = "[defaults]\nsteps = 3\nguidance_scale = 2.0\nsampler = \"DPM++ 2M Karras\"";
    std::fs::write(desk.folder.join("atelier.toml"), config).expect("a file");
    let options = ["--steps", "3", "--guidance", "2", "--sampler", "dpmpp_2m", "--schedule", "karras", "--seed", "5", "--count", "1"];
    let (expected, _) = desk.draw(&[&["a red apple", "--width", "64", "--height", "64"], &options[..]].concat());
    assert!(desk.draw(&["--from", "silent.png", "--seed", "5"]).0 == expected);
    let seeds: Vec<_> = (0..2)
        .map(|_| {
            let (_, said) = desk.draw(&["--from", "seed.png"]);
            assert!(said.contains("left out: Seed: -7"), "{said}");
            std::fs::read_dir(desk.folder.join("out")).expect("a folder").next().expect("a file").expect("a file").file_name()
        })
        .collect();
    assert!(seeds[0] != seeds[1] && seeds[0] != "0.png", "{seeds:?}");
}

#[test]
fn a_lora_with_a_space_in_its_name_has_a_way_in() {
    let desk = Desk::new();
    let lora = desk.folder.join("my style.safetensors");
    write_lora(&lora);
    desk.refused(&["--from", "lora_space.png"], "was drawn with the LoRA `my style`, which is not known here: name its file with --lora");
    let (drawn, _) = desk.draw(&["--from", "lora_space.png", "--lora", "my style.safetensors"]);
    std::fs::copy(&lora, desk.folder.join("ink.safetensors")).expect("a copy");
    let (expected, _) = desk.draw(&[&APPLE[..], &["--lora", "ink.safetensors:0.8"]].concat());
    assert!(drawn == expected && drawn != desk.draw(&APPLE).0, "with the recipe's weight, once");
}

/// A LoRA of rank 1 for one layer of the starter model.
fn write_lora(path: &Path) {
    const LAYER: &str = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q";
    let weights = atelier::models::starter().expect("the starter").model.join("unet/diffusion_pytorch_model.safetensors");
    let bytes = std::fs::read(weights).expect("the starter's weights");
    let length = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes")) as usize;
    let header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).expect("a header");
    let side = |i: usize| header[format!("{LAYER}.weight")]["shape"][i].as_u64().expect("a size");
    let (n_out, n_in) = (side(0), side(1));
    let name = format!("lora_unet_{}", LAYER.replace('.', "_"));
    let header = serde_json::json!({
        format!("{name}.lora_down.weight"): {"dtype": "F32", "shape": [1, n_in], "data_offsets": [0, 4 * n_in]},
        format!("{name}.lora_up.weight"): {"dtype": "F32", "shape": [n_out, 1], "data_offsets": [4 * n_in, 4 * (n_in + n_out)]},
    })
    .to_string();
    let numbers = std::iter::repeat_n(0.3_f32, (n_in + n_out) as usize).flat_map(f32::to_le_bytes);
    let file: Vec<u8> = (header.len() as u64).to_le_bytes().into_iter().chain(header.bytes()).chain(numbers).collect();
    std::fs::write(path, file).expect("a file");
}

#[test]
fn start_pictures_that_cannot_be_drawn_from_are_refused() {
    let desk = Desk::new();
    let corpus = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/picture").join(name);
    for (path, expected) in [
        (data("pictures/cut.jpg"), "it is cut off: its end is missing"),
        (corpus("cut_at_scan.jpg"), "it is cut off: its end is missing"),
        (corpus("cut_off.png"), "it is cut off: its end is missing"),
        (corpus("thin.png"), "a side of 64000000×1 is longer than 16384 pixels"),
        (corpus("thin_8.png"), "a side of 8×8000000 is longer than 16384 pixels"),
        (corpus("animated.png"), "it is an animation"),
        (corpus("animated.webp"), "it is an animation"),
        (corpus("animated.gif"), "it is an animation"),
        (desk.folder.clone(), "it is no file"),
    ] {
        desk.refused(&["a frog", "--init", path.to_str().expect("UTF-8")], expected);
    }
    desk.refused(&["--from", "."], "cannot read the picture .: it is no file");
    // The longest that is read is drawn from.
    RgbImage::new(16_384, 1).save(desk.folder.join("line.png")).expect("a picture");
    let options = ["--init", "line.png", "--width", "64", "--height", "64", "--steps", "2", "--count", "1"];
    let (drawn, _) = desk.draw(&[&["a frog"], &options[..]].concat());
    assert_eq!(drawn.dimensions(), (64, 64));
}

#[test]
fn samplers_are_named_as_in_every_picture() {
    let desk = Desk::new();
    let frog = ["a frog", "--steps", "2", "--count", "1", "--seed", "9"];
    let (expected, _) = desk.draw(&[&frog[..], &["--sampler", "dpmpp_2m", "--schedule", "karras"]].concat());
    for name in ["DPM++ 2M Karras", "dpmpp_2m_karras", "DPMSolverMultistepScheduler karras", "k_dpmpp_2m Karras"] {
        assert!(desk.draw(&[&frog[..], &["--sampler", name]].concat()).0 == expected, "{name}");
    }
    let parsed = ["a frog --steps 2 --images 1 --seed 9 --sampler DPM++ 2M Karras", "--parse"];
    assert!(desk.draw(&parsed).0 == expected);
    desk.refused(
        &[&frog[..], &["--sampler", "Euler Karras", "--schedule", "beta"]].concat(),
        "names the schedule karras and `schedule` beta",
    );
}
