//! What a person typed, checked against the command's options and put into the shape that a bot receives.

use super::{PageError, files::File, spool::Spools};
use crate::{
    message::Upload,
    validate::items,
    world::{APPLICATION, Channel, Guild, Id, Scene, permission},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;

const SUB_COMMAND: u64 = 1;
const SUB_COMMAND_GROUP: u64 = 2;
const STRING: u64 = 3;
const INTEGER: u64 = 4;
const BOOLEAN: u64 = 5;
const USER: u64 = 6;
const CHANNEL: u64 = 7;
const ROLE: u64 = 8;
const MENTIONABLE: u64 = 9;
const NUMBER: u64 = 10;
const ATTACHMENT: u64 = 11;

/// One option as the page sends it: a value, or the options of a sub-command.
#[derive(Debug, Deserialize)]
pub(super) struct Given {
    name: String,
    #[serde(default)]
    value: Value,
    #[serde(default)]
    options: Vec<Given>,
}

/// Objects behind the ids in options, and files still to be stored.
pub(super) struct Resolved {
    scene: Arc<Scene>,
    /// Where the command is used, and by whom.
    channel: Channel,
    user: Id,
    objects: Map<String, Value>,
    uploads: Vec<(String, Upload)>,
    spools: Spools,
}

impl Resolved {
    pub(super) fn new(scene: Arc<Scene>, channel: Channel, user: Id, spools: Spools) -> Self {
        Self { scene, channel, user, objects: Map::new(), uploads: Vec::new(), spools }
    }

    /// The objects, and the uploads by the placeholder that stands in their option.
    pub(super) fn into_parts(self) -> (Value, Vec<(String, Upload)>) {
        (Value::Object(self.objects), self.uploads)
    }

    fn add(&mut self, kind: &str, id: &str, object: Value) {
        let objects = self.objects.entry(kind).or_insert_with(|| json!({}));
        objects[id] = object;
    }
}

/// Checks options against their definitions. With `focused` the person is still typing: nothing has to be complete.
pub(super) fn fill(defined: &[Value], given: Vec<Given>, focused: Option<&str>, resolved: &mut Resolved) -> Result<Vec<Value>, PageError> {
    let mut filled: Vec<Value> = Vec::new();
    for given in given {
        let name = given.name.clone();
        let Some(definition) = defined.iter().find(|definition| definition["name"] == name.as_str()) else {
            return Err(PageError::bad(format!("there is no option `{name}`")));
        };
        if filled.iter().any(|option| option["name"] == name.as_str()) {
            return Err(PageError::bad(format!("option `{name}` is given twice")));
        }
        let kind = definition["type"].as_u64().unwrap_or(STRING);
        let mut option = json!({ "name": name, "type": kind });
        if matches!(kind, SUB_COMMAND | SUB_COMMAND_GROUP) {
            option["options"] = json!(fill(items(&definition["options"]), given.options, focused, resolved)?);
        } else if focused == Some(name.as_str()) {
            // What is being typed is sent as it stands, always as text.
            option["value"] = json!(given.value.as_str().map_or_else(|| given.value.to_string(), str::to_owned));
            option["focused"] = json!(true);
        } else {
            match check(definition, kind, given.value, resolved) {
                Ok(value) => option["value"] = value,
                Err(_) if focused.is_some() => continue,
                Err(error) => return Err(error),
            }
        }
        filled.push(option);
    }
    let missing = defined
        .iter()
        .find(|definition| definition["required"] == true && !filled.iter().any(|option| option["name"] == definition["name"]));
    let needs_sub_command = defined.iter().any(|definition| matches!(definition["type"].as_u64(), Some(SUB_COMMAND | SUB_COMMAND_GROUP)));
    match missing {
        _ if focused.is_some() => Ok(filled),
        Some(missing) => Err(PageError::bad(format!("option `{}` is required", missing["name"].as_str().unwrap_or_default()))),
        None if needs_sub_command && filled.len() != 1 => Err(PageError::bad("choose one of the command's sub-commands")),
        None => Ok(filled),
    }
}

fn check(definition: &Value, kind: u64, value: Value, resolved: &mut Resolved) -> Result<Value, PageError> {
    let name = definition["name"].as_str().unwrap_or_default();
    let wrong = |what: &str| PageError::bad(format!("option `{name}` must be {what}"));
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let too_large = format!("a file of at most {} MiB", resolved.channel.attachment_size_limit() >> 20);
    let value = match kind {
        STRING => json!(text),
        INTEGER => json!(text.parse::<i64>().map_err(|_| wrong("a whole number"))?),
        NUMBER => json!(text.parse::<f64>().ok().filter(|number| number.is_finite()).ok_or_else(|| wrong("a number"))?),
        BOOLEAN => json!(text.parse::<bool>().map_err(|_| wrong("true or false"))?),
        USER | ROLE | MENTIONABLE => {
            let what = if kind == ROLE { "a role of this guild" } else { "somebody who is here" };
            if !resolve_mention(kind, &text, resolved) {
                return Err(wrong(what));
            }
            json!(text)
        }
        CHANNEL => {
            let channel = text.parse::<Id>().ok().and_then(|id| resolved.scene.channel(id));
            let channel = channel.filter(|channel| channel.is_open_to(resolved.user) && channel.guild_id() == resolved.channel.guild_id());
            let object = channel.ok_or_else(|| wrong("a channel"))?.object_for(resolved.user);
            let kinds = items(&definition["channel_types"]);
            if !kinds.is_empty() && !kinds.contains(&object["type"]) {
                return Err(wrong("a channel of another kind"));
            }
            resolved.add("channels", &text, object);
            json!(text)
        }
        ATTACHMENT => json!(upload(value, resolved)?.ok_or_else(|| wrong(&too_large))?),
        _ => return Err(PageError::bad(format!("option `{name}` has a kind that the sandbox does not have"))),
    };
    check_limits(definition, kind, &value).map_err(|what| wrong(&what))?;
    Ok(value)
}

fn check_limits(definition: &Value, kind: u64, value: &Value) -> Result<(), String> {
    let choices = items(&definition["choices"]);
    if !choices.is_empty() && !choices.iter().any(|choice| same(&choice["value"], value)) {
        return Err("one of its choices".to_owned());
    }
    let size = match kind {
        STRING => value.as_str().map(|text| text.chars().count() as f64),
        _ => value.as_f64(),
    };
    let (least, most, unit) = match kind {
        STRING => ("min_length", "max_length", " characters long"),
        _ => ("min_value", "max_value", ""),
    };
    let Some(size) = size else { return Ok(()) };
    if let Some(least) = definition[least].as_f64().filter(|least| size < *least) {
        return Err(format!("at least {least}{unit}"));
    }
    let most = definition[most].as_f64().or((kind == STRING).then_some(6000.0));
    most.filter(|most| size > *most).map_or(Ok(()), |most| Err(format!("at most {most}{unit}")))
}

fn same(choice: &Value, value: &Value) -> bool {
    choice == value || choice.as_f64().is_some_and(|number| value.as_f64() == Some(number))
}

/// Takes a file and returns a placeholder for the id it will have; `None` for what is no file, or too large a one.
fn upload(value: Value, resolved: &mut Resolved) -> Result<Option<String>, PageError> {
    let Ok(file) = serde_json::from_value::<File>(value) else { return Ok(None) };
    let placeholder = format!("upload {}", resolved.uploads.len());
    let upload = file.open(placeholder.clone(), &resolved.spools)?;
    if upload.content.len() > resolved.channel.attachment_size_limit() {
        return Ok(None);
    }
    resolved.uploads.push((placeholder.clone(), upload));
    resolved.objects.entry("attachments").or_insert_with(|| json!({}));
    Ok(Some(placeholder))
}

/// Puts an id where its placeholder stood.
pub(super) fn replace_value(options: &mut [Value], placeholder: &str, id: &str) {
    for option in options {
        if option["value"] == placeholder && option["type"] == ATTACHMENT {
            option["value"] = json!(id);
        }
        if let Some(inner) = option.get_mut("options").and_then(Value::as_array_mut) {
            replace_value(inner, placeholder, id);
        }
    }
}

/// Notes the user, with their membership, or the role behind an id.
fn resolve_mention(kind: u64, text: &str, resolved: &mut Resolved) -> bool {
    let Ok(id) = text.parse::<Id>() else { return false };
    let guild = resolved.channel.guild().cloned();
    let user = resolved.scene.user(id).filter(|_| kind != ROLE);
    let role = guild.as_ref().and_then(|guild| guild.roles.iter().find(|role| role.id == id)).filter(|_| kind != USER);
    if let Some(user) = user {
        let member = guild.as_ref().and_then(|guild| partial_member(&resolved.scene, &resolved.channel, guild, id));
        resolved.add("users", text, user);
        if let Some(member) = member {
            resolved.add("members", text, member);
        }
        return true;
    }
    let object = role.map(crate::world::Role::object);
    object.map(|object| resolved.add("roles", text, object)).is_some()
}

/// A member as Discord resolves it: without the user beside it, with what they may do in the channel.
pub(super) fn partial_member(scene: &Scene, channel: &Channel, guild: &Guild, user: Id) -> Option<Value> {
    let mut member = guild.member_object(scene, user)?;
    if let Some(member) = member.as_object_mut() {
        for field in ["user", "deaf", "mute"] {
            member.remove(field);
        }
    }
    let permissions = if user == APPLICATION { channel.app_permissions() } else { channel.permissions_of(user) };
    member["permissions"] = json!((permissions & permission::ALL).to_string());
    Some(member)
}
