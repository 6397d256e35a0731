//! `/imagine`: draws pictures from a prompt.

use std::sync::Arc;

use inference::{
    catalogue::AdapterCard,
    sampler::{Sampler, SamplerChoice},
};
use poise::serenity_prelude as serenity;
use storage::Delivery;

use super::Context;
use crate::{
    app::App,
    buttons::{self, presser::Presser},
    discord::{self, places::Place},
    error::BotError,
    intake::{Address, Named, Ready, Wanted},
    jobs::{enqueue::Request, received::Asked, several, speed::Speed},
    messages::{ASPECTS, UserError},
    prompt::{self, ParseContext, TypedOptions},
};

/// An option's name, its least and its largest value.
pub(super) type Range = (&'static str, serde_json::Value, serde_json::Value);

/// The first picture's option of `/blend`.
const FIRST: &str = "image1";
/// Those of the others.
const OTHERS: [&str; 4] = ["image2", "image3", "image4", "image5"];

/// What the numbers among the options may be: what `prompt::parse` takes.
pub(super) fn ranges(app: &App) -> [Range; 3] {
    let context = app.models.parse_context();
    [
        ("cfg", prompt::GUIDANCE.start().to_owned().into(), prompt::GUIDANCE.end().to_owned().into()),
        ("steps", 1.into(), context.max_steps.into()),
        ("seed", 0.into(), context.max_seed.into()),
    ]
}

/// Draw four pictures from a prompt
#[poise::command(slash_command, install_context = "Guild|User", interaction_context = "Guild|BotDm|PrivateChannel")]
#[expect(clippy::too_many_arguments, reason = "poise makes one Discord option of each argument")]
pub async fn imagine(
    ctx: Context<'_>,
    #[description = "What to draw; parameters such as --ar 3:2 --no text --seed 7 may follow"]
    #[max_length = 6000]
    prompt: String,
    #[description = "What to stay away from (--no)"]
    #[max_length = 2000]
    negative: Option<String>,
    #[description = "How closely to follow the prompt (--cfg)"] cfg: Option<f64>,
    #[description = "Denoising steps (--steps)"] steps: Option<i64>,
    #[description = "The same seed draws the same pictures (--seed)"] seed: Option<i64>,
    #[description = "Width to height, such as 3:2 (--ar)"]
    #[max_length = 100]
    #[autocomplete = "aspects"]
    aspect: Option<String>,
    #[description = "How one noise level goes to the next (--sampler)"]
    #[max_length = 100]
    #[autocomplete = "samplers"]
    sampler: Option<String>,
    #[description = "What to draw with (--model)"]
    #[max_length = 100]
    #[autocomplete = "models"]
    model: Option<String>,
    #[description = "An adapter, such as ink or ink:0.8 (<lora:ink:0.8> in the prompt)"]
    #[max_length = 100]
    #[autocomplete = "loras"]
    lora: Option<String>,
    #[description = "Whether others go first (--fast, --relax)"]
    #[max_length = 100]
    #[autocomplete = "speeds"]
    speed: Option<String>,
    #[description = "A picture to change; --iw 0 to 3 says how much of it stays"] image: Option<serenity::Attachment>,
    #[description = "Which part of the picture is drawn anew: white; what is black or transparent stays"] mask: Option<
        serenity::Attachment,
    >,
) -> Result<(), BotError> {
    let options = TypedOptions { negative, guidance: cfg, steps, seed, aspect, sampler, model, speed };
    let address = |attachment: Option<serenity::Attachment>| attachment.map(|attachment| Address::File { url: attachment.url });
    let named = Named { init: address(image), mask: address(mask), others: Vec::new() };
    let line = prompt::with_lora(&prompt, lora.as_deref());
    draw(ctx, &line, options, named).await
}

/// Draws what a command asks for, in one grid or several.
pub(super) async fn draw(ctx: Context<'_>, line: &str, options: TypedOptions, named: Named) -> Result<(), BotError> {
    let app: &Arc<App> = ctx.data();
    let wanted = Wanted::new(line, options, named, &app.intake.hosts).map_err(UserError::Picture)?;
    let mut presser = Presser::of_command(ctx.interaction);
    buttons::learn(&mut presser, app, None).await?;
    let context = app.models.parse_context_of(&presser.chosen).await;
    let grids = wanted.check(&context, false).map_err(UserError::Prompt)?;
    let place = Place::of(
        ctx.interaction.guild_id,
        ctx.interaction.channel_id,
        ctx.interaction.channel.as_ref(),
        ctx.interaction.member.as_deref(),
    );
    discord::places::check_open(&ctx.serenity_context().cache, ctx.interaction.channel_id, place.as_ref(), wanted.named.channels())?;
    super::check_permissions(ctx.interaction.app_permissions.filter(|_| ctx.interaction.guild_id.is_some()))?;
    if grids.len() > 1 {
        let user = super::user_id(ctx.interaction.user.id);
        let question = several::ask((&app.models, &app.drafts), user, &super::typed(ctx), &grids).await?;
        super::tell(ctx, &question).await;
        return Ok(());
    }
    let Some(promised) = super::promise(ctx, presser.promise(), Asked::Imagine(super::typed(ctx))).await else { return Ok(()) };
    presser.message = promised.message;
    match enqueue(ctx, &wanted, &context, &presser).await {
        Ok(()) => promised.has_job(),
        Err(error) => promised.refuse(app, &super::refusal(ctx, error).await).await,
    }
    Ok(())
}

/// Makes a job of a wish, once its pictures are kept.
async fn enqueue(ctx: Context<'_>, wanted: &Wanted, context: &ParseContext, presser: &Presser<'_>) -> Result<(), BotError> {
    let (app, interaction) = (ctx.data(), ctx.interaction);
    let Ready { task, speed, notes } = app.intake.task(wanted, context).await?;
    let request = Request {
        key: interaction.id.to_string(),
        press: None,
        guild: super::paying_guild(interaction.guild_id, &interaction.authorizing_integration_owners, interaction.user.id),
        user: super::user_id(interaction.user.id),
        roles: super::roles(interaction),
        speed: Speed::of(speed),
        action: wanted.action(),
        task,
        notes,
        parent: None,
        begins: Vec::new(),
        delivery: Delivery {
            message: presser.message,
            is_private: presser.is_private,
            ..discord::delivery(app.clock.now(), interaction.channel_id, &interaction.token)
        },
    };
    app.door.enqueue(request).await.map(drop)
}

/// The pictures that were put into the options.
pub(super) fn pictures_of(data: &serenity::CommandData) -> Named {
    let picture = |name: &str| {
        let option = data.options.iter().find(|option| option.name == name)?;
        let serenity::CommandDataOptionValue::Attachment(id) = option.value else { return None };
        data.resolved.attachments.get(&id).map(|attachment| Address::File { url: attachment.url.clone() })
    };
    let others = OTHERS.into_iter().filter_map(picture).collect();
    Named { init: picture("image").or_else(|| picture(FIRST)), mask: picture("mask"), others }
}

/// What was typed into the options, by their names.
pub(super) fn options_of(data: &serenity::CommandData) -> Vec<(String, String)> {
    let text = |option: &serenity::CommandDataOption| match &option.value {
        serenity::CommandDataOptionValue::String(text) => Some(text.clone()),
        serenity::CommandDataOptionValue::Integer(number) => Some(number.to_string()),
        serenity::CommandDataOptionValue::Number(number) => Some(number.to_string()),
        _ => None,
    };
    data.options.iter().filter_map(|option| Some((option.name.clone(), text(option)?))).collect()
}

pub(super) async fn aspects(_ctx: poise::ApplicationContext<'_, Arc<App>, BotError>, typed: &str) -> serenity::CreateAutocompleteResponse {
    choices(&ASPECTS, typed)
}

async fn speeds(_ctx: poise::ApplicationContext<'_, Arc<App>, BotError>, typed: &str) -> serenity::CreateAutocompleteResponse {
    choices(&["fast", "relax"], typed)
}

async fn samplers(_ctx: poise::ApplicationContext<'_, Arc<App>, BotError>, typed: &str) -> serenity::CreateAutocompleteResponse {
    let suggested = suggested_samplers(typed);
    let choices = suggested.iter().take(super::MAX_CHOICES).map(|name| serenity::AutocompleteChoice::new(shown(name), name.as_str()));
    serenity::CreateAutocompleteResponse::new().set_choices(choices.collect())
}

async fn models(ctx: poise::ApplicationContext<'_, Arc<App>, BotError>, typed: &str) -> serenity::CreateAutocompleteResponse {
    let now = ctx.data().models.offered_now().await;
    let names = now.models.iter().map(|model| model.name.as_str());
    super::offered(prompt::ranked(names, typed).into_iter())
}

async fn loras(ctx: poise::ApplicationContext<'_, Arc<App>, BotError>, typed: &str) -> serenity::CreateAutocompleteResponse {
    let now = ctx.data().models.offered_now().await;
    let fits = |card: &AdapterCard| card.fault.is_none() && now.catalogue.models().iter().any(|model| model.fits(card));
    let names = now.catalogue.adapters().iter().filter(|card| fits(card)).map(|card| card.name.as_str());
    super::offered(prompt::ranked(names, typed).into_iter())
}

/// Our names, found by other programs' too, and a whole choice as it was typed.
fn suggested_samplers(typed: &str) -> Vec<String> {
    let typed = typed.trim();
    let lower = typed.to_lowercase();
    let whole = typed.parse().ok().filter(|choice: &SamplerChoice| choice.schedule.is_some());
    let is_meant = |sampler: &Sampler| sampler.name().contains(&lower) || sampler.shown().to_lowercase().contains(&lower);
    let names = Sampler::ALL.into_iter().filter(is_meant).map(|sampler| sampler.name().to_owned());
    whole.map(|choice| choice.to_string()).into_iter().chain(names).collect()
}

/// A sampler's name with a word of what it is good for.
fn shown(name: &str) -> String {
    let about = name.parse::<SamplerChoice>().ok().map(|choice| choice.sampler.about());
    about.map_or_else(|| name.to_owned(), |about| format!("{name} · {about}"))
}

fn choices(all: &[&str], typed: &str) -> serenity::CreateAutocompleteResponse {
    super::offered(all.iter().copied().filter(|choice| choice.contains(typed.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samplers_are_suggested_by_every_name() {
        let first = |typed: &str| suggested_samplers(typed).first().cloned();
        for (typed, expected) in
            [("DPM++ 2M", "dpmpp_2m"), ("euler a", "euler_a"), ("PLMS", "pndm"), ("DPM++ 2M Karras", "dpmpp_2m karras")]
        {
            assert_eq!(first(typed).as_deref(), Some(expected), "{typed}");
        }
        assert_eq!(shown("euler"), "euler · the plain one");
        assert!(Sampler::ALL.iter().all(|sampler| shown(sampler.name()).chars().count() <= 100), "as long as Discord takes");
        assert_eq!((suggested_samplers("").len(), first("eular")), (Sampler::ALL.len(), None));
    }
}
