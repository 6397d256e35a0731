//! `/model` and `/lora`: pickers of what can be drawn with.

use poise::serenity_prelude as serenity;

use super::Context;
use crate::{
    buttons::{custom_id::Picker, pick, presser::Presser},
    error::BotError,
    prompt,
};

/// See the models that can draw, and choose one
#[poise::command(slash_command, install_context = "Guild|User", interaction_context = "Guild|BotDm|PrivateChannel")]
pub async fn model(
    ctx: Context<'_>,
    #[description = "One of them; without it all are listed"]
    #[max_length = 100]
    #[autocomplete = "models"]
    name: Option<String>,
) -> Result<(), BotError> {
    open(ctx, Picker::Model, name).await
}

/// See the LoRAs that can be added to a prompt, and choose one
#[poise::command(slash_command, install_context = "Guild|User", interaction_context = "Guild|BotDm|PrivateChannel")]
pub async fn lora(
    ctx: Context<'_>,
    #[description = "One of them; without it all are listed"]
    #[max_length = 100]
    #[autocomplete = "loras"]
    name: Option<String>,
) -> Result<(), BotError> {
    open(ctx, Picker::Lora, name).await
}

async fn open(ctx: Context<'_>, picker: Picker, name: Option<String>) -> Result<(), BotError> {
    let app = ctx.data();
    let presser = Presser::of_command(ctx.interaction);
    app.looks.take(presser.user, app.clock.now())?;
    // What was typed and is no name may be a part of one.
    let offered = app.models.offered_now().await;
    let names = pick::names(&offered, picker);
    let name = name.map(|typed| {
        let part = typed.trim().to_lowercase();
        let ranked = prompt::ranked(names.iter().map(String::as_str), &part);
        ranked.into_iter().find(|name| name.to_lowercase().contains(&part)).map_or_else(|| typed.clone(), str::to_owned)
    });
    let answer = pick::view(&presser, app, picker, 0, name.as_deref()).await?;
    super::tell(ctx, &answer).await;
    Ok(())
}

async fn suggested(ctx: Context<'_>, picker: Picker, typed: &str) -> serenity::CreateAutocompleteResponse {
    let offered = ctx.data().models.offered_now().await;
    let names = pick::names(&offered, picker);
    super::offered(prompt::ranked(names.iter().map(String::as_str), typed).into_iter())
}

async fn models(ctx: Context<'_>, typed: &str) -> serenity::CreateAutocompleteResponse {
    suggested(ctx, Picker::Model, typed).await
}

async fn loras(ctx: Context<'_>, typed: &str) -> serenity::CreateAutocompleteResponse {
    suggested(ctx, Picker::Lora, typed).await
}
