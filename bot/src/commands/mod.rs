//! Slash commands, one file each, and the framework that runs them.

pub(crate) mod history;
mod imagine;
mod info;
mod quota;
mod settings;

use std::sync::Arc;

use poise::serenity_prelude as serenity;
use storage::{GuildId, UserId};

use crate::{
    answer::Answer,
    app::App,
    config::LimitsConfig,
    discord,
    error::BotError,
    jobs::drafts::Typed,
    messages::{self, UserError},
    system::log::chain,
    system::printable::printable,
};

/// What a command gets.
pub type Context<'a> = poise::ApplicationContext<'a, Arc<App>, BotError>;

/// Refusals may quote what was typed; Discord takes 2,000 characters.
pub const MAX_TEXT: usize = 1900;

/// All commands, in the places where they may be used.
pub fn all(limits: &LimitsConfig) -> Vec<poise::Command<Arc<App>, BotError>> {
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

/// The commands as Discord gets them.
pub fn with_ranges(commands: &[serenity::CreateCommand], app: &App) -> serde_json::Value {
    with_all(commands, &imagine::ranges(app), &settings::descriptions(app.models.cost_of_picture()))
}

/// The commands as Discord gets them, each option with its range and costs: they depend on the configuration, which the library's attributes
/// cannot.
fn with_all(commands: &[serenity::CreateCommand], ranges: &[imagine::Range], costs: &[(&str, String)]) -> serde_json::Value {
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

/// Tells the caller alone why a command did not work.
pub async fn fail(ctx: Context<'_>, error: BotError) {
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
pub async fn with_what_was_typed(ctx: Context<'_>, mut answer: Answer) -> Answer {
    let interaction = ctx.interaction;
    if ctx.command().name == "imagine" {
        let venue = discord::venue_of(interaction.guild_id, interaction.context, &interaction.authorizing_integration_owners);
        let typed = Typed::of_options(imagine::options_of(&interaction.data), venue);
        ctx.data().drafts.give_back(user_id(interaction.user.id), &typed, &mut answer).await;
    }
    answer
}

/// Says something to the caller alone; a public answer that was promised is taken back first.
pub async fn tell(ctx: Context<'_>, answer: &Answer) {
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
            let commands = with_all(&commands, &[], &settings::descriptions(cost));
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
