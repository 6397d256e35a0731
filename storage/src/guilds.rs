//! What a guild's managers may choose.

/// What a guild's managers chose; `None` leaves the configuration's value. Never above it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct GuildSettings {
    /// Row-megapixels a day.
    pub daily_row_megapixels: Option<f64>,
    /// Row-megapixels a day for each member.
    pub daily_row_megapixels_per_member: Option<f64>,
    /// Queued and running jobs of one user.
    pub max_active_per_user: Option<u32>,
    /// Whether members may look through everybody's pictures.
    pub shares_history: Option<bool>,
}
