//! From stored jobs to messages.

use std::sync::Arc;

use bytes::Bytes;
use image::RgbImage;
use inference::task::{ImageSize, ImageToImage, Inpaint, Note, StopAt, Task, TaskKind, Upscale};
use storage::{BlobStore, Failure, Job, JobId, JobStatus, JobStore, NewImage, StorageError, Tier};

use crate::{
    answer::{Answer, Button, File},
    jobs::after::After,
    jobs::live::Live,
    jobs::{link, parents, shorten::n_shorter, verify},
    messages::{self, Deleting, Enlarged, Heading, Made},
    models::Models,
    pictures::grid,
    pictures::metadata::{self, Origin, Record},
    pictures::shown::{self, MIN_GRID_WIDTH, Shown},
    pictures::{BLEND, is_lost, stored},
    prompt,
    system::log::chain,
    system::printable::printable,
};

/// Above this a picture is sent as JPEG: Discord takes files up to 10 MiB.
const MAX_FILE_BYTES: usize = 9 << 20;
/// A larger one is not enlarged once more: it would be too large for Discord.
const MAX_SIDE_TO_ENLARGE: u32 = 512;
/// Characters of a picture's description: as many as one listens to.
const MAX_DESCRIPTION: usize = 250;
/// Side of a history thumbnail in pixels.
const THUMBNAIL: u32 = 160;

/// Makes messages of stored jobs.
pub struct Renderer {
    /// Remembers.
    pub jobs: Arc<dyn JobStore>,
    /// Keeps pictures.
    pub blobs: Arc<dyn BlobStore>,
    /// What can be drawn with.
    pub models: Arc<Models>,
    /// Makes small pictures large enough to be shown.
    pub shown: Shown,
    /// Where a stand-in's page is; `None` on Discord itself.
    pub page_url: Option<String>,
}

impl Renderer {
    /// Where a job's message is, for people.
    pub fn link(&self, job: &Job) -> Option<String> {
        link(self.page_url.as_deref(), job)
    }

    /// What a job's messages begin with.
    pub async fn heading(&self, user: u64, task: &Task, parent: Option<(JobId, u32)>, action: &str) -> Heading {
        let after = After::of(action);
        let (title, made, parameters) =
            match (&task.kind, parents::source(&*self.jobs, self.page_url.as_deref(), self.models.n_images, task, parent, after).await) {
                (TaskKind::Upscale(_), Some((source, drawn))) => {
                    let base = drawn.base().cloned().unwrap_or_default();
                    (base.prompt.clone(), Made::Enlarged(Some(source)), prompt::describe(&base, &self.models.parse_context()))
                }
                (TaskKind::Upscale(_), None) => (messages::UNTITLED.to_owned(), Made::Enlarged(None), String::new()),
                (
                    TaskKind::TextToImage(base)
                    | TaskKind::Inpaint(Inpaint { base, .. })
                    | TaskKind::ImageToImage(ImageToImage { base, .. }),
                    source,
                ) => {
                    let made = match (&task.kind, source) {
                        (_, source) if let Some(after) = after => Made::After(after, source.map(|(source, _)| source)),
                        (TaskKind::ImageToImage(_), Some((source, _))) => Made::Varied(Some(source)),
                        (TaskKind::TextToImage(_), _) => Made::Drawn,
                        _ if action == BLEND => Made::Blended,
                        _ if parents::is_brought(&*self.jobs, task, parent).await => Made::FromPicture,
                        (TaskKind::ImageToImage(_), None) => Made::Varied(None),
                        _ => Made::Drawn,
                    };
                    (base.prompt.clone(), made, prompt::describe_task(task, &self.models.parse_context()))
                }
            };
        Heading { title, made, parameters, user, notes: self.models.notes(task), is_relaxed: false }
    }

    /// The same of a stored job, with what was noted while it was drawn.
    pub async fn heading_of(&self, job: &Job, task: &Task) -> Heading {
        let mut heading = self.heading(job.user.0, task, job.parent, &job.action).await;
        heading.notes.extend(kept_notes(job));
        heading.is_relaxed = job.tier == Tier::Relax;
        heading
    }

    /// A stored job's entry in the live map.
    pub async fn live(&self, job: &Job, task: &Task) -> Live {
        Live::new(self.heading_of(job, task).await, job.delivery.clone(), picture_size(task), task.n_images()).costing(job.row_megapixels)
    }

    /// The last message of a job that has ended, and the numbers of pictures that are lost and therefore missing there.
    ///
    /// # Errors
    /// The stored task or a picture cannot be read; lost ones are an error where no other is left.
    pub async fn last_answer(&self, job: &Job) -> anyhow::Result<(Answer, Vec<u32>)> {
        let task: Task = serde_json::from_value(job.task.clone())?;
        let heading = self.heading_of(job, &task).await;
        match job.status {
            JobStatus::Failed => {
                let failure = messages::failure(job.failure.as_ref().unwrap_or(&Failure::Untold), job.id);
                Ok((messages::failed(&heading, job.id, &failure), Vec::new()))
            }
            JobStatus::Cancelled => Ok((messages::cancelled(&heading, job.id), Vec::new())),
            JobStatus::Done | JobStatus::Queued | JobStatus::Leased => {
                let images = self.jobs.images(job.id).await?;
                let seconds = job.finished.map(|finished| (finished.0 - job.created.0) as f64 / 1000.0);
                let alt = heading.title.clone();
                // Pictures of older versions say nothing of how they were made; what their job was is known still.
                let origin = images.first().and_then(|image| image.provenance.clone()).map(Origin::from).unwrap_or_default();
                let index = matches!(task.kind, TaskKind::Upscale(_)).then_some(0);
                let record = Record { task: task.clone(), index, is_enlarged: false, origin };
                if let Some(study) = task.base().filter(|base| !base.study.is_empty()) {
                    return self.explanation(job, study, &heading).await;
                }
                if let Some(base) = task.base().filter(|base| !base.readings.is_empty()) {
                    let effects = self.effects(job, base).await?;
                    return Ok((messages::shortened(&heading, job.id, &base.prompt, effects.as_deref()), Vec::new()));
                }
                if matches!(task.kind, TaskKind::Upscale(_)) {
                    let image = images.first().ok_or_else(|| anyhow::anyhow!("a finished job without pictures"))?;
                    let picture = stored(&*self.blobs, image.blob.as_str()).await?;
                    let size = picture.dimensions();
                    let file =
                        tokio::task::spawn_blocking(move || encode(&picture, &record, &format!("atelier-{}", size.0), alt)).await??;
                    let enlarged = self.enlarged(&heading, images.first(), size);
                    let mut answer = messages::picture(&heading, job.id, enlarged, file);
                    if let Some(compared) = verify::compared(&*self.jobs, &*self.blobs, job).await? {
                        messages::tell_compared(&mut answer, &compared);
                    }
                    return Ok((answer, Vec::new()));
                }
                let (found, lost) = self.found(images).await?;
                let (indices, stopped): (Vec<u32>, _) = (found.iter().map(|(image, _)| image.index).collect(), self.stopped(job.id).await?);
                let mut record = record;
                if let (Some(base), Some((done, _))) = (record.task.base_mut(), stopped) {
                    base.stop_at = Some(StopAt::Steps(done));
                }
                let (pictures, cell) = self.shown_pictures(found, MIN_GRID_WIDTH).await?;
                let file = tokio::task::spawn_blocking(move || encode(&grid::grid(&pictures, cell), &record, "grid", alt)).await??;
                let mut answer = messages::grid(&heading, job.id, messages::Drawn { indices: &indices, stopped }, seconds, file);
                messages::tell_lost(&mut answer, &lost);
                if let Some(compared) = verify::compared(&*self.jobs, &*self.blobs, job).await? {
                    messages::tell_compared(&mut answer, &compared);
                }
                Ok((answer, lost))
            }
        }
    }

    /// The step at which a job's pictures were handed out before their end, and all of their steps, as long as that is known.
    async fn stopped(&self, job: JobId) -> Result<Option<(u32, u32)>, StorageError> {
        let states = self.jobs.states(job).await?;
        Ok(states.iter().map(|state| (state.done, state.total)).max())
    }

    /// What is said of an enlarged picture, and whether it can be enlarged once more.
    fn enlarged(&self, heading: &Heading, image: Option<&NewImage>, size: (u32, u32)) -> Enlarged {
        let number = match &heading.made {
            Made::Enlarged(Some(source)) => Some(source.number),
            _ => None,
        };
        let passes = shown::passes(&self.models.engine, size.0);
        let larger = image.map(|image| Task::upscale(Upscale { size: ImageSize::new(size.0, size.1), passes }, image.blob.as_str()));
        let is_small = size.0.max(size.1) <= MAX_SIDE_TO_ENLARGE;
        let can_grow = is_small && larger.is_some_and(|larger| self.models.offered().check(&larger).is_ok());
        Enlarged { number, size, can_grow }
    }

    /// The buttons under a finished job; none where its pictures were deleted meanwhile.
    ///
    /// # Errors
    /// The store or the stored task cannot be read.
    pub async fn buttons(&self, job: &Job, deleting: Deleting) -> anyhow::Result<Vec<Vec<Button>>> {
        let task: Task = serde_json::from_value(job.task.clone())?;
        if task.base().is_some_and(|base| !base.study.is_empty()) {
            return Ok(messages::explain_buttons(job.id, deleting));
        }
        if let Some(base) = task.base().filter(|base| !base.readings.is_empty()) {
            return Ok(messages::shortened_buttons(job.id, n_shorter(&base.prompt), deleting));
        }
        let images = self.jobs.images(job.id).await?;
        if images.is_empty() {
            return Ok(Vec::new());
        }
        let (indices, stopped) = (indices(&images), self.stopped(job.id).await?);
        let shown = match (&task.kind, images.first()) {
            (TaskKind::Upscale(_), Some(image)) => {
                let heading = self.heading_of(job, &task).await;
                messages::Shown::Enlarged(self.enlarged(&heading, Some(image), (image.width, image.height)))
            }
            _ => messages::Shown::Grid(messages::Drawn { indices: &indices, stopped }),
        };
        Ok(messages::buttons(job.id, shown, deleting))
    }

    /// A finished job's pictures as files: those that are kept, where Discord takes them.
    ///
    /// # Errors
    /// The store, the stored task or a picture cannot be read.
    pub async fn files(&self, job: &Job) -> anyhow::Result<Answer> {
        let task: Task = serde_json::from_value(job.task.clone())?;
        let title = self.heading_of(job, &task).await.title;
        let mut files = Vec::new();
        for (image, picture) in self.found(self.jobs.images(job.id).await?).await?.0 {
            let name = format!("atelier-{}-{}", image.seed, image.width);
            let bytes = self.blobs.get(&image.blob).await?;
            let description = described(&title);
            files.push(if bytes.len() <= MAX_FILE_BYTES {
                File { name: format!("{name}.png"), bytes: bytes.to_vec(), description }
            } else {
                tokio::task::spawn_blocking(move || jpeg(picture, &name, description)).await??
            });
        }
        Ok(messages::files(&title, files))
    }

    /// Which pictures of a done job are lost while others of it are there.
    ///
    /// # Errors
    /// The store or a picture cannot be read.
    pub async fn lost(&self, job: &Job) -> anyhow::Result<Vec<u32>> {
        match self.found(self.jobs.images(job.id).await?).await {
            Ok((_, lost)) => Ok(lost),
            Err(error) if is_lost(&error) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Those of a job's pictures that are there, and the numbers of those that are lost; these are an error where no other is left.
    pub(super) async fn found(&self, images: Vec<NewImage>) -> anyhow::Result<(Vec<(NewImage, RgbImage)>, Vec<u32>)> {
        let (mut found, mut lost, mut why) = (Vec::with_capacity(images.len()), Vec::new(), None);
        for image in images {
            match stored(&*self.blobs, image.blob.as_str()).await {
                Ok(picture) => found.push((image, picture)),
                Err(error) if is_lost(&error) => {
                    lost.push(image.index);
                    why = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        match why {
            Some(error) if found.is_empty() => Err(error),
            _ => Ok((found, lost)),
        }
    }

    /// Pictures as a grid of at least this width shows them, and its cells.
    async fn shown_pictures(&self, found: Vec<(NewImage, RgbImage)>, min_width: u32) -> anyhow::Result<(Vec<RgbImage>, ImageSize)> {
        let drawn = found.first().map_or(ImageSize::new(1, 1), |(image, _)| ImageSize::new(image.width, image.height));
        let cell = grid::cell_size(drawn, found.len(), min_width);
        let pictures = found.into_iter().map(|(image, picture)| (image.blob.to_string(), picture)).collect();
        Ok((self.shown.pictures(pictures, cell.width).await?, cell))
    }

    /// A small picture of a finished job, as JPEG; `None` if its pictures are gone. It is made once and kept.
    pub async fn thumbnail(&self, job: &Job) -> Option<Vec<u8>> {
        if let Some(kept) = self.jobs.thumbnail(job.id).await.ok().flatten()
            && let Ok(bytes) = self.blobs.get(&kept).await
        {
            return Some(bytes.to_vec());
        }
        let images = self.jobs.images(job.id).await.ok().filter(|images| !images.is_empty())?;
        let (pictures, cell) = self.shown_pictures(self.found(images).await.ok()?.0, THUMBNAIL).await.ok()?;
        let small = move || grid::preview_bytes(&grid::thumbnail(&grid::grid(&pictures, cell), THUMBNAIL));
        let bytes = tokio::task::spawn_blocking(small).await.ok()?;
        if let Err(error) = self.keep_thumbnail(job.id, &bytes).await {
            tracing::warn!(job.id = %job.id, error = %chain(&error), "a thumbnail could not be kept");
        }
        Some(bytes)
    }

    async fn keep_thumbnail(&self, job: JobId, bytes: &[u8]) -> Result<(), StorageError> {
        let blob = self.blobs.put(Bytes::copy_from_slice(bytes)).await?;
        // Of a job that was deleted meanwhile nothing names it, and it is swept away.
        self.jobs.set_thumbnail(job, &blob).await.map(drop)
    }
}

fn indices(images: &[NewImage]) -> Vec<u32> {
    images.iter().map(|image| image.index).collect()
}

/// What was kept with a job for the person who asked; a note of another version is left out.
pub fn kept_notes(job: &Job) -> impl Iterator<Item = Note> {
    let kept = job.notes.as_ref().and_then(serde_json::Value::as_array).into_iter().flatten();
    kept.filter_map(|note| serde_json::from_value(note.clone()).ok())
}

/// Size of the pictures that a task's previews stand for.
pub fn picture_size(task: &Task) -> ImageSize {
    match &task.kind {
        TaskKind::Upscale(upscale) => upscale.size,
        TaskKind::TextToImage(base) => base.size,
        TaskKind::ImageToImage(task) => task.base.size,
        TaskKind::Inpaint(task) => task.base.size,
    }
}

fn described(title: &str) -> String {
    messages::shorten(&printable(title), MAX_DESCRIPTION)
}

fn encode(picture: &RgbImage, record: &Record, name: &str, description: String) -> anyhow::Result<File> {
    let description = described(&description);
    let png = metadata::png(picture, record)?;
    if png.len() <= MAX_FILE_BYTES {
        return Ok(File { name: format!("{name}.png"), bytes: png, description });
    }
    jpeg(picture.clone(), name, description)
}

/// As large as Discord takes it.
fn jpeg(mut smaller: RgbImage, name: &str, description: String) -> anyhow::Result<File> {
    loop {
        let mut jpeg = Vec::new();
        image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, 90).encode_image(&smaller)?;
        if jpeg.len() <= MAX_FILE_BYTES {
            return Ok(File { name: format!("{name}.jpg"), bytes: jpeg, description });
        }
        smaller = grid::thumbnail(&smaller, smaller.width().max(smaller.height()) / 2);
    }
}
