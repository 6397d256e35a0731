//! A person uses the bot: the interaction is recorded, sent over the gateway, and watched until its first answer.

use crate::{
    entitlement,
    error::ApiError,
    message::show,
    state::State,
    store::{self, interactions::StoredInteraction, messages::StoredMessage},
    world::{APPLICATION, Channel, Id, Person},
};
use serde_json::{Value, json};
use sqlx::Connection;
use std::sync::Arc;
use tokio::sync::oneshot;

/// The time for a first answer.
pub(crate) const ANSWER_WITHIN_MS: i64 = 3000;
/// The life of an interaction's token.
pub(crate) const TOKEN_LIFE_MS: i64 = 15 * 60 * 1000;
/// Rows of dead interactions are kept for a day, so that a late use gets the right error.
const REMEMBER_MS: i64 = 24 * 3600 * 1000;

/// Where an interaction happens.
pub(crate) const GUILD_CONTEXT: u64 = 0;
pub(crate) const DM_CONTEXT: u64 = 1;
pub(crate) const PRIVATE_CONTEXT: u64 = 2;

pub(crate) const COMMAND: i64 = 2;
pub(crate) const COMPONENT: i64 = 3;
pub(crate) const AUTOCOMPLETE: i64 = 4;
pub(crate) const MODAL_SUBMIT: i64 = 5;

/// What a person does.
pub(crate) struct NewInteraction {
    pub(crate) kind: i64,
    pub(crate) name: Option<String>,
    pub(crate) user: Person,
    pub(crate) channel: Channel,
    pub(crate) data: Value,
    /// The message whose component was used.
    pub(crate) source: Option<StoredMessage>,
    /// Who installed the application: Discord's `authorizing_integration_owners`.
    pub(crate) owners: Value,
}

/// An interaction on its way.
pub(crate) struct Started {
    pub(crate) id: Id,
    /// Where the answer to an autocomplete question will come; nothing when no bot is connected.
    pub(crate) suggestions: Option<oneshot::Receiver<Value>>,
}

/// Records the interaction and sends it to the bot. Returns at once; what follows comes as events.
pub(crate) async fn start(state: &Arc<State>, new: NewInteraction) -> Result<Started, ApiError> {
    let now_ms = state.clock.now_ms();
    let mut db = state.store.connect().await?;
    let mut tx = db.begin().await?;
    let id = store::next_id(&mut tx, now_ms).await?;
    let token = store::random_hex(&mut tx, 40).await?;
    let interaction = StoredInteraction {
        id,
        token,
        kind: new.kind,
        name: new.name.clone(),
        user_id: new.user.id,
        channel_id: new.channel.id(),
        created_ms: now_ms,
        answer: None,
        original_id: None,
        source_id: new.source.as_ref().map(|source| source.id),
        modal: None,
        owners: new.owners.clone(),
    };
    store::interactions::insert(&mut tx, &interaction).await?;
    store::interactions::forget(&mut tx, now_ms - REMEMBER_MS).await?;
    let entitlements = entitlement::of(&mut tx, new.user.id, new.channel.guild_id()).await?;
    tx.commit().await?;
    let is_question = new.kind == AUTOCOMPLETE;
    let suggestions = is_question.then(|| state.suggestions.expect(id));
    let mut payload = payload(state, &new, &interaction);
    payload["entitlements"] = json!(entitlements);
    // Without the bot as a member, a guild has no shard of its own.
    let guild = new.channel.guild().filter(|guild| guild.has_bot()).map(|guild| guild.id);
    let was_sent = state.hub.interact(&payload, guild);
    if !was_sent && !is_question {
        fail(state, &interaction, "the application did not respond: no bot is connected");
    } else if !is_question {
        watch(state, interaction);
    }
    Ok(Started { id, suggestions: suggestions.filter(|_| was_sent) })
}

/// Reports the interaction as failed if no answer comes in time.
fn watch(state: &Arc<State>, interaction: StoredInteraction) {
    let watched = Arc::clone(state);
    state.tasks.spawn(async move {
        tokio::select! {
            () = watched.shutdown.cancelled() => return,
            () = watched.clock.sleep_until(interaction.created_ms + ANSWER_WITHIN_MS + 1) => {}
        }
        // The connection is held until the event is out: an answer comes wholly before or wholly after.
        let unanswered = match watched.store.connect().await {
            Ok(mut db) => {
                let unanswered = store::interactions::is_unanswered(&mut db, interaction.id).await;
                if let Ok(true) = unanswered {
                    fail(&watched, &interaction, "the application did not respond");
                }
                unanswered.map(drop)
            }
            Err(error) => Err(error),
        };
        if let Err(error) = unanswered {
            tracing::error!(%error, interaction.id = interaction.id, "an interaction cannot be watched");
        }
    });
}

fn fail(state: &State, interaction: &StoredInteraction, reason: &str) {
    let failed = json!({ "interaction": interaction.id.to_string(), "reason": reason });
    state.events.push("interaction_failed", Some(interaction.user_id), failed);
    tracing::debug!(interaction.id = interaction.id, reason, "an interaction failed");
}

fn payload(state: &State, new: &NewInteraction, interaction: &StoredInteraction) -> Value {
    let scene = state.world.now();
    let mut payload = json!({
        "id": interaction.id.to_string(), "application_id": APPLICATION.to_string(), "type": interaction.kind, "data": new.data,
        "channel_id": interaction.channel_id.to_string(), "channel": new.channel.object_for(new.user.id), "token": interaction.token,
        "version": 1, "locale": "en-US", "app_permissions": new.channel.app_permissions().to_string(),
        "attachment_size_limit": new.channel.attachment_size_limit(), "authorizing_integration_owners": new.owners,
    });
    match new.channel.guild() {
        Some(guild) => {
            let mut member = guild.member_object(&scene, new.user.id).unwrap_or_default();
            member["permissions"] = json!(new.channel.permissions_of(new.user.id).to_string());
            payload["guild_id"] = json!(guild.id.to_string());
            payload["guild"] = json!({ "id": guild.id.to_string(), "locale": "en-US", "features": [] });
            payload["guild_locale"] = json!("en-US");
            payload["member"] = member;
            payload["context"] = json!(GUILD_CONTEXT);
        }
        None => {
            payload["user"] = new.user.user();
            payload["context"] = json!(context(&new.channel));
        }
    }
    if let Some(source) = &new.source {
        payload["message"] = show(state, source);
    }
    payload
}

/// Discord's name for the kind of place.
pub(crate) fn context(channel: &Channel) -> u64 {
    match channel {
        Channel::Guild(..) | Channel::Thread(..) => GUILD_CONTEXT,
        Channel::Dm(_) => DM_CONTEXT,
        Channel::Private(..) => PRIVATE_CONTEXT,
    }
}

/// Who authorised a command of these `integration_types` here: the guild (0), the person (1), or both. Empty when nobody did.
pub(crate) fn owners(command: &Value, channel: &Channel, user: Id) -> Value {
    // Absent, a command is for guilds.
    let is_for = |kind: u64| match command["integration_types"].as_array() {
        Some(kinds) => kinds.iter().any(|known| *known == kind),
        None => kind == 0,
    };
    let mut owners = json!({});
    if is_for(0) {
        match channel.guild() {
            Some(guild) if guild.has_bot() => owners["0"] = json!(guild.id.to_string()),
            None if matches!(channel, Channel::Dm(_)) => owners["0"] = json!("0"),
            _ => {}
        }
    }
    if is_for(1) {
        owners["1"] = json!(user.to_string());
    }
    owners
}
