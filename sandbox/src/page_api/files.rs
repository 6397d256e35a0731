//! Files in the calls of people.

use super::{PageError, spool::Spools};
use crate::{files::is_media_type, message::Upload};
use serde::Deserialize;

/// A file as the page sends it.
#[derive(Deserialize)]
pub(super) struct File {
    filename: String,
    content_type: Option<String>,
    data: String,
}

impl File {
    /// The file itself, as the `placeholder`th of its call.
    pub(super) fn open(self, placeholder: String, spools: &Spools) -> Result<Upload, PageError> {
        let Self { filename, content_type, data } = self;
        if content_type.as_deref().is_some_and(|given| !is_media_type(given)) {
            return Err(PageError::bad(format!("the content type of `{filename}` is no media type")));
        }
        let content = spools.take(&data).ok_or_else(|| PageError::bad(format!("`{filename}` is not base64")))?;
        Ok(Upload { placeholder, filename, content_type, content })
    }
}
