//! Reads what a guild says of `/imagine`.

use std::sync::Arc;

use poise::serenity_prelude as serenity;

use crate::{
    app::App,
    policy::{
        permissions::{Entry, Rules, Subject},
        permits::Command,
    },
};

/// The command whose permission the buttons that draw go by.
const NAME: &str = "imagine";

/// Why the rules are not known.
#[derive(Debug, thiserror::Error)]
pub enum PermitsError {
    /// Discord did not say.
    #[error("Discord does not tell the permissions of commands")]
    Unread(#[from] serenity::Error),
    /// The command is not registered yet.
    #[error("the command is not registered")]
    Unregistered,
}

/// The rules of a guild, from memory where they are there.
///
/// # Errors
/// See [`PermitsError`]; nobody can say then who may.
pub async fn rules(http: &serenity::Http, app: &App, guild: serenity::GuildId) -> Result<Arc<Rules>, PermitsError> {
    if let Some(known) = app.permits.rules(guild.get(), app.clock.now()) {
        return Ok(known);
    }
    let moment = app.permits.moment();
    let command = match app.permits.command() {
        Some(known) => known,
        None => {
            let all = serenity::Command::get_global_commands(http).await?;
            let found = all.into_iter().find(|command| command.name == NAME).ok_or(PermitsError::Unregistered)?;
            let default_permissions = found.default_member_permissions.map(|permissions| permissions.bits());
            let command = Command { id: found.id.get(), default_permissions };
            app.permits.keep_command(moment, command);
            command
        }
    };
    let mut rules = Rules { default_permissions: command.default_permissions, ..Rules::default() };
    for said in guild.get_commands_permissions(http).await? {
        let entries = said.permissions.iter().filter_map(entry);
        match said.id.get() {
            id if id == command.id => rules.command.extend(entries),
            id if id == said.application_id.get() => rules.application.extend(entries),
            _ => {}
        }
    }
    let rules = Arc::new(rules);
    app.permits.keep(moment, guild.get(), rules.clone(), app.clock.now());
    Ok(rules)
}

fn entry(said: &serenity::CommandPermission) -> Option<Entry> {
    let id = said.id.get();
    let subject = match said.kind {
        serenity::CommandPermissionType::Role => Subject::Role(id),
        serenity::CommandPermissionType::User => Subject::User(id),
        serenity::CommandPermissionType::Channel => Subject::Channel(id),
        _ => return None,
    };
    Some(Entry { subject, is_allowed: said.permission })
}
