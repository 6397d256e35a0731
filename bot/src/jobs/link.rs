//! Where a job's message is, for people.

use storage::Job;

/// Where a job's message is, for people; `page_url` is where a stand-in's page is, `None` on Discord itself.
pub fn link(page_url: Option<&str>, job: &Job) -> Option<String> {
    let message = job.delivery.message.filter(|_| !job.delivery.is_private)?;
    let guild = if job.guild.0 == job.user.0 { "@me".to_owned() } else { job.guild.0.to_string() };
    let site = page_url.unwrap_or("https://discord.com");
    Some(format!("{site}/channels/{guild}/{}/{message}", job.delivery.channel))
}
