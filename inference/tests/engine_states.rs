//! Pictures that go on in another engine from a state that was bytes in between.

use crate::engine_common::{changed, drawn, engine, filled, finish, run, source_picture, submit, text_to_image};
use futures::executor::block_on;
use inference::{
    engine::{Event, Progress, Submission},
    sampler::Sampler,
    state::{DeviceKind, TrajectoryState},
    task::{Enlarger, Hires, ImageSize, Role, StopAt, Task, TextToImage, Upscale},
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
    let held = engine.hold();
    handle.checkpoint();
    drop(held);
    let outcome = finish(handle);
    // Four steps were done by both together, and how they share them is the batcher's affair.
    let mut told: Vec<_> = outcome.states.iter().map(|state| (state.index, (1..40).contains(&state.step))).collect();
    told.sort_unstable();
    assert_eq!(told, [(0, true), (1, true)]);
    assert!(outcome.states.iter().map(|state| state.step).sum::<u32>() >= 4);
    let class = &outcome.states[0].belongs_to.device;
    assert_eq!((class.kind, class.precision.as_str()), (DeviceKind::Cpu, "f32"));
}

#[test]
fn a_handle_stops_its_task_and_leaves_pictures_out_which_go_on_in_another_engine() {
    let first = engine(8, 0);
    let task = drawn(text_to_image("a cat", 1, 30, 3));
    let whole = run(&first, &task);
    let mut handle = submit(&first, &task);
    let before = handle.pulse();
    while !matches!(block_on(handle.next()), Some(Event::Progress(progress)) if progress.done >= 4) {}
    assert!(handle.pulse().device.n > before.device.n && handle.pulse().task.at >= before.task.at);
    let held = first.hold();
    handle.cull(1);
    handle.stop();
    drop(held);
    let stopped = finish(handle);
    assert_eq!(stopped.seeds, [whole.seeds[0], whole.seeds[2]]);
    let states: Vec<_> = stopped.stopped.into_iter().map(|stopped| stopped.expect("it was stopped").state.expect("a state")).collect();
    assert!(states.iter().all(|state| state.step < 30), "{states:?}");
    let places = [Some(states[0].place()), None, Some(states[1].place())];
    let quote = first.catalogue().check_rest(&task.task, &places).expect("a valid task");
    drop(first);
    let rest = run(&engine(3, 2), &Submission { resume: states, ..task });
    assert_eq!(rest.images, whole.images, "bit for bit");
    assert!((rest.usage.row_megapixels - quote.cost).abs() < 1e-9 && quote.cost < whole.usage.row_megapixels);
}

#[test]
fn what_goes_on_from_any_kept_state_makes_no_more_steps_than_it_is_to() {
    let first = engine(8, 0);
    let task = drawn(TextToImage { stop_at: Some(StopAt::Steps(4)), ..text_to_image("a cat", 3, 8, 1) });
    let whole = run(&first, &Submission { checkpoint_every: 1, ..task.clone() });
    assert_eq!(whole.states.iter().map(|state| state.step).collect::<Vec<_>>(), [1, 2, 3], "the last one is no state to go on from here");
    for state in whole.states {
        let rest = run(&first, &Submission { resume: vec![state], ..task.clone() });
        assert_eq!(rest.images, whole.images);
        assert_eq!(rest.stopped[0].as_ref().map(|stopped| stopped.progress), Some(Progress { done: 4, total: 8 }));
    }
}

#[test]
fn an_enlargement_stops_between_two_passes() {
    let engine = engine(8, 0);
    let size = ImageSize::new(8, 8);
    let task = Task::upscale(Upscale { size, passes: 2 }, "source");
    let handle = submit(&engine, &Submission::new(task).with(Role::Init, source_picture(size)));
    handle.stop();
    let outcome = finish(handle);
    assert_eq!(outcome.images[0].dimensions(), (32, 32));
    let stopped = outcome.stopped[0].as_ref().expect("it was stopped");
    assert_eq!((stopped.progress, stopped.state.is_none()), (Progress { done: 1, total: 2 }, true));
}
