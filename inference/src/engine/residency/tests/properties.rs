//! What holds whatever happens.

use proptest::{collection::vec, prelude::*, sample::subsequence};

use super::{super::admission::MAX_PASSED, Device, Job, OF_SET, Part, SET, SIZES};

#[derive(Clone, Debug)]
enum Act {
    Arrive(Job),
    Leave(usize),
    Load(bool),
    Call(usize),
}

/// Phases of one part each, and small parts that all of them need.
fn job() -> impl Strategy<Value = Job> {
    let fixed = subsequence((3..8).collect::<Vec<Part>>(), 0..4);
    let set = prop::bool::weighted(0.2).prop_map(|has_set| if has_set { [&OF_SET[..], &[SET]].concat() } else { Vec::new() });
    (fixed, set, vec(0..8_u8, 1..4), 1..5_usize).prop_map(|(fixed, set, parts, n_calls)| {
        // More would not fit the least budget beside the largest part.
        let fixed: Vec<Part> = if set.is_empty() { fixed } else { set };
        let phase = |part: Part| fixed.iter().copied().filter(|&other| other != part).chain([part]).collect();
        Job { phases: parts.into_iter().map(phase).collect(), n_calls, left: n_calls }
    })
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => job().prop_map(Act::Arrive),
        1 => (0..8_usize).prop_map(Act::Leave),
        6 => prop::bool::weighted(0.9).prop_map(Act::Load),
        8 => (0..8_usize).prop_map(Act::Call),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// The budget holds, nothing in use leaves, nothing is loaded twice at once (`settle` checks these at every step), and all end.
    #[test]
    fn whatever_happens_the_budget_holds_and_nobody_waits_for_ever(budget in 19..40_u64, acts in vec(act(), 1..80)) {
        let mut device = Device::new(budget);
        for act in acts {
            match act {
                Act::Arrive(job) => {
                    device.arrive(job);
                }
                Act::Leave(n) => {
                    if let Some(&id) = device.jobs.keys().nth(n) {
                        device.leave(id);
                    }
                }
                Act::Load(succeeds) => {
                    device.load(succeeds);
                }
                Act::Call(n) => {
                    device.call(n);
                }
            }
        }
        device.drain();
        prop_assert!(device.residency.n_bytes() <= budget);
    }

    /// A task all of whose parts are in memory for running tasks starts at once, whoever waits for room or for a load.
    #[test]
    fn who_needs_nothing_never_waits(budget in 19..40_u64, running in job(), waiting in vec(job(), 0..MAX_PASSED as usize)) {
        let mut device = Device::new(budget);
        let first = device.arrive(running.clone());
        device.load_all();
        prop_assert!(device.has_started(first));
        let is_whole = running.phases.iter().flatten().all(|part| device.residency.is_resident(part));
        prop_assume!(is_whole);
        for job in waiting {
            device.arrive(job);
        }
        let id = device.arrive(running);
        prop_assert!(device.has_started(id), "{:?}", device.residency);
    }

    /// However many come later, a task that waits for room is started once those have ended that came before it had aged.
    #[test]
    fn who_waits_is_passed_by_few(
        budget in 19..30_u64,
        before in vec(job(), 1..4),
        waiting in job(),
        later in vec(job(), 60),
    ) {
        let mut device = Device::new(budget);
        for job in before {
            device.arrive(job);
        }
        let id = device.arrive(waiting);
        let mut n_later = 0;
        for job in later {
            if device.has_started(id) || device.failed.contains(&id) {
                break;
            }
            n_later += 1;
            // There are always some more that wait, and one call is made for each that comes.
            device.arrive(job);
            device.load(true);
            for n in 0..8 {
                device.call(n);
            }
        }
        if !device.has_started(id) {
            device.drain();
            prop_assert!(device.has_started(id), "{n_later} came later");
        }
        device.drain();
    }

    /// A part that cannot be loaded fails those that wait for it, and what is in memory stays there.
    #[test]
    fn a_part_that_cannot_be_opened_takes_nothing_away(budget in 19..40_u64, resident in job(), broken in job()) {
        let mut device = Device::new(budget);
        device.arrive(resident);
        device.drain();
        let before: Vec<Part> = { let mut all: Vec<Part> = device.residency.residents().copied().collect(); all.sort_unstable(); all };
        device.dropped.clear();
        let id = device.arrive(broken);
        while device.load(false) {}
        let mut after: Vec<Part> = device.residency.residents().copied().collect();
        after.sort_unstable();
        prop_assert_eq!(before, after);
        prop_assert!(device.dropped.is_empty());
        prop_assert!(device.failed.contains(&id) || device.has_started(id));
    }

    /// What left for a task of which a part cannot be read is back afterwards.
    #[test]
    fn a_part_that_cannot_be_read_takes_nothing_away(
        budget in 19..40_u64,
        resident in vec(0..8_u8, 1..6),
        broken in subsequence((0..8).collect::<Vec<Part>>(), 1..5),
        n_read in 0..4_usize,
    ) {
        let mut device = Device::new(budget);
        for part in resident {
            device.arrive(Job::new(&[&[part]], 1));
            device.drain();
        }
        let before = device.resident.clone();
        let broken: Vec<Part> = broken.into_iter().filter(|part| !before.contains(part)).collect();
        prop_assume!(!broken.is_empty() && broken.iter().map(|part| SIZES[usize::from(*part)]).sum::<u64>() <= budget);
        device.arrive(Job::new(&[&broken[..]], 1));
        device.open_all();
        for _ in 0..n_read % broken.len() {
            device.load(true);
        }
        prop_assert!(device.load(false));
        device.load_all();
        prop_assert!(device.resident.is_superset(&before), "{:?} of {before:?}", device.resident);
    }
}
