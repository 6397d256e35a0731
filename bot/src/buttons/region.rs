//! Vary (Region): the picture under letters, for the presser alone, and a menu of its cells; what is chosen opens a form.

use std::io::Cursor;

use image::ImageFormat;
use storage::JobId;

use super::{
    presser::Presser,
    variation::{self, Of},
};
use crate::{
    answer::{Answer, File},
    app::App,
    error::BotError,
    messages,
    pictures::{self, canvas, grid},
};

/// Longest side of the picture under letters in pixels.
const LONGEST: u32 = 768;

/// What the presser chooses from.
pub(super) async fn ask(presser: &Presser<'_>, app: &App, (id, index): (JobId, u32)) -> Result<Answer, BotError> {
    app.looks.take(presser.user, app.clock.now())?;
    let Of { base, shown, .. } = variation::of(presser, app, id, index).await?;
    let picture = pictures::stored(&*app.blobs, shown.blob.as_str()).await?;
    let lettered = tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        canvas::lettered(&grid::thumbnail(&picture, LONGEST)).write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png)?;
        Ok::<_, image::ImageError>(bytes)
    });
    let bytes = lettered.await.map_err(anyhow::Error::from)?.map_err(anyhow::Error::from)?;
    let file = File { name: "cells.png".into(), bytes, description: messages::CELLS.to_owned() };
    Ok(messages::cells((id, index), &base.prompt, file))
}
