//! The header of a safetensors file: what tensors it holds, without reading them.

use std::{collections::BTreeMap, fs::File, io::Read, path::Path};

use anyhow::{Context, bail};
use serde::Deserialize;
use serde_json::Value;

use super::refuse;

/// The format's own limit, so that a wrong file does not fill the memory.
const MAX_BYTES: u64 = 100_000_000;

/// The names and shapes of a file's tensors, and its metadata.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Header {
    /// By name.
    pub tensors: BTreeMap<String, TensorInfo>,
    /// What the maker of the file wrote into it.
    pub metadata: BTreeMap<String, String>,
}

/// One tensor.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct TensorInfo {
    /// Such as `F16`.
    pub dtype: String,
    /// Its shape.
    pub shape: Vec<u64>,
    data_offsets: (u64, u64),
}

impl Header {
    /// Reads a file's header and compares the file's length with it.
    ///
    /// # Errors
    /// One sentence that names the file and says what it is instead.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        refuse::by_content(path)?;
        let name = path.display();
        let cannot = || format!("cannot read {name}");
        let mut file = File::open(path).with_context(cannot)?;
        let length = file.metadata().with_context(cannot)?.len();
        let mut n_bytes = [0; 8];
        let is_short = length < 8 || file.read_exact(&mut n_bytes).is_err();
        let n_bytes = u64::from_le_bytes(n_bytes);
        if is_short || n_bytes > MAX_BYTES {
            bail!("{name} is not a safetensors file");
        }
        if n_bytes > length - 8 {
            bail!("{name} is cut off; download it again");
        }
        let mut text = Vec::new();
        file.take(n_bytes).read_to_end(&mut text).with_context(cannot)?;
        let header = Self::parse(&text).with_context(|| format!("{name} is not a safetensors file"))?;
        match header.n_data_bytes() {
            Some(n_data) if n_data == length - 8 - n_bytes => Ok(header),
            Some(n_data) if n_data > length - 8 - n_bytes => bail!("{name} is cut off; download it again"),
            _ => bail!("{name} is longer than its header says, so something else was added to it; download it again"),
        }
    }

    fn parse(text: &[u8]) -> anyhow::Result<Self> {
        let mut header = Self::default();
        for (name, value) in serde_json::from_slice::<serde_json::Map<String, Value>>(text)? {
            if name == "__metadata__" {
                header.metadata = serde_json::from_value(value).unwrap_or_default();
            } else {
                let tensor = serde_json::from_value(value).with_context(|| format!("tensor `{name}`"))?;
                header.tensors.insert(name, tensor);
            }
        }
        Ok(header)
    }

    fn n_data_bytes(&self) -> Option<u64> {
        let ends = self.tensors.values().map(|tensor| tensor.data_offsets).map(|(start, end)| (start <= end).then_some(end));
        ends.collect::<Option<Vec<_>>>().map(|ends| ends.into_iter().max().unwrap_or_default())
    }
}

/// Whether a file is a whole safetensors file.
///
/// # Errors
/// It is not; the sentence says what it is instead.
pub fn check(path: &Path) -> anyhow::Result<()> {
    Header::read(path).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(header: &str, n_data: usize) -> Vec<u8> {
        [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &vec![0; n_data]].concat()
    }

    #[test]
    fn a_header_must_fit_its_file() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("x.safetensors");
        let read = |bytes: &[u8]| {
            std::fs::write(&path, bytes).expect("a file");
            Header::read(&path).map_err(|error| format!("{error:#}"))
        };
        let text = r#"{"__metadata__":{"a":"b"},"w":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]}}"#;
        let header = read(&file(text, 8)).expect("it is whole");
        assert_eq!((header.tensors["w"].shape.clone(), header.metadata["a"].as_str()), (vec![2, 1], "b"));
        assert!(read(&file("{}", 0)).is_ok(), "no tensors are tensors too");
        for (bytes, expected) in [
            (file(text, 7), "is cut off"),
            (file(text, 9), "longer than its header says"),
            (file(text, 8)[..40].to_vec(), "is cut off"),
            (file("{\"w\":3}", 0), "is not a safetensors file: tensor `w`"),
            (file("[1]", 0), "is not a safetensors file"),
            (b"Invalid username or password.".to_vec(), "is not a safetensors file"),
            (b"short".to_vec(), "is not a safetensors file"),
        ] {
            let error = read(&bytes).expect_err("it is wrong");
            assert!(error.contains(expected) && error.contains("x.safetensors"), "{error}");
        }
    }
}
