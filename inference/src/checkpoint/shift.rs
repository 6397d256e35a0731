//! How far a Z-Image in a file of its own shifts its schedule: base and Turbo have the same tensors, and differ in this.

use std::{collections::BTreeMap, path::Path};

use crate::schedule::Shift;

/// The key of a schedule's configuration that says where its `shift` is from; ours alone.
pub(super) const SAID_BY: &str = "_shift_said_by";
/// The published `scheduler_config.json` of Z-Image-Turbo.
const TURBO: f64 = 3.0;
/// That of Z-Image.
const BASE: f64 = 6.0;
/// Remarks that name what a file is: ModelSpec's, and what conversions to other formats keep.
const REMARKS: [&str; 4] = ["modelspec.title", "modelspec.architecture", "general.name", "general.basename"];
/// What else stands in the published file's name.
const PRECISIONS: [&str; 9] = ["bf16", "fp16", "fp32", "f16", "f32", "fp8", "e4m3fn", "e5m2", "scaled"];

/// A shift, and why.
#[derive(Debug, PartialEq)]
pub(super) struct Decided {
    pub(super) shift: f64,
    pub(super) said_by: String,
}

/// Decides by what somebody asks, else by the file's remarks, its name or its folder's, else by what is usual.
pub(super) fn of_file(path: &Path, remarks: &BTreeMap<String, String>, asked: Option<Shift>) -> Decided {
    if let Some(shift) = asked {
        return Decided { shift: shift.get(), said_by: "the configuration".to_owned() };
    }
    let name = |path: Option<&Path>| path.and_then(Path::file_stem).unwrap_or_default().to_string_lossy().into_owned();
    let (own, folder) = (name(Some(path)), name(path.parent()));
    let of_remarks = REMARKS.iter().find_map(|key| Some((of_words(remarks.get(*key)?)?, format!("the file's remark {key}"))));
    let of_name = || Some((of_words(&own).or_else(|| of_published(&own))?, "the file's name".to_owned()));
    let of_folder = || Some((of_words(&folder).or_else(|| of_published(&folder))?, "its folder's name".to_owned()));
    let guess = || (TURBO, "a guess: neither the file nor its name says whether it is Turbo or not, and most are".to_owned());
    let (shift, said_by) = of_remarks.or_else(of_name).or_else(of_folder).unwrap_or_else(guess);
    Decided { shift, said_by }
}

fn words(text: &str) -> Vec<String> {
    text.to_lowercase().split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Of a text that names one of the two.
fn of_words(text: &str) -> Option<f64> {
    let words = words(text);
    let has = |wanted: &str| words.iter().any(|word| word == wanted || word.strip_prefix("zimage") == Some(wanted));
    match (has("turbo"), has("base")) {
        (true, _) => Some(TURBO),
        (false, true) => Some(BASE),
        (false, false) => None,
    }
}

/// Of a text that is the published base model's name and nothing else.
fn of_published(text: &str) -> Option<f64> {
    let name: String = words(text).into_iter().filter(|word| !PRECISIONS.contains(&word.as_str())).collect();
    (name == "zimage").then_some(BASE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_and_turbo_are_told_apart_by_what_says_so() {
        let guess = "a guess: neither the file nor its name says whether it is Turbo or not, and most are";
        for (path, remark, shift, said_by) in [
            ("m/z_image_turbo_bf16.safetensors", None, TURBO, "the file's name"),
            ("m/z_image_bf16.safetensors", None, BASE, "the file's name"),
            ("m/Z-Image.safetensors", None, BASE, "the file's name"),
            ("m/z-image-base-fp8_e4m3fn_scaled.safetensors", None, BASE, "the file's name"),
            ("m/ZImageTurbo.safetensors", None, TURBO, "the file's name"),
            ("Z-Image/model.safetensors", None, BASE, "its folder's name"),
            ("Z-Image-Turbo/model.safetensors", None, TURBO, "its folder's name"),
            ("m/mine.safetensors", Some(("modelspec.title", "Z-Image-Turbo")), TURBO, "the file's remark modelspec.title"),
            ("m/turbo.safetensors", Some(("modelspec.architecture", "z-image-base")), BASE, "the file's remark modelspec.architecture"),
            ("m/z_image.safetensors", Some(("modelspec.title", "My model")), BASE, "the file's name"),
            ("m/basement_z_image_mix.safetensors", None, TURBO, guess),
            ("models/mine.safetensors", None, TURBO, guess),
        ] {
            let remarks = remark.map(|(key, value)| (key.to_owned(), value.to_owned())).into_iter().collect();
            let expected = Decided { shift, said_by: said_by.to_owned() };
            assert_eq!(of_file(Path::new(path), &remarks, None), expected, "{path} {remark:?}");
            let asked = Decided { shift: 4.5, said_by: "the configuration".to_owned() };
            assert_eq!(of_file(Path::new(path), &remarks, Shift::try_from(4.5).ok()), asked, "{path}");
        }
    }
}
