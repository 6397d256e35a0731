//! Calls of the library whose refusals are read here: the library does not tell how long Discord asks to wait.

use std::{fmt, time::Duration};

use poise::serenity_prelude as serenity;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde::{Deserialize, de::DeserializeOwned};

use super::{convert, messenger::SendError};
use crate::{answer::Answer, system::metrics};

/// Longest wait that an answer may ask for; after it we ask again.
pub(super) const LONGEST_ASKED: Duration = Duration::from_secs(3600);
/// A call without an answer for so long is taken for lost.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The same call may work later.
#[derive(Clone, Debug, PartialEq)]
pub struct Later {
    /// Why it did not work now.
    pub reason: String,
    /// How long Discord asks to wait.
    pub wait: Option<Duration>,
}

impl fmt::Display for Later {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl<T: Into<String>> From<T> for Later {
    fn from(reason: T) -> Self {
        Self { reason: reason.into(), wait: None }
    }
}

/// How long an answer asks to wait: by its header, or by its body, which is more exact.
pub(super) fn asked_to_wait(headers: &HeaderMap, body: &[u8]) -> Option<Duration> {
    #[derive(Deserialize)]
    struct Said {
        retry_after: f64,
    }
    let header = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse::<f64>().ok());
    let seconds = serde_json::from_slice::<Said>(body).map(|said| said.retry_after).ok().or(header)?;
    Duration::try_from_secs_f64(seconds).ok().map(|wait| wait.min(LONGEST_ASKED))
}

/// Calls with the library's client, and through its limiter where it has one.
#[derive(Clone, Copy)]
pub(super) struct Calling<'a> {
    pub(super) http: &'a serenity::Http,
    /// Calls where there is no limiter, which has a client of its own.
    pub(super) client: &'a reqwest::Client,
}

impl Calling<'_> {
    /// Sends a message that is made of `body` and of an answer's file, and reads what is told of it; counted by a name. Several files are numbered by the
    /// library alone, and refused here.
    pub(super) async fn send<T: DeserializeOwned>(
        self,
        name: &'static str,
        (method, route): (serenity::LightMethod, serenity::Route<'_>),
        body: &impl serde::Serialize,
        answer: &Answer,
    ) -> Result<T, SendError> {
        let request = serenity::Request::new(route, method);
        let request = match answer.files.as_slice() {
            [] => request.body(Some(serde_json::to_vec(body).map_err(serenity::Error::from)?)),
            [_, _, ..] => return Err(SendError::Refused("a job's message has one file".into())),
            [file] => request.multipart(Some(serenity::Multipart {
                upload: serenity::MultipartUpload::Attachments(vec![convert::file(file)]),
                payload_json: Some(serde_json::to_string(body).map_err(serenity::Error::from)?),
                fields: Vec::new(),
            })),
        };
        let away = |error: reqwest::Error| {
            metrics::asked(name, None);
            SendError::from(serenity::Error::from(error))
        };
        let response = match &self.http.ratelimiter {
            Some(limiter) => limiter.perform(request).await.inspect_err(|_| metrics::asked(name, None))?,
            None => {
                let request = request.build(self.client, self.http.token(), self.http.proxy.as_deref())?;
                request.timeout(TIMEOUT).send().await.map_err(away)?
            }
        };
        let (status, headers) = (response.status(), response.headers().clone());
        metrics::asked(name, Some(if status.is_success() { 200 } else { status.as_u16() }));
        let bytes = response.bytes().await.map_err(serenity::Error::from)?;
        if status.is_success() {
            // A body that is no message: somebody else answered, or the message is there and its end is lost.
            return serde_json::from_slice(&bytes).map_err(|error| SendError::from(serenity::Error::from(error)));
        }
        let wait = asked_to_wait(&headers, &bytes);
        let said = serde_json::from_slice::<serenity::DiscordJsonError>(&bytes).ok();
        let (code, message) = said.map_or((-1, "an answer that is not Discord's".to_owned()), |said| (said.code as i64, said.message));
        Err(SendError::refused(status.as_u16(), code, message).after(wait))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_heard_in_the_header_and_in_the_body() {
        let check = |header: Option<&str>, body: &str, expected: Option<f64>| {
            let mut headers = HeaderMap::new();
            headers.extend(header.map(|value| (RETRY_AFTER, value.parse().expect("a value"))));
            let found = asked_to_wait(&headers, body.as_bytes());
            assert_eq!(found, expected.map(Duration::from_secs_f64), "{header:?}, {body}");
        };
        check(None, "", None);
        check(Some("7"), "", Some(7.0));
        check(Some("0.5"), "<html>", Some(0.5));
        check(None, r#"{"message": "You are being rate limited.", "retry_after": 1.25, "global": false}"#, Some(1.25));
        check(Some("2"), r#"{"retry_after": 1.25}"#, Some(1.25));
        check(Some("7"), r#"{"message": "x", "code": 0}"#, Some(7.0));
        check(Some("86400"), "", Some(3600.0));
        for wrong in ["-1", "soon", "NaN", "Wed, 21 Oct 2015 07:28:00 GMT"] {
            check(Some(wrong), "", None);
        }
    }
}
