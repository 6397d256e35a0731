//! Drafts: a row each, for a day.

use super::SqliteStore;
use crate::{
    drafts::{Draft, MAX_DRAFTS},
    error::StorageError,
    ids::*,
};

/// Columns of `drafts`, in the order of [`Draft`].
type Row = (i64, String, i64);

pub(super) async fn keep_draft(store: &SqliteStore, draft: &Draft) -> Result<(), StorageError> {
    const KEEP: &str = "INSERT INTO drafts (id, user, content, created) VALUES (?, ?, ?, ?)";
    const FORGET: &str = "DELETE FROM drafts WHERE user = ?1 AND seq <= \
        (SELECT seq FROM drafts WHERE user = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)";
    let user = draft.user.0.cast_signed();
    let mut tx = store.begin().await?;
    let keep = sqlx::query(KEEP).bind(draft.id.0.as_bytes().to_vec()).bind(user);
    keep.bind(draft.content.to_string()).bind(draft.created.0).execute(&mut *tx).await?;
    sqlx::query(FORGET).bind(user).bind(MAX_DRAFTS).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(())
}

pub(super) async fn draft(store: &SqliteStore, id: DraftId) -> Result<Option<Draft>, StorageError> {
    const READ: &str = "SELECT user, content, created FROM drafts WHERE id = ?";
    let row: Option<Row> = sqlx::query_as(READ).bind(id.0.as_bytes().to_vec()).fetch_optional(&store.readers).await?;
    let read = |(user, content, created): Row| {
        let content = serde_json::from_str(&content).map_err(|_| StorageError::corrupt("content", id))?;
        Ok(Draft { id, user: UserId(user.cast_unsigned()), content, created: Timestamp(created) })
    };
    row.map(read).transpose()
}

pub(super) async fn forget_drafts(store: &SqliteStore, before: Timestamp) -> Result<u64, StorageError> {
    let forget = sqlx::query("DELETE FROM drafts WHERE created < ?").bind(before.0);
    Ok(store.writer.one(forget).await?.rows_affected())
}
