//! `/blend`: draws what two to five pictures become when they lie over each other.

use poise::serenity_prelude as serenity;

use super::{Context, imagine};
use crate::{
    error::BotError,
    intake::{Address, Named},
    prompt::TypedOptions,
};

/// Draw what two to five pictures become together
#[poise::command(slash_command, install_context = "Guild|User", interaction_context = "Guild|BotDm|PrivateChannel")]
#[expect(clippy::too_many_arguments, reason = "poise makes one Discord option of each argument")]
pub async fn blend(
    ctx: Context<'_>,
    #[description = "The first picture, which gives the shape"] image1: serenity::Attachment,
    #[description = "Another picture"] image2: serenity::Attachment,
    #[description = "Another picture"] image3: Option<serenity::Attachment>,
    #[description = "Another picture"] image4: Option<serenity::Attachment>,
    #[description = "Another picture"] image5: Option<serenity::Attachment>,
    #[description = "What it shows, where the pictures' files do not say it; parameters may follow"]
    #[max_length = 6000]
    prompt: Option<String>,
    #[description = "Width to height, such as 3:2 (--ar)"]
    #[max_length = 100]
    #[autocomplete = "imagine::aspects"]
    aspect: Option<String>,
) -> Result<(), BotError> {
    let address = |attachment: serenity::Attachment| Address::File { url: attachment.url };
    let others = [Some(image2), image3, image4, image5].into_iter().flatten().map(address).collect();
    let named = Named { init: Some(address(image1)), mask: None, others };
    let options = TypedOptions { aspect, ..TypedOptions::default() };
    imagine::draw(ctx, &prompt.unwrap_or_default(), options, named).await
}
