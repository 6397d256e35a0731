//! Small pictures of finished jobs: which blob, as long as its job is not deleted.

use super::{SqliteStore, keeping::unnamed, rows::bytes};
use crate::{error::StorageError, ids::*};

pub(super) async fn thumbnail(store: &SqliteStore, id: JobId) -> Result<Option<BlobKey>, StorageError> {
    let read = sqlx::query_scalar("SELECT thumbnail FROM jobs WHERE id = ?").bind(bytes(id));
    let found: Option<Option<String>> = read.fetch_optional(&store.lookers).await?;
    found.flatten().map(|key| BlobKey::parse(&key).map_err(|_| StorageError::corrupt("blob key", id))).transpose()
}

pub(super) async fn set_thumbnail(store: &SqliteStore, id: JobId, blob: &BlobKey) -> Result<bool, StorageError> {
    let mut tx = store.begin().await?;
    let write =
        sqlx::query("UPDATE jobs SET thumbnail = ? WHERE id = ? AND finished IS NOT NULL AND deleted IS NULL AND forgotten IS NULL");
    write.bind(blob.as_str()).bind(bytes(id)).execute(&mut *tx).await?;
    let unused = unnamed(&mut *tx, &[blob.to_string()]).await?;
    tx.commit().await?;
    Ok(unused.is_empty())
}
