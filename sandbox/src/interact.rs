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
use std::{collections::VecDeque, sync::Arc};
use tokio::sync::{mpsc, oneshot};

/// The time for a first answer.
pub(crate) const ANSWER_WITHIN_MS: i64 = 3000;
/// The life of an interaction's token.
pub(crate) const TOKEN_LIFE_MS: i64 = 15 * 60 * 1000;
/// Rows of dead interactions are kept for a day, so that a late use gets the right error.
const REMEMBER_MS: i64 = 24 * 3600 * 1000;
/// They are looked for this often.
const SWEEP_EVERY_MS: i64 = 60 * 1000;

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
    let id = state.store.next_id(&mut db, now_ms).await?;
    let token = state.store.token(id);
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
    store::interactions::insert(&mut db, &interaction).await?;
    let entitlements = entitlement::of(&mut db, new.user.id, new.channel.guild_id()).await?;
    let is_question = new.kind == AUTOCOMPLETE;
    let suggestions = is_question.then(|| state.suggestions.expect(id));
    let mut payload = payload(state, &new, &interaction);
    payload["entitlements"] = json!(entitlements);
    // Without the bot as a member, a guild has no shard of its own.
    let guild = new.channel.guild().filter(|guild| guild.has_bot()).map(|guild| guild.id);
    let was_sent = state.hub.interact(&payload, guild);
    if !was_sent && !is_question {
        fail(state, &Waiting::of(&interaction), "the application did not respond: no bot is connected");
    } else if !is_question {
        // Whoever listens lives as long as the stand-in.
        let _ = state.waiting.send(Waiting::of(&interaction));
    }
    Ok(Started { id, suggestions: suggestions.filter(|_| was_sent) })
}

/// An interaction that was sent and may still be unanswered.
pub(crate) struct Waiting {
    id: Id,
    user_id: Id,
    deadline_ms: i64,
}

impl Waiting {
    fn of(interaction: &StoredInteraction) -> Self {
        Self { id: interaction.id, user_id: interaction.user_id, deadline_ms: interaction.created_ms + ANSWER_WITHIN_MS + 1 }
    }
}

/// Reports interactions as failed that got no answer in time, and forgets old ones, until the stand-in ends.
pub(crate) async fn watch(state: Arc<State>, waiting: mpsc::UnboundedReceiver<Waiting>) {
    tokio::select! {
        () = state.shutdown.cancelled() => {}
        () = watch_all(&state, waiting) => {}
    }
}

async fn watch_all(state: &State, mut waiting: mpsc::UnboundedReceiver<Waiting>) {
    // All wait equally long, so the first to come is the first to be due.
    let mut line = VecDeque::new();
    let mut sweep_ms = 0;
    while let Some(first) = waiting.recv().await {
        line.push_back(first);
        while let Some(first) = line.front() {
            state.clock.sleep_until(first.deadline_ms).await;
            let now_ms = state.clock.now_ms();
            while let Ok(next) = waiting.try_recv() {
                line.push_back(next);
            }
            let n_due = line.iter().take_while(|waiting| waiting.deadline_ms <= now_ms).count();
            let due: Vec<Waiting> = line.drain(..n_due).collect();
            if let Err(error) = fail_unanswered(state, &due).await {
                tracing::error!(%error, "interactions cannot be watched");
            }
            if now_ms >= sweep_ms {
                sweep_ms = now_ms + SWEEP_EVERY_MS;
                if let Err(error) = sweep(state, now_ms - REMEMBER_MS).await {
                    tracing::error!(%error, "old interactions cannot be forgotten");
                }
            }
        }
    }
}

async fn fail_unanswered(state: &State, due: &[Waiting]) -> Result<(), sqlx::Error> {
    // The connection is held until the events are out: an answer comes wholly before or wholly after.
    let mut db = state.store.connect().await?;
    let ids: Vec<Id> = due.iter().map(|waiting| waiting.id).collect();
    let unanswered = store::interactions::unanswered(&mut db, &ids).await?;
    for waiting in due.iter().filter(|waiting| unanswered.contains(&waiting.id)) {
        fail(state, waiting, "the application did not respond");
    }
    Ok(())
}

/// Forgets interactions and uploads without a message that are older than `before_ms`.
async fn sweep(state: &State, before_ms: i64) -> Result<(), sqlx::Error> {
    let before = store::first_id_at(before_ms);
    let mut db = state.store.connect().await?;
    store::interactions::forget(&mut db, before).await?;
    let stale = store::files::forget_uploads(&mut db, before).await?;
    drop(db);
    state.files.remove(&stale).await;
    Ok(())
}

fn fail(state: &State, Waiting { id, user_id, .. }: &Waiting, reason: &str) {
    let failed = json!({ "interaction": id.to_string(), "reason": reason });
    state.events.push("interaction_failed", Some(*user_id), failed);
    tracing::debug!(interaction.id = id, reason, "an interaction failed");
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
