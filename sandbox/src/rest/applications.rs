use super::{Answer, incoming::Incoming, nothing, ok, parse};
use crate::{
    command_permission::{self, Rules},
    error::{ApiError, FormErrors},
    oracle,
    state::State,
    store::{self, commands::StoredCommand},
    validate::{self, items},
    world::{APPLICATION, Id},
};
use axum::http::StatusCode;
use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection};
use std::collections::HashSet;

/// Discord's limit on commands of each kind: slash, user, message.
const N_COMMANDS: [(i64, usize); 4] = [(1, 100), (2, 15), (3, 15), (4, 1)];

/// What all texts of a command together may hold.
const N_CHARACTERS: usize = 8000;
/// Commands that may be created in a day, per place.
const N_DAILY: i64 = 200;
const DAY_MS: i64 = 24 * 3600 * 1000;
/// What a bot may say of a command; the kind only when it is new. All else is the server's.
const FIELDS: [&str; 11] = [
    "name",
    "name_localizations",
    "description",
    "description_localizations",
    "options",
    "default_member_permissions",
    "dm_permission",
    "integration_types",
    "contexts",
    "nsfw",
    "handler",
];
/// The language of the bot's own user.
const LOCALE: &str = "en-US";

/// `/applications/{id}/commands…` and `/applications/{id}/guilds/{id}/commands…`; guild 0 is global.
pub(super) async fn commands(state: &State, method: &str, guild_id: Id, rest: &[&str], incoming: Incoming) -> Answer {
    let mut db = state.store.connect().await?;
    let mut tx = db.begin().await?;
    let answer = match (method, rest) {
        ("GET", []) => {
            let mut all = store::commands::of_guild(&mut tx, guild_id).await?;
            if !incoming.is_set("with_localizations") {
                all.iter_mut().for_each(localize);
            }
            ok(json!(all))
        }
        ("GET", ["permissions"]) if guild_id != 0 => ok(json!(rules(&mut tx, state, guild_id).await?.objects(guild_id))),
        ("GET", [id, "permissions"]) if guild_id != 0 => {
            let id = parse(id)?;
            if id != APPLICATION {
                store::commands::get(&mut tx, id).await?.ok_or_else(ApiError::unknown_command)?;
            }
            match rules(&mut tx, state, guild_id).await?.get(id) {
                Some(list) => ok(command_permission::object(guild_id, id, list)),
                None => Err(ApiError::unknown("application command permissions", 10066)),
            }
        }
        // That takes a person's token.
        ("PUT", [_, "permissions"]) if guild_id != 0 => Err(ApiError::new(StatusCode::FORBIDDEN, 20001, "Bots cannot use this endpoint")),
        ("GET", [id]) => ok(existing(&mut tx, guild_id, parse(id)?).await?),
        ("PUT", []) => replace_all(&mut tx, state, guild_id, &incoming).await,
        ("POST", []) => {
            check(&[("", &incoming.body)], &incoming.faults)?;
            let is_new = id_of_named(&mut tx, guild_id, &incoming.body).await?.is_none();
            let saved = save(&mut tx, state, guild_id, &incoming.body).await?;
            check_count(&mut tx, guild_id).await?;
            Ok((if is_new { StatusCode::CREATED } else { StatusCode::OK }, saved))
        }
        ("PATCH", [id]) => edit(&mut tx, state, guild_id, parse(id)?, &incoming).await,
        ("DELETE", [id]) => match store::commands::delete(&mut tx, guild_id, parse(id)?).await? {
            true => nothing(),
            false => Err(ApiError::unknown_command()),
        },
        _ => Err(ApiError::not_found()),
    }?;
    let all = if method == "GET" { None } else { Some(store::commands::all(&mut tx).await?) };
    if all.is_some() {
        store::command_permissions::forget_strays(&mut tx, APPLICATION).await?;
    }
    tx.commit().await?;
    if let Some(all) = all {
        state.events.push("commands", None, json!(all));
    }
    Ok(answer)
}

async fn rules(db: &mut SqliteConnection, state: &State, guild_id: Id) -> Result<Rules, ApiError> {
    let guild = state.world.now().guild(guild_id).ok_or_else(ApiError::missing_access)?;
    Ok(Rules::of_guild(db, &guild).await?)
}

async fn existing(db: &mut SqliteConnection, guild_id: Id, id: Id) -> Result<Value, ApiError> {
    let command = store::commands::get(db, id).await?.ok_or_else(ApiError::unknown_command)?;
    let is_here = command["guild_id"].as_str().and_then(|id| id.parse().ok()).unwrap_or(0) == guild_id;
    if is_here { Ok(command) } else { Err(ApiError::unknown_command()) }
}

async fn replace_all(db: &mut SqliteConnection, state: &State, guild_id: Id, incoming: &Incoming) -> Answer {
    let Some(wanted) = incoming.body.as_array() else {
        let mut errors = FormErrors::default();
        errors.add("", "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType");
        errors.finish()?;
        return Err(ApiError::not_json());
    };
    let paths: Vec<String> = (0..wanted.len()).map(|n| n.to_string()).collect();
    check(&paths.iter().map(String::as_str).zip(wanted).collect::<Vec<_>>(), &incoming.faults)?;
    let mut names = HashSet::new();
    for (path, command) in paths.iter().zip(wanted) {
        if !names.insert((kind(command), command["name"].as_str())) {
            let mut errors = FormErrors::default();
            errors.add(path, "APPLICATION_COMMANDS_DUPLICATE_NAME", "Application command names must be unique");
            errors.finish()?;
        }
    }
    // Commands that keep their name keep their id, as on Discord.
    let mut kept = Vec::new();
    for command in wanted {
        kept.extend(id_of_named(db, guild_id, command).await?);
    }
    store::commands::retain(db, guild_id, &kept).await?;
    let mut saved = Vec::new();
    for command in wanted {
        saved.push(save(db, state, guild_id, command).await?);
    }
    check_count(db, guild_id).await?;
    ok(json!(saved))
}

async fn edit(db: &mut SqliteConnection, state: &State, guild_id: Id, id: Id, incoming: &Incoming) -> Answer {
    let mut command = existing(db, guild_id, id).await?;
    for (field, value) in incoming.body.as_object().into_iter().flatten().filter(|(field, _)| FIELDS.contains(&field.as_str())) {
        match field.as_str() {
            "options" if value.is_null() => command[field] = json!([]),
            // These are never null, so that null changes nothing.
            "name" | "description" | "dm_permission" | "nsfw" | "integration_types" if value.is_null() => {}
            _ => command[field] = value.clone(),
        }
    }
    check(&[("", &command)], &incoming.faults)?;
    if id_of_named(db, guild_id, &command).await?.is_some_and(|other| other != id) {
        let mut errors = FormErrors::default();
        errors.add("name", "APPLICATION_COMMANDS_DUPLICATE_NAME", "Application command names must be unique");
        errors.finish()?;
    }
    command["version"] = json!(state.store.next_id(db, state.clock.now_ms()).await?.to_string());
    store_body(db, guild_id, id, command).await.and_then(ok)
}

fn check(commands: &[(&str, &Value)], faults: &FormErrors) -> Result<(), ApiError> {
    let mut errors = FormErrors::default();
    for (path, command) in commands {
        validate::command(&mut errors, path, command);
        if n_characters(command) > N_CHARACTERS {
            errors.add(path, "APPLICATION_COMMAND_TOO_LARGE", format!("Command exceeds maximum size ({N_CHARACTERS})"));
        }
    }
    errors.fill(faults);
    errors.finish()
}

/// The names, descriptions and values of a command, its options and their choices.
fn n_characters(command: &Value) -> usize {
    let own = ["name", "description", "value"].iter().filter_map(|field| command[field].as_str()).map(|text| text.chars().count());
    let inner = items(&command["options"]).iter().chain(items(&command["choices"]));
    own.sum::<usize>() + inner.map(n_characters).sum::<usize>()
}

async fn check_count(db: &mut SqliteConnection, guild_id: Id) -> Result<(), ApiError> {
    let all = store::commands::of_guild(db, guild_id).await?;
    for (counted, limit) in N_COMMANDS {
        if all.iter().filter(|command| kind(command) == counted).count() > limit {
            let message = format!("Maximum number of application commands reached ({limit}).");
            return Err(ApiError::new(StatusCode::BAD_REQUEST, 30032, message));
        }
    }
    Ok(())
}

fn kind(command: &Value) -> i64 {
    command["type"].as_i64().unwrap_or(1)
}

async fn id_of_named(db: &mut SqliteConnection, guild_id: Id, command: &Value) -> Result<Option<Id>, ApiError> {
    Ok(store::commands::named(db, guild_id, kind(command), command["name"].as_str().unwrap_or_default()).await?)
}

/// Creates a command, or overwrites the one of the same name and kind.
async fn save(db: &mut SqliteConnection, state: &State, guild_id: Id, command: &Value) -> Result<Value, ApiError> {
    let known = id_of_named(db, guild_id, command).await?;
    let id = match known {
        Some(id) => id,
        None => {
            let now_ms = state.clock.now_ms();
            if store::commands::count_creation(db, guild_id, now_ms, now_ms - DAY_MS).await? > N_DAILY {
                let told = format!("Max number of daily application command creates has been reached ({N_DAILY})");
                return Err(ApiError::new(StatusCode::BAD_REQUEST, 30034, told));
            }
            state.store.next_id(db, now_ms).await?
        }
    };
    let mut body = json!({
        "id": id.to_string(), "application_id": APPLICATION.to_string(),
        "version": state.store.next_id(db, state.clock.now_ms()).await?.to_string(), "type": 1, "description": "",
        "default_member_permissions": null, "dm_permission": true, "nsfw": false, "contexts": null, "integration_types": [0],
        "name_localizations": null, "description_localizations": null, "options": [],
    });
    if guild_id != 0 {
        body["guild_id"] = json!(guild_id.to_string());
    }
    if let (Some(body), Some(command)) = (body.as_object_mut(), command.as_object()) {
        let is_taken = |field: &str| field == "type" || FIELDS.contains(&field);
        for (field, value) in command.iter().filter(|(field, value)| !value.is_null() && is_taken(field)) {
            body.insert(field.clone(), value.clone());
        }
    }
    store_body(db, guild_id, id, body).await
}

/// Without the dictionaries of all languages, in that of the bot.
fn localize(value: &mut Value) {
    let Some(object) = value.as_object_mut() else { return };
    for text in ["name", "description"] {
        let dictionary = object.remove(&format!("{text}_localizations")).unwrap_or_default();
        if let Some(localized) = dictionary.get(LOCALE) {
            object.insert(format!("{text}_localized"), localized.clone());
        }
    }
    for field in ["options", "choices"] {
        object.get_mut(field).and_then(Value::as_array_mut).into_iter().flatten().for_each(localize);
    }
}

/// Libraries write out what an option does not have; Discord's own commands lack it.
fn drop_empty(options: &mut Value) {
    for option in options.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        option.retain(|_, value| !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty()));
        if let Some(inner) = option.get_mut("options") {
            drop_empty(inner);
        }
    }
}

async fn store_body(db: &mut SqliteConnection, guild_id: Id, id: Id, mut body: Value) -> Result<Value, ApiError> {
    drop_empty(&mut body["options"]);
    oracle::keep("ApplicationCommandResponse", &mut body);
    let name = body["name"].as_str().unwrap_or_default().to_owned();
    let stored = StoredCommand { id, guild_id, kind: kind(&body), name, body };
    store::commands::save(db, &stored).await?;
    Ok(stored.body)
}
