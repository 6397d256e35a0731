//! `[limits]`: who may have how much.

use anyhow::{Context, bail};
use serde::{Deserialize, Deserializer, de::Error};
use storage::{RunningLimits, Zone};

/// `[limits]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Row-megapixels of one job; 0 for what suits the device.
    pub max_row_megapixels_per_job: f64,
    /// Row-megapixels of a guild a day.
    pub daily_row_megapixels: f64,
    /// Row-megapixels of a person a day, in all places together; 0 for no limit.
    pub daily_row_megapixels_per_user: f64,
    /// Row-megapixels of a person a day in direct messages and wherever they use what they installed for themselves.
    pub daily_row_megapixels_direct: f64,
    /// Row-megapixels of everybody a day; 0 for no limit.
    pub daily_row_megapixels_host: f64,
    /// Row-megapixels of a guild a month; 0 for no limit.
    pub monthly_row_megapixels: f64,
    /// Row-megapixels of a person a month, in all places together; 0 for no limit.
    pub monthly_row_megapixels_per_user: f64,
    /// Row-megapixels of everybody a month; 0 for no limit.
    pub monthly_row_megapixels_host: f64,
    /// The time zone in which days and months begin, by its name at the IANA.
    pub time_zone: String,
    /// Whether relaxed jobs take nothing from any quota.
    pub relax_is_free: bool,
    /// Queued and running jobs of a user.
    pub max_active_per_user: u32,
    /// Running jobs of a user.
    pub max_running_per_user: u32,
    /// Running jobs of a guild.
    pub max_running_per_guild: u32,
    /// Queued jobs of a guild.
    pub max_queued_per_guild: u32,
    /// Queued jobs of all guilds.
    pub max_queued: u32,
    /// Steps that a person may ask for.
    pub max_steps: u32,
    /// Grids that one line may ask for.
    pub max_jobs_per_prompt: u32,
    /// Answers a minute that cost no quota, for each person.
    pub max_looks_per_minute: u32,
    /// Whether the bot draws in direct messages.
    pub allow_direct_messages: bool,
    /// Whether people may use it where only they installed it.
    pub allow_user_install: bool,
    /// The guilds that it works in; none for all.
    #[serde(deserialize_with = "ids")]
    pub guilds: Vec<u64>,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            max_row_megapixels_per_job: 0.0,
            daily_row_megapixels: 20_000.0,
            daily_row_megapixels_per_user: 5000.0,
            daily_row_megapixels_direct: 1000.0,
            daily_row_megapixels_host: 0.0,
            monthly_row_megapixels: 0.0,
            monthly_row_megapixels_per_user: 0.0,
            monthly_row_megapixels_host: 0.0,
            time_zone: "UTC".to_owned(),
            relax_is_free: false,
            max_active_per_user: 3,
            max_running_per_user: 2,
            max_running_per_guild: 6,
            max_queued_per_guild: 50,
            max_queued: 500,
            max_steps: 100,
            max_jobs_per_prompt: 10,
            max_looks_per_minute: 20,
            allow_direct_messages: true,
            allow_user_install: true,
            guilds: Vec::new(),
        }
    }
}

impl LimitsConfig {
    pub(super) fn check(&self) -> anyhow::Result<()> {
        range("limits.max_steps", self.max_steps, 1, 150)?;
        range("limits.max_active_per_user", self.max_active_per_user, 1, 1000)?;
        range("limits.max_running_per_user", self.max_running_per_user, 1, 1000)?;
        range("limits.max_running_per_guild", self.max_running_per_guild, 1, 1000)?;
        range("limits.max_queued_per_guild", self.max_queued_per_guild, 1, 100_000)?;
        range("limits.max_queued", self.max_queued, 1, 1_000_000)?;
        range("limits.max_jobs_per_prompt", self.max_jobs_per_prompt, 1, 40)?;
        range("limits.max_looks_per_minute", self.max_looks_per_minute, 1, 10_000)?;
        let sums = [
            ("max_row_megapixels_per_job", self.max_row_megapixels_per_job),
            ("daily_row_megapixels", self.daily_row_megapixels),
            ("daily_row_megapixels_per_user", self.daily_row_megapixels_per_user),
            ("daily_row_megapixels_direct", self.daily_row_megapixels_direct),
            ("daily_row_megapixels_host", self.daily_row_megapixels_host),
            ("monthly_row_megapixels", self.monthly_row_megapixels),
            ("monthly_row_megapixels_per_user", self.monthly_row_megapixels_per_user),
            ("monthly_row_megapixels_host", self.monthly_row_megapixels_host),
        ];
        for (key, value) in sums {
            if !(value.is_finite() && value >= 0.0) {
                bail!("`limits.{key}` is {value}; it must be a number from 0");
            }
        }
        self.zone().map(|_| ())
    }

    /// The time zone in which days and months begin.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn zone(&self) -> anyhow::Result<Zone> {
        Zone::named(&self.time_zone).context("`limits.time_zone`")
    }

    /// Who may run how many jobs of `max_running`.
    pub fn running(&self, max_running: usize) -> RunningLimits {
        RunningLimits {
            max_running: u32::try_from(max_running).unwrap_or(u32::MAX),
            max_running_per_user: self.max_running_per_user,
            max_running_per_guild: self.max_running_per_guild,
        }
    }
}

/// Reads ids of Discord, as numbers or as the texts that people copy.
pub(super) fn ids<'de, D: Deserializer<'de>>(source: D) -> Result<Vec<u64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Id {
        Number(u64),
        Text(String),
    }
    let read = |id: Id| match id {
        Id::Number(id) => Ok(id),
        Id::Text(text) => text.trim().parse().map_err(|_| D::Error::custom(format!("`{text}` is not an id, such as 123456789012345678"))),
    };
    Vec::deserialize(source)?.into_iter().map(read).collect()
}

/// Whether a value is in its range.
pub(super) fn range<T: PartialOrd + std::fmt::Display>(key: &str, value: T, min: T, max: T) -> anyhow::Result<()> {
    if value < min || value > max {
        bail!("`{key}` is {value}; it must be {min} to {max}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Config;

    #[test]
    fn ids_are_numbers_or_what_people_copy() {
        let guilds = |text: &str| Config::parse(&format!("[limits]\nguilds = {text}")).map(|config| config.limits.guilds);
        assert_eq!(guilds("[]").expect("none"), Vec::<u64>::new());
        assert_eq!(
            guilds("[1160000000000000001, \" 1160000000000000002\"]").expect("ids"),
            [1_160_000_000_000_000_001, 1_160_000_000_000_000_002]
        );
        for wrong in ["[\"my server\"]", "[-1]", "7"] {
            assert!(guilds(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_time_zone_is_one_that_there_is() {
        let parse = |name: &str| Config::parse(&format!("[limits]\ntime_zone = \"{name}\""));
        for name in ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires"] {
            assert!(parse(name).is_ok(), "{name}");
        }
        for wrong in ["", "Berlin", "CEST+"] {
            let error = format!("{:#}", parse(wrong).expect_err(wrong));
            assert!(error.contains(&format!("`limits.time_zone`: `{wrong}` is not a time zone, such as Europe/Berlin")), "{error}");
        }
    }

    #[test]
    fn sums_are_numbers_from_nothing_up() {
        for key in
            ["max_row_megapixels_per_job", "daily_row_megapixels_per_user", "daily_row_megapixels_direct", "monthly_row_megapixels_host"]
        {
            for (value, is_right) in [("0", true), ("0.5", true), ("-1", false), ("nan", false), ("inf", false)] {
                assert_eq!(Config::parse(&format!("[limits]\n{key} = {value}")).is_ok(), is_right, "{key} = {value}");
            }
        }
        let error = Config::parse("[limits]\nmax_running_per_user = 0").expect_err("nobody could draw");
        assert!(format!("{error:#}").contains("`limits.max_running_per_user` is 0; it must be 1 to 1000"), "{error:#}");
    }
}
