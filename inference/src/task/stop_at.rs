//! Where a picture is handed out before its end.

use serde::{Deserialize, Serialize};

use super::TextToImage;

/// Least per cent of its steps after which a picture may be handed out.
pub const MIN_STOP: u32 = 10;

/// After which of its steps, all passes together, a picture is handed out as it is then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopAt {
    /// A share of them in per cent, [`MIN_STOP`] to 100.
    Percent(u32),
    /// So many of them, at least one: what became of a picture that somebody stopped.
    Steps(u32),
}

impl StopAt {
    /// In per cent of so many steps, as far as that is a share that can be asked for.
    pub fn percent(self, n_steps: u32) -> u32 {
        match self {
            Self::Percent(percent) => percent,
            Self::Steps(steps) => (u64::from(steps) * 100 / u64::from(n_steps.max(1))).clamp(MIN_STOP.into(), 100) as u32,
        }
    }
}

impl TextToImage {
    /// Steps of a picture after which it is handed out, of as many as it would have in all: of a share the nearest number, at least one.
    pub fn stops_after(&self, n_steps: u32) -> u32 {
        let steps = match self.stop_at {
            None => n_steps,
            Some(StopAt::Percent(percent)) => (n_steps * percent.min(100) + 50) / 100,
            Some(StopAt::Steps(steps)) => steps,
        };
        steps.clamp(n_steps.min(1), n_steps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_the_steps_is_the_nearest_number_of_them() {
        let check = |n_steps, stop_at, expected| {
            let base = TextToImage { stop_at, ..TextToImage::default() };
            assert_eq!(base.stops_after(n_steps), expected, "{stop_at:?} of {n_steps}");
        };
        let table =
            [(1, 10, 1), (4, 10, 1), (4, 37, 1), (4, 38, 2), (25, 60, 15), (30, 55, 17), (20, 100, 20), (2000, 10, 200), (0, 50, 0)];
        table.into_iter().for_each(|(n_steps, percent, expected)| check(n_steps, Some(StopAt::Percent(percent)), expected));
        check(7, Some(StopAt::Percent(u32::MAX)), 7);
        check(7, None, 7);
        for (steps, expected) in [(0, 1), (1, 1), (3, 3), (7, 7), (8, 7)] {
            check(7, Some(StopAt::Steps(steps)), expected);
        }
        for (stop_at, expected) in [(StopAt::Percent(60), 60), (StopAt::Steps(13), 52), (StopAt::Steps(1), 10), (StopAt::Steps(26), 100)] {
            assert_eq!(stop_at.percent(25), expected, "{stop_at:?}");
        }
    }
}
