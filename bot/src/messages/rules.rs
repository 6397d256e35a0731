//! What a guild's managers allow, as they see it: in pictures.

use storage::{Limits, Period, QuotaOf, QuotaRule, QuotaStatus, Subject};

use super::{
    quota::{Terms, pictures, small},
    words::relative,
};
use crate::answer::Answer;

/// Subjects that are listed; a message ends somewhere.
const MAX_LINES: usize = 25;

/// What was done before the rules are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// Nothing.
    Nothing,
    /// A rule was set.
    Set,
    /// Rules were taken away; whether there were any.
    Removed(bool),
    /// What was used counts no more.
    Forgiven(Subject),
}

/// The rules of a guild, and what the host allows it at most.
pub fn rules(done: Done, rules: &[QuotaRule], limits: &Limits, terms: Terms<'_>) -> Answer {
    let Terms { of_picture, time_zone, .. } = terms;
    let mut lines = match done {
        Done::Nothing => Vec::new(),
        Done::Set => vec!["Saved.".to_owned()],
        Done::Removed(true) => vec!["That limit is gone.".to_owned()],
        Done::Removed(false) => vec!["There was no such limit.".to_owned()],
        Done::Forgiven(Subject::Person(user)) => vec![format!("What <@{}> has used here counts no more.", user.0)],
        Done::Forgiven(_) => vec!["What all here have used together counts no more.".to_owned()],
    };
    let mut subjects: Vec<Subject> = rules.iter().map(|rule| rule.subject).collect();
    subjects.dedup();
    if subjects.is_empty() {
        lines.push("This server has no limits of its own.".to_owned());
    } else {
        lines.push("This is what may be drawn here, in pictures of the usual size:".to_owned());
    }
    for subject in subjects.iter().take(MAX_LINES) {
        let of_subject = rules.iter().filter(|rule| rule.subject == *subject);
        let amounts = of_subject.map(|rule| amount(rule, of_picture)).collect::<Vec<_>>().join(", ");
        lines.push(format!("• {}: {amounts}", named(*subject)));
    }
    if subjects.len() > MAX_LINES {
        lines.push(format!("• and {} more", subjects.len() - MAX_LINES));
    }
    if subjects.iter().any(|subject| matches!(subject, Subject::Role(_) | Subject::Person(_))) {
        lines.push(
            "-# A person's own limit stands before those of their roles, of which the most generous counts, and these before that of each person."
                .to_owned(),
        );
    }
    let of_host = [(limits.monthly_row_megapixels, "a month")];
    let of_host =
        of_host.iter().filter_map(|(limit, time)| Some(format!(" and {} {time}", pictures((*limit)?, of_picture)))).collect::<String>();
    lines.push(format!(
        "-# The person who runs me allows this server {} a day{of_host}. Days and months begin at 00:00 {time_zone}; a picture of the usual size takes {} row-megapixels.",
        pictures(limits.daily_row_megapixels, of_picture),
        small(of_picture)
    ));
    Answer::text(lines.join("\n"))
}

/// What a person and their guild have left in it.
pub fn left_of(user: u64, quotas: &[(QuotaOf, QuotaStatus)], of_picture: f64) -> Answer {
    let line = |(of, quota): &(QuotaOf, QuotaStatus)| {
        let who = match of {
            QuotaOf::Member => format!("<@{user}> has"),
            QuotaOf::Guild => "All here together have".to_owned(),
            QuotaOf::User | QuotaOf::Host => return None,
        };
        let [left, all, carried] = [quota.left(), quota.limit, quota.carried].map(|value| pictures(value, of_picture));
        let (time, before) = match quota.period {
            Period::Day => ("today", "yesterday"),
            Period::Month => ("this month", "last month"),
        };
        let before = if carried > 0 { format!(", {carried} of them left from {before}") } else { String::new() };
        Some(format!("• {who} {left} of {all} pictures left for {time}{before}; new ones come {}.", relative(quota.resets)))
    };
    let mut lines: Vec<String> = quotas.iter().filter_map(line).collect();
    if !quotas.iter().any(|(of, _)| *of == QuotaOf::Member) {
        lines.push(format!("• <@{user}> has no limit of their own here."));
    }
    Answer::text(lines.join("\n"))
}

fn named(subject: Subject) -> String {
    match subject {
        Subject::Guild => "All here together".to_owned(),
        Subject::Everyone => "Each person".to_owned(),
        Subject::Role(role) => format!("Each person with <@&{}>", role.0),
        Subject::Person(user) => format!("<@{}>", user.0),
    }
}

fn amount(rule: &QuotaRule, of_picture: f64) -> String {
    let time = match rule.period {
        Period::Day => "a day",
        Period::Month => "a month",
    };
    let n_pictures = match pictures(rule.row_megapixels, of_picture) {
        // What is less than a picture is still more than nothing.
        0 if rule.row_megapixels > 0.0 && of_picture > 0.0 => small(rule.row_megapixels / of_picture),
        n => n.to_string(),
    };
    let carried = match pictures(rule.carry_over, of_picture) {
        0 => String::new(),
        n => format!(" (of what is left, {n} go over)"),
    };
    format!("{n_pictures} {time}{carried}")
}

#[cfg(test)]
mod tests {
    use storage::{RoleId, Timestamp, UserId};

    use super::*;

    const LIMITS: Limits = Limits {
        daily_row_megapixels: 100.0,
        daily_row_megapixels_per_user: None,
        daily_row_megapixels_host: None,
        monthly_row_megapixels: Some(1000.0),
        monthly_row_megapixels_per_user: None,
        monthly_row_megapixels_host: None,
        is_relax_free: false,
        max_active_per_user: 1,
        max_queued_per_guild: 1,
        max_queued: 1,
    };

    const TERMS: Terms<'static> = Terms { of_picture: 0.2, time_zone: "UTC", is_relax_free: false };

    fn daily(subject: Subject, row_megapixels: f64) -> QuotaRule {
        QuotaRule { subject, period: Period::Day, row_megapixels, carry_over: 0.0 }
    }

    #[test]
    fn rules_are_told_by_subject_in_pictures() {
        let all = [
            QuotaRule { carry_over: 2.0, ..daily(Subject::Guild, 10.0) },
            QuotaRule { period: Period::Month, ..daily(Subject::Guild, 80.0) },
            daily(Subject::Everyone, 1.0),
            daily(Subject::Role(RoleId(71)), 4.0),
            daily(Subject::Person(UserId(5)), 0.0),
            daily(Subject::Person(UserId(6)), 0.1),
        ];
        assert_eq!(
            rules(Done::Set, &all, &LIMITS, Terms { time_zone: "Europe/Berlin", ..TERMS }).content,
            "Saved.\nThis is what may be drawn here, in pictures of the usual size:\n\
             • All here together: 50 a day (of what is left, 10 go over), 400 a month\n\
             • Each person: 5 a day\n\
             • Each person with <@&71>: 20 a day\n\
             • <@5>: 0 a day\n\
             • <@6>: 0.5 a day\n\
             -# A person's own limit stands before those of their roles, of which the most generous counts, and these before that of each person.\n\
             -# The person who runs me allows this server 500 a day and 5000 a month. Days and months begin at 00:00 Europe/Berlin; \
             a picture of the usual size takes 0.2 row-megapixels."
        );
        let none = rules(Done::Removed(false), &[], &Limits { monthly_row_megapixels: None, ..LIMITS }, TERMS).content;
        assert!(none.starts_with("There was no such limit.\nThis server has no limits of its own.\n-# The person who runs me"), "{none}");
        assert!(none.contains("allows this server 500 a day. Days"), "{none}");
    }

    #[test]
    fn however_many_there_are_a_message_holds_them() {
        let all: Vec<QuotaRule> = (0..500).map(|n| daily(Subject::Person(UserId(u64::MAX - n)), 1e9)).collect();
        let terms = Terms { of_picture: 1e-4, time_zone: "America/Argentina/ComodRivadavia", ..TERMS };
        let told = rules(Done::Forgiven(Subject::Guild), &all, &LIMITS, terms).content;
        assert!(told.contains("\n• and 475 more\n") && told.chars().count() <= 2000, "{}", told.len());
    }

    #[test]
    fn a_manager_sees_what_is_left_here_and_nothing_of_other_places() {
        let status = QuotaStatus { used: 0.4, limit: 1.4, carried: 0.4, period: Period::Day, resets: Timestamp(86_400_000) };
        let told = left_of(5, &[(QuotaOf::Member, status), (QuotaOf::User, status), (QuotaOf::Host, status)], 0.2).content;
        assert_eq!(told, "• <@5> has 5 of 7 pictures left for today, 2 of them left from yesterday; new ones come <t:86400:R>.");
        let told = left_of(5, &[(QuotaOf::Guild, QuotaStatus { carried: 0.0, period: Period::Month, ..status })], 0.2).content;
        assert_eq!(
            told,
            "• All here together have 5 of 7 pictures left for this month; new ones come <t:86400:R>.\n• <@5> has no limit of their own here."
        );
    }
}
