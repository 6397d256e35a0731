//! Where a picture is: a file of Discord's, or a message. Nothing else is ever fetched.

use serde::{Deserialize, Serialize};
use url::{Host, Url};

use super::NotTaken;
use crate::discord::{Endpoint, FILE_HOSTS};

/// What links of messages begin with: Discord's clients, of each of its channels of release.
const MESSAGE_HOSTS: [&str; 4] = ["discord.com", "ptb.discord.com", "canary.discord.com", "discordapp.com"];
/// Longest address.
const MAX_LENGTH: usize = 2000;

/// Where a picture is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Address {
    /// A file on a host of Discord's.
    File {
        /// Its address.
        url: String,
    },
    /// The first picture of a message.
    Message {
        /// The message's channel.
        channel: u64,
        /// The message.
        message: u64,
    },
}

/// Who serves files and messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hosts {
    /// Discord.
    Discord,
    /// A stand-in at this address on loopback.
    StandIn(Url),
}

impl Hosts {
    /// Those of whoever answers for Discord.
    pub fn of(endpoint: &Endpoint) -> Self {
        endpoint.page_url().and_then(|url| Url::parse(url).ok()).map_or(Self::Discord, Self::StandIn)
    }

    /// Where an address leads that somebody typed.
    ///
    /// # Errors
    /// It leads to neither a message nor a file of Discord's.
    pub fn read(&self, text: &str) -> Result<Address, NotTaken> {
        let refused = || NotTaken::Address(text.chars().take(200).collect());
        let url = Some(text).filter(|text| text.len() <= MAX_LENGTH).and_then(|text| Url::parse(text).ok()).ok_or_else(refused)?;
        if let Some(address) = self.message(&url) {
            return Ok(address);
        }
        if self.serves(&url) { Ok(Address::File { url: url.into() }) } else { Err(refused()) }
    }

    /// Whether an address is that of a file which may be fetched.
    pub fn serves(&self, url: &Url) -> bool {
        // The host is compared as it is asked, after all decoding; user names and ports only serve to hide another.
        let is_plain = url.username().is_empty() && url.password().is_none();
        is_plain
            && match self {
                Self::Discord => url.scheme() == "https" && url.port().is_none() && is_one_of(url, &FILE_HOSTS),
                Self::StandIn(own) => url.origin() == own.origin() && url.path().starts_with("/attachments/"),
            }
    }

    fn message(&self, url: &Url) -> Option<Address> {
        let is_ours = match self {
            Self::Discord => url.scheme() == "https" && is_one_of(url, &MESSAGE_HOSTS),
            Self::StandIn(own) => url.origin() == own.origin(),
        };
        let mut parts = url.path_segments().filter(|_| is_ours)?;
        let (start, guild) = (parts.next()?, parts.next()?);
        let is_place = start == "channels" && (guild == "@me" || guild.parse::<u64>().is_ok());
        let (channel, message) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        (is_place && parts.all(str::is_empty)).then_some(Address::Message { channel, message })
    }
}

fn is_one_of(url: &Url, hosts: &[&str]) -> bool {
    matches!(url.host(), Some(Host::Domain(host)) if hosts.contains(&host))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stand_in() -> Hosts {
        Hosts::of(&Endpoint::StandIn("http://127.0.0.1:8420/".into()))
    }

    #[test]
    fn only_discords_own_files_and_messages_are_addresses() {
        let file = |text: &str| Address::File { url: text.to_owned() };
        let message = Address::Message { channel: 2, message: 3 };
        let discord = Hosts::of(&Endpoint::Discord);
        for (text, expected) in [
            (
                "https://cdn.discordapp.com/attachments/1/2/a.png?ex=1&is=2&hm=3",
                Some(file("https://cdn.discordapp.com/attachments/1/2/a.png?ex=1&is=2&hm=3")),
            ),
            ("HTTPS://CDN.DISCORDAPP.COM:443/a.png", Some(file("https://cdn.discordapp.com/a.png"))),
            (
                "https://media.discordapp.net/attachments/1/2/a.webp?width=4",
                Some(file("https://media.discordapp.net/attachments/1/2/a.webp?width=4")),
            ),
            ("https://discord.com/channels/1/2/3", Some(message.clone())),
            ("https://canary.discord.com/channels/@me/2/3/", Some(message.clone())),
            ("http://cdn.discordapp.com/a.png", None),
            ("https://cdn.discordapp.com:8443/a.png", None),
            ("https://user@cdn.discordapp.com/a.png", None),
            ("https://cdn.discordapp.com@evil.example/a.png", None),
            ("https://cdn.discordapp.com.evil.example/a.png", None),
            ("https://evil.example/cdn.discordapp.com/a.png", None),
            ("https://cdn.discordapp.com.", None),
            ("https://evilcdn.discordapp.com/a.png", None),
            ("https://discord.com/api/v10/users/@me", None),
            ("https://discord.com/channels/1/2", None),
            ("https://discord.com/channels/1/2/3/4", None),
            ("https://discord.com/channels/x/2/3", None),
            ("http://127.0.0.1:8420/attachments/1/2/a.png", None),
            ("http://169.254.169.254/latest", None),
            ("file:///etc/passwd", None),
            ("https://", None),
            ("", None),
        ] {
            assert_eq!(discord.read(text).ok(), expected, "{text}");
        }
        for (text, expected) in [
            ("http://127.0.0.1:8420/attachments/1/2/a.png?ex=1", Some(file("http://127.0.0.1:8420/attachments/1/2/a.png?ex=1"))),
            ("http://127.0.0.1:8420/channels/1/2/3", Some(message)),
            ("http://127.0.0.1:8421/attachments/1/2/a.png", None),
            ("http://127.0.0.1:8420/sandbox/api/state", None),
            ("http://127.0.0.1:8420/attachments/../sandbox/api/state", None),
            ("http://localhost:8420/attachments/1/2/a.png", None),
            ("https://cdn.discordapp.com/a.png", None),
        ] {
            assert_eq!(stand_in().read(text).ok(), expected, "{text}");
        }
        assert!(discord.read(&format!("https://cdn.discordapp.com/{}", "a".repeat(MAX_LENGTH))).is_err());
    }
}
