//! What a guild and a person may have: the configuration's limits, lowered by the guild's own settings. What its rules allow is read where it
//! is enforced.

use inference::{engine::DeviceChoice, task::Task};
use storage::{GuildId, GuildSettings, JobStore, Limits, StorageError, UserId};

use crate::{config::LimitsConfig, messages::UserError};

/// Row-megapixels of one job on a CPU when the configuration does not say: five minutes of the built-in model on two cores.
const JOB_ON_CPU: f64 = 100.0;
/// The same on a GPU: minutes, too.
const JOB_ON_GPU: f64 = 2000.0;

/// The limits that hold for a person in a guild, or in direct messages, where their id stands in for it.
///
/// # Errors
/// The store cannot be read.
pub async fn of_place(jobs: &dyn JobStore, config: &LimitsConfig, guild: GuildId, user: UserId) -> Result<Limits, StorageError> {
    if guild.0 == user.0 {
        return Ok(Limits {
            daily_row_megapixels: config.daily_row_megapixels_direct,
            monthly_row_megapixels: None,
            ..lowered(config, GuildSettings::default())
        });
    }
    Ok(lowered(config, jobs.guild_settings(guild).await?))
}

/// A guild's settings can lower the host's limits, never raise them.
fn lowered(config: &LimitsConfig, settings: GuildSettings) -> Limits {
    let unless_nothing = |limit: f64| (limit > 0.0).then_some(limit);
    Limits {
        daily_row_megapixels: config.daily_row_megapixels,
        daily_row_megapixels_per_user: unless_nothing(config.daily_row_megapixels_per_user),
        daily_row_megapixels_host: unless_nothing(config.daily_row_megapixels_host),
        monthly_row_megapixels: unless_nothing(config.monthly_row_megapixels),
        monthly_row_megapixels_per_user: unless_nothing(config.monthly_row_megapixels_per_user),
        monthly_row_megapixels_host: unless_nothing(config.monthly_row_megapixels_host),
        is_relax_free: config.relax_is_free,
        max_active_per_user: settings.max_active_per_user.map_or(config.max_active_per_user, |own| own.min(config.max_active_per_user)),
        max_queued_per_guild: config.max_queued_per_guild,
        max_queued: config.max_queued,
    }
}

/// Whether a job of this cost may be queued at all, on these devices, where the usual one costs `usual`.
///
/// # Errors
/// It is too large, with the numbers and what makes it so.
pub fn check_size(config: &LimitsConfig, devices: &[DeviceChoice], usual: f64, task: &Task, row_megapixels: f64) -> Result<(), UserError> {
    let limit = match config.max_row_megapixels_per_job {
        0.0 => suited(devices, usual),
        limit => limit,
    };
    if row_megapixels <= limit { Ok(()) } else { Err(UserError::JobTooLarge { cost: row_megapixels, limit, lower: costly(task) }) }
}

/// The most that a job may cost on any of these devices: a model that they were set up with can always be drawn with in the usual way.
fn suited(devices: &[DeviceChoice], usual: f64) -> f64 {
    let is_gpu = |device: &DeviceChoice| matches!(device, DeviceChoice::Cuda(_));
    // A job may come to the slowest.
    let on_device = if !devices.is_empty() && devices.iter().all(is_gpu) { JOB_ON_GPU } else { JOB_ON_CPU };
    on_device.max(2.0 * usual)
}

/// What makes a task costly and can be lowered, as a person says it; the most effective first.
fn costly(task: &Task) -> Vec<&'static str> {
    let Some(base) = task.base() else { return vec!["the size"] };
    let hires = base.hires.is_some().then_some("`--hires`");
    let images = (base.n_images > 1).then_some("`--images`");
    let steps = (base.steps > 1).then_some("`--steps`");
    [hires, images, steps].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guild_lowers_but_never_raises() {
        let config = LimitsConfig { max_active_per_user: 3, ..LimitsConfig::default() };
        let most = |active| {
            let own = GuildSettings { max_active_per_user: active, ..GuildSettings::default() };
            lowered(&config, own).max_active_per_user
        };
        assert_eq!((most(None), most(Some(1)), most(Some(10))), (3, 1, 3));
    }

    #[test]
    fn nothing_is_no_limit_of_persons_and_host() {
        let limits = |per_user, host| {
            let config =
                LimitsConfig { daily_row_megapixels_per_user: per_user, daily_row_megapixels_host: host, ..LimitsConfig::default() };
            let limits = lowered(&config, GuildSettings::default());
            (limits.daily_row_megapixels_per_user, limits.daily_row_megapixels_host)
        };
        assert_eq!(limits(0.0, 0.0), (None, None));
        assert_eq!(limits(7.0, 9.5), (Some(7.0), Some(9.5)));
        assert_eq!(limits(LimitsConfig::default().daily_row_megapixels_per_user, 0.0), (Some(5000.0), None));
    }

    #[test]
    fn the_usual_picture_of_any_model_can_be_drawn_on_any_device() {
        use DeviceChoice::{Cpu, Cuda};
        for (devices, usual, expected) in [
            (&[Cpu][..], 0.84, 100.0),
            (&[Cpu], 54.0, 108.0),
            (&[Cpu, Cpu], 216.0, 432.0),
            (&[Cuda(0)], 216.0, 2000.0),
            (&[Cuda(0), Cuda(1)], 1500.0, 3000.0),
            (&[Cuda(0), Cpu], 54.0, 108.0),
            (&[], 54.0, 108.0),
        ] {
            assert_eq!(suited(devices, usual), expected, "{devices:?} {usual}");
        }
    }
}
