//! A bot on plain sockets: it answers every interaction that the gateway sends, and lets people use its command.

use crate::wire::Wire;
use anyhow::{Context, bail};
use futures::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    net::TcpStream,
    sync::{Semaphore, mpsc, oneshot},
    task::JoinSet,
};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

/// Connections of people, and as many of the bot.
const N_CONNECTIONS: usize = 4;

/// What the bot does with an interaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// One request: a message with an embed and a button.
    Answer,
    /// Two requests: "thinking", then the same message in its place.
    Defer,
}

#[derive(Deserialize)]
struct Payload {
    op: u8,
    s: Option<u64>,
    t: Option<String>,
    d: Option<Value>,
}

/// An interaction that waits for the bot.
struct Asked {
    id: String,
    token: String,
    begun: Duration,
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A bot that is logged in, and the people that use it.
pub struct Bot {
    host: SocketAddr,
    application: String,
    command: String,
    pub channel: String,
    pub user: String,
    /// Moments are told as the time since this one.
    start: Instant,
    queues: Vec<mpsc::UnboundedReceiver<Asked>>,
    // Ends with the bot.
    _listener: JoinSet<anyhow::Result<()>>,
}

impl Bot {
    /// Logs in and registers one command.
    pub async fn start(host: SocketAddr) -> anyhow::Result<Self> {
        let mut wire = Wire::connect(host).await?;
        let read = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes);
        let me = read(wire.send("GET", "/api/v10/applications/@me", "").await?)?;
        let application = text(&me, "/id")?;
        let option = json!({ "type": 3, "name": "text", "description": "What to say", "required": true });
        let commands = json!([{ "name": "say", "description": "Says something", "type": 1, "options": [option] }]).to_string();
        let commands = read(wire.send("PUT", &format!("/api/v10/applications/{application}/commands"), &commands).await?)?;
        let state = read(wire.send("GET", "/sandbox/api/state", "").await?)?;
        let (socket, _) = connect_async(format!("ws://{host}/?v=10&encoding=json")).await?;
        let (mut outgoing, incoming) = socket.split();
        let properties = json!({ "os": "linux", "browser": "bench", "device": "bench" });
        let identify = json!({ "op": 2, "d": { "token": "sandbox", "intents": 1, "properties": properties } });
        outgoing.send(Message::text(identify.to_string())).await?;
        let (queues, receivers) = (0..N_CONNECTIONS).map(|_| mpsc::unbounded_channel()).unzip();
        let (tell_ready, is_ready) = oneshot::channel();
        let mut listener = JoinSet::new();
        listener.spawn(listen(incoming, outgoing, queues, tell_ready));
        is_ready.await.context("the gateway lets nobody in")?;
        Ok(Self {
            host,
            application,
            command: text(&commands, "/0/id")?,
            channel: text(&state, "/guilds/0/channels/0/id")?,
            user: text(&state, "/users/0/id")?,
            start: Instant::now(),
            queues: receivers,
            _listener: listener,
        })
    }

    /// Lets people use the command `n` times, `n_in_flight` at once, until the bot has answered every time.
    /// Returns how long that took, and how long each use took, the shortest first.
    pub async fn round(&mut self, work: Work, n: usize, n_in_flight: usize) -> anyhow::Result<(Duration, Vec<Duration>)> {
        let places = Arc::new(Semaphore::new(n_in_flight));
        let n_begun = Arc::new(AtomicUsize::new(0));
        let (told, mut latencies_of) = mpsc::unbounded_channel();
        let begun = Instant::now();
        let mut people = JoinSet::new();
        for _ in 0..N_CONNECTIONS {
            let mut wire = Wire::connect(self.host).await?;
            let (places, n_begun) = (Arc::clone(&places), Arc::clone(&n_begun));
            let (user, channel, command, start) = (self.user.clone(), self.channel.clone(), self.command.clone(), self.start);
            people.spawn(async move {
                while n_begun.fetch_add(1, Ordering::Relaxed) < n {
                    places.acquire().await?.forget();
                    let option = json!({ "name": "text", "value": start.elapsed().as_micros().to_string() });
                    let used = json!({ "user": user, "channel": channel, "command": command, "options": [option] });
                    wire.send("POST", "/sandbox/api/commands", &used.to_string()).await?;
                }
                anyhow::Ok(())
            });
        }
        let mut workers = JoinSet::new();
        for mut queue in self.queues.drain(..) {
            let mut wire = Wire::connect(self.host).await?;
            let (places, told, application, start) = (Arc::clone(&places), told.clone(), self.application.clone(), self.start);
            workers.spawn(async move {
                loop {
                    tokio::select! {
                        () = told.closed() => return anyhow::Ok(queue),
                        asked = queue.recv() => {
                            let asked = asked.context("the gateway's connection ended")?;
                            work.answer(&mut wire, &application, &asked).await?;
                            places.add_permits(1);
                            // The receiver goes away when the last answer has come.
                            let _ = told.send(start.elapsed().saturating_sub(asked.begun));
                        }
                    }
                }
            });
        }
        let mut latencies = Vec::with_capacity(n);
        while latencies.len() < n {
            tokio::select! {
                Some(latency) = latencies_of.recv() => latencies.push(latency),
                Some(ended) = people.join_next(), if !people.is_empty() => ended??,
                Some(ended) = workers.join_next() => { ended??; bail!("the bot ended early") }
                () = tokio::time::sleep(Duration::from_secs(10)) => bail!("{} of {n} interactions were never answered", n - latencies.len()),
            }
        }
        let elapsed = begun.elapsed();
        drop(latencies_of);
        while let Some(ended) = workers.join_next().await {
            self.queues.push(ended??);
        }
        latencies.sort_unstable();
        Ok((elapsed, latencies))
    }
}

impl Work {
    async fn answer(self, wire: &mut Wire, application: &str, Asked { id, token, .. }: &Asked) -> anyhow::Result<()> {
        let button = json!({ "type": 2, "style": 1, "label": "Again", "custom_id": "again" });
        let message = json!({
            "content": "**a lighthouse in a storm**", "embeds": [{ "title": "Done", "description": "in 20 steps", "color": 0x5865f2 }],
            "components": [{ "type": 1, "components": [button] }],
        });
        let callback = format!("/api/v10/interactions/{id}/{token}/callback");
        match self {
            Self::Answer => wire.send("POST", &callback, &json!({ "type": 4, "data": message }).to_string()).await?,
            Self::Defer => {
                wire.send("POST", &callback, &json!({ "type": 5 }).to_string()).await?;
                wire.send("PATCH", &format!("/api/v10/webhooks/{application}/{token}/messages/@original"), &message.to_string()).await?
            }
        };
        Ok(())
    }
}

/// Reads the gateway and hands interactions to the workers in turn.
async fn listen(
    mut incoming: SplitStream<Socket>,
    mut outgoing: SplitSink<Socket, Message>,
    queues: Vec<mpsc::UnboundedSender<Asked>>,
    tell_ready: oneshot::Sender<()>,
) -> anyhow::Result<()> {
    let mut tell_ready = Some(tell_ready);
    let (mut seq, mut n_asked) = (None, 0);
    let mut beats = tokio::time::interval(Duration::from_secs(20));
    loop {
        let message = tokio::select! {
            _ = beats.tick() => {
                outgoing.send(Message::text(json!({ "op": 1, "d": seq }).to_string())).await?;
                continue;
            }
            message = incoming.next() => message.context("the gateway's connection ended")??,
        };
        let Message::Text(message) = message else { continue };
        let payload: Payload = serde_json::from_str(&message)?;
        if payload.op != 0 {
            continue;
        }
        seq = payload.s;
        match (payload.t.as_deref(), payload.d) {
            (Some("READY"), _) => _ = tell_ready.take().map(|ready| ready.send(())),
            (Some("INTERACTION_CREATE"), Some(given)) => {
                let begun = Duration::from_micros(text(&given, "/data/options/0/value")?.parse()?);
                let asked = Asked { id: text(&given, "/id")?, token: text(&given, "/token")?, begun };
                queues[n_asked % queues.len()].send(asked)?;
                n_asked += 1;
            }
            _ => {}
        }
    }
}

fn text(value: &Value, at: &str) -> anyhow::Result<String> {
    value.pointer(at).and_then(Value::as_str).map(str::to_owned).with_context(|| format!("{at} is not there"))
}
