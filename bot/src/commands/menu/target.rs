//! What a message shows.

use poise::serenity_prelude as serenity;
use storage::JobId;

use crate::{
    app::App,
    buttons::job_under,
    discord::Attached,
    intake::{Address, NotTaken},
    messages::UserError,
};

/// What a message shows.
pub(super) enum Target {
    /// The pictures of a job.
    Ours(JobId),
    /// A picture of which only the file is known.
    Theirs(Address),
}

/// What a message shows: the job under our own, else its first picture.
pub(super) fn of(app: &App, message: &serenity::Message) -> Result<Target, UserError> {
    let is_ours = app.identity.get().is_some_and(|identity| identity.id == message.author.id.get());
    if let Some(job) = is_ours.then(|| job_under(message)).flatten() {
        return Ok(Target::Ours(job));
    }
    let attached = message.attachments.iter().filter(|attachment| {
        let (url, filename, content_type) = (attachment.url.clone(), attachment.filename.clone(), attachment.content_type.clone());
        Attached { url, filename, content_type }.is_picture()
    });
    let shown = message.embeds.iter().filter_map(|embed| embed.image.as_ref().map(|image| &image.url));
    let mut urls = attached.map(|attachment| &attachment.url).chain(shown);
    let found = urls.find_map(|url| app.intake.hosts.read(url).ok().filter(|address| matches!(address, Address::File { .. })));
    found.map(Target::Theirs).ok_or(UserError::Picture(NotTaken::NoPictureHere))
}
