//! Which device a task goes to.

/// A device as the router sees it.
pub(super) struct Candidate {
    /// What every task on its way there has still to compute, in row-megapixels.
    pub(super) left: Vec<f64>,
    /// The share of the task's parts, by bytes, that is not in memory there; 0 to 1.
    pub(super) missing: f64,
}

/// Loading all parts of a task is worth as much waiting as so many tasks like it take.
const LOADING: f64 = 4.0;

/// The device where a task of this cost ends first: where its parts are in memory, unless others there are in its way for longer than loading takes.
/// `None` where there is no device.
pub(super) fn choose(cost: f64, candidates: impl IntoIterator<Item = Candidate>) -> Option<usize> {
    let delays = candidates.into_iter().map(|Candidate { left, missing }| {
        // Tasks take turns row by row, so of each one no more than as much as this task computes itself stands in its way.
        let others: f64 = left.iter().map(|left| left.clamp(0.0, cost)).sum();
        others + LOADING * missing * cost
    });
    delays.enumerate().min_by(|(_, a), (_, b)| a.total_cmp(b)).map(|(place, _)| place)
}

/// Leaves only devices where the task's pictures go on from their states; all of them where there is none, and the task will be told so there.
pub(super) fn keep_class<Place>(open: &mut Vec<Place>, is_of_class: impl Fn(&Place) -> bool) {
    if open.iter().any(&is_of_class) {
        open.retain(is_of_class);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(cost: f64, devices: &[(&[f64], f64)], expected: Option<usize>) {
        let candidates = devices.iter().map(|&(left, missing)| Candidate { left: left.to_vec(), missing });
        assert_eq!(choose(cost, candidates), expected, "{cost} on {devices:?}");
    }

    #[test]
    fn a_task_goes_where_it_ends_first() {
        check(1.0, &[], None);
        check(1.0, &[(&[], 0.0), (&[], 0.0)], Some(0));
        // The least busy of those that have its parts.
        check(1.0, &[(&[5.0], 0.0), (&[], 0.0)], Some(1));
        check(1.0, &[(&[5.0, 5.0], 0.0), (&[0.1, 0.1, 0.1], 0.0)], Some(1));
        // One that has them is worth waiting for, but not for ever.
        check(1.0, &[(&[5.0], 0.0), (&[], 1.0)], Some(0));
        check(1.0, &[(&[5.0; 3], 0.0), (&[], 1.0)], Some(0));
        check(1.0, &[(&[5.0; 5], 0.0), (&[], 1.0)], Some(1));
        check(1.0, &[(&[], 1.0), (&[], 0.2)], Some(1));
        // A short task is not held up by how long the others are, but by how many they are.
        check(0.1, &[(&[100.0], 0.0), (&[0.1; 2], 0.0)], Some(0));
        // What was used beyond the estimate counts for nothing.
        check(1.0, &[(&[-3.0, 1.0], 0.0), (&[0.5], 0.0)], Some(1));
    }
}
