//! Files in the calls of people.

use super::PageError;
use crate::{files::is_media_type, message::Upload};
use base64::{Engine, engine::general_purpose::STANDARD};
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
    pub(super) fn open(self, placeholder: String) -> Result<Upload, PageError> {
        let Self { filename, content_type, data } = self;
        if content_type.as_deref().is_some_and(|given| !is_media_type(given)) {
            return Err(PageError::bad(format!("the content type of `{filename}` is no media type")));
        }
        let bytes = STANDARD.decode(&data).map_err(|_| PageError::bad(format!("`{filename}` is not base64")))?;
        Ok(Upload { placeholder, filename, content_type, bytes: bytes.into() })
    }
}
