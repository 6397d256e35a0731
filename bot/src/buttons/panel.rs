//! The menus and switches of `/settings`: each press writes one choice and shows the panel as it is then.

use inference::sampler::Sampler;
use poise::serenity_prelude as serenity;
use storage::{Chooser, GuildId, Tier};

use super::{
    custom_id::{Setting, Whose},
    presser::Presser,
};
use crate::{
    answer::Answer,
    app::App,
    chosen::{self, One, Variation},
    discord,
    error::BotError,
    messages::{self, AS_USUAL, Panel, UserError},
};

/// The panel of a person, or of the guild where they are.
///
/// # Errors
/// The store cannot be read; somebody who does not manage the guild.
pub async fn panel(presser: &Presser<'_>, app: &App, whose: Whose) -> Result<Answer, BotError> {
    let of = chooser(presser, whose)?;
    let (user, payer) = (presser.user, presser.payer());
    let here = chosen::here(&*app.jobs, user, payer, presser.choosing_channel()).await?;
    let own = chosen::own(&*app.jobs, of).await?;
    let offered = app.models.offered_now().await;
    let models = offered.models.iter().map(|model| (model.name.clone(), format!("{}, {} steps", model.native_size, model.steps)));
    let samplers = Sampler::ALL.map(|sampler| (sampler.name().to_owned(), sampler.about().to_owned())).into();
    let limits = match whose {
        Whose::Mine => None,
        Whose::Guild => Some(limits(presser, app, payer).await?),
    };
    Ok(messages::panel(&Panel {
        whose,
        own: &own,
        here: &here,
        models: models.collect(),
        samplers,
        tier: app.jobs.speed(payer, user).await?,
        is_manager: presser.is_manager(),
        limits,
    }))
}

/// The guild's limits in words.
async fn limits(presser: &Presser<'_>, app: &App, guild: GuildId) -> Result<String, BotError> {
    let limits = app.door.limits(guild, presser.user).await?;
    let (rules, settings) = (app.jobs.quota_rules(guild).await?, app.jobs.guild_settings(guild).await?);
    let chosen = messages::Chosen { limits: &limits, rules: &rules, settings, is_changed: false };
    Ok(messages::settings(chosen, app.models.cost_of_picture()).content)
}

/// Whose choices a press changes.
fn chooser(presser: &Presser<'_>, whose: Whose) -> Result<Chooser, UserError> {
    match whose {
        Whose::Mine => Ok(Chooser::Person(presser.user)),
        Whose::Guild if presser.is_manager() => Ok(Chooser::Guild(presser.payer())),
        Whose::Guild => Err(UserError::ManagersOnly),
    }
}

/// Changes one setting, and shows the panel as it is then.
///
/// # Errors
/// A refusal, or the panel cannot be edited.
pub async fn change(
    press: &serenity::ComponentInteraction,
    presser: &Presser<'_>,
    app: &App,
    whose: Whose,
    setting: Setting,
) -> Result<(), BotError> {
    let of = chooser(presser, whose)?;
    let value = discord::values(press).first().map(String::as_str).filter(|value| *value != AS_USUAL);
    let own = chosen::own(&*app.jobs, of).await?;
    let one = match setting {
        Setting::Open => None,
        Setting::Model => Some(One::Model(value.map(str::to_owned))),
        Setting::Aspect => Some(One::Aspect(value.and_then(|value| value.parse().ok()))),
        Setting::Sampler => Some(One::Sampler(value.and_then(|value| value.parse().ok()))),
        Setting::Variation => {
            let variations = [Variation::Subtle, Variation::Strong];
            Some(One::Variation(variations.into_iter().find(|variation| value == Some(variation.word()))))
        }
        Setting::Remix => Some(One::Remix(own.is_remix != Some(true))),
        Setting::Private => Some(One::Private(own.is_private != Some(true))),
        Setting::Speed => {
            turn_speed(presser, app).await?;
            None
        }
        Setting::Reset => {
            chosen::reset(&*app.jobs, of).await?;
            None
        }
    };
    if let Some(one) = one {
        chosen::choose(&*app.jobs, of, one).await?;
    }
    let answer = panel(presser, app, whose).await?;
    app.responder.fill(presser.token, &answer).await.map_err(|error| BotError::Internal(error.into()))
}

/// What /fast and /relax do, by turns.
async fn turn_speed(presser: &Presser<'_>, app: &App) -> Result<(), BotError> {
    let (guild, user) = (presser.payer(), presser.user);
    let tier = match app.jobs.speed(guild, user).await? {
        Some(Tier::Relax) => Tier::Fast,
        _ => Tier::Relax,
    };
    if let Some(only) = app.jobs.guild_settings(guild).await?.only_tier.filter(|only| *only != tier) {
        return Err(UserError::SpeedNotOffered { only }.into());
    }
    Ok(app.jobs.set_speed(guild, user, tier).await?)
}
