use super::{Asked, IdText, Named, PageError, PageResult, channel, ideas, person};
use crate::{
    command_permission::{Rules, Verdict},
    connect, entitlement,
    message::{id_of, show, show_as},
    state::State,
    store::{self, messages::Window},
    world::{Channel, Guild, Id, Person, Role, Scene, Thread, permission},
};
use axum::{Json, extract::State as Shared, http::StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{cmp::Reverse, sync::Arc};

/// Archived threads that a guild is shown with.
const N_ARCHIVED: usize = 50;

#[derive(Deserialize)]
pub(super) struct Who {
    user: IdText,
}

#[derive(Deserialize)]
pub(super) struct Visit {
    /// Unknown on a first visit.
    user: Option<IdText>,
}

/// `GET /state`; without a person, as the first one sees it.
pub(super) async fn state(Shared(state): Shared<Arc<State>>, Asked(visit): Asked<Visit>) -> PageResult {
    let scene = state.world.now();
    let first = || scene.people.first().cloned().ok_or_else(|| PageError::new(StatusCode::NOT_FOUND, "nobody is here"));
    let viewer = visit.user.map_or_else(first, |user| person(&state, user))?;
    // Before anything is read: what changes meanwhile is heard again, never missed.
    let seq = state.events.seq();
    let mut db = state.store.connect().await?;
    let mut commands = store::commands::all(&mut db).await?;
    let guilds: Vec<&Arc<Guild>> = scene.guilds.iter().filter(|guild| guild.member(viewer.id).is_some()).collect();
    let is_near = |command: &Value| match command["guild_id"].as_str() {
        Some(id) => guilds.iter().any(|guild| guild.id.to_string() == id),
        None => true,
    };
    commands.retain(is_near);
    let mut bot = scene.bot.user();
    bot["online"] = json!(state.hub.is_online());
    bot["presence"] = state.hub.presence();
    let users: Vec<Value> = scene.people.iter().map(|person| user(&scene, person)).collect();
    let mut shown = Vec::with_capacity(guilds.len());
    for guild in guilds {
        let mut object = shown_guild(&scene, guild, viewer.id);
        tell_rules(&mut object, &scene, &commands, &Rules::of_guild(&mut db, guild).await?, viewer.id);
        shown.push(object);
    }
    drop(db);
    let mut dm = Channel::Dm(viewer.clone()).object(None);
    dm["permissions"] = json!(permission::DIRECT.to_string());
    let private: Vec<Value> = scene.private.iter().filter_map(|private| shown_private(&scene, private.id, viewer.id)).collect();
    let skus = entitlement::skus();
    Ok(Json(json!({
        "title": state.title, "users": users, "guilds": shown, "dm": dm, "private": private, "bot": bot, "commands": commands, "skus": skus, "seq": seq,
        "ideas": ideas::shown(&state.ideas),
    })))
}

/// `GET /connect`: how a bot in each library connects; nothing where that is not told.
pub(super) async fn guides(Shared(state): Shared<Arc<State>>) -> PageResult {
    let guides = if state.tells_token { connect::guides(&state.url, &state.gateway_url(), &state.token) } else { Vec::new() };
    Ok(Json(json!({ "guides": guides })))
}

/// A person with the guilds they are in, and what they are in the first of those.
fn user(scene: &Scene, person: &Person) -> Value {
    let ranks: Vec<(&Arc<Guild>, &str)> = scene.guilds.iter().filter_map(|guild| Some((guild, guild.rank(person.id)?))).collect();
    let roles: Value = ranks.iter().map(|(guild, rank)| (guild.id.to_string(), json!(rank))).collect::<serde_json::Map<_, _>>().into();
    let mut user = person.user();
    user["role"] = json!(ranks.first().map_or("member", |(_, rank)| rank));
    user["roles"] = roles;
    user["guilds"] = json!(ranks.iter().map(|(guild, _)| guild.id.to_string()).collect::<Vec<_>>());
    user["accepts_dms"] = json!(person.accepts_dms);
    user
}

/// A channel among people; nothing for somebody who is not in it.
fn shown_private(scene: &Scene, id: Id, viewer: Id) -> Option<Value> {
    let channel = scene.channel(id).filter(|channel| channel.is_open_to(viewer))?;
    let mut shown = channel.object_for(viewer);
    shown["permissions"] = json!(channel.permissions_of(viewer).to_string());
    Some(shown)
}

/// A guild with the channels and threads that somebody sees; of the archived threads, the newest.
fn shown_guild(scene: &Scene, guild: &Arc<Guild>, viewer: Id) -> Value {
    let channels = guild.channels.iter().map(|channel| channel.id);
    let active = scene.threads_of(guild.id).filter(|thread| !thread.is_archived).map(|thread| thread.id);
    let mut archived: Vec<&Thread> = scene.threads_of(guild.id).filter(|thread| thread.is_archived).collect();
    archived.sort_by_key(|thread| Reverse(thread.archived_ms));
    let seen =
        channels.chain(active).chain(archived.into_iter().take(N_ARCHIVED).map(|thread| thread.id)).filter_map(|id| scene.channel(id));
    let seen = seen.filter(|channel| channel.is_open_to(viewer));
    let channels: Vec<Value> = seen.map(|channel| channel.object_for(viewer)).collect();
    json!({
        "id": guild.id.to_string(), "name": guild.name, "owner_id": guild.owner.to_string(), "channels": channels,
        "roles": guild.roles.iter().map(Role::object).collect::<Vec<_>>(), "emojis": guild.emojis(), "has_bot": guild.has_bot(),
        "attachment_size_limit": guild.attachment_size_limit,
    })
}

/// Notes in each channel which commands the guild allows this person there although they ask for more, and which it denies them.
fn tell_rules(guild: &mut Value, scene: &Scene, commands: &[Value], rules: &Rules, viewer: Id) {
    for shown in guild["channels"].as_array_mut().into_iter().flatten() {
        let Some(channel) = id_of(&shown["id"]).and_then(|id| scene.channel(id)) else { continue };
        let said = commands.iter().filter_map(|command| {
            let verdict = rules.verdict(id_of(&command["id"])?, &channel, viewer);
            Some((command["id"].as_str()?.to_owned(), json!(verdict == Verdict::Granted))).filter(|_| verdict != Verdict::Unsaid)
        });
        shown["command_rules"] = Value::Object(said.collect());
    }
}

#[derive(Deserialize)]
pub(super) struct Page {
    user: IdText,
    before: Option<IdText>,
    limit: Option<i64>,
}

/// `GET /channels/C/messages`.
pub(super) async fn messages(Shared(state): Shared<Arc<State>>, Named(id): Named<IdText>, Asked(page): Asked<Page>) -> PageResult {
    let viewer = person(&state, page.user)?;
    let channel = channel(&state, id, &viewer)?;
    if !channel.allows(viewer.id, permission::READ_MESSAGE_HISTORY) {
        return Ok(Json(json!([])));
    }
    let window = Window {
        channel_id: channel.id(),
        viewer: Some(viewer.id),
        before: page.before.map(|before| before.0),
        after: None,
        limit: page.limit.unwrap_or(50).clamp(1, 200),
    };
    let found = store::messages::list(&mut *state.store.connect().await?, window).await?;
    Ok(Json(json!(found.iter().map(|message| show_as(&state, message, viewer.id)).collect::<Vec<_>>())))
}

/// `GET /messages/M`.
pub(super) async fn message(Shared(state): Shared<Arc<State>>, Named(id): Named<IdText>, Asked(Who { user }): Asked<Who>) -> PageResult {
    let viewer = person(&state, user)?;
    let (_, found) = super::message(&mut *state.store.connect().await?, &state, id, &viewer).await?;
    Ok(Json(show_as(&state, &found, viewer.id)))
}

/// `GET /messages/M/raw`: the message as the bot's REST shows it.
pub(super) async fn raw(Shared(state): Shared<Arc<State>>, Named(id): Named<IdText>, Asked(visit): Asked<Visit>) -> PageResult {
    let mut db = state.store.connect().await?;
    let found = match visit.user {
        Some(user) => Some(super::message(&mut db, &state, id, &person(&state, user)?).await?.1),
        None => store::messages::get(&mut db, id.0).await?,
    };
    let found = found.ok_or_else(|| PageError::new(StatusCode::NOT_FOUND, "the message is gone"))?;
    Ok(Json(show(&state, &found)))
}
