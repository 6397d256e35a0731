//! How far a schedule of flow matching is shifted towards noise, as somebody says it.

use std::{fmt, hash, str::FromStr};

use serde::{Deserialize, Serialize};

/// A factor above 0 and up to 100; 1 shifts nothing. Equal ones have the same bits.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Shift(f64);

/// A number that is no shift.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a shift is a number above 0 and up to 100")]
pub struct InvalidShift;

impl Shift {
    /// The factor.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Shift {
    type Error = InvalidShift;

    fn try_from(factor: f64) -> Result<Self, InvalidShift> {
        if factor > 0.0 && factor <= 100.0 { Ok(Self(factor)) } else { Err(InvalidShift) }
    }
}

impl From<Shift> for f64 {
    fn from(shift: Shift) -> Self {
        shift.0
    }
}

impl FromStr for Shift {
    type Err = InvalidShift;

    fn from_str(text: &str) -> Result<Self, InvalidShift> {
        text.trim().parse::<f64>().map_err(|_| InvalidShift)?.try_into()
    }
}

impl PartialEq for Shift {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

impl Eq for Shift {}

impl hash::Hash for Shift {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.0.to_bits().hash(state);
    }
}

impl fmt::Display for Shift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shift_is_a_number_in_its_range() {
        for (text, expected) in [("3", Ok(3.0)), (" 6.0 ", Ok(6.0)), ("100", Ok(100.0)), ("0.5", Ok(0.5))] {
            assert_eq!(text.parse::<Shift>().map(Shift::get), expected, "{text}");
        }
        for text in ["", "0", "-1", "100.1", "nan", "inf", "turbo"] {
            assert_eq!(text.parse::<Shift>(), Err(InvalidShift), "{text}");
        }
    }
}
