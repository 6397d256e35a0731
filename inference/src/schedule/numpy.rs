//! The few numerical routines of numpy and torch that must agree to the last bit, because a timestep is cut off or rounded after them.

/// `numpy.linspace(start, end, n)`.
pub(super) fn linspace(start: f64, end: f64, n: usize) -> Vec<f64> {
    let step = (end - start) / (n.max(2) - 1) as f64;
    (0..n).map(|i| if i > 0 && i + 1 == n { end } else { i as f64 * step + start }).collect()
}

/// `numpy.arange(start, 0, -step)`, which adds up a step that was rounded once.
pub(super) fn falling_range(start: f64, step: f64) -> Vec<f64> {
    let stride = start - (start - step);
    let n = (start / step).ceil() as usize;
    (0..n).map(|i| start - i as f64 * stride).collect()
}

/// `torch.linspace(start, end, n)` in float32: from both ends to the middle, with fused multiply-adds.
pub(super) fn linspace_f32(start: f32, end: f32, n: usize) -> Vec<f32> {
    let step = (end - start) / (n.max(2) - 1) as f32;
    let value = |i: usize| if i < n / 2 { step.mul_add(i as f32, start) } else { (-step).mul_add((n - 1 - i) as f32, end) };
    (0..n).map(value).collect()
}

/// `numpy.interp(position, [0, 1, …], values)`.
pub(super) fn interpolate(values: &[f32], position: f64) -> f64 {
    let low = (position.max(0.0).floor() as usize).min(values.len() - 1);
    let high = (low + 1).min(values.len() - 1);
    let (below, above) = (f64::from(values[low]), f64::from(values[high]));
    (above - below) * (position - low as f64).clamp(0.0, 1.0) + below
}

/// `numpy.log` of float32 on x86-64 (numpy, `loops_exponent_log.dispatch.c.src`), which is not always the nearest float.
#[expect(clippy::excessive_precision, reason = "the constants are spelled as in the source")]
pub(super) fn ln_f32(x: f32) -> f32 {
    const P: [f32; 6] = [
        2.589979117907922693523e-02,
        3.808837741388407920751e-01,
        1.480000633576506585156,
        2.112677543073053063722,
        9.999999999999998702752e-01,
        0.0,
    ];
    const Q: [f32; 6] = [
        5.875095403124574342950e-03,
        1.546476374983906719538e-01,
        9.864942958519418960339e-01,
        2.453006071784736363091,
        2.612677543073109236779,
        1.0,
    ];
    if !(x >= f32::MIN_POSITIVE && x.is_finite()) {
        return x.ln();
    }
    let mut exponent = ((x.to_bits() >> 23) as i32 - 126) as f32;
    let mut mantissa = f32::from_bits((x.to_bits() & 0x007f_ffff) | 0x3f00_0000);
    if mantissa <= std::f32::consts::FRAC_1_SQRT_2 {
        mantissa *= 2.0;
        exponent -= 1.0;
    }
    let y = mantissa - 1.0;
    let polynomial = |coefficients: [f32; 6]| coefficients.into_iter().reduce(|sum, c| sum.mul_add(y, c)).unwrap_or_default();
    exponent.mul_add(std::f32::consts::LN_2, polynomial(P) / polynomial(Q))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values and bits of numpy 2.4 (AVX-512), the first two of them not the nearest floats to the logarithm.
    #[test]
    fn logarithms_have_numpys_bits() {
        for (x, bits) in [
            (0x3d9e92b1, 0xc023bce4),
            (0x3fa1a0a9, 0x3e6edce7),
            (0x4169d597, 0x402ba649),
            (0x3ceef0bd, 0xc0623883),
            (0x3f800000, 0x00000000),
            (0x3f3504f3, 0xbeb17218),
            (0x3f3504f4, 0xbeb17215),
            (0x45800000, 0x41051592),
            (0x431d684c, 0x40a1e1ff),
            (0x40200000, 0x3f6a9208),
            (0x3e99999a, 0xbf9a1bc8),
        ] {
            assert_eq!(ln_f32(f32::from_bits(x)).to_bits(), bits, "{}", f32::from_bits(x));
        }
    }

    #[test]
    fn ranges_are_numpys() {
        for (n, wanted) in [(30, 30), (61, 62), (103, 104), (121, 122), (206, 207)] {
            assert_eq!(falling_range(1000.0, 1000.0 / f64::from(n)).len(), wanted, "numpy rounds to one value more here and there");
        }
        assert_eq!(linspace(0.0, 1.0, 3), [0.0, 0.5, 1.0]);
        assert_eq!(linspace(5.0, 9.0, 1), [5.0]);
        assert_eq!(interpolate(&[1.0, 3.0], 0.25), 1.5);
    }
}
