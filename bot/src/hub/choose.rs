//! Which files of a diffusers repository the engine needs: no pickles, no other program's weights, one precision of each network.

use anyhow::bail;
use inference::checkpoint::hf_folder;
use serde_json::Value;

use super::{
    folder,
    listing::{Listing, RepoFile},
    source::Repo,
};
use crate::system::printable::printable;

/// What says which pipeline a folder is for.
pub(super) const INDEX: &str = "model_index.json";
/// Where the network lies that takes noise away: one of these.
const DENOISERS: [&str; 2] = ["unet", "transformer"];
const NETWORKS: [(&str, &str); 5] = [
    ("unet", "diffusion_pytorch_model"),
    ("transformer", "diffusion_pytorch_model"),
    ("vae", "diffusion_pytorch_model"),
    ("text_encoder", "model"),
    ("text_encoder_2", "model"),
];
/// The largest models have some twenty files.
const MAX_FILES: usize = 200;
const TEXT_FOLDERS: [&str; 3] = ["scheduler", "tokenizer", "tokenizer_2"];

/// The files of a diffusers folder that the engine reads. With `variant` (such as `fp16`) each network comes in that precision if it is
/// there, otherwise in the plain one, and the other way round without.
///
/// # Errors
/// The repository holds no model that the engine draws with; the message says what to do.
pub(super) fn choose<'a>(listing: &'a Listing, repo: &Repo, variant: Option<&str>) -> anyhow::Result<Vec<&'a RepoFile>> {
    let find = |path: &str| listing.files.iter().find(|file| file.path == path);
    let Some(index) = find(INDEX) else {
        bail!("{repo} is no diffusers folder (it has no {INDEX}); name one of its files with `--file`; {}", listing.weights());
    };
    if DENOISERS.iter().all(|folder| inside(listing, folder).next().is_none()) {
        bail!("{repo} has no unet/ and no transformer/, so there is nothing in it that the engine draws with");
    }
    let mut chosen = vec![index];
    for folder in TEXT_FOLDERS {
        chosen.extend(inside(listing, folder).filter(|(name, _)| name.ends_with(".json") || name.ends_with(".txt")).map(|(_, file)| file));
    }
    for (folder, stem) in NETWORKS {
        let files: Vec<_> = inside(listing, folder).collect();
        if files.is_empty() {
            continue;
        }
        chosen.extend(files.iter().filter(|(name, _)| *name == "config.json").map(|(_, file)| file));
        let plain = Precision { stem, variant: None };
        let half = Precision { stem, variant: Some(variant.unwrap_or("fp16")) };
        let order = if variant.is_some() { [half, plain] } else { [plain, half] };
        let weights = order.iter().map(|precision| precision.files(&files)).find(|weights| !weights.is_empty());
        let Some(weights) = weights else { bail!(without_weights(repo, folder, &files)) };
        chosen.extend(weights);
    }
    if chosen.len() > MAX_FILES {
        bail!("{repo} has {} files that a model could need, and {MAX_FILES} are the most that are pulled; is it a model?", chosen.len());
    }
    Ok(chosen)
}

/// Whether files are those of a model with a U-Net, of which the engine draws with nearly all. Those with a transformer are many kinds.
pub(super) fn has_unet(files: &[&RepoFile]) -> bool {
    files.iter().any(|file| file.path.starts_with("unet/"))
}

/// Refuses a folder for a pipeline that the engine does not know; to be asked before gigabytes come.
///
/// # Errors
/// One sentence for the person who asked.
pub(super) fn check_pipeline(index: &Value, repo: &Repo) -> anyhow::Result<()> {
    match index.get("_class_name").and_then(Value::as_str) {
        Some(class) if hf_folder::is_pipeline(class) => Ok(()),
        Some(class) => bail!("{repo} is made for {}, which the engine does not know", printable(class)),
        None => bail!("{repo} does not say in {INDEX} what it is, so the engine does not draw with it"),
    }
}

/// The files directly in a folder, with their names.
fn inside<'a>(listing: &'a Listing, folder: &str) -> impl Iterator<Item = (&'a str, &'a RepoFile)> {
    let below = move |file: &'a RepoFile| Some((file.path.strip_prefix(folder)?.strip_prefix('/')?, file));
    listing.files.iter().filter_map(below).filter(|(name, _)| folder::check_name(name).is_ok()).collect::<Vec<_>>().into_iter()
}

fn without_weights(repo: &Repo, folder: &str, files: &[(&str, &RepoFile)]) -> String {
    let pickle = files.iter().find(|(name, _)| name.ends_with(".bin") || name.ends_with(".ckpt"));
    match pickle {
        Some((name, _)) => format!(
            "{repo} has no .safetensors in {folder}/, only pickles ({name}), which can run code when they are read, so they are refused; \
             look for another revision (`{repo}@REVISION`) or upload of it, or convert it with \
             `save_pretrained(folder, safe_serialization=True)` of diffusers"
        ),
        None => format!("{repo} has no weights in {folder}/ that the engine reads (.safetensors)"),
    }
}

/// One precision of one network's weights, as diffusers names the files.
struct Precision<'a> {
    stem: &'a str,
    variant: Option<&'a str>,
}

impl Precision<'_> {
    /// One file, or the pieces with their index; nothing if neither is there.
    fn files<'a>(&self, files: &[(&'a str, &'a RepoFile)]) -> Vec<&'a RepoFile> {
        let dotted = self.variant.map(|variant| format!(".{variant}")).unwrap_or_default();
        let single = format!("{}{dotted}.safetensors", self.stem);
        if let Some((_, file)) = files.iter().find(|(name, _)| *name == single) {
            return vec![file];
        }
        let index = format!("{}.safetensors.index{dotted}.json", self.stem);
        let Some((_, index)) = files.iter().find(|(name, _)| *name == index) else { return Vec::new() };
        let pieces = files.iter().filter(|(name, _)| self.is_piece(name, &dotted)).map(|(_, file)| *file);
        std::iter::once(*index).chain(pieces).collect()
    }

    /// `STEM-00001-of-00002.safetensors`, with the variant before or after the numbers.
    fn is_piece(&self, name: &str, dotted: &str) -> bool {
        let Some(middle) = name.strip_prefix(self.stem).and_then(|rest| rest.strip_suffix(".safetensors")) else { return false };
        let Some(numbers) = middle.strip_prefix(dotted).or_else(|| middle.strip_suffix(dotted)) else { return false };
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        numbers.strip_prefix('-').and_then(|rest| rest.split_once("-of-")).is_some_and(|(index, count)| digits(index) && digits(count))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn chosen(paths: &[&str], variant: Option<&str>) -> Result<String, String> {
        let file = |path: &&str| RepoFile { path: (*path).to_owned(), size_bytes: None, sha256: None };
        let listing = Listing { commit: "c".into(), files: paths.iter().map(file).collect() };
        let repo = Repo { owner: "a".into(), name: "b".into(), revision: "main".into() };
        let paths = |files: Vec<&RepoFile>| files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>().join(" ");
        choose(&listing, &repo, variant).map(paths).map_err(|error| error.to_string())
    }

    const SD15: [&str; 20] = [
        ".gitattributes",
        "README.md",
        "feature_extractor/preprocessor_config.json",
        "model_index.json",
        "safety_checker/model.safetensors",
        "scheduler/scheduler_config.json",
        "text_encoder/config.json",
        "text_encoder/model.fp16.safetensors",
        "text_encoder/model.safetensors",
        "text_encoder/pytorch_model.bin",
        "tokenizer/merges.txt",
        "tokenizer/vocab.json",
        "unet/config.json",
        "unet/diffusion_pytorch_model.bin",
        "unet/diffusion_pytorch_model.fp16.safetensors",
        "unet/diffusion_pytorch_model.non_ema.safetensors",
        "unet/diffusion_pytorch_model.safetensors",
        "v1-5-pruned.safetensors",
        "vae/config.json",
        "vae/diffusion_pytorch_model.safetensors",
    ];

    #[test]
    fn a_repository_gives_what_the_engine_reads_and_nothing_else() {
        let text = "model_index.json scheduler/scheduler_config.json tokenizer/merges.txt tokenizer/vocab.json";
        let vae = "vae/config.json vae/diffusion_pytorch_model.safetensors";
        assert_eq!(
            chosen(&SD15, None).expect("a model"),
            format!(
                "{text} unet/config.json unet/diffusion_pytorch_model.safetensors {vae} text_encoder/config.json text_encoder/model.safetensors"
            )
        );
        let half = "unet/config.json unet/diffusion_pytorch_model.fp16.safetensors";
        assert_eq!(
            chosen(&SD15, Some("fp16")).expect("a model"),
            format!("{text} {half} {vae} text_encoder/config.json text_encoder/model.fp16.safetensors"),
            "the VAE has no half, so it comes whole"
        );
    }

    #[test]
    fn pieces_come_with_their_index_and_only_those_of_one_precision() {
        let unet = [
            "model_index.json",
            "unet/config.json",
            "unet/diffusion_pytorch_model-00001-of-00002.safetensors",
            "unet/diffusion_pytorch_model-00002-of-00002.safetensors",
            "unet/diffusion_pytorch_model.fp16-00001-of-00001.safetensors",
            "unet/diffusion_pytorch_model.safetensors.index.fp16.json",
            "unet/diffusion_pytorch_model.safetensors.index.json",
        ];
        let pieces = "model_index.json unet/config.json unet/diffusion_pytorch_model.safetensors.index.json \
                      unet/diffusion_pytorch_model-00001-of-00002.safetensors unet/diffusion_pytorch_model-00002-of-00002.safetensors";
        assert_eq!(chosen(&unet, None).expect("a model"), pieces);
        let half = "model_index.json unet/config.json unet/diffusion_pytorch_model.safetensors.index.fp16.json \
                    unet/diffusion_pytorch_model.fp16-00001-of-00001.safetensors";
        assert_eq!(chosen(&unet, Some("fp16")).expect("a model"), half);
    }

    #[test]
    fn a_transformer_comes_as_a_unet_does() {
        let paths = [
            "model_index.json",
            "text_encoder/config.json",
            "text_encoder/model-00001-of-00002.safetensors",
            "text_encoder/model-00002-of-00002.safetensors",
            "text_encoder/model.safetensors.index.json",
            "tokenizer/merges.txt",
            "tokenizer/tokenizer.json",
            "transformer/config.json",
            "transformer/diffusion_pytorch_model-00001-of-00001.safetensors",
            "transformer/diffusion_pytorch_model.safetensors.index.json",
            "transformer/pytorch_model.bin",
        ];
        let mut found: Vec<String> = chosen(&paths, None).expect("a model").split(' ').map(str::to_owned).collect();
        found.sort();
        assert_eq!(found, paths[..paths.len() - 1]);
    }

    #[test]
    fn a_pipeline_that_nobody_knows_is_refused_by_its_name() {
        let repo = Repo { owner: "a".into(), name: "b".into(), revision: "main".into() };
        let said = |index: Value| check_pipeline(&index, &repo).map_err(|error| error.to_string());
        assert_eq!(said(json!({ "_class_name": "StableDiffusionXLPipeline" })), Ok(()));
        for (index, expected) in [
            (json!({ "_class_name": "OtherPipeline" }), "a/b is made for OtherPipeline, which the engine does not know"),
            (json!({ "_class_name": 3 }), "a/b does not say in model_index.json what it is, so the engine does not draw with it"),
            (json!([]), "a/b does not say in model_index.json what it is, so the engine does not draw with it"),
        ] {
            assert_eq!(said(index), Err(expected.to_owned()));
        }
    }

    #[test]
    fn a_repository_of_very_many_files_is_refused() {
        let many: Vec<String> = (0..3000).map(|n| format!("tokenizer/{n}.json")).collect();
        let with = |n: usize| {
            let paths: Vec<&str> = SD15.into_iter().chain(many[..n].iter().map(String::as_str)).collect();
            chosen(&paths, None)
        };
        assert!(with(MAX_FILES - 10).is_ok());
        let error = with(3000).expect_err("too many");
        assert!(error.contains("3010 files") && error.contains("200 are the most"), "{error}");
    }

    #[test]
    fn what_cannot_be_drawn_with_is_explained() {
        for (paths, expected) in [
            (&["a.safetensors", "b.ckpt"][..], "name one of its files with `--file`; its .safetensors files: a.safetensors"),
            (&["model_index.json", "prior/model.safetensors"], "has no unet/ and no transformer/"),
            (&["model_index.json", "transformer/config.json"], "no weights in transformer/"),
            (&["model_index.json", "unet/config.json", "unet/diffusion_pytorch_model.bin"], "safe_serialization=True"),
            (&["model_index.json", "unet/config.json"], "no weights in unet/"),
            (&["model_index.json", "unet/../../x.safetensors"], "has no unet/ and no transformer/"),
        ] {
            let error = chosen(paths, None).expect_err("nothing to draw with");
            assert!(error.contains(expected), "{error}");
        }
    }
}
