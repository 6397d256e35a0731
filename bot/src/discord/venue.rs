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

/// The place of a form that nothing else is known of: the library does not tell who installed the bot there.
pub fn venue_of_form(cache: &Cache, guild: Option<GuildId>) -> Venue {
    match guild {
        Some(guild) if cache.guilds().contains(&guild) => Venue::Guild(guild.get()),
        Some(_) => Venue::UserInstall,
        None => Venue::Direct,
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
}
