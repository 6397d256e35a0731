use super::{
    Answer,
    channels::{require, require_guild, require_history},
    incoming::Incoming,
    nothing, ok, parse, references,
};
use crate::{
    announce, attachment,
    clock::timestamp,
    error::{ApiError, FormErrors},
    message::{self, Draft},
    privacy,
    state::State,
    store::{
        self,
        messages::{StoredMessage, Window},
    },
    thread, validate,
    validate::items,
    world::{APPLICATION, Channel, Id, permission},
};
use axum::http::StatusCode;
use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection};

/// A repeated nonce within this time returns the first message.
const NONCE_LIFE_MS: i64 = 5 * 60 * 1000;
/// Older messages cannot be deleted in bulk.
const BULK_AGE_MS: i64 = 14 * 24 * 3600 * 1000;

/// `/channels/{id}/messages…`.
pub(super) async fn route(state: &State, method: &str, channel: &Channel, rest: &[&str], incoming: Incoming) -> Answer {
    match (method, rest) {
        ("GET", []) => list(state, channel, &incoming).await,
        ("POST", []) => create(state, channel, incoming.draft()).await,
        ("POST", ["bulk-delete"]) => delete_in_bulk(state, channel, &incoming).await,
        ("GET", [id]) => {
            require_history(channel)?;
            let mut db = state.store.connect().await?;
            ok(privacy::show(state, channel, &find(&mut db, channel, id).await?))
        }
        ("PATCH", [id]) => edit(state, channel, id, incoming.draft()).await,
        ("DELETE", [id]) => delete(state, channel, id).await,
        // The stand-in has no announcement channels.
        ("POST", [_, "crosspost"]) => Err(ApiError::new(StatusCode::BAD_REQUEST, 50024, "Cannot execute action on this channel type")),
        _ => Err(ApiError::not_found()),
    }
}

/// A message that the bot's own token can reach: ephemeral ones are not.
pub(super) async fn find(db: &mut SqliteConnection, channel: &Channel, id: &str) -> Result<StoredMessage, ApiError> {
    let found = store::messages::get(db, parse(id)?).await?;
    found.filter(|found| found.channel_id == channel.id() && found.audience.is_none()).ok_or_else(ApiError::unknown_message)
}

async fn list(state: &State, channel: &Channel, incoming: &Incoming) -> Answer {
    let limit = incoming.number("limit").unwrap_or(50);
    if !(1..=100).contains(&limit) {
        let mut errors = FormErrors::default();
        errors.add("limit", "NUMBER_TYPE_MAX", "int value should be between 1 and 100.");
        errors.finish()?;
    }
    if !channel.allows(APPLICATION, permission::READ_MESSAGE_HISTORY) {
        return ok(json!([]));
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
    ok(json!(found.iter().map(|found| privacy::show(state, channel, found)).collect::<Vec<_>>()))
}

/// Whether the bot may write here: 50007 for a person who refuses it, 50013 without the permission.
fn check_may_write(channel: &Channel) -> Result<(), ApiError> {
    if matches!(channel, Channel::Dm(person) if !person.accepts_dms) {
        return Err(ApiError::new(StatusCode::FORBIDDEN, 50007, "Cannot send messages to this user"));
    }
    require(channel, channel.sending())?;
    thread::check_open(channel, APPLICATION)
}

async fn create(state: &State, channel: &Channel, draft: Draft) -> Answer {
    let mut errors = FormErrors::default();
    validate::message(&mut errors, &draft);
    errors.fill(&draft.faults);
    errors.finish()?;
    let nonce = nonce(&draft.body["nonce"]);
    check_may_write(channel)?;
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
        references::refer(&mut tx, state, channel, &mut created, &draft.body["message_reference"]).await?;
    }
    let sent_nonce = draft.body["nonce"].clone();
    message::apply(&mut tx, state, &mut created, draft, false).await?;
    let forgotten = thread::settle(&mut tx, state, &created).await?;
    tx.commit().await?;
    announce::created(state, &created);
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

async fn edit(state: &State, channel: &Channel, id: &str, draft: Draft) -> Answer {
    let mut errors = FormErrors::default();
    validate::message(&mut errors, &draft);
    errors.fill(&draft.faults);
    errors.finish()?;
    let mut db = state.store.connect().await?;
    let mut tx = db.begin().await?;
    let mut edited = find(&mut tx, channel, id).await?;
    thread::check_active(channel)?;
    if edited.author_id == APPLICATION {
        state.rate_limits.take_old_edit(channel.id(), edited.created_ms, state.clock.now_ms())?;
        edited.body["edited_timestamp"] = json!(timestamp(state.clock.now_ms()));
    } else {
        check_others_edit(channel, &draft)?;
    }
    thread::check_editable(&edited)?;
    let replaced = message::apply(&mut tx, state, &mut edited, draft, true).await?;
    tx.commit().await?;
    announce::updated(state, &edited);
    let shown = message::show(state, &edited);
    // Whoever asks for one meanwhile waits for the connection.
    state.files.replace(replaced, state.clock.now_ms()).await;
    drop(db);
    ok(shown)
}

/// Of a message of somebody else only the flags can be changed, by who manages messages.
fn check_others_edit(channel: &Channel, draft: &Draft) -> Result<(), ApiError> {
    let fields = || draft.body.as_object().into_iter().flatten();
    if !draft.uploads.is_empty() || fields().next().is_none() || fields().any(|(field, _)| field != "flags") {
        return Err(ApiError::new(StatusCode::FORBIDDEN, 50005, "Cannot edit a message authored by another user"));
    }
    require(channel, permission::MANAGE_MESSAGES)
}

async fn delete(state: &State, channel: &Channel, id: &str) -> Answer {
    let mut db = state.store.connect().await?;
    let mut tx = db.begin().await?;
    let found = find(&mut tx, channel, id).await?;
    if found.author_id != APPLICATION {
        require_guild(channel)?;
        require(channel, permission::MANAGE_MESSAGES)?;
    }
    thread::check_deletable(&found)?;
    let removed = message::delete(&mut tx, &found).await?;
    tx.commit().await?;
    announce::deleted(state, &found);
    drop(db);
    state.files.remove(&removed).await;
    nothing()
}

/// `POST /channels/{id}/messages/bulk-delete`. Ids of no message are passed over, as on Discord.
async fn delete_in_bulk(state: &State, channel: &Channel, incoming: &Incoming) -> Answer {
    require_guild(channel)?;
    require(channel, permission::MANAGE_MESSAGES)?;
    let wanted = items(&incoming.body["messages"]);
    if !(2..=100).contains(&wanted.len()) {
        let told = "Provided too few or too many messages to delete. Must provide at least 2 and fewer than 100 messages to delete";
        return Err(ApiError::new(StatusCode::BAD_REQUEST, 50016, told));
    }
    incoming.form()?;
    let oldest = store::first_id_at(state.clock.now_ms() - BULK_AGE_MS);
    let mut ids: Vec<Id> = Vec::new();
    for id in wanted {
        ids.push(parse(&attachment::id_text(id))?);
    }
    if ids.iter().any(|id| *id < oldest) {
        return Err(ApiError::new(StatusCode::BAD_REQUEST, 50034, "A message provided was too old to bulk delete"));
    }
    let mut db = state.store.connect().await?;
    let mut tx = db.begin().await?;
    let (mut deleted, mut removed) = (Vec::new(), Vec::new());
    for id in ids {
        let found = store::messages::get(&mut tx, id).await?;
        if let Some(found) = found.filter(|found| found.channel_id == channel.id() && found.audience.is_none()) {
            removed.extend(message::delete(&mut tx, &found).await?);
            deleted.push(found);
        }
    }
    tx.commit().await?;
    if !deleted.is_empty() {
        announce::deleted_in_bulk(state, channel, &deleted);
    }
    drop(db);
    state.files.remove(&removed).await;
    nothing()
}
