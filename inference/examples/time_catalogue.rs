//! Times the catalogue: `cargo run --release -p atelier-inference --example time_catalogue -- [MODEL_DIR] [LORAS]`.
//! Makes a folder of LoRAs with the shapes of Stable Diffusion 1 (headers alone: the rest are holes), opens it, looks at it again, and checks tasks.
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::{
    fmt::Write,
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
    time::Instant,
};

use inference::{
    catalogue::{CatalogueConfig, ModelEntry, Shelf},
    checkpoint::OtherParts,
    error::InferenceError,
    task::{AdapterUse, Task, TextToImage},
};

/// Modules of a LoRA for all attention and feed-forward layers, with their numbers in and out.
fn modules() -> Vec<(String, usize, usize)> {
    let mut modules = Vec::new();
    let blocks =
        [("down_blocks", vec![(0, 2, 320), (1, 2, 640), (2, 2, 1280)]), ("up_blocks", vec![(1, 3, 1280), (2, 3, 640), (3, 3, 320)])];
    for (way, levels) in blocks {
        for (level, n_layers, width) in levels {
            for layer in 0..n_layers {
                let block = format!("lora_unet_{way}_{level}_attentions_{layer}");
                for attention in ["attn1", "attn2"] {
                    let context = if attention == "attn2" { 768 } else { width };
                    for (projection, n_in) in [("to_q", width), ("to_k", context), ("to_v", context), ("to_out_0", width)] {
                        modules.push((format!("{block}_transformer_blocks_0_{attention}_{projection}"), n_in, width));
                    }
                }
                modules.push((format!("{block}_transformer_blocks_0_ff_net_0_proj"), width, 8 * width));
                modules.push((format!("{block}_transformer_blocks_0_ff_net_2"), 4 * width, width));
            }
        }
    }
    for layer in 0..12 {
        for projection in ["self_attn_q_proj", "self_attn_k_proj", "self_attn_v_proj", "self_attn_out_proj", "mlp_fc1", "mlp_fc2"] {
            let (n_in, n_out) = match projection {
                "mlp_fc1" => (768, 3072),
                "mlp_fc2" => (3072, 768),
                _ => (768, 768),
            };
            modules.push((format!("lora_te_text_model_encoder_layers_{layer}_{projection}"), n_in, n_out));
        }
    }
    modules
}

/// A LoRA of rank 16 in half precision, as kohya's trainer names it.
fn write_lora(path: &Path, modules: &[(String, usize, usize)]) -> std::io::Result<usize> {
    let (mut header, mut end, mut n_tensors) = (String::from("{\"__metadata__\":{\"ss_network_dim\":\"16\"}"), 0, 0);
    for (stem, n_in, n_out) in modules {
        for (kind, shape) in [("alpha", vec![]), ("lora_down.weight", vec![16, *n_in]), ("lora_up.weight", vec![*n_out, 16])] {
            let n_bytes = 2 * shape.iter().product::<usize>();
            let offsets = [end, end + n_bytes];
            let _ = write!(header, ",\"{stem}.{kind}\":{{\"dtype\":\"F16\",\"shape\":{shape:?},\"data_offsets\":{offsets:?}}}");
            (end, n_tensors) = (end + n_bytes, n_tensors + 1);
        }
    }
    header.push('}');
    let mut file = File::create(path)?;
    file.write_all(&(header.len() as u64).to_le_bytes())?;
    file.write_all(header.as_bytes())?;
    file.set_len((8 + header.len() + end) as u64)?;
    Ok(n_tensors)
}

fn timed<T>(what: &str, n: u32, mut run: impl FnMut() -> T) -> T {
    let begin = Instant::now();
    let mut last = run();
    (1..n).for_each(|_| last = run());
    let seconds = begin.elapsed().as_secs_f64() / f64::from(n);
    println!("{what:<40} {}", if seconds < 1e-3 { format!("{:.1} µs", seconds * 1e6) } else { format!("{:.1} ms", seconds * 1e3) });
    last
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = PathBuf::from(arguments.next().unwrap_or_else(|| "models/starter/model".into()));
    let n_loras: usize = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(1000);
    let folder = std::env::temp_dir().join(format!("time-catalogue-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let modules = modules();
    let mut n_tensors = 0;
    for n in 0..n_loras {
        n_tensors = write_lora(&folder.join(format!("lora {n:04}.safetensors")), &modules)?;
    }
    println!("{n_loras} LoRAs of {n_tensors} tensors");
    let models = vec![ModelEntry { name: "model".into(), path, vae: None, others: OtherParts::default(), prediction: None }];
    let config = CatalogueConfig { models, folders: vec![folder.clone()], ..CatalogueConfig::default() };
    Shelf::open(config.clone())?;
    let shelf = timed("open, warm", 3, || Shelf::open(config.clone()))?;
    timed("look again, nothing changed", 10, || shelf.refresh());
    let catalogue = shelf.catalogue();
    catalogue.prepare();
    let size = catalogue.models().first().map(|card| card.native_size).ok_or(InferenceError::NoModels)?;
    let base =
        TextToImage { prompt: "a red fox in the snow".into(), negative_prompt: Some("blurry".into()), size, ..TextToImage::default() };
    let last = format!("lora {:04}", n_loras.saturating_sub(1));
    let long = "a red fox in the snow, oil on canvas, thick paint, ".repeat(6);
    for (what, base) in [
        ("check, a short prompt", base.clone()),
        ("check, the last LoRA", TextToImage { adapters: vec![AdapterUse::new(last, 0.8)], ..base.clone() }),
        ("check, 80 words", TextToImage { prompt: long, ..base }),
    ] {
        let task = Task::from(base);
        timed(what, 2000, || catalogue.check(&task))?;
    }
    Ok(std::fs::remove_dir_all(&folder)?)
}
