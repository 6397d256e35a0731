use super::{APPLICATION, Id};
use crate::clock::timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Active threads that a guild may have. Source: discord-api-docs, JSON error code 160006.
pub(crate) const N_THREADS: usize = 1000;
const PRIVATE: u8 = 12;

/// A thread below a channel.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Thread {
    pub(crate) id: Id,
    pub(crate) guild: Id,
    pub(crate) parent: Id,
    /// Discord's channel type: 11 public, 12 private.
    pub(crate) kind: u8,
    pub(crate) name: String,
    pub(crate) owner: Id,
    pub(crate) is_archived: bool,
    pub(crate) is_locked: bool,
    pub(crate) auto_archive_minutes: u64,
    pub(crate) rate_limit_s: u64,
    pub(crate) created_ms: i64,
    pub(crate) archived_ms: i64,
    /// When somebody last wrote here.
    #[serde(default)]
    pub(crate) active_ms: i64,
    /// Who is in it, and since when.
    pub(crate) members: Vec<(Id, i64)>,
    pub(crate) n_messages: u64,
}

impl Thread {
    pub(crate) fn is_private(&self) -> bool {
        self.kind == PRIVATE
    }

    /// When it will be archived if nobody writes; nothing for one that is.
    pub(crate) fn archival_ms(&self) -> Option<i64> {
        let since_ms = self.archived_ms.max(self.active_ms);
        (!self.is_archived).then(|| since_ms + self.auto_archive_minutes as i64 * 60_000)
    }

    /// Archives it, or takes it out of the archive.
    pub(crate) fn archive(&mut self, is_archived: bool, now_ms: i64) {
        if self.is_archived != is_archived {
            self.is_archived = is_archived;
            self.archived_ms = now_ms;
        }
    }

    pub(crate) fn has(&self, user: Id) -> bool {
        self.members.iter().any(|(member, _)| *member == user)
    }

    /// Lets somebody in; `false` when they were there.
    pub(crate) fn join(&mut self, user: Id, now_ms: i64) -> bool {
        let is_new = !self.has(user);
        if is_new {
            self.members.push((user, now_ms));
        }
        is_new
    }

    pub(crate) fn member_object(&self, user: Id) -> Option<Value> {
        let (_, joined_ms) = self.members.iter().find(|(member, _)| *member == user)?;
        Some(json!({ "id": self.id.to_string(), "user_id": user.to_string(), "join_timestamp": timestamp(*joined_ms), "flags": 0 }))
    }

    /// The channel object; with the bot's own membership, where it is a member.
    pub(crate) fn object(&self, last_message_id: Option<&str>) -> Value {
        let mut metadata = json!({
            "archived": self.is_archived, "archive_timestamp": timestamp(self.archived_ms), "locked": self.is_locked,
            "auto_archive_duration": self.auto_archive_minutes, "create_timestamp": timestamp(self.created_ms),
        });
        if self.is_private() {
            metadata["invitable"] = json!(true);
        }
        let mut object = json!({
            "id": self.id.to_string(), "type": self.kind, "guild_id": self.guild.to_string(), "parent_id": self.parent.to_string(),
            "name": self.name, "owner_id": self.owner.to_string(), "last_message_id": last_message_id, "last_pin_timestamp": null,
            "rate_limit_per_user": self.rate_limit_s, "flags": 0, "message_count": self.n_messages.min(50),
            "member_count": self.members.len().min(50), "total_message_sent": self.n_messages, "thread_metadata": metadata,
        });
        if let Some(member) = self.member_object(APPLICATION) {
            object["member"] = member;
        }
        object
    }
}
