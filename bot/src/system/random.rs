//! Seeds and words that nobody chose.

use std::hash::{BuildHasher, Hasher, RandomState};

use inference::task::Seed;

/// A random seed below 2³², so that a Discord option can carry it, whatever made it.
pub fn random_seed() -> Seed {
    Seed(random_bits() & u64::from(u32::MAX))
}

/// A number from 0.0 to below 1.0, to spread retries.
pub fn random_share() -> f64 {
    (random_bits() >> 11) as f64 / (1u64 << 53) as f64
}

/// A word that nobody guesses.
pub fn random_word() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// The standard library keys its hash maps with the system's randomness; this is not for secrets.
fn random_bits() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_seeds_differ_and_fit_an_option() {
        let seeds: Vec<_> = (0..8).map(|_| random_seed()).collect();
        assert!(seeds.iter().any(|seed| *seed != seeds[0]));
        assert!(seeds.iter().all(|seed| seed.0 <= u32::MAX.into()));
        assert!((0..100).map(|_| random_share()).all(|share| (0.0..1.0).contains(&share)));
    }
}
