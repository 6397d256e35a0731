//! What may be spent, and what a guild's managers chose: in pictures, which people count in, and in row-megapixels, which are exact.

use storage::{GuildSettings, Limits, Period, QuotaOf, QuotaRule, QuotaStatus, Subject, Tier};

use super::words::{bar, number, relative};
use crate::answer::Answer;

/// What a quota is told with.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// What a picture of the usual size costs.
    pub of_picture: f64,
    /// Where days and months begin.
    pub time_zone: &'a str,
    /// Whether relaxed jobs are there and take nothing.
    pub is_relax_free: bool,
}

/// What is left of this day and this month, of everything that bounds a person; the least first.
pub fn quota(quotas: &[(QuotaOf, QuotaStatus)], terms: Terms<'_>) -> Answer {
    let Terms { of_picture, time_zone, is_relax_free } = terms;
    let Some(((of, quota), others)) = quotas.split_first() else { return Answer::text("There is no limit here.") };
    let left = quota.left();
    let n_left = pictures(left, of_picture);
    let are_left = match n_left {
        0 => "No picture of the usual size is left".to_owned(),
        1 => "About 1 picture of the usual size is left".to_owned(),
        n => format!("About {n} pictures of the usual size are left"),
    };
    let mut text = format!(
        "{} {are_left} {} {} (of {}{}).\n",
        bar((left * 1000.0) as u32, (quota.limit * 1000.0) as u32),
        when(quota.period),
        whose(*of),
        pictures(quota.limit, of_picture),
        before(quota, of_picture).map_or(String::new(), |before| format!(", {before}"))
    );
    if !others.is_empty() {
        let more = |(of, quota): &(QuotaOf, QuotaStatus)| {
            let [left, all] = [quota.left(), quota.limit].map(|value| pictures(value, of_picture));
            let before = before(quota, of_picture).map_or(String::new(), |before| format!(" ({before})"));
            format!("{left} of {all} {} {}{before}", when(quota.period), whose(*of))
        };
        text.push_str(&format!("-# That is the least; there are also {}.\n", others.iter().map(more).collect::<Vec<_>>().join(", ")));
    }
    let resets = |period: Period| quotas.iter().find(|(_, quota)| quota.period == period).map(|(_, quota)| relative(quota.resets));
    match (resets(Period::Day), resets(Period::Month)) {
        (Some(day), Some(month)) => {
            text.push_str(&format!("A new day begins {day} and a new month {month}, at 00:00 {time_zone}.\n"));
        }
        (day, month) => {
            text.push_str(&format!("New ones come {}, at 00:00 {time_zone}.\n", day.or(month).unwrap_or_default()));
        }
    }
    text.push_str(&format!(
        "-# In row-megapixels: {} of {}; a picture of the usual size takes {}.",
        exact(left),
        exact(quota.limit),
        small(of_picture)
    ));
    if is_relax_free {
        text.push_str("\n-# Relaxed jobs (`--relax`, /relax) take nothing of it: others go first.");
    }
    Answer::text(text)
}

/// How many pictures of a quota were left before.
fn before(quota: &QuotaStatus, of_picture: f64) -> Option<String> {
    let before = match quota.period {
        Period::Day => "yesterday",
        Period::Month => "last month",
    };
    let n_carried = pictures(quota.carried, of_picture);
    (n_carried > 0).then(|| format!("{n_carried} of them left from {before}"))
}

fn when(period: Period) -> &'static str {
    match period {
        Period::Day => "today",
        Period::Month => "this month",
    }
}

fn whose(quota: QuotaOf) -> &'static str {
    match quota {
        QuotaOf::Guild => "here",
        QuotaOf::Member => "for you here",
        QuotaOf::User => "for you in all places together",
        QuotaOf::Host => "for everybody together",
    }
}

/// What a guild's managers chose, within the host's limits.
#[derive(Clone, Copy, Debug)]
pub struct Chosen<'a> {
    /// The host's limits.
    pub limits: &'a Limits,
    /// The guild's rules.
    pub rules: &'a [QuotaRule],
    /// Its other settings.
    pub settings: GuildSettings,
    /// Whether any of it was changed just now.
    pub is_changed: bool,
}

/// A guild's settings as they are now. `of_picture` is what a picture of the usual size costs.
pub fn settings(chosen: Chosen<'_>, of_picture: f64) -> Answer {
    let Chosen { limits, rules, settings, is_changed } = chosen;
    let quota = |row_megapixels: f64| match pictures(row_megapixels, of_picture) {
        0 => "no picture of the usual size".to_owned(),
        1 => "about 1 picture of the usual size".to_owned(),
        n => format!("about {n} pictures of the usual size"),
    };
    let rule = |subject: Subject| {
        let rule = rules.iter().find(|rule| rule.subject == subject && rule.period == Period::Day);
        rule.map(|rule| rule.row_megapixels)
    };
    let daily = rule(Subject::Guild).map_or(limits.daily_row_megapixels, |own| own.min(limits.daily_row_megapixels));
    let share = rule(Subject::Everyone);
    let lines = [
        if is_changed { "Saved. This is how it is now:" } else { "This is how it is now:" }.to_owned(),
        format!("• This server has {} a day (`daily_quota`).", quota(daily)),
        format!(
            "• Each person here has {} (`daily_quota_per_person`).",
            share.map_or_else(|| "no share of their own".to_owned(), |share| format!("{} of them", quota(share)))
        ),
        format!("• One person may have {} at once (`jobs_at_once`).", jobs(limits.max_active_per_user)),
        format!(
            "• /history shows {} (`history_everyone`).",
            if settings.shares_history.unwrap_or(true) { "everybody's pictures too" } else { "one's own pictures only" }
        ),
        format!(
            "• Jobs are {} (`speeds`).",
            match settings.only_tier {
                None => "fast or relaxed, as people wish",
                Some(Tier::Fast) => "always fast",
                Some(Tier::Relax) => "always relaxed",
            }
        ),
        format!(
            "-# In row-megapixels: `daily_quota` {}, `daily_quota_per_person` {}; a picture of the usual size takes {}.",
            exact(daily),
            share.map_or_else(|| "none".to_owned(), exact),
            small(of_picture)
        ),
    ];
    Answer::text(lines.join("\n"))
}

fn jobs(n: u32) -> String {
    if n == 1 { "1 job".to_owned() } else { format!("{n} jobs") }
}

/// How many pictures of the usual size that is.
pub(super) fn pictures(row_megapixels: f64, of_picture: f64) -> u64 {
    // What is as much as some pictures is not less by a rounding.
    if of_picture > 0.0 { (row_megapixels / of_picture + 1e-6).floor() as u64 } else { 0 }
}

/// Row-megapixels: what is little is not rounded to nothing.
pub(super) fn exact(row_megapixels: f64) -> String {
    if row_megapixels < 1.0 { small(row_megapixels) } else { number(row_megapixels) }
}

/// A small number with two digits that say something.
pub fn small(value: f64) -> String {
    let decimals = if value >= 10.0 || value <= 0.0 { 0 } else { (1 - value.log10().floor() as i32).clamp(0, 6) as usize };
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use storage::Timestamp;

    use super::*;

    fn status(used: f64, limit: f64) -> QuotaStatus {
        QuotaStatus { used, limit, carried: 0.0, period: Period::Day, resets: Timestamp(86_400_000) }
    }

    #[test]
    fn what_is_left_is_said_in_pictures_first_and_exactly_in_small() {
        for (quotas, expected) in [
            (vec![], "There is no limit here."),
            (
                vec![(QuotaOf::Guild, status(2.6, 10.0))],
                "`███████░░░` About 37 pictures of the usual size are left today here (of 50).\nNew ones come <t:86400:R>, at 00:00 UTC.\n\
                 -# In row-megapixels: 7.4 of 10; a picture of the usual size takes 0.2.",
            ),
            (
                vec![(QuotaOf::Member, status(0.7, 1.0)), (QuotaOf::Host, status(0.0, 400.0))],
                "`███░░░░░░░` About 1 picture of the usual size is left today for you here (of 5).\n\
                 -# That is the least; there are also 2000 of 2000 today for everybody together.\nNew ones come <t:86400:R>, at 00:00 UTC.\n\
                 -# In row-megapixels: 0.3 of 1; a picture of the usual size takes 0.2.",
            ),
            (
                vec![(QuotaOf::User, status(1.0, 1.0))],
                "`░░░░░░░░░░` No picture of the usual size is left today for you in all places together (of 5).\nNew ones come <t:86400:R>, at 00:00 UTC.\n\
                 -# In row-megapixels: 0 of 1; a picture of the usual size takes 0.2.",
            ),
            (
                vec![
                    (QuotaOf::Member, QuotaStatus { carried: 0.4, ..status(0.4, 1.4) }),
                    (
                        QuotaOf::Guild,
                        QuotaStatus { period: Period::Month, resets: Timestamp(172_800_000), carried: 2.0, ..status(5.0, 10.0) },
                    ),
                ],
                "`███████░░░` About 5 pictures of the usual size are left today for you here (of 7, 2 of them left from yesterday).\n\
                 -# That is the least; there are also 25 of 50 this month here (10 of them left from last month).\n\
                 A new day begins <t:86400:R> and a new month <t:172800:R>, at 00:00 UTC.\n\
                 -# In row-megapixels: 1 of 1.4; a picture of the usual size takes 0.2.",
            ),
        ] {
            let terms = Terms { of_picture: 0.2, time_zone: "UTC", is_relax_free: false };
            let told = quota(&quotas, terms).content;
            assert_eq!(told, expected);
            let free = quota(&quotas, Terms { is_relax_free: true, ..terms }).content;
            assert_eq!(free.strip_prefix(&told).is_some_and(|more| more.contains("take nothing of it")), !quotas.is_empty());
        }
    }

    #[test]
    fn settings_are_sentences_with_the_names_of_their_options() {
        let limits = Limits {
            daily_row_megapixels: 10.0,
            daily_row_megapixels_per_user: None,
            daily_row_megapixels_host: None,
            monthly_row_megapixels: None,
            monthly_row_megapixels_per_user: None,
            monthly_row_megapixels_host: None,
            is_relax_free: false,
            max_active_per_user: 1,
            max_queued_per_guild: 1,
            max_queued: 1,
        };
        let rule = |subject, row_megapixels| QuotaRule { subject, period: Period::Day, row_megapixels, carry_over: 0.0 };
        let rules = [rule(Subject::Everyone, 0.2), QuotaRule { period: Period::Month, ..rule(Subject::Guild, 3.0) }];
        let told = settings(Chosen { limits: &limits, rules: &rules, settings: GuildSettings::default(), is_changed: true }, 0.2).content;
        assert_eq!(
            told,
            "Saved. This is how it is now:\n\
             • This server has about 50 pictures of the usual size a day (`daily_quota`).\n\
             • Each person here has about 1 picture of the usual size of them (`daily_quota_per_person`).\n\
             • One person may have 1 job at once (`jobs_at_once`).\n\
             • /history shows everybody's pictures too (`history_everyone`).\n\
             • Jobs are fast or relaxed, as people wish (`speeds`).\n\
             -# In row-megapixels: `daily_quota` 10, `daily_quota_per_person` 0.2; a picture of the usual size takes 0.2."
        );
        let relaxed = GuildSettings { shares_history: Some(false), only_tier: Some(Tier::Relax), ..GuildSettings::default() };
        let none =
            settings(Chosen { limits: &limits, rules: &[rule(Subject::Guild, 400.0)], settings: relaxed, is_changed: false }, 0.2).content;
        assert!(none.starts_with("This is how it is now:") && none.contains("Each person here has no share of their own ("), "{none}");
        assert!(none.contains("This server has about 50 pictures of the usual size a day"), "never more than the host allows: {none}");
        assert!(none.contains("one's own pictures only") && none.contains("Jobs are always relaxed (`speeds`)."), "{none}");
    }

    #[test]
    fn small_numbers_keep_two_digits() {
        for (value, expected) in [(0.049_152, "0.049"), (0.2, "0.2"), (1.0, "1"), (6.5536, "6.6"), (13.4, "13"), (0.0, "0"), (0.5, "0.5")] {
            assert_eq!(small(value), expected);
        }
    }
}
