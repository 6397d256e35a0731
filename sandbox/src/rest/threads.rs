use super::{Answer, channels::require, incoming::Incoming, messages::find, nothing, ok, parse};
use crate::{
    announce,
    error::ApiError,
    state::State,
    thread,
    world::{APPLICATION, Channel, Guild, Id, Thread, permission},
};
use axum::http::StatusCode;
use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection};

/// `POST /channels/{id}/threads` and `POST /channels/{id}/messages/{id}/threads`.
pub(super) async fn begin(state: &State, channel: &Channel, message: Option<&str>, body: &Value) -> Answer {
    let mut db = state.store.connect().await?;
    let mut source = match message {
        Some(id) => Some(find(&mut db, channel, id).await?),
        None => None,
    };
    let begun = thread::begin(&mut db, state, (channel, source.as_mut()), APPLICATION, body).await?;
    Ok((StatusCode::CREATED, begun.object(None)))
}

/// `PATCH` and `DELETE /channels/{thread}`.
pub(super) async fn change(state: &State, method: &str, channel: &Channel, body: &Value) -> Answer {
    let mut db = state.store.connect().await?;
    if method == "PATCH" {
        return ok(thread::edit(&mut db, state, channel, APPLICATION, body).await?.object(None));
    }
    require(channel, permission::MANAGE_THREADS)?;
    let gone = state.world.now().threads.get(&channel.id()).cloned().ok_or_else(ApiError::unknown_channel)?;
    let mut tx = db.begin().await?;
    let removed = thread::forget(&mut tx, state, gone.id).await?;
    tx.commit().await?;
    announce::thread(state, "THREAD_DELETE", &gone);
    drop(db);
    state.files.remove(&removed).await;
    ok(gone.object(None))
}

/// `/channels/{thread}/thread-members…`.
pub(super) async fn members(state: &State, method: &str, channel: &Channel, rest: &[&str]) -> Answer {
    channel.thread().ok_or_else(|| ApiError::new(StatusCode::BAD_REQUEST, 50024, "Cannot execute action on this channel type"))?;
    let mut db = state.store.connect().await?;
    // Read while nothing else happens, so that nobody's change is lost.
    let mut thread = state.world.now().threads.get(&channel.id()).cloned().ok_or_else(ApiError::unknown_channel)?;
    let user = match rest {
        [] => APPLICATION,
        ["@me"] => APPLICATION,
        [id] => parse(id)?,
        _ => return Err(ApiError::not_found()),
    };
    let unknown = || ApiError::unknown("Member", 10007);
    let now_ms = state.clock.now_ms();
    match (method, rest) {
        ("GET", []) => ok(json!(thread.members.iter().filter_map(|(id, _)| thread.member_object(*id)).collect::<Vec<_>>())),
        ("GET", [_]) => thread.member_object(user).map_or_else(|| Err(unknown()), ok),
        ("PUT" | "DELETE", [_]) if thread.is_archived => Err(ApiError::new(StatusCode::BAD_REQUEST, 50083, "Thread is archived")),
        ("PUT", [_]) => {
            if user != APPLICATION {
                require(channel, permission::SEND_MESSAGES_IN_THREADS)?;
                channel.guild().and_then(|guild| guild.member(user)).ok_or_else(unknown)?;
            }
            if thread.join(user, now_ms) {
                keep(&mut db, state, &thread, (&[user], &[])).await?;
            }
            nothing()
        }
        ("DELETE", [_]) => {
            if user != APPLICATION {
                require(channel, permission::MANAGE_THREADS)?;
            }
            let n_members = thread.members.len();
            thread.members.retain(|(member, _)| *member != user);
            if thread.members.len() < n_members {
                keep(&mut db, state, &thread, (&[], &[user])).await?;
            }
            nothing()
        }
        _ => Err(ApiError::not_found()),
    }
}

/// Saves a thread whose members changed, and tells of it.
async fn keep(db: &mut SqliteConnection, state: &State, thread: &Thread, (joined, left): (&[Id], &[Id])) -> Result<(), ApiError> {
    thread::save(db, state, thread).await?;
    announce::thread_members(state, thread, (joined, left));
    Ok(())
}

/// `GET /guilds/{id}/threads/active`.
pub(super) fn active(state: &State, guild: &Guild) -> Answer {
    let scene = state.world.now();
    let seen: Vec<&Thread> = scene.threads_of(guild.id).filter(|thread| !thread.is_archived && is_seen(state, thread)).collect();
    let mut answer = together(&seen);
    answer["has_more"] = json!(false);
    ok(answer)
}

/// `GET /channels/{id}/threads/archived/{public,private}`, the newest first; `joined` is the bot's own private ones.
pub(super) fn archived(state: &State, channel: &Channel, kind: &str, incoming: &Incoming) -> Answer {
    require(channel, permission::READ_MESSAGE_HISTORY)?;
    let wants_private = match kind {
        "public" => false,
        "private" => {
            require(channel, permission::MANAGE_THREADS)?;
            true
        }
        "joined" => true,
        _ => return Err(ApiError::not_found()),
    };
    let limit = incoming.number("limit").unwrap_or(50).clamp(2, 100) as usize;
    // What the bot joined is in the order of its ids, the rest in that of its archiving.
    let is_by_id = kind == "joined";
    let before = if is_by_id { incoming.number("before") } else { incoming.moment_us("before")? }.unwrap_or(i64::MAX);
    let place = |thread: &Thread| if is_by_id { thread.id } else { thread.archived_ms * 1000 };
    let scene = state.world.now();
    let is_wanted = |thread: &&Thread| {
        let is_here = thread.parent == channel.id() && thread.is_archived && thread.is_private() == wants_private;
        is_here && (!is_by_id || thread.has(APPLICATION)) && place(thread) < before
    };
    let mut found: Vec<&Thread> = scene.threads.values().filter(is_wanted).collect();
    found.sort_by_key(|thread| std::cmp::Reverse((place(thread), thread.id)));
    let mut answer = together(&found[..found.len().min(limit)]);
    answer["has_more"] = json!(found.len() > limit);
    ok(answer)
}

fn is_seen(state: &State, thread: &Thread) -> bool {
    state.world.now().channel(thread.id).is_some_and(|channel| channel.is_open_to(APPLICATION))
}

fn together(threads: &[&Thread]) -> Value {
    let members: Vec<Value> = threads.iter().filter_map(|thread| thread.member_object(APPLICATION)).collect();
    json!({ "threads": threads.iter().map(|thread| thread.object(None)).collect::<Vec<_>>(), "members": members })
}
