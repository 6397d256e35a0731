//! What of a job stands in a channel. A message whose arrival nobody heard of is there or is not: it is looked for by the job's id in the buttons of
//! the bot's own messages.

use serde::Deserialize;
use serde_json::Value;
use storage::{JobId, Timestamp};

use super::ask::{AskError, Caller, id};
use crate::buttons::custom_id::ButtonAction;

/// Messages of one answer, the most that Discord gives.
const PAGE: usize = 100;
/// Answers that are read at most: a message is looked for soon after it was sent.
const MAX_PAGES: usize = 10;
/// Messages that are older than their job by so much are not its: the bot's clock and Discord's may differ.
const SLACK_MS: i64 = 24 * 3600 * 1000;
/// When Discord's ids begin to count, in milliseconds since 1970.
const EPOCH_MS: i64 = 1_420_070_400_000;

/// What of a job stands in a channel.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// The message that shows how it ended.
    pub ending: Option<u64>,
    /// Messages that still say that it waits or is drawn.
    pub unfinished: Vec<u64>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(deserialize_with = "id")]
    id: u64,
    author: Author,
    #[serde(default)]
    components: Value,
}

#[derive(Deserialize)]
struct Author {
    #[serde(deserialize_with = "id")]
    id: u64,
}

impl Seen {
    /// Looks through a channel's messages, newest first, for those of a job that was asked for at `created`. Where the bot may not read what was
    /// written before, nothing is seen.
    ///
    /// # Errors
    /// See [`AskError`].
    pub(super) async fn look(caller: &Caller, own: u64, channel: u64, job: JobId, created: Timestamp) -> Result<Self, AskError> {
        let oldest = u64::try_from(created.0 - SLACK_MS - EPOCH_MS).unwrap_or(0) << 22;
        let (mut seen, mut before) = (Self::default(), None);
        for _ in 0..MAX_PAGES {
            let page: Vec<Message> = caller.messages(channel, PAGE, before).await?;
            page.iter().filter(|message| message.author.id == own).for_each(|message| seen.note(message, job));
            before = page.iter().map(|message| message.id).min();
            if page.len() < PAGE || seen.ending.is_some() || before.is_some_and(|id| id < oldest) {
                break;
            }
        }
        Ok(seen)
    }

    fn note(&mut self, message: &Message, job: JobId) {
        let mut actions = Vec::new();
        collect(&message.components, &mut actions);
        if actions.contains(&ButtonAction::Cancel { job }) {
            self.unfinished.push(message.id);
        } else if actions.iter().any(|action| action.job() == Some(job)) {
            self.ending = self.ending.or(Some(message.id));
        }
    }
}

/// What the buttons of a message ask for, however they are laid out.
fn collect(components: &Value, actions: &mut Vec<ButtonAction>) {
    match components {
        Value::Array(parts) => parts.iter().for_each(|part| collect(part, actions)),
        Value::Object(fields) => {
            actions.extend(fields.get("custom_id").and_then(Value::as_str).and_then(|id| id.parse::<ButtonAction>().ok()));
            fields.values().for_each(|part| collect(part, actions));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_jobs_messages_are_known_by_their_buttons() {
        let (job, other) = (JobId::new(), JobId::new());
        let row = |actions: &[ButtonAction]| {
            let buttons: Vec<_> = actions.iter().map(|action| json!({ "type": 2, "custom_id": action.to_string() })).collect();
            json!([{ "type": 1, "components": buttons }])
        };
        let cancel = row(&[ButtonAction::Cancel { job }]);
        let grid = row(&[ButtonAction::Upscale { job, index: 0 }, ButtonAction::Reroll { job }]);
        let boxed = json!([{ "type": 17, "components": [{ "type": 10, "content": "x" }, grid[0]] }]);
        let check = |components: &[Value], ending, unfinished: &[u64]| {
            let mut seen = Seen::default();
            for (id, components) in (1..).zip(components) {
                seen.note(&Message { id, author: Author { id: 9 }, components: components.clone() }, job);
            }
            assert_eq!(seen, Seen { ending, unfinished: unfinished.to_vec() }, "{components:?}");
        };
        check(&[], None, &[]);
        check(&[Value::Null, json!([]), json!([{ "custom_id": "hello" }]), json!([{ "custom_id": 7 }])], None, &[]);
        check(&[row(&[ButtonAction::Reroll { job: other }]), row(&[ButtonAction::Cancel { job: other }])], None, &[]);
        check(&[cancel.clone(), row(&[ButtonAction::Remix { job }])], Some(2), &[1]);
        check(&[boxed, grid], Some(1), &[]);
        check(&[cancel.clone(), cancel], None, &[1, 2]);
    }
}
