//! From stored jobs to messages.

use bytes::Bytes;
use image::RgbImage;
use inference::task::{ImageSize, Note, Task};
use storage::{Failure, Job, JobId, JobStatus, NewImage, StorageError};

use crate::{
    answer::{Answer, File},
    app::App,
    dispatcher::load_picture,
    grid,
    live::Live,
    log::chain,
    messages::{self, Heading},
    metadata::{self, Origin, Record},
    printable::printable,
    prompt,
};

/// A grid is shown at least this wide, so that small models' pictures can be seen.
const MIN_GRID_WIDTH: u32 = 512;
/// Above this a picture is sent as JPEG: Discord takes files up to 10 MiB.
const MAX_FILE_BYTES: usize = 9 << 20;
/// Side of a history thumbnail in pixels.
const THUMBNAIL: u32 = 160;

/// What a job's messages begin with.
pub fn heading(app: &App, user: u64, task: &Task) -> Heading {
    let (title, parameters) = match task {
        Task::TextToImage(base) => (base.prompt.clone(), prompt::describe(base, &app.parse_context())),
        Task::ImageToImage(task) => (format!("Variation of {}", task.base.prompt), prompt::describe(&task.base, &app.parse_context())),
        Task::Inpaint(task) => (task.base.prompt.clone(), prompt::describe(&task.base, &app.parse_context())),
        Task::Upscale(_) => ("Enlarged".to_owned(), String::new()),
    };
    Heading { title, parameters, user, notes: task.notes() }
}

/// The same of a stored job, with what was noted while it was drawn.
pub fn heading_of(app: &App, job: &Job, task: &Task) -> Heading {
    let mut heading = heading(app, job.user.0, task);
    let noted = job.notes.as_ref().and_then(serde_json::Value::as_array).into_iter().flatten();
    // A note of another version is left out.
    heading.notes.extend(noted.filter_map(|note| serde_json::from_value::<Note>(note.clone()).ok()));
    heading
}

/// Size of the pictures that a task's previews stand for.
pub fn picture_size(task: &Task) -> ImageSize {
    match task {
        Task::Upscale(upscale) => upscale.size,
        Task::TextToImage(base) => base.size,
        Task::ImageToImage(task) => task.base.size,
        Task::Inpaint(task) => task.base.size,
    }
}

/// A stored job's entry in the live map.
pub fn live(app: &App, job: &Job, task: &Task) -> Live {
    Live::new(heading_of(app, job, task), job.delivery.clone(), picture_size(task), task.n_images())
}

/// Where a job's message is, for people.
pub fn link(app: &App, job: &Job) -> Option<String> {
    let message = job.delivery.message?;
    if let Some(page) = &app.page_url {
        return Some(format!("{page}/#{}", job.delivery.channel));
    }
    let guild = if job.guild.0 == job.user.0 { "@me".to_owned() } else { job.guild.0.to_string() };
    Some(format!("https://discord.com/channels/{guild}/{}/{message}", job.delivery.channel))
}

/// The last message of a job that has ended.
///
/// # Errors
/// The stored task or a picture cannot be read.
pub async fn last_answer(app: &App, job: &Job) -> anyhow::Result<Answer> {
    let task: Task = serde_json::from_value(job.task.clone())?;
    let heading = heading_of(app, job, &task);
    match job.status {
        JobStatus::Failed => Ok(messages::failed(&heading, &messages::failure(job.failure.as_ref().unwrap_or(&Failure::Untold), job.id))),
        JobStatus::Cancelled => Ok(messages::cancelled(&heading)),
        JobStatus::Done | JobStatus::Queued | JobStatus::Leased => {
            let images = app.jobs.images(job.id).await?;
            let pictures = load_pictures(app, &images).await?;
            let seconds = job.finished.map(|finished| (finished.0 - job.created.0) as f64 / 1000.0);
            let alt = heading.title.clone();
            // Pictures of older versions say nothing of how they were made; what their job was is known still.
            let origin = images.first().and_then(|image| image.provenance.clone()).map(Origin::from).unwrap_or_default();
            let index = matches!(task, Task::Upscale(_)).then_some(0);
            let record = Record { task: task.clone(), index, is_enlarged: false, origin };
            if matches!(task, Task::Upscale(_)) {
                let picture = pictures.into_iter().next().ok_or_else(|| anyhow::anyhow!("a finished job without pictures"))?;
                let size = picture.dimensions();
                let file = tokio::task::spawn_blocking(move || encode(&picture, &record, &format!("atelier-{}", size.0), alt)).await??;
                return Ok(messages::picture(&heading, job.id, size, file));
            }
            let n_images = pictures.len() as u32;
            let file = tokio::task::spawn_blocking(move || encode(&grid::grid(&pictures, MIN_GRID_WIDTH), &record, "grid", alt)).await??;
            Ok(messages::grid(&heading, job.id, n_images, seconds, file))
        }
    }
}

async fn load_pictures(app: &App, images: &[NewImage]) -> anyhow::Result<Vec<RgbImage>> {
    let mut pictures = Vec::with_capacity(images.len());
    for image in images {
        pictures.push(load_picture(app, image.blob.as_str()).await?);
    }
    Ok(pictures)
}

fn encode(picture: &RgbImage, record: &Record, name: &str, description: String) -> anyhow::Result<File> {
    let description: String = printable(&description).chars().take(1000).collect();
    let png = metadata::png(picture, record)?;
    if png.len() <= MAX_FILE_BYTES {
        return Ok(File { name: format!("{name}.png"), bytes: png, description });
    }
    let mut smaller = picture.clone();
    loop {
        let mut jpeg = Vec::new();
        image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, 90).encode_image(&smaller)?;
        if jpeg.len() <= MAX_FILE_BYTES {
            return Ok(File { name: format!("{name}.jpg"), bytes: jpeg, description });
        }
        smaller = grid::thumbnail(&smaller, smaller.width().max(smaller.height()) / 2);
    }
}

/// A small picture of a finished job, as JPEG; `None` if its pictures are gone. It is made once and kept.
pub async fn thumbnail(app: &App, job: &Job) -> Option<Vec<u8>> {
    if let Some(kept) = app.jobs.thumbnail(job.id).await.ok().flatten()
        && let Ok(bytes) = app.blobs.get(&kept).await
    {
        return Some(bytes.to_vec());
    }
    let images = app.jobs.images(job.id).await.ok().filter(|images| !images.is_empty())?;
    let pictures = load_pictures(app, &images).await.ok()?;
    let small = move || grid::preview_bytes(&grid::thumbnail(&grid::grid(&pictures, 1), THUMBNAIL));
    let bytes = tokio::task::spawn_blocking(small).await.ok()?;
    if let Err(error) = keep_thumbnail(app, job.id, &bytes).await {
        tracing::warn!(job.id = %job.id, error = %chain(&error), "a thumbnail could not be kept");
    }
    Some(bytes)
}

async fn keep_thumbnail(app: &App, job: JobId, bytes: &[u8]) -> Result<(), StorageError> {
    let blob = app.blobs.put(Bytes::copy_from_slice(bytes)).await?;
    if app.jobs.set_thumbnail(job, &blob).await? { Ok(()) } else { app.blobs.delete(&blob).await }
}
