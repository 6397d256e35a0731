//! Files that are broken, of another kind, too large or of another model, as a person gives them to `atelier imagine`: one sentence that names the
//! file and the reason, at once, before anything is drawn.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use crate::family_models as models;

/// Larger than what a test machine has in memory; no byte of it is on disk.
const SPARSE_BYTES: u64 = 20 << 30;

struct Setting {
    _keep: tempfile::TempDir,
    folder: PathBuf,
}

impl Setting {
    fn new() -> Self {
        let keep = tempfile::tempdir().expect("a temporary folder");
        Self { folder: keep.path().to_owned(), _keep: keep }
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.folder.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, bytes).expect("a file");
    }

    fn sparse(&self, name: &str) {
        File::create(self.folder.join(name)).and_then(|file| file.set_len(SPARSE_BYTES)).expect("a sparse file");
    }

    fn starter(&self, name: &str) -> PathBuf {
        let folder = self.folder.join(name);
        models::copy(&repository().join("models/starter/model"), &folder);
        folder
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_atelier"));
        command.current_dir(&self.folder).args(["imagine", "a frog", "--steps", "1", "--count", "1"]).args(args);
        command.env_remove("ATELIER_CONFIG").env_remove("RUST_LOG").env("XDG_CACHE_HOME", self.folder.join("cache"));
        // A person who reports a fault may have it set; what is said to them stays the same.
        command.env("RUST_BACKTRACE", "1").stdin(Stdio::null());
        command.output().expect("the program starts")
    }

    /// The sentence names all of `expected`, and nothing was drawn.
    fn refused(&self, args: &[&str], expected: &[&str]) {
        let output = self.run(args);
        let said = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        assert!(said.starts_with("atelier: ") && said.lines().count() == 1, "{args:?}: {said}");
        for expected in expected {
            assert!(said.contains(expected), "{args:?} does not say `{expected}`: {said}");
        }
        assert!(output.stdout.is_empty());
        let drawn = fs::read_dir(self.folder.join("out")).map_or(0, Iterator::count);
        assert_eq!(drawn, 0, "{args:?} drew");
    }
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn corpus(file: &str) -> Vec<u8> {
    fs::read(repository().join("fuzz/corpus").join(file)).expect("an input")
}

#[test]
fn files_of_other_kinds_are_told_by_what_they_are() {
    let setting = Setting::new();
    setting.file("model.gguf", corpus("weights/gguf"));
    setting.file("model.ckpt", corpus("weights/zip"));
    setting.file("word.pt", corpus("weights/zip"));
    setting.file("empty.safetensors", "");
    setting.file("page.safetensors", corpus("weights/html"));
    setting.file("cut.safetensors", corpus("weights/cut_off"));
    setting.file("bare/notes.txt", "nothing");
    for (args, expected) in [
        (["--model", "model.gguf"], &["model.gguf cannot be read: it is a GGUF file"][..]),
        (["--model", "model.ckpt"], &["model.ckpt cannot be read: it is a PyTorch file", "can run code", "convert it to safetensors"]),
        (["--model", "empty.safetensors"], &["empty.safetensors cannot be read: the file is empty"]),
        (["--model", "page.safetensors"], &["page.safetensors cannot be read: it is a web page"]),
        (["--model", "cut.safetensors"], &["cut.safetensors cannot be read: ", "cut off, download it again"]),
        (["--model", "bare"], &["bare/model_index.json is missing"]),
        (["--lora", "model.gguf"], &["model.gguf cannot be read: it is a GGUF file"]),
        (["--lora", "empty.safetensors"], &["empty.safetensors cannot be read: the file is empty"]),
        (["--lora", "bare"], &["bare cannot be read: it is a folder"]),
        (["--embedding", "word.pt"], &["word.pt cannot be read: pickle files are refused because they can run code"]),
        (["--embedding", "cut.safetensors"], &["cut.safetensors cannot be read: ", "cut off"]),
        (["--vae", "model.ckpt"], &["model.ckpt cannot be read: it is a PyTorch file"]),
    ] {
        setting.refused(&args, expected);
    }
    setting.refused(&["--upscale", "--upscaler", "page.safetensors"], &["page.safetensors cannot be read: it is a web page"]);
}

#[test]
fn a_file_of_twenty_gigabytes_is_refused_without_being_read() {
    let setting = Setting::new();
    setting.sparse("large.safetensors");
    setting.sparse("large.png");
    for option in ["--model", "--lora", "--vae"] {
        setting.refused(&[option, "large.safetensors"], &["large.safetensors cannot be read: it is not a safetensors file"]);
    }
    setting.refused(&["--embedding", "large.safetensors"], &["large.safetensors cannot be read: ", "too many for a learned word"]);
    setting.refused(&["--upscale", "--upscaler", "large.safetensors"], &["large.safetensors cannot be read: it is not"]);
    setting.refused(&["--init", "large.png"], &["cannot read the picture large.png: it has 21474836480 bytes"]);
    setting.refused(&["--from", "large.png"], &["large.png", "it is not a PNG, JPEG or WebP file"]);
}

#[test]
fn pictures_that_declare_too_much_are_refused() {
    let setting = Setting::new();
    for (name, input) in [("bomb.png", "bomb.png"), ("bomb.jpg", "bomb.jpg"), ("small.png", "rgb.png")] {
        setting.file(name, corpus(&format!("picture/{input}")));
    }
    image::RgbImage::new(64, 64).save(setting.folder.join("start.png")).expect("a picture");
    setting.refused(&["--init", "bomb.png"], &["bomb.png: 60000×50000 are more than 64 megapixels"]);
    setting.refused(&["--init", "bomb.jpg"], &["bomb.jpg: 65500×65500 are more than 64 megapixels"]);
    setting.refused(&["--init", "start.png", "--mask", "small.png"], &["the mask has 2×2 pixels", "64×64"]);
}

#[test]
fn adapters_that_do_not_fit_say_why() {
    let setting = Setting::new();
    let adapters = repository().join("inference/tests/data/families/adapters");
    setting.file("xl.safetensors", fs::read(adapters.join("kohya_sdxl.safetensors")).expect("an adapter"));
    setting.file("a/ink.safetensors", corpus("adapter/nothing_matches"));
    setting.file("b/ink.safetensors", corpus("adapter/no_up"));
    setting.file("oft.safetensors", corpus("adapter/oft"));
    setting.file("word.safetensors", corpus("embedding/one"));
    setting.refused(&["--lora", "xl.safetensors"], &["xl.safetensors: ", "model"]);
    setting.refused(&["--lora", "a/ink.safetensors:0.5"], &["a/ink.safetensors: 0 of 1 modules match the model"]);
    setting.refused(&["--lora", "oft.safetensors"], &["oft.safetensors is an OFT adapter, which is not supported"]);
    setting.refused(&["--lora", "word.safetensors"], &["word.safetensors is not an adapter"]);
    setting.refused(&["--embedding", "word.safetensors"], &["word.safetensors: `emb_params` has shape [2, 8]"]);
    // Two of one name are two files.
    setting.refused(&["--lora", "a/ink.safetensors", "--lora", "b/ink.safetensors"], &["a/ink.safetensors: 0 of 1 modules"]);
    setting.refused(&["--lora", "b/ink.safetensors", "--lora", "a/ink.safetensors"], &["b/ink.safetensors: module ", "but no `lora_up"]);
}

#[test]
fn models_that_lack_something_say_what() {
    let setting = Setting::new();
    let weights = "unet/diffusion_pytorch_model.safetensors";

    let broken = setting.starter("nan").join(weights);
    let mut bytes = fs::read(&broken).expect("the weights");
    let n = bytes.len();
    bytes[n - 4..].fill(0xff);
    fs::write(&broken, bytes).expect("a file");
    setting.refused(&["--model", "nan"], &["nan/unet/", "holds a value that is not a finite number"]);

    let halved = setting.starter("half");
    let shards = ["diffusion_pytorch_model-00001-of-00002.safetensors", "diffusion_pytorch_model-00002-of-00002.safetensors"];
    fs::rename(halved.join(weights), halved.join("unet").join(shards[0])).expect("a new name");
    let map = serde_json::json!({ "weight_map": { "conv_in.weight": shards[0], "conv_out.weight": shards[1] } });
    setting.file(&format!("half/{weights}.index.json"), map.to_string());
    setting.refused(&["--model", "half"], &["half/unet/diffusion_pytorch_model-00002-of-00002.safetensors is missing"]);

    fs::remove_dir_all(setting.starter("blind").join("vae")).expect("a folder");
    setting.refused(&["--model", "blind"], &["blind/vae/config.json is missing"]);

    setting.starter("words");
    setting.file("words/scheduler/scheduler_config.json", "{\"_class_name\": \"KarrasVeScheduler\"}");
    setting.refused(&["--model", "words"], &["words/scheduler/scheduler_config.json", "`_class_name`: KarrasVeScheduler"]);
}

#[test]
fn a_model_for_inpainting_asks_for_a_mask() {
    let setting = Setting::new();
    let data = repository().join("inference/tests/data/families");
    for part in ["sd1", "sd1_inpaint", "tokenizer"] {
        models::copy(&data.join(part), &setting.folder.join("data").join(part));
    }
    models::write_all(&setting.folder.join("data"), &setting.folder);
    let args = ["--model", "models/sd1_inpaint", "--width", "24", "--height", "24"];
    setting.refused(&args, &["only fills in masked parts of a picture; give a picture and a mask"]);
}

#[test]
fn a_sampler_that_there_is_not_lists_those_that_there_are() {
    let setting = Setting::new();
    let output = setting.run(&["--sampler", "k_dpm_99"]);
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("the sampler must be dpmpp_2m, ") && said.contains("k_dpm_99"), "{said}");
}
