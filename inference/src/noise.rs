//! Noise, bit for bit as torch's CPU generator draws it on x86-64, so that a seed means the same picture as in other programs.

use std::f64::consts::PI;

const N: usize = 624;
const M: usize = 397;

/// torch's CPU generator: a Mersenne Twister (mt19937), a position in it, and the second half of the last pair of `f64` normals.
///
/// Source: pytorch, `aten/src/ATen/core/MT19937RNGEngine.h`, `DistributionsHelper.h`, `native/cpu/DistributionTemplates.h`, `avx_mathfun.h`.
#[derive(Clone, Debug, PartialEq)]
pub struct TorchGenerator {
    state: Box<[u32; N]>,
    position: usize,
    cached: Option<f64>,
}

/// A generator as data. It goes on with the same numbers, in the middle of a pair too.
#[derive(Clone, Debug, PartialEq)]
pub struct GeneratorState {
    /// The twister's words.
    pub words: Vec<u32>,
    /// The next one.
    pub position: u32,
    /// The second half of the last pair of normals.
    pub cached: Option<f64>,
}

impl GeneratorState {
    /// Whether there is such a generator.
    pub fn is_valid(&self) -> bool {
        self.words.len() == N && self.position as usize <= N
    }
}

impl From<&TorchGenerator> for GeneratorState {
    fn from(generator: &TorchGenerator) -> Self {
        Self { words: generator.state.to_vec(), position: generator.position as u32, cached: generator.cached }
    }
}

impl TorchGenerator {
    /// The generator of a state; `None` if there is no such.
    pub fn restored(state: &GeneratorState) -> Option<Self> {
        let words: [u32; N] = state.words.as_slice().try_into().ok()?;
        state.is_valid().then(|| Self { state: Box::new(words), position: state.position as usize, cached: state.cached })
    }

    /// A generator as after `torch.Generator().manual_seed(seed)`, which drops the upper 32 bits.
    pub fn new(seed: u64) -> Self {
        let mut state = Box::new([0u32; N]);
        state[0] = seed as u32;
        for j in 1..N {
            let last = state[j - 1];
            state[j] = 1_812_433_253u32.wrapping_mul(last ^ (last >> 30)).wrapping_add(j as u32);
        }
        Self { state, position: N, cached: None }
    }

    /// Draws `n` standard normals, as `torch.randn(n, generator=…)` in float32.
    pub fn randn(&mut self, n: usize) -> Vec<f32> {
        if n < 16 {
            return (0..n).map(|_| self.normal_f64() as f32).collect();
        }
        let mut values: Vec<f32> = (0..n).map(|_| self.uniform_f32()).collect();
        for block in values.as_chunks_mut::<16>().0 {
            box_muller(block);
        }
        if !n.is_multiple_of(16) {
            // torch draws the last sixteen again when they do not fill a block.
            let mut tail = [0f32; 16];
            tail.fill_with(|| self.uniform_f32());
            box_muller(&mut tail);
            values[n - 16..].copy_from_slice(&tail);
        }
        values
    }

    fn normal_f64(&mut self) -> f64 {
        if let Some(value) = self.cached.take() {
            return value;
        }
        let angle = 2.0 * PI * self.uniform_f64();
        let radius = (-2.0 * (-self.uniform_f64()).ln_1p()).sqrt();
        self.cached = Some(radius * angle.sin());
        radius * angle.cos()
    }

    fn uniform_f32(&mut self) -> f32 {
        (self.next_u32() & 0x00ff_ffff) as f32 * (1.0 / 16_777_216.0)
    }

    fn uniform_f64(&mut self) -> f64 {
        let high = u64::from(self.next_u32()) << 32;
        let bits = high | u64::from(self.next_u32());
        (bits & ((1 << 53) - 1)) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    fn next_u32(&mut self) -> u32 {
        if self.position == N {
            self.twist();
        }
        let mut y = self.state[self.position];
        self.position += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }

    fn twist(&mut self) {
        for i in 0..N {
            let y = (self.state[i] & 0x8000_0000) | (self.state[(i + 1) % N] & 0x7fff_ffff);
            let odd = if y & 1 == 1 { 0x9908_b0df } else { 0 };
            self.state[i] = self.state[(i + M) % N] ^ (y >> 1) ^ odd;
        }
        self.position = 0;
    }
}

/// Turns sixteen uniforms into normals in place: the first eight give radii, the last eight angles.
fn box_muller(block: &mut [f32; 16]) {
    for j in 0..8 {
        let radius = (-2.0 * ln(1.0 - block[j])).sqrt();
        let (sin, cos) = sin_cos((2.0 * PI) as f32 * block[j + 8]);
        block[j] = radius * cos;
        block[j + 8] = radius * sin;
    }
}

/// The logarithm as `avx_mathfun.h` computes it with fused multiply-adds; `ln` of the standard library differs in the last bit.
#[expect(clippy::excessive_precision, reason = "the constants are spelled as in the source")]
fn ln(x: f32) -> f32 {
    let x = x.max(f32::MIN_POSITIVE);
    let mut exponent = ((x.to_bits() >> 23) as i32 - 126) as f32;
    let mut x = f32::from_bits((x.to_bits() & 0x007f_ffff) | 0x3f00_0000);
    let small = x < std::f32::consts::FRAC_1_SQRT_2;
    let add = if small { x } else { 0.0 };
    x -= 1.0;
    if small {
        exponent -= 1.0;
    }
    x += add;
    let z = x * x;
    let mut y = 7.0376836292e-2f32;
    for c in [
        -1.1514610310e-1,
        1.1676998740e-1,
        -1.2420140846e-1,
        1.4249322787e-1,
        -1.6668057665e-1,
        2.0000714765e-1,
        -2.4999993993e-1,
        3.3333331174e-1f32,
    ] {
        y = y.mul_add(x, c);
    }
    y *= x;
    y = y.mul_add(z, exponent * -2.12194440e-4);
    y = (-z).mul_add(0.5, y);
    x += y;
    exponent.mul_add(0.693359375, x)
}

/// Sine and cosine as `avx_mathfun.h` computes them with fused multiply-adds.
#[expect(clippy::excessive_precision, reason = "the constants are spelled as in the source")]
fn sin_cos(x: f32) -> (f32, f32) {
    let sign = x.to_bits() & 0x8000_0000;
    let x = x.abs();
    let octant = ((x * 1.27323954473516) as i32 + 1) & !1;
    let y = octant as f32;
    let x = y.mul_add(-0.78515625, x);
    let x = y.mul_add(-2.4187564849853515625e-4, x);
    let x = y.mul_add(-3.77489497744594108e-8, x);
    let z = x * x;
    let mut c = 2.443315711809948e-5f32;
    c = c.mul_add(z, -1.388731625493765e-3);
    c = c.mul_add(z, 4.166664568298827e-2);
    c *= z;
    c = c.mul_add(z, -(z * 0.5));
    c += 1.0;
    let mut s = -1.9515295891e-4f32;
    s = s.mul_add(z, 8.3321608736e-3);
    s = s.mul_add(z, -1.6666654611e-1);
    s *= z;
    s = s.mul_add(x, x);
    let (sin, cos) = if octant & 2 == 0 { (s, c) } else { (c, s) };
    let sin_sign = sign ^ (((octant & 4) as u32) << 29);
    let cos_sign = ((!(octant - 2) & 4) as u32) << 29;
    (f32::from_bits(sin.to_bits() ^ sin_sign), f32::from_bits(cos.to_bits() ^ cos_sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_draws_the_same_also_between_the_halves_of_a_pair() {
        let mut generator = TorchGenerator::new(7);
        generator.randn(3);
        let mut copy = generator.clone();
        assert_eq!(generator.randn(5), copy.randn(5));
        assert_eq!(generator.randn(40), copy.randn(40));
    }

    #[test]
    fn a_restored_generator_goes_on_where_it_was_saved() {
        // Odd numbers below 16 leave half a pair; 624 words are one turn of the twister.
        for n_drawn in [0, 1, 3, 15, 16, 17, 300, 623, 624, 625, 2000] {
            let mut generator = TorchGenerator::new(7);
            generator.randn(n_drawn);
            let state = GeneratorState::from(&generator);
            let mut restored = TorchGenerator::restored(&state).expect("a generator");
            assert_eq!(restored, generator);
            for n in [1, 2, 40, 700] {
                assert_eq!(restored.randn(n), generator.randn(n), "{n} after {n_drawn}");
            }
        }
        let state = GeneratorState::from(&TorchGenerator::new(7));
        assert_eq!(TorchGenerator::restored(&GeneratorState { position: N as u32 + 1, ..state.clone() }), None);
        assert_eq!(TorchGenerator::restored(&GeneratorState { words: vec![0; N - 1], ..state }), None);
    }

    #[test]
    fn only_the_lower_half_of_the_seed_counts() {
        assert_eq!(TorchGenerator::new(5), TorchGenerator::new(5 + (1 << 32)));
        assert_ne!(TorchGenerator::new(5).randn(16), TorchGenerator::new(6).randn(16));
    }
}
