//! A bot for the stand-in's README: cargo run -p atelier-sandbox, then cargo run -p atelier-sandbox --example echo.

use serenity::all::{
    ClientBuilder, Command, CommandOptionType, Context, CreateCommand, CreateCommandOption, CreateInteractionResponse,
    CreateInteractionResponseMessage, EventHandler, GatewayIntents, HttpBuilder, Interaction, Ready, async_trait,
};

struct Echo;

#[async_trait]
impl EventHandler for Echo {
    async fn ready(&self, ctx: Context, _: Ready) {
        let words = CreateCommandOption::new(CommandOptionType::String, "words", "Anything").required(true);
        let echo = CreateCommand::new("echo").description("Says it again").add_option(words);
        if let Err(error) = Command::create_global_command(&ctx, echo).await {
            eprintln!("the command cannot be registered: {error}");
        }
    }

    async fn interaction_create(&self, ctx: Context, interaction: Interaction) {
        let Interaction::Command(command) = interaction else { return };
        let words = command.data.options.first().and_then(|option| option.value.as_str()).unwrap_or_default();
        let answer = CreateInteractionResponseMessage::new().content(words);
        if let Err(error) = command.create_response(&ctx, CreateInteractionResponse::Message(answer)).await {
            eprintln!("the answer cannot be sent: {error}");
        }
    }
}

/// A bot at the stand-in `url`; `start` it next.
pub async fn bot(url: &str, token: &str) -> Result<serenity::Client, Box<dyn std::error::Error + Send + Sync>> {
    // A proxy of the environment must not carry this away, and `proxy` counts only while serenity's own limiter is off: else the token
    // goes to Discord.
    let client = reqwest::Client::builder().no_proxy().build()?;
    let http = HttpBuilder::new(token).client(client).proxy(url).ratelimiter_disabled(true).build();
    let bot = ClientBuilder::new_with_http(http, GatewayIntents::GUILDS).event_handler(Echo).await?;
    let gateway = bot.ws_url.lock().await.clone();
    if !gateway.starts_with("ws://") {
        return Err(format!("the stand-in at {url} does not answer, and serenity would go to {gateway}").into());
    }
    Ok(bot)
}

#[tokio::main]
#[allow(dead_code, reason = "the test that runs this bot has a start of its own")]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let url = std::env::var("SANDBOX_URL").unwrap_or_else(|_| "http://127.0.0.1:8090".to_owned());
    let token = std::env::var("DISCORD_TOKEN").unwrap_or_else(|_| "sandbox".to_owned());
    Ok(bot(&url, &token).await?.start().await?)
}
