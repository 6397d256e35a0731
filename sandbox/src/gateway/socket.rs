use super::{Dispatch, INTENT_GUILDS, Outgoing, ResumeError};
use crate::{
    state::State,
    store,
    world::{APPLICATION, bot_user},
};
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until, timeout},
};

const HEARTBEAT: Duration = Duration::from_millis(41_250);
const IDENTIFY_WITHIN: Duration = Duration::from_secs(30);
/// Discord closes a connection whose client sends a larger payload.
const MAX_PAYLOAD_BYTES: usize = 4096;
const OUTGOING_QUEUE: usize = 2048;
/// Every intent that Discord defines.
const KNOWN_INTENTS: u64 = ((1 << 17) - 1) | 1 << 20 | 1 << 21 | 1 << 24 | 1 << 25;

/// How a connection comes to its end.
enum End {
    /// The client went away or said goodbye; with 1000 or 1001 its session is over.
    Client { is_goodbye: bool },
    /// Close with one of the gateway's own codes.
    Close(u16, &'static str),
    /// Break off without a word.
    Drop,
}

/// A client's payload.
struct Payload {
    op: u64,
    data: Value,
}

struct Connection {
    state: Arc<State>,
    socket: WebSocket,
    sender: mpsc::Sender<Outgoing>,
    session: Option<String>,
}

/// Serves one connection until it ends.
pub(crate) async fn serve(state: Arc<State>, socket: WebSocket, version: Option<String>) {
    let (sender, outgoing) = mpsc::channel(OUTGOING_QUEUE);
    let mut connection = Connection { state, socket, sender, session: None };
    let end = if version.is_some_and(|version| version != "10") {
        End::Close(4012, "Invalid API version.")
    } else {
        connection.run(outgoing).await
    };
    connection.finish(end).await;
}

impl Connection {
    async fn run(&mut self, mut outgoing: mpsc::Receiver<Outgoing>) -> End {
        let hello = json!({ "op": 10, "s": null, "t": null, "d": { "heartbeat_interval": HEARTBEAT.as_millis() as u64, "_trace": [] } });
        if let Err(end) = self.send(hello.to_string()).await {
            return end;
        }
        let shutdown = self.state.shutdown.clone();
        let mut deadline = Instant::now() + IDENTIFY_WITHIN;
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return End::Close(1001, "The sandbox is closing."),
                () = sleep_until(deadline) => return End::Close(4009, "Session timed out."),
                next = outgoing.recv() => match next {
                    Some(Outgoing::Payload(payload)) => if let Err(end) = self.send(payload).await { return end },
                    Some(Outgoing::Drop) | None => return End::Drop,
                },
                received = self.socket.recv() => {
                    let answered = match received {
                        None | Some(Err(_)) => return End::Client { is_goodbye: false },
                        Some(Ok(Message::Close(frame))) => {
                            return End::Client { is_goodbye: frame.is_some_and(|frame| matches!(frame.code, 1000 | 1001)) };
                        }
                        Some(Ok(Message::Text(text))) => self.receive(text.as_bytes()).await,
                        Some(Ok(Message::Binary(bytes))) => self.receive(&bytes).await,
                        Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                    };
                    if let Err(end) = answered {
                        return end;
                    }
                    // Somebody who beats or has just identified has time for another two beats.
                    deadline = Instant::now() + if self.session.is_some() { HEARTBEAT * 2 } else { IDENTIFY_WITHIN };
                }
            }
        }
    }

    /// A client that does not read must not hold up the task for ever.
    async fn send(&mut self, payload: String) -> Result<(), End> {
        match timeout(Duration::from_secs(10), self.socket.send(Message::Text(payload.into()))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::Client { is_goodbye: false }),
            Err(_) => Err(End::Drop),
        }
    }

    async fn receive(&mut self, bytes: &[u8]) -> Result<(), End> {
        let payload = parse(bytes)?;
        tracing::debug!(gateway.op = payload.op, "received from the bot");
        match (payload.op, &self.session) {
            (1, _) => self.send(json!({ "op": 11, "s": null, "t": null, "d": null }).to_string()).await,
            (2, None) => self.identify(&payload.data).await,
            (6, None) => self.resume(&payload.data).await,
            (2 | 6, Some(_)) => Err(End::Close(4005, "Already authenticated.")),
            (3 | 4 | 8 | 31, Some(_)) => Ok(()),
            (3 | 4 | 8 | 31, None) => Err(End::Close(4003, "Not authenticated.")),
            _ => Err(End::Close(4001, "Unknown opcode.")),
        }
    }

    async fn identify(&mut self, data: &Value) -> Result<(), End> {
        self.check_token(data)?;
        let intents = data["intents"].as_u64().unwrap_or(u64::MAX);
        if intents & !KNOWN_INTENTS != 0 {
            return Err(End::Close(4013, "Invalid intent(s)."));
        }
        let shard = match data["shard"].as_array().map(Vec::as_slice) {
            None => (0, 1),
            Some([number, n_shards]) => (number.as_u64().unwrap_or(u64::MAX), n_shards.as_u64().unwrap_or(0)),
            Some(_) => (0, 0),
        };
        if shard.0 >= shard.1 {
            return Err(End::Close(4010, "Invalid shard."));
        }
        let session = new_session_id(&self.state).await.map_err(|error| {
            tracing::error!(%error, "the sandbox's database failed");
            End::Close(4000, "Unknown error.")
        })?;
        let first = first_events(&self.state, &session, shard);
        if !self.state.hub.open(&session, intents, shard, self.sender.clone(), &first) {
            return Err(End::Close(4008, "Too many sessions."));
        }
        tracing::info!(shard.id = shard.0, "a bot connected");
        self.session = Some(session);
        self.state.announce_bot();
        Ok(())
    }

    async fn resume(&mut self, data: &Value) -> Result<(), End> {
        self.check_token(data)?;
        let id = data["session_id"].as_str().unwrap_or_default();
        match self.state.hub.resume(id, data["seq"].as_u64().unwrap_or(0), self.sender.clone()) {
            Ok(()) => {
                tracing::info!("a bot resumed its session");
                self.session = Some(id.to_owned());
                self.state.announce_bot();
                Ok(())
            }
            Err(ResumeError::SeqAhead) => Err(End::Close(4007, "Invalid seq.")),
            Err(ResumeError::Invalid) => self.send(json!({ "op": 9, "s": null, "t": null, "d": false }).to_string()).await,
        }
    }

    fn check_token(&self, data: &Value) -> Result<(), End> {
        let token = data["token"].as_str().unwrap_or_default();
        if token.strip_prefix("Bot ").unwrap_or(token) == self.state.token {
            Ok(())
        } else {
            tracing::warn!("a bot with a wrong token was turned away");
            Err(End::Close(4004, "Authentication failed."))
        }
    }

    async fn finish(mut self, end: End) {
        let is_goodbye = matches!(end, End::Client { is_goodbye: true });
        if let End::Close(code, reason) = end {
            let frame = CloseFrame { code, reason: reason.into() };
            // The client may be gone already.
            let _ = timeout(Duration::from_secs(1), self.socket.send(Message::Close(Some(frame)))).await;
        }
        if let Some(session) = self.session.take() {
            self.state.hub.leave(&session, &self.sender, is_goodbye);
            self.state.announce_bot();
        }
    }
}

async fn new_session_id(state: &State) -> Result<String, sqlx::Error> {
    let mut db = state.store.connect().await?;
    store::random_hex(&mut db, 16).await
}

fn parse(bytes: &[u8]) -> Result<Payload, End> {
    const BAD: End = End::Close(4002, "Error while decoding payload.");
    if bytes.len() > MAX_PAYLOAD_BYTES {
        return Err(BAD);
    }
    let mut value: Value = serde_json::from_slice(bytes).map_err(|_| BAD)?;
    let op = value["op"].as_u64().ok_or(BAD)?;
    Ok(Payload { op, data: value.get_mut("d").map(Value::take).unwrap_or_default() })
}

fn first_events(state: &State, session: &str, shard: (u64, u64)) -> Vec<Dispatch> {
    let scene = state.world.now();
    let unavailable: Vec<Value> = scene.bot_guilds().map(|guild| json!({ "id": guild.id.to_string(), "unavailable": true })).collect();
    let mut user = bot_user();
    user["verified"] = json!(true);
    user["mfa_enabled"] = json!(false);
    user["email"] = json!(null);
    let ready = json!({
        "v": 10, "user": user, "guilds": unavailable, "session_id": session, "session_type": "normal", "resume_gateway_url": state.gateway_url(),
        "shard": [shard.0, shard.1], "application": { "id": APPLICATION.to_string(), "flags": 0 }, "private_channels": [],
        "presences": [], "relationships": [], "user_settings": {}, "geo_ordered_rtc_regions": [], "_trace": [],
    });
    let mut events = vec![Dispatch { kind: "READY", data: ready, intent: 0, guild: None, is_private: false }];
    events.extend(scene.bot_guilds().map(|guild| Dispatch {
        kind: "GUILD_CREATE",
        data: guild.create_event(&scene),
        intent: INTENT_GUILDS,
        guild: Some(guild.id),
        is_private: false,
    }));
    events
}
