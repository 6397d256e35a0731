//! Calls of the library whose refusals are read here: the library does not tell how long Discord asks to wait.

use std::time::Duration;

use poise::serenity_prelude as serenity;
use serde::de::DeserializeOwned;

use super::{convert, send_error::SendError, wait::asked_to_wait};
use crate::{answer::Answer, system::metrics};

/// A call without an answer for so long is taken for lost.
const TIMEOUT: Duration = Duration::from_secs(30);

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
