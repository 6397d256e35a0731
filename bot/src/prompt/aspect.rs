//! Width to height.

use super::{MAX_ASPECT, PromptError};

/// Width to height in lowest terms, at most 14:1 either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aspect {
    width: u64,
    height: u64,
}

impl Aspect {
    /// `width` to `height`, if both are at least 1 and neither is over 14 times the other.
    pub fn new(width: u64, height: u64) -> Option<Self> {
        let is_within = |long: u64, short: u64| long <= short.saturating_mul(MAX_ASPECT);
        (width >= 1 && height >= 1 && is_within(width, height) && is_within(height, width)).then(|| {
            let divisor = greatest_common_divisor(width, height);
            Self { width: width / divisor, height: height / divisor }
        })
    }

    /// Reads `W:H`; `shown` is how an error names it.
    pub(super) fn parse(text: &str, shown: &str) -> Result<Self, PromptError> {
        let shown = || shown.to_owned();
        let sides = text.split_once(':').and_then(|(width, height)| Some((width.parse::<i64>().ok()?, height.parse::<i64>().ok()?)));
        let Some((width, height)) = sides else { return Err(PromptError::NotAnAspect { shown: shown() }) };
        if width < 1 || height < 1 {
            return Err(PromptError::AspectSide { shown: shown() });
        }
        Self::new(width.unsigned_abs(), height.unsigned_abs()).ok_or_else(|| PromptError::AspectLimit { shown: shown() })
    }

    pub(super) fn ratio(self) -> f64 {
        self.width as f64 / self.height as f64
    }
}

impl std::str::FromStr for Aspect {
    type Err = PromptError;

    fn from_str(text: &str) -> Result<Self, PromptError> {
        Self::parse(text, text)
    }
}

impl std::fmt::Display for Aspect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.width, self.height)
    }
}

fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}
