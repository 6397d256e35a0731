//! Where an interaction comes from.

use poise::serenity_prelude::{AuthorizingIntegrationOwner, AuthorizingIntegrationOwners, Cache, GuildId, InteractionContext};

use crate::policy::Venue;

/// The place that an interaction tells of.
pub fn venue_of(guild: Option<GuildId>, context: Option<InteractionContext>, owners: &AuthorizingIntegrationOwners) -> Venue {
    let is_installed = owners.0.iter().any(|owner| matches!(owner, AuthorizingIntegrationOwner::GuildInstall(_)));
    match (guild, context) {
        (Some(guild), _) if is_installed || owners.0.is_empty() => Venue::Guild(guild.get()),
        (Some(_), _) | (None, Some(InteractionContext::PrivateChannel)) => Venue::UserInstall,
        (None, _) => Venue::Direct,
    }
}

/// The place of a form: the library does not tell who installed the bot there, so it is the place where the form opened, as long as that can be.
/// A form's id comes from its sender, and what was opened elsewhere must not pay for, or be allowed, what is sent here.
pub fn venue_of_form(cache: &Cache, guild: Option<GuildId>, opened: Option<Venue>) -> Venue {
    of_form(guild, guild.is_some_and(|guild| cache.guilds().contains(&guild)), opened)
}

fn of_form(guild: Option<GuildId>, has_bot: bool, opened: Option<Venue>) -> Venue {
    match (guild, opened) {
        (Some(guild), Some(Venue::Guild(own))) if guild.get() == own => Venue::Guild(own),
        (Some(guild), _) if has_bot => Venue::Guild(guild.get()),
        (Some(_), _) | (None, Some(Venue::UserInstall)) => Venue::UserInstall,
        (None, _) => Venue::Direct,
    }
}

#[cfg(test)]
mod tests {
    use poise::serenity_prelude::UserId;

    use super::*;

    #[test]
    fn a_place_is_a_guilds_only_if_the_guild_installed_the_bot() {
        use InteractionContext::{BotDm, Guild, PrivateChannel};
        let guild = AuthorizingIntegrationOwner::GuildInstall(Some(GuildId::new(5)));
        let user = AuthorizingIntegrationOwner::UserInstall(UserId::new(9));
        let (none, guild, both, user) = (vec![], vec![guild.clone()], vec![guild, user.clone()], vec![user]);
        for (id, context, owners, expected) in [
            (Some(5), Some(Guild), &guild, Venue::Guild(5)),
            (Some(5), Some(Guild), &both, Venue::Guild(5)),
            (Some(5), None, &none, Venue::Guild(5)),
            (Some(5), Some(Guild), &user, Venue::UserInstall),
            (None, Some(BotDm), &guild, Venue::Direct),
            (None, Some(BotDm), &user, Venue::Direct),
            (None, None, &none, Venue::Direct),
            (None, Some(PrivateChannel), &user, Venue::UserInstall),
        ] {
            let venue = venue_of(id.map(GuildId::new), context, &AuthorizingIntegrationOwners(owners.clone()));
            assert_eq!(venue, expected, "{id:?} {context:?} {owners:?}");
        }
    }

    #[test]
    fn a_form_is_sent_where_it_opened_or_where_it_is() {
        use Venue::{Direct, Guild, UserInstall};
        for (guild, has_bot, opened, expected) in [
            (Some(5), true, Some(Guild(5)), Guild(5)),
            // A guild that has the commands and not the bot.
            (Some(5), false, Some(Guild(5)), Guild(5)),
            (Some(5), true, Some(Guild(6)), Guild(5)),
            (Some(5), true, Some(UserInstall), Guild(5)),
            (Some(5), true, Some(Direct), Guild(5)),
            (Some(5), true, None, Guild(5)),
            (Some(5), false, Some(UserInstall), UserInstall),
            (Some(5), false, Some(Guild(6)), UserInstall),
            (None, false, Some(Guild(5)), Direct),
            (None, false, Some(Direct), Direct),
            (None, false, Some(UserInstall), UserInstall),
            (None, false, None, Direct),
        ] {
            assert_eq!(of_form(guild.map(GuildId::new), has_bot, opened), expected, "{guild:?} {has_bot} {opened:?}");
        }
    }
}
