//! The first answer to an interaction. Source: discord-api-docs, interactions/receiving-and-responding.

use super::{Answer, incoming::Incoming, nothing, ok};
use crate::{
    announce,
    clock::timestamp,
    components,
    error::{ApiError, FormErrors},
    interact::{ANSWER_WITHIN_MS, AUTOCOMPLETE, COMMAND, COMPONENT, MODAL_SUBMIT},
    message::{self, Draft, EPHEMERAL, LOADING},
    state::State,
    store::{self, files::StoredFile, interactions::StoredInteraction, messages::StoredMessage},
    thread, validate,
    world::Id,
};
use axum::http::StatusCode;
use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection};

const MESSAGE: i64 = 4;
const DEFERRED_MESSAGE: i64 = 5;
const DEFERRED_UPDATE: i64 = 6;
const UPDATE: i64 = 7;
pub(super) const SUGGESTIONS: i64 = 8;
const MODAL: i64 = 9;
/// The kind of the commands that have options.
const SLASH: i64 = 1;

/// What an answer did, to be announced once it is committed.
enum Effect {
    Created(StoredMessage),
    Updated(StoredMessage),
    Acknowledged,
    Suggested(Value),
    Opened(Value),
}

/// `POST /interactions/{id}/{token}/callback`.
pub(super) async fn answer(state: &State, id: Id, token: &str, incoming: Incoming) -> Answer {
    let with_response = incoming.is_set("with_response");
    let mut db = state.store.connect().await?;
    let mut tx = db.begin().await?;
    let mut interaction =
        store::interactions::by_token(&mut tx, token).await?.filter(|found| found.id == id).ok_or_else(ApiError::unknown_interaction)?;
    if interaction.answer.is_some() {
        return Err(ApiError::new(StatusCode::BAD_REQUEST, 40060, "Interaction has already been acknowledged."));
    }
    if state.clock.now_ms() > interaction.created_ms + ANSWER_WITHIN_MS {
        return Err(ApiError::unknown_interaction());
    }
    let mut draft = incoming.draft();
    let kind = draft.body["type"].as_i64().unwrap_or(0);
    draft.body = draft.body.get_mut("data").map(Value::take).unwrap_or_default();
    draft.at = "data";
    let command = if kind == SUGGESTIONS { asking(&mut tx, state, &interaction).await? } else { Value::Null };
    check(&interaction, kind, &draft, &command)?;
    interaction.answer = Some(kind);
    let (effect, replaced) = take_effect(&mut tx, state, &mut interaction, draft).await?;
    store::interactions::answer(&mut tx, &interaction).await?;
    let forgotten = match &effect {
        Effect::Created(created) => thread::settle(&mut tx, state, created).await?,
        _ => Vec::new(),
    };
    tx.commit().await?;
    announce(state, &interaction, &effect);
    // Whoever asks for one meanwhile waits for the connection.
    state.files.replace(replaced, state.clock.now_ms()).await;
    drop(db);
    state.files.remove(&forgotten).await;
    if with_response { ok(callback_response(state, &interaction, &effect)) } else { nothing() }
}

/// Which answers fit which interaction, and whether the data is well formed.
fn check(interaction: &StoredInteraction, kind: i64, draft: &Draft, command: &Value) -> Result<(), ApiError> {
    let allowed: &[i64] = match interaction.kind {
        COMMAND => &[MESSAGE, DEFERRED_MESSAGE, MODAL],
        AUTOCOMPLETE => &[SUGGESTIONS],
        COMPONENT => &[MESSAGE, DEFERRED_MESSAGE, DEFERRED_UPDATE, UPDATE, MODAL],
        MODAL_SUBMIT if interaction.source_id.is_some() => &[MESSAGE, DEFERRED_MESSAGE, DEFERRED_UPDATE, UPDATE],
        _ => &[MESSAGE, DEFERRED_MESSAGE],
    };
    let mut errors = FormErrors::default();
    if !allowed.contains(&kind) {
        let allowed: Vec<String> = allowed.iter().map(i64::to_string).collect();
        errors.choice("type", &allowed.join(", "));
    }
    match kind {
        MESSAGE | UPDATE => validate::message(&mut errors, draft),
        SUGGESTIONS => validate::choices(&mut errors, "data.choices", &draft.body["choices"], &validate::suggesting(command)),
        MODAL => validate::modal(&mut errors, draft.at, &draft.body),
        _ => {}
    }
    errors.fill(&draft.faults);
    errors.finish()
}

/// The command whose option asks for suggestions; null when it is no longer registered.
async fn asking(db: &mut SqliteConnection, state: &State, interaction: &StoredInteraction) -> Result<Value, ApiError> {
    let guild = state.world.now().channel(interaction.channel_id).and_then(|channel| channel.guild_id());
    let name = interaction.name.as_deref().unwrap_or_default();
    for place in guild.into_iter().chain([0]) {
        if let Some(id) = store::commands::named(db, place, SLASH, name).await? {
            return Ok(store::commands::get(db, id).await?.unwrap_or_default());
        }
    }
    Ok(Value::Null)
}

async fn take_effect(
    db: &mut SqliteConnection,
    state: &State,
    interaction: &mut StoredInteraction,
    draft: Draft,
) -> Result<(Effect, Vec<StoredFile>), ApiError> {
    let flags = draft.body["flags"].as_u64().unwrap_or(0);
    Ok(match interaction.answer {
        Some(MESSAGE) => {
            let mut created = message::begin_answer(db, state, interaction, flags & EPHEMERAL).await?;
            let replaced = message::apply(db, state, &mut created, draft, false).await?;
            interaction.original_id = Some(created.id);
            (Effect::Created(created), replaced)
        }
        Some(DEFERRED_MESSAGE) => {
            let created = message::begin_answer(db, state, interaction, flags & EPHEMERAL | LOADING).await?;
            store::messages::save(db, &created).await?;
            interaction.original_id = Some(created.id);
            (Effect::Created(created), Vec::new())
        }
        Some(DEFERRED_UPDATE) => {
            interaction.original_id = interaction.source_id;
            (Effect::Acknowledged, Vec::new())
        }
        Some(UPDATE) => {
            let mut source = source(db, interaction).await?;
            let replaced = message::apply(db, state, &mut source, draft, true).await?;
            source.body["edited_timestamp"] = json!(timestamp(state.clock.now_ms()));
            store::messages::save(db, &source).await?;
            interaction.original_id = Some(source.id);
            (Effect::Updated(source), replaced)
        }
        Some(SUGGESTIONS) => (Effect::Suggested(draft.body["choices"].clone()), Vec::new()),
        _ => {
            let mut modal = draft.body;
            components::complete(&mut modal["components"]);
            interaction.modal = Some(modal.clone());
            (Effect::Opened(modal), Vec::new())
        }
    })
}

async fn source(db: &mut SqliteConnection, interaction: &StoredInteraction) -> Result<StoredMessage, ApiError> {
    let id = interaction.source_id.ok_or_else(ApiError::unknown_message)?;
    store::messages::get(db, id).await?.ok_or_else(ApiError::unknown_message)
}

fn announce(state: &State, interaction: &StoredInteraction, effect: &Effect) {
    let id = interaction.id.to_string();
    if !matches!(effect, Effect::Suggested(_)) {
        state.events.push("interaction_acknowledged", Some(interaction.user_id), json!({ "interaction": id }));
    }
    match effect {
        Effect::Created(message) => announce::created(state, message),
        Effect::Updated(message) => announce::updated(state, message),
        Effect::Acknowledged => {}
        Effect::Suggested(choices) => state.suggestions.answer(interaction.id, choices.clone()),
        Effect::Opened(modal) => {
            let form = json!({
                "interaction": id, "custom_id": modal["custom_id"], "title": modal["title"], "components": modal["components"],
            });
            state.events.push("modal", Some(interaction.user_id), form);
        }
    }
}

fn callback_response(state: &State, interaction: &StoredInteraction, effect: &Effect) -> Value {
    let mut answer = json!({ "interaction": { "id": interaction.id.to_string(), "type": interaction.kind } });
    match effect {
        Effect::Created(message) | Effect::Updated(message) => {
            answer["interaction"]["response_message_id"] = json!(message.id.to_string());
            answer["interaction"]["response_message_loading"] = json!(message.body["flags"].as_u64().unwrap_or(0) & LOADING != 0);
            answer["interaction"]["response_message_ephemeral"] = json!(message.audience.is_some());
            // Only what is a message by now is a resource.
            if matches!(interaction.answer, Some(MESSAGE | UPDATE)) {
                answer["resource"] = json!({ "type": interaction.answer, "message": message::show(state, message) });
            }
        }
        Effect::Acknowledged | Effect::Suggested(_) | Effect::Opened(_) => {}
    }
    answer
}
