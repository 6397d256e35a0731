//! Notices an engine that does nothing for a job any more: a device that hangs answers nobody, and no error comes of it. Time is counted in looks, so
//! that neither a clock that leaps nor a machine that slept makes a device hang.

use std::time::Duration;

use inference::engine::Pulse;

/// How often the engine's pulse is looked at.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(30);
/// A device that does nothing at all for this long hangs.
const DEVICE: Duration = Duration::from_secs(10 * 60);
/// The same where the device is slow: it may need this long for so many row-megapixels, which are more than any batch.
const LARGEST_BATCH: f64 = 64.0;
/// A model is read, or waited for, no longer than this.
const WAITING: Duration = Duration::from_secs(60 * 60);

/// What was seen of the engine's pulse for a job.
#[derive(Debug, Default)]
pub(super) struct Watch {
    device: Silence,
    task: Silence,
}

/// How many signs of life there were when it was looked last, and how many looks found no more.
#[derive(Debug, Default)]
struct Silence {
    n_beats: Option<u64>,
    n_looks: u32,
}

impl Silence {
    /// How long there has been no sign of life, at a look that finds so many.
    fn look(&mut self, n_beats: u64) -> Duration {
        self.n_looks = if self.n_beats.replace(n_beats) == Some(n_beats) { self.n_looks.saturating_add(1) } else { 0 };
        LOOK_EVERY.saturating_mul(self.n_looks)
    }
}

impl Watch {
    /// Looks, every [`LOOK_EVERY`], whether the engine hangs for the job: its device shows no sign of life, or the job itself has had nothing of it for so
    /// long that it never will. `pace` is how many seconds the engine takes for a row-megapixel; nothing is known of that before its first batch.
    pub(super) fn hangs(&mut self, pulse: &Pulse, is_loading: bool, pace: Option<f64>) -> bool {
        let batch = pace.map_or(WAITING, |pace| Duration::try_from_secs_f64(pace * LARGEST_BATCH).unwrap_or(Duration::MAX)).max(DEVICE);
        let device = if is_loading { batch.max(WAITING) } else { batch };
        let (of_device, of_task) = (self.device.look(pulse.device.n), self.task.look(pulse.task.n));
        of_device >= device || of_task >= batch.max(WAITING).saturating_mul(6)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use inference::engine::Beat;

    use super::*;

    /// At which minute an engine is found to hang whose device and task are alive until a minute.
    fn hangs_at(device: u64, task: u64, is_loading: bool, pace: Option<f64>) -> Option<u64> {
        let beat = |n| Beat { n, at: Instant::now() };
        let mut watch = Watch::default();
        let found = (0..=2 * 24 * 60).find(|half| {
            let minute = half / 2;
            watch.hangs(&Pulse { task: beat(minute.min(task)), device: beat(minute.min(device)) }, is_loading, pace)
        });
        found.map(|half| half / 2)
    }

    #[test]
    fn an_engine_hangs_when_it_is_silent_for_longer_than_anything_takes() {
        let (long, hour) = (u64::MAX, 60);
        for (device, task, is_loading, pace, expected) in [
            (long, long, false, Some(0.1), None),
            (0, 0, false, Some(0.1), Some(10)),
            (7, 7, false, Some(0.1), Some(17)),
            // A minute for a row-megapixel: a batch may take an hour.
            (0, 0, false, Some(60.0), Some(64)),
            // Nobody knows how fast it is.
            (0, 0, false, None, Some(hour)),
            // It reads a model.
            (0, 0, true, Some(0.1), Some(hour)),
            // Others are drawn, and this one is not.
            (long, 0, false, Some(0.1), Some(6 * hour)),
            (long, 0, true, Some(0.1), Some(6 * hour)),
        ] {
            assert_eq!(hangs_at(device, task, is_loading, pace), expected, "{device} and {task}, {is_loading}, {pace:?}");
        }
    }
}
