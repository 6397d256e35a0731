//! Where Discord takes what its description does not know or forbids. Without this table requests of well-known libraries would be
//! called wrong; what it does not name is checked as described.

use serde_json::{Value, json};

/// One deviation of the description from Discord.
struct Deviation {
    /// The schemas that it is about.
    schemas: &'static [&'static str],
    rule: Rule,
    /// Who sends this, or where Discord says so.
    reason: &'static str,
}

enum Rule {
    /// Discord takes these fields, or passes over them.
    Takes(&'static [&'static str]),
    /// The first field may be null or absent beside the second.
    Either(&'static str, &'static str),
    /// A further value of an enumeration: its title and the value.
    Allows(&'static str, i64),
    /// Another schema stands in this one's place.
    Is(fn() -> Value),
}

const SHOWN: &str = "bots send back what Discord showed them, and it passes over what is only its own to say";

const ALL: &[Deviation] = &[
    Deviation {
        schemas: &["RichEmbed"],
        rule: Rule::Takes(&["flags", "content_scan_version", "reference_id"]),
        reason: "discord.py 2.7 sends `flags` with every embed; of the others: bots send embeds back as Discord showed them",
    },
    Deviation { schemas: &["RichEmbedAuthor", "RichEmbedFooter"], rule: Rule::Takes(&["proxy_icon_url"]), reason: SHOWN },
    Deviation {
        schemas: &["RichEmbedImage", "RichEmbedThumbnail", "RichEmbedVideo"],
        rule: Rule::Takes(&["proxy_url", "content_type", "flags", "content_scan_version"]),
        reason: SHOWN,
    },
    Deviation {
        schemas: &["ComponentEmojiForRequest"],
        rule: Rule::Takes(&["animated"]),
        reason: "discord.py and discord.js send it with an animated emoji, serenity with every emoji of a guild",
    },
    Deviation {
        schemas: &["ComponentEmojiForRequest"],
        rule: Rule::Either("name", "id"),
        reason: "discord.js' guide sets an emoji of a guild by its id alone; serenity sends `name: null` then",
    },
    Deviation {
        schemas: &["UnfurledMediaRequest", "UnfurledMediaRequestWithAttachmentReferenceRequired"],
        rule: Rule::Takes(&[
            "id",
            "proxy_url",
            "width",
            "height",
            "content_type",
            "flags",
            "attachment_id",
            "placeholder",
            "placeholder_version",
            "loading_state",
            "content_scan_version",
        ]),
        reason: SHOWN,
    },
    Deviation { schemas: &["FileComponentForMessageRequest"], rule: Rule::Takes(&["name", "size"]), reason: SHOWN },
    Deviation {
        schemas: &["MessageAttachmentRequest"],
        rule: Rule::Takes(&[
            "size",
            "url",
            "proxy_url",
            "spoiler",
            "width",
            "height",
            "content_type",
            "original_content_type",
            "ephemeral",
            "flags",
            "placeholder",
            "placeholder_version",
            "content_scan_version",
        ]),
        reason: "an edit names the files that stay, and discord.py writes down all that it knows of them",
    },
    Deviation {
        schemas: &["MessageAttachmentRequest"],
        rule: Rule::Takes(&["attachment", "name", "contentType", "proxyURL", "duration"]),
        reason: "discord.js 14 writes files that stay with the names of its own class",
    },
    Deviation {
        schemas: &["CreateTextThreadWithMessageRequest"],
        rule: Rule::Takes(&["type"]),
        reason: "discord.js 14 says that a thread below a message is a public one, which it always is",
    },
    Deviation {
        schemas: &["ApplicationCommandCreateRequest", "ApplicationCommandUpdateRequest", "ApplicationCommandPatchRequestPartial"],
        rule: Rule::Takes(&["nsfw"]),
        reason: "discord-api-docs, interactions/application-commands, \"Create Global Application Command\"",
    },
    Deviation {
        schemas: &["MessageReferenceType"],
        rule: Rule::Allows("FORWARD", 1),
        reason: "discord-api-docs, resources/message, \"Message Reference Types\": a message can be forwarded",
    },
    Deviation {
        schemas: &["InnerErrors"],
        rule: Rule::Is(inner_errors),
        reason: "discord-api-docs, reference, \"Error Messages\": the codes inside of a refusal are words, not numbers",
    },
];

fn inner_errors() -> Value {
    let error = json!({
        "type": "object", "required": ["code", "message"],
        "properties": { "code": { "type": "string" }, "message": { "type": "string" } },
    });
    let errors = json!({ "type": "array", "items": error });
    json!({ "type": "object", "required": ["_errors"], "properties": { "_errors": errors }, "additionalProperties": false })
}

/// Writes the table into the description.
pub(super) fn amend(root: &mut Value) {
    for Deviation { schemas, rule, reason } in ALL {
        for name in *schemas {
            let schema = &mut root["components"]["schemas"][name];
            assert!(schema.is_object(), "the description has no {name}, of which the table says: {reason}");
            rule.write(schema);
        }
    }
}

impl Rule {
    fn write(&self, schema: &mut Value) {
        match self {
            Self::Takes(fields) => {
                for field in *fields {
                    let known = &mut schema["properties"][field];
                    if known.is_null() {
                        *known = json!({});
                    }
                }
            }
            Self::Either(lacking, present) => {
                let described = schema["properties"][lacking].take();
                if let Some(required) = schema["required"].as_array_mut() {
                    required.retain(|field| field != lacking);
                }
                schema["properties"][lacking] = json!({ "oneOf": [{ "type": "null" }, described] });
                schema["anyOf"] = json!([
                    { "required": [lacking], "properties": { *lacking: { "not": { "type": "null" } } } },
                    { "required": [present], "properties": { *present: { "not": { "type": "null" } } } },
                ]);
            }
            Self::Allows(title, value) => {
                if let Some(choices) = schema["oneOf"].as_array_mut() {
                    choices.push(json!({ "title": title, "const": value }));
                }
            }
            Self::Is(other) => *schema = other(),
        }
    }
}
