//! Quantiles of the beta distribution with both parameters 0.6.

/// The beta function at (0.6, 0.6).
const BETA: f64 = 2.415_344_208_002_472_3;
const SHAPE: f64 = 0.6;

/// The value below which a share `p` of the distribution lies (`scipy.stats.beta.ppf(p, 0.6, 0.6)`).
pub(super) fn beta_quantile(p: f64) -> f64 {
    if p > 0.5 {
        return 1.0 - beta_quantile(1.0 - p);
    }
    if p <= 0.0 {
        return 0.0;
    }
    let (mut low, mut high) = (0.0f64, 0.5f64);
    // Halving the interval gains a bit a turn; the first turns find the exponent.
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            break;
        }
        if share_below(middle) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

/// The regularised incomplete beta function for `x` up to 0.5, by its continued fraction (Abramowitz and Stegun 26.5.8, evaluated after Lentz).
fn share_below(x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let guarded = |value: f64| if value.abs() < TINY { TINY } else { value };
    let (sum, next) = (2.0 * SHAPE, SHAPE + 1.0);
    let mut c = 1.0;
    let mut d = 1.0 / guarded(1.0 - sum * x / next);
    let mut fraction = d;
    for m in 1..200 {
        let m = f64::from(m);
        let even = m * (SHAPE - m) * x / ((SHAPE + 2.0 * m - 1.0) * (SHAPE + 2.0 * m));
        d = 1.0 / guarded(1.0 + even * d);
        c = guarded(1.0 + even / c);
        fraction *= d * c;
        let odd = -(SHAPE + m) * (sum + m) * x / ((SHAPE + 2.0 * m) * (next + 2.0 * m));
        d = 1.0 / guarded(1.0 + odd * d);
        c = guarded(1.0 + odd / c);
        fraction *= d * c;
        if (d * c - 1.0).abs() < 1e-16 {
            break;
        }
    }
    (SHAPE * x.ln() + SHAPE * (-x).ln_1p()).exp() * fraction / (SHAPE * BETA)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of `scipy.stats.beta.ppf(p, 0.6, 0.6)`, scipy 1.17.
    #[test]
    fn quantiles_equal_scipys() {
        for (p, wanted) in [
            (0.0, 0.0),
            (0.001, 1.855873851745199e-05),
            (0.01, 0.0008612388215429059),
            (0.1, 0.03958440558878085),
            (0.25, 0.17568037865269498),
            (0.3333333333333333, 0.2754132907776234),
            (0.5, 0.5000000000000001),
            (0.7, 0.7659829961247643),
            (0.9, 0.9604155944112192),
            (0.99, 0.9991387611784571),
            (1.0, 1.0),
        ] {
            let found = beta_quantile(p);
            assert!((found - wanted).abs() < 1e-14 * wanted.max(1e-3), "{p}: {found} is not {wanted}");
        }
    }
}
