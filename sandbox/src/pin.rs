//! When a message was pinned. It is kept in the message's body, where nobody is shown it.

use crate::{clock, store::messages::StoredMessage};
use serde_json::{Value, json};

/// Where a message's body keeps the moment, in microseconds since 1970.
pub(crate) const FIELD: &str = "_pinned_us";

/// The moment of a pin, in microseconds since 1970.
pub(crate) fn pinned_us(message: &StoredMessage) -> i64 {
    // A message that an older version pinned has only its own time.
    message.body[FIELD].as_i64().unwrap_or(message.created_ms * 1000)
}

/// Pins a message or takes its pin away.
pub(crate) fn set(message: &mut StoredMessage, pinned_us: Option<i64>) {
    message.body["pinned"] = json!(pinned_us.is_some());
    message.body[FIELD] = json!(pinned_us);
}

/// The moment as Discord writes it.
pub(crate) fn shown(message: &StoredMessage) -> Value {
    json!(clock::timestamp_us(pinned_us(message)))
}
