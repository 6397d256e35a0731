//! `/settings`: a panel of what a person chose for their prompts. With options, a guild's managers lower its limits and say what its members see.

use storage::{GuildSettings, Period, QuotaRule, Subject, Tier};

use super::Context;
use crate::{
    buttons::{custom_id::Whose, panel, presser::Presser},
    error::BotError,
    messages::{self, UserError},
};

/// What the options are described by where a picture's cost is known; the library's attributes cannot say it.
pub(super) fn descriptions(of_picture: f64) -> [(&'static str, String); 2] {
    let unit = format!("in row-megapixels (a usual picture: {})", messages::small(of_picture));
    [
        ("daily_quota", format!("What all here may draw a day, {unit}; 0 forbids drawing")),
        ("daily_quota_per_person", format!("What each person may draw of it, {unit}; 0 for no share")),
    ]
}

/// How jobs of a guild may take their turns.
#[derive(Clone, Copy, Debug, poise::ChoiceParameter)]
enum Speeds {
    #[name = "both"]
    Both,
    #[name = "fast"]
    Fast,
    #[name = "relax"]
    Relax,
}

impl Speeds {
    fn only(self) -> Option<Tier> {
        match self {
            Self::Both => None,
            Self::Fast => Some(Tier::Fast),
            Self::Relax => Some(Tier::Relax),
        }
    }
}

/// Choose what your prompts are drawn with; managers: with options, what this server may draw
#[poise::command(slash_command, install_context = "Guild|User", interaction_context = "Guild|BotDm|PrivateChannel")]
pub async fn settings(
    ctx: Context<'_>,
    #[description = "What all here may draw a day, in row-megapixels; 0 forbids drawing"] daily_quota: Option<f64>,
    #[description = "Jobs that one person may have at once"] jobs_at_once: Option<u32>,
    #[description = "Whether /history may show everybody's pictures"] history_everyone: Option<bool>,
    #[description = "What each person here may draw a day of it, in row-megapixels; 0 for no share of their own"]
    daily_quota_per_person: Option<f64>,
    #[description = "Whether jobs here may be fast, relaxed (others go first), or both"] speeds: Option<Speeds>,
) -> Result<(), BotError> {
    let app = ctx.data();
    let is_changed = daily_quota.is_some()
        || jobs_at_once.is_some()
        || history_everyone.is_some()
        || daily_quota_per_person.is_some()
        || speeds.is_some();
    if !is_changed {
        return open(ctx).await;
    }
    let guild = super::managed_guild(ctx.interaction)?;
    let host = &app.config.limits;
    if let Some(daily) = daily_quota {
        if !daily.is_finite() || daily < 0.0 {
            return Err(UserError::SettingOutOfRange { name: "daily_quota", min: 0 }.into());
        }
        if daily > host.daily_row_megapixels {
            return Err(UserError::SettingTooHigh { name: "daily_quota", max: host.daily_row_megapixels.to_string() }.into());
        }
    }
    if let Some(active) = jobs_at_once {
        if active == 0 {
            return Err(UserError::SettingOutOfRange { name: "jobs_at_once", min: 1 }.into());
        }
        if active > host.max_active_per_user {
            return Err(UserError::SettingTooHigh { name: "jobs_at_once", max: host.max_active_per_user.to_string() }.into());
        }
    }
    if daily_quota_per_person.is_some_and(|share| !share.is_finite() || share < 0.0) {
        return Err(UserError::SettingOutOfRange { name: "daily_quota_per_person", min: 0 }.into());
    }
    let old = app.jobs.guild_settings(guild).await?;
    let new = GuildSettings {
        max_active_per_user: jobs_at_once.or(old.max_active_per_user),
        shares_history: history_everyone.or(old.shares_history),
        only_tier: speeds.map_or(old.only_tier, Speeds::only),
    };
    app.jobs.set_guild_settings(guild, new).await?;
    let now = app.clock.now();
    for (subject, row_megapixels) in [(Subject::Guild, daily_quota), (Subject::Everyone, daily_quota_per_person)] {
        match row_megapixels {
            None => {}
            Some(0.0) if subject == Subject::Everyone => {
                app.jobs.remove_quota_rule(guild, subject, Period::Day).await?;
            }
            Some(row_megapixels) => {
                let rules = app.jobs.quota_rules(guild).await?;
                let old = rules.iter().find(|rule| (rule.subject, rule.period) == (subject, Period::Day));
                let carry_over = old.map_or(0.0, |old| old.carry_over);
                app.jobs.set_quota_rule(guild, &QuotaRule { subject, period: Period::Day, row_megapixels, carry_over }, now).await?;
            }
        }
    }
    let limits = app.door.limits(guild, super::user_id(ctx.interaction.user.id)).await?;
    let rules = app.jobs.quota_rules(guild).await?;
    let settings = app.jobs.guild_settings(guild).await?;
    let answer =
        messages::settings(messages::Chosen { limits: &limits, rules: &rules, settings, is_changed }, app.models.cost_of_picture());
    super::tell(ctx, &answer).await;
    Ok(())
}

/// Shows the caller's panel.
async fn open(ctx: Context<'_>) -> Result<(), BotError> {
    let app = ctx.data();
    let presser = Presser::of_command(ctx.interaction);
    app.looks.take(presser.user, app.clock.now())?;
    let answer = panel::panel(&presser, app, Whose::Mine).await?;
    super::tell(ctx, &answer).await;
    Ok(())
}
