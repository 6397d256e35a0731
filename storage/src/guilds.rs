//! What a guild's managers may choose, but for its [rules](crate::QuotaRule) of what may be spent.

use crate::turns::Tier;

/// What a guild's managers chose; `None` leaves the configuration's value. Never above it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct GuildSettings {
    /// Queued and running jobs of one user.
    pub max_active_per_user: Option<u32>,
    /// Whether members may look through everybody's pictures.
    pub shares_history: Option<bool>,
    /// The only way in which jobs take their turns.
    pub only_tier: Option<Tier>,
}
