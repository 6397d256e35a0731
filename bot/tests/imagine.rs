//! A whole `/imagine` through the real bot, the real engine and the stand-in.

use crate::support::*;
use atelier::{
    pictures::metadata::{self, Found},
    pictures::stored,
};
use inference::task::{Task, TaskKind};
use serde_json::json;
use storage::{GuildId, HistoryFilter};

in_both_modes! {
    imagine_shows_progress_and_ends_in_a_grid_with_its_buttons,
    the_same_seed_draws_the_same_pictures_and_each_can_be_made_alone,
    pictures_say_how_they_were_made_in_their_files_and_in_the_store,
    wrong_parameters_are_answered_to_the_caller_alone,
    two_people_of_one_guild_are_drawn_in_the_same_batches,
}

async fn imagine_shows_progress_and_ends_in_a_grid_with_its_buttons(mode: Mode) {
    let studio = Studio::open(mode, |config| (config.defaults.steps, config.engine.preview_every) = (25, 1)).await;
    let ada = &studio.ada;
    let before = ada.seq().await.expect("the stand-in answers");
    ada.slash(CHANNEL, "imagine", &prompt("a frog --seed 7")).await.expect("the command is sent");
    let grid = nth_grid(ada, 1).await;
    assert_eq!(buttons(&grid), [vec!["U1", "U2", "U3", "U4", "🔄"], vec!["V1", "V2", "V3", "V4"], vec!["Remix", "Download", "❌"]]);
    assert!(content(&grid).starts_with("**a frog** `--seed 7"), "{}", content(&grid));
    assert!(grid["attachments"][0]["width"].as_u64() >= Some(512), "{}", grid["attachments"]);

    let (_, updates) = ada.events(before, std::time::Duration::ZERO).await.expect("the events are kept");
    let shown: Vec<&str> = updates.iter().filter(|event| event["type"] == "message_update").map(|event| content(&event["data"])).collect();
    let n_drawing = shown.iter().filter(|text| text.contains("Drawing") && text.contains("of 100 steps")).count();
    assert!(n_drawing >= 1, "{shown:#?}");
    let previews: std::collections::HashSet<_> = updates
        .iter()
        .filter(|event| content(&event["data"]).contains("Drawing"))
        .filter_map(|event| event["data"]["attachments"][0]["id"].as_str())
        .collect();
    assert!(!previews.is_empty(), "{updates:?}");
    studio.close().await;
}

async fn the_same_seed_draws_the_same_pictures_and_each_can_be_made_alone(mode: Mode) {
    let studio = Studio::open(mode, |_| {}).await;
    let ada = &studio.ada;
    ada.slash(CHANNEL, "imagine", &prompt("a strawberry --seed 40")).await.expect("sent");
    nth_grid(ada, 1).await;
    ada.slash(CHANNEL, "imagine", &[("prompt", json!("a strawberry")), ("seed", json!(40))]).await.expect("sent");
    nth_grid(ada, 2).await;
    ada.slash(CHANNEL, "imagine", &prompt("a strawberry --seed 42 --images 1")).await.expect("sent");
    ada.wait_for(CHANNEL, PATIENCE, |messages| (messages.iter().filter(|message| is_grid(message)).count() == 3).then_some(()))
        .await
        .expect("drawn");
    let jobs = &studio.running.bot.app.jobs;
    let guild = GuildId(guild_of(&studio).await);
    let (history, _) = jobs.history(HistoryFilter { guild, user: None, channels: None }, 0, 10).await.expect("the history is read");
    let mut images = Vec::new();
    for job in &history {
        images.push(jobs.images(job.id).await.expect("the pictures are known"));
    }
    let [alone, second, first] = &images[..] else { panic!("three jobs") };
    let blobs = |images: &[storage::NewImage]| images.iter().map(|image| image.blob.clone()).collect::<Vec<_>>();
    assert_eq!(blobs(first), blobs(second), "the same seed");
    let app = &studio.running.bot.app;
    let pixels = async |image: &storage::NewImage| stored(&*app.blobs, image.blob.as_str()).await.expect("it is kept");
    assert!(pixels(&alone[0]).await == pixels(&first[2]).await, "picture 3 of seed 40 is picture 1 of seed 42, bit for bit");
    assert_eq!(first.iter().map(|image| image.seed).collect::<Vec<_>>(), [40, 41, 42, 43]);
    studio.close().await;
}

async fn pictures_say_how_they_were_made_in_their_files_and_in_the_store(mode: Mode) {
    let studio = Studio::open(mode, |_| {}).await;
    let ada = &studio.ada;
    ada.slash(CHANNEL, "imagine", &prompt("a 🐸 frog --seed 40 --no leaves")).await.expect("sent");
    let grid = nth_grid(ada, 1).await;
    let read = |bytes: &[u8]| match metadata::read(std::io::Cursor::new(bytes)).expect("a PNG file") {
        Found::Record(record) => *record,
        other => panic!("{other:?}"),
    };
    let sent = ada.attachment_bytes(&grid, 0).await.expect("the attachment is served");
    let of_grid = read(&sent);
    assert_eq!(of_grid.index, None, "a grid is all pictures");

    let app = &studio.running.bot.app;
    let guild = GuildId(guild_of(&studio).await);
    let (history, _) = app.jobs.history(HistoryFilter { guild, user: None, channels: None }, 0, 1).await.expect("the history is read");
    let task: Task = serde_json::from_value(history[0].task.clone()).expect("a task");
    assert_eq!(of_grid.task, task);
    for image in app.jobs.images(history[0].id).await.expect("the pictures are known") {
        let record = read(&app.blobs.get(&image.blob).await.expect("it is kept"));
        assert_eq!((record.index, &record.task), (Some(image.index), &task));
        let kept = image.provenance.expect("it is recorded");
        assert_eq!(record.origin.provenance(), kept);
        assert_eq!((kept.engine.as_str(), kept.device.as_str(), kept.dtype.as_str()), (env!("CARGO_PKG_VERSION"), "cpu", "f32"));
        let weights =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/starter/model/unet/diffusion_pytorch_model.safetensors");
        assert_eq!(kept.model_hash, Some(atelier::pictures::hashes::of_bytes(&std::fs::read(weights).expect("the starter's weights"))));
    }
    ada.press(id(&grid), "U2").await.expect("sent");
    let enlarged = message_with(ada, "1024 × 1024 pixels").await;
    let of_enlarged = read(&ada.attachment_bytes(&enlarged, 0).await.expect("the attachment is served"));
    assert!(matches!(of_enlarged.task.kind, TaskKind::Upscale(_)), "{of_enlarged:?}");
    studio.close().await;
}

async fn wrong_parameters_are_answered_to_the_caller_alone(mode: Mode) {
    let studio = Studio::open(mode, |_| {}).await;
    let ada = &studio.ada;
    for (text, sentence) in [
        ("a frog --ar 0:2", "both sides must be at least 1"),
        ("a frog --ar 50:1", "14:1"),
        ("a frog --steps 0", "steps"),
        ("a frog --steps 100000", "100000"),
        ("a frog --cfg NaN", "NaN"),
        ("a frog --seed -1", "9007199254740991"),
        ("a frog --seed 9007199254740992", "9007199254740992"),
        ("a frog --sede 7", "--seed"),
        ("a frog --model startre", "there is no such model; there are starter"),
        ("a frog --model ../starter", "`--model ../starter`: there is no such model"),
        ("a frog --model /etc/passwd", "`--model /etc/passwd`: there is no such model"),
        ("a <lora:ink:0.8> frog", "there is no such LoRA; there are none here"),
        ("a frog --hires 9", "the enlargement must be"),
        ("a frog --clip-skip 40", "the layers to skip"),
        ("   ", "prompt"),
    ] {
        ada.slash(CHANNEL, "imagine", &prompt(text)).await.unwrap_or_else(|error| panic!("{text}: {error}"));
        told(ada, sentence).await;
    }
    ada.slash(CHANNEL, "imagine", &[("prompt", json!("a frog --seed 7")), ("seed", json!(8))]).await.expect("sent");
    let both = told(ada, "contradict each other").await;
    assert!(["--seed 7", "seed: 8"].iter().all(|words| content(&both).contains(words)), "{both}");
    let queue = studio.running.bot.app.jobs.queue_status().await.expect("the queue is read");
    assert_eq!((queue.queued, queue.running), (0, 0));
    let grace = studio.visitor("grace").await;
    assert_eq!(grace.messages(CHANNEL).await.expect("readable").len(), 0, "nobody else saw anything");
    studio.close().await;
}

async fn two_people_of_one_guild_are_drawn_in_the_same_batches(mode: Mode) {
    let studio = Studio::open(mode, |config| config.defaults.steps = 20).await;
    let (ada, linus) = (&studio.ada, studio.visitor("linus").await);
    let engine = studio.running.bot.app.models.engine.clone();
    ada.slash(CHANNEL, "imagine", &prompt("a frog --seed 1")).await.expect("sent");
    nth_grid(ada, 1).await;
    let alone = engine.stats().n_network_calls;
    let (first, second) = (prompt("a frog --seed 2"), prompt("a robot in space --seed 3"));
    let (one, two) = tokio::join!(ada.slash(CHANNEL, "imagine", &first), linus.slash(CHANNEL, "imagine", &second));
    one.and(two).expect("sent");
    nth_grid(ada, 3).await;
    let together = engine.stats().n_network_calls - alone;
    assert!(together * 10 <= alone * 2 * 8, "{together} calls for two jobs, {alone} for one");
    studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_of_an_older_version_is_still_read() {
    let stored = json!({
        "kind": "text_to_image", "prompt": "a frog", "size": {"width": 64, "height": 64}, "steps": 25, "guidance_scale": 4.0,
        "sampler": "dpmpp_2m", "seed": 7, "n_images": 4
    });
    let task: Task = serde_json::from_value(stored).expect("fields that came later have defaults");
    assert_eq!(task.base().map(|base| base.negative_prompt.clone()), Some(None));
}

async fn guild_of(studio: &Studio) -> u64 {
    let state = studio.ada.state().await.expect("the stand-in answers");
    state["guilds"][0]["id"].as_str().and_then(|id| id.parse().ok()).expect("a guild")
}
