//! The library that Atelier uses, unchanged, against the sandbox: this is what proves the shapes.

use crate::support::{SOON, TOKEN, png, start};
use poise::serenity_prelude as serenity;
use sandbox::Visitor;
use serde_json::json;
use std::sync::Arc;

type Error = Box<dyn std::error::Error + Send + Sync>;
type Context<'a> = poise::Context<'a, (), Error>;

async fn colours(_: Context<'_>, partial: &str) -> serenity::CreateAutocompleteResponse {
    let fitting = ["red", "green"].into_iter().filter(|colour| colour.starts_with(partial));
    serenity::CreateAutocompleteResponse::new().set_choices(fitting.map(serenity::AutocompleteChoice::from).collect())
}

/// Answers with a picture.
#[poise::command(slash_command, install_context = "Guild|User", interaction_context = "Guild|BotDm|PrivateChannel")]
async fn ping(
    ctx: Context<'_>,
    #[description = "Anything"] words: String,
    #[description = "A colour"]
    #[autocomplete = "colours"]
    colour: Option<String>,
    #[description = "A picture"] reference: Option<serenity::Attachment>,
) -> Result<(), Error> {
    ctx.defer().await?;
    let poise::Context::Application(app) = ctx else { return Err("a slash command".into()) };
    let size = reference.map(|reference| (reference.size, reference.width));
    let button = serenity::CreateButton::new("1:again").label("Again");
    let form = serenity::CreateButton::new("1:form").label("Form");
    let edit = serenity::EditInteractionResponse::new()
        .content(format!("{words} {colour:?} {size:?}"))
        .new_attachment(serenity::CreateAttachment::bytes(png(), "grid.png").description("a grid"))
        .components(vec![serenity::CreateActionRow::Buttons(vec![button, form])]);
    let edited = app.interaction.edit_response(ctx, edit).await?;
    assert_eq!(edited.attachments[0].width, Some(3));
    Ok(())
}

/// Shows settings.
#[poise::command(slash_command, subcommands("show"))]
async fn settings(_: Context<'_>) -> Result<(), Error> {
    Ok(())
}

/// Shows one setting.
#[poise::command(slash_command)]
async fn show(ctx: Context<'_>, name: String) -> Result<(), Error> {
    ctx.send(poise::CreateReply::default().content(format!("{name} is on")).ephemeral(true)).await?;
    Ok(())
}

/// Tells about a message.
#[poise::command(context_menu_command = "About this")]
async fn about(ctx: Context<'_>, message: serenity::Message) -> Result<(), Error> {
    ctx.say(format!("{} attachment(s) by {}", message.attachments.len(), message.author.name)).await?;
    Ok(())
}

async fn on_event(framework: poise::FrameworkContext<'_, (), Error>, event: &serenity::FullEvent) -> Result<(), Error> {
    let ctx = framework.serenity_context;
    match event {
        serenity::FullEvent::InteractionCreate { interaction: serenity::Interaction::Component(click) }
            if click.data.custom_id == "1:form" =>
        {
            let input = serenity::CreateInputText::new(serenity::InputTextStyle::Paragraph, "Words", "words").value("before");
            let form = serenity::CreateModal::new("1:words", "Change").components(vec![serenity::CreateActionRow::InputText(input)]);
            click.create_response(ctx, serenity::CreateInteractionResponse::Modal(form)).await?;
        }
        serenity::FullEvent::InteractionCreate { interaction: serenity::Interaction::Component(click) } => {
            click.create_response(ctx, serenity::CreateInteractionResponse::Acknowledge).await?;
            let edit = serenity::EditInteractionResponse::new().content(format!("again for {}", click.user.name));
            click.edit_response(ctx, edit).await?;
            let more = serenity::CreateInteractionResponseFollowup::new().add_file(serenity::CreateAttachment::bytes(png(), "more.png"));
            click.create_followup(ctx, more).await?;
        }
        serenity::FullEvent::InteractionCreate { interaction: serenity::Interaction::Modal(form) } => {
            let serenity::ActionRowComponent::InputText(input) = &form.data.components[0].components[0] else {
                return Err("a text input".into());
            };
            let answer = serenity::CreateInteractionResponseMessage::new().content(format!("words: {:?}", input.value)).ephemeral(true);
            form.create_response(ctx, serenity::CreateInteractionResponse::Message(answer)).await?;
        }
        serenity::FullEvent::Message { new_message } if new_message.author.name == "linus" => {
            let dm = new_message.author.create_dm_channel(ctx).await?;
            let nonce = serenity::Nonce::String("one".to_owned());
            for _ in 0..2 {
                let message = serenity::CreateMessage::new().content("hello").nonce(nonce.clone()).enforce_nonce(true);
                dm.send_message(ctx, message).await?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// A running client; its task ends with it.
struct Bot {
    task: tokio::task::JoinHandle<serenity::Result<()>>,
    shards: Arc<serenity::ShardManager>,
}

async fn run(url: &str) -> Bot {
    let http_client = reqwest::Client::builder().no_proxy().build().expect("a plain client builds");
    // With its rate limiter on, serenity ignores the proxy and would talk to discord.com.
    let http = serenity::HttpBuilder::new(TOKEN).client(http_client).proxy(url).ratelimiter_disabled(true).build();
    let framework = poise::Framework::builder()
        .options(poise::FrameworkOptions {
            commands: vec![ping(), settings(), about()],
            event_handler: |framework, event| Box::pin(on_event(framework, event)),
            on_error: |error| Box::pin(async move { panic!("the bot failed: {error}") }),
            ..Default::default()
        })
        .setup(|ctx, _, framework| {
            Box::pin(async move {
                poise::builtins::register_globally(ctx, &framework.options().commands).await?;
                Ok(())
            })
        })
        .build();
    let intents = serenity::GatewayIntents::GUILDS | serenity::GatewayIntents::GUILD_MESSAGES;
    let mut client = serenity::ClientBuilder::new_with_http(http, intents).framework(framework).await.expect("the client is built");
    assert!(client.ws_url.lock().await.starts_with("ws://127.0.0.1"), "serenity must not fall back to discord.com");
    let shards = Arc::clone(&client.shard_manager);
    Bot { task: tokio::spawn(async move { client.start().await }), shards }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poise_bot_lives_here() {
    let sandbox = start().await;
    let bot = run(sandbox.url()).await;
    let ada = Visitor::connect(sandbox.url(), "ada").await.expect("ada is here");
    ada.wait_for_command("ping", SOON).await.expect("the bot registers its commands");

    let picture = Visitor::file("mine.png", "image/png", &png());
    let options = [("words", json!("a frog")), ("colour", json!("red")), ("reference", picture)];
    ada.slash("general", "ping", &options).await.expect("the command is known");
    let answer = ada
        .wait_for("general", SOON, |messages| messages.iter().find(|message| message["attachments"][0]["filename"] == "grid.png").cloned())
        .await
        .expect("the bot answers with a picture");
    assert_eq!(answer["content"], format!("a frog Some(\"red\") Some(({}, Some(3)))", png().len()));
    assert_eq!(answer["flags"], 0);
    assert_eq!(answer["interaction_metadata"]["name"], "ping");
    assert_eq!(answer["interaction_metadata"]["user"]["username"], "ada");
    assert_eq!(answer["attachments"][0]["description"], "a grid");
    assert_eq!(ada.attachment_bytes(&answer, 0).await.expect("the picture is served"), png());

    let choices = ada.autocomplete("general", "ping", &[("colour", json!("gr"))], "colour").await.expect("the bot suggests");
    assert_eq!(choices.len(), 1);
    assert_eq!(choices[0]["value"], "green");

    let id = answer["id"].as_str().expect("a message has an id");
    ada.press(id, "Again").await.expect("the button is there");
    ada.wait_for("general", SOON, |messages| {
        let edited = messages.iter().any(|message| message["id"] == id && message["content"] == "again for ada");
        (edited && messages.iter().any(|message| message["attachments"][0]["filename"] == "more.png")).then_some(())
    })
    .await
    .expect("the press edits the message and sends another");

    let seq = ada.seq().await.expect("the sandbox counts");
    ada.press(id, "Form").await.expect("the button is there");
    let form = ada.wait_for_event(seq, SOON, |kind, data| (kind == "modal").then(|| data.clone())).await.expect("a form opens");
    ada.submit(&form, &[("words", "after")]).await.expect("the form is taken");
    let grace = Visitor::connect(sandbox.url(), "grace").await.expect("grace is here");
    ada.wait_for("general", SOON, |messages| messages.iter().find(|message| message["content"] == "words: Some(\"after\")").map(drop))
        .await
        .expect("the form is answered");
    let hers = grace.messages("general").await.expect("grace reads");
    assert!(!hers.iter().any(|message| message["flags"] == 64), "ephemeral messages are for one person");

    ada.slash("general", "settings show", &[("name", json!("previews"))]).await.expect("the sub-command is known");
    ada.wait_for("general", SOON, |messages| messages.iter().find(|message| message["content"] == "previews is on").map(drop))
        .await
        .expect("the sub-command is answered");
    ada.menu("general", "About this", id).await.expect("the menu is known");
    ada.wait_for("general", SOON, |messages| messages.iter().find(|message| message["content"] == "1 attachment(s) by your_bot").map(drop))
        .await
        .expect("the menu is answered");
    ada.slash("dm", "ping", &[("words", json!("alone"))]).await.expect("the command works in direct messages");
    ada.wait_for("dm", SOON, |messages| messages.iter().find(|message| message["content"] == "alone None None").map(drop))
        .await
        .expect("it is answered there");

    let linus = Visitor::connect(sandbox.url(), "linus").await.expect("linus is here");
    linus.say("general", "hi").await.expect("linus may speak");
    linus.wait_for("dm", SOON, |messages| (!messages.is_empty()).then_some(())).await.expect("the bot opens direct messages");

    // A broken connection is resumed, and commands work as before.
    let seq = ada.seq().await.expect("the sandbox counts");
    sandbox.drop_gateway();
    ada.wait_for_event(seq, SOON, |kind, data| (kind == "bot" && data["online"] == true).then_some(())).await.expect("the bot comes back");
    ada.slash("general", "ping", &[("words", json!("still here"))]).await.expect("the command is known");
    ada.wait_for("general", SOON, |messages| messages.iter().find(|message| message["content"] == "still here None None").map(drop))
        .await
        .expect("the bot answers again");
    assert_eq!(linus.messages("dm").await.expect("linus reads").len(), 1, "the same nonce makes one message");

    bot.shards.shutdown_all().await;
    bot.task.await.expect("the client ends").expect("it ended well");
    sandbox.shutdown().await;
}
