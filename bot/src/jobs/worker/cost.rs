//! What a job that was interrupted has cost so far.

use inference::{
    catalogue::Catalogue,
    engine::Submission,
    state::Place,
    task::{StopAt, Task, Way},
};
use storage::KeptState;

use crate::jobs::states;

/// What a job has cost before its worker began with it, in row-megapixels: what it takes from where its pictures began, at their beginnings unless
/// `began` says where, less what is left, and less the steps that those of its finished pictures did not make that were stopped. A job that was
/// interrupted costs as much as one that was not; what was drawn twice is nobody's to pay.
pub(super) fn before(catalogue: &Catalogue, submission: &Submission, began: Option<&[Place]>, stopped: &[KeptState]) -> f64 {
    let task = &submission.task;
    let cost = |begins: &[Option<Place>]| catalogue.check_rest(task, begins).map_or(0.0, |quote| quote.cost);
    let all = match began {
        Some(places) => cost(&places.iter().copied().map(Some).collect::<Vec<_>>()),
        None => catalogue.cost(task),
    };
    let finished = stopped.iter().filter(|state| submission.finished.contains(&state.index));
    let not_made: f64 = finished.map(|state| after(catalogue, task, state.done)).sum();
    let begins = states::begins(submission);
    // What is no drawing has a cost as a whole alone.
    let rest = if begins.is_empty() { 0.0 } else { cost(&begins) - looked(catalogue, submission) };
    (all - rest - not_made).max(0.0)
}

/// What it cost to look at the first picture of a study, where it is finished; what is left of a study is told as if it were not.
fn looked(catalogue: &Catalogue, submission: &Submission) -> f64 {
    let Some(base) = submission.task.base().filter(|base| !base.study.is_empty() && submission.finished.contains(&0)) else { return 0.0 };
    let with = |study: Vec<Way>| {
        let mut task = submission.task.clone();
        if let Some(of) = task.base_mut() {
            (of.n_images, of.study) = (1, study);
        }
        catalogue.cost(&task)
    };
    with(base.study.iter().take(1).copied().collect()) - with(Vec::new())
}

/// What the steps of one picture cost after so many.
fn after(catalogue: &Catalogue, task: &Task, done: u32) -> f64 {
    let mut whole = task.clone();
    let Some(base) = whole.base_mut() else { return 0.0 };
    base.n_images = 1;
    let mut stopped = whole.clone();
    if let Some(base) = stopped.base_mut() {
        base.stop_at = Some(StopAt::Steps(done));
    }
    catalogue.cost(&whole) - catalogue.cost(&stopped)
}

#[cfg(test)]
mod tests {
    use inference::task::{ImageSize, TextToImage, Upscale};
    use storage::{BlobKey, Timestamp};

    use super::*;
    use crate::{config::Config, models::Stock};

    #[test]
    fn an_enlargement_that_was_recorded_before_costs_what_it_does() {
        let stock = Stock::open(&Config::default(), Timestamp::now()).expect("the starter model");
        let catalogue = stock.offered().catalogue.clone();
        let submission = Submission::new(Task::upscale(Upscale { size: ImageSize::new(64, 64), passes: 1 }, "source"));
        let whole = catalogue.cost(&submission.task);
        assert!(whole > 0.0);
        assert!(before(&catalogue, &submission, None, &[]).abs() < 1e-9);
        let recorded = Submission { finished: vec![0], ..submission };
        assert!((before(&catalogue, &recorded, None, &[]) - whole).abs() < 1e-9);
    }

    #[test]
    fn a_study_that_goes_on_costs_what_one_that_was_not_interrupted_does() {
        let stock = Stock::open(&Config::default(), Timestamp::now()).expect("the starter model");
        let catalogue = stock.offered().catalogue.clone();
        let way = |guidance_scale| Way { guidance_scale, has_negative: true };
        let size = ImageSize::new(64, 64);
        let base = TextToImage { steps: 12, n_images: 3, size, study: [7.5, 1.0, 15.0].map(way).into(), ..TextToImage::default() };
        // Within a study the one without guidance costs what the others do.
        let one = catalogue.cost(&Task::from(base.alone(0)));
        let whole = catalogue.cost(&Task::from(base.clone()));
        let looking = whole - 3.0 * one;
        assert!(one > 0.0 && looking > 0.0);
        for (finished, expected) in
            [(&[][..], 0.0), (&[1], one), (&[1, 2], 2.0 * one), (&[0], one + looking), (&[0, 2], 2.0 * one + looking), (&[0, 1, 2], whole)]
        {
            let submission = Submission { finished: finished.to_vec(), ..Submission::new(Task::from(base.clone())) };
            let found = before(&catalogue, &submission, None, &[]);
            assert!((found - expected).abs() < 1e-9, "{finished:?}: {found}, not {expected}");
        }
    }

    #[test]
    fn what_was_done_before_costs_its_steps_wherever_its_pictures_were_stopped() {
        let stock = Stock::open(&Config::default(), Timestamp::now()).expect("the starter model");
        let catalogue = stock.offered().catalogue.clone();
        let base = TextToImage { steps: 12, n_images: 3, size: ImageSize::new(64, 64), ..TextToImage::default() };
        let check = |stop_at: Option<StopAt>, finished: &[(u32, u32)], expected: &[u32]| {
            let submission = Submission {
                finished: finished.iter().map(|(index, _)| *index).collect(),
                ..Submission::new(Task::from(TextToImage { stop_at, ..base.clone() }))
            };
            let stopped: Vec<_> = finished
                .iter()
                .filter(|(_, done)| *done < 12)
                .map(|(index, done)| KeptState {
                    index: *index,
                    blob: BlobKey::parse(&"a".repeat(64)).expect("a key"),
                    n_bytes: 1,
                    done: *done,
                    total: 12,
                })
                .collect();
            let cost = |done: &u32| {
                let one = TextToImage { n_images: 1, stop_at: Some(StopAt::Steps(*done)), ..base.clone() };
                catalogue.cost(&Task::from(one))
            };
            let (found, expected) = (before(&catalogue, &submission, None, &stopped), expected.iter().map(cost).sum::<f64>());
            assert!((found - expected).abs() < 1e-9, "{stop_at:?}, {finished:?}: {found}, not {expected}");
        };
        check(None, &[], &[]);
        check(None, &[(0, 12)], &[12]);
        check(None, &[(0, 5)], &[5]);
        check(None, &[(0, 5), (2, 7)], &[5, 7]);
        check(None, &[(0, 12), (1, 7), (2, 1)], &[12, 7, 1]);
        check(Some(StopAt::Steps(6)), &[(0, 6)], &[6]);
        check(Some(StopAt::Steps(6)), &[(0, 6), (1, 2)], &[6, 2]);
    }
}
