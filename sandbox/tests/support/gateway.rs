use super::{GENERAL, SOON, TOKEN, text};
use flate2::{Decompress, FlushDecompress, read::ZlibDecoder};
use futures::{SinkExt, StreamExt};
use sandbox::Sandbox;
use serde::{Deserialize, de::DeserializeSeed};
use serde_json::{Value, json};
use std::io::Read;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Bytes, Message, protocol::CloseFrame},
};
use twilight_model::{
    application::monetization::Entitlement,
    gateway::{
        OpCode,
        event::{GatewayEvent, GatewayEventDeserializer},
    },
    id::{Id, marker::GuildMarker},
};

/// Every intent that Discord defines.
pub const ALL_INTENTS: u64 = 0x331_ffff;

/// The gateway side of the bot.
pub struct Gateway {
    pub socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    pub seq: u64,
    pub session: String,
    pub resume_url: String,
    /// Whether the last payload was compressed.
    pub was_binary: bool,
    /// Whether heartbeats that the gateway asks for are sent, and their answers passed over.
    pub answers_heartbeats: bool,
    n_owed_acks: u32,
    stream: Option<Decompress>,
}

/// The address of the gateway.
pub fn gateway_url(sandbox: &Sandbox) -> String {
    sandbox.url().replacen("http", "ws", 1)
}

impl Gateway {
    /// Connects and reads nothing.
    pub async fn connect(url: &str) -> Self {
        let (socket, _) = connect_async(url).await.expect("the gateway accepts");
        let stream = url.contains("zlib-stream").then(|| Decompress::new(true));
        Self {
            socket,
            seq: 0,
            session: String::new(),
            resume_url: String::new(),
            was_binary: false,
            answers_heartbeats: true,
            n_owed_acks: 0,
            stream,
        }
    }

    /// Connects to an address and reads HELLO.
    pub async fn open_at(url: &str) -> Self {
        let mut gateway = Self::connect(url).await;
        let hello = gateway.next().await;
        assert_eq!(hello["op"], 10);
        assert!(hello["d"]["heartbeat_interval"].as_u64().is_some_and(|interval_ms| interval_ms > 1000));
        gateway
    }

    /// Connects and reads HELLO.
    pub async fn open(sandbox: &Sandbox) -> Self {
        Self::open_at(&format!("{}/?v=10", gateway_url(sandbox))).await
    }

    /// Connects, identifies and reads READY and the guilds.
    pub async fn ready(sandbox: &Sandbox) -> Self {
        let mut gateway = Self::open(sandbox).await;
        gateway.identify(1 | 1 << 9 | 1 << 12).await;
        gateway.event("GUILD_CREATE").await;
        gateway.event("GUILD_CREATE").await;
        gateway
    }

    pub async fn identify(&mut self, intents: u64) -> Value {
        self.identify_with(json!({ "intents": intents, "compress": true })).await
    }

    /// Identifies and reads READY.
    pub async fn identify_with(&mut self, extra: Value) -> Value {
        self.send(identify(extra)).await;
        let ready = self.event("READY").await;
        self.session = text(&ready, "session_id").to_owned();
        self.resume_url = text(&ready, "resume_gateway_url").to_owned();
        ready
    }

    /// Connects anew and asks to go on where this connection was.
    pub async fn resume(&self) -> Self {
        let mut next = Self::open_at(&format!("{}/?v=10", self.resume_url)).await;
        next.send(json!({ "op": 6, "d": { "token": TOKEN, "session_id": self.session, "seq": self.seq } })).await;
        (next.session, next.resume_url, next.seq) = (self.session.clone(), self.resume_url.clone(), self.seq);
        next
    }

    pub async fn send(&mut self, payload: Value) {
        self.socket.send(Message::text(payload.to_string())).await.expect("the gateway listens");
    }

    pub async fn send_bytes(&mut self, bytes: &[u8]) {
        self.socket.send(Message::Binary(Bytes::copy_from_slice(bytes))).await.expect("the gateway listens");
    }

    /// Sends a heartbeat and reads its acknowledgement: whatever else was sent came before.
    pub async fn beat(&mut self) {
        self.send(json!({ "op": 1, "d": self.seq })).await;
        let ack = self.next().await;
        assert_eq!(ack["op"], 11, "nothing comes before the answer to the heartbeat: {ack}");
    }

    /// Says goodbye with this code and waits for the end.
    pub async fn close(mut self, code: u16) {
        let frame = CloseFrame { code: code.into(), reason: "".into() };
        self.socket.close(Some(frame)).await.expect("the close frame is sent");
        while self.socket.next().await.is_some_and(|next| next.is_ok()) {}
    }

    /// The next payload.
    pub async fn next(&mut self) -> Value {
        loop {
            let message = self.read().await;
            self.was_binary = message.is_binary();
            let json = match message {
                Message::Text(text) => text.as_str().to_owned(),
                Message::Binary(bytes) => self.inflate(&bytes),
                other => panic!("a payload was expected, not {other:?}"),
            };
            let payload: Value = serde_json::from_str(&json).expect("the gateway sends JSON");
            understood(&payload);
            self.seq = payload["s"].as_u64().unwrap_or(self.seq);
            if payload["op"] == 1 && self.answers_heartbeats {
                self.n_owed_acks += 1;
                self.send(json!({ "op": 1, "d": self.seq })).await;
            } else if payload["op"] == 11 && self.n_owed_acks > 0 {
                self.n_owed_acks -= 1;
            } else {
                return payload;
            }
        }
    }

    fn inflate(&mut self, bytes: &[u8]) -> String {
        let mut json = String::new();
        match &mut self.stream {
            Some(stream) => {
                assert!(bytes.ends_with(&[0, 0, 0xff, 0xff]), "each payload ends with the flush mark");
                let mut inflated = Vec::with_capacity(1 << 20);
                stream.decompress_vec(bytes, &mut inflated, FlushDecompress::Sync).expect("the stream goes on");
                json.push_str(std::str::from_utf8(&inflated).expect("payloads are UTF-8"));
            }
            None => {
                ZlibDecoder::new(bytes).read_to_string(&mut json).expect("each payload is a zlib stream");
            }
        }
        json
    }

    pub async fn read(&mut self) -> Message {
        let next = tokio::time::timeout(SOON, self.socket.next()).await.expect("the gateway sends something");
        next.expect("the gateway is open").expect("the gateway speaks WebSocket")
    }

    /// The code with which the gateway closes.
    pub async fn close_code(&mut self) -> u16 {
        loop {
            if let Message::Close(frame) = self.read().await {
                return frame.expect("the gateway gives a code").code.into();
            }
        }
    }

    /// Waits for the end of the connection, which must come without a close frame.
    pub async fn broken_off(&mut self) {
        let next = async {
            while let Some(Ok(message)) = self.socket.next().await {
                assert!(!message.is_close(), "no goodbye, but {message:?}");
            }
        };
        tokio::time::timeout(SOON, next).await.expect("the connection ends");
    }

    /// The next event, which must be of this kind.
    pub async fn event(&mut self, kind: &str) -> Value {
        let mut payload = self.next().await;
        assert_eq!(payload["t"], kind, "{payload}");
        payload["d"].take()
    }

    /// The next new message in #general, by its text.
    pub async fn heard(&mut self) -> String {
        let message = self.event("MESSAGE_CREATE").await;
        assert_eq!(message["channel_id"], GENERAL);
        text(&message, "content").to_owned()
    }

    /// The next interaction, with other events passed over.
    pub async fn interaction(&mut self) -> Value {
        loop {
            let mut payload = self.next().await;
            if payload["t"] == "INTERACTION_CREATE" {
                return payload["d"].take();
            }
        }
    }
}

/// An IDENTIFY with these fields instead of the usual ones.
pub fn identify(extra: Value) -> Value {
    let mut data = json!({ "token": TOKEN, "intents": 0, "properties": { "os": "linux", "browser": "raw", "device": "raw" } });
    data.as_object_mut().expect("an object").extend(extra.as_object().expect("an object").clone());
    json!({ "op": 2, "d": data })
}

/// What a second library reads in a payload.
pub enum Understood {
    Event(Box<GatewayEvent>),
    Entitlement(Entitlement),
    RateLimited(RateLimited),
}

/// Request Guild Members was refused. Twilight 0.18 wants a variant's name in `meta` that neither the documentation nor other
/// libraries have.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimited {
    pub opcode: OpCode,
    pub retry_after: f64,
    pub meta: RateLimitMeta,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimitMeta {
    pub guild_id: Id<GuildMarker>,
    pub nonce: Option<String>,
}

/// Reads a payload with twilight's types, or panics.
pub fn understood(payload: &Value) -> Understood {
    let op = payload["op"].as_u64().and_then(|op| op.try_into().ok()).expect("a payload has an opcode");
    let text = payload.to_string();
    let seed = GatewayEventDeserializer::new(op, payload["t"].as_str());
    let read = match payload["t"].as_str() {
        // Twilight 0.18 has types for these events, but reads no such event.
        Some("ENTITLEMENT_UPDATE" | "ENTITLEMENT_DELETE") => Entitlement::deserialize(&payload["d"]).map(Understood::Entitlement),
        Some("RATE_LIMITED") => RateLimited::deserialize(&payload["d"]).map(Understood::RateLimited),
        _ => seed.deserialize(&mut serde_json::Deserializer::from_str(&text)).map(|event| Understood::Event(Box::new(event))),
    };
    read.unwrap_or_else(|error| panic!("twilight does not understand this: {error}\n{payload:#}"))
}
