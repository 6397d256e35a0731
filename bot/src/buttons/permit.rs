//! Whether a presser may draw here: what Discord asks of `/imagine` is asked of the buttons that draw too.

use poise::serenity_prelude as serenity;

use crate::{
    app::App,
    commands,
    discord::{permits, places::Place},
    error::BotError,
    log::chain,
    messages::UserError,
    policy::permissions::{Asker, may_use},
};

/// The presser as a member of the guild where the button is; `None` in direct messages.
fn asker(press: &serenity::ComponentInteraction) -> Option<Asker> {
    let place = Place::of(press.guild_id, press.channel_id, press.channel.as_ref(), press.member.as_ref())?;
    Some(Asker {
        guild: place.guild.get(),
        channel: place.parent.unwrap_or(place.channel).get(),
        user: press.user.id.get(),
        roles: place.member.roles.iter().map(|role| role.get()).collect(),
        permissions: place.member.permissions.unwrap_or_default().bits(),
    })
}

/// What the press itself tells, before anything is promised.
///
/// # Errors
/// A refusal for the presser.
pub fn check_at_once(press: &serenity::ComponentInteraction) -> Result<(), UserError> {
    commands::check_permissions(press.app_permissions.filter(|_| press.guild_id.is_some()))?;
    match asker(press) {
        Some(asker) if asker.uses_commands() => Ok(()),
        None if press.guild_id.is_none() => Ok(()),
        // Also where nothing is told of the member.
        _ => Err(UserError::MayNotDraw),
    }
}

/// What the guild says of `/imagine`. Where that cannot be read nobody draws by a button: it may be denied to them.
///
/// # Errors
/// A refusal for the presser.
pub async fn check(http: &serenity::Http, press: &serenity::ComponentInteraction, app: &App) -> Result<(), BotError> {
    let (Some(asker), Some(guild)) = (asker(press), press.guild_id) else { return Ok(()) };
    let paying = commands::paying_guild(press.guild_id, &press.authorizing_integration_owners, press.user.id);
    // A guild that did not install the bot has no rules for it.
    if paying.0 != guild.get() || asker.is_administrator() {
        return Ok(());
    }
    match permits::rules(http, app, guild).await {
        Ok(rules) if may_use(&rules, &asker) => Ok(()),
        Ok(_) => Err(UserError::MayNotDraw.into()),
        Err(error) => {
            tracing::warn!(error = %chain(&error), guild.id = guild.get(), "who may draw is not known, so a button is refused");
            Err(UserError::PermitsUnknown.into())
        }
    }
}
