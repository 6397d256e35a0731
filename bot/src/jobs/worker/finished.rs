//! A finished picture: stored, recorded, and shown in its job's preview.

use std::sync::Arc;

use bytes::Bytes;
use image::RgbImage;
use inference::{
    engine::FinishedImage,
    task::{ImageSize, StopAt, Task},
};
use storage::{JobId, Lease, NewImage, Written};

use super::Worker;
use crate::{
    jobs::going_on,
    pictures::{
        self,
        explain::kept,
        film::{self, Frames},
        grid,
        metadata::{self, Origin, Record},
        shown::MIN_GRID_WIDTH,
    },
    system::log::chain,
};

impl Worker {
    /// Stores a finished picture and records it: a row never names a blob that is not there.
    pub(super) async fn save(
        self: &Arc<Self>,
        lease: &Lease,
        task: &Task,
        origin: Origin,
        (finished, frames): (FinishedImage, Frames),
    ) -> anyhow::Result<Written> {
        let FinishedImage { index, seed, image, stopped, digests, device_class, explained } = finished;
        let (width, height) = image.dimensions();
        let provenance = Some(origin.provenance());
        let origin = Origin { device_class: Some(device_class), ..origin };
        // A picture of a study, or of a comparison, says what draws it alone.
        let (task, index_of_task) = match task.base() {
            Some(base) if !base.study.is_empty() || !base.readings.is_empty() => (alone(task.clone(), index), 0),
            _ => (task.clone(), index),
        };
        let mut record = Record { task, index: Some(index_of_task), is_enlarged: false, origin };
        if let Some(stopped) = stopped {
            if let Some(base) = record.task.base_mut() {
                base.stop_at = Some(StopAt::Steps(stopped.progress.done));
            }
            // Before its picture: where that is known it goes on from there, and not from a place further on.
            match going_on::keep((&*self.jobs, &*self.blobs), lease, (index, *stopped), self.clock.now()).await {
                Ok(Written::Done) => {}
                Ok(written) => return Ok(written),
                Err(error) => tracing::warn!(error = chain(error.as_ref()), "a stopped picture cannot go on"),
            }
        }
        let write = move || {
            let film = frames.to_chunk().map(|data| (film::CHUNK, data));
            let explained = explained.and_then(|explained| kept::to_chunk(*explained)).map(|data| (kept::CHUNK, data));
            let chunks: Vec<_> = film.into_iter().chain(explained).collect();
            (metadata::png_with(&image, &record, &chunks), image)
        };
        let (png, image) = tokio::task::spawn_blocking(write).await?;
        let png = Bytes::from(png?);
        let blob = self.blobs.put(png).await?;
        let name = blob.to_string();
        let written = self.jobs.record_image(lease, &NewImage { index, seed: seed.0, width, height, blob, provenance, digests }).await?;
        if written == Written::Done {
            self.tasks.spawn(self.clone().show_finished(lease.job.id, index, name, image));
        }
        Ok(written)
    }

    /// Puts a picture that a worker before this one finished into its job's preview.
    pub(super) async fn show_recorded(self: Arc<Self>, job: JobId, image: NewImage) {
        match pictures::stored(&*self.blobs, image.blob.as_str()).await {
            Ok(drawn) => self.clone().show_finished(job, image.index, image.blob.to_string(), drawn).await,
            Err(error) => tracing::warn!(job.id = %job, error = chain(error.as_ref()), "a finished picture cannot be read"),
        }
    }

    /// Puts a finished picture into its job's preview as the grid will show it, which the grid finds made then.
    async fn show_finished(self: Arc<Self>, job: JobId, index: u32, name: String, drawn: RgbImage) {
        let Some(n_images) = self.board.live.get(&job).map(|live| live.previews.len()) else { return };
        let size = ImageSize::new(drawn.width(), drawn.height());
        let show = async {
            let shown = self.renderer.shown.picture(name, drawn, grid::cell_size(size, n_images, MIN_GRID_WIDTH).width).await.ok()?;
            tokio::task::spawn_blocking(move || grid::fitted(&shown, grid::preview_cell(size, n_images))).await.ok()
        };
        let shown = tokio::select! {
            shown = show => shown,
            () = self.shutdown.cancelled() => return,
        };
        let Some(mut live) = self.board.live.get_mut(&job) else { return };
        if let Some(preview) = live.previews.get_mut(index as usize).filter(|_| shown.is_some()) {
            *preview = shown;
            live.touch();
        }
    }
}

/// What draws one picture of a task alone.
fn alone(mut task: Task, index: u32) -> Task {
    if let Some(base) = task.base_mut() {
        *base = base.alone(index);
    }
    task
}
