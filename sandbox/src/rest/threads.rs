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
use sqlx::Connection;

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
    let gone = channel.thread().cloned().ok_or_else(ApiError::unknown_channel)?;
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
    let mut thread = channel
        .thread()
        .cloned()
        .ok_or_else(|| ApiError::new(StatusCode::BAD_REQUEST, 50024, "Cannot execute action on this channel type"))?;
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
                keep(state, &thread, (&[user], &[])).await?;
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
                keep(state, &thread, (&[], &[user])).await?;
            }
            nothing()
        }
        _ => Err(ApiError::not_found()),
    }
}

/// Saves a thread whose members changed, and tells of it.
async fn keep(state: &State, thread: &Thread, (joined, left): (&[Id], &[Id])) -> Result<(), ApiError> {
    thread::save(&mut *state.store.connect().await?, state, thread).await?;
    let Some(channel) = state.world.now().channel(thread.id) else { return Ok(()) };
    let added: Vec<Value> = joined.iter().filter_map(|id| thread.member_object(*id)).collect();
    let removed: Vec<String> = left.iter().map(Id::to_string).collect();
    let mut event =
        json!({ "id": thread.id.to_string(), "guild_id": thread.guild.to_string(), "member_count": thread.members.len().min(50) });
    event["added_members"] = json!(added);
    event["removed_member_ids"] = json!(removed);
    announce::to_bot(state, &channel, "THREAD_MEMBERS_UPDATE", event);
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
    let scene = state.world.now();
    let is_wanted = |thread: &&Thread| {
        let is_here = thread.parent == channel.id() && thread.is_archived && thread.is_private() == wants_private;
        is_here && (kind != "joined" || thread.has(APPLICATION))
    };
    let mut found: Vec<&Thread> = scene.threads.values().filter(is_wanted).collect();
    found.sort_by_key(|thread| std::cmp::Reverse(thread.archived_ms));
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
