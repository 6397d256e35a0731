//! Where a job's message is, for people.

use storage::Job;

use crate::app::App;

/// Where a job's message is, for people.
pub fn link(app: &App, job: &Job) -> Option<String> {
    let message = job.delivery.message?;
    let guild = if job.guild.0 == job.user.0 { "@me".to_owned() } else { job.guild.0.to_string() };
    let site = app.page_url.as_deref().unwrap_or("https://discord.com");
    Some(format!("{site}/channels/{guild}/{}/{message}", job.delivery.channel))
}
