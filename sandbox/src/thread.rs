//! Threads: how one begins below a channel or under a message, what changes it, and what a message in it does.

use crate::{
    announce,
    error::{ApiError, FormErrors},
    message,
    state::State,
    store::{self, messages::StoredMessage},
    world::{Channel, Id, N_THREADS, Thread, permission},
};
use axum::http::StatusCode;
use serde_json::{Value, json};
use sqlx::SqliteConnection;

const PUBLIC: u64 = 11;
const PRIVATE: u64 = 12;
/// Types of the messages that tell of a thread: in the channel above it, and as the first inside it.
const THREAD_CREATED: u64 = 18;
const THREAD_STARTER_MESSAGE: u64 = 21;
/// The flag of a message that a thread hangs under.
const HAS_THREAD: u64 = 1 << 5;
/// The minutes without a message after which a thread is archived, as Discord offers them.
const AUTO_ARCHIVE: [u64; 4] = [60, 1440, 4320, 10080];
/// Archived threads are forgotten beyond this many in memory mode.
const N_REMEMBERED: usize = 2 * N_THREADS;

/// Begins a thread; under `source` where there is one, whose id it then shares. A message tells of it: above a thread of its own,
/// and in the other case inside it, with what it began with.
pub(crate) async fn begin(
    db: &mut SqliteConnection,
    state: &State,
    (channel, source): (&Channel, Option<&mut StoredMessage>),
    user: Id,
    body: &Value,
) -> Result<Thread, ApiError> {
    let Channel::Guild(guild, parent) = channel else {
        return Err(ApiError::new(StatusCode::BAD_REQUEST, 50024, "Cannot execute action on this channel type"));
    };
    let kind = if source.is_some() { PUBLIC } else { body["type"].as_u64().unwrap_or(PRIVATE) };
    let mut errors = FormErrors::default();
    if !matches!(kind, PUBLIC | PRIVATE) {
        errors.choice("type", "11, 12");
    }
    check(&mut errors, body, true);
    errors.finish()?;
    let needed = if kind == PRIVATE { permission::CREATE_PRIVATE_THREADS } else { permission::CREATE_PUBLIC_THREADS };
    if !channel.allows(user, needed) {
        return Err(ApiError::missing_permissions());
    }
    if source.as_ref().is_some_and(|source| source.body["thread"].is_object()) {
        return Err(ApiError::new(StatusCode::BAD_REQUEST, 160_004, "A thread has already been created for this message"));
    }
    let scene = state.world.now();
    if scene.threads_of(guild.id).filter(|thread| !thread.is_archived).count() >= N_THREADS {
        return Err(ApiError::new(StatusCode::BAD_REQUEST, 160_006, "Maximum number of active threads reached"));
    }
    let now_ms = state.clock.now_ms();
    let mut thread = Thread {
        id: match &source {
            Some(source) => source.id,
            None => state.store.next_id(db, now_ms).await?,
        },
        guild: guild.id,
        parent: parent.id,
        kind: kind as u8,
        name: String::new(),
        owner: user,
        is_archived: false,
        is_locked: false,
        auto_archive_minutes: AUTO_ARCHIVE[1],
        rate_limit_s: 0,
        created_ms: now_ms,
        archived_ms: now_ms,
        active_ms: now_ms,
        members: vec![(user, now_ms)],
        n_messages: 0,
    };
    take(&mut thread, body, now_ms);
    save(db, state, &thread).await?;
    announce::thread(state, "THREAD_CREATE", &thread);
    if let Some(source) = source {
        let mut starter = message::begin(db, state, thread.id, user).await?;
        starter.body["type"] = json!(THREAD_STARTER_MESSAGE);
        starter.body["message_reference"] = message::reference(&state.world.now(), parent.id, source.id);
        starter.body["referenced_message"] = message::referenced(source);
        store::messages::save(db, &starter).await?;
        source.body["thread"] = thread.object(None);
        source.body["flags"] = json!(source.body["flags"].as_u64().unwrap_or(0) | HAS_THREAD);
        store::messages::save(db, source).await?;
        announce::created(state, &starter);
        announce::updated(state, source);
    } else if !thread.is_private() {
        let mut told = message::begin(db, state, parent.id, user).await?;
        told.body["type"] = json!(THREAD_CREATED);
        told.body["content"] = json!(thread.name);
        told.body["message_reference"] = json!({ "type": 0, "channel_id": thread.id.to_string(), "guild_id": guild.id.to_string() });
        store::messages::save(db, &told).await?;
        announce::created(state, &told);
    }
    Ok(thread)
}

/// Changes what `body` names. Needs the right to manage threads, or to have begun it.
pub(crate) async fn edit(db: &mut SqliteConnection, state: &State, channel: &Channel, user: Id, body: &Value) -> Result<Thread, ApiError> {
    // What the caller knew may have changed while it waited for the database.
    let mut thread = state.world.now().threads.get(&channel.id()).cloned().ok_or_else(ApiError::unknown_channel)?;
    let mut errors = FormErrors::default();
    check(&mut errors, body, false);
    errors.finish()?;
    let manages = channel.allows(user, permission::MANAGE_THREADS);
    let locks = body["locked"].as_bool().is_some_and(|locked| locked != thread.is_locked);
    if !manages && (thread.owner != user || locks || thread.is_locked) {
        return Err(ApiError::missing_permissions());
    }
    let changes_more = body.as_object().is_some_and(|body| body.keys().any(|key| key != "archived" && key != "locked"));
    if thread.is_archived && body["archived"] != false && changes_more {
        return Err(ApiError::new(StatusCode::BAD_REQUEST, 50083, "Thread is archived"));
    }
    take(&mut thread, body, state.clock.now_ms());
    save(db, state, &thread).await?;
    announce::thread(state, "THREAD_UPDATE", &thread);
    Ok(thread)
}

fn check(errors: &mut FormErrors, body: &Value, is_new: bool) {
    let name = body["name"].as_str().map(|name| name.trim().chars().count());
    match name {
        Some(1..=100) => {}
        Some(_) => errors.add("name", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length."),
        None if is_new => errors.required("name"),
        None => {}
    }
    if body["auto_archive_duration"].as_u64().is_some_and(|minutes| !AUTO_ARCHIVE.contains(&minutes)) {
        errors.choice("auto_archive_duration", "60, 1440, 4320, 10080");
    }
    if body["rate_limit_per_user"].as_u64().is_some_and(|seconds| seconds > 21_600) {
        errors.add("rate_limit_per_user", "NUMBER_TYPE_MAX", "int value should be less than or equal to 21600.");
    }
}

fn take(thread: &mut Thread, body: &Value, now_ms: i64) {
    if let Some(name) = body["name"].as_str() {
        name.trim().clone_into(&mut thread.name);
    }
    if let Some(minutes) = body["auto_archive_duration"].as_u64() {
        thread.auto_archive_minutes = minutes;
    }
    if let Some(seconds) = body["rate_limit_per_user"].as_u64() {
        thread.rate_limit_s = seconds;
    }
    if let Some(locked) = body["locked"].as_bool() {
        thread.is_locked = locked;
    }
    if let Some(archived) = body["archived"].as_bool() {
        thread.archive(archived, now_ms);
    }
}

/// Keeps a thread in the database and in the world. In memory mode the oldest archived ones are forgotten.
pub(crate) async fn save(db: &mut SqliteConnection, state: &State, thread: &Thread) -> Result<(), ApiError> {
    store::threads::save(db, thread).await?;
    state.world.put_thread(thread.clone());
    let scene = state.world.now();
    if state.is_in_memory && scene.threads.len() > N_REMEMBERED {
        let oldest = scene.threads.values().find(|thread| thread.is_archived).map(|thread| thread.id);
        if let Some(oldest) = oldest {
            forget(db, state, oldest).await?;
        }
    }
    Ok(())
}

/// Deletes a thread with its messages; returns their files.
pub(crate) async fn forget(db: &mut SqliteConnection, state: &State, id: Id) -> Result<Vec<Id>, ApiError> {
    let mut removed = Vec::new();
    for message in store::messages::ids(db, id).await? {
        store::messages::delete(db, message).await?;
        removed.extend(store::files::forget_of(db, &[message]).await?);
    }
    store::threads::delete(db, id).await?;
    state.world.drop_thread(id);
    Ok(removed)
}

/// Nobody edits the messages that tell of a thread.
pub(crate) fn check_editable(message: &StoredMessage) -> Result<(), ApiError> {
    if matches!(message.body["type"].as_u64(), Some(THREAD_CREATED | THREAD_STARTER_MESSAGE)) { Err(is_system()) } else { Ok(()) }
}

/// Nobody deletes the message that shows what a thread began with.
pub(crate) fn check_deletable(message: &StoredMessage) -> Result<(), ApiError> {
    if message.body["type"] == THREAD_STARTER_MESSAGE { Err(is_system()) } else { Ok(()) }
}

fn is_system() -> ApiError {
    ApiError::new(StatusCode::FORBIDDEN, 50021, "Cannot execute action on a system message")
}

/// Refuses what cannot be done in an archived thread. Source: discord-api-docs, topics/threads, "Active & Archived Threads".
pub(crate) fn check_active(channel: &Channel) -> Result<(), ApiError> {
    let is_archived = channel.thread().is_some_and(|thread| thread.is_archived);
    if is_archived { Err(ApiError::new(StatusCode::BAD_REQUEST, 50083, "Thread is archived")) } else { Ok(()) }
}

/// Refuses who may not write in a locked thread.
pub(crate) fn check_open(channel: &Channel, user: Id) -> Result<(), ApiError> {
    let is_locked = channel.thread().is_some_and(|thread| thread.is_locked);
    if is_locked && !channel.allows(user, permission::MANAGE_THREADS) {
        return Err(ApiError::new(StatusCode::FORBIDDEN, 160_005, "Thread is locked"));
    }
    Ok(())
}

/// After a message was created: its thread counts it, wakes up and takes its author in; the oldest messages of the channel are
/// forgotten in memory mode. Returns the files of those.
pub(crate) async fn settle(db: &mut SqliteConnection, state: &State, message: &StoredMessage) -> Result<Vec<Id>, ApiError> {
    let scene = state.world.now();
    if let Some(mut thread) = scene.threads.get(&message.channel_id).filter(|_| message.audience.is_none()).cloned() {
        thread.n_messages += 1;
        let was_archived = thread.is_archived;
        thread.archive(false, message.created_ms);
        thread.active_ms = message.created_ms;
        let has_joined = thread.join(message.author_id, message.created_ms);
        save(db, state, &thread).await?;
        if was_archived {
            announce::thread(state, "THREAD_UPDATE", &thread);
        }
        if has_joined {
            announce::thread_members(state, &thread, (&[message.author_id], &[]));
        }
    }
    message::forget_oldest(db, state, message.channel_id).await
}
