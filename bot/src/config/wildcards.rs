//! Lists of words on disk.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};

use serde::Deserialize;

use crate::prompt::Wildcards;

/// `[prompts]`
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PromptsConfig {
    /// Folder of lists of words; empty for none.
    pub wildcards: PathBuf,
}

/// Most bytes of all lists together.
const MAX_BYTES: u64 = 16 << 20;
/// Folders in folders.
const MAX_DEPTH: usize = 8;

/// The lists of a folder: `animals/small.txt` is the list `animals/small`, a line an entry; empty lines and those that begin with `#` are none. No
/// lists without a folder.
///
/// # Errors
/// A folder or file cannot be read, or they are too large.
pub fn wildcards(folder: &Path) -> anyhow::Result<Wildcards> {
    let (mut lists, mut left) = (BTreeMap::new(), MAX_BYTES);
    if !folder.as_os_str().is_empty() {
        read(folder, "", (&mut lists, &mut left))?;
    }
    Ok(lists.into())
}

fn read(folder: &Path, before: &str, into: (&mut BTreeMap<String, Vec<String>>, &mut u64)) -> anyhow::Result<()> {
    let (lists, left) = into;
    let failed = || format!("cannot read the lists of words in {}", folder.display());
    if before.split('/').count() > MAX_DEPTH {
        bail!("{} is {MAX_DEPTH} folders deep: lists of words are read no deeper", folder.display());
    }
    for entry in fs::read_dir(folder).with_context(failed)? {
        let path = entry.with_context(failed)?.path();
        let Some(stem) = path.file_stem().and_then(|stem| stem.to_str()).filter(|stem| !stem.starts_with('.')) else { continue };
        if path.is_dir() {
            read(&path, &format!("{before}{stem}/"), (&mut *lists, &mut *left))?;
        } else if path.is_file() && path.extension().is_some_and(|ending| ending == "txt") {
            let size = fs::metadata(&path).with_context(failed)?.len();
            *left = left.checked_sub(size).with_context(|| format!("the lists of words are larger than {MAX_BYTES} bytes together"))?;
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read the list of words {}", path.display()))?;
            let words = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
            lists.insert(format!("{before}{stem}"), words.map(str::to_owned).collect());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_named_after_their_files() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(folder.path().join("animals")).expect("a folder");
        for (path, text) in
            [("colour.txt", "# colours\n red \n\ngreen\n"), ("animals/small.txt", "frog"), ("notes.md", "no list"), (".hidden.txt", "x")]
        {
            fs::write(folder.path().join(path), text).expect("a file");
        }
        let expected = [("colour", vec!["red", "green"]), ("animals/small", vec!["frog"])];
        let expected = expected.map(|(name, words)| (name.to_owned(), words.into_iter().map(str::to_owned).collect::<Vec<_>>()));
        assert_eq!(wildcards(folder.path()).expect("lists"), BTreeMap::from(expected).into());
        assert_eq!(wildcards(Path::new("")).expect("none"), Wildcards::default());
        assert!(wildcards(&folder.path().join("nowhere")).expect_err("none is there").to_string().starts_with("cannot read the lists"));
    }
}
