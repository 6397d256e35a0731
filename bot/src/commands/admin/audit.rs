//! `/admin audit`: who changed which rule, and who was refused.

use storage::{EVERYWHERE, GuildId};

use super::{
    super::Context,
    who::{check_person, scope},
};
use crate::{
    answer::Answer,
    app::App,
    buttons::presser::Presser,
    error::BotError,
    messages::{self, UserError},
};

/// See who changed rules here, and who was refused
#[poise::command(slash_command, guild_only)]
pub(super) async fn audit(
    ctx: Context<'_>,
    #[description = "That of all places; for the person who runs me"] everywhere: Option<bool>,
) -> Result<(), BotError> {
    let (app, guild) = (ctx.data(), scope(ctx, everywhere).await?);
    app.looks.take(super::super::user_id(ctx.interaction.user.id), app.clock.now())?;
    let answer = page(app, guild, 0).await?;
    super::super::tell(ctx, &answer).await;
    Ok(())
}

async fn page(app: &App, guild: GuildId, page: u32) -> Result<Answer, BotError> {
    let offset = page.saturating_mul(messages::AUDIT_PAGE);
    let (entries, has_more) = app.jobs.audit(guild, None, offset, messages::AUDIT_PAGE).await?;
    Ok(messages::audit(&entries, guild == EVERYWHERE, page, has_more))
}

/// Another page, for whoever may see the book now.
///
/// # Errors
/// The presser may not.
pub(crate) async fn turn(
    http: &poise::serenity_prelude::Http,
    (presser, app): (&Presser<'_>, &App),
    is_everywhere: bool,
    number: u32,
) -> Result<Answer, BotError> {
    app.looks.take(presser.user, app.clock.now())?;
    if is_everywhere {
        check_person(http, app, presser.user).await?;
        return page(app, EVERYWHERE, number).await;
    }
    let guild = presser.guild.ok_or(UserError::GuildOnly)?;
    if !presser.is_manager() {
        return Err(UserError::ManagersOnly.into());
    }
    page(app, GuildId(guild.get()), number).await
}
