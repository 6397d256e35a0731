//! The models folder: each model is a folder or a `.safetensors` file in it, and its name is that of the folder or file.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use inference::catalogue::position_of;

use super::refuse;
use crate::models::name::composed;

/// What is being downloaded ends in this.
pub(super) const PART: &str = ".part";
const SAFETENSORS: &str = ".safetensors";
/// File systems take 255 bytes; ours adds endings to a name.
const MAX_NAME_BYTES: usize = 200;

/// The folder in which pulled models are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelsFolder {
    dir: PathBuf,
}

/// One thing in the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The folder's or file's name, without `.safetensors` or `.part`.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// Its size with everything in it.
    pub size_bytes: u64,
    /// Whether its download has not come to its end.
    pub is_unfinished: bool,
}

impl ModelsFolder {
    /// The folder at a path, which need not exist yet.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// The path that a model of this name has or would have.
    ///
    /// # Errors
    /// The name is not that of a file in one folder.
    pub fn place(&self, name: &str) -> anyhow::Result<PathBuf> {
        check_name(name)?;
        Ok(self.dir.join(name))
    }

    /// The model of this name: a folder, or a file with or without its ending said, by its path or as it is listed. A name that no model can have
    /// finds none.
    pub fn find(&self, name: &str) -> Option<PathBuf> {
        let folder = self.place(name).ok()?;
        let file = self.dir.join(format!("{name}{SAFETENSORS}"));
        let there = [folder, file].into_iter().find(|path| fs::symlink_metadata(path).is_ok());
        there.or_else(|| {
            let whole: Vec<Entry> = self.entries().ok()?.into_iter().filter(|entry| !entry.is_unfinished).collect();
            let said = without_ending(name);
            position_of(whole.iter().map(|entry| entry.name.as_str()), said).map(|place| whole[place].path.clone())
        })
    }

    /// What is left of an interrupted pull of this name.
    pub fn find_unfinished(&self, name: &str) -> Option<PathBuf> {
        check_name(name).ok()?;
        let parts = [format!("{name}{PART}"), format!("{name}{SAFETENSORS}{PART}")];
        parts.into_iter().map(|part| self.dir.join(part)).find(|path| path.exists())
    }

    /// Everything in the folder, by name; nothing if there is no folder.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn entries(&self) -> anyhow::Result<Vec<Entry>> {
        let cannot = || format!("cannot read the models folder {}", self.dir.display());
        let listed = match fs::read_dir(&self.dir) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            listed => listed.with_context(cannot)?,
        };
        let mut entries = Vec::new();
        for found in listed {
            let path = found.with_context(cannot)?.path();
            let Some(file_name) = path.file_name().and_then(|name| name.to_str()).filter(|name| !name.starts_with('.')) else { continue };
            let (stem, is_unfinished) = file_name.strip_suffix(PART).map_or((file_name, false), |stem| (stem, true));
            if path.is_dir() || refuse::is_safetensors(stem) {
                let name = composed(if path.is_dir() { stem } else { without_ending(stem) });
                entries.push(Entry { name, size_bytes: size_bytes(&path), is_unfinished, path });
            }
        }
        entries.sort_by(|a, b| (&a.name, &a.path).cmp(&(&b.name, &b.path)));
        Ok(entries)
    }
}

/// A file's name without its `.safetensors`, however that is written.
pub(super) fn without_ending(name: &str) -> &str {
    let is_weights = name.len() > SAFETENSORS.len() && refuse::is_safetensors(name);
    if is_weights { &name[..name.len() - SAFETENSORS.len()] } else { name }
}

/// Bytes of a file, or of all files below a folder; links count as nothing and are not followed below the first.
pub fn size_bytes(path: &Path) -> u64 {
    let Ok(data) = fs::metadata(path) else { return 0 };
    if !data.is_dir() {
        return data.len();
    }
    let is_link = |path: &Path| fs::symlink_metadata(path).is_ok_and(|data| data.is_symlink());
    let inside = fs::read_dir(path).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
    inside.filter(|path| !is_link(path)).map(|path| size_bytes(&path)).sum()
}

/// Whether a text can be the name of one file or folder, so that nothing typed becomes a path to elsewhere.
///
/// # Errors
/// It cannot; the sentence says what a name is.
pub fn check_name(name: &str) -> anyhow::Result<()> {
    let is_plain = !name.is_empty()
        && name.len() <= MAX_NAME_BYTES
        && !name.starts_with(['.', '-', ' '])
        && !name.ends_with(PART)
        && !name.contains(|c: char| c.is_control() || matches!(c, '/' | '\\' | ':'));
    if !is_plain {
        bail!(
            "`{}` cannot be a model's name: it is one word of up to {MAX_NAME_BYTES} bytes without `/`, `\\` and `:`, not beginning with `.` \
             or `-` and not ending in `{PART}`",
            name.escape_debug()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_never_leads_out_of_the_folder() {
        let long = "x".repeat(MAX_NAME_BYTES + 1);
        for name in ["", ".", "..", "../x", "/etc/passwd", "a/b", "a\\b", "c:d", ".hidden", "-rf", "x.part", "a\nb", "a\0b", &long] {
            assert!(ModelsFolder::new("/models").place(name).is_err(), "{name:?}");
            assert_eq!(ModelsFolder::new("/").find(name), None, "{name:?}");
        }
        for name in ["sd-1.5", "My model v2.safetensors", "モデル", "a..b"] {
            let place = ModelsFolder::new("/models").place(name).expect(name);
            assert_eq!(place.parent(), Some(Path::new("/models")), "{name:?}");
        }
    }

    #[test]
    fn the_folder_lists_folders_files_and_what_is_unfinished() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let models = ModelsFolder::new(root.path().join("models"));
        assert_eq!(models.entries().expect("no folder is no fault"), []);
        for (file, text) in [
            ("sd/unet/config.json", "12345"),
            ("sd/model_index.json", "123"),
            ("style.safetensors", "12"),
            ("half.safetensors.part", "1"),
            ("half.safetensors.part.json", "{}"),
            ("big.part/model_index.json", "1234"),
            (".hidden/x", "1"),
            ("notes.txt", "1"),
        ] {
            let path = models.path().join(file);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            fs::write(path, text).expect("a file");
        }
        let found = models.entries().expect("a folder");
        let found: Vec<_> = found.iter().map(|entry| (entry.name.as_str(), entry.size_bytes, entry.is_unfinished)).collect();
        assert_eq!(found, [("big", 4, true), ("half", 1, true), ("sd", 8, false), ("style", 2, false)]);
        assert_eq!(models.find("style"), Some(models.path().join("style.safetensors")));
        assert_eq!(models.find("style.safetensors"), models.find("style"));
        assert_eq!((models.find("sd"), models.find("half")), (Some(models.path().join("sd")), None));
        assert_eq!(models.find_unfinished("half"), Some(models.path().join("half.safetensors.part")));
    }
}
