//! `/admin owner`: what the person who runs the bot does without a shell.

use poise::serenity_prelude as serenity;
use storage::{DrawRule, DrawSubject, DrawTerms, EVERYWHERE, UserId};

use super::{super::Context, draw::change, note, who::check};
use crate::{
    error::BotError,
    messages::{self, OwnerDone},
    policy::book::Noted,
};

/// For the person who runs me
#[poise::command(slash_command, guild_only, subcommand_required, subcommands("ban", "unban", "drain", "open", "reload"))]
pub(super) async fn owner(_: Context<'_>) -> Result<(), BotError> {
    Ok(())
}

/// Let somebody draw nowhere any more
#[poise::command(slash_command, guild_only)]
async fn ban(ctx: Context<'_>, #[description = "Who"] person: serenity::UserId) -> Result<(), BotError> {
    say(ctx, DrawSubject::Person(UserId(person.get())), Some(false), OwnerDone::Banned(person.get())).await
}

/// Let somebody draw again
#[poise::command(slash_command, guild_only)]
async fn unban(ctx: Context<'_>, #[description = "Who"] person: serenity::UserId) -> Result<(), BotError> {
    say(ctx, DrawSubject::Person(UserId(person.get())), None, OwnerDone::Unbanned(person.get())).await
}

/// Take no new jobs; what runs and waits goes on
#[poise::command(slash_command, guild_only)]
async fn drain(ctx: Context<'_>) -> Result<(), BotError> {
    check(ctx).await?;
    let queue = ctx.data().jobs.queue_status().await?;
    say(ctx, DrawSubject::Everyone, Some(false), OwnerDone::Drained { n_left: queue.queued + queue.running }).await
}

/// Take jobs again
#[poise::command(slash_command, guild_only)]
async fn open(ctx: Context<'_>) -> Result<(), BotError> {
    say(ctx, DrawSubject::Everyone, None, OwnerDone::Opened).await
}

/// Look at the models and adapters anew
#[poise::command(slash_command, guild_only)]
async fn reload(ctx: Context<'_>) -> Result<(), BotError> {
    check(ctx).await?;
    let stock = ctx.data().models.stock.clone();
    tokio::task::spawn_blocking(move || stock.refresh()).await?;
    note(ctx, EVERYWHERE, &Noted::Reloaded).await?;
    let offered = ctx.data().models.offered();
    let done = OwnerDone::Reloaded { n_models: offered.models.len(), n_adapters: offered.catalogue.adapters().len() };
    super::super::tell(ctx, &messages::owner_done(done)).await;
    Ok(())
}

/// Says whether somebody may draw in all places; what else is said of them stays.
async fn say(ctx: Context<'_>, subject: DrawSubject, may_draw: Option<bool>, done: OwnerDone) -> Result<(), BotError> {
    check(ctx).await?;
    let old = ctx.data().jobs.draw_rules(EVERYWHERE).await?.into_iter().find(|rule| rule.subject == subject);
    let terms = DrawTerms { may_draw, ..old.map(|rule| rule.terms).unwrap_or_default() };
    change(ctx, DrawRule { guild: EVERYWHERE, subject, terms }).await?;
    super::super::tell(ctx, &messages::owner_done(done)).await;
    Ok(())
}
