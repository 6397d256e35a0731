//! The header of a safetensors file: names, types, shapes and places of its tensors, checked before anything else is read.

use std::{collections::BTreeMap, fmt, io::Read, ops::Range, path::Path};

use safetensors::Dtype;
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{json::unreadable, regular};
use crate::error::InferenceError;

/// Larger headers are refused; the safetensors library has the same limit.
const MAX_HEADER_BYTES: u64 = 100_000_000;
/// Memory for a header is taken at once up to so many bytes: a file may claim more than it has.
const MAX_RESERVED_BYTES: u64 = 1 << 20;
/// Longer names are refused: those of networks have at most some hundred bytes, and messages quote them.
const MAX_NAME_BYTES: usize = 1000;
/// More tensors are refused: the largest models and adapters have some ten thousand.
const MAX_TENSORS: usize = 50_000;
/// More sides are refused: networks have at most five.
const MAX_SIDES: usize = 8;
/// More remarks of a file's maker are refused, and of longer ones all but the beginning is dropped: trainers write some megabytes.
const MAX_REMARKS: usize = 10_000;
const MAX_REMARK_BYTES: usize = 16 << 20;

const PICKLE: &str = "it is a PyTorch file, which is refused because it can run code; convert it to safetensors, for example with \
                      `safetensors.torch.save_file` or `save_pretrained(folder, safe_serialization=True)` of diffusers";

/// What a safetensors file says about itself.
#[derive(Clone, Debug)]
pub struct Header {
    /// Its tensors, in the order of their places.
    pub tensors: Vec<TensorInfo>,
    /// What its maker wrote about it.
    pub metadata: BTreeMap<String, String>,
}

/// One tensor of a file.
#[derive(Clone, Debug)]
pub struct TensorInfo {
    /// Its name.
    pub name: String,
    /// Its type.
    pub dtype: Dtype,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Where its bytes are in the file.
    pub range: Range<usize>,
}

impl TensorInfo {
    /// Numbers in it.
    pub fn n_values(&self) -> u64 {
        self.shape.iter().map(|size| *size as u64).product()
    }
}

impl Header {
    /// Reads and checks a file's header; nothing else of the file is read.
    ///
    /// # Errors
    /// `Missing` or `Unreadable`.
    pub fn read(path: &Path) -> Result<Self, InferenceError> {
        let failed = |source: std::io::Error| unreadable(path, source.to_string());
        let refuse = |reason: &str| Err(unreadable(path, reason.to_owned()));
        let (mut file, file_bytes) = regular::open(path)?;
        let mut first = Vec::new();
        file.by_ref().take(9).read_to_end(&mut first).map_err(failed)?;
        let Some((length, rest)) = first.split_first_chunk::<8>().filter(|(_, rest)| rest == b"{") else {
            return refuse(recognise(&first));
        };
        let length = u64::from_le_bytes(*length);
        if length > MAX_HEADER_BYTES {
            return Err(unreadable(path, format!("its header has {length} bytes; more than 100 MB is refused")));
        }
        if length + 8 > file_bytes {
            return refuse("it is cut off in its header, download it again");
        }
        let mut text = Vec::with_capacity(length.min(MAX_RESERVED_BYTES) as usize);
        text.extend_from_slice(rest);
        file.take(length.saturating_sub(1)).read_to_end(&mut text).map_err(failed)?;
        let raw: RawHeader = serde_json::from_slice(&text).map_err(|source| unreadable(path, broken(&source)))?;
        Self::check(raw, 8 + length, file_bytes).map_err(|reason| unreadable(path, reason))
    }

    fn check(raw: RawHeader, start: u64, file_bytes: u64) -> Result<Self, String> {
        let mut tensors = Vec::with_capacity(raw.tensors.len());
        for (name, RawTensor { dtype, shape: Shape(shape), data_offsets: (begin, end) }) in raw.tensors {
            if name.len() > MAX_NAME_BYTES || has_control(&name) {
                return Err(format!(
                    "a tensor has a name with line breaks or other signs that no name has, or of more than {MAX_NAME_BYTES} bytes"
                ));
            }
            // Without its zeros too: whoever multiplies only some of the sides must not overflow either.
            let is_countable = shape.iter().filter(|size| **size > 0).try_fold(64_u64, |n, size| n.checked_mul(*size)).is_some();
            let n_bytes = shape.iter().try_fold(dtype.bitsize() as u64, |n, size| n.checked_mul(*size)).map(|n_bits| n_bits.div_ceil(8));
            let range = start.checked_add(begin).zip(start.checked_add(end)).filter(|_| begin <= end && is_countable);
            let (Some(n_bytes), Some((begin, end))) = (n_bytes, range) else {
                return Err(format!("`{name}` has a senseless shape or place"));
            };
            if end - begin != n_bytes {
                return Err(format!("`{name}` has {} bytes where its shape needs {n_bytes}", end - begin));
            }
            if end > file_bytes {
                return Err("its length is not what its header says; it is cut off, download it again".to_owned());
            }
            let shape = shape.iter().map(|size| *size as usize).collect();
            tensors.push(TensorInfo { name, dtype, shape, range: begin as usize..end as usize });
        }
        tensors.sort_by_key(|tensor| (tensor.range.start, tensor.range.end));
        let mut before = start as usize;
        for (i, tensor) in tensors.iter().enumerate() {
            if tensor.range.start < before {
                return Err(format!("`{}` and `{}` overlap", tensors[i.saturating_sub(1)].name, tensor.name));
            }
            if tensor.range.start > before {
                return Err(format!("{} bytes before `{}` belong to no tensor", tensor.range.start - before, tensor.name));
            }
            before = tensor.range.end;
        }
        if (before as u64) < file_bytes {
            return Err(format!("{} bytes after its last tensor belong to none", file_bytes - before as u64));
        }
        let mut names: Vec<&str> = tensors.iter().map(|tensor| tensor.name.as_str()).collect();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(format!("it has two tensors `{}`", pair[0]));
        }
        Ok(Self { metadata: raw.metadata, tensors })
    }
}

fn has_control(name: &str) -> bool {
    if name.is_ascii() { name.bytes().any(|byte| byte.is_ascii_control()) } else { name.contains(char::is_control) }
}

/// What a file is that does not begin as a safetensors file does.
fn recognise(first: &[u8]) -> &'static str {
    match first {
        [] => "the file is empty",
        [b'G', b'G', b'U', b'F', ..] => "it is a GGUF file, which is not read; take the model's safetensors version",
        [b'P', b'K', 3, 4, ..] | [0x80, 2..=5, ..] => PICKLE,
        [b'v', b'e', b'r', b's', b'i', b'o', b'n', ..] => "it is a Git LFS pointer and not the file itself; fetch it with `git lfs pull`",
        [b'<', ..] => "it is a web page and not the file itself; download it again",
        _ => "it is not a safetensors file",
    }
}

/// In one line, whatever of the file the message quotes.
fn broken(source: &serde_json::Error) -> String {
    format!("its header is broken: {}", source.to_string().replace(char::is_control, " "))
}

struct RawHeader {
    tensors: Vec<(String, RawTensor)>,
    metadata: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct RawTensor {
    dtype: Dtype,
    shape: Shape,
    data_offsets: (u64, u64),
}

impl<'de> Deserialize<'de> for RawHeader {
    /// A map would keep only one of two tensors of the same name.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = RawHeader;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with a tensor at each name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawHeader, A::Error> {
                let mut header = RawHeader { tensors: Vec::new(), metadata: BTreeMap::new() };
                while let Some(name) = map.next_key::<String>()? {
                    if name == "__metadata__" {
                        header.metadata = map.next_value::<Option<Remarks>>()?.map(|Remarks(remarks)| remarks).unwrap_or_default();
                    } else if header.tensors.len() == MAX_TENSORS {
                        return Err(A::Error::custom(format!("more than {MAX_TENSORS} tensors")));
                    } else {
                        header.tensors.push((name, map.next_value()?));
                    }
                }
                Ok(header)
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

struct Shape(Vec<u64>);

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Sides;
        impl<'de> Visitor<'de> for Sides {
            type Value = Shape;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of sides")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut sides: A) -> Result<Shape, A::Error> {
                let mut shape = Vec::new();
                while let Some(side) = sides.next_element()? {
                    if shape.len() == MAX_SIDES {
                        return Err(A::Error::custom(format!("a tensor of more than {MAX_SIDES} dimensions")));
                    }
                    shape.push(side);
                }
                Ok(Shape(shape))
            }
        }
        deserializer.deserialize_seq(Sides)
    }
}

struct Remarks(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Remarks {
    /// Texts as they are, anything else as its JSON, bounded while it is read.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Remarks;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with a text at each name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Remarks, A::Error> {
                let (mut remarks, mut n_remarks, mut n_bytes) = (BTreeMap::new(), 0, 0);
                while let Some(name) = map.next_key::<String>()? {
                    let value: Box<RawValue> = map.next_value()?;
                    n_remarks += 1;
                    if n_remarks > MAX_REMARKS {
                        return Err(A::Error::custom(format!("more than {MAX_REMARKS} remarks of its maker")));
                    }
                    let mut text = serde_json::from_str::<String>(value.get()).unwrap_or_else(|_| value.get().to_owned());
                    text.truncate(text.floor_char_boundary(MAX_REMARK_BYTES.saturating_sub(n_bytes)));
                    n_bytes += text.len();
                    remarks.insert(name, text);
                }
                Ok(Remarks(remarks))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}
