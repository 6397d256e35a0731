use super::{is_given, items, text, url};
use crate::error::FormErrors;
use serde_json::Value;

const N_EMBEDS: usize = 10;
const N_FIELDS: usize = 25;
/// What all texts of all embeds of a message together may hold.
const N_CHARACTERS: usize = 6000;
const LINKS: [&str; 3] = ["http", "https", "discord"];
const PICTURES: [&str; 3] = ["http", "https", "attachment"];
/// An embed needs one of these to show anything.
const CONTENTS: [&str; 9] = ["title", "description", "fields", "image", "thumbnail", "video", "footer", "author", "timestamp"];

/// Notes what is wrong with the embeds of a message.
pub(super) fn all(errors: &mut FormErrors, at: &str, embeds: &[Value]) {
    if embeds.len() > N_EMBEDS {
        errors.too_long(at, N_EMBEDS);
    }
    for (n, value) in embeds.iter().enumerate() {
        embed(errors, &format!("{at}.{n}"), value);
    }
    if embeds.iter().map(n_characters).sum::<usize>() > N_CHARACTERS {
        errors.add(at, "MAX_EMBED_SIZE_EXCEEDED", format!("Embed size exceeds maximum size of {N_CHARACTERS}"));
    }
}

fn embed(errors: &mut FormErrors, at: &str, embed: &Value) {
    if !CONTENTS.iter().any(|field| is_given(&embed[field])) {
        errors.required(&format!("{at}.description"));
    }
    text(errors, &format!("{at}.title"), &embed["title"], 0, 256);
    text(errors, &format!("{at}.description"), &embed["description"], 0, 4096);
    if !embed["footer"].is_null() {
        text(errors, &format!("{at}.footer.text"), &embed["footer"]["text"], 0, 2048);
    }
    if !embed["author"].is_null() {
        text(errors, &format!("{at}.author.name"), &embed["author"]["name"], 0, 256);
    }
    let fields = items(&embed["fields"]);
    if fields.len() > N_FIELDS {
        errors.too_long(&format!("{at}.fields"), N_FIELDS);
    }
    for (n, field) in fields.iter().enumerate() {
        text(errors, &format!("{at}.fields.{n}.name"), &field["name"], 1, 256);
        text(errors, &format!("{at}.fields.{n}.value"), &field["value"], 1, 1024);
    }
    url(errors, &format!("{at}.url"), &embed["url"], &LINKS);
    url(errors, &format!("{at}.author.url"), &embed["author"]["url"], &LINKS);
    for (part, field) in [("image", "url"), ("thumbnail", "url"), ("footer", "icon_url"), ("author", "icon_url")] {
        url(errors, &format!("{at}.{part}.{field}"), &embed[part][field], &PICTURES);
    }
}

fn n_characters(embed: &Value) -> usize {
    let length = |value: &Value| value.as_str().map_or(0, |text| text.chars().count());
    let fields = items(&embed["fields"]).iter().map(|field| length(&field["name"]) + length(&field["value"])).sum::<usize>();
    length(&embed["title"]) + length(&embed["description"]) + length(&embed["footer"]["text"]) + length(&embed["author"]["name"]) + fields
}
