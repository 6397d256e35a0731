use super::{Body, IdText, PageError, PageResult, channel, person};
use crate::{state::State, thread, world::permission};
use axum::{Json, extract::State as Shared};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

#[derive(Deserialize)]
pub(super) struct Begin {
    user: IdText,
    channel: IdText,
    name: String,
    /// The message that it hangs under.
    message: Option<IdText>,
}

/// `POST /threads`: a public thread.
pub(super) async fn begin(Shared(state): Shared<Arc<State>>, Body(begin): Body<Begin>) -> PageResult {
    let person = person(&state, begin.user)?;
    let channel = channel(&state, begin.channel, &person)?;
    super::allow(&channel, &person, permission::CREATE_PUBLIC_THREADS, "begin a thread")?;
    if !(1..=100).contains(&begin.name.trim().chars().count()) {
        return Err(PageError::bad("the name of a thread has 1 to 100 characters"));
    }
    let mut db = state.store.connect().await?;
    let mut source = match begin.message {
        Some(id) => Some(super::message(&mut db, &state, id, &person).await?.1),
        None => None,
    };
    if source.as_ref().is_some_and(|source| source.channel_id != channel.id() || source.audience.is_some()) {
        return Err(PageError::bad("a thread cannot hang under this message"));
    }
    let body = json!({ "name": begin.name, "type": 11 });
    let begun = thread::begin(&mut db, &state, (&channel, source.as_mut()), person.id, &body).await?;
    let shown = state.world.now().channel(begun.id).map(|channel| channel.object_for(person.id));
    Ok(Json(json!(shown)))
}
