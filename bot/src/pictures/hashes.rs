//! Hashes of weights: what a picture's metadata names its model by. Kept by path, size and time of change, so that each file is read once.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::UNIX_EPOCH,
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The file's name, in the bot's data folder or the user's cache folder.
const FILE: &str = "hashes.json";
/// Bytes read at a time.
const CHUNK: usize = 1 << 20;
/// Longest header of a `.safetensors` file, as its format says.
const MAX_HEADER: u64 = 100_000_000;

/// What of a file is hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// All of it: how models are named.
    Whole,
    /// What follows the header of a `.safetensors` file: how adapters are named, as their notes in the header change.
    Tensors,
}

/// What is known of files; used on threads that may block.
#[derive(Debug, Default)]
pub struct Hashes {
    file: Option<PathBuf>,
    known: Mutex<Vec<Entry>>,
    /// Held while a file is read, so that two askers do not read it twice.
    reading: Mutex<()>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Entry {
    path: PathBuf,
    part: Part,
    size_bytes: u64,
    modified_ns: u64,
    sha256: String,
}

impl Hashes {
    /// Those that a folder keeps; it is made when the first is written. A file that cannot be read is an empty one.
    pub fn in_folder(folder: &Path) -> Self {
        let file = folder.join(FILE);
        Self { known: Mutex::new(load(&file)), file: Some(file), reading: Mutex::default() }
    }

    /// Those of the user's cache folder (`$XDG_CACHE_HOME/atelier` or `~/.cache/atelier`); without one they are not kept.
    pub fn of_user() -> Self {
        let folder = |variable: &str| std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
        let cache = folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache")));
        cache.map_or_else(Self::default, |cache| Self::in_folder(&cache.join("atelier")))
    }

    /// SHA-256 of a file in hex.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn of_file(&self, path: &Path, part: Part) -> io::Result<String> {
        // Links stay as they are: the folder beside a link tells which model it belongs to.
        let path = std::path::absolute(path)?;
        let (size_bytes, modified_ns) = state(&path)?;
        let find = || {
            let is_it = |entry: &&Entry| {
                entry.path == path && entry.part == part && entry.size_bytes == size_bytes && entry.modified_ns == modified_ns
            };
            self.known().iter().find(is_it).map(|entry| entry.sha256.clone())
        };
        if let Some(sha256) = find() {
            return Ok(sha256);
        }
        let _reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sha256) = find() {
            return Ok(sha256);
        }
        let sha256 = digest(&path, part)?;
        self.remember(Entry { path, part, size_bytes, modified_ns, sha256: sha256.clone() });
        Ok(sha256)
    }

    /// SHA-256 of a model's weights: of its one file, or of the hashes of its parts one after the other.
    ///
    /// # Errors
    /// They are not there or cannot be read.
    pub fn of_model(&self, model: &Path) -> io::Result<String> {
        let files = weights(model)?;
        let hashes = files.iter().map(|file| self.of_file(file, Part::Whole)).collect::<io::Result<Vec<_>>>()?;
        Ok(one_of(&hashes))
    }

    /// SHA-256 of each part of a model's folder that is not its denoising network, by the part's name, as [`Self::of_model`] hashes that; nothing of a
    /// model that is one file.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn of_other_parts(&self, model: &Path) -> io::Result<Vec<(String, String)>> {
        let mut found = Vec::new();
        for part in ["text_encoder", "text_encoder_2", "vae"] {
            if model.is_dir() && model.join(part).is_dir() {
                let hashes =
                    files_of(&model.join(part))?.iter().map(|file| self.of_file(file, Part::Whole)).collect::<io::Result<Vec<_>>>()?;
                found.push((part.to_owned(), one_of(&hashes)));
            }
        }
        Ok(found)
    }

    /// A file that had this hash when it was last read and has not changed since.
    pub fn find(&self, sha256: &str, part: Part) -> Option<PathBuf> {
        let is_unchanged = |entry: &&Entry| state(&entry.path).is_ok_and(|state| state == (entry.size_bytes, entry.modified_ns));
        let known = self.known();
        known.iter().filter(|entry| entry.sha256 == sha256 && entry.part == part).find(is_unchanged).map(|entry| entry.path.clone())
    }

    /// The model, a folder or a file, whose weights had this hash.
    pub fn find_model(&self, sha256: &str) -> Option<PathBuf> {
        let file = self.find(sha256, Part::Whole)?;
        let root = file.parent().and_then(Path::parent).filter(|root| root.join("model_index.json").is_file());
        Some(root.map_or_else(|| file.clone(), Path::to_owned))
    }

    fn known(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, entry: Entry) {
        let mut known = self.known();
        // Another process may have written meanwhile.
        let mut all: BTreeMap<_, _> = BTreeMap::new();
        let kept = self.file.as_deref().map(load).unwrap_or_default();
        for entry in known.drain(..).chain(kept).chain([entry]) {
            all.insert((entry.path.clone(), entry.part), entry);
        }
        known.extend(all.into_values());
        if let Some(file) = &self.file
            && let Err(error) = store(file, &known)
        {
            tracing::debug!(%error, path = %file.display(), "hashes of weights cannot be kept; they are computed again next time");
        }
    }
}

fn load(file: &Path) -> Vec<Entry> {
    fs::read(file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

fn store(file: &Path, entries: &[Entry]) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    let part = file.with_extension(format!("{}.part", std::process::id()));
    fs::write(&part, serde_json::to_vec_pretty(entries)?)?;
    fs::rename(part, file)
}

/// Size in bytes and time of change in nanoseconds since 1970.
fn state(path: &Path) -> io::Result<(u64, u64)> {
    let data = fs::metadata(path)?;
    let modified = data.modified()?.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
    Ok((data.len(), modified))
}

fn digest(path: &Path, part: Part) -> io::Result<String> {
    let mut file = File::open(path)?;
    if part == Part::Tensors && path.extension().is_some_and(|ending| ending == "safetensors") {
        let mut length = [0; 8];
        file.read_exact(&mut length)?;
        let length = u64::from_le_bytes(length);
        if length > MAX_HEADER {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not a .safetensors file"));
        }
        file.seek(SeekFrom::Start(8 + length))?;
    }
    let (mut hasher, mut chunk) = (Sha256::new(), vec![0; CHUNK]);
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(hex(&hasher.finalize())),
            n => hasher.update(&chunk[..n]),
        }
    }
}

/// SHA-256 of bytes in hex.
pub fn of_bytes(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The files of a model's denoising network: the model itself if it is one file.
fn weights(model: &Path) -> io::Result<Vec<PathBuf>> {
    if model.is_file() {
        return Ok(vec![model.to_owned()]);
    }
    let part = ["unet", "transformer"].map(|part| model.join(part)).into_iter().find(|part| part.is_dir());
    files_of(part.as_deref().unwrap_or(model))
}

/// One hash of the hashes of several files.
fn one_of(hashes: &[String]) -> String {
    match hashes {
        [only] => only.clone(),
        several => hex(&Sha256::digest(several.concat())),
    }
}

/// The files of a part's weights in its folder: the usual one, or all of them.
fn files_of(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let names = ["diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.fp16.safetensors", "model.safetensors"];
    let single = names.map(|name| folder.join(name));
    let shards = || -> io::Result<Vec<PathBuf>> {
        let mut files: Vec<_> = fs::read_dir(folder)?.filter_map(Result::ok).map(|entry| entry.path()).collect();
        files.retain(|file| file.extension().is_some_and(|ending| ending == "safetensors"));
        files.sort();
        Ok(files)
    };
    let files = match single.into_iter().find(|file| file.is_file()) {
        Some(file) => vec![file],
        None => shards()?,
    };
    if files.is_empty() { Err(io::Error::from(io::ErrorKind::NotFound)) } else { Ok(files) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn hashes_are_kept_until_the_file_changes() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("a.safetensors");
        fs::write(&file, "abc").expect("a file");
        let hashes = Hashes::in_folder(&folder.path().join("deep/data"));
        assert_eq!(hashes.of_file(&file, Part::Whole).expect("readable"), ABC);
        let again = Hashes::in_folder(&folder.path().join("deep/data"));
        assert_eq!(again.find(ABC, Part::Whole), Some(file.clone()));
        assert_eq!(again.find(ABC, Part::Tensors), None);
        // What is kept is believed while size and time are the same.
        again.known()[0].sha256 = "kept".into();
        assert_eq!(again.of_file(&file, Part::Whole).expect("readable"), "kept");
        fs::write(&file, "abcd").expect("a file");
        assert_eq!(again.find("kept", Part::Whole), None);
        assert_ne!(again.of_file(&file, Part::Whole).expect("readable"), "kept");
        assert!(hashes.of_file(&folder.path().join("gone"), Part::Whole).is_err());
    }

    #[test]
    fn an_adapters_notes_do_not_change_its_hash() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let write = |name: &str, header: &str, tensors: &str| {
            let path = folder.path().join(name);
            let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), tensors.as_bytes()].concat();
            fs::write(&path, bytes).expect("a file");
            Hashes::default().of_file(&path, Part::Tensors).expect("readable")
        };
        assert_eq!(write("a.safetensors", "{}", "abc"), ABC);
        assert_eq!(write("b.safetensors", "{\"x\":1}", "abc"), ABC);
        assert_ne!(write("c.safetensors", "{}", "abd"), ABC);
        fs::write(folder.path().join("d.safetensors"), [255; 20]).expect("a file");
        assert!(Hashes::default().of_file(&folder.path().join("d.safetensors"), Part::Tensors).is_err());
    }

    #[test]
    fn a_model_is_its_denoising_network() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let model = folder.path().join("model");
        fs::create_dir_all(model.join("unet")).expect("a folder");
        fs::write(model.join("model_index.json"), "{}").expect("a file");
        let hashes = Hashes::default();
        assert!(hashes.of_model(&model).is_err());
        let part = |n: u32| model.join(format!("unet/diffusion_pytorch_model-0000{n}-of-00002.safetensors"));
        fs::write(part(1), "abc").expect("a file");
        fs::write(part(2), "").expect("a file");
        assert_eq!(hashes.of_model(&model).expect("readable"), of_bytes(format!("{ABC}{}", of_bytes(b"")).as_bytes()));
        fs::write(model.join("unet/diffusion_pytorch_model.safetensors"), "abc").expect("a file");
        assert_eq!(hashes.of_model(&model).expect("readable"), ABC);
        assert_eq!(hashes.of_model(&model.join("unet/diffusion_pytorch_model.safetensors")).expect("readable"), ABC);
        assert_eq!(hashes.find_model(ABC), Some(model));
    }
}
