//! Notices an engine that does nothing for a job any more: a device that hangs answers nobody, and no error comes of it.

use std::time::{Duration, Instant};

use inference::engine::Pulse;

/// How often the engine's pulse is looked at.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(30);
/// A device that does nothing at all for this long hangs.
const DEVICE: Duration = Duration::from_secs(10 * 60);
/// The same where the device is slow: it may need this long for so many row-megapixels, which are more than any batch.
const LARGEST_BATCH: f64 = 64.0;
/// A model is read, or waited for, no longer than this.
const WAITING: Duration = Duration::from_secs(60 * 60);

/// Whether the engine hangs for a job: its device shows no sign of life, or the job itself has had nothing of it for so long that it never will.
/// `pace` is how many seconds the engine takes for a row-megapixel; nothing is known of that before its first batch.
pub(super) fn hangs(pulse: &Pulse, is_loading: bool, pace: Option<f64>, now: Instant) -> bool {
    let batch = pace.map_or(WAITING, |pace| Duration::try_from_secs_f64(pace * LARGEST_BATCH).unwrap_or(Duration::MAX)).max(DEVICE);
    let device = if is_loading { batch.max(WAITING) } else { batch };
    let since = |at: Instant| now.saturating_duration_since(at);
    since(pulse.device.at) >= device || since(pulse.task.at) >= batch.max(WAITING).saturating_mul(6)
}

#[cfg(test)]
mod tests {
    use inference::engine::Beat;

    use super::*;

    #[test]
    fn an_engine_hangs_when_it_is_silent_for_longer_than_anything_takes() {
        let minutes = |n: u64| Duration::from_secs(n * 60);
        let now = Instant::now() + minutes(10_000);
        let check = |device: u64, task: u64, is_loading: bool, pace: Option<f64>, expected: bool| {
            let beat = |ago: u64| Beat { n: 1, at: now - minutes(ago) };
            let pulse = Pulse { task: beat(task), device: beat(device) };
            assert_eq!(hangs(&pulse, is_loading, pace, now), expected, "{device} and {task} minutes ago, {is_loading}, {pace:?}");
        };
        for (device, is_loading, pace, expected) in [
            (9, false, Some(0.1), false),
            (10, false, Some(0.1), true),
            // A minute for a row-megapixel: a batch may take an hour.
            (60, false, Some(60.0), false),
            (65, false, Some(60.0), true),
            // Nobody knows how fast it is.
            (59, false, None, false),
            (60, false, None, true),
            // It reads a model.
            (59, true, Some(0.1), false),
            (60, true, Some(0.1), true),
        ] {
            check(device, 0, is_loading, pace, expected);
        }
        // Others are drawn, and this one is not.
        check(0, 6 * 60 - 1, false, Some(0.1), false);
        check(0, 6 * 60, false, Some(0.1), true);
        check(0, 6 * 60, true, Some(0.1), true);
    }
}
