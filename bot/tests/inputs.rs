//! What a job is made from goes with it: from the door through the store to the engine, and on to what is made from it again.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use crate::support::{id as id_of, *};
use atelier::{
    discord,
    jobs::enqueue::Request,
    pictures::{
        self,
        metadata::{self, Found},
    },
};
use image::{Rgb, RgbImage};
use inference::task::{Role, Task};
use poise::serenity_prelude::ChannelId;
use storage::{BlobKey, GuildId, JobId, JobStatus, UserId};

/// Draws with `atelier imagine`; the picture and its task.
fn drawn(folder: &Path, args: &[&str]) -> (RgbImage, Task) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_atelier"));
    command.current_dir(folder).args(["imagine", "a red apple", "--seed", "7", "--count", "1", "--steps", "4", "--out", "out"]).args(args);
    command.env_remove("ATELIER_CONFIG").env_remove("RUST_LOG").env("XDG_CACHE_HOME", folder.join("cache")).stdin(Stdio::null());
    let output = command.output().expect("the program starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let bytes = std::fs::read(folder.join("out/7.png")).expect("the picture");
    let picture = image::load_from_memory(&bytes).expect("a PNG").into_rgb8();
    match metadata::read(std::io::Cursor::new(bytes)).expect("a PNG") {
        Found::Record(record) => (picture, record.task),
        other => panic!("{other:?}"),
    }
}

/// The jobs' pictures and tasks, once the n-th grid is there.
async fn nth_done(studio: &Studio, n: usize, id: JobId) -> (Vec<RgbImage>, Task) {
    let app = &studio.running.bot.app;
    nth_grid(&studio.ada, n).await;
    let job = app.jobs.job(id).await.expect("readable").expect("a job");
    assert_eq!(job.status, JobStatus::Done);
    let mut pictures = Vec::new();
    for image in app.jobs.images(id).await.expect("readable") {
        pictures.push(pictures::stored(&*app.blobs, image.blob.as_str()).await.expect("kept"));
    }
    (pictures, serde_json::from_value(job.task).expect("a task"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_task_is_drawn_with_its_mask_as_on_the_command_line() {
    let desk = tempfile::tempdir().expect("a temporary folder");
    let folder = desk.path();
    // A mask with colours, whose brightness counts, of the start picture's size, which is not the one that is drawn.
    let start = RgbImage::from_fn(120, 120, |x, y| Rgb([x as u8 * 2, y as u8 * 2, 90]));
    let mask = RgbImage::from_fn(120, 120, |x, y| Rgb(if x + y < 110 { [255, 255, 60] } else { [200, 40, 40] }));
    start.save(folder.join("start.png")).expect("written");
    mask.save(folder.join("mask.png")).expect("written");
    let (unmasked, _) = drawn(folder, &["--init", "start.png", "--width", "64", "--height", "64", "--strength", "0.9"]);
    let masked = ["--init", "start.png", "--mask", "mask.png", "--width", "64", "--height", "64", "--strength", "0.9"];
    let (expected, task) = drawn(folder, &masked);
    assert!(expected != unmasked, "the mask keeps a part");

    let studio = Studio::open(Mode::Plain, |_| {}).await;
    let app = &studio.running.bot.app;
    let mut keys = Vec::new();
    for (role, file) in [(Role::Init, "start.png"), (Role::Mask, "mask.png")] {
        let key = app.blobs.put(std::fs::read(folder.join(file)).expect("a file").into()).await.expect("kept");
        assert_eq!(task.input(&role), Some(key.as_str()), "a picture's record names its inputs as the store does");
        keys.push(key);
    }
    let number = |value: &serde_json::Value| value.as_str().and_then(|id| id.parse::<u64>().ok()).expect("an id");
    let state = studio.ada.state().await.expect("readable");
    let place = &state["guilds"][0];
    let channel = place["channels"].as_array().into_iter().flatten().find(|channel| channel["name"] == CHANNEL).expect("the channel");
    let (guild, user) = (GuildId(number(&place["id"])), UserId(studio.ada.user_id().parse().expect("an id")));
    let request = Request {
        key: "of the test".into(),
        press: None,
        guild,
        user,
        roles: Vec::new(),
        speed: Default::default(),
        action: "imagine",
        task: task.clone(),
        notes: Vec::new(),
        parent: None,
        begins: Vec::new(),
        delivery: discord::delivery(app.clock.now(), ChannelId::new(number(&channel["id"])), ""),
    };
    let id = app.door.enqueue(request).await.expect("enqueued");
    let (pictures, stored) = nth_done(&studio, 1, id).await;
    assert_eq!(stored, task);
    assert!(pictures == [expected], "the same picture as on the command line");

    // Drawn again, it is made from the same; deleted, nothing keeps what only these two were made from.
    let grid = nth_grid(&studio.ada, 1).await;
    studio.ada.press(id_of(&grid), "🔄").await.expect("sent");
    let second = nth_grid(&studio.ada, 2).await;
    let jobs = app.jobs.history(storage::HistoryFilter { guild, user: None, channels: None }, 0, 5).await;
    let again: Task = serde_json::from_value(jobs.expect("readable").0[0].task.clone()).expect("a task");
    assert_eq!((&again.inputs, again.word()), (&task.inputs, "inpaint"));
    let is_kept = async |key: &BlobKey| !app.blobs.marks().await.expect("readable").iter().any(|(marked, _)| marked == key);
    delete(&studio.ada, &grid).await;
    assert!(is_kept(&keys[0]).await && is_kept(&keys[1]).await, "the second job is made from them");
    delete(&studio.ada, &second).await;
    assert!(!is_kept(&keys[0]).await && !is_kept(&keys[1]).await, "nothing is made from them any more");
    studio.close().await;
}
