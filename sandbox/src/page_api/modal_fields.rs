//! What a person put into the fields of a form, checked against the form and put into the shape that a bot receives.
//! Source: discord-api-docs, components/reference, "Interaction Response Structure" of each component.

use super::{PageError, components::resolve, files::File, spool::Spools};
use crate::{
    message::Upload,
    validate::items,
    world::{Channel, Person, Scene},
};
use serde_json::{Map, Value, json};
use std::{collections::HashMap, ops::RangeInclusive};

const ACTION_ROW: u64 = 1;
const STRING_SELECT: u64 = 3;
const TEXT_INPUT: u64 = 4;
const TEXT_DISPLAY: u64 = 10;
const LABEL: u64 = 18;
const FILE_UPLOAD: u64 = 19;
const RADIO_GROUP: u64 = 21;
const CHECKBOX_GROUP: u64 = 22;
const CHECKBOX: u64 = 23;
const MAX_CHARACTERS: u64 = 4000;

/// A form that is being filled.
pub(super) struct Form<'a> {
    pub(super) scene: &'a Scene,
    pub(super) person: &'a Person,
    pub(super) channel: &'a Channel,
    /// What the person gave, by the field's custom id. A field that is not named keeps what the form began with.
    pub(super) given: HashMap<String, Value>,
    /// Objects behind the ids in selects.
    pub(super) resolved: Map<String, Value>,
    /// Files still to be stored, by the custom id of their field.
    pub(super) uploads: Vec<(String, Upload)>,
    /// Files of the call that are on disk.
    pub(super) spools: &'a Spools,
}

impl Form<'_> {
    /// The rows and labels of the form, each with what was put into it.
    pub(super) fn fill(&mut self, rows: &Value) -> Result<Vec<Value>, PageError> {
        let mut filled = Vec::new();
        for row in items(rows) {
            let mut answer = json!({ "type": row["type"], "id": row["id"].as_u64().unwrap_or(0) });
            match row["type"].as_u64() {
                Some(LABEL) => answer["component"] = self.field(&row["component"], &row["label"])?,
                Some(ACTION_ROW) => {
                    let inputs = items(&row["components"]).iter().map(|input| self.field(input, &input["label"]));
                    answer["components"] = json!(inputs.collect::<Result<Vec<Value>, PageError>>()?);
                }
                Some(TEXT_DISPLAY) => {}
                _ => continue,
            }
            filled.push(answer);
        }
        match self.given.keys().next() {
            Some(unknown) => Err(PageError::bad(format!("the form has no field `{unknown}`"))),
            None => Ok(filled),
        }
    }

    fn field(&mut self, input: &Value, label: &Value) -> Result<Value, PageError> {
        let custom_id = input["custom_id"].as_str().unwrap_or_default();
        let kind = input["type"].as_u64().unwrap_or(0);
        let field = Field { input, name: label.as_str().unwrap_or(custom_id) };
        let given = self.given.remove(custom_id).unwrap_or_else(|| field.initial(kind));
        let mut filled = json!({ "type": kind, "id": input["id"].as_u64().unwrap_or(0), "custom_id": custom_id });
        match kind {
            TEXT_INPUT => filled["value"] = json!(field.text(&given)?),
            RADIO_GROUP => {
                let chosen = field.list(&given)?;
                field.count(chosen.len(), 1..=1, "choice")?;
                field.offered(&chosen)?;
                filled["value"] = json!(chosen.first());
            }
            CHECKBOX_GROUP => {
                let chosen = field.list(&given)?;
                field.count(chosen.len(), field.range(items(&input["options"]).len()), "choice")?;
                field.offered(&chosen)?;
                filled["values"] = json!(chosen);
            }
            STRING_SELECT | 5..=8 => {
                let chosen = field.list(&given)?;
                field.count(chosen.len(), field.range(1), "choice")?;
                if kind == STRING_SELECT {
                    field.offered(&chosen)?;
                } else {
                    self.resolve(&field, kind, &chosen)?;
                }
                filled["values"] = json!(chosen);
            }
            CHECKBOX => filled["value"] = json!(field.is_checked(&given)?),
            FILE_UPLOAD => {
                let files = field.files(given, self.channel.attachment_size_limit(), self.spools)?;
                self.uploads.extend(files.into_iter().map(|file| (custom_id.to_owned(), file)));
                // The ids follow when the files are stored.
                filled["values"] = json!([]);
            }
            _ => return Err(PageError::bad(format!("{} is of a kind that the sandbox does not have: {kind}", field.quoted()))),
        }
        Ok(filled)
    }

    fn resolve(&mut self, field: &Field, kind: u64, chosen: &[String]) -> Result<(), PageError> {
        for (group, objects) in resolve(self.scene, (self.person, self.channel), kind, chosen)? {
            let fits = |object: &Value| {
                field.input["channel_types"].as_array().is_none_or(|kinds| kinds.is_empty() || kinds.contains(&object["type"]))
            };
            let Value::Object(objects) = objects else { continue };
            if group == "channels" && !objects.values().all(fits) {
                return Err(PageError::bad(format!("{} takes channels of another kind", field.quoted())));
            }
            let known = self.resolved.entry(group).or_insert_with(|| json!({}));
            if let Some(known) = known.as_object_mut() {
                known.extend(objects);
            }
        }
        Ok(())
    }
}

/// Puts the id of a stored file into its field.
pub(super) fn add_file(rows: &mut [Value], custom_id: &str, id: &Value) {
    let fields = rows.iter_mut().filter_map(|row| row.get_mut("component"));
    for field in fields.filter(|field| field["custom_id"] == custom_id && field["type"] == FILE_UPLOAD) {
        if let Some(values) = field["values"].as_array_mut() {
            values.push(id.clone());
        }
    }
}

/// One field of the form; `name` is what the person reads over it.
struct Field<'a> {
    input: &'a Value,
    name: &'a str,
}

impl Field<'_> {
    fn quoted(&self) -> String {
        format!("`{}`", self.name)
    }

    fn must_be(&self, what: &str) -> PageError {
        PageError::bad(format!("{} must be {what}", self.quoted()))
    }

    /// What the field holds before anybody touches it.
    fn initial(&self, kind: u64) -> Value {
        let preset = |field: &str, value: &str| {
            let is_set = |one: &&Value| field != "options" || one["default"] == true;
            items(&self.input[field]).iter().filter(is_set).map(|one| one[value].clone()).collect::<Vec<Value>>()
        };
        match kind {
            TEXT_INPUT => json!(self.input["value"].as_str().unwrap_or_default()),
            CHECKBOX => json!(self.input["default"] == true),
            STRING_SELECT | RADIO_GROUP | CHECKBOX_GROUP => json!(preset("options", "value")),
            5..=8 => json!(preset("default_values", "id")),
            _ => json!([]),
        }
    }

    fn text(&self, given: &Value) -> Result<String, PageError> {
        let text = given.as_str().ok_or_else(|| self.must_be("a text"))?;
        let length = text.chars().count() as u64;
        if length == 0 && self.input["required"] != false {
            return Err(PageError::bad(format!("{} is required", self.quoted())));
        }
        let least = self.input["min_length"].as_u64().unwrap_or(0);
        let most = self.input["max_length"].as_u64().unwrap_or(MAX_CHARACTERS);
        if length > most || (length > 0 && length < least) {
            return Err(self.must_be(&format!("{least} to {most} characters long")));
        }
        Ok(text.to_owned())
    }

    /// The chosen values: a list of texts, one text, or nothing.
    fn list(&self, given: &Value) -> Result<Vec<String>, PageError> {
        let wrong = || self.must_be("a list of values");
        let chosen = match given {
            Value::Null => Vec::new(),
            Value::String(one) if one.is_empty() => Vec::new(),
            Value::String(one) => vec![one.clone()],
            Value::Array(list) => list.iter().map(|one| one.as_str().map(str::to_owned).ok_or_else(wrong)).collect::<Result<_, _>>()?,
            _ => return Err(wrong()),
        };
        let is_again = |(n, value): (usize, &String)| chosen[..n].contains(value);
        match chosen.iter().enumerate().any(is_again) {
            true => Err(PageError::bad(format!("a value of {} is chosen twice", self.quoted()))),
            false => Ok(chosen),
        }
    }

    /// How many values the field takes; `most` where it does not say.
    fn range(&self, most: usize) -> RangeInclusive<usize> {
        let number = |field: &str, other: usize| self.input[field].as_u64().map_or(other, |number| number as usize);
        number("min_values", 1)..=number("max_values", most)
    }

    fn count(&self, n: usize, range: RangeInclusive<usize>, what: &str) -> Result<(), PageError> {
        let (least, most) = (*range.start(), *range.end());
        let plural = if most == 1 { "" } else { "s" };
        match n {
            0 if self.input["required"] != false => Err(PageError::bad(format!("{} is required", self.quoted()))),
            0 => Ok(()),
            _ if range.contains(&n) => Ok(()),
            _ if least == most => Err(PageError::bad(format!("{} takes {most} {what}{plural}", self.quoted()))),
            _ => Err(PageError::bad(format!("{} takes {least} to {most} {what}{plural}", self.quoted()))),
        }
    }

    fn offered(&self, chosen: &[String]) -> Result<(), PageError> {
        let is_offered = |value: &&String| items(&self.input["options"]).iter().any(|option| option["value"] == value.as_str());
        match chosen.iter().find(|value| !is_offered(value)) {
            Some(value) => Err(PageError::bad(format!("{} does not offer `{value}`", self.quoted()))),
            None => Ok(()),
        }
    }

    fn is_checked(&self, given: &Value) -> Result<bool, PageError> {
        given.as_bool().ok_or_else(|| self.must_be("true or false"))
    }

    fn files(&self, given: Value, limit_bytes: usize, spools: &Spools) -> Result<Vec<Upload>, PageError> {
        let Value::Array(list) = given else { return Err(self.must_be("a list of files")) };
        self.count(list.len(), self.range(1), "file")?;
        let read = |(n, file): (usize, Value)| {
            let file: File = serde_json::from_value(file).map_err(|_| self.must_be("a list of files"))?;
            let upload = file.open(n.to_string(), spools)?;
            if upload.content.len() > limit_bytes {
                return Err(PageError::bad(format!("`{}` is larger than {} MiB", upload.filename, limit_bytes >> 20)));
            }
            Ok(upload)
        };
        list.into_iter().enumerate().map(read).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{Id, World};

    const GENERAL: Id = 1_000_000_000_000_000_110;
    const ADA: Id = 1_000_000_000_000_000_011;

    fn fill(input: Value, given: Value) -> Result<Value, String> {
        let scene = World::new(crate::clock::Clock::System, Vec::new(), crate::BotProfile::default(), String::new()).now();
        let (person, channel) = (scene.person(ADA).expect("ada is here"), scene.channel(GENERAL).expect("general is there"));
        let given = if given.is_null() { HashMap::new() } else { HashMap::from([("x".to_owned(), given)]) };
        let mut form = Form {
            scene: &scene,
            person: &person,
            channel: &channel,
            given,
            resolved: Map::new(),
            uploads: Vec::new(),
            spools: &Spools::default(),
        };
        let mut input = input;
        input["custom_id"] = json!("x");
        let filled = form.fill(&json!([{ "type": 18, "label": "Field", "component": input }]));
        filled.map(|rows| rows[0]["component"].clone()).map_err(|error| error.sentence)
    }

    #[test]
    fn what_does_not_fit_the_field_is_refused_in_one_sentence() {
        let check = |input: Value, given: Value, expected: &str| assert_eq!(fill(input, given), Err(expected.to_owned()));
        let options = json!([{ "label": "One", "value": "1" }, { "label": "Two", "value": "2" }, { "label": "Three", "value": "3" }]);
        check(json!({ "type": 4 }), json!(""), "`Field` is required");
        check(json!({ "type": 4 }), json!(7), "`Field` must be a text");
        check(json!({ "type": 4, "min_length": 2, "max_length": 3 }), json!("x"), "`Field` must be 2 to 3 characters long");
        check(json!({ "type": 3, "options": options }), json!([]), "`Field` is required");
        check(json!({ "type": 3, "options": options }), json!(["4"]), "`Field` does not offer `4`");
        check(json!({ "type": 3, "options": options }), json!(["1", "2"]), "`Field` takes 1 choice");
        check(json!({ "type": 3, "options": options, "max_values": 2 }), json!(["1", "1"]), "a value of `Field` is chosen twice");
        check(json!({ "type": 22, "options": options, "min_values": 2 }), json!(["1"]), "`Field` takes 2 to 3 choices");
        check(json!({ "type": 21, "options": options }), json!(["1", "2"]), "`Field` takes 1 choice");
        check(json!({ "type": 23 }), json!("yes"), "`Field` must be true or false");
        check(json!({ "type": 5 }), json!(["999"]), "there is no 999");
        check(json!({ "type": 8, "channel_types": [2] }), json!([GENERAL.to_string()]), "`Field` takes channels of another kind");
        check(json!({ "type": 19 }), json!([]), "`Field` is required");
        check(json!({ "type": 19 }), json!([{ "filename": "a.txt", "data": "?" }]), "`a.txt` is not base64");
        let file = json!({ "filename": "a.txt", "data": "YQ==" });
        check(json!({ "type": 19 }), json!([file, file]), "`Field` takes 1 file");
        check(json!({ "type": 99 }), json!("x"), "`Field` is of a kind that the sandbox does not have: 99");
    }

    #[test]
    fn what_is_left_out_stays_as_the_form_began() {
        let check = |input: Value, field: &str, expected: Value| {
            assert_eq!(fill(input, Value::Null).map(|filled| filled[field].clone()), Ok(expected));
        };
        let options = json!([{ "label": "One", "value": "1", "default": true }, { "label": "Two", "value": "2" }]);
        check(json!({ "type": 4, "value": "before" }), "value", json!("before"));
        check(json!({ "type": 4, "required": false }), "value", json!(""));
        check(json!({ "type": 3, "options": options }), "values", json!(["1"]));
        check(json!({ "type": 21, "options": options }), "value", json!("1"));
        check(json!({ "type": 21, "options": [{ "label": "One", "value": "1" }], "required": false }), "value", Value::Null);
        check(json!({ "type": 22, "options": options }), "values", json!(["1"]));
        check(json!({ "type": 23, "default": true }), "value", json!(true));
        let ada = json!([{ "id": ADA.to_string(), "type": "user" }]);
        check(json!({ "type": 5, "default_values": ada }), "values", json!([ADA.to_string()]));
        check(json!({ "type": 19, "required": false }), "values", json!([]));
    }
}
