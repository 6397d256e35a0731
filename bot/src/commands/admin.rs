//! `/admin`: what a guild's managers allow each other, and see of it.

pub(crate) mod audit;
mod draw;
mod owner;
mod who;
mod words;

use poise::serenity_prelude as serenity;
use storage::{AuditEntry, GuildId, Period, QuotaRule, RoleId, Spender, Subject, UserId};

use super::Context;
use crate::{
    answer::Answer,
    error::BotError,
    messages::{self, Done, UserError},
    policy::book::Noted,
};

/// How long a limit lasts.
#[derive(Clone, Copy, Debug, poise::ChoiceParameter)]
enum Per {
    #[name = "day"]
    Day,
    #[name = "month"]
    Month,
}

impl Per {
    fn period(self) -> Period {
        match self {
            Self::Day => Period::Day,
            Self::Month => Period::Month,
        }
    }
}

/// Whom a limit is about where it is about nobody in particular.
#[derive(Clone, Copy, Debug, PartialEq, Eq, poise::ChoiceParameter)]
enum Whom {
    #[name = "each person"]
    Each,
    #[name = "all here together"]
    All,
}

/// What begins anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, poise::ChoiceParameter)]
enum What {
    #[name = "the limit: it is taken away"]
    Limit,
    #[name = "what was used: it counts no more"]
    Used,
}

/// For the people who manage this server
#[poise::command(
    slash_command,
    guild_only,
    subcommand_required,
    subcommands("quota", "draw::draw", "words::words", "words::moderators", "audit::audit", "owner::owner"),
    install_context = "Guild",
    interaction_context = "Guild",
    default_member_permissions = "MANAGE_GUILD"
)]
pub async fn admin(_: Context<'_>) -> Result<(), BotError> {
    Ok(())
}

/// Writes a change into the book.
async fn note(ctx: Context<'_>, guild: GuildId, noted: &Noted) -> Result<(), BotError> {
    let (app, user) = (ctx.data(), super::user_id(ctx.interaction.user.id));
    tracing::info!(guild.id = guild.0, user.id = user.0, what = ?noted, "a rule was changed");
    let entry = AuditEntry { guild, user, at: app.clock.now(), is_change: true, what: serde_json::to_value(noted)? };
    Ok(app.jobs.note_audit(&entry).await?)
}

/// What may be drawn here in a day or a month
#[poise::command(slash_command, guild_only, subcommand_required, subcommands("set", "show", "reset"))]
async fn quota(_: Context<'_>) -> Result<(), BotError> {
    Ok(())
}

/// Say how much a person, each with a role, each person or all together may draw here
#[poise::command(slash_command, guild_only)]
async fn set(
    ctx: Context<'_>,
    #[description = "Pictures of the usual size; 0 forbids drawing"] limit: f64,
    #[description = "In which time; a day if you do not say"] period: Option<Per>,
    #[description = "One person"] person: Option<serenity::UserId>,
    #[description = "Each person with a role"] role: Option<serenity::RoleId>,
    #[description = "Each person, or all here together; each if you name nobody"] whom: Option<Whom>,
    #[description = "Of what is left at the end, so many pictures at most go over into the next day or month"] carry_over: Option<f64>,
) -> Result<(), BotError> {
    let (app, guild) = (ctx.data(), super::managed_guild(ctx.interaction)?);
    let subject = subject(guild, person, role, whom)?;
    let period = period.map_or(Period::Day, Per::period);
    let of_picture = app.models.cost_of_picture();
    if of_picture <= 0.0 {
        return Err(UserError::NoUsualPicture.into());
    }
    let carry_over = carry_over.unwrap_or(0.0);
    for (name, value) in [("limit", limit), ("carry_over", carry_over)] {
        if !value.is_finite() || value < 0.0 {
            return Err(UserError::SettingOutOfRange { name, min: 0 }.into());
        }
    }
    let limits = app.door.limits(guild, super::user_id(ctx.interaction.user.id)).await?;
    let most = match period {
        Period::Day => limits.daily_row_megapixels,
        Period::Month => limits.monthly_row_megapixels.unwrap_or(f64::INFINITY),
    };
    if subject == Subject::Guild && limit * of_picture > most {
        let max = format!("{:.0} pictures of the usual size", (most / of_picture).floor());
        return Err(UserError::SettingTooHigh { name: "limit", max }.into());
    }
    // More than a whole limit never goes over.
    let rule = QuotaRule { subject, period, row_megapixels: limit * of_picture, carry_over: carry_over.min(limit) * of_picture };
    app.jobs.set_quota_rule(guild, &rule, app.clock.now()).await?;
    tracing::info!(
        guild.id = guild.0,
        user.id = ctx.interaction.user.id.get(),
        subject = ?subject,
        period = ?period,
        row_megapixels = rule.row_megapixels,
        carry_over = rule.carry_over,
        "a quota was set"
    );
    tell_rules(ctx, guild, Done::Set).await
}

/// See what may be drawn here, and what a person has left
#[poise::command(slash_command, guild_only)]
async fn show(
    ctx: Context<'_>,
    #[description = "Somebody whose limit you want to see too"] person: Option<serenity::UserId>,
) -> Result<(), BotError> {
    let (app, guild) = (ctx.data(), super::managed_guild(ctx.interaction)?);
    app.looks.take(super::user_id(ctx.interaction.user.id), app.clock.now())?;
    let Some(person) = person else { return tell_rules(ctx, guild, Done::Nothing).await };
    let member = ctx.interaction.data.resolved.members.get(&person);
    let roles = member.map_or_else(Vec::new, |member| member.roles.iter().map(|role| RoleId(role.get())).collect());
    let spender = Spender { guild, user: super::user_id(person), roles };
    let limits = app.door.limits(guild, spender.user).await?;
    let quotas = app.jobs.quotas(&spender, &limits, app.clock.now()).await?;
    let left = messages::left_of(person.get(), &quotas, app.models.cost_of_picture());
    let rules = rules(ctx, guild, Done::Nothing).await?;
    super::tell(ctx, &Answer::text(format!("{}\n{}", left.content, rules.content))).await;
    Ok(())
}

/// Take a limit away, or let what was used count no more
#[poise::command(slash_command, guild_only)]
async fn reset(
    ctx: Context<'_>,
    #[description = "What begins anew"] what: What,
    #[description = "In which time; both if you do not say"] period: Option<Per>,
    #[description = "One person"] person: Option<serenity::UserId>,
    #[description = "Each person with a role"] role: Option<serenity::RoleId>,
    #[description = "Each person, or all here together; each if you name nobody"] whom: Option<Whom>,
) -> Result<(), BotError> {
    let (app, guild) = (ctx.data(), super::managed_guild(ctx.interaction)?);
    let subject = subject(guild, person, role, whom)?;
    let of = match subject {
        Subject::Person(user) => Some(user),
        Subject::Guild => None,
        Subject::Everyone | Subject::Role(_) if what == What::Used => return Err(UserError::CountedByPerson.into()),
        Subject::Everyone | Subject::Role(_) => None,
    };
    let periods = period.map_or_else(|| vec![Period::Day, Period::Month], |period| vec![period.period()]);
    let mut done = if what == What::Limit { Done::Removed(false) } else { Done::Forgiven(subject) };
    for period in periods {
        match what {
            What::Limit if app.jobs.remove_quota_rule(guild, subject, period).await? => done = Done::Removed(true),
            What::Limit => {}
            What::Used => {
                app.jobs.forgive(guild, of, period, app.clock.now()).await?;
            }
        }
    }
    tracing::info!(
        guild.id = guild.0,
        user.id = ctx.interaction.user.id.get(),
        subject = ?subject,
        period = ?period,
        what = ?what,
        "a quota was reset"
    );
    tell_rules(ctx, guild, done).await
}

async fn tell_rules(ctx: Context<'_>, guild: GuildId, done: Done) -> Result<(), BotError> {
    let answer = rules(ctx, guild, done).await?;
    super::tell(ctx, &answer).await;
    Ok(())
}

async fn rules(ctx: Context<'_>, guild: GuildId, done: Done) -> Result<Answer, BotError> {
    let app = ctx.data();
    let limits = app.door.limits(guild, super::user_id(ctx.interaction.user.id)).await?;
    let rules = app.jobs.quota_rules(guild).await?;
    Ok(messages::rules(done, &rules, &limits, super::terms(app, &limits)))
}

/// Whom the options name.
fn subject(
    guild: GuildId,
    person: Option<serenity::UserId>,
    role: Option<serenity::RoleId>,
    whom: Option<Whom>,
) -> Result<Subject, UserError> {
    match (person, role, whom) {
        (Some(person), None, None) => Ok(Subject::Person(UserId(person.get()))),
        // The role that everybody has.
        (None, Some(role), None) if role.get() == guild.0 => Ok(Subject::Everyone),
        (None, Some(role), None) => Ok(Subject::Role(RoleId(role.get()))),
        (None, None, Some(Whom::All)) => Ok(Subject::Guild),
        (None, None, None | Some(Whom::Each)) => Ok(Subject::Everyone),
        _ => Err(UserError::SeveralSubjects),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_about_one_subject() {
        let (guild, person, role) = (GuildId(1), Some(serenity::UserId::new(5)), |id| Some(serenity::RoleId::new(id)));
        for (person, role, whom, expected) in [
            (None, None, None, Ok(Subject::Everyone)),
            (None, None, Some(Whom::Each), Ok(Subject::Everyone)),
            (None, None, Some(Whom::All), Ok(Subject::Guild)),
            (person, None, None, Ok(Subject::Person(UserId(5)))),
            (None, role(7), None, Ok(Subject::Role(RoleId(7)))),
            (None, role(1), None, Ok(Subject::Everyone)),
            (person, role(7), None, Err(UserError::SeveralSubjects)),
            (person, None, Some(Whom::All), Err(UserError::SeveralSubjects)),
            (None, role(7), Some(Whom::Each), Err(UserError::SeveralSubjects)),
        ] {
            assert_eq!(subject(guild, person, role, whom), expected, "{person:?} {role:?} {whom:?}");
        }
    }
}
