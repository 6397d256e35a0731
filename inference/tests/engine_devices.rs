//! Several devices in one engine: two processors, each with models of its own.

use std::path::Path;

use crate::engine_common::{config, drawn, finish, run, start, starter_things, submit, text_to_image};
use inference::{
    catalogue::ModelEntry,
    checkpoint::OtherParts,
    engine::{DeviceChoice, Engine, EngineConfig, Submission},
    task::{ImageSize, TextToImage},
};

/// The starter model and a tiny one on so many processors.
fn engine(folder: &Path, n_devices: usize) -> Engine {
    let mut things = starter_things();
    things.models.push(ModelEntry {
        name: "sd1".into(),
        path: folder.join("models/sd1"),
        vae: None,
        others: OtherParts::default(),
        prediction: None,
    });
    let devices = vec![DeviceChoice::Cpu; n_devices];
    start(EngineConfig { devices, ..config(4, 0) }, things).expect("the models load")
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/families");
    crate::family_models::write_some(&data, folder.path(), &["sd1"]);
    folder
}

fn with(model: &str, seed: u64, steps: u32) -> Submission {
    let size = ImageSize::new(24, 20);
    drawn(TextToImage { model: Some(model.into()), size, ..text_to_image("a red fox", seed, steps, 1) })
}

#[test]
fn two_tasks_at_once_run_on_two_devices_and_draw_what_one_draws() {
    let folder = folder();
    let (one, two) = (engine(folder.path(), 1), engine(folder.path(), 2));
    let tasks = [with("starter", 1, 60), with("starter", 2, 60)];
    let alone = tasks.each_ref().map(|task| run(&one, task).images);
    let handles = tasks.each_ref().map(|task| submit(&two, task));
    let together = handles.map(|handle| finish(handle).images);
    assert!(alone == together, "the device makes no difference");
    assert_ne!(alone[0], alone[1]);
    let n_calls: Vec<u64> = two.device_stats().iter().map(|stats| stats.n_network_calls).collect();
    assert!(n_calls.len() == 2 && n_calls.iter().all(|&n_calls| n_calls >= 60), "{n_calls:?}");
    assert_eq!(two.stats().n_network_calls, n_calls.iter().sum::<u64>());
    assert_eq!(two.device(), "cpu, cpu (f32)");
}

#[test]
fn a_second_task_of_a_model_goes_where_the_model_is() {
    let folder = folder();
    let engine = engine(folder.path(), 2);
    let calls = || engine.device_stats().iter().map(|stats| stats.n_network_calls).collect::<Vec<_>>();
    // The first device has something to do, so the tiny model is loaded on the second.
    let long = submit(&engine, &with("starter", 1, 1000));
    let first = run(&engine, &with("sd1", 1, 3));
    assert!(first.was_loading, "it was in memory nowhere");
    drop(long);
    // Nobody is busy any more: what counts is where the model is.
    let before = calls();
    let again = [2, 3].map(|seed| submit(&engine, &with("sd1", seed, 3)));
    again.into_iter().for_each(|handle| assert!(!finish(handle).was_loading));
    let after = calls();
    assert!(after[1] > before[1], "{before:?} {after:?}");
}
