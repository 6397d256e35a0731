//! Forms. Source: discord-api-docs, reference, "Uploading Files". Discord answers 50035 to a form that it cannot read; what stands below
//! `errors` then is not documented, and is the stand-in's own for the causes that only forms have.

use super::incoming::{FormRule, refuse};
use crate::{
    error::{ApiError, FormErrors},
    inflow::InflowError,
    message::Upload,
};
use axum::extract::{FromRequest, Multipart, Request};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

/// More parts than this are refused: a message has ten files and some twenty fields.
const N_PARTS: usize = 64;

/// The fields of a form, and its JSON if it has any.
#[derive(Default)]
struct Form {
    payload: Option<Value>,
    fields: Vec<(String, String)>,
    n_parts: usize,
}

/// The body of a multipart form, and its files by their numbers.
pub(super) async fn multipart(request: Request, rule: FormRule) -> Result<(Value, Vec<Upload>), ApiError> {
    let mut parts = Multipart::from_request(request, &()).await.map_err(|_| broken("the boundary is missing"))?;
    let unreadable = |error| if InflowError::behind(&error).is_some() { refuse(&error) } else { broken("the form is not whole") };
    let (mut form, mut uploads) = (Form::default(), Vec::new());
    while let Some(part) = parts.next_field().await.map_err(unreadable)? {
        let name = part.name().filter(|name| !name.is_empty()).ok_or_else(|| broken("a part has no name"))?.to_owned();
        let filename = part.file_name().map(str::to_owned);
        let content_type = part.content_type().map(str::to_owned);
        let bytes = part.bytes().await.map_err(unreadable)?;
        match filename {
            // Some libraries give the JSON a file name.
            Some(filename) if name != "payload_json" => {
                form.count()?;
                let placeholder = name.strip_prefix("files[").and_then(|rest| rest.strip_suffix(']')).unwrap_or("0").to_owned();
                uploads.push(Upload { placeholder, filename, content_type, content: bytes.into() });
            }
            _ => form.add(name, &bytes)?,
        }
    }
    uploads.sort_by_key(|upload| upload.placeholder.parse::<u64>().unwrap_or(u64::MAX));
    Ok((form.body(rule)?, uploads))
}

/// The body of a form without files: `content=hello&tts=true`.
pub(super) fn urlencoded(bytes: &[u8], rule: FormRule) -> Result<Value, ApiError> {
    let text = std::str::from_utf8(bytes).map_err(|_| broken("the form is no text"))?;
    let mut form = Form::default();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decoded = |part: &str| percent_decode_str(&part.replace('+', " ")).decode_utf8_lossy().into_owned();
        form.add(decoded(name), decoded(value).as_bytes())?;
    }
    form.body(rule)
}

fn broken(message: &str) -> ApiError {
    refused("", "FORM_MALFORMED", message)
}

fn refused(path: &str, code: &str, message: &str) -> ApiError {
    let mut errors = FormErrors::default();
    errors.add(path, code, message);
    errors.finish().err().unwrap_or_else(ApiError::not_json)
}

impl Form {
    fn count(&mut self) -> Result<(), ApiError> {
        self.n_parts += 1;
        if self.n_parts > N_PARTS { Err(broken("the form has too many parts")) } else { Ok(()) }
    }

    fn add(&mut self, name: String, value: &[u8]) -> Result<(), ApiError> {
        self.count()?;
        if name != "payload_json" {
            self.fields.push((name, String::from_utf8_lossy(value).into_owned()));
            return Ok(());
        }
        if self.payload.is_some() {
            return Err(refused("payload_json", "FORM_MALFORMED", "this field comes twice"));
        }
        self.payload = Some(serde_json::from_slice(value).map_err(|_| ApiError::not_json())?);
        Ok(())
    }

    fn body(self, rule: FormRule) -> Result<Value, ApiError> {
        if let Some(payload) = self.payload {
            return Ok(payload);
        }
        if rule == FormRule::Payload {
            return Err(refused("payload_json", "BASE_TYPE_REQUIRED", "This field is required"));
        }
        let mut errors = FormErrors::default();
        let mut body = Map::new();
        for (name, text) in self.fields {
            let value = match name.as_str() {
                "tts" | "enforce_nonce" => match text.to_ascii_lowercase().as_str() {
                    "true" | "1" => json!(true),
                    "false" | "0" => json!(false),
                    _ => {
                        errors.add(&name, "BOOLEAN_TYPE_CONVERT", "Must be either true or false.");
                        continue;
                    }
                },
                "flags" => match text.parse::<u64>() {
                    Ok(flags) => json!(flags),
                    Err(_) => {
                        errors.add(&name, "NUMBER_TYPE_COERCE", format!("Value \"{text}\" is not int."));
                        continue;
                    }
                },
                "embeds" | "components" | "attachments" | "sticker_ids" => {
                    errors.add(&name, "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType");
                    continue;
                }
                "allowed_mentions" | "message_reference" | "poll" => {
                    errors.add(&name, "DICT_TYPE_CONVERT", "Only dictionaries may be used in a DictType");
                    continue;
                }
                _ => json!(text),
            };
            body.insert(name, value);
        }
        errors.finish()?;
        Ok(Value::Object(body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(form: &str, rule: FormRule) -> Value {
        urlencoded(form.as_bytes(), rule).expect_err("the form is refused").body()
    }

    #[test]
    fn fields_become_what_they_are_in_json() {
        let body = urlencoded(b"content=a+b%26c&tts=true&flags=64&", FormRule::Message).expect("the form is well");
        assert_eq!(body, json!({ "content": "a b&c", "tts": true, "flags": 64 }));
        let body = urlencoded(b"payload_json=%7B%22type%22%3A5%7D&content=x", FormRule::Payload).expect("the form is well");
        assert_eq!(body, json!({ "type": 5 }));
    }

    #[test]
    fn fields_that_are_no_text_are_refused_by_name() {
        let check = |form: &str, field: &str, code: &str| {
            let refused = error(form, FormRule::Message);
            assert_eq!((&refused["code"], &refused["errors"][field]["_errors"][0]["code"]), (&json!(50035), &json!(code)), "{refused}");
        };
        check("tts=maybe", "tts", "BOOLEAN_TYPE_CONVERT");
        check("flags=x", "flags", "NUMBER_TYPE_COERCE");
        check("embeds=[]", "embeds", "LIST_TYPE_CONVERT");
        check("allowed_mentions={}", "allowed_mentions", "DICT_TYPE_CONVERT");
        check("payload_json={}&payload_json={}", "payload_json", "FORM_MALFORMED");
        assert_eq!(error("payload_json={", FormRule::Message)["code"], 50109);
        assert_eq!(error("type=5", FormRule::Payload)["errors"]["payload_json"]["_errors"][0]["code"], "BASE_TYPE_REQUIRED");
        assert_eq!(error(&"a=b&".repeat(65), FormRule::Message)["code"], 50035);
    }
}
