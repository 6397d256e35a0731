//! Pictures: recorded as they are finished, shown when their job is done.

use rusqlite::Connection;

use super::{SqliteStore, rows::bytes, sql::sql};
use crate::{
    error::StorageError,
    ids::*,
    images::{NewImage, Provenance},
};

from_row! {
    struct ImageRow {
        number: u32,
        seed: i64,
        width: u32,
        height: u32,
        blob: String,
        model_hash: Option<String>,
        engine: Option<String>,
        device: Option<String>,
        dtype: Option<String>,
        digests: Option<Vec<u8>>,
    }
}

impl ImageRow {
    fn read(self, id: JobId) -> Result<NewImage, StorageError> {
        let Self { number: index, seed, width, height, blob, model_hash, engine, device, dtype, digests } = self;
        let blob = BlobKey::parse(&blob).map_err(|_| StorageError::corrupt("blob key", id))?;
        let made = engine.zip(device).zip(dtype);
        let provenance = made.map(|((engine, device), dtype)| Provenance { model_hash, engine, device, dtype });
        let digests = digests.unwrap_or_default();
        let digests = digests.as_chunks::<8>().0.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect();
        Ok(NewImage { index, seed: seed.cast_unsigned(), width, height, blob, provenance, digests })
    }
}

/// The columns of [`ImageRow`] and where they stand, for `concat!`.
macro_rules! select {
    () => {
        "SELECT number, seed, images.width, images.height, blob, model_hash, engine, device, dtype, digests \
         FROM images JOIN jobs ON jobs.seq = images.job WHERE jobs.id = ?"
    };
}

/// Adds a picture to a job, unless it has the one of this number; whether it did.
pub(super) fn insert(db: &Connection, job: i64, image: &NewImage) -> Result<bool, StorageError> {
    const IMAGE: &str = "INSERT INTO images (job, number, seed, width, height, blob, model_hash, engine, device, dtype, digests) \
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (job, number) DO NOTHING";
    let write = sql(IMAGE).bind(job).bind(image.index).bind(image.seed.cast_signed()).bind(image.width).bind(image.height);
    let made = image.provenance.as_ref();
    let write = write.bind(image.blob.as_str()).bind(made.and_then(|made| made.model_hash.as_deref()));
    let write = write.bind(made.map(|made| made.engine.as_str())).bind(made.map(|made| made.device.as_str()));
    let digests: Vec<u8> = image.digests.iter().flat_map(|digest| digest.to_le_bytes()).collect();
    let write = write.bind(made.map(|made| made.dtype.as_str()));
    let written = write.bind(Some(digests).filter(|digests| !digests.is_empty())).execute(db)?;
    Ok(written == 1)
}

/// What is recorded of a job, done or not.
pub(super) fn all(db: &Connection, id: JobId) -> Result<Vec<NewImage>, StorageError> {
    const ALL: &str = concat!(select!(), " ORDER BY number");
    let rows: Vec<ImageRow> = sql(ALL).bind(bytes(id)).all(db)?;
    rows.into_iter().map(|row| row.read(id)).collect()
}

pub(super) async fn of_done(store: &SqliteStore, id: JobId) -> Result<Vec<NewImage>, StorageError> {
    const OF_DONE: &str = concat!(select!(), " AND status = 'done' AND deleted IS NULL ORDER BY number");
    let rows: Vec<ImageRow> = sqlx::query_as(OF_DONE).bind(bytes(id)).fetch_all(&store.readers).await?;
    rows.into_iter().map(|row| row.read(id)).collect()
}
