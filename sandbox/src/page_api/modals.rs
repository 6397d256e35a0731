use super::{Body, IdText, PageError, PageResult, person};
use crate::{
    interact::{self, MODAL_SUBMIT, NewInteraction},
    state::State,
    store,
    validate::items,
};
use axum::{Json, extract::State as Shared, http::StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{collections::HashMap, sync::Arc};

#[derive(Deserialize)]
pub(super) struct Submit {
    user: IdText,
    interaction: IdText,
    custom_id: String,
    #[serde(default)]
    fields: HashMap<String, String>,
}

/// `POST /modals`.
pub(super) async fn submit(Shared(state): Shared<Arc<State>>, Body(submit): Body<Submit>) -> PageResult {
    let person = person(&state, submit.user)?;
    let mut db = state.store.connect().await?;
    let opened = store::interactions::get(&mut db, submit.interaction.0).await?.filter(|opened| opened.user_id == person.id);
    let missing = || PageError::new(StatusCode::NOT_FOUND, "there is no such form");
    let opened = opened.ok_or_else(missing)?;
    let modal = opened.modal.as_ref().filter(|modal| modal["custom_id"] == submit.custom_id.as_str()).ok_or_else(missing)?;
    let components = fill(&modal["components"], &submit.fields)?;
    let source = match opened.source_id {
        Some(id) => store::messages::get(&mut db, id).await?,
        None => None,
    };
    drop(db);
    let channel = state.world.now().channel(opened.channel_id).filter(|channel| channel.is_open_to(person.id)).ok_or_else(missing)?;
    // Nobody takes a form while no bot is there; otherwise it is sent once.
    if state.hub.is_online() && !store::interactions::close_form(&mut *state.store.connect().await?, opened.id).await? {
        return Err(missing());
    }
    let data = json!({ "custom_id": submit.custom_id, "components": components });
    let (name, owners) = (opened.name.clone(), opened.owners.clone());
    let new = NewInteraction { kind: MODAL_SUBMIT, name, user: person, channel, data, source, owners };
    let started = interact::start(&state, new).await?;
    Ok(Json(json!({ "interaction": started.id.to_string() })))
}

/// The form's inputs with what the person wrote, in the rows or labels that held them.
fn fill(rows: &Value, fields: &HashMap<String, String>) -> Result<Vec<Value>, PageError> {
    items(rows)
        .iter()
        .filter_map(|row| match row["type"].as_u64() {
            Some(18) => {
                let filled = fill_input(&row["component"], row["label"].as_str().unwrap_or_default(), fields);
                Some(filled.map(|component| json!({ "type": 18, "id": row["id"].as_u64().unwrap_or(0), "component": component })))
            }
            Some(1) => {
                let filled: Result<Vec<Value>, PageError> = items(&row["components"])
                    .iter()
                    .map(|input| fill_input(input, input["label"].as_str().unwrap_or_default(), fields))
                    .collect();
                Some(filled.map(|components| json!({ "type": 1, "id": row["id"].as_u64().unwrap_or(0), "components": components })))
            }
            _ => None,
        })
        .collect()
}

fn fill_input(input: &Value, label: &str, fields: &HashMap<String, String>) -> Result<Value, PageError> {
    let custom_id = input["custom_id"].as_str().unwrap_or_default();
    let value = fields.get(custom_id).cloned().unwrap_or_else(|| input["value"].as_str().unwrap_or_default().to_owned());
    let length = value.chars().count() as u64;
    let is_required = input["required"] != false;
    if length == 0 && is_required {
        return Err(PageError::bad(format!("`{label}` is required")));
    }
    let least = input["min_length"].as_u64().unwrap_or(0);
    let most = input["max_length"].as_u64().unwrap_or(4000);
    if length > most || (length > 0 && length < least) {
        return Err(PageError::bad(format!("`{label}` must be {least} to {most} characters long")));
    }
    Ok(json!({ "type": input["type"], "id": input["id"].as_u64().unwrap_or(0), "custom_id": custom_id, "value": value }))
}
