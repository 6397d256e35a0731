use super::{Id, permission};
use crate::{announce, gateway::Dispatch, state::State};

/// What guilds do to the bot, for a test in the same process, until the process ends; a [`crate::Fault`] of the same kind outlives it
/// where there is a directory. Ids are texts, as everywhere on Discord.
pub struct WorldFaults<'a> {
    pub(crate) state: &'a State,
}

impl WorldFaults<'_> {
    /// Removes the bot from a guild: GUILD_DELETE, and its channels are out of reach. Nothing happens for an id of no guild.
    pub fn remove_guild(&self, guild: &str) {
        self.send(self.state.world.remove_guild(id(guild)));
    }

    /// Lets the bot into the guild again.
    pub fn restore_guild(&self, guild: &str) {
        self.send(self.state.world.restore_guild(id(guild)));
    }

    /// Takes a permission such as `ATTACH_FILES` from the bot, in a whole guild or in one channel of it; `false` for an unknown name.
    pub fn remove_permission(&self, guild: &str, channel: Option<&str>, name: &str) -> bool {
        let bits = permission::named(name);
        self.send(self.state.world.remove_permission(id(guild), channel.map(id), bits.unwrap_or(0)));
        bits.is_some()
    }

    /// Undoes [`WorldFaults::remove_permission`].
    pub fn restore_permission(&self, guild: &str, channel: Option<&str>, name: &str) -> bool {
        let bits = permission::named(name);
        self.send(self.state.world.restore_permission(id(guild), channel.map(id), bits.unwrap_or(0)));
        bits.is_some()
    }

    /// AutoMod refuses messages with this word, until [`WorldFaults::unblock_word`].
    pub fn block_word(&self, word: &str) {
        self.send(self.state.world.block_word(word, None));
    }

    /// Undoes [`WorldFaults::block_word`].
    pub fn unblock_word(&self, word: &str) {
        self.state.world.unblock_word(word);
    }

    fn send(&self, events: Vec<Dispatch>) {
        events.iter().for_each(|event| self.state.hub.dispatch(event));
        announce::places(self.state, &events);
    }
}

/// The id of nothing for a text that is none.
fn id(text: &str) -> Id {
    text.parse().unwrap_or(0)
}
