//! Exponential and error function that the compiler turns into vector code. Only additions and multiplications, so the bits are the same on every machine.

use pulp::Arch;
use rayon::prelude::*;

/// Numbers per task of an elementwise operation.
const GRAIN: usize = 16 * 1024;

/// Runs a loop compiled for this machine's widest vectors.
#[inline(always)]
pub fn vectorised<R>(work: impl FnOnce() -> R) -> R {
    Arch::new().dispatch(work)
}

/// `exp(value)` within 2 units in the last place, 0 below -87.3, `exp(88.3)` above that. Cody and Waite's reduction, a Taylor polynomial of degree 7.
#[inline(always)]
pub fn exp(value: f32) -> f32 {
    // Adding 1.5·2²³ rounds to an integer in the low bits.
    const ROUND: f32 = 12_582_912.0;
    // Comparisons and not `max`, so that not-a-number stays one.
    let clamped = if value < -87.3 { -87.3 } else { value };
    let clamped = if clamped > 88.3 { 88.3 } else { clamped };
    let shifted = clamped * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = clamped - n * 0.693_359_4 - n * -2.121_944_4e-4;
    let mut sum = 1.0 / 5040.0;
    for term in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        sum = sum * r + term;
    }
    let power = f32::from_bits(shifted.to_bits().wrapping_add(127) << 23);
    if value < -87.3 { 0.0 } else { sum * power }
}

/// `erf(value)` within 2 units in the last place (N. Juffa's polynomials for float32).
#[inline(always)]
pub fn erf(value: f32) -> f32 {
    let t = value.abs();
    let s = value * value;
    let near = {
        let mut r = -5.967_617e-4_f32;
        for term in [4.991_194_2e-3, -2.676_813_5e-2, 1.128_199_25e-1, -3.761_253_4e-1, 1.283_791_7e-1] {
            r = r * s + term;
        }
        r * value + value
    };
    let far = {
        let r = -1.728_534_7e-5_f32 * t + 3.831_971_3e-4;
        let u = -3.883_964_4e-3_f32 * t + 2.425_462_2e-2;
        let mut r = r * s + u;
        for term in [-1.067_778_8e-1, -6.348_467e-1, -1.287_175_1e-1] {
            r = r * t + term;
        }
        (1.0 - exp(r * t - t)).copysign(value)
    };
    if t > 0.927_734_4 { far } else { near }
}

/// `value · sigmoid(value)`.
#[inline(always)]
pub fn silu(value: f32) -> f32 {
    value / (1.0 + exp(-value))
}

/// `value · sigmoid(1.702 · value)`, the approximation that CLIP was trained with.
#[inline(always)]
pub fn quick_gelu(value: f32) -> f32 {
    value / (1.0 + exp(-1.702 * value))
}

/// `value · Φ(value)`, exact.
#[inline(always)]
pub fn gelu(value: f32) -> f32 {
    0.5 * value * (1.0 + erf(value * std::f32::consts::FRAC_1_SQRT_2))
}

/// Applies `function` to every number.
pub fn map(values: &[f32], function: impl Fn(f32) -> f32 + Sync) -> Vec<f32> {
    let mut out = vec![0.0; values.len()];
    out.par_chunks_mut(GRAIN).zip(values.par_chunks(GRAIN)).for_each(|(out, values)| {
        vectorised(
            #[inline(always)]
            || {
                for (out, value) in out.iter_mut().zip(values) {
                    *out = function(*value);
                }
            },
        )
    });
    out
}

/// `hidden · gelu(gate)` of rows that hold `width` hidden numbers and then `width` gates.
pub fn geglu(values: &[f32], width: usize) -> Vec<f32> {
    let mut out = vec![0.0; values.len() / 2];
    let rows = (GRAIN / width).max(1);
    out.par_chunks_mut(rows * width).zip(values.par_chunks(rows * 2 * width)).for_each(|(out, values)| {
        vectorised(
            #[inline(always)]
            || {
                for (out, row) in out.chunks_exact_mut(width).zip(values.chunks_exact(2 * width)) {
                    let (hidden, gate) = row.split_at(width);
                    for ((out, hidden), gate) in out.iter_mut().zip(hidden).zip(gate) {
                        *out = hidden * gelu(*gate);
                    }
                }
            },
        )
    });
    out
}

/// `silu(gate) · value` of numbers side by side.
pub fn swiglu(gates: &[f32], values: &[f32]) -> Vec<f32> {
    let mut out = vec![0.0; values.len()];
    out.par_chunks_mut(GRAIN).zip(gates.par_chunks(GRAIN).zip(values.par_chunks(GRAIN))).for_each(|(out, (gates, values))| {
        vectorised(
            #[inline(always)]
            || {
                for ((out, gate), value) in out.iter_mut().zip(gates).zip(values) {
                    *out = silu(*gate) * value;
                }
            },
        )
    });
    out
}

/// Planes whose numbers below zero are multiplied by their channel's slope.
pub fn prelu(values: &[f32], slopes: &[f32], plane: usize) -> Vec<f32> {
    let mut out = vec![0.0; values.len()];
    out.par_chunks_mut(plane).zip(values.par_chunks(plane)).enumerate().for_each(|(index, (out, values))| {
        let slope = slopes[index % slopes.len()];
        vectorised(
            #[inline(always)]
            || {
                for (out, value) in out.iter_mut().zip(values) {
                    *out = if *value < 0.0 { value * slope } else { *value };
                }
            },
        )
    });
    out
}

/// Sum of `function` over all numbers: sixteen float32 sums over at most 1024 numbers each, then double precision.
#[inline(always)]
pub fn sum(values: &[f32], function: impl Fn(f32) -> f32) -> f64 {
    let mut total = 0.0;
    for block in values.chunks(1024) {
        let mut lanes = [0.0_f32; 16];
        let (whole, rest) = block.as_chunks::<16>();
        for group in whole {
            for (lane, value) in lanes.iter_mut().zip(group) {
                *lane += function(*value);
            }
        }
        for (lane, value) in lanes.iter_mut().zip(rest) {
            *lane += function(*value);
        }
        total += lanes.iter().map(|lane| f64::from(*lane)).sum::<f64>();
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, ours: fn(f32) -> f32, exact: fn(f64) -> f64, range: f32, relative: f64, absolute: f64) {
        for i in -20_000..=20_000 {
            let value = i as f32 / 20_000.0 * range;
            let (found, expected) = (f64::from(ours(value)), exact(f64::from(value)));
            assert!((found - expected).abs() <= relative * expected.abs() + absolute, "{name}({value}) = {found}, not {expected}");
        }
    }

    #[test]
    fn every_set_of_kernels_gives_the_same_bits() {
        let values: Vec<f32> = (-4000..4000).map(|i| i as f32 / 100.0).collect();
        for function in [exp, erf, silu, quick_gelu] {
            let bits = |set: Arch| set.dispatch(|| values.iter().map(|value| function(*value).to_bits()).collect::<Vec<_>>());
            let sets = crate::ops::cpu::kernels::all();
            for set in &sets[1..] {
                assert_eq!(bits(*set), bits(sets[0]));
            }
        }
    }

    #[test]
    fn functions_are_as_exact_as_float32_allows() {
        let exact_gelu: fn(f64) -> f64 = |x| 0.5 * x * (1.0 + candle_core::cpu::erf::erf_f64(x / 2f64.sqrt()));
        check("exp", exp, f64::exp, 87.0, 2.5e-7, 0.0);
        check("erf", erf, candle_core::cpu::erf::erf_f64, 5.0, 2.5e-7, 0.0);
        check("silu", silu, |x| x / (1.0 + (-x).exp()), 30.0, 5e-7, 0.0);
        check("quick_gelu", quick_gelu, |x| x / (1.0 + (-1.702 * x).exp()), 20.0, 2e-6, 1e-7);
        check("gelu", gelu, exact_gelu, 8.0, 5e-7, 5e-7);
    }

    #[test]
    fn limits_are_kept() {
        assert_eq!(exp(-1000.0), 0.0);
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(erf(30.0), 1.0);
        assert_eq!(erf(-30.0), -1.0);
        assert!(silu(-1000.0).abs() < 1e-30);
        for function in [exp, erf, silu, quick_gelu, gelu] {
            assert!(function(f32::NAN).is_nan());
        }
    }
}
