//! The accounts with parts that are numbers, driven as the device thread drives them.

mod properties;
mod returns;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Residency, State, Step, TaskId, admission::MAX_PASSED};

type Part = u8;

/// Bytes of the parts 0 to 8.
const SIZES: [u64; 9] = [10, 7, 5, 4, 3, 2, 1, 1, 2];
/// A part that is made of others, which stand before it in every phase that needs it.
const SET: Part = 8;
/// What it is made of.
const OF_SET: [Part; 2] = [3, 4];

/// A task on its way: its phases, each of which needs some parts at once, and calls of the phase that are still to be made.
#[derive(Clone, Debug)]
struct Job {
    phases: Vec<Vec<Part>>,
    n_calls: usize,
    left: usize,
}

impl Job {
    fn new(phases: &[&[Part]], n_calls: usize) -> Self {
        Self { phases: phases.iter().map(|phase| phase.to_vec()).collect(), n_calls, left: n_calls }
    }

    /// Parts of every phase.
    fn fixed(&self) -> Vec<Part> {
        let first = self.phases.first().into_iter().flatten();
        first.filter(|part| self.phases.iter().all(|phase| phase.contains(part))).copied().collect()
    }

    fn parts(&self) -> Vec<(Part, u64)> {
        self.phases.iter().flatten().map(|&part| (part, SIZES[usize::from(part)])).collect()
    }
}

/// A device thread and its loader, without tensors.
struct Device {
    residency: Residency<Part>,
    budget: u64,
    jobs: BTreeMap<TaskId, Job>,
    running: Vec<TaskId>,
    /// In the order of starting.
    started: Vec<TaskId>,
    ended: Vec<TaskId>,
    failed: Vec<TaskId>,
    dropped: Vec<Part>,
    loads: HashMap<Part, u32>,
    resident: BTreeSet<Part>,
    /// What the loader has still to do: a part, and whether it is to be read.
    loader: Vec<(Part, bool)>,
    next: TaskId,
}

impl Device {
    fn new(budget: u64) -> Self {
        Self {
            residency: Residency::new(budget),
            budget,
            jobs: BTreeMap::new(),
            running: Vec::new(),
            started: Vec::new(),
            ended: Vec::new(),
            failed: Vec::new(),
            dropped: Vec::new(),
            loads: HashMap::new(),
            resident: BTreeSet::new(),
            loader: Vec::new(),
            next: 0,
        }
    }

    fn arrive(&mut self, job: Job) -> TaskId {
        self.next += 1;
        self.residency.arrived(self.next, job.parts(), &job.fixed());
        self.residency.is_made_of(&SET, &OF_SET);
        self.jobs.insert(self.next, job);
        self.settle();
        self.next
    }

    fn leave(&mut self, id: TaskId) {
        self.jobs.remove(&id);
        self.running.retain(|&other| other != id);
        self.residency.ended(id);
        self.settle();
    }

    /// Does what the accounts say until there is nothing left, and checks them.
    fn settle(&mut self) {
        let mut has_left = false;
        let calls = self.running.iter().map(|id| &self.jobs[id]);
        self.residency.demanded(calls.map(|job| job.phases[0].clone()).collect());
        while let Some(step) = self.residency.next() {
            match step {
                Step::Loading(_) => {}
                Step::Start(id) => {
                    self.running.push(id);
                    self.started.push(id);
                    let calls = self.running.iter().map(|id| &self.jobs[id]);
                    self.residency.demanded(calls.map(|job| job.phases[0].clone()).collect());
                }
                Step::Open(part) => {
                    assert!(!self.loader.iter().any(|(other, _)| *other == part), "{part} is being loaded already");
                    self.loader.push((part, false));
                }
                Step::Read(part) => {
                    assert!(!self.loader.iter().any(|(other, _)| *other == part), "{part} is being loaded already");
                    let of = if part == SET { &OF_SET[..] } else { &[] };
                    assert!(of.iter().all(|part| self.resident.contains(part)), "{part} is made of what is not there");
                    self.loader.push((part, true));
                    has_left = false;
                }
                Step::Drop(part) => {
                    has_left |= self.resident.remove(&part);
                    self.check_drop(part);
                }
            }
            self.check();
        }
        assert!(!has_left, "something left for nobody");
    }

    fn check(&self) {
        let in_memory = self.residency.parts.values().filter(|part| part.used() > 0).count();
        assert!(self.residency.n_bytes() <= self.budget || in_memory == 1, "over the budget");
        let is_tight = self.residency.is_tight();
        for job in self.running.iter().map(|id| &self.jobs[id]) {
            let lacks = job.phases.iter().flatten().any(|part| !self.residency.is_resident(part));
            assert!(is_tight || !lacks || self.residency.demands.iter().any(|demand| job.phases.contains(demand)), "a part was taken away");
        }
    }

    /// What leaves is idle.
    fn check_drop(&mut self, part: Part) {
        assert!(!OF_SET.contains(&part) || !self.resident.contains(&SET), "{part} left before what is made of it");
        assert!(!self.loader.iter().any(|(other, _)| *other == part), "{part} is being loaded");
        let mut phases = self.running.iter().map(|id| &self.jobs[id].phases[0]);
        let is_used =
            |phase: &Vec<Part>| phase.contains(&part) && phase.iter().all(|other| *other == part || self.residency.is_resident(other));
        assert!(!phases.any(is_used), "{part} is in use");
        self.dropped.push(part);
    }

    /// The loader does one thing; false when it has nothing to do.
    fn load(&mut self, succeeds: bool) -> bool {
        if self.loader.is_empty() {
            return false;
        }
        let (part, is_read) = self.loader.remove(0);
        if !succeeds {
            for id in self.residency.failed(&part) {
                self.failed.push(id);
                self.jobs.remove(&id);
            }
            let waits = |id: &&TaskId| self.jobs[*id].phases[0].contains(&part);
            let calls: Vec<TaskId> = self.running.iter().filter(waits).copied().collect();
            for id in calls {
                self.failed.push(id);
                self.leave(id);
            }
        } else if is_read {
            *self.loads.entry(part).or_default() += 1;
            self.resident.insert(part);
            self.residency.loaded(&part);
        } else {
            self.residency.opened(&part);
        }
        self.settle();
        true
    }

    /// One call of the `n`-th of those whose parts are in memory; false when there is none.
    fn call(&mut self, n: usize) -> bool {
        let ready = |id: &&TaskId| self.jobs[*id].phases[0].iter().all(|part| self.residency.is_resident(part));
        let ready: Vec<TaskId> = self.running.iter().filter(ready).copied().collect();
        let Some(&id) = ready.get(n % ready.len().max(1)) else { return false };
        let job = self.jobs.get_mut(&id).expect("it runs");
        self.residency.used(&job.phases[0]);
        job.left -= 1;
        if job.left == 0 {
            job.phases.remove(0);
            job.left = job.n_calls;
            // A call of the new phase stands behind those that wait.
            self.running.retain(|&other| other != id);
            if job.phases.is_empty() {
                self.ended.push(id);
                self.leave(id);
                return true;
            }
            self.running.push(id);
        }
        self.settle();
        true
    }

    /// Runs all to their end.
    fn drain(&mut self) {
        for turn in 0..10_000 {
            let has_called = self.call(turn);
            let has_loaded = self.load(true);
            if !has_called && !has_loaded {
                break;
            }
        }
        assert!(self.jobs.is_empty(), "somebody waits for ever: {:?}", self.residency);
    }

    /// Looks at everything that is wanted, and reads nothing.
    fn open_all(&mut self) {
        while self.loader.first().is_some_and(|(_, is_read)| !is_read) {
            self.load(true);
        }
    }

    fn has_started(&self, id: TaskId) -> bool {
        self.started.contains(&id)
    }

    /// Loads until the loader has nothing to do.
    fn load_all(&mut self) {
        while self.load(true) {}
    }
}

/// Parts of one base: text encoders 6, denoiser 0, autoencoder 7; 2 to 5 are adapters.
const TEXT: Part = 6;
const DENOISER: Part = 0;
const VAE: Part = 7;

fn drawing(adapters: &[Part], n_calls: usize) -> Job {
    Job::new(&[&[TEXT], &[&[DENOISER], adapters].concat(), &[VAE]], n_calls)
}

#[test]
fn a_task_for_what_is_in_memory_passes_one_that_waits_for_room() {
    let mut device = Device::new(10 + 1 + 1 + 5 + 4);
    let (a, b) = (device.arrive(drawing(&[2], 150)), device.arrive(drawing(&[3], 150)));
    device.load_all();
    assert!(device.has_started(a) && device.has_started(b));
    let c = device.arrive(drawing(&[4], 2));
    let d = device.arrive(drawing(&[], 2));
    assert!(!device.has_started(c), "there is no room for its adapter");
    assert!(device.has_started(d), "it needs none");
    device.drain();
    let place = |id: TaskId| device.ended.iter().position(|&ended| ended == id).expect("it ended");
    assert!(place(d) < place(a) && place(a) < place(c));
}

#[test]
fn two_tasks_that_wait_for_a_part_load_it_once() {
    let mut device = Device::new(100);
    let ids = [(); 3].map(|()| device.arrive(drawing(&[2], 3)));
    device.load_all();
    assert!(ids.iter().all(|&id| device.has_started(id)));
    assert!(device.loads.values().all(|&n| n == 1), "{:?}", device.loads);
    assert_eq!(device.loads.len(), 4);
}

#[test]
fn the_least_recently_used_leaves_and_no_more_than_must() {
    let mut device = Device::new(14);
    for part in [2, 3, 4, 2] {
        device.arrive(Job::new(&[&[part]], 1));
        device.drain();
    }
    assert!(device.dropped.is_empty(), "5 + 4 + 3 fit");
    device.arrive(Job::new(&[&[1]], 1));
    device.drain();
    assert_eq!(device.dropped, [3, 4], "4 was used last of those two, 2 after it");
}

#[test]
fn a_task_larger_than_the_budget_has_its_parts_one_after_another() {
    // 10 + 7 + 5 with room for 12: text encoders 2, denoiser 0, autoencoder 1.
    let mut device = Device::new(12);
    let large = || Job::new(&[&[2], &[0], &[1]], 5);
    let first = device.arrive(large());
    assert!(device.has_started(first));
    let second = device.arrive(large());
    assert!(device.has_started(second), "of the same parts, so it takes turns with the first");
    let other = device.arrive(Job::new(&[&[3]], 1));
    assert!(!device.has_started(other), "its part is none of theirs");
    device.drain();
    assert_eq!(device.ended.len(), 3);
    assert!(device.loads[&2] <= 2 && device.loads[&0] <= 2 && device.loads[&1] <= 2, "{:?}", device.loads);
}

#[test]
fn one_that_was_passed_often_gets_its_room() {
    // 10 and 7 exclude each other; small ones of 1 go beside either of them, 7 + 10 never.
    let mut device = Device::new(12);
    let first = device.arrive(Job::new(&[&[0]], 3));
    device.load_all();
    let waiting = device.arrive(Job::new(&[&[1]], 3));
    // Each of these lets the next one in before it ends: without an end to passing the tenth of 7 bytes would wait for all of them.
    let mut n_passed = 0;
    while !device.has_started(waiting) {
        n_passed += 1;
        assert!(n_passed < 20, "it waits for ever");
        device.arrive(Job::new(&[&[0]], 3));
        for n in 0..2 {
            device.call(n);
        }
        device.load_all();
    }
    assert!(device.ended.contains(&first));
    let later = device.started.iter().filter(|&&id| id > waiting).count() as u32;
    assert!(later <= MAX_PASSED, "{later} passed it");
}

#[test]
fn those_that_come_do_not_keep_a_part_in_memory_for_ever() {
    // Text encoders 2 and denoiser 0 exclude each other, and somebody always has a prompt to encode.
    let mut device = Device::new(12);
    let mut n_arrived = 0;
    while !device.residency.is_resident(&0) {
        n_arrived += 1;
        assert!(n_arrived < 50, "the denoiser never has its room");
        device.arrive(Job::new(&[&[2], &[0], &[1]], 2));
        device.load(true);
        device.call(0);
    }
    device.drain();
    assert_eq!(device.ended.len(), n_arrived);
}

#[test]
fn a_part_that_comes_for_nobody_any_more_stays_until_its_room_is_needed() {
    let mut device = Device::new(12);
    let id = device.arrive(Job::new(&[&[0]], 1));
    assert!(device.load(true), "it is opened");
    device.leave(id);
    device.load_all();
    let next = device.arrive(Job::new(&[&[1]], 1));
    device.load_all();
    assert!(device.has_started(next));
    assert!(device.residency.parts.values().all(|part| part.state != State::Opened));
    device.drain();
}
