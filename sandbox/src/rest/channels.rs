use super::{Answer, incoming::Incoming, messages, nothing, ok, pins, reactions, threads};
use crate::{
    announce,
    error::{ApiError, FormErrors},
    message::id_of,
    state::State,
    store,
    world::{APPLICATION, Channel, permission},
};
use axum::http::StatusCode;
use serde_json::json;

/// `/channels/{id}…` of a channel that the bot sees.
pub(super) async fn route(state: &State, method: &str, channel: &Channel, rest: &[&str], incoming: Incoming) -> Answer {
    match (method, rest) {
        ("GET", []) => {
            let mut db = state.store.connect().await?;
            ok(channel.object(store::messages::last_id(&mut db, channel.id()).await?))
        }
        ("PATCH" | "DELETE", []) if channel.thread().is_some() => threads::change(state, method, channel, incoming.form()?).await,
        // A bot that closes a private channel can open it again, and people see nothing of either.
        ("DELETE", []) if channel.guild().is_none() => ok(channel.object(None)),
        // The stand-in's bot never manages channels.
        ("PATCH" | "DELETE", []) | ("PUT" | "DELETE", ["permissions", _]) => {
            require_guild(channel)?;
            Err(ApiError::missing_permissions())
        }
        ("POST", ["typing"]) => {
            require(channel, channel.sending())?;
            announce::typing(state, channel, APPLICATION);
            nothing()
        }
        (_, ["messages", message, "reactions", rest @ ..]) => reactions::route(state, method, channel, message, rest, &incoming).await,
        ("POST", ["messages", message, "threads"]) => threads::begin(state, channel, Some(message), incoming.form()?).await,
        (_, ["messages", "pins", ..] | ["pins", ..]) => pins::route(state, method, channel, rest, &incoming).await,
        (_, ["messages", rest @ ..]) => messages::route(state, method, channel, rest, incoming).await,
        ("POST", ["threads"]) => threads::begin(state, channel, None, incoming.form()?).await,
        ("GET", ["threads", "archived", kind]) => threads::archived(state, channel, kind, &incoming),
        ("GET", ["users", "@me", "threads", "archived", "private"]) => threads::archived(state, channel, "joined", &incoming),
        (_, ["thread-members", rest @ ..]) => threads::members(state, method, channel, rest).await,
        _ => Err(ApiError::not_found()),
    }
}

/// The bot must have every one of these bits here.
pub(super) fn require(channel: &Channel, bits: u64) -> Result<(), ApiError> {
    if channel.allows(APPLICATION, bits) { Ok(()) } else { Err(ApiError::missing_permissions()) }
}

/// What only channels of guilds have.
pub(super) fn require_guild(channel: &Channel) -> Result<(), ApiError> {
    let refused = || ApiError::new(StatusCode::FORBIDDEN, 50003, "Cannot execute action on a DM channel");
    channel.guild().map(drop).ok_or_else(refused)
}

/// What was said earlier is hidden without its own bit.
pub(super) fn require_history(channel: &Channel) -> Result<(), ApiError> {
    if channel.allows(APPLICATION, permission::READ_MESSAGE_HISTORY) { Ok(()) } else { Err(ApiError::missing_access()) }
}

/// `POST /users/@me/channels`.
pub(super) async fn open_dm(state: &State, incoming: Incoming) -> Answer {
    let id = id_of(&incoming.form()?["recipient_id"]);
    let Some(person) = id.and_then(|id| state.world.now().person(id)) else {
        let mut errors = FormErrors::default();
        errors.add("recipient_id", "INVALID_RECIPIENT", "Invalid recipient.");
        errors.finish()?;
        return Err(ApiError::unknown_channel());
    };
    let mut db = state.store.connect().await?;
    let last_id = store::messages::last_id(&mut db, person.dm_channel).await?;
    ok(json!(Channel::Dm(person).object(last_id)))
}
