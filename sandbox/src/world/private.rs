use super::{Id, Person, Scene};
use serde_json::{Value, json};

/// A channel among people, of which the bot is no member: they use what they installed for themselves.
#[derive(Clone, Debug)]
pub(crate) struct PrivateChannel {
    pub(crate) id: Id,
    /// A group has one; two people have none.
    pub(crate) name: Option<&'static str>,
    pub(crate) people: Vec<Id>,
}

impl PrivateChannel {
    /// Discord's channel type: 1 for two people, 3 for a group.
    fn kind(&self) -> u8 {
        if self.name.is_some() { 3 } else { 1 }
    }

    /// The channel object, with the others as somebody in it sees them.
    pub(crate) fn object_for(&self, recipients: &[Person], viewer: Id, last_message_id: Option<&str>) -> Value {
        let others: Vec<Value> = recipients.iter().filter(|person| person.id != viewer).map(Person::user).collect();
        let mut object = json!({
            "id": self.id.to_string(), "type": self.kind(), "last_message_id": last_message_id, "recipients": others, "flags": 0,
        });
        if let Some(name) = self.name {
            object["name"] = json!(name);
            object["icon"] = Value::Null;
            object["owner_id"] = json!(self.people.first().map(Id::to_string));
        }
        object
    }

    /// The people in it.
    pub(crate) fn recipients(&self, scene: &Scene) -> Vec<Person> {
        self.people.iter().filter_map(|id| scene.person(*id)).collect()
    }
}
