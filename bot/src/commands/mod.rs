//! Slash commands, one file each, and the framework that runs them.

pub(crate) mod history;
mod imagine;
mod info;
mod quota;
mod settings;

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use poise::serenity_prelude as serenity;
use storage::{Delivery, GuildId, UserId};

use crate::{
    answer::Answer,
    app::App,
    config::LimitsConfig,
    discord::{self, ask::AskError},
    error::BotError,
    jobs::drafts::{self, Typed},
    messages::{self, UserError},
    system::log::chain,
    system::printable::printable,
};

/// What a command gets.
pub type Context<'a> = poise::ApplicationContext<'a, Arc<App>, BotError>;

/// Interaction tokens live this long.
const TOKEN_LIFE: std::time::Duration = std::time::Duration::from_secs(15 * 60);

/// Refusals may quote what was typed; Discord takes 2,000 characters.
pub const MAX_TEXT: usize = 1900;

/// All commands, in the places where they may be used.
fn all(limits: &LimitsConfig) -> Vec<poise::Command<Arc<App>, BotError>> {
    let mut commands = vec![imagine::imagine(), history::history(), info::info(), quota::quota(), settings::settings()];
    for command in &mut commands {
        let is_offered = |context: &serenity::InteractionContext| match context {
            serenity::InteractionContext::BotDm => limits.allow_direct_messages,
            serenity::InteractionContext::PrivateChannel => limits.allow_user_install,
            _ => true,
        };
        command.interaction_context.iter_mut().for_each(|contexts| contexts.retain(is_offered));
        let is_offered =
            |install: &serenity::InstallationContext| limits.allow_user_install || *install != serenity::InstallationContext::User;
        command.install_context.iter_mut().for_each(|installs| installs.retain(is_offered));
    }
    commands
}

/// Registered commands and answers on their way outlive a change of the configuration: each use is checked, too.
async fn check_venue(ctx: poise::Context<'_, Arc<App>, BotError>) -> Result<bool, BotError> {
    if let poise::Context::Application(ctx) = ctx {
        let interaction = ctx.interaction;
        let venue = discord::venue_of(interaction.guild_id, interaction.context, &interaction.authorizing_integration_owners);
        venue.check(&ctx.data().config.limits)?;
    }
    Ok(true)
}

/// The framework with all commands; its setup cannot fail.
pub fn framework(app: Arc<App>) -> poise::Framework<Arc<App>, BotError> {
    let options = poise::FrameworkOptions {
        commands: all(&app.config.limits),
        command_check: Some(|ctx| Box::pin(check_venue(ctx))),
        on_error: |error| Box::pin(on_error(error)),
        event_handler: |framework, event| {
            Box::pin(async move {
                discord::on_event(framework.serenity_context, event, framework.user_data).await;
                Ok(())
            })
        },
        allowed_mentions: Some(serenity::CreateAllowedMentions::new()),
        initialize_owners: false,
        ..Default::default()
    };
    poise::Framework::builder()
        .options(options)
        .setup(move |ctx, ready, framework| {
            let (http, commands) = (ctx.http.clone(), poise::builtins::create_application_commands(&framework.options().commands));
            let commands = with_ranges(&commands, &imagine::ranges(&app), &settings::descriptions(app.cost_of_picture()));
            let bot = ready.application.id;
            let registrar = app.clone();
            let _ =
                app.identity.set(messages::Identity { name: ready.user.tag(), id: bot.get(), n_guilds: Some(ready.guilds.len() as u64) });
            app.link.found();
            Box::pin(async move {
                app.messenger.connect(http);
                // Not awaited: every event waits until the setup has returned, and a failed setup leaves a silent bot.
                registrar.clone().tasks.spawn(async move {
                    let (mut waits, mut told) = (discord::Waits::default(), Vec::new());
                    while let Err(error) = register(&registrar, bot, &commands).await {
                        let why = chain(error.as_ref());
                        let wait = waits.next(error.downcast_ref().and_then(AskError::wait));
                        if !told.contains(&why) {
                            tracing::warn!("{}", messages::not_registered(&why, wait));
                            told.push(why);
                        }
                        tokio::select! {
                            () = registrar.clock.sleep(wait) => {}
                            () = registrar.shutdown.cancelled() => break,
                        }
                    }
                });
                Ok(app)
            })
        })
        .build()
}

/// The commands as Discord gets them, each option with its range and costs: they depend on the configuration, which the library's attributes
/// cannot.
fn with_ranges(commands: &[serenity::CreateCommand], ranges: &[imagine::Range], costs: &[(&str, String)]) -> serde_json::Value {
    let mut commands = serde_json::json!(commands);
    for command in commands.as_array_mut().into_iter().flatten().filter(|command| command["name"] == "settings") {
        for option in command["options"].as_array_mut().into_iter().flatten() {
            if let Some((_, description)) = costs.iter().find(|(name, _)| option["name"] == *name) {
                option["description"] = description.as_str().into();
            }
        }
    }
    for command in commands.as_array_mut().into_iter().flatten().filter(|command| command["name"] == "imagine") {
        for option in command["options"].as_array_mut().into_iter().flatten() {
            if let Some((_, min, max)) = ranges.iter().find(|(name, ..)| option["name"] == *name) {
                (option["min_value"], option["max_value"]) = (min.clone(), max.clone());
            }
        }
    }
    commands
}

/// Registers the commands if they changed since the last time: Discord allows 200 creations a day.
async fn register(app: &App, bot: serenity::ApplicationId, commands: &serde_json::Value) -> anyhow::Result<()> {
    let mut hasher = DefaultHasher::new();
    commands.to_string().hash(&mut hasher);
    let (key, hash) = (format!("commands:{bot}"), format!("{:016x}", hasher.finish()));
    if app.jobs.note(&key).await?.as_deref() != Some(&hash) {
        let n_commands = app.caller.register(bot, commands).await?;
        app.jobs.set_note(&key, &hash).await?;
        app.permits.forget_all();
        tracing::info!(n_commands, "commands registered");
    }
    app.is_registered.send_replace(true);
    Ok(())
}

async fn on_error(error: poise::FrameworkError<'_, Arc<App>, BotError>) {
    match error {
        poise::FrameworkError::Command { error, ctx: poise::Context::Application(ctx), .. } => fail(ctx, error).await,
        poise::FrameworkError::CommandCheckFailed { error: Some(error), ctx: poise::Context::Application(ctx), .. } => {
            fail(ctx, error).await
        }
        poise::FrameworkError::CommandPanic { payload, ctx: poise::Context::Application(ctx), .. } => {
            fail(ctx, BotError::Internal(anyhow::anyhow!("a command panicked: {payload:?}"))).await;
        }
        poise::FrameworkError::ArgumentParse { error, ctx: poise::Context::Application(ctx), .. } => {
            let answer = with_what_was_typed(ctx, Answer::text(format!("I could not read that: {error}"))).await;
            tell(ctx, &answer).await;
        }
        other => tracing::error!(error = %other, "the framework failed"),
    }
}

/// Tells the caller alone why a command did not work.
async fn fail(ctx: Context<'_>, error: BotError) {
    let text = match error {
        BotError::User(error) => error.to_string(),
        BotError::Internal(error) => {
            tracing::error!(error = chain(error.as_ref()), command = %ctx.command().qualified_name, "a command failed");
            messages::INTERNAL_ERROR.to_owned()
        }
    };
    let answer = with_what_was_typed(ctx, Answer::text(messages::shorten(&printable(&text), MAX_TEXT))).await;
    tell(ctx, &answer).await;
}

/// Keeps what was typed into `/imagine`, and puts the button that opens it under its refusal.
async fn with_what_was_typed(ctx: Context<'_>, mut answer: Answer) -> Answer {
    let interaction = ctx.interaction;
    if ctx.command().name == "imagine" {
        let venue = discord::venue_of(interaction.guild_id, interaction.context, &interaction.authorizing_integration_owners);
        let typed = Typed::of_options(imagine::options_of(&interaction.data), venue);
        drafts::give_back(ctx.data(), user_id(interaction.user.id), &typed, &mut answer).await;
    }
    answer
}

/// Says something to the caller alone; a public answer that was promised is taken back first.
async fn tell(ctx: Context<'_>, answer: &Answer) {
    if ctx.has_sent_initial_response.load(std::sync::atomic::Ordering::SeqCst) {
        refuse_deferred(&ctx.serenity_context().http, &ctx.interaction.token, answer).await;
    } else if let Err(error) = ctx.interaction.create_response(ctx.serenity_context(), discord::first_reply(answer)).await {
        tracing::warn!(error = %chain(&error), "a refusal could not be sent");
    }
}

/// Takes a deferred public answer back and tells the caller alone why.
pub async fn refuse_deferred(http: &serenity::Http, token: &str, answer: &Answer) {
    if let Err(error) = http.delete_original_interaction_response(token).await {
        tracing::debug!(error = %chain(&error), "a deferred answer could not be deleted");
    }
    tell_alone(http, token, answer).await;
}

/// Says something to the caller alone after an answer was promised or given.
pub async fn tell_alone(http: &serenity::Http, token: &str, answer: &Answer) {
    if let Err(error) = serenity::Builder::execute(discord::later_reply(answer), http, (None, token)).await {
        tracing::warn!(error = %chain(&error), "a refusal could not be sent");
    }
}

/// Who pays: the guild that installed the bot, or the user in direct messages and where only the user did.
pub fn paying_guild(guild: Option<serenity::GuildId>, owners: &serenity::AuthorizingIntegrationOwners, user: serenity::UserId) -> GuildId {
    let is_installed = owners.0.iter().any(|owner| matches!(owner, serenity::AuthorizingIntegrationOwner::GuildInstall(_)));
    GuildId(guild.filter(|_| is_installed || owners.0.is_empty()).map_or(user.get(), serenity::GuildId::get))
}

/// The user as storage knows them.
pub fn user_id(user: serenity::UserId) -> UserId {
    UserId(user.get())
}

/// Where the answer to an interaction goes.
pub fn delivery(app: &App, channel: serenity::ChannelId, token: &str) -> Delivery {
    Delivery { channel: channel.get(), token: token.to_owned(), token_expires: app.clock.now().after(TOKEN_LIFE), message: None }
}

/// Checks, before any work, that pictures can be posted where the interaction comes from. An answer needs no permission to send.
///
/// # Errors
/// Names the first missing permission.
pub fn check_permissions(permissions: Option<serenity::Permissions>) -> Result<(), UserError> {
    let Some(permissions) = permissions else { return Ok(()) };
    let reading = serenity::Permissions::VIEW_CHANNEL | serenity::Permissions::READ_MESSAGE_HISTORY;
    // All that a time-out leaves.
    if reading.contains(permissions) && !permissions.is_empty() {
        return Err(UserError::MayOnlyRead);
    }
    match discord::NEEDS.iter().find(|need| need.is_for_answers && !permissions.contains(need.permission)) {
        Some(need) => Err(UserError::MissingPermission(need.name.to_owned())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_are_set_knowing_what_a_picture_costs() {
        let commands = poise::builtins::create_application_commands(&all(&LimitsConfig::default()));
        for cost in [0.0, 1e-9, 0.049_152, 13.0, 123_456.789] {
            let commands = with_ranges(&commands, &[], &settings::descriptions(cost));
            let command =
                commands.as_array().and_then(|all| all.iter().find(|command| command["name"] == "settings")).expect("it is there");
            let description = |name: &str| {
                let option = command["options"].as_array().and_then(|all| all.iter().find(|option| option["name"] == name)).expect(name);
                option["description"].as_str().expect("a description").to_owned()
            };
            for name in ["daily_quota", "daily_quota_per_person"] {
                let description = description(name);
                assert!(
                    description.contains(&format!("(a usual picture: {})", messages::small(cost))) && description.chars().count() <= 100,
                    "{description}"
                );
            }
        }
    }

    #[test]
    fn commands_are_registered_only_where_they_may_be_used() {
        use poise::serenity_prelude::{InstallationContext as Install, InteractionContext as Context};
        for (allow_direct_messages, allow_user_install) in [(true, true), (true, false), (false, true), (false, false)] {
            let limits = LimitsConfig { allow_direct_messages, allow_user_install, ..LimitsConfig::default() };
            for command in all(&limits) {
                let contexts = command.interaction_context.expect("every command says where it is used");
                let installs = command.install_context.expect("and who installs it");
                assert!(contexts.contains(&Context::Guild) && installs.contains(&Install::Guild), "{}", command.name);
                let is_everywhere = command.name != "settings";
                assert_eq!(contexts.contains(&Context::BotDm), is_everywhere && allow_direct_messages, "{}", command.name);
                assert_eq!(contexts.contains(&Context::PrivateChannel), is_everywhere && allow_user_install, "{}", command.name);
                assert_eq!(installs.contains(&Install::User), is_everywhere && allow_user_install, "{}", command.name);
            }
        }
    }
}
