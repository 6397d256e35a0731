//! `/admin words`: what prompts may not say. `/admin moderators`: who is asked about it.

use poise::serenity_prelude as serenity;
use storage::BlockedWord;

use super::{super::Context, note, who::scope};
use crate::{
    error::BotError,
    messages::{self, UserError},
    policy::{book::Noted, words as rules},
};

/// What prompts may not say here
#[poise::command(slash_command, guild_only, subcommand_required, subcommands("block", "unblock", "show"))]
pub(super) async fn words(_: Context<'_>) -> Result<(), BotError> {
    Ok(())
}

/// Block a word, several words, or a pattern between slashes
#[poise::command(slash_command, guild_only)]
async fn block(
    ctx: Context<'_>,
    #[description = "Such as gore, blood bath, gore* for all that begins with it, or /go+re/"]
    #[max_length = 100]
    word: String,
    #[description = "Whether negative prompts may not say it either"] in_negative: Option<bool>,
    #[description = "In all places; for the person who runs me"] everywhere: Option<bool>,
) -> Result<(), BotError> {
    let (app, guild) = (ctx.data(), scope(ctx, everywhere).await?);
    let word = word.trim().to_owned();
    rules::check(&word).map_err(UserError::BadWord)?;
    if !app.jobs.block_word(guild, &BlockedWord { word: word.clone(), in_negative: in_negative == Some(true) }).await? {
        return Err(UserError::SettingTooHigh { name: "words", max: storage::MAX_WORDS.to_string() }.into());
    }
    note(ctx, guild, &Noted::Word { word, is_blocked: true }).await?;
    tell(ctx, everywhere, Some(true)).await
}

/// Block a word no more
#[poise::command(slash_command, guild_only)]
async fn unblock(
    ctx: Context<'_>,
    #[description = "As it was blocked"]
    #[max_length = 100]
    word: String,
    #[description = "In all places; for the person who runs me"] everywhere: Option<bool>,
) -> Result<(), BotError> {
    let (app, guild, word) = (ctx.data(), scope(ctx, everywhere).await?, word.trim().to_owned());
    let was_blocked = app.jobs.unblock_word(guild, &word).await?;
    if was_blocked {
        note(ctx, guild, &Noted::Word { word, is_blocked: false }).await?;
    }
    tell(ctx, everywhere, Some(was_blocked)).await
}

/// See the words that are blocked here
#[poise::command(slash_command, guild_only)]
async fn show(
    ctx: Context<'_>,
    #[description = "Those of all places; for the person who runs me"] everywhere: Option<bool>,
) -> Result<(), BotError> {
    tell(ctx, everywhere, None).await
}

async fn tell(ctx: Context<'_>, everywhere: Option<bool>, saved: Option<bool>) -> Result<(), BotError> {
    let guild = scope(ctx, everywhere).await?;
    let words = ctx.data().jobs.blocked_words(guild).await?;
    super::super::tell(ctx, &messages::blocked_words(saved, &words, everywhere == Some(true))).await;
    Ok(())
}

/// Say in which channel moderators are asked; in none if you name none
#[poise::command(slash_command, guild_only)]
pub(super) async fn moderators(
    ctx: Context<'_>,
    #[description = "Where appeals and reports go"]
    #[channel_types("Text")]
    channel: Option<serenity::ChannelId>,
) -> Result<(), BotError> {
    let (app, guild) = (ctx.data(), super::super::managed_guild(ctx.interaction)?);
    let channel = channel.map(serenity::ChannelId::get);
    app.jobs.set_moderators(guild, channel).await?;
    note(ctx, guild, &Noted::Moderators { channel }).await?;
    super::super::tell(ctx, &messages::moderators(channel)).await;
    Ok(())
}
