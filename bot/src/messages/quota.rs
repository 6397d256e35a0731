//! What may be spent, and what a guild's managers chose.

use storage::{Limits, QuotaOf, QuotaStatus};

use super::words::{bar, number, relative};
use crate::answer::Answer;

/// What is left of a day, of everything that bounds a person; the least first.
pub fn quota(quotas: &[(QuotaOf, QuotaStatus)], cost_of_default: f64) -> Answer {
    let Some(((of, quota), others)) = quotas.split_first() else { return Answer::text("There is no limit here.") };
    let left = quota.left();
    let jobs = if cost_of_default > 0.0 { (left / cost_of_default).floor() } else { 0.0 };
    let mut text = format!(
        "{} {} of {} row-megapixels are left {} for today: about {} more /imagine with the usual settings.\n",
        bar((left * 1000.0) as u32, (quota.limit * 1000.0) as u32),
        number(left),
        number(quota.limit),
        whose(*of),
        number(jobs),
    );
    if !others.is_empty() {
        let others: Vec<_> =
            others.iter().map(|(of, quota)| format!("{} of {} {}", number(quota.left()), number(quota.limit), whose(*of))).collect();
        text.push_str(&format!("-# That is the least; there are also {}.\n", others.join(", ")));
    }
    text.push_str(&format!(
        "-# New ones come {}. A row-megapixel is one pass of the network over a million pixels.",
        relative(quota.resets)
    ));
    Answer::text(text)
}

fn whose(quota: QuotaOf) -> &'static str {
    match quota {
        QuotaOf::Guild => "here",
        QuotaOf::Member => "for you here",
        QuotaOf::User => "for you in all places together",
        QuotaOf::Host => "for everybody together",
    }
}

/// A guild's settings as they are now.
pub fn settings(limits: &Limits, shares_history: bool, is_changed: bool) -> Answer {
    let share = limits.daily_row_megapixels_per_member.map_or("0 (no share of their own)".to_owned(), number);
    Answer::text(format!(
        "{}: `daily_quota` {} row-megapixels a day for this server, `daily_quota_per_person` {share}, `jobs_at_once` {} for each person, \
         `history_everyone` {shares_history}.",
        if is_changed { "Saved" } else { "Now" },
        number(limits.daily_row_megapixels),
        limits.max_active_per_user
    ))
}
