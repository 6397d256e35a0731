//! From our [`Answer`] to serenity's builders.

use poise::serenity_prelude as serenity;

use crate::answer::{Answer, Embed, File, Label, Style};

/// The rows of buttons; an empty list removes earlier ones.
pub fn components(answer: &Answer) -> Vec<serenity::CreateActionRow> {
    let button = |button: &crate::answer::Button| {
        let built = serenity::CreateButton::new(&button.custom_id).disabled(button.is_disabled).style(match button.style {
            Style::Secondary => serenity::ButtonStyle::Secondary,
            Style::Primary => serenity::ButtonStyle::Primary,
            Style::Danger => serenity::ButtonStyle::Danger,
        });
        match &button.label {
            Label::Text(text) => built.label(text),
            Label::Emoji(emoji) => built.emoji(serenity::ReactionType::Unicode((*emoji).to_owned())),
        }
    };
    answer.buttons.iter().map(|row| serenity::CreateActionRow::Buttons(row.iter().map(button).collect())).collect()
}

/// The embeds.
pub fn embeds(answer: &Answer) -> Vec<serenity::CreateEmbed> {
    let embed = |embed: &Embed| {
        let mut built = serenity::CreateEmbed::new().description(&embed.description);
        if let Some(title) = &embed.title {
            built = built.title(title);
        }
        for (name, value) in &embed.fields {
            built = built.field(name, value, true);
        }
        if let Some(name) = &embed.thumbnail {
            built = built.thumbnail(format!("attachment://{name}"));
        }
        if let Some(footer) = &embed.footer {
            built = built.footer(serenity::CreateEmbedFooter::new(footer));
        }
        built
    };
    answer.embeds.iter().map(embed).collect()
}

/// One attached file.
pub fn file(file: &File) -> serenity::CreateAttachment {
    serenity::CreateAttachment::bytes(file.bytes.clone(), file.name.clone()).description(file.description.clone())
}

/// An edit's attachments: ours, and none of the earlier ones.
pub fn attachments(answer: &Answer) -> serenity::EditAttachments {
    answer.files.iter().fold(serenity::EditAttachments::new(), |all, one| all.add(file(one)))
}

/// Nobody is ever pinged by what somebody typed.
pub fn no_mentions() -> serenity::CreateAllowedMentions {
    serenity::CreateAllowedMentions::new()
}

/// Links in people's words show no page. A message with boxes of our own needs the flag off; its words are not links (`messages`).
pub fn flags(answer: &Answer) -> serenity::MessageFlags {
    if answer.embeds.is_empty() { serenity::MessageFlags::SUPPRESS_EMBEDS } else { serenity::MessageFlags::empty() }
}

/// The first answer to an interaction, for its caller alone.
pub fn first_reply(answer: &Answer) -> serenity::CreateInteractionResponse {
    let flags = serenity::InteractionResponseFlags::from_bits_truncate(flags(answer).bits());
    let message = serenity::CreateInteractionResponseMessage::new().flags(flags);
    serenity::CreateInteractionResponse::Message(reply(answer, true).to_slash_initial_response(message))
}

/// A later answer to an interaction, for its caller alone.
pub fn later_reply(answer: &Answer) -> serenity::CreateInteractionResponseFollowup {
    reply(answer, true).to_slash_followup_response(serenity::CreateInteractionResponseFollowup::new().flags(flags(answer)))
}

/// An answer to a command, for the caller alone if `is_ephemeral`.
pub fn reply(answer: &Answer, is_ephemeral: bool) -> poise::CreateReply {
    let mut reply = poise::CreateReply::default()
        .content(&answer.content)
        .components(components(answer))
        .allowed_mentions(no_mentions())
        .ephemeral(is_ephemeral);
    for embed in embeds(answer) {
        reply = reply.embed(embed);
    }
    answer.files.iter().fold(reply, |reply, one| reply.attachment(file(one)))
}
