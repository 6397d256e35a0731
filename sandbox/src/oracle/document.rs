//! Discord's own description of its HTTP API, read once, with validators that are compiled on first use.

use super::deviations;
use flate2::read::GzDecoder;
use jsonschema::{Registry, Validator};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    io::Read,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

const ARCHIVE: &[u8] = include_bytes!("../../openapi/openapi.json.gz");
/// What the references inside of the document are relative to. Nothing is fetched from there.
const BASE: &str = "https://discord.invalid/openapi.json";

/// The document.
pub(crate) static DOCUMENT: LazyLock<Document> = LazyLock::new(Document::read);

/// The description with its operations.
pub(crate) struct Document {
    root: &'static Value,
    /// By how many parts their path has.
    operations: Vec<Vec<Operation>>,
    registry: Registry<'static>,
}

/// One method of one path.
pub(crate) struct Operation {
    pub(crate) method: String,
    pub(crate) template: &'static str,
    segments: Vec<&'static str>,
    body: &'static Value,
    /// Parameters of the path and of the query.
    pub(crate) parameters: Vec<&'static Value>,
    /// By what they validate: `request`, `multipart`, or a status. Bounded by what the document describes.
    validators: Mutex<HashMap<String, Option<Arc<Validator>>>>,
}

impl Document {
    fn read() -> Self {
        let mut text = String::new();
        GzDecoder::new(ARCHIVE).read_to_string(&mut text).expect("the embedded description is whole");
        let mut root: Value = serde_json::from_str(&text).expect("the embedded description is JSON");
        deviations::amend(&mut root);
        // Lives as long as the process: compiled validators refer into it.
        let root: &'static Value = Box::leak(Box::new(root));
        let registry = Registry::new().add(BASE, root).expect("the base address is one").prepare().expect("every reference is inside");
        let paths = root["paths"].as_object().into_iter().flatten();
        let operations = paths.flat_map(|(template, methods)| {
            let shared = list(&methods["parameters"]);
            let methods = methods.as_object().into_iter().flatten().filter(|(method, _)| *method != "parameters");
            methods.map(move |(method, body)| Operation {
                method: method.to_uppercase(),
                template,
                segments: template.trim_start_matches('/').split('/').collect(),
                body,
                parameters: shared.iter().chain(list(&body["parameters"])).collect(),
                validators: Mutex::default(),
            })
        });
        let mut by_length: Vec<Vec<Operation>> = Vec::new();
        for operation in operations {
            let n_parts = operation.segments.len();
            by_length.resize_with(by_length.len().max(n_parts + 1), Vec::new);
            by_length[n_parts].push(operation);
        }
        Self { root, operations: by_length, registry }
    }

    /// The operation that a method and decoded path segments name; literal segments win over parameters.
    pub(crate) fn find(&self, method: &str, segments: &[&str]) -> Option<&Operation> {
        let fitting =
            self.operations.get(segments.len())?.iter().filter(|operation| operation.method == method && operation.fits(segments));
        fitting.max_by_key(|operation| operation.segments.iter().filter(|part| !is_parameter(part)).count())
    }

    /// The part of the document that a JSON pointer names.
    pub(crate) fn at(&self, pointer: &str) -> Option<&'static Value> {
        self.root.pointer(pointer)
    }

    /// Follows a `$ref`, if the value is one.
    pub(crate) fn resolve(&self, value: &'static Value) -> &'static Value {
        let mut value = value;
        while let Some(target) = value["$ref"].as_str().and_then(|reference| self.root.pointer(reference.strip_prefix('#')?)) {
            value = target;
        }
        value
    }

    fn compile(&self, schema: &Value) -> Option<Arc<Validator>> {
        let mut schema = schema.clone();
        make_absolute(&mut schema);
        let built = jsonschema::options().with_registry(&self.registry).should_ignore_unknown_formats(true).build(&schema);
        built.inspect_err(|error| tracing::error!(%error, "a schema of the description does not compile")).ok().map(Arc::new)
    }
}

impl Operation {
    fn fits(&self, segments: &[&str]) -> bool {
        self.segments.iter().zip(segments).all(|(part, given)| if is_parameter(part) { !given.is_empty() } else { part == given })
    }

    /// The values of the path's parameters.
    pub(crate) fn path_values<'a>(&'a self, segments: &'a [&'a str]) -> impl Iterator<Item = (&'a str, &'a str)> {
        let pairs = self.segments.iter().zip(segments).filter(|(part, _)| is_parameter(part));
        pairs.map(|(part, given)| (part.trim_matches(['{', '}']), *given))
    }

    /// The schema of the request's body, if it takes one.
    pub(crate) fn request_schema(&self, is_multipart: bool) -> Option<&'static Value> {
        let content = &self.body["requestBody"]["content"];
        let form = is_multipart.then(|| content["multipart/form-data"].get("schema")).flatten();
        form.or_else(|| content["application/json"].get("schema"))
    }

    /// Whether a request without a body breaks the description.
    pub(crate) fn requires_body(&self) -> bool {
        self.body["requestBody"]["required"] == true
    }

    /// Whether the description knows the status at all, and the schema of its body.
    pub(crate) fn response_schema(&self, status: u16) -> Option<Option<&'static Value>> {
        let responses = &self.body["responses"];
        let class = format!("{}XX", status / 100);
        let response = responses.get(status.to_string()).or_else(|| responses.get(class))?;
        Some(DOCUMENT.resolve(response)["content"]["application/json"].get("schema"))
    }

    /// The validator of one of this operation's schemas.
    pub(crate) fn validator(&self, purpose: &str, schema: &Value) -> Option<Arc<Validator>> {
        let mut validators = self.validators.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = validators.get(purpose) {
            return known.clone();
        }
        let compiled = DOCUMENT.compile(schema);
        validators.insert(purpose.to_owned(), compiled.clone());
        compiled
    }
}

fn is_parameter(part: &str) -> bool {
    part.starts_with('{')
}

fn list(value: &'static Value) -> &'static [Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn make_absolute(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if let Some(Value::String(reference)) = object.get_mut("$ref") {
                reference.insert_str(0, BASE);
            }
            object.values_mut().for_each(make_absolute);
        }
        Value::Array(list) => list.iter_mut().for_each(make_absolute),
        _ => {}
    }
}

/// A value of a path or query as the JSON that its schema describes.
pub(crate) fn typed(schema: &'static Value, text: &str) -> Value {
    let schema = DOCUMENT.resolve(schema);
    let is = |kind: &str| schema["type"] == kind || schema["type"].as_array().is_some_and(|kinds| kinds.iter().any(|one| one == kind));
    // Libraries write booleans in three ways, all of which Discord takes.
    match text {
        "true" | "True" | "1" if is("boolean") => json!(true),
        "false" | "False" | "0" if is("boolean") => json!(false),
        _ if is("integer") => text.parse::<i64>().map_or_else(|_| json!(text), |number| json!(number)),
        _ => json!(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_find_their_operation() {
        let check = |method, path: &str, template: Option<&str>| {
            let segments: Vec<&str> = path.split('/').collect();
            assert_eq!(DOCUMENT.find(method, &segments).map(|operation| operation.template), template, "{path}");
        };
        check("GET", "users/@me", Some("/users/@me"));
        check("GET", "users/7", Some("/users/{user_id}"));
        check("PATCH", "webhooks/1/tok/messages/@original", Some("/webhooks/{webhook_id}/{webhook_token}/messages/@original"));
        check("PATCH", "webhooks/1/tok/messages/5", Some("/webhooks/{webhook_id}/{webhook_token}/messages/{message_id}"));
        check("GET", "nobody/knows", None);
        check("PUT", "users/@me", None);
    }

    #[test]
    fn every_schema_of_the_description_compiles() {
        let operations: Vec<&Operation> = DOCUMENT.operations.iter().flatten().collect();
        assert_eq!(operations.len(), 242);
        for operation in operations {
            if let Some(schema) = operation.request_schema(false) {
                assert!(operation.validator("request", schema).is_some(), "{}", operation.template);
            }
        }
    }
}
