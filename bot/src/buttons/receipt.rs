//! 🔎: what made a picture, for whoever presses it.

use std::io::Cursor;

use inference::task::TaskKind;
use serde_json::json;
use storage::{Job, JobId, NewImage};

use super::{drawn_of, job_of, picture_of, presser::Presser};
use crate::{
    answer::Answer,
    app::App,
    error::BotError,
    messages::{self, Receipt},
    pictures::metadata::{self, Found, Origin, Record, parameters as text},
};

/// The receipt of a picture; under an enlarged one, that of the picture that it shows larger, with the enlargement's own hash.
pub async fn tell(presser: &Presser<'_>, app: &App, id: JobId, index: u32) -> Result<Answer, BotError> {
    app.looks.take(presser.user, app.clock.now())?;
    let job = job_of(presser, app, id).await?;
    let shown = picture_of(app, &job, index).await?;
    let is_enlarged =
        serde_json::from_value::<inference::task::Task>(job.task.clone()).is_ok_and(|task| matches!(task.kind, TaskKind::Upscale(_)));
    let (job, image, enlarged) = match is_enlarged {
        false => (job, shown, None),
        true => {
            let drawn = drawn_of(app, job.clone()).await;
            match drawn.ok().and_then(|drawn| Some((drawn.index?, drawn.job))) {
                Some((of_drawn, drawn)) => match picture_of(app, &drawn, of_drawn).await {
                    Ok(image) => (drawn, image, Some(shown)),
                    Err(_) => (job, shown, None),
                },
                None => (job, shown, None),
            }
        }
    };
    Ok(messages::receipt(&of(app, &job, &image, enlarged).await?))
}

async fn of(app: &App, job: &Job, image: &NewImage, enlarged: Option<NewImage>) -> Result<Receipt, BotError> {
    let bytes = app.blobs.get(&image.blob).await?;
    // Its own file says most; that of an older version less.
    let found = tokio::task::spawn_blocking(move || metadata::read(Cursor::new(bytes))).await?;
    let record = match found {
        Ok(Found::Record(record)) => *record,
        _ => Record {
            task: serde_json::from_value(job.task.clone())?,
            index: Some(image.index),
            is_enlarged: false,
            origin: image.provenance.clone().map(Origin::from).unwrap_or_default(),
        },
    };
    let mut weights = Vec::new();
    let origin = &record.origin;
    weights.extend(origin.model_hash.iter().map(|hash| ("model".to_owned(), hash.clone())));
    weights.extend(parts(app, &record).await);
    weights.extend(origin.vae_hash.iter().map(|hash| ("vae".to_owned(), hash.clone())));
    weights.extend(origin.adapter_hashes.iter().map(|(name, hash)| (format!("lora {name}"), hash.clone())));
    weights.extend(origin.embedding_hashes.iter().map(|(name, hash)| (format!("embedding {name}"), hash.clone())));
    let class = origin.device_class.as_ref();
    let made_with = vec![
        ("enlarged to", enlarged.map(|image| format!("{} x {}, sha256 {}", image.width, image.height, image.blob)).unwrap_or_default()),
        ("size", format!("{} x {}", image.width, image.height)),
        ("seed", image.seed.to_string()),
        ("program", format!("Atelier {}", origin.engine)),
        ("device", format!("{} ({})", origin.device, origin.dtype)),
        ("device class", class.map(|class| format!("{class}, numbers {}", class.numbers)).unwrap_or_default()),
    ];
    let digests: Vec<String> = image.digests.iter().map(|digest| format!("{digest:016x}")).collect();
    let whole = json!({
        "job": job.id.to_string(),
        "picture": image.index + 1,
        "sha256": image.blob.as_str(),
        "seed": image.seed.to_string(),
        "weights": weights.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
        "record": record,
        "steps": digests,
    });
    Ok(Receipt {
        job: job.id,
        index: image.index,
        sha256: image.blob.to_string(),
        weights,
        made_with,
        parameters: text::write(&record),
        json: serde_json::to_vec_pretty(&whole)?,
    })
}

/// The other parts of the model as they are now, if it is still the one that drew.
async fn parts(app: &App, record: &Record) -> Vec<(String, String)> {
    let (Some(base), Some(drawn)) = (record.task.base(), record.origin.model_hash.clone()) else { return Vec::new() };
    let offered = app.models.offered();
    let Some(path) = offered.catalogue.model(base.model.as_deref()).map(|card| card.path.clone()) else { return Vec::new() };
    let hashes = app.models.hashes.clone();
    let read = move || match hashes.of_model(&path) {
        Ok(now) if now == drawn => hashes.of_other_parts(&path).unwrap_or_default(),
        _ => Vec::new(),
    };
    tokio::task::spawn_blocking(read).await.unwrap_or_default()
}
