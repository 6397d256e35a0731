//! Whether a presser may draw here: what Discord asks of `/imagine` is asked of the buttons and forms that draw too.

use poise::serenity_prelude as serenity;

use super::presser::Presser;
use crate::{
    app::App,
    commands,
    discord::permits,
    error::BotError,
    messages::UserError,
    policy::permissions::{Asker, may_use},
    system::log::chain,
};

/// The presser as a member of the guild where the button is; `None` in direct messages.
fn asker(presser: &Presser<'_>) -> Option<Asker> {
    let place = presser.place()?;
    Some(Asker {
        guild: place.guild.get(),
        channel: place.parent.unwrap_or(place.channel).get(),
        user: presser.user.0,
        roles: place.member.roles.iter().map(|role| role.get()).collect(),
        permissions: place.member.permissions.unwrap_or_default().bits(),
    })
}

/// What the press itself tells, before anything is promised.
///
/// # Errors
/// A refusal for the presser.
pub fn check_at_once(presser: &Presser<'_>) -> Result<(), UserError> {
    commands::check_permissions(presser.app_permissions.filter(|_| presser.guild.is_some()))?;
    match asker(presser) {
        Some(asker) if asker.uses_commands() => Ok(()),
        None if presser.guild.is_none() => Ok(()),
        // Also where nothing is told of the member.
        _ => Err(UserError::MayNotDraw),
    }
}

/// What rules say of who may draw, and what the guild says of `/imagine`. Where that cannot be read nobody draws by a button: it may be denied to them.
///
/// # Errors
/// A refusal for the presser.
pub async fn check(http: &serenity::Http, presser: &Presser<'_>, app: &App) -> Result<(), BotError> {
    app.door.may_draw(presser.user, presser.roles(), (presser.payer(), presser.channel.get())).await?;
    let (Some(asker), Some(guild)) = (asker(presser), presser.guild) else { return Ok(()) };
    // A guild that did not install the bot has no rules for it.
    if presser.payer().0 != guild.get() || asker.is_administrator() {
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
