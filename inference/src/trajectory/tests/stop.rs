//! Pictures that are stopped, left out, or go on after a stop: every sampler and kind of task, and what they cost.

use std::collections::BTreeSet;

use super::{
    families::models,
    resume::{Kind, N_IMAGES, Told, cases, check_all, data, run, submission},
    *,
};
use crate::{
    engine::Progress,
    sampler::Sampler,
    state::Place,
    task::{Enlarger, StopAt},
};

fn stopped_at(task: &Submission, percent: u32) -> Submission {
    let mut task = task.clone();
    task.task.base_mut().expect("a drawing task").stop_at = Some(StopAt::Percent(percent));
    task
}

fn last(told: &Told) -> Progress {
    *told.progress.last().expect("told")
}

/// Stops a task at several places, and goes on; how many stops there were.
fn check(store: &mut Shelved, what: &str, whole: &Submission) -> usize {
    let catalogue = store.catalogue.clone();
    let end = run(store, whole.clone(), |_, _| {});
    let each = last(&end).total / N_IMAGES;
    let mut places = BTreeSet::new();
    for percent in [10, 30, 60, 80] {
        let task = stopped_at(whole, percent);
        let quote = catalogue.check(&task.task).expect("a valid task");
        let until = task.task.base().expect("a drawing task").stops_after(each);
        if !places.insert(until) {
            continue;
        }
        let told = run(store, task.clone(), |_, _| {});
        let what = format!("{what} at {until} of {each}");
        assert!(told.error.is_none() && told.images.len() == N_IMAGES as usize, "{what}: {:?}", told.error);
        assert_eq!(last(&told), Progress { done: until * N_IMAGES, total: until * N_IMAGES }, "{what}");
        assert!((told.usage.row_megapixels - quote.cost).abs() < 1e-9, "{what}: {:?} is not {}", told.usage, quote.cost);
        if until == each {
            assert!(told.stopped.is_empty() && told.images == end.images, "{what}");
            places.remove(&until);
            continue;
        }
        let size = quote.sizes.last().expect("a size");
        assert!(told.images.iter().all(|(_, image)| image.len() == (size.width * size.height * 3) as usize), "{what}");
        assert_ne!(told.images, end.images, "{what}");
        assert!(told.stopped.iter().all(|(_, stopped)| stopped.progress == Progress { done: until, total: each }), "{what}");
        let resume: Vec<_> = told.stopped.into_iter().map(|(_, stopped)| stopped.state.expect("a state")).collect();
        let begins: Vec<Option<Place>> = resume.iter().map(|state| Some(state.place())).collect();
        let rest = run(store, Submission { resume: resume.clone(), ..whole.clone() }, |_, _| {});
        assert!(rest.images == end.images && rest.error.is_none(), "{what}: bit for bit, {:?}", rest.error);
        let cost = catalogue.check_rest(&whole.task, &begins).expect("a valid task").cost;
        assert!((rest.usage.row_megapixels - cost).abs() < 1e-9, "{what}: the rest is {:?}, not {cost}", rest.usage);
        // To the next stop, with one picture from its beginning and one that is there already.
        let next = stopped_at(whole, 90);
        let some = Submission { finished: vec![3], resume: resume[..2].to_vec(), ..next.clone() };
        let cost = catalogue.check_rest(&next.task, &[begins[0], begins[1], None]).expect("a valid task").cost;
        let rest = run(store, some, |_, _| {});
        assert!(rest.error.is_none() && rest.images.len() == 3, "{what}: {:?}", rest.error);
        assert!((rest.usage.row_megapixels - cost).abs() < 1e-9, "{what}: to the next stop is {:?}, not {cost}", rest.usage);
    }
    places.len()
}

#[test]
fn every_sampler_stops_where_it_is_told_and_goes_on_to_the_same_end() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let cases = cases(folder.path());
    let n_stops = check_all(&cases, check);
    assert!(n_stops >= cases.len() * 2, "{n_stops}");
}

fn sd1() -> (tempfile::TempDir, Shelved) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    models::write_some(&data(), folder.path(), &["sd1"]);
    let store = Shelved::open(catalogue(&folder.path().join("models/sd1")));
    (folder, store)
}

#[test]
fn a_picture_that_is_left_out_costs_nothing_more_and_the_others_keep_their_bits() {
    let (_folder, mut store) = sd1();
    for kind in [Kind::Text, Kind::Image, Kind::Mask, Kind::TwoPasses(Enlarger::Latent)] {
        let task = submission(kind, Sampler::EulerA);
        let whole = run(&mut store, task.clone(), |_, _| {});
        // Rows of a step are two, and all pictures go together.
        let (each, n_all) = (last(&whole).total / N_IMAGES, (0..N_IMAGES).collect::<Vec<_>>());
        let mut seen = Vec::new();
        for at in 0..14 {
            let culled = [1, 3];
            let told = run(&mut store, task.clone(), |n_batches, meter| {
                if n_batches == at + 1 {
                    culled.iter().for_each(|index| meter.cull(*index));
                }
            });
            assert!(told.error.is_none(), "{kind:?}: {:?}", told.error);
            let found: Vec<u32> = told.images.iter().map(|(index, _)| *index).collect();
            let end = last(&told);
            assert_eq!(end.done, end.total, "{kind:?}, {at}");
            let left_out = each * N_IMAGES - end.total;
            assert_eq!(told.n_rows + u64::from(left_out) * 2, whole.n_rows, "{kind:?}, {at}: nothing is computed for the steps left out");
            assert!(found == n_all || found == [0, 2], "{kind:?}, {at}: {found:?}");
            assert!(told.images.iter().all(|image| whole.images.contains(image)), "{kind:?}, {at}: the same bits");
            let is_less = told.usage.row_megapixels < whole.usage.row_megapixels;
            assert_eq!(is_less, found == [0, 2], "{kind:?}, {at}");
            seen.push(left_out);
        }
        assert!(seen.is_sorted_by(|a, b| a >= b) && seen[0] == 2 * each && seen.contains(&2), "{kind:?}: {seen:?}");
    }
}

#[test]
fn a_stop_takes_effect_at_the_next_border_of_every_picture() {
    let (_folder, mut store) = sd1();
    let task = submission(Kind::Text, Sampler::DpmPp2M);
    let whole = run(&mut store, task.clone(), |_, _| {});
    for at in 1..8 {
        let told = run(&mut store, task.clone(), |n_batches, meter| {
            if n_batches == at {
                meter.stop();
            }
        });
        assert_eq!(told.images.len(), 4, "{at}");
        let done: Vec<_> = told.stopped.iter().map(|(_, stopped)| stopped.progress.done).collect();
        assert!(
            done.iter().all(|n| (1..4).contains(n)) && done.len() == 4 || done.is_empty() && told.images == whole.images,
            "{at}: {done:?}"
        );
        assert_eq!(last(&told).done, last(&told).total);
        let resume = told.stopped.into_iter().filter_map(|(_, stopped)| stopped.state).collect();
        let rest = run(&mut store, Submission { resume, ..task.clone() }, |_, _| {});
        assert_eq!(rest.images, whole.images, "{at}");
    }
    let all = run(&mut store, task, |n_batches, meter| {
        if n_batches == 6 {
            (0..4).for_each(|index| meter.cull(index));
        }
    });
    assert!(all.error.is_none() && all.images.is_empty() && all.usage.row_megapixels > 0.0, "a task may end without pictures");
}
