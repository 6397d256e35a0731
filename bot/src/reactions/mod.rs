//! What people's reactions to our messages do: ✉️ sends the pictures directly, ❌ cancels or deletes, ⭐ marks. There is no answer to a reaction, so
//! one that is not granted does nothing.

mod end;
mod envelope;
mod star;

use std::sync::Arc;

use poise::serenity_prelude::{self as serenity, Permissions};
use storage::{Job, UserId};

use crate::{app::App, buttons::job_under, policy, system::log::chain};

/// What a reaction asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    /// The pictures, directly (✉️).
    Envelope,
    /// That there be no such job (❌).
    End,
    /// A mark (⭐).
    Star,
}

/// Who reacted to which job's message, and where.
struct Reacted<'a> {
    user: UserId,
    job: Job,
    channel: serenity::ChannelId,
    message: serenity::MessageId,
    /// Whether they may end others' jobs there.
    is_moderator: bool,
    /// Whether what is shown there is for adults.
    is_restricted: bool,
    ctx: &'a serenity::Context,
}

/// A reaction was added.
pub async fn added(ctx: &serenity::Context, reaction: &serenity::Reaction, app: &Arc<App>) {
    let Some(wish) = wish(&reaction.emoji) else { return };
    let is_ours = app.identity.get().is_some_and(|identity| reaction.message_author_id.is_none_or(|author| author.get() == identity.id));
    if !is_ours {
        return;
    }
    let done = async {
        let Some(reacted) = reacted(ctx, reaction, app).await? else { return Ok(()) };
        match wish {
            Wish::Envelope => envelope::send(&reacted, app).await,
            Wish::End => end::end(&reacted, app).await,
            Wish::Star => star::mark(&reacted, app).await,
        }
    };
    tell_failure(done.await, wish);
}

/// A reaction was taken away.
pub async fn removed(ctx: &serenity::Context, reaction: &serenity::Reaction, app: &Arc<App>) {
    if wish(&reaction.emoji) != Some(Wish::Star) {
        return;
    }
    let done = async {
        let Some(reacted) = reacted(ctx, reaction, app).await? else { return Ok(()) };
        star::unmark(&reacted, app).await
    };
    tell_failure(done.await, Wish::Star);
}

fn tell_failure(done: anyhow::Result<()>, wish: Wish) {
    if let Err(error) = done {
        tracing::warn!(error = chain(error.as_ref()), ?wish, "a reaction could not be seen to");
    }
}

/// What an emoji asks for, in both of the ways in which clients write it.
fn wish(emoji: &serenity::ReactionType) -> Option<Wish> {
    let serenity::ReactionType::Unicode(emoji) = emoji else { return None };
    match emoji.trim_end_matches('\u{fe0f}') {
        "✉" => Some(Wish::Envelope),
        "❌" => Some(Wish::End),
        "⭐" => Some(Wish::Star),
        _ => None,
    }
}

/// The job under the message, if it is ours, the person's place is the job's, and they have not looked too often.
async fn reacted<'a>(ctx: &'a serenity::Context, reaction: &serenity::Reaction, app: &App) -> anyhow::Result<Option<Reacted<'a>>> {
    let Some(user) = reaction.user_id else { return Ok(None) };
    let own = app.identity.get().map(|identity| identity.id);
    if own == Some(user.get()) || app.looks.take(UserId(user.get()), app.clock.now()).is_err() {
        return Ok(None);
    }
    if reaction.guild_id.is_some_and(|guild| policy::check_guild(&app.config.limits, guild.get()).is_err()) {
        return Ok(None);
    }
    // Its buttons say which job it is, also where it was shown again.
    let message = ctx.http.get_message(reaction.channel_id, reaction.message_id).await?;
    if own != Some(message.author.id.get()) {
        return Ok(None);
    }
    let Some(id) = job_under(&message) else { return Ok(None) };
    let user = UserId(user.get());
    let is_here = |job: &Job| match reaction.guild_id {
        Some(guild) => job.guild.0 == guild.get(),
        None => job.user == user,
    };
    let Some(job) = app.jobs.job(id).await?.filter(|job| is_here(job) && !job.is_deleted && !job.is_forgotten) else { return Ok(None) };
    let (is_moderator, is_restricted) = place(ctx, reaction);
    Ok(Some(Reacted { user, job, channel: reaction.channel_id, message: reaction.message_id, is_moderator, is_restricted, ctx }))
}

/// Whether somebody may end others' jobs where they reacted, and whether it is age-restricted there; what is not known is not allowed.
fn place(ctx: &serenity::Context, reaction: &serenity::Reaction) -> (bool, bool) {
    let Some(guild) = reaction.guild_id else { return (false, false) };
    let Some(guild) = ctx.cache.guild(guild) else { return (false, true) };
    let parent = guild.threads.iter().find(|thread| thread.id == reaction.channel_id).and_then(|thread| thread.parent_id);
    let Some(channel) = guild.channels.get(&parent.unwrap_or(reaction.channel_id)) else { return (false, true) };
    let may_end = Permissions::MANAGE_MESSAGES | Permissions::ADMINISTRATOR;
    let is_moderator = reaction.member.as_ref().is_some_and(|member| guild.user_permissions_in(channel, member).intersects(may_end));
    (is_moderator, channel.nsfw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_emoji_is_meant_however_a_client_writes_it() {
        let check = |emoji: &str, expected: Option<Wish>| {
            assert_eq!(wish(&serenity::ReactionType::Unicode(emoji.into())), expected, "{emoji}");
        };
        check("✉️", Some(Wish::Envelope));
        check("\u{2709}", Some(Wish::Envelope));
        check("❌", Some(Wish::End));
        check("⭐", Some(Wish::Star));
        check("⭐\u{fe0f}", Some(Wish::Star));
        for other in ["👍", "📩", "", "\u{fe0f}", "✉✉"] {
            check(other, None);
        }
    }
}
