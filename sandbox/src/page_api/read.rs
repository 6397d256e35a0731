use super::{Asked, IdText, Named, PageError, PageResult, channel, person};
use crate::{
    message::show,
    state::State,
    store::{
        self,
        messages::{StoredMessage, Window},
    },
    world::{self, Channel, GUILDS, PEOPLE},
};
use axum::{Json, extract::State as Shared, http::StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

#[derive(Deserialize)]
pub(super) struct Who {
    user: IdText,
}

#[derive(Deserialize)]
pub(super) struct Visit {
    /// Unknown on a first visit.
    user: Option<IdText>,
}

/// `GET /state`; without a person, as the first one sees it.
pub(super) async fn state(Shared(state): Shared<Arc<State>>, Asked(visit): Asked<Visit>) -> PageResult {
    let viewer = visit.user.map_or(Ok(&PEOPLE[0]), person)?;
    // Before anything is read: what changes meanwhile is heard again, never missed.
    let seq = state.events.seq();
    let commands = store::commands::all(&mut *state.store.connect().await?).await?;
    let mut bot = world::bot_user();
    bot["online"] = json!(state.hub.is_online());
    bot["presence"] = state.hub.presence();
    let users: Vec<Value> = PEOPLE
        .iter()
        .map(|person| {
            let mut user = person.user();
            user["role"] = json!(person.rank.name());
            user
        })
        .collect();
    let guilds: Vec<Value> = GUILDS
        .iter()
        .map(|guild| {
            let channels: Vec<Value> = guild.channels.iter().filter_map(|(id, _)| world::channel(*id)).map(|it| it.object(None)).collect();
            json!({ "id": guild.id.to_string(), "name": guild.name, "channels": channels })
        })
        .collect();
    let dm = Channel::Dm(viewer).object(None);
    Ok(Json(json!({ "users": users, "guilds": guilds, "dm": dm, "bot": bot, "commands": commands, "seq": seq })))
}

#[derive(Deserialize)]
pub(super) struct Page {
    user: IdText,
    before: Option<IdText>,
    limit: Option<i64>,
}

/// `GET /channels/C/messages`.
pub(super) async fn messages(Shared(state): Shared<Arc<State>>, Named(id): Named<IdText>, Asked(page): Asked<Page>) -> PageResult {
    let viewer = person(page.user)?;
    let window = Window {
        channel_id: channel(id, viewer)?.id(),
        viewer: Some(viewer.id),
        before: page.before.map(|before| before.0),
        after: None,
        limit: page.limit.unwrap_or(50).clamp(1, 200),
    };
    let found = store::messages::list(&mut *state.store.connect().await?, window).await?;
    Ok(Json(json!(found.iter().map(|message| show(&state, message)).collect::<Vec<_>>())))
}

/// `GET /messages/M`.
pub(super) async fn message(Shared(state): Shared<Arc<State>>, Named(id): Named<IdText>, Asked(Who { user }): Asked<Who>) -> PageResult {
    let viewer = person(user)?;
    let found = store::messages::get(&mut *state.store.connect().await?, id.0).await?;
    let is_visible = |message: &StoredMessage| {
        let is_open = world::channel(message.channel_id).is_some_and(|channel| channel.is_open_to(viewer.id));
        is_open && message.audience.is_none_or(|audience| audience == viewer.id)
    };
    let found = found.filter(is_visible).ok_or_else(|| PageError::new(StatusCode::NOT_FOUND, "the message is gone"))?;
    Ok(Json(show(&state, &found)))
}
