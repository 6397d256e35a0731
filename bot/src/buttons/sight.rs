//! Which jobs somebody may be shown from where they are.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use poise::serenity_prelude as serenity;
use storage::{GuildId, Job, JobId, UserId};

use super::presser::Presser;
use crate::{app::App, discord::places::open_to, error::BotError, messages::UserError};

/// Which jobs somebody may be shown from where they are: their own of this guild (in direct messages, of every place), and those of others in
/// channels that they may look back into, where the guild shares its history. Pictures of an age-restricted channel are not shown outside of such.
pub struct Sight<'a> {
    cache: &'a serenity::Cache,
    user: UserId,
    payer: GuildId,
    here: u64,
    /// Channels that they may look back into; `None` in direct messages.
    open: Option<Vec<u64>>,
    is_shared: bool,
    restricted: Mutex<HashMap<u64, bool>>,
}

impl<'a> Sight<'a> {
    /// What somebody may be shown, by roles and channels as they are now.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn of(cache: &'a serenity::Cache, presser: &Presser<'_>, app: &App) -> Result<Self, BotError> {
        let payer = presser.payer();
        Ok(Self {
            cache,
            user: presser.user,
            payer,
            here: presser.channel.get(),
            open: presser.place().map(|place| open_to(cache, &place)),
            is_shared: app.jobs.guild_settings(payer).await?.shares_history != Some(false),
            restricted: Mutex::default(),
        })
    }

    /// Whether they may be shown a job that a guild paid for and that somebody asked for in a channel.
    pub fn sees(&self, guild: GuildId, owner: UserId, channel: u64) -> bool {
        match &self.open {
            Some(open) if owner == self.user => guild == self.payer && (open.contains(&channel) || !self.is_restricted(channel)),
            Some(open) => guild == self.payer && self.is_shared && open.contains(&channel),
            None => owner == self.user && (channel == self.here || !self.is_restricted(channel)),
        }
    }

    /// The job of a number, if they may be shown it. Whether there is any other is told to nobody.
    ///
    /// # Errors
    /// A refusal that says the number, or the store cannot be read.
    pub async fn job(&self, app: &App, number: &str) -> Result<Job, BotError> {
        let refused = || UserError::NoJobHere(number.chars().take(40).collect());
        let id: JobId = number.trim().trim_matches('`').parse().map_err(|_| refused())?;
        let job = app.jobs.job(id).await?.ok_or_else(refused)?;
        if self.shows(&job) { Ok(job) } else { Err(refused().into()) }
    }

    /// Whether they may be shown a job; one that was drawn for somebody alone is shown to nobody else.
    pub fn shows(&self, job: &Job) -> bool {
        let is_for_others = job.delivery.is_private && job.user != self.user;
        !is_for_others && self.sees(job.guild, job.user, job.delivery.channel)
    }

    /// Whether a channel that is known, or that a thread hangs below, is age-restricted.
    fn is_restricted(&self, channel: u64) -> bool {
        *self.restricted.lock().unwrap_or_else(PoisonError::into_inner).entry(channel).or_insert_with(|| {
            let channel = serenity::ChannelId::new(channel);
            self.cache.guilds().into_iter().filter_map(|guild| self.cache.guild(guild)).any(|guild| {
                let parent = guild.threads.iter().find(|thread| thread.id == channel).and_then(|thread| thread.parent_id);
                guild.channels.get(&parent.unwrap_or(channel)).is_some_and(|channel| channel.nsfw)
            })
        })
    }
}
