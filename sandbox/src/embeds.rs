//! What Discord makes of the embeds of a message. Source: discord-api-docs, resources/message, "Embed Object".

use crate::oracle;
use serde_json::{Value, json};

/// What a bot says of an embed. All else is Discord's own.
const FIELDS: [&str; 13] =
    ["type", "url", "title", "color", "timestamp", "description", "author", "image", "thumbnail", "footer", "fields", "provider", "video"];

/// Writes out what is left to a default, and leaves out what Discord does not keep.
pub(crate) fn complete(embeds: &mut Value) {
    for embed in embeds.as_array_mut().into_iter().flatten().filter(|embed| embed.is_object()) {
        embed["type"] = json!("rich");
        if let Some(embed) = embed.as_object_mut() {
            embed.retain(|field, _| FIELDS.contains(&field.as_str()));
        }
        for field in embed.get_mut("fields").and_then(Value::as_array_mut).into_iter().flatten().filter(|field| field.is_object()) {
            if field["inline"].is_null() {
                field["inline"] = json!(false);
            }
        }
    }
    oracle::keep("MessageResponse/properties/embeds", embeds);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_embed_has_no_nulls() {
        let mut embeds = json!([{
            "type": null, "title": "x", "color": null, "footer": null, "flags": 32, "components": [{}], "author": { "name": "a", "url": null }, "image": { "url": null },
            "fields": [{ "name": "a", "value": "b", "inline": null }],
        }]);
        complete(&mut embeds);
        let fields = json!([{ "name": "a", "value": "b", "inline": false }]);
        assert_eq!(embeds, json!([{ "type": "rich", "title": "x", "author": { "name": "a" }, "image": {}, "fields": fields }]));
    }
}
