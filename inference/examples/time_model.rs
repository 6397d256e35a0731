//! Times the networks of a model: `cargo run -p atelier-inference --example time_model -- [FOLDER] [ROWS] [SIDE]`.

use std::{path::PathBuf, time::Instant};

use candle_core::{DType, Device, Tensor};
use inference::model::{Conditioning, Model};

#[expect(clippy::print_stdout, reason = "the numbers are what it is for")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let folder = args.next().map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../models/starter/model")), PathBuf::from);
    let n_rows = args.next().map_or(Ok(8), |rows| rows.parse())?;
    let side = args.next().map_or(Ok(16), |side| side.parse())?;

    let start = Instant::now();
    let model = Model::load(&folder, &Device::Cpu, DType::F32)?;
    println!("load: {} ms, {} parameters", start.elapsed().as_millis(), model.n_parameters());
    let prompt = model.prepare(&Conditioning { context: model.encode_text(&["a cat"])?, pooled: None }, &[])?;
    let latents = Tensor::randn(0f32, 1f32, (n_rows, model.latent_channels(), side, side), &Device::Cpu)?;
    time("encode a prompt", || model.encode_text(&["a cat"]).map(drop))?;
    time(&format!("U-Net, {n_rows} rows"), || model.predict(&latents, &vec![500.0; n_rows], &vec![&prompt; n_rows]).map(drop))?;
    time(&format!("decode {n_rows} pictures"), || model.decode(&latents).map(drop))?;
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the numbers are what it is for")]
fn time<E>(name: &str, mut work: impl FnMut() -> Result<(), E>) -> Result<(), E> {
    work()?;
    let mut times = Vec::new();
    for _ in 0..9 {
        let start = Instant::now();
        work()?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    println!("{name}: best {:.1} ms, median {:.1} ms", times[0], times[4]);
    Ok(())
}
