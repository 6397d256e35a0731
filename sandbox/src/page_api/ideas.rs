//! What the page of an empty channel offers to press, by the program that owns the stand-in: the stand-in itself knows no bot.

use super::{Named, PageError};
use crate::state::State;
use axum::{
    extract::State as Shared,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use serde_json::{Value, json};
use std::sync::Arc;

/// A command line for somebody who does not know what to type. It is offered where its command is there.
#[derive(Clone, Debug)]
pub struct Idea {
    /// What it is called, such as `a frog`.
    pub label: String,
    /// What is typed for it, such as `/imagine a frog`.
    pub line: String,
    /// A small picture of what comes of it, as JPEG.
    pub picture: Option<Bytes>,
}

/// The ideas as the page reads them.
pub(super) fn shown(ideas: &[Idea]) -> Value {
    let shown = |(n, idea): (usize, &Idea)| {
        let picture = idea.picture.as_ref().map(|_| format!("/sandbox/api/ideas/{n}"));
        json!({ "label": idea.label, "line": idea.line, "picture": picture })
    };
    ideas.iter().enumerate().map(shown).collect()
}

/// `GET /ideas/N`: the picture.
pub(super) async fn picture(Shared(state): Shared<Arc<State>>, Named(n): Named<usize>) -> Result<Response, PageError> {
    let jpeg = state.ideas.get(n).and_then(|idea| idea.picture.clone());
    let jpeg = jpeg.ok_or_else(|| PageError::new(StatusCode::NOT_FOUND, "there is no such picture"))?;
    Ok(([(header::CONTENT_TYPE, "image/jpeg"), (header::CACHE_CONTROL, "no-cache")], jpeg).into_response())
}
