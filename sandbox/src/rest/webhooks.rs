//! What follows the first answer: edits, follow-ups and deletions by the interaction's token.

use super::{Answer, callback::SUGGESTIONS, incoming::Incoming, nothing, ok, parse};
use crate::{
    announce,
    clock::timestamp,
    error::{ApiError, FormErrors},
    interact::TOKEN_LIFE_MS,
    message::{self, Draft, EPHEMERAL, LOADING},
    state::State,
    store::{self, files::StoredFile, interactions::StoredInteraction, messages::StoredMessage},
    thread, validate,
};
use axum::http::StatusCode;
use serde_json::json;
use sqlx::{Connection, SqliteConnection};

/// What an application may add where only the person installed it.
const N_PERSONAL_FOLLOW_UPS: i64 = 5;

/// `/webhooks/{application}/{token}…`.
pub(super) async fn route(state: &State, method: &str, token: &str, rest: &[&str], incoming: Incoming) -> Answer {
    match (method, rest) {
        ("POST", []) => follow_up(state, token, incoming.draft()).await,
        ("GET", ["messages", id]) => {
            let mut db = state.store.connect().await?;
            let (_, found) = find(&mut db, state, token, id).await?;
            ok(message::show(state, &found))
        }
        ("PATCH", ["messages", id]) => edit(state, token, id, incoming.draft()).await,
        ("DELETE", ["messages", id]) => delete(state, token, id).await,
        _ => Err(ApiError::not_found()),
    }
}

/// The interaction behind a token that may still be used.
async fn live(db: &mut SqliteConnection, state: &State, token: &str) -> Result<StoredInteraction, ApiError> {
    let expired = || ApiError::new(StatusCode::UNAUTHORIZED, 50027, "Invalid Webhook Token");
    let interaction = store::interactions::by_token(db, token).await?.ok_or_else(expired)?;
    if state.clock.now_ms() > interaction.created_ms + TOKEN_LIFE_MS {
        return Err(expired());
    }
    // Suggestions are no message, so nothing can follow them.
    if matches!(interaction.answer, None | Some(SUGGESTIONS)) { Err(ApiError::unknown_webhook()) } else { Ok(interaction) }
}

async fn find(db: &mut SqliteConnection, state: &State, token: &str, id: &str) -> Result<(StoredInteraction, StoredMessage), ApiError> {
    let interaction = live(db, state, token).await?;
    let id = if id == "@original" { interaction.original_id.ok_or_else(ApiError::unknown_message)? } else { parse(id)? };
    let found = store::messages::get(db, id).await?.ok_or_else(ApiError::unknown_message)?;
    let is_ours = found.interaction_id == Some(interaction.id) || interaction.original_id == Some(id);
    if is_ours { Ok((interaction, found)) } else { Err(ApiError::unknown_message()) }
}

async fn edit(state: &State, token: &str, id: &str, draft: Draft) -> Answer {
    let mut errors = FormErrors::default();
    validate::message(&mut errors, &draft);
    errors.fill(&draft.faults);
    let mut db = state.store.connect().await?;
    let mut tx = db.begin().await?;
    let (_, mut edited) = find(&mut tx, state, token, id).await?;
    errors.finish()?;
    let replaced = change(&mut tx, state, &mut edited, draft).await?;
    tx.commit().await?;
    announce::updated(state, &edited);
    let shown = message::show(state, &edited);
    // Whoever asks for one meanwhile waits for the connection.
    state.files.replace(replaced, state.clock.now_ms()).await;
    drop(db);
    ok(shown)
}

/// Applies an edit; the first edit of a waiting message is not an edit that a person is told of.
async fn change(db: &mut SqliteConnection, state: &State, edited: &mut StoredMessage, draft: Draft) -> Result<Vec<StoredFile>, ApiError> {
    let was_loading = edited.body["flags"].as_u64().unwrap_or(0) & LOADING != 0;
    if !was_loading {
        edited.body["edited_timestamp"] = json!(timestamp(state.clock.now_ms()));
    }
    message::apply(db, state, edited, draft, true).await
}

async fn follow_up(state: &State, token: &str, draft: Draft) -> Answer {
    let mut errors = FormErrors::default();
    validate::message(&mut errors, &draft);
    errors.fill(&draft.faults);
    let mut db = state.store.connect().await?;
    let mut tx = db.begin().await?;
    let interaction = live(&mut tx, state, token).await?;
    errors.finish()?;
    let original = match interaction.original_id {
        Some(id) => store::messages::get(&mut tx, id).await?,
        None => None,
    };
    let waiting = original.filter(|original| original.body["flags"].as_u64().unwrap_or(0) & LOADING != 0);
    // Discord fills a waiting answer with the first follow-up.
    let (message, is_new, forgotten) = match waiting {
        Some(mut waiting) => {
            // It has no files yet.
            change(&mut tx, state, &mut waiting, draft).await?;
            (waiting, false, Vec::new())
        }
        None => {
            let is_for_person_only = interaction.owners.is_object() && interaction.owners.get("0").is_none();
            let n_follow_ups = store::interactions::count_follow_up(&mut tx, interaction.id).await?;
            if is_for_person_only && n_follow_ups > N_PERSONAL_FOLLOW_UPS {
                let told = "This interaction has reached the maximum number of follow up messages";
                return Err(ApiError::new(StatusCode::BAD_REQUEST, 40094, told));
            }
            let flags = draft.body["flags"].as_u64().unwrap_or(0) & EPHEMERAL;
            let mut created = message::begin_answer(&mut tx, state, &interaction, flags).await?;
            message::apply(&mut tx, state, &mut created, draft, false).await?;
            let forgotten = thread::settle(&mut tx, state, &created).await?;
            (created, true, forgotten)
        }
    };
    tx.commit().await?;
    if is_new {
        announce::created(state, &message);
    } else {
        announce::updated(state, &message);
    }
    let shown = message::show(state, &message);
    drop(db);
    state.files.remove(&forgotten).await;
    ok(shown)
}

async fn delete(state: &State, token: &str, id: &str) -> Answer {
    let mut db = state.store.connect().await?;
    let mut tx = db.begin().await?;
    let (_, found) = find(&mut tx, state, token, id).await?;
    let removed = message::delete(&mut tx, &found).await?;
    tx.commit().await?;
    announce::deleted(state, &found);
    drop(db);
    state.files.remove(&removed).await;
    nothing()
}
