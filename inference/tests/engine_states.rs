//! Pictures that go on in another engine from a state that was bytes in between.

use crate::engine_common::{changed, drawn, engine, filled, finish, run, submit, text_to_image};
use futures::executor::block_on;
use inference::{
    engine::{Event, Submission},
    sampler::Sampler,
    state::{DeviceKind, TrajectoryState},
    task::{Enlarger, Hires, TextToImage},
};

#[test]
fn a_task_goes_on_in_another_engine_where_it_was() {
    let hires = Some(Hires { scale: 1.5, strength: 0.6, steps: Some(4), enlarger: Enlarger::Network });
    let base = || TextToImage { sampler: Sampler::DpmPp2MSde, ..text_to_image("a cat", 7, 5, 2) };
    for submission in [drawn(base()), changed(base(), 0.7), filled(base(), 0.7), drawn(TextToImage { hires, ..base() })] {
        let what = submission.task.word();
        let first = engine(8, 0);
        let whole = run(&first, &submission);
        assert!(whole.states.is_empty(), "{what}: nothing is saved unless it is asked for");
        // The task is dropped in the middle of its work, and with it the engine.
        let mut handle = submit(&first, &Submission { checkpoint_every: 1, ..submission.clone() });
        let mut saved: Vec<Vec<u8>> = Vec::new();
        while let Some(event) = block_on(handle.next()) {
            if let Event::Checkpoint { state, .. } = event {
                saved.push(state.to_bytes());
            }
            if saved.len() == 7 {
                break;
            }
        }
        drop((handle, first));
        let mut newest: Vec<Option<TrajectoryState>> = vec![None, None];
        for bytes in &saved {
            let state = TrajectoryState::from_bytes(bytes).expect("a state");
            let place = state.index as usize;
            newest[place] = Some(state);
        }
        let resume: Vec<_> = newest.into_iter().flatten().collect();
        assert_eq!(resume.len(), 2, "{what}");
        let second = engine(3, 2);
        let rest = run(&second, &Submission { resume, ..submission.clone() });
        assert_eq!(rest.images, whole.images, "{what}: bit for bit");
        assert!(rest.usage.row_megapixels < whole.usage.row_megapixels, "{what}");
    }
}

#[test]
fn a_handle_asks_for_states_whenever_it_likes() {
    let engine = engine(8, 0);
    let mut handle = submit(&engine, &drawn(text_to_image("a cat", 1, 40, 2)));
    while !matches!(block_on(handle.next()), Some(Event::Progress(progress)) if progress.done >= 4) {}
    handle.checkpoint();
    let outcome = finish(handle);
    let mut told: Vec<_> = outcome.states.iter().map(|state| (state.index, state.step > 2)).collect();
    told.sort_unstable();
    assert_eq!(told, [(0, true), (1, true)]);
    let class = &outcome.states[0].belongs_to.device;
    assert_eq!((class.kind, class.precision.as_str()), (DeviceKind::Cpu, "f32"));
}
