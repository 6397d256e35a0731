//! How long jobs wait before they are drawn, by what the running ones show. Where nothing is shown yet, nothing is guessed.

use std::time::{Duration, Instant};

use storage::JobId;

use crate::jobs::live::{Live, LiveJobs, Phase};

/// How far a running job has come.
#[derive(Clone, Copy, Debug)]
struct Running {
    elapsed: Duration,
    done: u32,
    total: u32,
    cost: f64,
}

impl Running {
    fn of(live: &Live, now: Instant) -> Self {
        let elapsed = live.started.map_or(Duration::ZERO, |started| now.saturating_duration_since(started));
        Self { elapsed, done: live.done, total: live.total, cost: live.cost }
    }

    fn share(self) -> f64 {
        if self.total == 0 { 0.0 } else { f64::from(self.done.min(self.total)) / f64::from(self.total) }
    }
}

/// The wait of each job in the queue, given the costs in the order of turns: each begins when the job ends that is nearest to its end.
fn waits(running: &[Running], queued: &[f64]) -> Vec<Option<Duration>> {
    let shown = running.iter().filter(|job| job.done > 0 && job.cost > 0.0);
    let (seconds, cost) =
        shown.fold((0.0, 0.0), |(seconds, cost), job| (seconds + job.elapsed.as_secs_f64(), cost + job.cost * job.share()));
    // Seconds that one unit of cost takes in one job, beside the others.
    let pace = seconds / cost;
    if !pace.is_finite() {
        return vec![None; queued.len()];
    }
    let mut ends: Vec<f64> = running.iter().map(|job| pace * job.cost * (1.0 - job.share())).collect();
    let next = |cost: &f64| {
        let first = (0..ends.len()).min_by(|one, other| ends[*one].total_cmp(&ends[*other]))?;
        let wait = ends[first];
        ends[first] += pace * cost;
        Duration::try_from_secs_f64(wait).ok()
    };
    queued.iter().map(next).collect()
}

/// Every waiting job with its wait, as far as there is one to tell.
pub fn of_all(jobs: &LiveJobs, now: Instant) -> Vec<(JobId, Duration)> {
    let (mut running, mut queued) = (Vec::new(), Vec::new());
    for live in jobs {
        match live.phase {
            // It may be drawn at once: nobody has looked for its place yet.
            Phase::Queued { place: 0 } | Phase::Held => {}
            Phase::Queued { place } => queued.push((place, *live.key(), live.cost)),
            Phase::Loading | Phase::Drawing | Phase::Cancelling => running.push(Running::of(&live, now)),
        }
    }
    queued.sort_by_key(|(place, _, _)| *place);
    let costs: Vec<f64> = queued.iter().map(|(_, _, cost)| *cost).collect();
    let told = waits(&running, &costs).into_iter().zip(queued);
    told.filter_map(|(wait, (_, id, _))| Some((id, wait?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(elapsed_s: u64, done: u32, total: u32, cost: f64) -> Running {
        Running { elapsed: Duration::from_secs(elapsed_s), done, total, cost }
    }

    fn check(running: &[Running], queued: &[f64], expected: &[Option<u64>]) {
        let told: Vec<_> = waits(running, queued).into_iter().map(|wait| wait.map(|wait| wait.as_secs_f64().round() as u64)).collect();
        assert_eq!(told, expected, "{running:?} before {queued:?}");
    }

    #[test]
    fn a_wait_follows_from_what_running_jobs_show() {
        check(&[], &[1.0], &[None]);
        check(&[job(4, 0, 100, 1.0)], &[1.0, 1.0], &[None, None]);
        check(&[job(0, 0, 0, 1.0)], &[1.0], &[None]);
        check(&[job(4, 40, 0, 1.0)], &[1.0], &[None]);
        check(&[job(4, 40, 100, 1.0)], &[], &[]);
        check(&[job(4, 40, 100, 1.0)], &[1.0, 1.0, 1.0], &[Some(6), Some(16), Some(26)]);
        check(&[job(4, 100, 100, 1.0)], &[1.0, 1.0], &[Some(0), Some(4)]);
        check(&[job(4, 40, 100, 1.0)], &[3.0, 0.5, 1.0], &[Some(6), Some(36), Some(41)]);
        // Two at once: each place is taken when one of them ends.
        check(&[job(5, 50, 100, 1.0), job(2, 20, 100, 1.0)], &[1.0, 1.0, 1.0], &[Some(5), Some(8), Some(15)]);
        // One that has just begun goes at the pace of the other.
        check(&[job(5, 50, 100, 1.0), job(0, 0, 0, 2.0)], &[1.0, 1.0, 1.0], &[Some(5), Some(15), Some(20)]);
        check(&[job(5, 50, 100, 0.0)], &[1.0], &[None]);
    }
}
