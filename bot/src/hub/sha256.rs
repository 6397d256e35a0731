//! The sha256 of files.

use std::{fs::File, io::Read, path::Path};

use anyhow::{Context, bail};
use indicatif::ProgressBar;
use sha2::{Digest, Sha256};

/// A sha256 in lower-case hexadecimal, 64 digits.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Sha256Hex(String);

impl std::fmt::Display for Sha256Hex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for Sha256Hex {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            bail!("a sha256 has 64 hexadecimal digits, not `{text}`");
        }
        Ok(Self(text.to_lowercase()))
    }
}

/// Reads a whole file; the bar moves on by the bytes read. Takes seconds for gigabytes, so not for the async runtime.
///
/// # Errors
/// The file cannot be read.
pub fn of_file(path: &Path, bar: &ProgressBar) -> anyhow::Result<Sha256Hex> {
    let read = || {
        let mut file = File::open(path)?;
        let (mut hasher, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
        loop {
            match file.read(&mut buffer) {
                Ok(0) => return Ok(Sha256Hex(format!("{:x}", hasher.finalize()))),
                Ok(n_bytes) => {
                    hasher.update(&buffer[..n_bytes]);
                    bar.inc(n_bytes as u64);
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    };
    read().with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_the_standard_hash() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("abc");
        std::fs::write(&path, "abc").expect("a file");
        // FIPS 180-2, appendix B.1.
        let expected: Sha256Hex = "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD".parse().expect("64 digits");
        assert_eq!(of_file(&path, &ProgressBar::hidden()).expect("the file is there"), expected);
        assert!("abc".parse::<Sha256Hex>().is_err() && "é".repeat(32).parse::<Sha256Hex>().is_err());
    }
}
