//! What is made of one picture: variations near and far, itself drawn larger, and what lies around it.

use std::{io::Cursor, sync::Arc};

use image::{DynamicImage, ImageFormat};
use inference::task::{Enlarger, Hires, ImageSize, ImageToImage, Inpaint, Task, TextToImage};
use storage::{BlobKey, JobId, PressKey};

use super::{
    Wish, press_key,
    presser::Presser,
    variation::{self, Of},
};
use crate::{
    app::App,
    chosen::Variation,
    error::BotError,
    jobs::after::After,
    messages::UserError,
    pictures::{
        self,
        canvas::{self, Layout, Room},
    },
};

/// How much of a picture is drawn anew at twice its size so that it gets detail and stays what it is.
const SUBTLE_UPSCALE: f64 = 0.3;
/// And so that the detail is other detail.
const CREATIVE_UPSCALE: f64 = 0.5;
/// A canvas has at most so many times the pixels that its model was made for, unless its picture has more.
const MAX_GROWTH: u64 = 2;

/// Enqueues what is made of a picture; under an enlarged one, of the picture that it shows larger, as long as that is there.
pub async fn enqueue(presser: &Presser<'_>, app: &Arc<App>, (id, index): (JobId, u32), after: After) -> Result<(), BotError> {
    let of = variation::of(presser, app, id, index).await?;
    let task = match after {
        After::VarySubtle => varied(&of, Variation::Subtle),
        After::VaryStrong => varied(&of, Variation::Strong),
        After::UpscaleSubtle => larger(&of, SUBTLE_UPSCALE, None),
        After::UpscaleCreative => larger(&of, CREATIVE_UPSCALE, None),
        After::UpscaleFour => larger(&of, SUBTLE_UPSCALE, Some(enlarger(app))),
        After::ZoomHalf | After::ZoomTwice | After::Square | After::Pan(_) => widened(app, &of, after).await?,
        // These open a form.
        After::Zoom | After::Region => return Err(UserError::UnknownButton.into()),
    };
    let press = Some(PressKey { key: press_key(after.word(), of.parent.0, of.parent.1), keep: false });
    let wish = Wish { action: after.word(), speed: of.speed, task, notes: Vec::new(), parent: Some(of.parent), press, begins: Vec::new() };
    app.door.enqueue(wish.by(presser, app.clock.now())).await.map(drop)
}

fn varied(of: &Of, how: Variation) -> Task {
    let strength = how.strength();
    Task::image_to_image(ImageToImage { base: of.base.clone(), strength }, of.image.blob.as_str())
}

/// Drawn at twice the picture's size, and with an enlarger at twice that once more. What was enlarged already is the better beginning.
fn larger(of: &Of, strength: f64, again: Option<Enlarger>) -> Task {
    let base = TextToImage {
        size: ImageSize::new(of.image.width.saturating_mul(2), of.image.height.saturating_mul(2)),
        n_images: 1,
        hires: again.map(|enlarger| Hires { scale: 2.0, strength, steps: None, enlarger }),
        stop_at: None,
        ..of.base.clone()
    };
    let is_larger = of.shown.width > of.image.width;
    let beginning = if is_larger { &of.shown } else { &of.image };
    Task::image_to_image(ImageToImage { base, strength }, beginning.blob.as_str())
}

/// The network where there is one.
fn enlarger(app: &App) -> Enlarger {
    if app.models.offered().catalogue.upscale_factor().is_some() { Enlarger::Network } else { Enlarger::Latent }
}

/// The picture on a larger canvas, the rest of which is drawn.
async fn widened(app: &App, of: &Of, after: After) -> Result<Task, BotError> {
    let own = of.base.size;
    let room = room(app, &of.base);
    let layout = match after {
        After::Pan(side) => Layout::pan(own, side, room),
        After::Square => Layout::square(own, room),
        After::ZoomHalf => Layout::zoom(own, own, 1.5),
        _ => Layout::zoom(own, own, 2.0),
    };
    let layout = layout.ok_or(UserError::NothingToDraw)?;
    let drawing = Inpaint { base: on_canvas(&of.base, layout.size), strength: app.config.defaults.outpaint_strength };
    check(app, &drawing).await?;
    let (init, mask) = compose(app, of, layout).await?;
    Ok(Task::inpaint(drawing, init.as_str(), mask.as_str()))
}

/// Whether a canvas can be drawn on, before there is one: a side of it may be any number that somebody typed.
pub(super) async fn check(app: &App, drawing: &Inpaint) -> Result<(), BotError> {
    app.models.check(&Task::inpaint(drawing.clone(), "canvas", "mask")).await?;
    Ok(())
}

/// What a part of a canvas is drawn with: in one pass, and to its end.
pub(super) fn on_canvas(base: &TextToImage, size: ImageSize) -> TextToImage {
    TextToImage { size, hires: None, seamless: false, stop_at: None, ..base.clone() }
}

/// How large a canvas may be. Of a model that is gone the door says so.
fn room(app: &App, base: &TextToImage) -> Room {
    let context = app.models.parse_context();
    let pixels = |size: ImageSize| u64::from(size.width) * u64::from(size.height);
    match context.model(base.model.as_deref()) {
        Some(model) => {
            let max_pixels = (pixels(model.native_size) * MAX_GROWTH).max(pixels(base.size));
            Room { multiple: model.size_multiple, max_side: model.max_side, max_pixels }
        }
        None => Room { multiple: 1, max_side: base.size.width.max(base.size.height), max_pixels: pixels(base.size) },
    }
}

/// Lays the picture on its canvas and keeps both files; nothing names them until there is a job.
pub(super) async fn compose(app: &App, of: &Of, layout: Layout) -> Result<(BlobKey, BlobKey), BotError> {
    let picture = pictures::stored(&*app.blobs, of.image.blob.as_str()).await?;
    let own = of.base.size;
    let files = tokio::task::spawn_blocking(move || {
        // One of two passes is larger than its task.
        let picture = pictures::fitted(&picture.into(), own).into_rgb8();
        let canvas = canvas::compose(&picture, &layout);
        Ok::<_, image::ImageError>((png(&canvas.picture.into())?, png(&canvas.mask.into())?))
    });
    let (picture, mask) = files.await.map_err(anyhow::Error::from)?.map_err(anyhow::Error::from)?;
    Ok((app.blobs.put(picture.into()).await?, app.blobs.put(mask.into()).await?))
}

/// As it is kept.
pub(super) fn png(picture: &DynamicImage) -> Result<Vec<u8>, image::ImageError> {
    let mut bytes = Vec::new();
    picture.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png)?;
    Ok(bytes)
}
