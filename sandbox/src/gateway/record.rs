//! What the journal says of a connection: when it opened, what passed, and how it ended.

use super::{
    session::Sent,
    socket::{Connection, End},
};
use crate::journal::{self, Fields};
use serde_json::json;

const HEARTBEATS: [u64; 2] = [1, 11];

/// A payload as it passes.
pub(super) struct Payload<'a> {
    pub(super) op: u64,
    /// Kind and number, where it is an event.
    pub(super) event: Option<(&'static str, u64)>,
    pub(super) size_bytes: usize,
    /// `d`, as JSON without spaces.
    pub(super) data: &'a str,
    /// All of it, where it is to be sent.
    pub(super) text: &'a str,
}

impl<'a> Payload<'a> {
    pub(super) fn of_event(sent: &'a Sent) -> Self {
        Self { op: 0, event: Some((sent.kind, sent.seq)), size_bytes: sent.payload.len(), data: sent.data(), text: &sent.payload }
    }
}

impl Connection {
    fn line(&self) -> Fields {
        let shard = self.shard.map(|(number, n_shards)| [number, n_shards]);
        Fields::default().with("shard", shard)
    }

    /// `direction` is `to_bot` or `from_bot`.
    pub(super) fn record(&self, direction: &str, payload: &Payload<'_>) {
        let (kind, seq) = payload.event.unzip();
        let line = self.line().with("direction", direction).with("op", payload.op).with("t", kind).with("s", seq);
        let line = line.with("size_bytes", payload.size_bytes).with_json("body", &journal::text(payload.data));
        self.state.write_down("gateway", line.of_heartbeat(HEARTBEATS.contains(&payload.op)));
    }

    /// A payload that is no JSON, has no op or is too large.
    pub(super) fn record_garbage(&self, size_bytes: usize) {
        let line = self.line().with("direction", "from_bot").with("op", json!(null)).with("size_bytes", size_bytes);
        self.state.write_down("gateway", line.with("message", "a payload that cannot be decoded"));
    }

    pub(super) fn record_open(&self) {
        let opening = &self.opening;
        let line = self.line().with("event", "open").with("version", &opening.version).with("encoding", &opening.encoding);
        self.state.write_down("gateway", line.with("compress", &opening.compress).with("is_resume_port", opening.is_resume_port));
    }

    /// `by` is who ended it; without a code it broke off.
    pub(super) fn record_end(&self, end: &End) {
        let (by, code, reason) = match end {
            End::Client { code } => ("bot", *code, ""),
            End::Close(code, reason) => ("sandbox", Some(*code), *reason),
            End::Drop => ("sandbox", None, ""),
        };
        self.state.write_down("gateway", self.line().with("event", "close").with("by", by).with("code", code).with("reason", reason));
    }
}
