//! The head of an adapter's file: names, shapes and remarks, and of the numbers of its tensors the alphas alone.

use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

use safetensors::Dtype;

use super::AdapterError;
use crate::{
    checkpoint::{header, json::unreadable},
    error::InferenceError,
};

/// The end of names of the tensors that hold one number.
pub(super) const ALPHA: &str = "alpha";

/// What stands at the head of a safetensors file.
pub(super) struct Header {
    /// Every tensor's shape by its name.
    pub(super) shapes: BTreeMap<String, Vec<usize>>,
    /// The alphas by name, whatever their type; `None` where it holds no numbers.
    pub(super) alphas: HashMap<String, Option<f64>>,
    /// Remarks of the program that wrote the file.
    pub(super) metadata: BTreeMap<String, String>,
}

impl Header {
    /// Reads and checks the head of a file.
    ///
    /// # Errors
    /// `Missing` or `Unreadable`.
    pub(super) fn read(path: &Path) -> Result<Self, InferenceError> {
        let head = header::Header::read(path).map_err(|error| match error {
            InferenceError::Missing { path } => AdapterError::Missing { path }.into(),
            other => other,
        })?;
        let alphas = alphas(path, &head.tensors).map_err(|source| unreadable(path, source.to_string()))?;
        let shapes = head.tensors.into_iter().map(|tensor| (tensor.name, tensor.shape)).collect();
        Ok(Self { shapes, alphas, metadata: head.metadata })
    }
}

fn alphas(path: &Path, tensors: &[header::TensorInfo]) -> io::Result<HashMap<String, Option<f64>>> {
    let mut file = File::open(path)?;
    let mut alphas = HashMap::new();
    for tensor in tensors.iter().filter(|tensor| tensor.name.ends_with(ALPHA) && tensor.n_values() > 0) {
        let mut value = [0; 8];
        let n_bytes = tensor.dtype.bitsize().div_ceil(8).min(8);
        file.seek(SeekFrom::Start(tensor.range.start as u64))?;
        file.read_exact(&mut value[..n_bytes])?;
        alphas.insert(tensor.name.clone(), number(tensor.dtype, value));
    }
    Ok(alphas)
}

/// The number that the first of these bytes are; `None` for types that are no numbers.
fn number(dtype: Dtype, bytes: [u8; 8]) -> Option<f64> {
    let [a, b, c, d, ..] = bytes;
    Some(match dtype {
        Dtype::U8 => a.into(),
        Dtype::I8 => a.cast_signed().into(),
        Dtype::U16 => u16::from_le_bytes([a, b]).into(),
        Dtype::I16 => i16::from_le_bytes([a, b]).into(),
        Dtype::U32 => u32::from_le_bytes([a, b, c, d]).into(),
        Dtype::I32 => i32::from_le_bytes([a, b, c, d]).into(),
        Dtype::U64 => u64::from_le_bytes(bytes) as f64,
        Dtype::I64 => i64::from_le_bytes(bytes) as f64,
        Dtype::F16 => half(u16::from_le_bytes([a, b]), 5, 10),
        // The lower half of a float32 is cut off.
        Dtype::BF16 => f32::from_le_bytes([0, 0, a, b]).into(),
        Dtype::F32 => f32::from_le_bytes([a, b, c, d]).into(),
        // As weights of this type are read.
        Dtype::F64 => (f64::from_le_bytes(bytes) as f32).into(),
        Dtype::F8_E5M2 => half(u16::from(a) << 8, 5, 10),
        // This type has no infinities, and one bit pattern of each sign that is no number.
        Dtype::F8_E4M3 if a & 0x7f == 0x7f => f64::NAN,
        Dtype::F8_E4M3 => {
            let (sign, exponent, mantissa) = (if a & 0x80 == 0 { 1.0 } else { -1.0 }, (a >> 3) & 0xf, f64::from(a & 7) / 8.0);
            sign * if exponent == 0 { mantissa * 2f64.powi(-6) } else { (1.0 + mantissa) * 2f64.powi(i32::from(exponent) - 7) }
        }
        _ => return None,
    })
}

/// A float of this many bits of exponent and mantissa, as IEEE 754 has them.
fn half(bits: u16, n_exponent: u32, n_mantissa: u32) -> f64 {
    let largest = (1 << n_exponent) - 1;
    let (exponent, mantissa) =
        (i32::from(bits >> n_mantissa) & largest, f64::from(bits & ((1 << n_mantissa) - 1)) / f64::from(1 << n_mantissa));
    let sign = if bits >> (n_exponent + n_mantissa) & 1 == 0 { 1.0 } else { -1.0 };
    let bias = largest / 2;
    sign * match exponent {
        0 => mantissa * 2f64.powi(1 - bias),
        _ if exponent == largest && mantissa == 0.0 => f64::INFINITY,
        _ if exponent == largest => f64::NAN,
        _ => (1.0 + mantissa) * 2f64.powi(exponent - bias),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alpha_may_have_any_type_of_number() {
        let bytes = |some: &[u8]| {
            let mut bytes = [0; 8];
            bytes[..some.len()].copy_from_slice(some);
            bytes
        };
        for (dtype, some, expected) in [
            (Dtype::U8, &[200][..], 200.0),
            (Dtype::I8, &[0xfe], -2.0),
            (Dtype::U16, &[0, 0x80], 32_768.0),
            (Dtype::I16, &[0xff, 0xff], -1.0),
            (Dtype::U32, &[4, 0, 0, 0], 4.0),
            (Dtype::I32, &[0xfc, 0xff, 0xff, 0xff], -4.0),
            (Dtype::U64, &[8], 8.0),
            (Dtype::I64, &[0xff; 8], -1.0),
            (Dtype::F16, &0x4400u16.to_le_bytes(), 4.0),
            (Dtype::F16, &0x3555u16.to_le_bytes(), 0.333_251_953_125),
            (Dtype::F16, &0x0001u16.to_le_bytes(), 5.960_464_477_539_063e-8),
            (Dtype::BF16, &0xc0a0u16.to_le_bytes(), -5.0),
            (Dtype::F32, &1.5f32.to_le_bytes(), 1.5),
            (Dtype::F64, &0.1f64.to_le_bytes(), f64::from(0.1f32)),
            (Dtype::F8_E5M2, &[0x44], 4.0),
            (Dtype::F8_E5M2, &[0xc5], -5.0),
            (Dtype::F8_E4M3, &[0x48], 4.0),
            (Dtype::F8_E4M3, &[0x7e], 448.0),
            (Dtype::F8_E4M3, &[0x81], -0.001_953_125),
        ] {
            assert_eq!(number(dtype, bytes(some)), Some(expected), "{dtype:?} {some:?}");
        }
        for (dtype, some) in
            [(Dtype::F16, [0, 0x7e]), (Dtype::F8_E5M2, [0x7e, 0]), (Dtype::F8_E4M3, [0xff, 0]), (Dtype::BF16, [0xc0, 0x7f])]
        {
            assert!(number(dtype, bytes(&some)).is_some_and(f64::is_nan), "{dtype:?}");
        }
        assert_eq!(number(Dtype::BOOL, bytes(&[1])), None);
    }
}
