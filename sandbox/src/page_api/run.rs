use super::{
    Asked, Body, IdText, PageError, PageResult, channel,
    options::{self, Given, Resolved},
    person,
    spool::Spools,
};
use crate::{
    attachment,
    command_permission::{Rules, Verdict},
    interact::{self, ANSWER_WITHIN_MS, AUTOCOMPLETE, COMMAND, NewInteraction, context},
    message::{Upload, id_of, show},
    state::State,
    store,
    validate::items,
    world::{Channel, Id, Person, permission},
};
use axum::{Extension, Json, extract::State as Shared, http::StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use sqlx::Connection;
use std::sync::Arc;

#[derive(Deserialize)]
pub(super) struct Use {
    user: IdText,
    channel: IdText,
    command: IdText,
    #[serde(default)]
    options: Vec<Given>,
    /// The message or person that a context menu was opened on.
    target: Option<IdText>,
    /// The option that is being typed, for autocomplete.
    focused: Option<String>,
}

/// A use whose command, person and place are known to fit together.
struct Checked {
    person: Person,
    channel: Channel,
    command: Value,
    owners: Value,
}

/// `POST /commands`.
pub(super) async fn command(Shared(state): Shared<Arc<State>>, Extension(spools): Extension<Spools>, Body(used): Body<Use>) -> PageResult {
    let checked = check(&state, &used).await?;
    let mut resolved = Resolved::new(state.world.now(), checked.channel.clone(), checked.person.id, spools);
    let options = options::fill(items(&checked.command["options"]), used.options, None, &mut resolved)?;
    let resolved = store_uploads(&state, &checked.channel, resolved).await?;
    let mut data = data(&checked.command, options, resolved);
    if let Some(target) = used.target {
        aim(&state, &checked, target.0, &mut data).await?;
    }
    let started = interact::start(&state, new(&checked, COMMAND, data)).await?;
    Ok(Json(json!({ "interaction": started.id.to_string() })))
}

/// `POST /autocomplete`.
pub(super) async fn autocomplete(
    Shared(state): Shared<Arc<State>>,
    Extension(spools): Extension<Spools>,
    Body(used): Body<Use>,
) -> PageResult {
    let checked = check(&state, &used).await?;
    let focused = used.focused.as_deref().ok_or_else(|| PageError::bad("`focused` names no option"))?;
    let mut resolved = Resolved::new(state.world.now(), checked.channel.clone(), checked.person.id, spools);
    let options = options::fill(items(&checked.command["options"]), used.options, Some(focused), &mut resolved)?;
    let question = new(&checked, AUTOCOMPLETE, data(&checked.command, options, json!({})));
    let silent = || PageError::new(StatusCode::REQUEST_TIMEOUT, "the application did not respond");
    let suggestions = interact::start(&state, question).await?.suggestions.ok_or_else(silent)?;
    let deadline_ms = state.clock.now_ms() + ANSWER_WITHIN_MS;
    tokio::select! {
        choices = suggestions => Ok(Json(json!({ "choices": choices.map_err(|_| silent())? }))),
        () = state.clock.sleep_until(deadline_ms) => Err(silent()),
        () = state.shutdown.cancelled() => Err(silent()),
    }
}

fn new(checked: &Checked, kind: i64, data: Value) -> NewInteraction {
    let name = checked.command["name"].as_str().map(str::to_owned);
    let (user, channel, owners) = (checked.person.clone(), checked.channel.clone(), checked.owners.clone());
    NewInteraction { kind, name, user, channel, data, source: None, owners }
}

async fn check(state: &State, used: &Use) -> Result<Checked, PageError> {
    let person = person(state, used.user)?;
    let channel = channel(state, used.channel, &person)?;
    let command = store::commands::get(&mut *state.store.connect().await?, used.command.0).await?;
    let command = command.ok_or_else(|| PageError::new(StatusCode::NOT_FOUND, "there is no such command"))?;
    let rules = Rules::at(&mut *state.store.connect().await?, &channel).await?;
    let owners = authorise(&command, &rules, &channel, &person)?;
    Ok(Checked { person, channel, command, owners })
}

/// Whether this person may use a command here; who installed the application for it.
/// Source: discord-api-docs, interactions/application-commands, "Contexts" and "Permissions".
fn authorise(command: &Value, rules: &Rules, channel: &Channel, person: &Person) -> Result<Value, PageError> {
    let forbidden = || PageError::new(StatusCode::FORBIDDEN, "you are not allowed to use this command");
    let contexts = items(&command["contexts"]);
    let context = context(channel);
    let is_for_here = contexts.is_empty() || contexts.iter().any(|known| *known == context);
    match channel.guild() {
        Some(guild) => {
            if command["guild_id"].as_str().is_some_and(|id| id != guild.id.to_string()) {
                return Err(PageError::bad("this command belongs to another guild"));
            }
            if !is_for_here {
                return Err(PageError::bad("this command cannot be used in guilds"));
            }
            let default = command["default_member_permissions"].as_str().and_then(|bits| bits.parse::<u64>().ok());
            // "0" leaves a command to administrators.
            let default = default.map_or(0, |bits| if bits == 0 { permission::ADMINISTRATOR } else { bits });
            let required = match rules.verdict(id_of(&command["id"]).unwrap_or_default(), channel, person.id) {
                Verdict::Granted => 0,
                Verdict::Denied => permission::ADMINISTRATOR,
                Verdict::Unsaid => default,
            };
            if !channel.allows(person.id, required | permission::USE_APPLICATION_COMMANDS) {
                return Err(forbidden());
            }
        }
        None => {
            if command["guild_id"].is_string() || command["dm_permission"] == false || !is_for_here {
                return Err(PageError::bad("this command cannot be used in direct messages"));
            }
        }
    }
    if command["nsfw"] == true && channel.guild().is_some() && !channel.is_nsfw() {
        return Err(PageError::new(StatusCode::FORBIDDEN, "this command is for age-restricted channels"));
    }
    let owners = interact::owners(command, channel, person.id);
    if owners.as_object().is_none_or(serde_json::Map::is_empty) {
        return Err(PageError::new(StatusCode::FORBIDDEN, "the application is not installed here for this command"));
    }
    Ok(owners)
}

#[derive(Deserialize)]
pub(super) struct Where {
    user: IdText,
    channel: IdText,
}

/// `GET /commands`: what this person may use in a channel.
pub(super) async fn usable(Shared(state): Shared<Arc<State>>, Asked(place): Asked<Where>) -> PageResult {
    let person = person(&state, place.user)?;
    let channel = channel(&state, place.channel, &person)?;
    let mut db = state.store.connect().await?;
    let mut commands = store::commands::all(&mut db).await?;
    let rules = Rules::at(&mut db, &channel).await?;
    commands.retain(|command| authorise(command, &rules, &channel, &person).is_ok());
    Ok(Json(json!(commands)))
}

/// Uploads become attachments that the bot can fetch.
async fn store_uploads(state: &State, channel: &Channel, resolved: Resolved) -> Result<Value, PageError> {
    let (mut objects, uploads) = resolved.into_parts();
    for (placeholder, attachment) in save_uploads(state, channel, uploads).await? {
        // The option was given a placeholder before the file had an id.
        objects["attachments"][placeholder] = attachment;
    }
    Ok(objects)
}

/// Stores files that no message names; gives each one's attachment object beside its key.
pub(super) async fn save_uploads(
    state: &State,
    channel: &Channel,
    uploads: Vec<(String, Upload)>,
) -> Result<Vec<(String, Value)>, PageError> {
    if uploads.is_empty() {
        return Ok(Vec::new());
    }
    let mut db = state.store.connect().await?;
    let mut tx = db.begin().await?;
    let mut saved = Vec::new();
    for (key, upload) in uploads {
        let attachment = attachment::save(&mut tx, state, channel.id(), None, upload).await?;
        let mut shown = state.signer().attachment(channel.id(), &attachment);
        shown["ephemeral"] = json!(true);
        saved.push((key, shown));
    }
    tx.commit().await?;
    Ok(saved)
}

fn data(command: &Value, mut options: Vec<Value>, mut resolved: Value) -> Value {
    if let Some(attachments) = resolved.get_mut("attachments").and_then(Value::as_object_mut) {
        let named: Vec<(String, Value)> = std::mem::take(attachments).into_iter().collect();
        for (placeholder, attachment) in named {
            let id = attachment["id"].as_str().unwrap_or_default().to_owned();
            options::replace_value(&mut options, &placeholder, &id);
            attachments.insert(id, attachment);
        }
    }
    let mut data = json!({ "id": command["id"], "name": command["name"], "type": command["type"] });
    if !options.is_empty() {
        data["options"] = json!(options);
    }
    if resolved.as_object().is_some_and(|resolved| !resolved.is_empty()) {
        data["resolved"] = resolved;
    }
    if let Some(guild_id) = command.get("guild_id") {
        data["guild_id"] = guild_id.clone();
    }
    data
}

/// Adds the target of a context menu.
async fn aim(state: &State, checked: &Checked, target: Id, data: &mut Value) -> Result<(), PageError> {
    let key = target.to_string();
    let missing = || PageError::new(StatusCode::NOT_FOUND, "the target is gone");
    data["target_id"] = json!(key);
    match checked.command["type"].as_i64() {
        Some(2) => {
            let scene = state.world.now();
            data["resolved"]["users"][&key] = scene.user(target).ok_or_else(missing)?;
            let member = checked.channel.guild().and_then(|guild| options::partial_member(&scene, &checked.channel, guild, target));
            if let Some(member) = member {
                data["resolved"]["members"][&key] = member;
            }
        }
        Some(3) => {
            let found = store::messages::get(&mut *state.store.connect().await?, target).await?;
            let is_visible = |audience: Option<Id>| audience.is_none_or(|audience| audience == checked.person.id);
            let found = found.filter(|found| found.channel_id == checked.channel.id() && is_visible(found.audience));
            data["resolved"]["messages"][&key] = show(state, &found.ok_or_else(missing)?);
        }
        _ => return Err(PageError::bad("this command takes no target")),
    }
    Ok(())
}
