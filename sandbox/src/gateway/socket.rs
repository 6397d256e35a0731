use super::{
    compress::Encoder,
    limits::Sends,
    members,
    record::Payload,
    session::{Link, Outgoing},
};
use crate::state::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use serde_json::{Value, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{sync::mpsc, time::timeout};
use tokio_util::sync::CancellationToken;

const IDENTIFY_WITHIN_MS: i64 = 30_000;
/// A client that was asked to reconnect may stay this long.
const RECONNECT_WITHIN_MS: i64 = 5000;
/// Discord closes a connection whose client sends a larger payload.
const MAX_PAYLOAD_BYTES: usize = 4096;
/// A whole replay fits.
const OUTGOING_QUEUE: usize = 2048;
/// A client that takes nothing for this long is gone. Not by the injectable clock: it is about the machine's own buffers.
const SEND_WITHIN: Duration = Duration::from_secs(10);

/// How a connection comes to its end.
pub(super) enum End {
    /// The client went away or said goodbye; with 1000 or 1001 its session is over.
    Client { code: Option<u16> },
    /// Close with one of the gateway's own codes.
    Close(u16, &'static str),
    /// Break off without a word.
    Drop,
}

/// What a client asked for by the address that it opened.
pub(crate) struct Opening {
    pub(crate) version: Option<String>,
    pub(crate) encoding: Option<String>,
    pub(crate) compress: Option<String>,
    /// Whether it came to the address of `resume_gateway_url`.
    pub(crate) is_resume_port: bool,
    /// Set to end the connection by a reset instead of an orderly end.
    pub(crate) reset: Arc<AtomicBool>,
}

pub(super) struct Connection {
    pub(super) state: Arc<State>,
    socket: WebSocket,
    pub(super) encoder: Encoder,
    pub(super) link: Link,
    pub(super) opening: Opening,
    pub(super) session: Option<String>,
    /// The shard of the session that it has or had, and the number of shards.
    pub(super) shard: Option<(u64, u64)>,
    sends: Sends,
    pings: Sends,
    /// Set when the gateway fell silent: this connection gets nothing any more.
    silence: Option<CancellationToken>,
    beats: Beats,
}

/// The times of a connection, in milliseconds of the clock.
struct Beats {
    /// The last heartbeat, or the start.
    beat_ms: i64,
    /// The heartbeat that was asked for because none came.
    asked_ms: Option<i64>,
    /// The last payload of a client without a session.
    heard_ms: i64,
    /// Set after op 7.
    leave_ms: Option<i64>,
}

/// Serves one connection until it ends.
pub(crate) async fn serve(state: Arc<State>, socket: WebSocket, opening: Opening) {
    let (queue, outgoing) = mpsc::channel(OUTGOING_QUEUE);
    let link = Link { queue, cut: state.hub.cut() };
    let now_ms = state.clock.now_ms();
    let mut connection = Connection {
        encoder: Encoder::of_transport(opening.compress.as_deref()),
        beats: Beats { beat_ms: now_ms, asked_ms: None, heard_ms: now_ms, leave_ms: None },
        state,
        socket,
        link,
        opening,
        session: None,
        shard: None,
        sends: Sends::default(),
        pings: Sends::default(),
        silence: None,
    };
    let shared = Arc::clone(&connection.state);
    let place = shared.hub.places.try_acquire();
    connection.record_open();
    let end = match &place {
        Ok(_) => connection.run(outgoing).await,
        Err(_) => End::Close(1013, "The sandbox has too many connections."),
    };
    connection.finish(end).await;
}

impl Connection {
    async fn run(&mut self, mut outgoing: mpsc::Receiver<Outgoing>) -> End {
        if let Err(end) = self.greet().await {
            return end;
        }
        let state = Arc::clone(&self.state);
        let cut = self.link.cut.clone();
        loop {
            let silence = self.silence.clone();
            let step = tokio::select! {
                () = state.shutdown.cancelled() => return End::Close(1001, "The sandbox is closing."),
                () = cut.cancelled() => return End::Drop,
                () = ended(silence.as_ref()) => return End::Drop,
                () = state.clock.sleep_until(self.next_deadline_ms()) => self.on_deadline().await,
                next = outgoing.recv() => match next {
                    Some(next) => self.pass_on(next).await,
                    None => return End::Drop,
                },
                received = self.socket.recv() => match received {
                    None => return End::Client { code: None },
                    // A frame that is too large or no WebSocket at all; if the client is gone, nobody reads the code.
                    Some(Err(_)) => Err(End::Close(4002, "Error while decoding payload.")),
                    Some(Ok(Message::Close(frame))) => {
                        return End::Client { code: Some(frame.map_or(1005, |frame| frame.code)) };
                    }
                    Some(Ok(Message::Text(text))) => self.receive(text.as_bytes()).await,
                    Some(Ok(Message::Binary(bytes))) => self.receive(&bytes).await,
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => self.count_ping(),
                },
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    /// HELLO, for a client that speaks what the stand-in speaks.
    async fn greet(&mut self) -> Result<(), End> {
        if self.is_silent() {
            return Ok(());
        }
        if self.opening.version.as_deref().is_some_and(|version| version != "10") {
            return Err(End::Close(4012, "Invalid API version."));
        }
        if self.opening.encoding.as_deref().is_some_and(|encoding| encoding != "json") {
            tracing::warn!(gateway.encoding = self.opening.encoding, "the sandbox's gateway speaks JSON only");
            return Err(End::Close(4012, "The sandbox speaks encoding=json only."));
        }
        let interval_ms = self.state.hub.config.heartbeat_interval.as_millis() as u64;
        self.control(10, json!({ "heartbeat_interval": interval_ms, "_trace": [] })).await
    }

    /// Pings are answered, but not without end.
    fn count_ping(&mut self) -> Result<(), End> {
        if self.pings.take(self.state.clock.now_ms()) { Ok(()) } else { Err(End::Close(4008, "Rate limited.")) }
    }

    /// While the gateway is half open, a connection hears nothing; one that met this never hears anything again.
    fn is_silent(&mut self) -> bool {
        if self.silence.is_none() {
            self.silence = self.state.hub.silence();
        }
        self.silence.is_some()
    }

    fn interval_ms(&self) -> i64 {
        self.state.hub.config.heartbeat_interval.as_millis() as i64
    }

    fn next_deadline_ms(&self) -> i64 {
        let next = match (&self.silence, &self.session, self.beats.asked_ms) {
            (Some(_), ..) => i64::MAX,
            (None, None, _) => self.beats.heard_ms + IDENTIFY_WITHIN_MS,
            (None, Some(_), None) => self.beats.beat_ms + self.interval_ms() * 3 / 2,
            (None, Some(_), Some(asked_ms)) => asked_ms + self.interval_ms() / 2,
        };
        next.min(self.beats.leave_ms.filter(|_| self.silence.is_none()).unwrap_or(i64::MAX))
    }

    async fn on_deadline(&mut self) -> Result<(), End> {
        if self.is_silent() {
            return Ok(());
        }
        let now_ms = self.state.clock.now_ms();
        if self.beats.leave_ms.is_some_and(|leave_ms| now_ms >= leave_ms) {
            return Err(End::Close(4000, "Reconnect was asked for."));
        }
        if self.session.is_none() || self.beats.asked_ms.is_some() {
            return Err(End::Close(4009, "Session timed out."));
        }
        // Asked first: a test may move the clock by more than an interval, and a client that lives answers at once.
        self.beats.asked_ms = Some(now_ms);
        self.control(1, Value::Null).await
    }

    /// Does what the hub says.
    async fn pass_on(&mut self, outgoing: Outgoing) -> Result<(), End> {
        if self.is_silent() {
            return Ok(());
        }
        match outgoing {
            Outgoing::Event(sent) => self.send(Payload::of_event(&sent)).await,
            Outgoing::AskHeartbeat => self.control(1, Value::Null).await,
            Outgoing::Reconnect => {
                self.beats.leave_ms = Some(self.state.clock.now_ms() + RECONNECT_WITHIN_MS);
                self.control(7, Value::Null).await
            }
            Outgoing::Invalidate { is_resumable } => {
                self.leave(!is_resumable);
                self.invalidate(is_resumable).await
            }
            Outgoing::Close(code) => Err(End::Close(code, reason(code))),
        }
    }

    /// Op 9.
    pub(super) async fn invalidate(&mut self, is_resumable: bool) -> Result<(), End> {
        self.control(9, json!(is_resumable)).await
    }

    /// Sends a payload that is no event.
    async fn control(&mut self, op: u64, data: Value) -> Result<(), End> {
        let text = json!({ "op": op, "s": null, "t": null, "d": data }).to_string();
        self.send(Payload { op, event: None, size_bytes: text.len(), data: &data.to_string(), text: &text }).await
    }

    /// A client that does not read must not hold up the task for ever.
    async fn send(&mut self, payload: Payload<'_>) -> Result<(), End> {
        self.record("to_bot", &payload);
        let message = self.encoder.encode(payload.text, payload.event.is_some()).map_err(|error| {
            tracing::error!(%error, "a payload cannot be compressed");
            End::Close(4000, "Unknown error.")
        })?;
        let (cut, shutdown) = (self.link.cut.clone(), self.state.shutdown.clone());
        tokio::select! {
            biased;
            sent = timeout(SEND_WITHIN, self.socket.send(message)) => match sent {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_)) => Err(End::Client { code: None }),
                Err(_) => Err(End::Drop),
            },
            () = cut.cancelled() => Err(End::Drop),
            () = shutdown.cancelled() => Err(End::Drop),
        }
    }

    async fn receive(&mut self, bytes: &[u8]) -> Result<(), End> {
        if self.is_silent() {
            return Ok(());
        }
        let now_ms = self.state.clock.now_ms();
        self.beats.heard_ms = now_ms;
        let Some((op, data)) = parse(bytes) else {
            self.record_garbage(bytes.len());
            return Err(End::Close(4002, "Error while decoding payload."));
        };
        let text = data.to_string();
        self.record("from_bot", &Payload { op, event: None, size_bytes: bytes.len(), data: &text, text: "" });
        if !self.sends.take(now_ms) {
            return Err(End::Close(4008, "Rate limited."));
        }
        match (op, self.session.clone()) {
            (1, _) => self.beat(&data).await,
            (2, None) => self.identify(&data).await,
            (6, None) => self.resume(&data).await,
            (2 | 6, Some(_)) => Err(End::Close(4005, "Already authenticated.")),
            (3, Some(session)) => self.show_presence(&session, data),
            (8, Some(session)) => members::answer(&self.state, &session, &data),
            // Voice and soundboards: there is nobody to hear them.
            (4 | 31, Some(_)) => Ok(()),
            (3 | 4 | 8 | 31, None) => Err(End::Close(4003, "Not authenticated.")),
            _ => Err(End::Close(4001, "Unknown opcode.")),
        }
    }

    async fn beat(&mut self, seq: &Value) -> Result<(), End> {
        if !(seq.is_null() || seq.is_u64()) {
            return Err(End::Close(4002, "Error while decoding payload."));
        }
        self.beats.beat_ms = self.state.clock.now_ms();
        self.beats.asked_ms = None;
        if self.state.hub.acknowledges() { self.control(11, Value::Null).await } else { Ok(()) }
    }

    fn show_presence(&self, session: &str, presence: Value) -> Result<(), End> {
        if !presence.is_object() {
            return Err(End::Close(4002, "Error while decoding payload."));
        }
        self.state.hub.set_presence(session, presence);
        self.state.announce_bot();
        Ok(())
    }

    /// The session and its times begin.
    pub(super) fn enter(&mut self, session: String) {
        self.shard = self.state.hub.shard(&session);
        self.session = Some(session);
        self.beats.beat_ms = self.state.clock.now_ms();
        self.beats.asked_ms = None;
        self.state.announce_bot();
    }

    fn leave(&mut self, is_ended: bool) {
        if let Some(session) = self.session.take() {
            self.state.hub.leave(&session, &self.link, is_ended);
            self.state.announce_bot();
        }
    }

    async fn finish(mut self, end: End) {
        self.record_end(&end);
        // Before the last word: whoever reads it may come back at once.
        let is_goodbye = matches!(end, End::Client { code: Some(1000 | 1001) });
        self.leave(is_goodbye || matches!(end, End::Close(4004 | 4007 | 4010..=4014, _)));
        match end {
            End::Client { .. } => {}
            End::Drop => self.opening.reset.store(true, Ordering::Relaxed),
            End::Close(code, reason) => {
                let frame = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
                let goodbye = async {
                    if self.socket.send(frame).await.is_err() {
                        return;
                    }
                    // The end of the connection would overtake the code while the client is still sending.
                    while let Some(received) = self.socket.recv().await {
                        if received.is_err() {
                            std::future::pending::<()>().await;
                        }
                    }
                };
                let _ = timeout(Duration::from_secs(1), goodbye).await;
            }
        }
    }
}

async fn ended(silence: Option<&CancellationToken>) {
    match silence {
        Some(silence) => silence.cancelled().await,
        None => std::future::pending().await,
    }
}

/// The op and the data of a client's payload.
fn parse(bytes: &[u8]) -> Option<(u64, Value)> {
    if bytes.len() > MAX_PAYLOAD_BYTES {
        return None;
    }
    let mut value: Value = serde_json::from_slice(bytes).ok()?;
    let op = value["op"].as_u64()?;
    Some((op, value.get_mut("d").map(Value::take).unwrap_or_default()))
}

/// Source: discord-api-docs, topics/opcodes-and-status-codes, "Gateway Close Event Codes".
fn reason(code: u16) -> &'static str {
    match code {
        4000 => "Unknown error.",
        4001 => "Unknown opcode.",
        4002 => "Error while decoding payload.",
        4003 => "Not authenticated.",
        4004 => "Authentication failed.",
        4005 => "Already authenticated.",
        4007 => "Invalid seq.",
        4008 => "Rate limited.",
        4009 => "Session timed out.",
        4010 => "Invalid shard.",
        4011 => "Sharding required.",
        4012 => "Invalid API version.",
        4013 => "Invalid intent(s).",
        4014 => "Disallowed intent(s).",
        _ => "",
    }
}
