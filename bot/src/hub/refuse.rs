//! Files that are not read, and why: one sentence each.

use std::{fs::File, io::Read, path::Path};

use anyhow::{Context, bail};

const PICKLES: [&str; 5] = ["ckpt", "bin", "pt", "pth", "pkl"];

/// Whether a file is called like a safetensors file.
pub fn is_safetensors(name: &str) -> bool {
    extension(name) == "safetensors"
}

/// Refuses a file whose name says that it cannot be used.
///
/// # Errors
/// The sentence.
pub fn by_name(name: &str) -> anyhow::Result<()> {
    match extension(name).as_str() {
        extension if PICKLES.contains(&extension) => bail!(pickle(name)),
        "gguf" => bail!(gguf(name)),
        "onnx" | "msgpack" | "h5" | "xml" => bail!("{name} is for another program; take the .safetensors of the same model"),
        "7z" | "rar" | "zip" | "gz" | "tar" | "zst" => bail!("{name} is an archive; unpack it first"),
        _ => Ok(()),
    }
}

/// Refuses a file whose name or first bytes say that it cannot be used.
///
/// # Errors
/// The sentence, or the file cannot be read.
pub fn by_content(path: &Path) -> anyhow::Result<()> {
    let name = path.display().to_string();
    by_name(&name)?;
    let mut start = Vec::new();
    let file = File::open(path).with_context(|| format!("cannot read {name}"))?;
    file.take(16).read_to_end(&mut start).with_context(|| format!("cannot read {name}"))?;
    match start[..] {
        [] => bail!("{name} is empty"),
        [b'G', b'G', b'U', b'F', ..] => bail!(gguf(&name)),
        // A zip (torch since 1.6) or a bare pickle of protocol 2 to 5. A header of safetensors has its `{` as the ninth byte.
        [b'P', b'K', 3, 4, ..] => bail!(pickle(&name)),
        [0x80, 2..=5, ..] if start.get(8) != Some(&b'{') => bail!(pickle(&name)),
        [b'<', ..] => bail!("{name} is a web page, not a model; the address was perhaps that of a page about it"),
        _ => Ok(()),
    }
}

fn extension(name: &str) -> String {
    Path::new(name).extension().map(|extension| extension.to_string_lossy().to_lowercase()).unwrap_or_default()
}

fn pickle(name: &str) -> String {
    format!(
        "{name} is a pickle, which can run code when it is read, so it is refused; convert it to .safetensors on a machine that you can \
         lose: `save_pretrained(folder, safe_serialization=True)` of diffusers, or `safetensors.torch.save_file(tensors, file)`"
    )
}

fn gguf(name: &str) -> String {
    format!("{name} is a GGUF file, which the engine does not read; take the .safetensors of the same model")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_refused_for_its_name_or_its_first_bytes() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).expect("a file");
            path
        };
        let good = [&[0x80, 2, 0, 0, 0, 0, 0, 0][..], b"{\"a\":{}}"].concat();
        assert!(by_content(&write("a.safetensors", &good)).is_ok(), "a header may be 640 bytes long");
        for (name, bytes, expected) in [
            ("a.ckpt", &good[..], "convert it to .safetensors"),
            ("A.PT", &good[..], "convert it to .safetensors"),
            ("b.safetensors", b"PK\x03\x04rest", "convert it to .safetensors"),
            ("c.safetensors", b"\x80\x02}q\x00(X\x05\x00\x00\x00", "convert it to .safetensors"),
            ("d", b"GGUF\x03\x00\x00\x00", "GGUF"),
            ("e.safetensors", b"<!DOCTYPE html><html>", "web page"),
            ("f.safetensors", b"", "is empty"),
            ("g.zip", b"PK\x03\x04", "unpack it"),
        ] {
            let error = by_content(&write(name, bytes)).expect_err(name).to_string();
            assert!(error.contains(expected) && error.contains(name), "{error}");
        }
    }
}
