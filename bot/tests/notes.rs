//! What the person who asked should know of pictures that were drawn all the same: under the picture, also after a restart and when the answer comes
//! another way.

use std::{path::Path, time::Duration};

use crate::support::*;
use sandbox::{Clock, ManualClock};
use serde_json::{Value, json};
use storage::{GuildId, HistoryFilter, Job};

in_both_modes! {
    what_a_lora_did_not_do_is_told_under_the_picture_each_time,
    what_a_lora_did_not_do_is_told_also_by_the_bots_own_token,
    what_means_nothing_in_a_prompt_is_told_from_the_first_message_on,
}

const IN_PART: &str = "-# ⚠ LoRA `ink`: only 1 of its 2 parts fit this model; the others did nothing.";

/// A LoRA of rank 1 for one layer of the starter model and for one that it does not have.
fn write_lora(path: &Path) {
    write_lora_of(path, 0.2);
}

/// The same with this number everywhere.
pub fn write_lora_of(path: &Path, number: f32) {
    const LAYER: &str = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q";
    let weights = atelier::models::starter().expect("the starter").model.join("unet/diffusion_pytorch_model.safetensors");
    let bytes = std::fs::read(weights).expect("the starter's weights");
    let length = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes")) as usize;
    let header: Value = serde_json::from_slice(&bytes[8..8 + length]).expect("a header");
    let shape = &header[format!("{LAYER}.weight")]["shape"];
    let (n_out, n_in) = (shape[0].as_u64().expect("a size"), shape[1].as_u64().expect("a size"));
    let (mut header, mut end) = (serde_json::Map::new(), 0);
    for name in [format!("unet.{LAYER}"), "unet.down_blocks.9.attentions.0.proj_in".to_owned()] {
        for (kind, shape) in [("lora_A", [1, n_in]), ("lora_B", [n_out, 1])] {
            let length = 4 * shape[0] * shape[1];
            header.insert(format!("{name}.{kind}.weight"), json!({"dtype": "F32", "shape": shape, "data_offsets": [end, end + length]}));
            end += length;
        }
    }
    let header = Value::Object(header).to_string();
    let numbers = (0..end / 4).flat_map(|_| number.to_le_bytes());
    let file: Vec<u8> = (header.len() as u64).to_le_bytes().into_iter().chain(header.bytes()).chain(numbers).collect();
    std::fs::write(path, file).expect("a file");
}

/// The newest job.
async fn newest(studio: &Studio) -> Job {
    let state = studio.ada.state().await.expect("the stand-in answers");
    let guild = state["guilds"][0]["id"].as_str().and_then(|id| id.parse().ok()).map(GuildId).expect("a guild");
    let app = &studio.running.bot.app;
    app.jobs.history(HistoryFilter { guild, user: None, channels: None }, 0, 1).await.expect("the history is read").0.remove(0)
}

async fn what_a_lora_did_not_do_is_told_under_the_picture_each_time(mode: Mode) {
    let files = tempfile::tempdir().expect("a temporary folder");
    let path = files.path().join("secret place.safetensors");
    write_lora(&path);
    let studio = Studio::open(mode, |config| {
        config.loras.insert("ink".into(), path.clone());
        config.defaults.steps = 3;
    })
    .await;
    let ada = &studio.ada;
    for n in 1..=2 {
        ada.slash(CHANNEL, "imagine", &prompt("a frog <lora:ink:0.8> --seed 7 --images 1")).await.expect("sent");
        let shown = ada.wait_for(CHANNEL, PATIENCE, |messages| nth_with_button(messages, n)).await.expect("it is drawn");
        assert_eq!(content(&shown).lines().last(), Some(IN_PART), "loaded for it or there already: {}", content(&shown));
    }
    let job = newest(&studio).await;
    let kept = job.notes.as_ref().expect("they are kept").to_string();
    assert!(!kept.contains("secret") && !kept.contains(files.path().to_str().expect("UTF-8")), "no names of the host: {kept}");

    ada.slash(CHANNEL, "imagine", &prompt("a frog --seed 7 --images 1")).await.expect("sent");
    let shown = ada.wait_for(CHANNEL, PATIENCE, |messages| nth_with_button(messages, 3)).await.expect("it is drawn");
    assert!(!content(&shown).contains('⚠'), "{}", content(&shown));
    assert_eq!(newest(&studio).await.notes, None);
    studio.close().await;
}

async fn what_a_lora_did_not_do_is_told_also_by_the_bots_own_token(mode: Mode) {
    let files = tempfile::tempdir().expect("a temporary folder");
    let path = files.path().join("ink.safetensors");
    write_lora(&path);
    let clock = ManualClock::new();
    let change = |config: &mut atelier::config::Config| drop(config.loras.insert("ink".into(), path.clone()));
    let studio = Studio::open_with_clock(mode, Clock::Manual(clock.clone()), change).await;
    let ada = &studio.ada;
    ada.slash(CHANNEL, "imagine", &prompt("a frog <lora:ink:0.8> --steps 100 --images 1")).await.expect("sent");
    // Messages are edited as the clock goes.
    let told_while_drawing = async {
        loop {
            clock.advance(Duration::from_millis(100));
            let messages = ada.messages(CHANNEL).await.expect("readable");
            if let Some(progress) = messages.iter().find(|message| content(message).contains(IN_PART)) {
                return progress.clone();
            }
        }
    };
    let progress = tokio::time::timeout(PATIENCE, told_while_drawing).await.expect("it is told");
    assert!(!buttons(&progress).concat().contains(&"U1".to_owned()), "it is told while it is drawn: {progress}");
    // The interaction's token lives for fifteen minutes.
    clock.advance(Duration::from_secs(16 * 60));
    let ending = ada.wait_for(CHANNEL, PATIENCE, |messages| nth_with_button(messages, 1)).await.expect("it is drawn");
    assert_eq!(id(&ending), id(&progress));
    assert_eq!(content(&ending).lines().last(), Some(IN_PART), "{}", content(&ending));
    studio.close().await;
}

/// The n-th finished answer (from 1) of one picture.
fn nth_with_button(messages: &[Value], n: usize) -> Option<Value> {
    let is_finished = |message: &&Value| buttons(message).first().is_some_and(|row| row.first().is_some_and(|label| label == "U1"));
    messages.iter().filter(is_finished).nth(n - 1).cloned()
}

async fn what_means_nothing_in_a_prompt_is_told_from_the_first_message_on(mode: Mode) {
    let studio = Studio::open(mode, |config| config.defaults.steps = 10).await;
    let ada = &studio.ada;
    let before = ada.seq().await.expect("the stand-in answers");
    let text = "a [red:green:0.5] frog AND <hypernet:@everyone `x`:1> --no [a|b] --seed 7";
    ada.slash(CHANNEL, "imagine", &prompt(text)).await.expect("sent");
    let grid = nth_grid(ada, 1).await;
    let line = "-# ⚠ Without a meaning here and drawn as words in the prompt: `[red:green:0.5]`, `AND`, `<hypernet:@everyone 'x':1>`. \
                Without a meaning here and drawn as words in the negative prompt: `[a|b]`.";
    assert_eq!(content(&grid).lines().last(), Some(line));
    let (_, updates) = ada.events(before, Duration::ZERO).await.expect("the events are kept");
    let shown: Vec<&str> = updates
        .iter()
        .filter(|event| event["type"] == "message_update")
        .map(|event| content(&event["data"]))
        .filter(|text| text.contains("-# "))
        .collect();
    assert!(shown.len() > 1 && shown.iter().all(|text| text.lines().last() == Some(line)), "{shown:#?}");

    ada.slash(CHANNEL, "imagine", &prompt("a (red:1.2) [green] frog at [3:30] \\[a|b\\] --seed 7")).await.expect("sent");
    let grid = nth_grid(ada, 2).await;
    assert!(!content(&grid).contains('⚠'), "{}", content(&grid));

    // A line of Midjourney is drawn, and told what was left out; who draws it again is not told once more.
    ada.slash(CHANNEL, "imagine", &prompt("a frog::2 lake --v 6.1 --style scenic --tile --seed 7 --sw 50 --no a::2")).await.expect("sent");
    let grid = nth_grid(ada, 3).await;
    assert!(content(&grid).starts_with("**a frog::2 lake** `--tile --seed 7 --no a::2`"), "{}", content(&grid));
    let line = "-# ⚠ `--v`, `--style` and `--sw` have no meaning here. Without a meaning here and drawn as words in the negative prompt: `a::2`. \
                Weights are written `(frog:1.3)` here.";
    assert_eq!(content(&grid).lines().last(), Some(line));
    ada.press(id(&grid), "🔄").await.expect("sent");
    let grid = nth_grid(ada, 4).await;
    assert!(!content(&grid).contains("--v") && content(&grid).contains("negative prompt: `a::2`"), "{}", content(&grid));
    studio.close().await;
}
