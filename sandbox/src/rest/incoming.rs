use crate::{
    clock,
    error::{ApiError, FormErrors},
    message::{Draft, Upload},
};
use axum::{
    body::Bytes,
    extract::{FromRequest, Multipart, Request, multipart::MultipartError},
    http::{StatusCode, header},
};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

/// A request's body and query, however it was sent.
pub(crate) struct Incoming {
    pub(crate) body: Value,
    pub(crate) uploads: Vec<Upload>,
    query: String,
}

impl Incoming {
    /// Reads JSON, or a multipart form with its parts in any order.
    pub(crate) async fn read(request: Request, query: &str) -> Result<Self, ApiError> {
        let query = query.to_owned();
        let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if content_type.starts_with("multipart/form-data") {
            let form = Multipart::from_request(request, &()).await.map_err(|_| ApiError::not_json())?;
            let (body, uploads) = read_form(form).await?;
            return Ok(Self { body, uploads, query });
        }
        let bytes = Bytes::from_request(request, &()).await.map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => ApiError::too_large(),
            _ => ApiError::not_json(),
        })?;
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).map_err(|_| ApiError::not_json())? };
        Ok(Self { body, uploads: Vec::new(), query })
    }

    /// A field of the query.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    }

    /// A field of the query that is true in any of the ways libraries write it.
    pub(crate) fn is_set(&self, name: &str) -> bool {
        self.query(name).is_some_and(|value| matches!(value, "true" | "True" | "1"))
    }

    /// A number in the query.
    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        self.query(name)?.parse().ok()
    }

    /// A moment in the query, in microseconds since 1970.
    pub(crate) fn moment_us(&self, name: &str) -> Result<Option<i64>, ApiError> {
        let Some(text) = self.query(name) else { return Ok(None) };
        let text = percent_decode_str(text).decode_utf8_lossy().into_owned();
        let moment_us = clock::parse_us(&text);
        if moment_us.is_none() {
            let mut errors = FormErrors::default();
            errors.add(name, "DATETIME_TYPE_PARSE", format!("Could not parse {text}. Should be ISO8601."));
            errors.finish()?;
        }
        Ok(moment_us)
    }

    /// The message that the body describes.
    pub(crate) fn draft(self) -> Draft {
        Draft { body: self.body, uploads: self.uploads }
    }
}

async fn read_form(mut form: Multipart) -> Result<(Value, Vec<Upload>), ApiError> {
    let (mut payload, mut fields, mut uploads) = (None, Map::new(), Vec::new());
    while let Some(field) = form.next_field().await.map_err(refuse)? {
        let name = field.name().unwrap_or_default().to_owned();
        let filename = field.file_name().map(str::to_owned);
        let content_type = field.content_type().map(str::to_owned);
        let bytes = field.bytes().await.map_err(refuse)?;
        match filename {
            Some(filename) => {
                let placeholder = name.strip_prefix("files[").and_then(|rest| rest.strip_suffix(']')).unwrap_or("0").to_owned();
                uploads.push(Upload { placeholder, filename, content_type, bytes });
            }
            None if name == "payload_json" => payload = Some(serde_json::from_slice(&bytes).map_err(|_| ApiError::not_json())?),
            None => {
                fields.insert(name, Value::String(String::from_utf8_lossy(&bytes).into_owned()));
            }
        }
    }
    uploads.sort_by_key(|upload| upload.placeholder.parse::<u64>().unwrap_or(u64::MAX));
    Ok((payload.unwrap_or(Value::Object(fields)), uploads))
}

fn refuse(error: MultipartError) -> ApiError {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE { ApiError::too_large() } else { ApiError::not_json() }
}
