//! Times the networks of a model and says how much memory each takes:
//! `cargo run -p atelier-inference --example time_model -- [FOLDER] [ROWS] [SIDE] [RUNS]`.

use std::{fs, path::PathBuf, time::Instant};

use candle_core::{DType, Device, Tensor};
use inference::family::stable_diffusion::{Conditioning, Model};

#[expect(clippy::print_stdout, reason = "the numbers are what it is for")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let folder = args.next().map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../models/starter/model")), PathBuf::from);
    let n_rows = args.next().map_or(Ok(8), |rows| rows.parse())?;
    let side = args.next().map_or(Ok(16), |side| side.parse())?;
    let n_runs = args.next().map_or(Ok(9), |runs| runs.parse())?;

    let start = Instant::now();
    let model = Model::load(&folder, &Device::Cpu, DType::F32)?;
    println!("load: {} ms, {} parameters, {}", start.elapsed().as_millis(), model.n_parameters(), memory());
    let prompt = model.prepare(&Conditioning { context: model.encode_text(&["a cat"])?, pooled: None }, &[])?;
    let latents = Tensor::randn(0f32, 1f32, (n_rows, model.latent_channels(), side, side), &Device::Cpu)?;
    time("encode a prompt", n_runs, || model.encode_text(&["a cat"]).map(drop))?;
    time(&format!("U-Net, {n_rows} rows"), n_runs, || model.predict(&latents, &vec![500.0; n_rows], &vec![&prompt; n_rows]).map(drop))?;
    time(&format!("decode {n_rows} pictures"), n_runs, || model.decode(&latents).map(drop))?;
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the numbers are what it is for")]
fn time<E>(name: &str, n_runs: usize, mut work: impl FnMut() -> Result<(), E>) -> Result<(), E> {
    let _ = fs::write("/proc/self/clear_refs", "5"); // Linux forgets the largest memory so far; elsewhere none is told.
    let mut times = Vec::new();
    for _ in 0..=n_runs {
        let start = Instant::now();
        work()?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    let warm = &mut times[1.min(n_runs)..];
    warm.sort_by(f64::total_cmp);
    println!("{name}: best {:.1} ms, median {:.1} ms, {}", warm[0], warm[warm.len() / 2], memory());
    Ok(())
}

/// The memory held now and the most since [`time`] began, of which weights in mapped files are a part.
fn memory() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mib = |key: &str| {
        let line = status.lines().find(|line| line.starts_with(key));
        line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).map_or(0, |kib| kib / 1024)
    };
    format!("memory {} MiB, at most {} MiB", mib("VmRSS:"), mib("VmHWM:"))
}
