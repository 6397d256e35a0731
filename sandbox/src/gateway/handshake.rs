//! IDENTIFY and RESUME.

use super::{
    Dispatch,
    compress::Encoder,
    hub::{OpenError, ResumeError},
    intents::{KNOWN, PRIVILEGED},
    members,
    session::{Wishes, event, handles},
    socket::{Connection, End},
};
use crate::{state::State, store, world::APPLICATION};
use serde_json::{Value, json};

impl Connection {
    pub(super) async fn identify(&mut self, data: &Value) -> Result<(), End> {
        if !self.has_token(data)? {
            tracing::warn!("a bot with a wrong token was turned away");
            return Err(End::Close(4004, "Authentication failed."));
        }
        let wishes = self.wishes(data)?;
        let (shard, wants_compression) = (wishes.shard, wishes.wants_compression);
        let session = new_session_id(&self.state).await.map_err(|error| {
            tracing::error!(%error, "the sandbox's database failed");
            End::Close(4000, "Unknown error.")
        })?;
        let first = first_events(&self.state, &session, shard);
        match self.state.hub.open(&session, wishes, self.link.clone(), &first) {
            Ok(()) => {
                tracing::info!(shard.id = shard.0, "a bot connected");
                self.compress(wants_compression);
                self.enter(session);
                Ok(())
            }
            Err(OpenError::TooSoon) => {
                tracing::warn!(shard.id = shard.0, "a bot identified sooner than max_concurrency allows");
                self.invalidate(false).await
            }
            Err(OpenError::Exhausted) => {
                tracing::error!("a bot identified more often than a day allows; its token is revoked");
                self.state.hub.revoke_token();
                Err(End::Close(4004, "Authentication failed."))
            }
            Err(OpenError::Full) => Err(End::Close(4000, "The sandbox has too many connections.")),
        }
    }

    pub(super) async fn resume(&mut self, data: &Value) -> Result<(), End> {
        if !self.has_token(data)? {
            tracing::warn!("a bot resumed with a wrong token");
            return self.invalidate(false).await;
        }
        if self.state.resume_url.is_some() && !self.opening.is_resume_port {
            self.state.note("a bot resumes at the first address instead of resume_gateway_url");
        }
        let id = data["session_id"].as_str().unwrap_or_default();
        match self.state.hub.resume(id, data["seq"].as_u64().unwrap_or(0), self.link.clone()) {
            Ok(wants_compression) => {
                tracing::info!("a bot resumed its session");
                self.compress(wants_compression);
                self.enter(id.to_owned());
                Ok(())
            }
            Err(ResumeError::SeqAhead) => Err(End::Close(4007, "Invalid seq.")),
            Err(ResumeError::Invalid) => self.invalidate(false).await,
        }
    }

    fn has_token(&self, data: &Value) -> Result<bool, End> {
        let token = data["token"].as_str().ok_or(End::Close(4002, "Error while decoding payload."))?;
        Ok(token.strip_prefix("Bot ").unwrap_or(token) == self.state.token && !self.state.hub.is_revoked())
    }

    fn wishes(&self, data: &Value) -> Result<Wishes, End> {
        let config = &self.state.hub.config;
        let intents = data["intents"].as_u64().unwrap_or(u64::MAX);
        if intents & !KNOWN != 0 {
            return Err(End::Close(4013, "Invalid intent(s)."));
        }
        if intents & PRIVILEGED & !config.privileged_intents != 0 {
            return Err(End::Close(4014, "Disallowed intent(s)."));
        }
        let shard = match data["shard"].as_array().map(Vec::as_slice) {
            None => (0, 1),
            Some([number, n_shards]) => (number.as_u64().unwrap_or(u64::MAX), n_shards.as_u64().unwrap_or(0)),
            Some(_) => (0, 0),
        };
        if shard.0 >= shard.1 {
            return Err(End::Close(4010, "Invalid shard."));
        }
        if shard.1 < config.min_shards {
            return Err(End::Close(4011, "Sharding required."));
        }
        let wants_compression = data["compress"] == true && config.allows_compression;
        Ok(Wishes { intents, shard, wants_compression, presence: data["presence"].clone() })
    }

    /// Transport compression, once chosen, excludes the compression of payloads.
    fn compress(&mut self, wants_compression: bool) {
        if wants_compression && matches!(self.encoder, Encoder::Plain) {
            self.encoder = Encoder::Payload;
        }
    }
}

async fn new_session_id(state: &State) -> Result<String, sqlx::Error> {
    let mut db = state.store.connect().await?;
    store::random_hex(&mut db, 16).await
}

/// READY, and GUILD_CREATE for each guild of the shard.
fn first_events(state: &State, session: &str, shard: (u64, u64)) -> Vec<Dispatch> {
    let scene = state.world.now();
    let guilds: Vec<_> = scene.bot_guilds().filter(|guild| handles(shard, Some(guild.id))).collect();
    let unavailable: Vec<Value> = guilds.iter().map(|guild| json!({ "id": guild.id.to_string(), "unavailable": true })).collect();
    let mut user = scene.bot.user();
    user["verified"] = json!(true);
    user["mfa_enabled"] = json!(false);
    user["email"] = json!(null);
    let ready = json!({
        "v": 10, "user": user, "guilds": unavailable, "session_id": session, "session_type": "normal",
        "resume_gateway_url": state.resume_url.clone().unwrap_or_else(|| state.gateway_url()),
        "shard": [shard.0, shard.1], "application": { "id": APPLICATION.to_string(), "flags": state.hub.config.application_flags() }, "private_channels": [],
        "presences": [], "relationships": [], "user_settings": {}, "geo_ordered_rtc_regions": [], "_trace": [],
    });
    let creations = guilds.into_iter().map(|guild| members::guild_created(&scene, guild));
    std::iter::once(event("READY", ready)).chain(creations).collect()
}
