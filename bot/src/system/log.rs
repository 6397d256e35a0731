//! The log, which other people read too: no token and no webhook's address gets into it, whatever wrote the line and at any level.

use std::{
    borrow::Cow,
    io::{self, IsTerminal, Write},
    sync::{LazyLock, PoisonError, RwLock},
};

use regex::Regex;
use tracing_subscriber::{EnvFilter, filter::filter_fn, fmt::MakeWriter, layer::SubscriberExt, util::SubscriberInitExt};

/// Stands for what was left out.
const LEFT_OUT: &str = "***";
/// Shorter words are not searched for: they would be found in other words.
const MIN_SECRET: usize = 6;

/// Words that are never written, such as the bot's token.
static SECRETS: RwLock<Vec<String>> = RwLock::new(Vec::new());

/// What a token looks like where it stands: after an address of Discord, in a field of that name, or as a bot's token of itself.
static PATTERNS: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    let patterns = [
        r#"(?P<before>(?:interactions|webhooks)(?:/|%2[Ff])[0-9]+(?:/|%2[Ff]))[^\s/?#"'\\,;)\]}>%]+"#,
        r#"(?i)(?P<before>token\\*"?\s*[:=]\s*(?:some\()?\\*"?)[a-z0-9_.+/=~-]{6,}"#,
        r"(?P<before>\b)[A-Za-z0-9_-]{23,30}\.[A-Za-z0-9_-]{6,7}\.[A-Za-z0-9_-]{27,}",
    ];
    patterns.iter().filter_map(|pattern| Regex::new(pattern).ok()).collect()
});

/// A word that is never written from here on.
pub fn hide(secret: &str) {
    let mut secrets = SECRETS.write().unwrap_or_else(PoisonError::into_inner);
    if secret.len() >= MIN_SECRET && !secrets.iter().any(|known| known == secret) {
        secrets.push(secret.to_owned());
    }
}

/// A text without tokens and webhooks' addresses.
pub fn mask(text: &str) -> Cow<'_, str> {
    let mut masked = Cow::Borrowed(text);
    for secret in SECRETS.read().unwrap_or_else(PoisonError::into_inner).iter().filter(|secret| text.contains(secret.as_str())) {
        masked = Cow::Owned(masked.replace(secret.as_str(), LEFT_OUT));
    }
    for pattern in PATTERNS.iter() {
        if let Cow::Owned(text) = pattern.replace_all(&masked, format!("${{before}}{LEFT_OUT}")) {
            masked = Cow::Owned(text);
        }
    }
    masked
}

/// An error and all its causes in one line, as it may be logged. Errors of Discord's library hold the addresses that were asked, and these the
/// tokens of interactions.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    mask(&text).into_owned()
}

/// Libraries on the way to Discord: what fails there we say ourselves, once and in words that people know.
const QUIET: &str = "serenity=error,serenity::gateway=off,poise=error,tungstenite=error,tokio_tungstenite=error,hyper=error,\
    hyper_util=error,reqwest=error,rustls=error,h2=error";

/// Starts the log on stderr: `RUST_LOG`, else `usual` with the libraries kept quiet and without the names of modules.
pub fn start(usual: &str) {
    let asked = EnvFilter::try_from_default_env().ok();
    let is_asked = asked.is_some();
    let filter = asked.unwrap_or_else(|| EnvFilter::new(format!("{usual},{QUIET}")));
    let is_coloured = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    tracing_subscriber::fmt()
        .with_ansi(is_coloured)
        .with_target(is_asked)
        .with_env_filter(filter)
        .with_writer(Masked(io::stderr))
        .finish()
        .with(filter_fn(is_text))
        .init();
}

/// Frames of the gateway are traced byte by byte, as numbers that no pattern finds.
fn is_text(metadata: &tracing::Metadata<'_>) -> bool {
    *metadata.level() < tracing::Level::TRACE || !metadata.target().starts_with("tungstenite")
}

/// A writer that masks whole lines: the subscriber writes each event at once.
#[derive(Clone, Copy, Debug)]
pub struct Masked<W>(pub W);

impl<'a, W: MakeWriter<'a>> MakeWriter<'a> for Masked<W> {
    type Writer = Masked<W::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        Masked(self.0.make_writer())
    }
}

impl<W: Write> Write for Masked<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.write_all(mask(&String::from_utf8_lossy(line)).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TOKEN: &str = "aW50ZXJhY3Rpb246MTIzOmFiYw==";
    const BOT: &str = "MTAwMDAwMDAwMDAwMDAwMDAw.GabcdE.abcdefghijklmnopqrstuvwxyz_-0123456789";

    #[test]
    fn tokens_are_left_out_wherever_they_stand() {
        assert_eq!(PATTERNS.len(), 3, "every pattern is read");
        for (line, expected) in [
            (
                format!("error sending request for url (http://127.0.0.1:1/api/v10/interactions/12/{TOKEN}/callback)"),
                "error sending request for url (http://127.0.0.1:1/api/v10/interactions/12/***/callback)",
            ),
            (
                format!("url (https://discord.com/api/webhooks/12/{TOKEN}/messages/@original?x=1)"),
                "url (https://discord.com/api/webhooks/12/***/messages/@original?x=1)",
            ),
            (format!("url (https://discord.com/api/v10/webhooks/12/{TOKEN})"), "url (https://discord.com/api/v10/webhooks/12/***)"),
            (format!("webhooks%2F12%2F{TOKEN}"), "webhooks%2F12%2F***"),
            (
                format!("route: InteractionResponse {{ interaction_id: 12, token: \"{TOKEN}\" }}"),
                "route: InteractionResponse { interaction_id: 12, token: \"***\" }",
            ),
            (format!("Some {{ token: Some(\"{TOKEN}\") }}"), "Some { token: Some(\"***\") }"),
            (format!(r#"{{"token":"{TOKEN}","type":2}}"#), r#"{"token":"***","type":2}"#),
            (format!(r#"{{\"token\": \"{TOKEN}\"}}"#), r#"{\"token\": \"***\"}"#),
            (format!("token={TOKEN} interaction_token={TOKEN}"), "token=*** interaction_token=***"),
            (format!("authorization: Bot {BOT}"), "authorization: Bot ***"),
            ("the interaction's token has expired; token: ".to_owned(), "the interaction's token has expired; token: "),
            ("GET /api/v10/webhooks/12 token_expires: 1234567890".to_owned(), "GET /api/v10/webhooks/12 token_expires: 1234567890"),
        ] {
            assert_eq!(mask(&line), expected);
        }
    }

    #[test]
    fn a_hidden_word_is_never_written() {
        hide("a-secret-of-this-test");
        hide("");
        hide("of");
        let mut written = Vec::new();
        Masked(&mut written).write_all("so a-secret-of-this-test is ağ".as_bytes()).expect("written");
        assert_eq!(String::from_utf8(written).expect("text"), "so *** is ağ");
    }

    #[test]
    fn causes_are_masked_with_their_error() {
        let cause = io::Error::other(format!("url (https://discord.com/api/v10/webhooks/1/{TOKEN})"));
        let error = anyhow::Error::from(cause).context("a command failed");
        assert_eq!(chain(error.as_ref()), "a command failed: url (https://discord.com/api/v10/webhooks/1/***)");
    }

    proptest! {
        #[test]
        fn no_address_of_discord_keeps_its_token(
            before in "[ -~]{0,20}",
            kind in "interactions|webhooks",
            id in 1u64..,
            token in "[A-Za-z0-9_.=-]{8,200}",
            after in "(/callback|/messages/@original|/messages/[0-9]{3}|\\?wait=true|\\)|\"|)[ -~]{0,20}",
        ) {
            let line = format!("{before}https://discord.com/api/v10/{kind}/{id}/{token}{}{after}", if after.is_empty() { " " } else { "" });
            prop_assume!(!before.contains(&token) && !after.contains(&token));
            let masked = mask(&line).into_owned();
            prop_assert!(!masked.contains(&token), "{masked}");
            prop_assert_eq!(mask(&masked), masked.clone(), "once is enough");
        }
    }
}
