//! What is made of other parts, and what comes back.

use std::collections::BTreeSet;

use super::{super::returns::Absence, Device, Job, SET};

#[test]
fn what_is_made_of_others_is_in_memory_after_them_and_leaves_before_them() {
    let mut device = Device::new(4 + 3 + 2 + 1);
    let set = || Job::new(&[&[3, 4, SET]], 1);
    device.arrive(set());
    device.drain();
    assert_eq!(device.resident, BTreeSet::from([3, 4, SET]));
    // The oldest is one that the set is made of, so the set goes first.
    device.arrive(Job::new(&[&[4]], 1));
    device.drain();
    device.arrive(Job::new(&[&[2]], 1));
    device.drain();
    assert_eq!(device.dropped, [SET, 3]);
    device.arrive(set());
    device.drain();
    assert_eq!((device.loads[&SET], device.loads[&3], device.loads[&4]), (2, 2, 1), "what stayed is not loaded again");
}

#[test]
fn what_left_for_a_task_whose_last_part_cannot_be_read_comes_back() {
    let mut device = Device::new(17);
    device.arrive(Job::new(&[&[0], &[2]], 1));
    device.drain();
    let job = || Job::new(&[&[3], &[1], &[5]], 1);
    let (broken, cancelled) = (device.arrive(job()), device.arrive(job()));
    device.open_all();
    assert!(device.load(true), "the first part is read");
    device.leave(cancelled);
    assert_eq!((device.resident.contains(&3), device.residency.is_resident(&0)), (true, false));
    device.load(false);
    assert_eq!(device.failed, [broken]);
    device.load_all();
    assert!(device.resident.is_superset(&BTreeSet::from([0, 2])), "{:?}", device.resident);
    // The next one begins with what it was loaded for, and nothing comes back for it.
    let next = device.arrive(Job::new(&[&[1]], 1));
    device.load_all();
    assert!(device.has_started(next));
    device.drain();
    assert!(device.residency.parts.values().all(|part| part.absence == Absence::Any));
}

#[test]
fn what_left_for_a_part_that_cannot_be_read_comes_back() {
    let mut device = Device::new(17);
    for part in [0, 2] {
        device.arrive(Job::new(&[&[part]], 1));
        device.drain();
    }
    let broken = device.arrive(Job::new(&[&[1]], 1));
    device.open_all();
    assert_eq!(device.dropped, [0], "for 7 bytes");
    device.load(false);
    assert_eq!(device.failed, [broken]);
    device.drain();
    device.load_all();
    assert_eq!(device.resident, BTreeSet::from([0, 2]));
    // Others load meanwhile.
    let broken = device.arrive(Job::new(&[&[1]], 1));
    let next = device.arrive(Job::new(&[&[3, 4]], 1));
    device.open_all();
    device.load(false);
    assert_eq!(device.failed.last(), Some(&broken));
    device.load_all();
    assert!(device.has_started(next));
    assert!(device.residency.n_bytes() <= device.budget);
    device.drain();
}
