//! Where somebody uses the bot, and whether it may be used there.

use serde::{Deserialize, Serialize};

use crate::{config::LimitsConfig, messages::UserError};

/// Where somebody uses the bot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Venue {
    /// A guild that installed it.
    Guild(u64),
    /// Direct messages with it.
    Direct,
    /// Where only the person installed it: other guilds, groups, messages with others.
    UserInstall,
}

impl Venue {
    /// Whether the bot may be used here.
    ///
    /// # Errors
    /// Which switch of the configuration is in the way.
    pub fn check(self, limits: &LimitsConfig) -> Result<(), UserError> {
        match self {
            Self::Guild(guild) => check_guild(limits, guild),
            Self::Direct if !limits.allow_direct_messages => Err(UserError::NoDirectMessages),
            Self::UserInstall if !limits.allow_user_install => Err(UserError::NoUserInstall),
            Self::Direct | Self::UserInstall => Ok(()),
        }
    }
}

/// Whether a guild's quota may be spent.
///
/// # Errors
/// The guild is not among those of the configuration.
pub fn check_guild(limits: &LimitsConfig, guild: u64) -> Result<(), UserError> {
    if limits.guilds.is_empty() || limits.guilds.contains(&guild) { Ok(()) } else { Err(UserError::OtherGuild) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_switch_refuses_its_places_only() {
        let venues = [Venue::Guild(5), Venue::Guild(6), Venue::Direct, Venue::UserInstall];
        let refused = |limits: LimitsConfig| venues.map(|venue| venue.check(&limits).is_err());
        assert_eq!(refused(LimitsConfig::default()), [false; 4]);
        assert_eq!(refused(LimitsConfig { guilds: vec![5], ..LimitsConfig::default() }), [false, true, false, false]);
        assert_eq!(refused(LimitsConfig { allow_direct_messages: false, ..LimitsConfig::default() }), [false, false, true, false]);
        assert_eq!(refused(LimitsConfig { allow_user_install: false, ..LimitsConfig::default() }), [false, false, false, true]);
    }
}
