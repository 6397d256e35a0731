//! Blocked words, what moderators are asked and tell, reports, and the book.

use storage::{Appeal, AuditEntry, BlockedWord, UserId};

use super::{
    parts::text_button,
    policy::refused,
    words::{escape, relative, shorten},
};
use crate::{
    answer::{Answer, Button, Style},
    buttons::{custom_id::ButtonAction, policy_action::PolicyAction},
    messages::UserError,
    policy::book::Noted,
};

/// Words that are listed; a message ends somewhere.
const MAX_WORDS: usize = 40;
/// Of a line so much is shown.
const MAX_LINE: usize = 900;

/// The button under a refusal that asks moderators, where they can be asked.
pub fn appeal_buttons(error: &UserError) -> Vec<Vec<Button>> {
    match error {
        UserError::Blocked { appeal: Some(id), .. } => {
            vec![vec![text_button("Ask the moderators", ButtonAction::Policy(PolicyAction::Ask(*id)))]]
        }
        _ => Vec::new(),
    }
}

/// What moderators are asked.
pub fn appeal(appeal: &Appeal) -> Answer {
    let mut yes = text_button("Let it through once", ButtonAction::Policy(PolicyAction::Approve(appeal.id)));
    yes.style = Style::Primary;
    let mut no = text_button("Do not", ButtonAction::Policy(PolicyAction::Deny(appeal.id)));
    no.style = Style::Danger;
    Answer { buttons: vec![vec![yes, no]], ..Answer::text(asked(appeal)) }
}

fn asked(appeal: &Appeal) -> String {
    let line = shorten(&escape(&appeal.line), MAX_LINE);
    format!(
        "<@{}> asks whether this may be drawn, in which `{}` is blocked:\n> {}",
        appeal.user.0,
        code(&appeal.word),
        line.replace('\n', "\n> ")
    )
}

/// In place of what moderators were asked.
pub fn appeal_decided(appeal: &Appeal, by: UserId, is_approved: bool) -> Answer {
    let how = if is_approved { "let it through once" } else { "did not let it through" };
    Answer::text(format!("{}\n<@{}> {how}.", asked(appeal), by.0))
}

/// What the person is told of it.
pub fn appeal_answer(appeal: &Appeal, is_approved: bool) -> Answer {
    let line = shorten(&escape(&appeal.line), MAX_LINE).replace('\n', "\n> ");
    Answer::text(if is_approved {
        format!("The moderators let this through once. Send it again where you sent it before:\n> {line}")
    } else {
        format!("The moderators did not let this through:\n> {line}")
    })
}

/// In place of the refusal.
pub fn moderators_asked() -> Answer {
    Answer::text("The moderators are asked. I tell you in direct messages what they say, if I may write to you.")
}

/// What moderators are told of a picture.
pub fn report(by: UserId, author: u64, link: &str, job: Option<&str>) -> Answer {
    let job = job.map(|job| format!(" (job `{job}`)")).unwrap_or_default();
    Answer::text(format!(
        "<@{}> reports a picture of <@{author}>{job}: {link}\n-# Who may manage messages can delete it there with ❌.",
        by.0
    ))
}

/// What the person who reported is told.
pub fn reported() -> Answer {
    Answer::text("Thank you. The moderators of this server know of it now.")
}

/// The words that are blocked; only managers see them all.
pub fn blocked_words(saved: Option<bool>, words: &[BlockedWord], is_everywhere: bool) -> Answer {
    let mut lines: Vec<String> = match saved {
        None => Vec::new(),
        Some(true) => vec!["Saved.".to_owned()],
        Some(false) => vec!["That word is not blocked.".to_owned()],
    };
    let place = if is_everywhere { "in all places" } else { "in this server" };
    if words.is_empty() {
        lines.push(format!("No words are blocked {place}."));
    } else {
        let shown = words.iter().take(MAX_WORDS).map(|word| {
            let also = if word.in_negative { " (also in negative prompts)" } else { "" };
            format!("`{}`{also}", shorten(&code(&word.word), 40))
        });
        let more = if words.len() > MAX_WORDS { format!(" and {} more", words.len() - MAX_WORDS) } else { String::new() };
        lines.push(shorten(&format!("Prompts may not say this {place}: {}{more}", shown.collect::<Vec<_>>().join(", ")), 1900));
    }
    Answer::text(lines.join("\n"))
}

/// Where moderators are asked.
pub fn moderators(channel: Option<u64>) -> Answer {
    Answer::text(match channel {
        Some(channel) => format!("Appeals and reports go to <#{channel}>. I must be able to see it and to write there."),
        None => "Nobody is asked: refusals have no button for it, and reports are not taken.".to_owned(),
    })
}

/// Lines of a page of the book.
pub const AUDIT_PAGE: u32 = 10;

/// A page of the book.
pub fn audit(entries: &[AuditEntry], is_everywhere: bool, page: u32, has_more: bool) -> Answer {
    if entries.is_empty() {
        return Answer::text("Nothing stands in the book here.");
    }
    let lines = entries.iter().map(|entry| {
        let what = match serde_json::from_value(entry.what.clone()) {
            Ok(noted) => noted_line(&noted),
            Err(_) => "something that I cannot read any more".to_owned(),
        };
        let who = if entry.user.0 == 0 { "Somebody".to_owned() } else { format!("<@{}>", entry.user.0) };
        shorten(&format!("{} {who} {what}", relative(entry.at)), 180)
    });
    let turn = |label: &str, to: Option<u32>| {
        let is_disabled = to.is_none();
        let page = to.unwrap_or(if label.contains('◀') { u32::MAX } else { u32::MAX - 1 });
        Button { is_disabled, ..text_button(label, ButtonAction::Policy(PolicyAction::Audit { is_everywhere, page })) }
    };
    let mut answer = Answer::text(lines.collect::<Vec<_>>().join("\n"));
    if page > 0 || has_more {
        answer.buttons = vec![vec![turn("◀ Newer", page.checked_sub(1)), turn("Older ▶", has_more.then(|| page.saturating_add(1)))]];
    }
    answer
}

fn noted_line(noted: &Noted) -> String {
    match noted {
        Noted::Refused { reason } => format!("was refused: {}", refused(reason)),
        Noted::Rule { subject, terms } if terms.is_empty() => format!("took the rule of {subject} away"),
        Noted::Rule { subject, terms } => format!("set a rule: {subject}: {terms}"),
        Noted::Said { word } => format!("was refused for the word `{}`", code(word)),
        Noted::Word { word, is_blocked: true } => format!("blocked the word `{}`", code(word)),
        Noted::Word { word, is_blocked: false } => format!("blocks the word `{}` no more", code(word)),
        Noted::Moderators { channel: Some(channel) } => format!("set the moderators' channel to <#{channel}>"),
        Noted::Moderators { channel: None } => "took the moderators' channel away".to_owned(),
        Noted::Appeal { word, is_approved: true } => format!("let a line through once, in which `{}` is blocked", code(word)),
        Noted::Appeal { word, is_approved: false } => format!("did not let a line through, in which `{}` is blocked", code(word)),
        Noted::Reported { link } => format!("reported a picture: {link}"),
        Noted::Reloaded => "had the models looked at anew".to_owned(),
    }
}

/// Words between backticks.
fn code(text: &str) -> String {
    crate::system::printable::printable(text).replace('`', "'")
}

#[cfg(test)]
mod tests {
    use storage::{AppealId, AppealState, EVERYWHERE, GuildId, Timestamp};

    use super::*;
    use crate::policy::decide::Reason;

    #[test]
    fn every_message_fits_discord_whatever_was_typed() {
        let all = Appeal {
            id: AppealId::new(),
            guild: GuildId(1),
            user: UserId(u64::MAX),
            word: "`*".repeat(50),
            line: "*_\n".repeat(3000),
            state: AppealState::Offered,
            created: Timestamp(0),
        };
        let words: Vec<BlockedWord> = (0..300).map(|n| BlockedWord { word: format!("{n}{}", "`".repeat(95)), in_negative: true }).collect();
        let what = serde_json::to_value(Noted::Refused { reason: Reason::Roles((0..500).collect()) }).expect("JSON");
        let line = AuditEntry { guild: EVERYWHERE, user: UserId(u64::MAX), at: Timestamp(i64::MAX), is_change: false, what };
        let page = audit(&vec![line; AUDIT_PAGE as usize], true, u32::MAX, true);
        for answer in [
            appeal(&all),
            appeal_decided(&all, UserId(u64::MAX), false),
            appeal_answer(&all, true),
            blocked_words(Some(true), &words, true),
            page,
        ] {
            assert!(answer.content.chars().count() <= 2000, "{}", answer.content.chars().count());
        }
    }

    #[test]
    fn what_cannot_be_read_any_more_is_told_as_such() {
        let line =
            AuditEntry { guild: EVERYWHERE, user: UserId(0), at: Timestamp(0), is_change: true, what: serde_json::json!({ "new": 1 }) };
        assert_eq!(audit(&[line], false, 0, false).content, "<t:0:R> Somebody something that I cannot read any more");
    }
}
