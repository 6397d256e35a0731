//! What the bot asks to be allowed is what it needs: each permission is taken away, and what it does for people is tried.

use atelier::{
    answer::{Answer, Embed, File},
    discord::invite_url,
    messages::remix_button,
};
use sandbox::{Fault, FaultKind};
use serde_json::{Value, json};
use storage::JobId;

use crate::support::*;

/// Permissions that a bot like this one might need, by the names and bits of Discord's documentation.
const PERMISSIONS: [(&str, u32); 14] = [
    ("ADD_REACTIONS", 6),
    ("VIEW_CHANNEL", 10),
    ("SEND_MESSAGES", 11),
    ("SEND_TTS_MESSAGES", 12),
    ("MANAGE_MESSAGES", 13),
    ("EMBED_LINKS", 14),
    ("ATTACH_FILES", 15),
    ("READ_MESSAGE_HISTORY", 16),
    ("MENTION_EVERYONE", 17),
    ("USE_EXTERNAL_EMOJIS", 18),
    ("MANAGE_WEBHOOKS", 29),
    ("CREATE_PUBLIC_THREADS", 35),
    ("SEND_MESSAGES_IN_THREADS", 38),
    ("PIN_MESSAGES", 51),
];

/// Everything that the bot does for people, in a channel and in a thread: it answers a command with a picture, and it posts a message of its own
/// where an answer came too late, and sees that it is there.
async fn does_all(studio: &Studio, channel: u64, thread: u64, n: &mut usize) -> bool {
    let ada = &studio.ada;
    *n += 1;
    let title = format!("frog number {n}");
    let before: Vec<String> = ada.messages(CHANNEL).await.expect("readable").iter().map(|message| id(message).to_owned()).collect();
    ada.slash(CHANNEL, "imagine", &prompt(&format!("{title} --images 1 --steps 1"))).await.expect("sent");
    let is_end = |message: &&Value| (is_grid(message) || content(message).starts_with("I ")) && !before.contains(&id(message).to_owned());
    let answered = ada.wait_for(CHANNEL, PATIENCE, |messages| messages.iter().find(is_end).cloned()).await.expect("a picture or a refusal");
    let (messenger, clock) = (&studio.running.bot.app.messenger, &studio.running.bot.app.clock);
    let is_posted = async |place| {
        let job = JobId::new();
        let answer = Answer {
            menus: Vec::new(),
            content: "a frog".into(),
            embeds: vec![Embed { description: "a box".into(), ..Embed::default() }],
            files: vec![File { name: "frog.png".into(), bytes: vec![1, 2, 3], description: "a frog".into() }],
            buttons: vec![vec![remix_button(job)]],
        };
        let Ok(posted) = messenger.post(place, job, &answer).await else { return false };
        messenger.look(place, job, clock.now()).await.is_ok_and(|seen| seen.ending == Some(posted))
    };
    is_grid(&answered) && is_posted(channel).await && is_posted(thread).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_link_asks_for_what_the_bot_needs_and_nothing_else() {
    let studio = Studio::open(Mode::Plain, |config| config.limits.max_looks_per_minute = 1000).await;
    let ada = &studio.ada;
    let state = ada.state().await.expect("readable");
    let guild = state["guilds"][0]["id"].as_str().expect("a guild").to_owned();
    let channels = state["guilds"][0]["channels"].as_array().expect("channels");
    let channel = channels.iter().find(|channel| channel["name"] == CHANNEL).expect("the channel")["id"].as_str().expect("an id");
    let body = json!({ "user": ada.user_id(), "channel": channel, "name": "a thread" }).to_string();
    let url = format!("{}/sandbox/api/threads", studio.running.stand_in.url());
    let client = reqwest::Client::builder().no_proxy().build().expect("a plain client");
    let made = client.post(url).header("content-type", "application/json").body(body).send().await.expect("it answers");
    let thread: Value = serde_json::from_str(&made.text().await.expect("text")).expect("a thread");
    let number = |id: &str| id.parse::<u64>().expect("a number");
    let (channel, thread) = (number(channel), number(thread["id"].as_str().expect("an id")));

    let mut n = 0;
    assert!(does_all(&studio, channel, thread, &mut n).await, "with everything");
    let mut needed = 0u64;
    for (permission, bit) in PERMISSIONS {
        let removed = Fault { guild: Some(guild.clone()), permission: Some(permission.into()), ..Fault::new(FaultKind::PermissionRemoved) };
        let id = studio.running.stand_in.fault(removed).expect("the permission is known");
        if !does_all(&studio, channel, thread, &mut n).await {
            needed |= 1 << bit;
        }
        studio.running.stand_in.end_fault(id);
    }
    let application = number(state["bot"]["id"].as_str().expect("an id"));
    let link = reqwest::Url::parse(&invite_url(application)).expect("an address");
    let query = |name: &str| link.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    assert_eq!(query("permissions"), Some(needed.to_string()));
    assert_eq!(query("scope").as_deref(), Some("bot applications.commands"));
    assert_eq!(query("client_id"), Some(application.to_string()));
    assert_eq!((link.host_str(), link.path()), (Some("discord.com"), "/oauth2/authorize"));
    studio.running.stand_in.forgive_violations();
    studio.close().await;
}
