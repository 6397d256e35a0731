//! Slash commands, one file each, and the framework that runs them.

pub(crate) mod admin;
mod blend;
mod describe;
mod explain;
pub(crate) mod favourites;
mod help;
pub(crate) mod history;
mod imagine;
mod info;
mod kept;
mod localised;
mod menu;
mod pick;
mod prefer;
mod privacy;
pub(crate) mod promise;
mod queue;
mod quota;
mod settings;
mod shorten;
pub(crate) mod show;
mod speed;
mod style;
mod tree;
mod verify;

use std::sync::{Arc, atomic::Ordering};

use poise::serenity_prelude as serenity;
use storage::{GuildId, Limits, RoleId, Spender, UserId};

use crate::{
    answer::Answer,
    app::App,
    config::LimitsConfig,
    discord,
    error::BotError,
    jobs::drafts::Typed,
    jobs::received::{Asked, Promise},
    messages::{self, UserError},
    system::log::chain,
    system::printable::printable,
};
use promise::{Heard, Promised};

/// Discord shows this many suggestions.
const MAX_CHOICES: usize = 25;

/// What a command gets.
pub type Context<'a> = poise::ApplicationContext<'a, Arc<App>, BotError>;

/// All commands, in the places where they may be used.
pub fn all(limits: &LimitsConfig) -> Vec<poise::Command<Arc<App>, BotError>> {
    let mut commands = vec![
        imagine::imagine(),
        blend::blend(),
        shorten::shorten(),
        show::show(),
        verify::verify(),
        explain::explain(),
        tree::tree(),
        describe::describe(),
        history::history(),
        favourites::favourites(),
        info::info(),
        quota::quota(),
        settings::settings(),
        prefer::prefer(),
        style::style(),
        pick::model(),
        pick::lora(),
        help::help(),
        queue::queue_command(),
        privacy::private(),
        privacy::public(),
        admin::admin(),
        kept::privacy(),
        speed::fast(),
        speed::relax(),
    ];
    commands.extend(menu::all());
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

/// The commands as Discord gets them, in all languages, each option with its range and costs: they depend on the configuration, which the
/// library's attributes cannot.
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
    localised::localise(&mut commands);
    commands
}

/// Tells the caller alone why a command did not work to which nothing was promised yet.
pub async fn fail(ctx: Context<'_>, error: BotError) {
    let answer = refusal(ctx, error).await;
    tell(ctx, &answer).await;
}

/// Why a command did not work.
async fn refusal(ctx: Context<'_>, error: BotError) -> Answer {
    let buttons = if let BotError::User(error) = &error { messages::appeal_buttons(error) } else { Vec::new() };
    let text = match error {
        BotError::User(error) => error.to_string(),
        BotError::Internal(error) => {
            tracing::error!(error = chain(error.as_ref()), command = %ctx.command().qualified_name, "a command failed");
            messages::INTERNAL_ERROR.to_owned()
        }
    };
    let answer = Answer { buttons, ..Answer::text(messages::shorten(&printable(&text), messages::MAX_REFUSAL)) };
    with_what_was_typed(ctx, answer).await
}

/// Keeps what was typed into `/imagine` or `/blend`, and puts the button that opens it under its refusal.
pub async fn with_what_was_typed(ctx: Context<'_>, mut answer: Answer) -> Answer {
    if ["imagine", "blend"].contains(&&*ctx.command().name) {
        ctx.data().drafts.give_back(user_id(ctx.interaction.user.id), &typed(ctx), &mut answer).await;
    }
    answer
}

/// What was typed into `/imagine` or `/blend`.
fn typed(ctx: Context<'_>) -> Typed {
    let interaction = ctx.interaction;
    let venue = discord::venue_of(interaction.guild_id, interaction.context, &interaction.authorizing_integration_owners);
    let typed = Typed::of_options(imagine::options_of(&interaction.data), venue).by(&roles(interaction));
    typed.with(imagine::pictures_of(&interaction.data))
}

/// Says something to the caller alone, unless something else was promised: that is seen to by whoever has the promise, or by the sweep.
pub async fn tell(ctx: Context<'_>, answer: &Answer) {
    if !ctx.has_sent_initial_response.load(Ordering::SeqCst) {
        let interaction = ctx.interaction;
        ctx.data().responder.tell_first((interaction.id, &interaction.token), answer).await;
    }
}

/// Promises an answer to a command; see [`promise::promise`].
async fn promise(ctx: Context<'_>, promise: Promise, asked: Asked) -> Option<Promised> {
    let interaction = ctx.interaction;
    let heard = Heard {
        id: interaction.id,
        token: &interaction.token,
        channel: interaction.channel_id,
        guild: paying_guild(interaction.guild_id, &interaction.authorizing_integration_owners, interaction.user.id),
        user: user_id(interaction.user.id),
    };
    // From here on the library's own answers would be second ones.
    ctx.has_sent_initial_response.store(true, Ordering::SeqCst);
    promise::promise(ctx.data(), heard, promise, asked).await
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

/// Their roles where they are, whoever pays.
pub fn roles(interaction: &serenity::CommandInteraction) -> Vec<RoleId> {
    interaction.member.as_ref().map_or_else(Vec::new, |member| member.roles.iter().map(|role| RoleId(role.get())).collect())
}

/// The guild of a command that is its managers' alone.
///
/// # Errors
/// A refusal. Discord asks for the permission too, but that is a default that others can change.
fn managed_guild(interaction: &serenity::CommandInteraction) -> Result<GuildId, UserError> {
    let guild = interaction.guild_id.ok_or(UserError::GuildOnly)?;
    let permissions = interaction.member.as_ref().and_then(|member| member.permissions).unwrap_or_default();
    let is_manager = permissions.intersects(serenity::Permissions::MANAGE_GUILD | serenity::Permissions::ADMINISTRATOR);
    if is_manager { Ok(GuildId(guild.get())) } else { Err(UserError::ManagersOnly) }
}

/// The first of these as suggestions.
fn offered<'a>(choices: impl Iterator<Item = &'a str>) -> serenity::CreateAutocompleteResponse {
    let matching = choices.take(MAX_CHOICES);
    serenity::CreateAutocompleteResponse::new().set_choices(matching.map(serenity::AutocompleteChoice::from).collect())
}

/// What quotas are told with.
fn terms<'a>(app: &'a App, limits: &Limits) -> messages::Terms<'a> {
    messages::Terms {
        of_picture: app.models.cost_of_picture(),
        time_zone: &app.config.limits.time_zone,
        is_relax_free: limits.is_relax_free,
    }
}

/// Whoever used a command, as one who spends.
fn spender(interaction: &serenity::CommandInteraction) -> Spender {
    let guild = paying_guild(interaction.guild_id, &interaction.authorizing_integration_owners, interaction.user.id);
    Spender { guild, user: user_id(interaction.user.id), roles: roles(interaction) }
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
                let is_everywhere = !["admin", "report"].contains(&&*command.name);
                assert_eq!(contexts.contains(&Context::BotDm), is_everywhere && allow_direct_messages, "{}", command.name);
                assert_eq!(contexts.contains(&Context::PrivateChannel), is_everywhere && allow_user_install, "{}", command.name);
                assert_eq!(installs.contains(&Install::User), is_everywhere && allow_user_install, "{}", command.name);
            }
        }
    }
}
