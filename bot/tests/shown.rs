//! What is shown is larger than what is stored: small pictures go through the super-resolution network on their way into a grid.

use std::{io::Cursor, path::Path, sync::Arc, time::Duration};

use crate::support::*;
use atelier::{
    config::Config,
    discord::{Access, Endpoint},
    models,
    pictures::metadata::{self, Found, Origin},
    pictures::shown::{self, Shown},
    pictures::{self, grid},
    start,
    system::clock::Clock,
};
use image::{RgbImage, imageops};
use inference::{
    catalogue::{CatalogueConfig, Shelf},
    engine::{Engine, Event, Submission},
    task::{ImageSize, Role, Task, Upscale},
};
use serde_json::{Value, json};
use storage::{GuildId, HistoryFilter, Job, JobStatus, Limits, NewImage, UserId};

/// The newest job that has ended.
async fn newest(app: &atelier::app::App, guild: GuildId) -> Option<(Job, Vec<NewImage>)> {
    let (jobs, _) = app.jobs.history(HistoryFilter { guild, user: None, channels: None }, 0, 1).await.expect("readable");
    let job = jobs.into_iter().next()?;
    let images = app.jobs.images(job.id).await.expect("readable");
    Some((job, images))
}

async fn guild_of(studio: &Studio) -> GuildId {
    let state = studio.ada.state().await.expect("readable");
    GuildId(state["guilds"][0]["id"].as_str().and_then(|id| id.parse().ok()).expect("a guild"))
}

/// All pictures of a task, as the engine makes them.
async fn made(engine: &Engine, task: &Task, source: Option<RgbImage>) -> Vec<RgbImage> {
    let inputs = source.map(|picture| (Role::Init, picture.into())).into_iter().collect();
    let mut handle = engine.submit(Submission { inputs, ..Submission::new(task.clone()) }).expect("a valid task");
    let mut made = Vec::new();
    while let Some(event) = handle.next().await {
        match event {
            Event::Image(finished) => made.push((finished.index, finished.image)),
            Event::Failed(error) => panic!("{error}"),
            _ => {}
        }
    }
    made.sort_by_key(|(index, _)| *index);
    made.into_iter().map(|(_, picture)| picture).collect()
}

async fn enlarged(engine: &Engine, picture: &RgbImage) -> RgbImage {
    let size = ImageSize::new(picture.width(), picture.height());
    let task = Task::upscale(Upscale { size, passes: 1 }, "it");
    made(engine, &task, Some(picture.clone())).await.remove(0)
}

fn size_of(picture: &RgbImage) -> ImageSize {
    ImageSize::new(picture.width(), picture.height())
}

/// Mean difference, in steps of 255.
fn distance(a: &RgbImage, b: &RgbImage) -> f64 {
    assert_eq!(a.dimensions(), b.dimensions());
    a.as_raw().iter().zip(b.as_raw()).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / a.as_raw().len() as f64
}

fn cubic(pictures: &[RgbImage]) -> RgbImage {
    grid::grid(pictures, grid::cell_size(size_of(&pictures[0]), pictures.len(), shown::MIN_GRID_WIDTH))
}

/// A grid's cell of a picture.
fn cell_of(grid: &RgbImage, cell: ImageSize, index: u32) -> RgbImage {
    let columns = grid.width() / cell.width;
    let (x, y) = (index % columns * cell.width, index / columns * cell.height);
    imageops::crop_imm(grid, x, y, cell.width, cell.height).to_image()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_shown_is_the_networks_and_what_is_stored_told_and_paid_is_the_drawn_pictures() {
    let studio = Studio::open(Mode::Plain, |config| config.defaults.steps = 3).await;
    let (ada, app) = (&studio.ada, &studio.running.bot.app);
    let guild = guild_of(&studio).await;
    let mut cost = 0.0;
    for (n, shape) in [(1, "1:1"), (2, "1:1"), (3, "1:1"), (4, "1:1"), (2, "3:2"), (4, "2:3"), (1, "2:1")].into_iter().enumerate() {
        let (n_images, aspect) = shape;
        let words = format!("a frog --seed 7 --images {n_images} --ar {aspect}");
        ada.slash(CHANNEL, "imagine", &prompt(&words)).await.expect("sent");
        let sent = picture(ada, &nth_grid(ada, n + 1).await).await;
        let (job, stored) = newest(app, guild).await.expect("it has ended");
        let task: Task = serde_json::from_value(job.task).expect("a task");
        let (origin, drawn) = (app.models.origin(&task).await, made(&app.models.engine, &task, None).await);
        assert_eq!(stored.len(), n_images, "{words}");
        for (image, drawn) in stored.iter().zip(&drawn) {
            let file = app.blobs.get(&image.blob).await.expect("kept");
            assert!(image::load_from_memory(&file).expect("a picture").to_rgb8() == *drawn, "{words}: the drawn picture, to the bit");
            let Found::Record(record) = metadata::read(Cursor::new(&file)).expect("readable") else { panic!("no record") };
            assert_eq!((&record.task, record.index, record.is_enlarged), (&task, Some(image.index), false), "{words}");
            // The device is named by whoever drew.
            let device_class = record.origin.device_class.clone();
            assert!(device_class.is_some(), "{words}");
            assert_eq!(record.origin, Origin { device_class, ..origin.clone() }, "{words}");
            assert_eq!((image.width, image.height), drawn.dimensions(), "{words}");
        }
        let cell = grid::cell_size(size_of(&drawn[0]), n_images, 512);
        let columns = if n_images == 1 { 1 } else { 2 };
        assert_eq!(sent.dimensions(), (512, n_images.div_ceil(columns) as u32 * cell.height), "{words}");
        for (index, drawn) in (0..).zip(&drawn) {
            let (shown, network) = (cell_of(&sent, cell, index), enlarged(&app.models.engine, drawn).await);
            assert!(distance(&shown, &grid::fitted(&network, cell)) < 0.01, "{words}: picture {index} is what the network gives");
            let smooth = distance(&shown, &grid::fitted(drawn, cell));
            assert!(smooth > 0.5, "{words}: picture {index} is {smooth} from the smoothly enlarged one");
        }
        cost += app.models.engine.catalogue().cost(&task);
    }
    let limits = Limits {
        daily_row_megapixels: 1000.0,
        daily_row_megapixels_per_user: None,
        daily_row_megapixels_host: None,
        monthly_row_megapixels: None,
        monthly_row_megapixels_per_user: None,
        monthly_row_megapixels_host: None,
        is_relax_free: false,
        max_active_per_user: 1,
        max_queued_per_guild: 1,
        max_queued: 1,
    };
    let user = UserId(ada.user_id().parse().expect("a number"));
    let quotas = app.jobs.quotas(&storage::Spender::new(guild, user), &limits, app.clock.now()).await.expect("readable");
    assert!((quotas[0].1.used - cost).abs() < 1e-4, "{} is paid, {cost} were drawn", quotas[0].1.used);
    studio.close().await;
}

/// Discord takes no answers of commands while this is so.
struct Outage {
    client: reqwest::Client,
    url: String,
}

impl Outage {
    async fn begin(studio: &Studio) -> Self {
        let url = format!("{}/sandbox/api/control/faults", studio.running.stand_in.url());
        let client = reqwest::Client::builder().no_proxy().build().expect("a plain client");
        let fault = json!({ "kind": "server_error", "status": 503, "route": "PATCH /webhooks" });
        assert!(client.post(&url).json(&fault).send().await.expect("it answers").status().is_success());
        Self { client, url }
    }

    async fn end(self) {
        assert!(self.client.delete(&self.url).send().await.expect("it answers").status().is_success());
    }
}

/// Waits for something in the bot; nothing is told when it is so.
async fn until<T>(mut found: impl AsyncFnMut() -> Option<T>) -> T {
    let found = async {
        loop {
            if let Some(found) = found().await {
                return found;
            }
            pause().await;
        }
    };
    tokio::time::timeout(PATIENCE, found).await.expect("it comes")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_preview_a_grid_at_its_second_try_and_the_history_show_the_networks_pictures_too() {
    let studio = Studio::open(Mode::Plain, |config| config.defaults.steps = 3).await;
    let (ada, app, guild) = (&studio.ada, &studio.running.bot.app, guild_of(&studio).await);
    let outage = Outage::begin(&studio).await;
    ada.slash(CHANNEL, "imagine", &prompt("a frog --seed 7")).await.expect("sent");
    let (_, stored) = until(async || newest(app, guild).await).await;
    let (mut drawn, mut large) = (Vec::new(), Vec::new());
    for image in &stored {
        let picture = pictures::stored(&*app.blobs, image.blob.as_str()).await.expect("kept");
        large.push(enlarged(&app.models.engine, &picture).await);
        drawn.push(picture);
    }
    let job = app.board.live.iter().map(|live| *live.key()).next().expect("its message is not up to date");
    until(async || {
        let previews: Option<Vec<_>> = app.board.live.get(&job).expect("still so").previews.iter().cloned().collect();
        previews.filter(|previews| *previews == large)
    })
    .await;
    outage.end().await;
    let sent = picture(ada, &nth_grid(ada, 1).await).await;
    assert!(sent == grid::grid(&large, ImageSize::new(256, 256)));
    ada.slash(CHANNEL, "history", &[]).await.expect("sent");
    let is_page = |message: &&Value| message["embeds"][0]["thumbnail"].is_object();
    let page = ada.wait_for(CHANNEL, PATIENCE, |messages| messages.iter().find(is_page).cloned()).await.expect("a page comes");
    // A file that an embed shows is among no attachments.
    let url = page["embeds"][0]["thumbnail"]["url"].as_str().expect("a thumbnail");
    let client = reqwest::Client::builder().no_proxy().build().expect("a plain client");
    let bytes = client.get(url).send().await.expect("it is served").bytes().await.expect("whole");
    let found = image::load_from_memory(&bytes).expect("a picture").into_rgb8();
    assert_eq!(found.dimensions(), (160, 160));
    let small = |grid: &RgbImage| grid::thumbnail(grid, 160);
    let (near, far) = (distance(&found, &small(&sent)), distance(&found, &small(&cubic(&drawn))));
    assert!(near < far, "{near} from the grid made smaller, {far} from the smoothly enlarged pictures");
    studio.close().await;
}

/// The built-in network with weights so large that what it gives are no numbers; such a file is read, and fails when it is used.
fn broken_network(folder: &Path) -> std::path::PathBuf {
    let mut bytes = std::fs::read(models::starter().expect("the starter").upscaler).expect("readable");
    let header = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes")) as usize;
    // Float16's largest number, 65504, everywhere.
    bytes[8 + header..].chunks_exact_mut(2).for_each(|value| value.copy_from_slice(&[0xff, 0x7b]));
    let path = folder.join("broken.safetensors");
    std::fs::write(&path, bytes).expect("writable");
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_network_fails_the_grid_is_enlarged_smoothly() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let network = broken_network(folder.path());
    let studio = Studio::open(Mode::Plain, |config| config.model.upscaler = network).await;
    let (ada, app) = (&studio.ada, &studio.running.bot.app);
    ada.slash(CHANNEL, "imagine", &prompt("a frog --seed 7 --steps 2")).await.expect("sent");
    let grid = picture(ada, &nth_grid(ada, 1).await).await;
    let (job, _) = newest(app, guild_of(&studio).await).await.expect("it has ended");
    let task: Task = serde_json::from_value(job.task).expect("a task");
    assert!(grid == cubic(&made(&app.models.engine, &task, None).await));
    studio.close().await;
}

/// Engines without a network, with one, and with one that fails.
fn engines(folder: &Path) -> [Engine; 3] {
    let usual = models::engine_config(&Config::default()).expect("the starter");
    let things = models::catalogue_config(&Config::default()).expect("the starter");
    let with = |upscaler| {
        let shelf = Shelf::open(CatalogueConfig { upscaler, ..things.clone() }).expect("it is there");
        Engine::start(usual.clone(), Arc::new(shelf)).expect("it starts")
    };
    [with(None), with(things.upscaler.clone()), with(Some(broken_network(folder)))]
}

#[tokio::test(flavor = "multi_thread")]
async fn only_pictures_narrower_than_their_place_are_enlarged_and_only_by_a_network_that_works() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [without, with, broken] = engines(folder.path());
    for (width, height, place, expected) in
        [(64, 64, 256, (256, 256)), (64, 48, 65, (256, 192)), (64, 64, 64, (64, 64)), (512, 40, 256, (512, 40)), (20, 30, 512, (80, 120))]
    {
        let drawn = RgbImage::from_fn(width, height, |x, y| image::Rgb([(x * 3) as u8, (y * 5) as u8, 90]));
        let shown = shown::for_width(&with, drawn.clone(), place).await.expect("it works");
        assert_eq!(shown.dimensions(), expected, "{width}×{height} for {place}");
        for engine in [&without, &broken] {
            assert!(shown::for_width(engine, drawn.clone(), place).await.expect("it goes on") == drawn, "{width}×{height} for {place}");
        }
        let remembering = Shown::new(with.clone());
        for _ in 0..2 {
            assert!(remembering.picture("name".into(), drawn.clone(), place).await.expect("it works") == shown, "also a second time");
        }
    }
    for (engine, width, passes) in [(&with, 64, 2), (&with, 128, 2), (&with, 129, 1), (&with, 512, 1), (&with, 4, 2), (&without, 64, 1)] {
        assert_eq!(shown::passes(engine, width), passes, "{width} wide");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grid_that_is_posted_after_a_restart_is_the_same() {
    let studio = Studio::open(Mode::Plain, |_| {}).await;
    let guild = guild_of(&studio).await;
    let ada = &studio.ada;
    ada.slash(CHANNEL, "imagine", &prompt("a frog --seed 7")).await.expect("sent");
    let expected = picture(ada, &nth_grid(ada, 1).await).await;
    let outage = Outage::begin(&studio).await;
    ada.slash(CHANNEL, "imagine", &prompt("a frog --seed 7")).await.expect("sent");
    let app = studio.running.bot.app.clone();
    until(async || {
        let (jobs, _) = app.jobs.history(HistoryFilter { guild, user: None, channels: None }, 0, 2).await.expect("readable");
        (jobs.len() == 2 && jobs.iter().all(|job| job.status == JobStatus::Done)).then_some(())
    })
    .await;
    let config = Config::clone(&app.config);
    drop(app);
    let Studio { running, ada, .. } = studio;
    running.bot.stop().await.expect("an orderly end");
    assert_eq!(ada.messages(CHANNEL).await.expect("readable").iter().filter(|message| is_grid(message)).count(), 1, "it was not posted");
    outage.end().await;
    let stand_in = running.stand_in;
    let access = Access { token: stand_in.token().to_owned(), endpoint: Endpoint::StandIn(stand_in.url().to_owned()) };
    let bot = start::start(config, access, Clock::default(), Duration::from_millis(20)).await.expect("it starts again");
    let again: Value = nth_grid(&ada, 2).await;
    let bytes = ada.attachment_bytes(&again, 0).await.expect("served");
    let found = image::load(Cursor::new(bytes), image::ImageFormat::Png).expect("a picture").into_rgb8();
    assert!(found == expected);
    bot.stop().await.expect("an orderly end");
    stand_in.shutdown().await;
}
