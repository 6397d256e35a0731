use super::{
    Body, IdText, PageError, PageResult,
    modal_fields::{Form, add_file},
    person,
    run::save_uploads,
    spool::Spools,
};
use crate::{
    interact::{self, MODAL_SUBMIT, NewInteraction},
    state::State,
    store,
};
use axum::{Extension, Json, extract::State as Shared, http::StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::{collections::HashMap, sync::Arc};

#[derive(Deserialize)]
pub(super) struct Submit {
    user: IdText,
    interaction: IdText,
    custom_id: String,
    #[serde(default)]
    fields: HashMap<String, Value>,
}

/// `POST /modals`.
pub(super) async fn submit(
    Shared(state): Shared<Arc<State>>,
    Extension(spools): Extension<Spools>,
    Body(submit): Body<Submit>,
) -> PageResult {
    let person = person(&state, submit.user)?;
    let mut db = state.store.connect().await?;
    let opened = store::interactions::get(&mut db, submit.interaction.0).await?.filter(|opened| opened.user_id == person.id);
    let missing = || PageError::new(StatusCode::NOT_FOUND, "there is no such form");
    let opened = opened.ok_or_else(missing)?;
    let modal = opened.modal.as_ref().filter(|modal| modal["custom_id"] == submit.custom_id.as_str()).ok_or_else(missing)?;
    let source = match opened.source_id {
        Some(id) => store::messages::get(&mut db, id).await?,
        None => None,
    };
    drop(db);
    let channel = state.world.now().channel(opened.channel_id).filter(|channel| channel.is_open_to(person.id)).ok_or_else(missing)?;
    let scene = state.world.now();
    let (given, resolved, uploads) = (submit.fields, Map::new(), Vec::new());
    let mut form = Form { scene: &scene, person: &person, channel: &channel, given, resolved, uploads, spools: &spools };
    let mut components = form.fill(&modal["components"])?;
    let Form { mut resolved, uploads, .. } = form;
    // Nobody takes a form while no bot is there; otherwise it is sent once.
    if state.hub.is_online() && !store::interactions::close_form(&mut *state.store.connect().await?, opened.id).await? {
        return Err(missing());
    }
    for (custom_id, attachment) in save_uploads(&state, &channel, uploads).await? {
        let id = attachment["id"].clone();
        add_file(&mut components, &custom_id, &id);
        resolved.entry("attachments").or_insert_with(|| json!({}))[id.as_str().unwrap_or_default()] = attachment;
    }
    let mut data = json!({ "custom_id": submit.custom_id, "components": components });
    if !resolved.is_empty() {
        data["resolved"] = Value::Object(resolved);
    }
    let (name, owners) = (opened.name.clone(), opened.owners.clone());
    let new = NewInteraction { kind: MODAL_SUBMIT, name, user: person, channel, data, source, owners };
    let started = interact::start(&state, new).await?;
    Ok(Json(json!({ "interaction": started.id.to_string() })))
}
