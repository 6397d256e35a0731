use super::form;
use crate::{
    clock,
    error::{ApiError, FormErrors},
    inflow::InflowError,
    message::{Draft, Upload},
};
use axum::{body::to_bytes, extract::Request, http::header};
use percent_encoding::percent_decode_str;
use serde_json::Value;

/// A request's body and query, however it was sent.
pub(crate) struct Incoming {
    pub(crate) body: Value,
    pub(crate) uploads: Vec<Upload>,
    /// What breaks Discord's description; a route refuses it once it knows that what is asked for exists.
    pub(crate) faults: FormErrors,
    query: String,
}

/// What a route takes instead of JSON, by Discord's description of its API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FormRule {
    /// Nothing; whether the JSON may be a list.
    None { may_be_list: bool },
    /// Forms with the fields of a message.
    Message,
    /// Forms that have their JSON in `payload_json`.
    Payload,
}

impl FormRule {
    pub(super) fn of(method: &str, segments: &[&str]) -> Self {
        match (method, segments) {
            ("POST", ["interactions", ..]) => Self::Payload,
            ("POST" | "PATCH", ["webhooks", ..] | ["channels", _, "messages" | "threads", ..]) => Self::Message,
            _ => Self::None { may_be_list: matches!(method, "PUT" | "PATCH") },
        }
    }

    fn media_types(self) -> &'static str {
        match self {
            Self::None { .. } => "'application/json'",
            Self::Message | Self::Payload => "'application/json', 'application/x-www-form-urlencoded', 'multipart/form-data'",
        }
    }
}

impl Incoming {
    /// Reads JSON, or a form with its parts in any order.
    ///
    /// # Errors
    /// 50109 for what is no JSON, 50035 for another kind of content, a broken form or JSON that is no object, 40005 for too much of it.
    pub(super) async fn read(request: Request, query: &str, rule: FormRule) -> Result<Self, ApiError> {
        let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let takes_forms = !matches!(rule, FormRule::None { .. });
        let (body, uploads) = if takes_forms && media_type == "multipart/form-data" {
            form::multipart(request, rule).await?
        } else {
            let bytes = to_bytes(request.into_body(), usize::MAX).await.map_err(|error| refuse(&error))?;
            let body = match media_type.as_str() {
                _ if bytes.is_empty() => Value::Null,
                "application/json" => serde_json::from_slice(&bytes).map_err(|_| ApiError::not_json())?,
                "application/x-www-form-urlencoded" if takes_forms => form::urlencoded(&bytes, rule)?,
                _ => return Err(ApiError::wrong_content_type(rule.media_types())),
            };
            (body, Vec::new())
        };
        let is_well = body.is_object() || body.is_null() || (body.is_array() && rule == FormRule::None { may_be_list: true });
        if !is_well {
            let mut errors = FormErrors::default();
            errors.add("", "DICT_TYPE_CONVERT", "Only dictionaries may be used in a DictType");
            errors.finish()?;
        }
        Ok(Self { body, uploads, faults: FormErrors::default(), query: query.to_owned() })
    }

    /// The body, if it is as Discord describes it.
    pub(crate) fn form(&self) -> Result<&Value, ApiError> {
        self.faults.clone().finish()?;
        Ok(&self.body)
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
        Draft { body: self.body, uploads: self.uploads, at: "", faults: self.faults }
    }
}

/// Why a body did not come whole.
pub(super) fn refuse(error: &(dyn std::error::Error + 'static)) -> ApiError {
    match InflowError::behind(error) {
        Some(InflowError::TooLarge) => ApiError::too_large(),
        Some(InflowError::Stalled) => ApiError::too_slow(),
        Some(InflowError::Broken) | None => ApiError::not_json(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_take_what_discord_takes_there() {
        let check = |method, path: &str, expected| {
            assert_eq!(FormRule::of(method, &path.split('/').collect::<Vec<_>>()), expected, "{method} {path}");
        };
        check("POST", "interactions/1/token/callback", FormRule::Payload);
        check("PATCH", "webhooks/1/token/messages/@original", FormRule::Message);
        check("POST", "channels/1/messages", FormRule::Message);
        check("PUT", "applications/1/commands", FormRule::None { may_be_list: true });
        check("POST", "users/@me/channels", FormRule::None { may_be_list: false });
    }
}
