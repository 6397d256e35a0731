use super::{Answer, incoming::Incoming, nothing, ok, parse};
use crate::{
    clock::timestamp,
    error::{ApiError, FormErrors},
    message::{self, Draft},
    state::State,
    store::{
        self,
        messages::{StoredMessage, Window},
    },
    validate,
    world::{self, APPLICATION, Channel, Guild, Id},
};
use axum::http::StatusCode;
use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection};

/// A repeated nonce within this time returns the first message.
const NONCE_LIFE_MS: i64 = 5 * 60 * 1000;

/// `/channels/{id}…`.
pub(super) async fn route(state: &State, method: &str, channel: Channel, rest: &[&str], incoming: Incoming) -> Answer {
    match (method, rest) {
        ("GET", []) => {
            let mut db = state.store.connect().await?;
            ok(channel.object(store::messages::last_id(&mut db, channel.id()).await?))
        }
        ("POST", ["typing"]) => {
            let typing = json!({ "channel_id": channel.id().to_string(), "user_id": APPLICATION.to_string() });
            let listener = if let Channel::Dm(person) = channel { Some(person.id) } else { None };
            state.events.push("typing", listener, typing);
            nothing()
        }
        ("GET", ["messages"]) => list(state, channel, &incoming).await,
        ("POST", ["messages"]) => create(state, channel, incoming.draft()).await,
        ("GET", ["messages", id]) => {
            let mut db = state.store.connect().await?;
            ok(message::show(state, &find(&mut db, channel, id).await?))
        }
        ("PATCH", ["messages", id]) => edit(state, channel, id, incoming.draft()).await,
        ("DELETE", ["messages", id]) => delete(state, channel, id).await,
        _ => Err(ApiError::not_found()),
    }
}

/// `GET /guilds/{id}/channels`.
pub(super) async fn of_guild(state: &State, guild: &Guild) -> Answer {
    let mut db = state.store.connect().await?;
    let mut channels = Vec::new();
    for channel in guild.channels.iter().filter_map(|(id, _)| world::channel(*id)) {
        channels.push(channel.object(store::messages::last_id(&mut db, channel.id()).await?));
    }
    ok(json!(channels))
}

/// `POST /users/@me/channels`.
pub(super) async fn open_dm(state: &State, incoming: Incoming) -> Answer {
    let recipient = &incoming.body["recipient_id"];
    let id = recipient.as_str().and_then(|id| id.parse().ok()).or_else(|| recipient.as_i64());
    let Some(person) = id.and_then(world::person) else {
        let mut errors = FormErrors::default();
        errors.add("recipient_id", "INVALID_RECIPIENT", "Invalid recipient.");
        errors.finish()?;
        return Err(ApiError::unknown_channel());
    };
    let mut db = state.store.connect().await?;
    ok(Channel::Dm(person).object(store::messages::last_id(&mut db, person.dm_channel).await?))
}

/// A message that the bot's own token can reach: ephemeral ones are not.
async fn find(db: &mut SqliteConnection, channel: Channel, id: &str) -> Result<StoredMessage, ApiError> {
    let found = store::messages::get(db, parse(id)?).await?;
    found.filter(|found| found.channel_id == channel.id() && found.audience.is_none()).ok_or_else(ApiError::unknown_message)
}

async fn list(state: &State, channel: Channel, incoming: &Incoming) -> Answer {
    let limit = incoming.number("limit").unwrap_or(50);
    if !(1..=100).contains(&limit) {
        let mut errors = FormErrors::default();
        errors.add("limit", "NUMBER_TYPE_MAX", "int value should be between 1 and 100.");
        errors.finish()?;
    }
    let mut db = state.store.connect().await?;
    let window =
        Window { channel_id: channel.id(), viewer: None, before: incoming.number("before"), after: incoming.number("after"), limit };
    let mut found = match incoming.number("around") {
        Some(around) => {
            let half = limit / 2;
            let mut older = store::messages::list(&mut db, Window { before: Some(around), after: None, limit: half, ..window }).await?;
            let newer = Window { before: None, after: Some(around - 1), limit: limit - half, ..window };
            older.extend(store::messages::list(&mut db, newer).await?);
            older
        }
        None => store::messages::list(&mut db, window).await?,
    };
    found.reverse();
    ok(json!(found.iter().map(|found| message::show(state, found)).collect::<Vec<_>>()))
}

async fn create(state: &State, channel: Channel, draft: Draft) -> Answer {
    let mut errors = FormErrors::default();
    validate::message(&mut errors, "", &draft.body);
    let nonce = nonce(&draft.body["nonce"]);
    if nonce.as_ref().is_some_and(|nonce| nonce.chars().count() > 25) {
        errors.too_long("nonce", 25);
    }
    errors.finish()?;
    let mut db = state.store.connect().await?;
    let mut tx = db.begin().await?;
    if let Some(nonce) = nonce.as_deref().filter(|_| draft.body["enforce_nonce"] == true) {
        let since_ms = state.clock.now_ms() - NONCE_LIFE_MS;
        if let Some(earlier) = store::messages::with_nonce(&mut tx, APPLICATION, nonce, since_ms).await? {
            return ok(with_nonce(message::show(state, &earlier), &draft.body["nonce"]));
        }
    }
    let mut created = message::begin(&mut tx, state, channel.id(), APPLICATION).await?;
    created.nonce = nonce;
    if draft.body["message_reference"].is_object() {
        refer(&mut tx, channel, &mut created, &draft.body["message_reference"]).await?;
    }
    let sent_nonce = draft.body["nonce"].clone();
    message::apply(&mut tx, state, &mut created, draft, false).await?;
    let forgotten = message::forget_oldest(&mut tx, state, channel.id()).await?;
    tx.commit().await?;
    message::announce_created(state, &created);
    let shown = message::show(state, &created);
    drop(db);
    state.files.remove(&forgotten).await;
    ok(with_nonce(shown, &sent_nonce))
}

/// A nonce is a number or a text.
fn nonce(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn with_nonce(mut shown: Value, nonce: &Value) -> Value {
    if !nonce.is_null() {
        shown["nonce"] = nonce.clone();
    }
    shown
}

async fn refer(db: &mut SqliteConnection, channel: Channel, created: &mut StoredMessage, wanted: &Value) -> Result<(), ApiError> {
    let id = wanted["message_id"].as_str().and_then(|id| id.parse::<Id>().ok()).or_else(|| wanted["message_id"].as_i64());
    let exists = match id {
        Some(id) => store::messages::get(db, id).await?.is_some_and(|found| found.channel_id == channel.id()),
        None => false,
    };
    if let Some(id) = id.filter(|_| exists) {
        created.body["type"] = json!(19);
        created.body["message_reference"] = message::reference(channel.id(), id);
    } else if wanted["fail_if_not_exists"] != false {
        let mut errors = FormErrors::default();
        errors.add("message_reference", "REPLIES_UNKNOWN_MESSAGE", "Unknown message");
        errors.finish()?;
    }
    Ok(())
}

async fn edit(state: &State, channel: Channel, id: &str, draft: Draft) -> Answer {
    let mut errors = FormErrors::default();
    validate::message(&mut errors, "", &draft.body);
    errors.finish()?;
    let mut db = state.store.connect().await?;
    let mut tx = db.begin().await?;
    let mut edited = find(&mut tx, channel, id).await?;
    if edited.author_id != APPLICATION {
        return Err(ApiError::new(StatusCode::FORBIDDEN, 50005, "Cannot edit a message authored by another user"));
    }
    edited.body["edited_timestamp"] = json!(timestamp(state.clock.now_ms()));
    let removed = message::apply(&mut tx, state, &mut edited, draft, true).await?;
    tx.commit().await?;
    message::announce_updated(state, &edited);
    let shown = message::show(state, &edited);
    drop(db);
    state.files.remove(&removed).await;
    ok(shown)
}

async fn delete(state: &State, channel: Channel, id: &str) -> Answer {
    let mut db = state.store.connect().await?;
    let mut tx = db.begin().await?;
    let found = find(&mut tx, channel, id).await?;
    if found.author_id != APPLICATION && channel.app_permissions() & world::permission::MANAGE_MESSAGES == 0 {
        return Err(ApiError::new(StatusCode::FORBIDDEN, 50013, "Missing Permissions"));
    }
    let removed = message::delete(&mut tx, &found).await?;
    tx.commit().await?;
    message::announce_deleted(state, &found);
    drop(db);
    state.files.remove(&removed).await;
    nothing()
}
