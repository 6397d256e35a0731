//! From our [`Answer`] to serenity's builders.

use poise::serenity_prelude as serenity;

use crate::answer::{Answer, Embed, Field, File, Form, Label, Menu, MenuEntry, Style};

/// The rows of menus and buttons; an empty list removes earlier ones.
pub fn components(answer: &Answer) -> Vec<serenity::CreateActionRow> {
    let button = |button: &crate::answer::Button| {
        let built = serenity::CreateButton::new(&button.custom_id).disabled(button.is_disabled).style(match button.style {
            Style::Secondary => serenity::ButtonStyle::Secondary,
            Style::Primary => serenity::ButtonStyle::Primary,
            Style::Danger => serenity::ButtonStyle::Danger,
        });
        match &button.label {
            Label::Text(text) => built.label(text),
            Label::Emoji(emoji) => built.emoji(unicode(emoji)),
            Label::Both(emoji, text) => built.emoji(unicode(emoji)).label(*text),
        }
    };
    let menus = answer.menus.iter().map(|one| serenity::CreateActionRow::SelectMenu(menu(one)));
    // Discord refuses a row of nothing, and with it the whole message.
    let rows = answer.buttons.iter().filter(|row| !row.is_empty());
    let buttons = rows.map(|row| serenity::CreateActionRow::Buttons(row.iter().map(button).collect()));
    menus.chain(buttons).collect()
}

fn menu(menu: &Menu) -> serenity::CreateSelectMenu {
    let entry = |entry: &MenuEntry| {
        let built = serenity::CreateSelectMenuOption::new(&entry.label, &entry.value).default_selection(entry.is_chosen);
        if entry.about.is_empty() { built } else { built.description(&entry.about) }
    };
    let options = menu.entries.iter().map(entry).collect();
    let kind = serenity::CreateSelectMenuKind::String { options };
    serenity::CreateSelectMenu::new(&menu.custom_id, kind).placeholder(&menu.hint).min_values(1).max_values(menu.most)
}

/// What was chosen in a menu; nothing where a button was pressed.
pub fn values(press: &serenity::ComponentInteraction) -> &[String] {
    match &press.data.kind {
        serenity::ComponentInteractionDataKind::StringSelect { values } => values,
        _ => &[],
    }
}

fn unicode(emoji: &str) -> serenity::ReactionType {
    serenity::ReactionType::Unicode(emoji.to_owned())
}

/// An edit of nothing but the buttons: text and pictures stay as they are.
pub fn buttons_alone(answer: &Answer) -> serenity::EditInteractionResponse {
    serenity::EditInteractionResponse::new().components(components(answer))
}

/// An answer that opens a form.
pub fn form(form: &Form) -> serenity::CreateInteractionResponse {
    let row = |field: &Field| {
        let style = if field.is_long { serenity::InputTextStyle::Paragraph } else { serenity::InputTextStyle::Short };
        let mut input = serenity::CreateInputText::new(style, field.label, &field.name).required(field.is_required).placeholder(field.hint);
        // Discord refuses a value that is there and empty.
        if !field.value.is_empty() {
            input = input.value(&field.value);
        }
        serenity::CreateActionRow::InputText(input)
    };
    let rows = form.fields.iter().map(row).collect();
    serenity::CreateInteractionResponse::Modal(serenity::CreateModal::new(&form.custom_id, form.title).components(rows))
}

/// What was put into the fields of a form, by their names, in their order.
pub fn sent(data: &serenity::ModalInteractionData) -> Vec<(String, String)> {
    let inputs = data.components.iter().flat_map(|row| &row.components).filter_map(|component| match component {
        serenity::ActionRowComponent::InputText(input) => Some(input),
        _ => None,
    });
    inputs.map(|input| (input.custom_id.clone(), input.value.clone().unwrap_or_default())).collect()
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

#[cfg(test)]
mod tests {
    use crate::messages;

    use super::*;

    #[test]
    fn a_row_of_nothing_is_not_sent() {
        let button = messages::tour_button();
        for (rows, n_sent) in [(vec![], 0), (vec![vec![]], 0), (vec![vec![button.clone()], vec![], vec![button]], 2)] {
            assert_eq!(components(&Answer { buttons: rows, ..Answer::default() }).len(), n_sent);
        }
    }
}
