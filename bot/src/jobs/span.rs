//! What the log's lines of one job have in common, from the interaction to the delivery.

use storage::{GuildId, Job, UserId};
use tracing::{Span, field};

/// The span of a stored job. What is done for it is done inside: there the engine finds it, and carries it to the device's thread.
pub fn of(job: &Job) -> Span {
    let span = before(job.user, job.guild, job.task["kind"].as_str().unwrap_or_default());
    span.record("job.id", field::display(job.id));
    span
}

/// The span of a job that has no id yet; record it as `job.id`.
pub fn before(user: UserId, guild: GuildId, task_kind: &str) -> Span {
    tracing::info_span!("job", job.id = field::Empty, user.id = user.0, guild.id = guild.0, task.kind = task_kind)
}
