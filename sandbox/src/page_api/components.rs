use super::{Body, IdText, PageError, PageResult, person};
use crate::{
    interact::{self, COMPONENT, NewInteraction},
    state::State,
    store,
    validate::items,
    world::{self, Id},
};
use axum::{Json, extract::State as Shared, http::StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;

const BUTTON: u64 = 2;
const STRING_SELECT: u64 = 3;
const USER_SELECT: u64 = 5;
const CHANNEL_SELECT: u64 = 8;

#[derive(Deserialize)]
pub(super) struct Press {
    user: IdText,
    message: IdText,
    custom_id: String,
    #[serde(default)]
    values: Vec<String>,
}

/// `POST /components`.
pub(super) async fn press(Shared(state): Shared<Arc<State>>, Body(press): Body<Press>) -> PageResult {
    let person = person(press.user)?;
    let gone = || PageError::new(StatusCode::NOT_FOUND, "the message is gone");
    let message = store::messages::get(&mut *state.store.connect().await?, press.message.0).await?.ok_or_else(gone)?;
    let channel = world::channel(message.channel_id).filter(|channel| channel.is_open_to(person.id)).ok_or_else(gone)?;
    if message.audience.is_some_and(|audience| audience != person.id) {
        return Err(gone());
    }
    let component = find(&message.body["components"], &press.custom_id)
        .ok_or_else(|| PageError::new(StatusCode::NOT_FOUND, "the message has no such component"))?;
    if component["disabled"] == true {
        return Err(PageError::bad("this component is disabled"));
    }
    let kind = component["type"].as_u64().unwrap_or(0);
    let mut data = json!({ "id": component["id"].as_u64().unwrap_or(0), "custom_id": press.custom_id, "component_type": kind });
    if kind != BUTTON {
        check_values(component, kind, &press.values)?;
        let resolved = resolve(kind, &press.values)?;
        if !resolved.is_empty() {
            data["resolved"] = Value::Object(resolved);
        }
        data["values"] = json!(press.values);
    }
    let new = NewInteraction { kind: COMPONENT, name: None, user: person, channel, data, source: Some(message) };
    let started = interact::start(&state, new).await?;
    Ok(Json(json!({ "interaction": started.id.to_string() })))
}

/// The component with this custom id, at any depth.
pub(super) fn find<'a>(components: &'a Value, custom_id: &str) -> Option<&'a Value> {
    items(components).iter().find_map(|component| {
        if component["custom_id"] == custom_id {
            return Some(component);
        }
        let accessory = component.get("accessory").filter(|accessory| accessory["custom_id"] == custom_id);
        accessory.or_else(|| find(&component["components"], custom_id))
    })
}

fn check_values(component: &Value, kind: u64, values: &[String]) -> Result<(), PageError> {
    let least = component["min_values"].as_u64().unwrap_or(1) as usize;
    let most = component["max_values"].as_u64().unwrap_or(1) as usize;
    if !(least..=most).contains(&values.len()) {
        return Err(PageError::bad(format!("choose {least} to {most} values")));
    }
    let offers = |value: &String| items(&component["options"]).iter().any(|option| option["value"] == value.as_str());
    if kind == STRING_SELECT && !values.iter().all(offers) {
        return Err(PageError::bad("this value is not offered"));
    }
    Ok(())
}

fn resolve(kind: u64, values: &[String]) -> Result<Map<String, Value>, PageError> {
    let mut resolved = Map::new();
    if !matches!(kind, USER_SELECT | CHANNEL_SELECT) {
        return Ok(resolved);
    }
    let field = if kind == USER_SELECT { "users" } else { "channels" };
    let mut objects = Map::new();
    for value in values {
        let id = value.parse::<Id>().ok();
        let object = match kind {
            USER_SELECT => id.and_then(world::user),
            _ => id.and_then(world::channel).map(|channel| channel.object(None)),
        };
        objects.insert(value.clone(), object.ok_or_else(|| PageError::bad(format!("there is no {value}")))?);
    }
    resolved.insert(field.to_owned(), Value::Object(objects));
    Ok(resolved)
}
