//! Why a person's wish is not granted.

use inference::error::InvalidTask;
use storage::{JobId, JobStatus, Refusal};

use super::{number, relative};

/// Why a person's wish is not granted: shown as written, to that person alone.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum UserError {
    /// A parameter of the prompt.
    #[error("{0}")]
    Prompt(#[from] crate::prompt::PromptError),
    /// A value that the engine refuses.
    #[error("That cannot be drawn: {0}.")]
    Task(#[from] InvalidTask),
    /// A limit.
    #[error("{}", refusal(.0))]
    Refused(Refusal),
    /// The disk is nearly full.
    #[error("My disk is nearly full, so I take no new jobs now. Please tell the person who runs me.")]
    DiskFull,
    /// A permission is missing where the command was used.
    #[error("I cannot answer here: I need the permission {0} in this channel. A moderator can give it to me.")]
    MissingPermission(String),
    /// Discord would not let the presser use /imagine here.
    #[error("You may not use /imagine here, so you may not draw with my buttons either. The people who manage this server decide that.")]
    MayNotDraw,
    /// Discord did not say who may use /imagine.
    #[error("I could not ask Discord whether you may draw here. Please try again in a moment.")]
    PermitsUnknown,
    /// The guild's managers have switched it off.
    #[error("In this server I show everybody their own pictures only; its managers chose that. Try /history without `everyone`.")]
    HistoryNotShared,
    /// A `custom_id` that is not ours or of an older version.
    #[error("I do not know this button. It may come from an older version of me; please use /imagine again.")]
    UnknownButton,
    /// A button of a job that we have no record of.
    #[error("I have no record of that job, so this button does nothing.")]
    UnknownJob,
    /// A button of a job whose pictures were deleted.
    #[error("Those pictures were deleted.")]
    Deleted,
    /// A button of a job without such a picture.
    #[error("That job has no picture {0}.")]
    NoSuchPicture(u32),
    /// A button that makes no sense yet.
    #[error("That job is not finished yet.")]
    NotFinished,
    /// Only the owner or a moderator may do this.
    #[error("Only <@{owner}> or a moderator can do that.")]
    NotYours {
        /// Who may.
        owner: u64,
    },
    /// The same press is being worked on.
    #[error("That is already being drawn.")]
    AlreadyDrawing,
    /// The same press was answered before.
    #[error("That was made before{}", .link.as_ref().map(|link| format!(": {link}")).unwrap_or_default())]
    AlreadyMade {
        /// The job that made it; its picture is shown again.
        job: JobId,
        /// Where it was posted.
        link: Option<String>,
    },
    /// The job has ended.
    #[error("That job was already {}.", status_word(*.0))]
    AlreadyEnded(JobStatus),
    /// Only managers of a guild may do this.
    #[error("Only people who may manage this server can do that.")]
    ManagersOnly,
    /// Only a guild has this.
    #[error("This works in a server only.")]
    GuildOnly,
    /// A setting above what the host allows.
    #[error("The person who runs me allows at most {max} for `{name}`.")]
    SettingTooHigh {
        /// Which setting.
        name: &'static str,
        /// The most.
        max: String,
    },
    /// A setting that is no sensible number.
    #[error("`{name}` must be a number from {min}.")]
    SettingOutOfRange {
        /// Which setting.
        name: &'static str,
        /// The least.
        min: u32,
    },
}

fn refusal(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Quota(quota) => format!(
            "{} of today's {} row-megapixels are used up here; the rest is not enough for this. New ones come {}.",
            number(quota.used),
            number(quota.limit),
            relative(quota.resets)
        ),
        Refusal::UserBusy { active, limit } => {
            format!(
                "You have {active} jobs waiting or running, and {limit} is the most at once. Wait for one to finish, or press ❌ on one."
            )
        }
        Refusal::GuildFull { limit } => format!("{limit} jobs already wait here. Please try again in a while."),
        Refusal::QueueFull { limit } => format!("My queue is full ({limit} jobs). Please try again in a while."),
    }
}

pub(super) fn status_word(status: JobStatus) -> &'static str {
    match status {
        JobStatus::Queued => "queued",
        JobStatus::Leased => "being drawn",
        JobStatus::Done => "finished",
        JobStatus::Failed => "ended without a picture",
        JobStatus::Cancelled => "cancelled",
    }
}
