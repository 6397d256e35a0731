//! Whether the bot's token is right, whom it belongs to, and the link that invites the bot.

use super::{Check, bad, doubtful, good};
use crate::{
    cli::sentence,
    discord::token::Found,
    discord::{self, Access, Caller, Endpoint, ask::AskError},
    messages::Identity,
    system::log,
};

/// Servers that are named at most.
const MAX_NAMED: usize = 3;

/// The lines about the token.
pub(super) async fn checks(found: Option<Found>, api_url: &str, is_online: bool) -> Vec<Check> {
    if let Some(Err(error)) = discord::check_stand_in(api_url) {
        return vec![bad("token", sentence(&error.into()))];
    }
    let Some(Found { token, place }) = found else {
        return vec![doubtful("token", "DISCORD_TOKEN is not set; `atelier run` needs it, `atelier sandbox` does not")];
    };
    log::hide(&token);
    let is_stand_in = !api_url.is_empty();
    if !is_stand_in && !is_plausible(&token) {
        let text = format!("{place} does not look like a bot's token; copy it from the Bot page of the developer portal");
        return vec![bad("token", text)];
    }
    if !is_stand_in && !is_online {
        return vec![good(
            "token",
            format!("{place} has one; `--online` asks Discord whose it is and gives the link that invites the bot"),
        )];
    }
    let endpoint = Endpoint::of(api_url);
    let name = endpoint.name();
    match Caller::new(&Access { token, endpoint }) {
        Ok(caller) => match who_am_i(&caller).await {
            Ok(identity) => {
                let link = format!("to add the bot to a server, open {}", discord::invite_url(identity.id));
                let known = [good("token", format!("belongs to {identity}")), good("invite", link)];
                known.into_iter().chain(past(&caller).await).collect()
            }
            Err(error) => vec![bad("token", refusal(&name, &error))],
        },
        Err(error) => vec![bad("token", sentence(&error.into()))],
    }
}

/// Servers where the bot cannot see whether a message of its own has arrived.
async fn past(caller: &Caller) -> Option<Check> {
    let hidden: Vec<_> = caller.guilds().await.ok()?.into_iter().filter(|guild| !guild.looks_back()).map(|guild| guild.name).collect();
    let named = hidden.iter().take(MAX_NAMED).cloned().collect::<Vec<_>>().join(", ");
    let others = match hidden.len().saturating_sub(MAX_NAMED) {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    let text = format!(
        "Read Message History is not allowed in {named}{others}: where an answer of Discord is lost, a picture may be posted twice there; open the link again to allow it"
    );
    (!hidden.is_empty()).then(|| doubtful("permissions", text))
}

/// Whom the token belongs to. Without an answer about the application, what everybody knows of the bot is enough.
async fn who_am_i(caller: &Caller) -> Result<Identity, AskError> {
    let me = caller.me().await?;
    let application = caller.application().await.ok();
    let id = application.as_ref().map_or(me.id.get(), |application| application.id.get());
    let n_guilds = application.and_then(|application| application.approximate_guild_count);
    Ok(Identity { name: me.username, id, n_guilds })
}

fn refusal(place: &str, error: &AskError) -> String {
    match error {
        AskError::TokenRefused => format!("{place} refuses DISCORD_TOKEN; copy it again from the Bot page of the developer portal"),
        AskError::Unreachable(why) => format!("cannot reach {place}: {why}"),
        other => format!("{place} does not say whose it is: {other}; try again later"),
    }
}

/// Three parts with dots between them; the first is the bot's id in base64.
fn is_plausible(token: &str) -> bool {
    let parts: Vec<_> = token.split('.').collect();
    let is_base64 = |part: &&str| part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_' || c == '=');
    matches!(parts[..], [id, time, hash] if id.len() >= 18 && time.len() >= 5 && hash.len() >= 20) && parts.iter().all(is_base64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_of_another_shape_are_not_plausible() {
        let id = "MTIzNDU2Nzg5MDEyMzQ1Njc4";
        for (token, expected) in [
            (format!("{id}.GaBcDe.{}", "x".repeat(38)), true),
            (format!("{id}.GaBcDe"), false),
            (format!("Bot {id}.GaBcDe.{}", "x".repeat(38)), false),
            (format!("{id}.GaBcDe.{}", "x".repeat(5)), false),
            ("changeme".into(), false),
        ] {
            assert_eq!(is_plausible(&token), expected, "{token}");
        }
    }

    #[tokio::test]
    async fn a_token_never_leaves_for_another_host() {
        for api_url in ["http://203.0.113.1/", "https://discord.com.example/", "https://discord.com:444/", "https://discord.com", "x"] {
            let found = Found { token: "a-secret".into(), place: "here".into() };
            let said = checks(Some(found), api_url, true).await;
            assert_eq!(said.len(), 1);
            assert!(said[0].text.contains("must be on loopback") && !said[0].text.contains("a-secret"), "{said:?}");
        }
    }
}
