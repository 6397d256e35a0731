//! `/admin draw`: who may draw, in which channels, with which models, how much at once and how often.

use std::{collections::BTreeSet, time::Duration};

use poise::serenity_prelude as serenity;
use storage::{DrawRule, DrawSubject, DrawTerms, EVERYWHERE, GuildId, RoleId, UserId};

use super::{super::Context, who::scope};
use crate::{
    error::BotError,
    messages::{self, DrawDone, UserError},
    policy::book::Noted,
};

/// Yes, no, or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, poise::ChoiceParameter)]
enum Said {
    #[name = "yes"]
    Yes,
    #[name = "no"]
    No,
    #[name = "say nothing"]
    Nothing,
}

impl Said {
    fn told(self) -> Option<bool> {
        match self {
            Self::Yes => Some(true),
            Self::No => Some(false),
            Self::Nothing => None,
        }
    }
}

/// Most seconds between two jobs: a week.
const MAX_PAUSE_S: u64 = 7 * 24 * 3600;

/// Who may draw here, where, with what and how often
#[poise::command(slash_command, guild_only, subcommand_required, subcommands("set", "show", "remove"))]
pub(super) async fn draw(_: Context<'_>) -> Result<(), BotError> {
    Ok(())
}

/// Say who may draw: a person, a role, a channel, or everybody if you name none
#[poise::command(slash_command, guild_only)]
#[expect(clippy::too_many_arguments, reason = "poise makes one Discord option of each argument")]
async fn set(
    ctx: Context<'_>,
    #[description = "One person; `draw: no` bans them"] person: Option<serenity::UserId>,
    #[description = "Each person with a role"] role: Option<serenity::RoleId>,
    #[description = "A channel and its threads"] channel: Option<serenity::ChannelId>,
    #[description = "Whether they may draw; once a role or channel has yes, others may not"] draw: Option<Said>,
    #[description = "The only models, with commas between; `all` for all models"]
    #[max_length = 1000]
    models: Option<String>,
    #[description = "The most of one job, in pictures of the usual size; 0 for no such limit"] most: Option<f64>,
    #[description = "Seconds between two jobs of a person"] pause: Option<u64>,
    #[description = "Whether models for adults may be used, where Discord lets adults in alone"] adult: Option<Said>,
    #[description = "In all places; for the person who runs me"] everywhere: Option<bool>,
) -> Result<(), BotError> {
    let app = ctx.data();
    let guild = scope(ctx, everywhere).await?;
    let subject = subject(ctx.interaction.guild_id, person, role, channel)?;
    if draw.is_none() && models.is_none() && most.is_none() && pause.is_none() && adult.is_none() {
        return Err(UserError::NothingSaid.into());
    }
    let old = app.jobs.draw_rules(guild).await?.into_iter().find(|rule| rule.subject == subject);
    let mut terms = old.map(|rule| rule.terms).unwrap_or_default();
    if let Some(draw) = draw {
        terms.may_draw = draw.told();
    }
    if let Some(adult) = adult {
        terms.is_adult = adult.told();
    }
    if let Some(names) = models {
        terms.models = read_models(&names, &app.models.offered_now().await.models.iter().map(|model| model.name.clone()).collect())?;
    }
    if let Some(most) = most {
        let of_picture = app.models.cost_of_picture();
        if of_picture <= 0.0 {
            return Err(UserError::NoUsualPicture.into());
        }
        if !most.is_finite() || most < 0.0 {
            return Err(UserError::SettingOutOfRange { name: "most", min: 0 }.into());
        }
        terms.row_megapixels = (most > 0.0).then_some(most * of_picture);
    }
    if let Some(seconds) = pause {
        if seconds > MAX_PAUSE_S {
            return Err(UserError::SettingTooHigh { name: "pause", max: format!("{MAX_PAUSE_S} seconds") }.into());
        }
        terms.pause = (seconds > 0).then_some(Duration::from_secs(seconds));
    }
    change(ctx, DrawRule { guild, subject, terms }).await?;
    tell(ctx, guild, DrawDone::Set).await
}

/// See the rules of who may draw here
#[poise::command(slash_command, guild_only)]
async fn show(
    ctx: Context<'_>,
    #[description = "Those of all places; for the person who runs me"] everywhere: Option<bool>,
) -> Result<(), BotError> {
    let guild = scope(ctx, everywhere).await?;
    tell(ctx, guild, DrawDone::Nothing).await
}

/// Take a rule away: a person's, a role's, a channel's, or everybody's if you name none
#[poise::command(slash_command, guild_only)]
async fn remove(
    ctx: Context<'_>,
    #[description = "One person"] person: Option<serenity::UserId>,
    #[description = "Each person with a role"] role: Option<serenity::RoleId>,
    #[description = "A channel and its threads"] channel: Option<serenity::ChannelId>,
    #[description = "In all places; for the person who runs me"] everywhere: Option<bool>,
) -> Result<(), BotError> {
    let guild = scope(ctx, everywhere).await?;
    let subject = subject(ctx.interaction.guild_id, person, role, channel)?;
    let was_there = ctx.data().jobs.draw_rules(guild).await?.iter().any(|rule| rule.subject == subject);
    if was_there {
        change(ctx, DrawRule { guild, subject, terms: DrawTerms::default() }).await?;
    }
    tell(ctx, guild, DrawDone::Removed(was_there)).await
}

/// Sets a rule, and writes that into the book.
pub(super) async fn change(ctx: Context<'_>, rule: DrawRule) -> Result<(), BotError> {
    let app = ctx.data();
    app.jobs.set_draw_rule(&rule).await?;
    let terms = messages::said_of(&rule.terms, app.models.cost_of_picture());
    super::note(ctx, rule.guild, &Noted::Rule { subject: messages::subject_of(rule.subject), terms }).await
}

async fn tell(ctx: Context<'_>, guild: GuildId, done: DrawDone) -> Result<(), BotError> {
    let app = ctx.data();
    let rules = app.jobs.draw_rules(guild).await?;
    super::super::tell(ctx, &messages::draw_rules(done, &rules, guild == EVERYWHERE, app.models.cost_of_picture())).await;
    Ok(())
}

/// Whom or what the options name.
fn subject(
    guild: Option<serenity::GuildId>,
    person: Option<serenity::UserId>,
    role: Option<serenity::RoleId>,
    channel: Option<serenity::ChannelId>,
) -> Result<DrawSubject, UserError> {
    match (person, role, channel) {
        (None, None, None) => Ok(DrawSubject::Everyone),
        (Some(person), None, None) => Ok(DrawSubject::Person(UserId(person.get()))),
        // The role that everybody has.
        (None, Some(role), None) if guild.is_some_and(|guild| guild.get() == role.get()) => Ok(DrawSubject::Everyone),
        (None, Some(role), None) => Ok(DrawSubject::Role(RoleId(role.get()))),
        (None, None, Some(channel)) => Ok(DrawSubject::Channel(channel.get())),
        _ => Err(UserError::SeveralDrawSubjects),
    }
}

/// The models that are named; `None` for all.
fn read_models(names: &str, offered: &BTreeSet<String>) -> Result<Option<Vec<String>>, UserError> {
    if names.trim().eq_ignore_ascii_case("all") {
        return Ok(None);
    }
    let names: BTreeSet<&str> = names.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    match names.iter().find(|name| !offered.contains(**name)) {
        Some(unknown) => Err(UserError::NoSuchModel((*unknown).to_owned())),
        None => Ok(Some(names.into_iter().map(str::to_owned).collect())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_about_one_subject() {
        let person = Some(serenity::UserId::new(5));
        let (role, channel) = (|id| Some(serenity::RoleId::new(id)), Some(serenity::ChannelId::new(9)));
        for (person, role, channel, expected) in [
            (None, None, None, Ok(DrawSubject::Everyone)),
            (person, None, None, Ok(DrawSubject::Person(UserId(5)))),
            (None, role(7), None, Ok(DrawSubject::Role(RoleId(7)))),
            (None, role(1), None, Ok(DrawSubject::Everyone)),
            (None, None, channel, Ok(DrawSubject::Channel(9))),
            (person, role(7), None, Err(UserError::SeveralDrawSubjects)),
            (None, role(7), channel, Err(UserError::SeveralDrawSubjects)),
        ] {
            assert_eq!(subject(Some(serenity::GuildId::new(1)), person, role, channel), expected, "{person:?} {role:?} {channel:?}");
        }
    }

    #[test]
    fn models_are_named_as_they_are_offered() {
        let offered = ["fox".to_owned(), "owl".to_owned()].into();
        assert_eq!(read_models("owl, fox,", &offered), Ok(Some(vec!["fox".to_owned(), "owl".to_owned()])));
        assert_eq!((read_models(" All ", &offered), read_models("", &offered)), (Ok(None), Ok(Some(Vec::new()))));
        assert_eq!(read_models("fox, eel", &offered), Err(UserError::NoSuchModel("eel".to_owned())));
    }
}
