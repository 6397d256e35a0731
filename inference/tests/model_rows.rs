//! On the processor a row's result is the same, bit for bit, whatever else is in its batch.

use crate::common::{floats, predict, starter};
use candle_core::{DType, Device, Tensor};
use inference::family::stable_diffusion::Model;

const COUNTS: [usize; 6] = [1, 2, 3, 5, 8, 9];

fn load() -> Model {
    Model::load(&starter().join("model"), &Device::Cpu, DType::F32).unwrap()
}

/// Numbers that look random, the same for the same seed.
fn noise(shape: &[usize], seed: usize) -> Tensor {
    let n: usize = shape.iter().product();
    let wave = |i: usize| ((i + 1) as f32 * 12.9898 + seed as f32 * 78.233).sin() * 43_758.547;
    let values: Vec<f32> = (0..n).map(|i| wave(i).fract() * 2.0).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

fn stack(rows: &[Tensor]) -> Tensor {
    Tensor::cat(rows, 0).unwrap()
}

/// Compares each row of batches of every size, at every place, with the row alone.
fn check(rows: usize, run: impl Fn(&[usize]) -> Tensor) {
    let alone: Vec<Vec<f32>> = (0..rows).map(|row| floats(&run(&[row]))).collect();
    assert!(alone.windows(2).all(|pair| pair[0] != pair[1]), "the rows must differ for the test to mean something");
    for count in COUNTS {
        for first in [0, 4] {
            let batch: Vec<usize> = (first..first + count).map(|row| row % rows).collect();
            let together = run(&batch);
            for (place, row) in batch.iter().enumerate() {
                assert!(floats(&together.get(place).unwrap()) == alone[*row], "row {row} at place {place} of {count}");
            }
        }
    }
}

#[test]
fn unet_rows_do_not_depend_on_each_other() {
    let model = load();
    let prompts =
        ["a cat", "", "a red apple on a blue background", "two penguins on grass", "a rocket at night", "snow", "a dog", "owl", "frog"];
    let context: Vec<Tensor> = prompts.iter().map(|prompt| model.encode_text(&[prompt]).unwrap()).collect();
    for (height, width) in [(16, 16), (4, 4), (7, 9)] {
        check(prompts.len(), |rows| {
            let latents: Vec<Tensor> = rows.iter().map(|row| noise(&[1, 4, height, width], *row)).collect();
            let context: Vec<Tensor> = rows.iter().map(|row| context[*row].clone()).collect();
            let timesteps: Vec<f64> = rows.iter().map(|row| 1.0 + 110.9 * *row as f64).collect();
            predict(&model, &stack(&latents), &timesteps, &stack(&context))
        });
    }
}

#[test]
fn decoded_and_encoded_pictures_do_not_depend_on_each_other() {
    let model = load();
    check(9, |rows| model.decode(&stack(&rows.iter().map(|row| noise(&[1, 4, 5, 6], *row)).collect::<Vec<_>>())).unwrap());
    check(9, |rows| model.encode_image(&stack(&rows.iter().map(|row| noise(&[1, 3, 20, 16], *row)).collect::<Vec<_>>())).unwrap().0);
}

#[test]
fn prompts_do_not_depend_on_each_other() {
    let model = load();
    let prompts = ["a cat", "", "a red apple on a blue background", "two penguins", "night", "snow", "a dog", "owl", "frog"];
    check(prompts.len(), |rows| model.encode_text(&rows.iter().map(|row| prompts[*row]).collect::<Vec<_>>()).unwrap());
}

#[test]
fn threads_do_not_change_the_result() {
    let model = load();
    let context = model.encode_text(&["a cat", "a dog"]).unwrap();
    let run = |n_threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        pool.install(|| floats(&predict(&model, &noise(&[2, 4, 16, 16], 1), &[900.0, 20.0], &context)))
    };
    let one = run(1);
    for n_threads in [2, 5] {
        assert!(run(n_threads) == one, "{n_threads} threads");
    }
}
