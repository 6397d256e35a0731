//! From the bytes of a tensor to float32, and the scales of quantised ones.

use std::{ops::Range, sync::LazyLock};

use half::{bf16, f16, slice::HalfFloatSliceExt};
use safetensors::Dtype;

use super::opened::Opened;
use crate::error::InferenceError;

/// Bytes that are read at once: a tensor is in memory as numbers only.
const CHUNK: usize = 1 << 20;

/// How the bytes of a type become numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    F8E4M3,
    F8E5M2,
    F16,
    Bf16,
    F32,
    F64,
}

/// The types that are read, for messages.
pub(super) const KINDS: &str = "f8_e4m3, f8_e5m2, f16, bf16, f32 and f64";

impl Kind {
    pub(super) fn of(dtype: Dtype) -> Option<Self> {
        Some(match dtype {
            Dtype::F8_E4M3 => Self::F8E4M3,
            Dtype::F8_E5M2 => Self::F8E5M2,
            Dtype::F16 => Self::F16,
            Dtype::BF16 => Self::Bf16,
            Dtype::F32 => Self::F32,
            Dtype::F64 => Self::F64,
            _ => return None,
        })
    }

    /// Appends the numbers in `bytes`, which hold whole ones.
    fn decode(self, bytes: &[u8], numbers: &mut Vec<f32>) {
        match self {
            Self::F8E4M3 => numbers.extend(bytes.iter().map(|byte| E4M3[usize::from(*byte)])),
            // The upper half of a float16.
            Self::F8E5M2 => numbers.extend(bytes.iter().map(|byte| f16::from_bits(u16::from(*byte) << 8).to_f32())),
            Self::F16 => {
                // Many at once, because asking the processor for its instructions costs more than one number does.
                let halves: Vec<f16> = whole(bytes).map(f16::from_le_bytes).collect();
                let start = numbers.len();
                numbers.resize(start + halves.len(), 0.0);
                halves.convert_to_f32_slice(&mut numbers[start..]);
            }
            Self::Bf16 => numbers.extend(whole(bytes).map(|bytes| bf16::from_le_bytes(bytes).to_f32())),
            Self::F32 => numbers.extend(whole(bytes).map(f32::from_le_bytes)),
            Self::F64 => numbers.extend(whole(bytes).map(|bytes| f64::from_le_bytes(bytes) as f32)),
        }
    }
}

fn whole<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> + '_ {
    bytes.as_chunks::<N>().0.iter().copied()
}

/// The numbers of float8 with four bits of exponent, no infinities and one not-a-number of each sign.
static E4M3: LazyLock<[f32; 256]> = LazyLock::new(|| {
    std::array::from_fn(|byte| {
        let (exponent, mantissa) = ((byte >> 3) & 15, (byte & 7) as f32);
        let size = match (exponent, byte & 7) {
            (15, 7) => f32::NAN,
            (0, _) => mantissa / 8.0 * 2.0_f32.powi(-6),
            _ => (1.0 + mantissa / 8.0) * 2.0_f32.powi(exponent as i32 - 7),
        };
        if byte < 128 { size } else { -size }
    })
});

/// The numbers at a place of a file.
pub(super) fn read(file: &Opened, kind: Kind, range: Range<usize>, n_values: usize) -> Result<Vec<f32>, InferenceError> {
    let mut numbers = Vec::with_capacity(n_values);
    let mut chunk = vec![0; range.len().min(CHUNK)];
    let mut place = range.start;
    while place < range.end {
        let n_bytes = chunk.len().min(range.end - place);
        file.read_at(&mut chunk[..n_bytes], place as u64)?;
        kind.decode(&chunk[..n_bytes], &mut numbers);
        place += n_bytes;
    }
    file.check()?;
    Ok(numbers)
}

/// Where the scale of a tensor may be: beside it, as ComfyUI (`scale_weight`) and diffusers (`weight_scale`) name it.
pub(super) fn scale_names(name: &str) -> [Option<String>; 2] {
    [name.strip_suffix("weight").map(|stem| format!("{stem}scale_weight")), Some(format!("{name}_scale"))]
}

/// Whether a scale of this shape is one number, or one for each of `n_rows`.
pub(super) fn is_scale(shape: &[usize], n_rows: usize) -> bool {
    let n: usize = shape.iter().product();
    n == 1 || n == n_rows && shape.first() == Some(&n)
}

/// Multiplies rows by their scales, or all of them by the only one.
pub(super) fn apply(numbers: &mut [f32], n_rows: usize, scales: &[f32]) {
    if let [scale] = scales {
        numbers.iter_mut().for_each(|number| *number *= scale);
    } else if !numbers.is_empty() && n_rows > 0 {
        for (row, scale) in numbers.chunks_mut(numbers.len() / n_rows).zip(scales) {
            row.iter_mut().for_each(|number| *number *= scale);
        }
    }
}

/// Whether all numbers are finite.
pub(super) fn are_finite(numbers: &[f32]) -> bool {
    // A finite number times zero is zero; anything else becomes not-a-number and stays it in the sum.
    numbers.iter().map(|number| number * 0.0).sum::<f32>() == 0.0
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Tensor};

    use super::*;

    #[test]
    fn every_byte_of_float8_is_the_number_that_the_library_reads() {
        let bytes: Vec<u8> = (0..=255).collect();
        let expected = Tensor::from_raw_buffer(&bytes, DType::F8E4M3, &[256], &Device::Cpu).expect("256 bytes are 256 numbers");
        let expected: Vec<f32> =
            expected.to_dtype(DType::F32).expect("256 bytes are 256 numbers").to_vec1().expect("256 bytes are 256 numbers");
        let mut found = Vec::new();
        Kind::F8E4M3.decode(&bytes, &mut found);
        for (byte, (found, expected)) in found.iter().zip(&expected).enumerate() {
            assert!(found.to_bits() == expected.to_bits() || found.is_nan() && expected.is_nan(), "{byte}: {found} and not {expected}");
        }
    }

    /// Open Compute Project, 8-bit Floating Point Specification, table 2.
    #[test]
    fn float8_of_five_exponent_bits_has_the_numbers_of_its_specification() {
        let mut found = Vec::new();
        Kind::F8E5M2.decode(&[0x00, 0x80, 0x01, 0x03, 0x04, 0x3c, 0xbc, 0x7b, 0x7c, 0x7d], &mut found);
        let expected = [0.0, -0.0, 2.0_f32.powi(-16), 0.75 * 2.0_f32.powi(-14), 2.0_f32.powi(-14), 1.0, -1.0, 57344.0, f32::INFINITY];
        assert_eq!(found[..9], expected);
        assert!(found[9].is_nan());
    }

    #[test]
    fn scales_are_one_number_or_one_for_each_row() {
        for (shape, is_one) in [
            (&[][..], true),
            (&[1], true),
            (&[1, 1], true),
            (&[6], true),
            (&[6, 1], true),
            (&[6, 1, 1, 1], true),
            (&[4], false),
            (&[2, 3], false),
            (&[1, 6], false),
            (&[0], false),
            (&[6, 2], false),
        ] {
            assert_eq!(is_scale(shape, 6), is_one, "{shape:?}");
        }
    }
}
