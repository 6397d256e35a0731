//! Why somebody may not draw, and what the rules of that are.

use storage::{DrawRule, DrawSubject, DrawTerms};

use super::{
    quota::small,
    words::{duration, escape, number, shorten},
};
use crate::{
    answer::Answer,
    policy::{decide::Reason, words::BadWord},
};

/// Rules that are listed; a message ends somewhere.
const MAX_LINES: usize = 20;
/// The longest line of them.
const MAX_LINE: usize = 85;

/// Why a word is not taken.
pub(super) fn bad_word(why: &BadWord) -> &'static str {
    match why {
        BadWord::Empty => "There is no letter in that.",
        BadWord::TooLong => "That is too long: a word or pattern may have 100 characters.",
        BadWord::NoPattern => "That is no regular expression that I can use, or it is too large.",
    }
}

/// What was done before the rules are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DrawDone {
    /// Nothing.
    Nothing,
    /// A rule was set.
    Set,
    /// A rule was taken away; whether there was one.
    Removed(bool),
}

/// What the person who runs the bot did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnerDone {
    /// Somebody draws nowhere any more.
    Banned(u64),
    /// They may again.
    Unbanned(u64),
    /// No new jobs are taken.
    Drained {
        /// Jobs that wait or run.
        n_left: u32,
    },
    /// They are again.
    Opened,
    /// Models and adapters were looked at anew.
    Reloaded {
        /// Models that there are.
        n_models: usize,
        /// Adapters that there are.
        n_adapters: usize,
    },
}

/// What is told of it.
pub fn owner_done(done: OwnerDone) -> Answer {
    let s = |n: usize| if n == 1 { "" } else { "s" };
    Answer::text(match done {
        OwnerDone::Banned(user) => format!("<@{user}> draws with me nowhere any more."),
        OwnerDone::Unbanned(user) => format!("<@{user}> may draw with me again, where no other rule forbids it."),
        OwnerDone::Drained { n_left } => {
            format!("I take no new jobs. Jobs that wait or run: {n_left}; they go on. `/admin owner open` lets new ones in.")
        }
        OwnerDone::Opened => "I take jobs again.".to_owned(),
        OwnerDone::Reloaded { n_models, n_adapters } => {
            format!("I have looked at my files: {n_models} model{}, {n_adapters} adapter{}.", s(n_models), s(n_adapters))
        }
    })
}

/// The rules of a guild, or of all places.
pub fn draw_rules(done: DrawDone, rules: &[DrawRule], is_everywhere: bool, of_picture: f64) -> Answer {
    let mut lines: Vec<String> = match done {
        DrawDone::Nothing => None,
        DrawDone::Set => Some("Saved."),
        DrawDone::Removed(true) => Some("That rule is gone."),
        DrawDone::Removed(false) => Some("There was no such rule."),
    }
    .map(str::to_owned)
    .into_iter()
    .collect();
    let place = if is_everywhere { "in all places" } else { "in this server" };
    if rules.is_empty() {
        lines.push(format!("There are no rules of who may draw {place}: everybody may whom Discord lets use /imagine."));
    } else {
        lines.push(format!("These are the rules of who may draw {place}:"));
    }
    for rule in rules.iter().take(MAX_LINES) {
        lines.push(shorten(&format!("• {}: {}", subject_of(rule.subject), said_of(&rule.terms, of_picture)), MAX_LINE));
    }
    if rules.len() > MAX_LINES {
        lines.push(format!("• and {} more", rules.len() - MAX_LINES));
    }
    if rules.len() > 1 {
        lines.push("-# A channel's rule holds for all who draw there. Of the others the nearest counts: a person's, then those of their roles, then everybody's.".to_owned());
    }
    Answer::text(lines.join("\n"))
}

/// Whom or what a rule is about.
pub fn subject_of(subject: DrawSubject) -> String {
    match subject {
        DrawSubject::Everyone => "Everybody".to_owned(),
        DrawSubject::Channel(channel) => format!("<#{channel}>"),
        DrawSubject::Role(role) => format!("<@&{}>", role.0),
        DrawSubject::Person(user) => format!("<@{}>", user.0),
    }
}

/// What a rule says; nothing where it says nothing.
pub fn said_of(terms: &DrawTerms, of_picture: f64) -> String {
    let yes = |is_so: bool| if is_so { "yes" } else { "no" };
    let models = |names: &Vec<String>| match &names[..] {
        [] => "no models".to_owned(),
        names => format!("models {}", names.iter().map(|name| escape(name)).collect::<Vec<_>>().join(", ")),
    };
    let said = [
        terms.may_draw.map(|may_draw| format!("draw {}", yes(may_draw))),
        terms.models.as_ref().map(models),
        terms.row_megapixels.map(|most| {
            if of_picture > 0.0 {
                format!("most {} pictures", small(most / of_picture))
            } else {
                format!("most {} row-megapixels", small(most))
            }
        }),
        terms.pause.map(|pause| format!("pause {}", duration(pause))),
        terms.is_adult.map(|is_adult| format!("adult {}", yes(is_adult))),
    ];
    said.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Most channels, roles or models that a refusal names.
const MAX_NAMED: usize = 10;

/// Why somebody may not draw.
pub(super) fn refused(reason: &Reason) -> String {
    match reason {
        Reason::Closed => {
            "I take no new jobs just now: the person who runs me has closed the door. What is being drawn is finished.".to_owned()
        }
        Reason::BannedEverywhere => "You may not draw with me: the person who runs me decided that.".to_owned(),
        Reason::Banned => "You may not draw in this server: the people who manage it decided that.".to_owned(),
        Reason::ClosedHere => "Nobody may draw in this server just now: the people who manage it decided that.".to_owned(),
        Reason::Channel => "Nobody may draw in this channel: the people who manage this server decided that.".to_owned(),
        Reason::OtherChannels(channels) => {
            format!("In this server I draw only in {}: the people who manage it decided that.", named(channels, |id| format!("<#{id}>")))
        }
        Reason::Role(role) => format!("Who has the role <@&{role}> may not draw here: the people who manage this server decided that."),
        Reason::Roles(roles) => {
            format!("To draw here one needs the role {}: the people who manage this server decided that.", one_of(roles))
        }
        Reason::Model { model, allowed } if allowed.is_empty() => {
            format!("You may not draw with `{model}` here, nor with any other model: the rules of this place say so.")
        }
        Reason::Model { model, allowed } => {
            format!(
                "You may not draw with `{model}` here, but with {}: the rules of this place say so.",
                named(allowed, |name| format!("`{name}`"))
            )
        }
        Reason::Cost { cost, limit } => format!(
            "That takes {} row-megapixels, and one job of yours may take {} here. Fewer steps, pictures or pixels take less.",
            number(*cost),
            number(*limit)
        ),
        Reason::NotForAdults => {
            "That model draws what is for adults, so I draw with it only in channels that Discord shows to adults alone.".to_owned()
        }
        Reason::AdultsInDirect => {
            "That model draws what is for adults, so I do not draw with it in direct messages or where no server has added me.".to_owned()
        }
        Reason::NoAdults => "That model draws what is for adults, and the rules of this place forbid that.".to_owned(),
    }
}

fn named<T>(all: &[T], name: impl Fn(&T) -> String) -> String {
    let mut names: Vec<String> = all.iter().take(MAX_NAMED).map(name).collect();
    if all.len() > MAX_NAMED {
        names.push(format!("{} more", all.len() - MAX_NAMED));
    }
    listed(&names, "and")
}

fn listed(names: &[String], word: &str) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} {word} {last}", first.join(", ")),
    }
}

fn one_of(roles: &[u64]) -> String {
    let names: Vec<String> = roles.iter().take(MAX_NAMED).map(|role| format!("<@&{role}>")).collect();
    listed(&names, "or")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use storage::{EVERYWHERE, GuildId, RoleId, UserId};

    use super::*;

    #[test]
    fn rules_are_told_by_subject() {
        let rule = |subject, terms| DrawRule { guild: GuildId(1), subject, terms };
        let rules = [
            rule(
                DrawSubject::Everyone,
                DrawTerms { row_megapixels: Some(0.8), pause: Some(Duration::from_secs(30)), ..DrawTerms::default() },
            ),
            rule(DrawSubject::Channel(9), DrawTerms { may_draw: Some(true), is_adult: Some(false), ..DrawTerms::default() }),
            rule(DrawSubject::Role(RoleId(7)), DrawTerms { models: Some(vec!["a_b".into(), "c".into()]), ..DrawTerms::default() }),
            rule(DrawSubject::Person(UserId(5)), DrawTerms { may_draw: Some(false), models: Some(Vec::new()), ..DrawTerms::default() }),
        ];
        assert_eq!(
            draw_rules(DrawDone::Set, &rules, false, 0.2).content,
            "Saved.\nThese are the rules of who may draw in this server:\n• Everybody: most 4 pictures, pause 30 s\n• <#9>: draw yes, adult no\n\
             • <@&7>: models a\\_b, c\n• <@5>: draw no, no models\n\
             -# A channel's rule holds for all who draw there. Of the others the nearest counts: a person's, then those of their roles, then everybody's."
        );
        let none = draw_rules(DrawDone::Removed(false), &[], true, 0.2).content;
        assert!(none.starts_with("There was no such rule.\nThere are no rules of who may draw in all places"), "{none}");
    }

    #[test]
    fn however_many_there_are_a_message_holds_them() {
        let terms = DrawTerms { models: Some(vec!["*".repeat(500)]), ..DrawTerms::default() };
        let all: Vec<DrawRule> = (0..500)
            .map(|n| DrawRule { guild: EVERYWHERE, subject: DrawSubject::Person(UserId(u64::MAX - n)), terms: terms.clone() })
            .collect();
        let told = draw_rules(DrawDone::Set, &all, true, 0.2).content;
        assert!(told.contains("\n• and 480 more\n") && told.chars().count() <= 2000, "{}", told.chars().count());
    }

    #[test]
    fn a_refusal_names_so_many_and_no_more() {
        let roles: Vec<u64> = (0..500).map(|n| u64::MAX - n).collect();
        for reason in [Reason::Roles(roles.clone()), Reason::OtherChannels(roles)] {
            assert!(refused(&reason).chars().count() < 500);
        }
    }
}
