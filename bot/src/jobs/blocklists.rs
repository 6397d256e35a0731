//! Words that prompts may not say, as they were read: they are read again when any rule has changed.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use storage::{GuildId, JobStore};

use crate::{error::BotError, policy::words::Blocklist};

/// Guilds that are remembered; more, and all are forgotten.
const N_GUILDS: usize = 1000;

/// What is blocked in guilds, each with the revision of the rules that it was read after.
#[derive(Default)]
pub struct Blocklists {
    known: Mutex<HashMap<GuildId, (u64, Arc<Blocklist>)>>,
}

impl Blocklists {
    /// The first word that a prompt, or its negative prompt, may not say in a guild.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn find(
        &self,
        jobs: &dyn JobStore,
        (guild, revision): (GuildId, u64),
        said: &(String, String),
    ) -> Result<Option<String>, BotError> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&guild).cloned();
        let list = match known.filter(|(read_after, _)| *read_after == revision) {
            Some((_, list)) => list,
            None => {
                let words = jobs.blocked_words(guild).await?;
                let list = Arc::new(tokio::task::spawn_blocking(move || Blocklist::new(&words)).await?);
                let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
                if known.len() >= N_GUILDS {
                    known.clear();
                }
                known.insert(guild, (revision, list.clone()));
                list
            }
        };
        if list.is_empty() {
            return Ok(None);
        }
        let (prompt, negative) = said.clone();
        Ok(tokio::task::spawn_blocking(move || list.find(&prompt, &negative).map(|found| found.word.clone())).await?)
    }
}
