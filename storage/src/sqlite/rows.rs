//! How a job stands in its row.

use super::turns;
use crate::{cost::to_row_megapixels, error::StorageError, failure::Failure, ids::*, jobs::*};

/// The columns of [`JobRow`], for `concat!`.
macro_rules! job_columns {
    () => {
        "id, status, guild, tier, user, action, task, model, parent, parent_index, row_pixels, channel, token, token_expires, message, is_private, \
         error, notes, deleted, forgotten, is_cancel_requested, is_stop_requested, culled, attempts, created, finished"
    };
}
pub(super) use job_columns;

from_row! {
    pub(super) struct JobRow {
        pub(super) id: Vec<u8>,
        status: String,
        guild: i64,
        tier: i64,
        user: i64,
        action: String,
        task: String,
        model: Option<String>,
        parent: Option<Vec<u8>>,
        parent_index: Option<u32>,
        row_pixels: i64,
        channel: i64,
        token: Option<String>,
        token_expires: i64,
        message: Option<i64>,
        is_private: bool,
        error: Option<String>,
        notes: Option<String>,
        deleted: Option<i64>,
        forgotten: Option<i64>,
        is_cancel_requested: bool,
        is_stop_requested: bool,
        culled: u32,
        attempts: u32,
        created: i64,
        finished: Option<i64>,
    }
}

impl TryFrom<JobRow> for Job {
    type Error = StorageError;

    fn try_from(row: JobRow) -> Result<Self, StorageError> {
        let id = job_id(&row.id)?;
        let parent = row.parent.map(|parent| job_id(&parent)).transpose()?;
        Ok(Self {
            id,
            status: status(&row.status).ok_or_else(|| StorageError::corrupt("status", id))?,
            guild: GuildId(row.guild.cast_unsigned()),
            user: UserId(row.user.cast_unsigned()),
            tier: turns::tier(row.tier).ok_or_else(|| StorageError::corrupt("tier", id))?,
            action: row.action,
            task: serde_json::from_str(&row.task).map_err(|_| StorageError::corrupt("task", id))?,
            model: row.model,
            parent: parent.zip(row.parent_index),
            row_megapixels: to_row_megapixels(row.row_pixels),
            delivery: Delivery {
                channel: row.channel.cast_unsigned(),
                token: row.token.unwrap_or_default(),
                token_expires: Timestamp(row.token_expires),
                message: row.message.map(i64::cast_unsigned),
                is_private: row.is_private,
            },
            failure: row.error.as_deref().map(Failure::of_text),
            notes: row.notes.map(|notes| serde_json::from_str(&notes)).transpose().map_err(|_| StorageError::corrupt("notes", id))?,
            is_deleted: row.deleted.is_some(),
            is_forgotten: row.forgotten.is_some(),
            is_cancel_requested: row.is_cancel_requested,
            is_stop_requested: row.is_stop_requested,
            culled: row.culled,
            attempts: row.attempts,
            created: Timestamp(row.created),
            finished: row.finished.map(Timestamp),
        })
    }
}

/// The bytes of an id, as it stands in a row.
pub(super) fn bytes(id: JobId) -> Vec<u8> {
    id.0.as_bytes().to_vec()
}

/// Reads an id.
pub(super) fn job_id(bytes: &[u8]) -> Result<JobId, StorageError> {
    let shown = || bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    uuid::Uuid::from_slice(bytes).map(JobId).map_err(|_| StorageError::corrupt("id", shown()))
}

/// The word for a status, as it stands in a row.
pub(super) fn status_word(status: JobStatus) -> &'static str {
    match status {
        JobStatus::Queued => "queued",
        JobStatus::Leased => "leased",
        JobStatus::Done => "done",
        JobStatus::Failed => "failed",
        JobStatus::Cancelled => "cancelled",
    }
}

/// Reads a status.
pub(super) fn status(word: &str) -> Option<JobStatus> {
    use JobStatus::*;
    [Queued, Leased, Done, Failed, Cancelled].into_iter().find(|status| status_word(*status) == word)
}
