//! *Report this picture*: tells the moderators of the guild of it.

use poise::serenity_prelude as serenity;
use storage::{AuditEntry, GuildId};

use super::{
    super::Context,
    target::{self, Target},
};
use crate::{
    error::BotError,
    jobs::received::{Asked, Promise},
    messages::{self, UserError},
    policy::book::Noted,
    system::log::chain,
};

/// Tells the moderators of the picture in a message
#[poise::command(context_menu_command = "Report this picture", guild_only, install_context = "Guild", interaction_context = "Guild")]
pub async fn report(ctx: Context<'_>, message: serenity::Message) -> Result<(), BotError> {
    let (app, interaction) = (ctx.data(), ctx.interaction);
    let job = match target::of(app, &message)? {
        Target::Ours(job) => Some(job.to_string()),
        Target::Theirs(_) => None,
    };
    let by = super::super::user_id(interaction.user.id);
    app.looks.take(by, app.clock.now())?;
    let guild = interaction.guild_id.map(|guild| GuildId(guild.get())).ok_or(UserError::GuildOnly)?;
    let channel = app.jobs.moderators(guild).await?.ok_or(UserError::NoModerators)?;
    let Some(promised) = super::super::promise(ctx, Promise::Alone, Asked::Again).await else { return Ok(()) };
    let link = format!("https://discord.com/channels/{}/{}/{}", guild.0, message.channel_id, message.id);
    let told = async {
        let nonce = interaction.id.to_string();
        if let Err(error) = app.responder.post(channel, &messages::report(by, message.author.id.get(), &link, job.as_deref()), &nonce).await
        {
            tracing::warn!(error = %chain(&error), guild.id = guild.0, "a report could not be given to moderators");
            return Err(BotError::User(UserError::ModeratorsUnreachable));
        }
        let what = serde_json::to_value(Noted::Reported { link: link.clone() })?;
        app.jobs.note_audit(&AuditEntry { guild, user: by, at: app.clock.now(), is_change: false, what }).await?;
        Ok(messages::reported())
    };
    match told.await {
        Ok(answer) => promised.fill(app, &answer).await,
        Err(error) => promised.refuse(app, &super::super::refusal(ctx, error).await).await,
    }
    Ok(())
}
