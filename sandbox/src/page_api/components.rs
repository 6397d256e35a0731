use super::{Body, IdText, PageError, PageResult, options::partial_member, person};
use crate::{
    interact::{self, COMPONENT, NewInteraction},
    state::State,
    validate::items,
    world::{Channel, Id, Person, Scene},
};
use axum::{Json, extract::State as Shared, http::StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;

const BUTTON: u64 = 2;
const STRING_SELECT: u64 = 3;
const USER_SELECT: u64 = 5;
const ROLE_SELECT: u64 = 6;
const MENTIONABLE_SELECT: u64 = 7;
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
    let person = person(&state, press.user)?;
    let (channel, message) = super::message(&mut *state.store.connect().await?, &state, press.message, &person).await?;
    let component = find(&message.body["components"], &press.custom_id)
        .ok_or_else(|| PageError::new(StatusCode::NOT_FOUND, "the message has no such component"))?;
    if component["disabled"] == true {
        return Err(PageError::bad("this component is disabled"));
    }
    let kind = component["type"].as_u64().unwrap_or(0);
    let mut data = json!({ "id": component["id"].as_u64().unwrap_or(0), "custom_id": press.custom_id, "component_type": kind });
    if kind != BUTTON {
        check_values(component, kind, &press.values)?;
        let resolved = resolve(&state.world.now(), (&person, &channel), kind, &press.values)?;
        if !resolved.is_empty() {
            data["resolved"] = Value::Object(resolved);
        }
        data["values"] = json!(press.values);
    }
    let owners = message.body["interaction_metadata"]["authorizing_integration_owners"].clone();
    // Under a message of its own, the bot acts for the guild.
    let owners = if owners.is_object() { owners } else { interact::owners(&Value::Null, &channel, person.id) };
    let new = NewInteraction { kind: COMPONENT, name: None, user: person, channel, data, source: Some(message), owners };
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

/// The objects behind the chosen ids, by kind.
pub(super) fn resolve(
    scene: &Scene,
    (person, channel): (&Person, &Channel),
    kind: u64,
    values: &[String],
) -> Result<Map<String, Value>, PageError> {
    let mut resolved = Map::new();
    for value in values.iter().filter(|_| kind != STRING_SELECT) {
        let id = value.parse::<Id>().unwrap_or(0);
        let user = scene.user(id).filter(|_| matches!(kind, USER_SELECT | MENTIONABLE_SELECT));
        let role = channel.guild().and_then(|guild| guild.roles.iter().find(|role| role.id == id));
        let role = role.filter(|_| matches!(kind, ROLE_SELECT | MENTIONABLE_SELECT));
        let place = scene
            .channel(id)
            .filter(|place| kind == CHANNEL_SELECT && place.is_open_to(person.id) && place.guild_id() == channel.guild_id());
        let mut add = |field: &str, object: Value| resolved.entry(field).or_insert_with(|| json!({}))[value] = object;
        match (user, role, place) {
            (Some(user), ..) => {
                add("users", user);
                if let Some(member) = channel.guild().and_then(|guild| partial_member(scene, channel, guild, id)) {
                    add("members", member);
                }
            }
            (_, Some(role), _) => add("roles", role.object()),
            (.., Some(place)) => add("channels", place.object_for(person.id)),
            _ => return Err(PageError::bad(format!("there is no {value}"))),
        }
    }
    Ok(resolved)
}
