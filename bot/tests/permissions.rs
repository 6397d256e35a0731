//! Who may press, and who may see: roles, members, channels and places through the whole bot.

use crate::support::*;
use atelier::{buttons::custom_id::ButtonAction, jobs::enqueue::Request};
use poise::serenity_prelude as serenity;
use sandbox::{Fault, InteractionId, Visitor};
use serde_json::{Value, json};
use storage::{GuildId, HistoryFilter, UserId};

const GUILD: u64 = 1_000_000_000_000_000_100;
const GENERAL: u64 = GUILD + 10;
const GALLERY: u64 = GUILD + 11;
const MODERATORS_ONLY: u64 = GUILD + 12;
const MODERATOR: u64 = GUILD + 2;
const LINUS: u64 = 1_000_000_000_000_000_013;
const APPLICATION: u64 = 1_000_000_000_000_000_001;
const ROLE: u64 = 1;
const USER: u64 = 2;
const CHANNEL_KIND: u64 = 3;

in_both_modes! {
    a_press_in_direct_messages_costs_the_person_and_no_guild,
    everybodys_history_is_what_the_caller_sees,
}

/// What is said of a role, a member or a channel.
type Said = (u64, u64, bool);
/// Of the command, of the application; then who of the three may press in each of the three places.
type Case<'a> = (&'a [Said], &'a [Said], [[bool; 3]; 3]);

async fn studio(mode: Mode) -> Studio {
    Studio::open(mode, |config| {
        config.defaults.steps = 1;
        config.defaults.n_images = 1;
        config.limits.max_active_per_user = 200;
    })
    .await
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().expect("a plain client")
}

async fn answered(request: reqwest::RequestBuilder) -> Value {
    let answer = request.send().await.expect("the stand-in answers");
    let (status, body) = (answer.status(), answer.text().await.expect("it is whole"));
    assert!(status.is_success(), "{status}: {body}");
    serde_json::from_str(&body).expect("it is JSON")
}

/// Says who may use a command of the bot, or all of them.
async fn say(studio: &Studio, id: &str, said: &[Said]) {
    let permissions: Vec<Value> =
        said.iter().map(|(kind, id, is_allowed)| json!({ "id": id.to_string(), "type": kind, "permission": is_allowed })).collect();
    let url = format!("{}/sandbox/api/control/command_permissions", studio.running.stand_in.url());
    answered(client().put(url).json(&json!({ "guild": GUILD.to_string(), "id": id, "permissions": permissions }))).await;
}

/// The id of `/imagine`.
async fn imagine_id(person: &Visitor) -> String {
    let state = person.state().await.expect("readable");
    let found = state["commands"].as_array().and_then(|all| all.iter().find(|command| command["name"] == "imagine"));
    found.and_then(|command| command["id"].as_str()).expect("/imagine is registered").to_owned()
}

/// What a press was answered with.
async fn answer_to(person: &Visitor, channel: &str, press: &InteractionId) -> String {
    let is_answer = |message: &&Value| message["interaction_metadata"]["id"] == press.0 && !content(message).is_empty();
    person
        .wait_for(channel, PATIENCE, |messages| messages.iter().find(is_answer).map(|message| content(message).to_owned()))
        .await
        .expect("the press is answered")
}

async fn grid_in(person: &Visitor, channel: &str, words: &str) -> Value {
    let is_it = |message: &&Value| is_grid(message) && content(message).contains(words);
    person.wait_for(channel, PATIENCE, |messages| messages.iter().find(is_it).cloned()).await.expect("the grid comes")
}

#[tokio::test(flavor = "multi_thread")]
async fn buttons_draw_for_those_who_may_use_the_command() {
    let studio = studio(Mode::Plain).await;
    let people = [studio.ada.clone(), studio.visitor("grace").await, studio.visitor("linus").await];
    let url = studio.running.stand_in.url().to_owned();
    let body = json!({ "user": people[0].user_id(), "channel": GENERAL.to_string(), "name": "sketches" });
    let thread = answered(client().post(format!("{url}/sandbox/api/threads")).json(&body)).await;
    let thread = thread["id"].as_str().expect("a thread").to_owned();
    let (general, gallery) = (GENERAL.to_string(), GALLERY.to_string());
    let places = [general.as_str(), gallery.as_str(), thread.as_str()];
    let mut grids = Vec::new();
    for place in places {
        people[0].slash(place, "imagine", &prompt("a frog")).await.expect("sent");
        grids.push(grid_in(&people[0], place, "a frog").await);
    }
    let imagine = imagine_id(&people[0]).await;
    let application = APPLICATION.to_string();
    const ALL: [bool; 3] = [true, true, true];
    const OWNER: [bool; 3] = [true, false, false];
    // In #general, in #gallery, and in the thread below #general.
    let cases: [Case<'_>; 7] = [
        (&[], &[], [ALL, ALL, ALL]),
        (&[(ROLE, GUILD, false), (ROLE, MODERATOR, true)], &[], [[true, true, false]; 3]),
        (&[(CHANNEL_KIND, GENERAL, false)], &[], [OWNER, ALL, OWNER]),
        (&[], &[(ROLE, GUILD, false), (USER, LINUS, true)], [[true, false, true]; 3]),
        (&[], &[(CHANNEL_KIND, GUILD - 1, false), (CHANNEL_KIND, GALLERY, true)], [OWNER, ALL, OWNER]),
        (&[(ROLE, MODERATOR, true)], &[(ROLE, GUILD, false)], [[true, true, false]; 3]),
        (&[(USER, LINUS, false)], &[(USER, LINUS, true)], [[true, true, false]; 3]),
    ];
    for (command, all, expected) in cases {
        say(&studio, &imagine, command).await;
        say(&studio, &application, all).await;
        for ((place, grid), expected) in places.iter().zip(&grids).zip(expected) {
            for (person, expected) in people.iter().zip(expected) {
                for button in ["U1", "V1", "🔄"] {
                    let press = person.press(id(grid), button).await.expect("sent");
                    let told = answer_to(person, place, &press).await;
                    let what = format!("{command:?} {all:?}: {button} in {place} by {}: {told}", person.user_id());
                    assert_eq!(!told.contains("You may not use /imagine here"), expected, "{what}");
                }
            }
        }
    }
    studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_draws_by_a_button_while_discord_does_not_say_who_may() {
    let studio = studio(Mode::Plain).await;
    let (ada, linus) = (&studio.ada, studio.visitor("linus").await);
    ada.slash(CHANNEL, "imagine", &prompt("a frog")).await.expect("sent");
    let grid = nth_grid(ada, 1).await;
    for kind in ["server_error", "reset"] {
        let fault: Fault =
            serde_json::from_value(json!({ "kind": kind, "route": "GET /applications/*/guilds/*/commands/permissions" })).expect("a fault");
        let fault = studio.running.stand_in.fault(fault).expect("it begins");
        let press = linus.press(id(&grid), "🔄").await.expect("sent");
        let told = answer_to(&linus, CHANNEL, &press).await;
        assert!(told.contains("I could not ask Discord"), "{kind}: {told}");
        let press = ada.press(id(&grid), "🔄").await.expect("sent");
        assert!(!answer_to(ada, CHANNEL, &press).await.contains("could not ask"), "an administrator needs no rule");
        assert!(studio.running.stand_in.end_fault(fault));
    }
    let press = linus.press(id(&grid), "🔄").await.expect("sent");
    assert!(!answer_to(&linus, CHANNEL, &press).await.contains("could not ask"), "and now it is known");
    studio.close().await;
}

async fn a_press_in_direct_messages_costs_the_person_and_no_guild(mode: Mode) {
    let studio = studio(mode).await;
    let linus = studio.visitor("linus").await;
    linus.slash(CHANNEL, "imagine", &prompt("a frog")).await.expect("sent");
    nth_grid(&linus, 1).await;
    let jobs = &studio.running.bot.app.jobs;
    let of = |guild: u64| HistoryFilter { guild: GuildId(guild), user: None, channels: None };
    let (drawn, _) = jobs.history(of(GUILD), 0, 10).await.expect("readable");
    // As delivered there because it could not be posted in the guild.
    let (url, token) = (studio.running.stand_in.url(), studio.running.stand_in.token());
    let post = |path: String, body: Value| {
        answered(client().post(url.to_owned() + &path).header("authorization", format!("Bot {token}")).json(&body))
    };
    let dm = post("/api/v10/users/@me/channels".to_owned(), json!({ "recipient_id": LINUS.to_string() })).await;
    let reroll = ButtonAction::Reroll { job: drawn[0].id }.to_string();
    let button = json!({ "type": 2, "style": 2, "label": "Again", "custom_id": reroll });
    let body = json!({ "content": "a frog", "components": [{ "type": 1, "components": [button] }] });
    let message = post(format!("/api/v10/channels/{}/messages", dm["id"].as_str().expect("an id")), body).await;
    let press = linus.press(id(&message), "Again").await.expect("sent");
    answer_to(&linus, "dm", &press).await;
    grid_in(&linus, "dm", "a frog").await;
    let (own, _) = jobs.history(of(LINUS), 0, 10).await.expect("readable");
    assert_eq!((own.len(), own[0].user), (1, UserId(LINUS)), "it is the person's own");
    assert_eq!(jobs.history(of(GUILD), 0, 10).await.expect("readable").0.len(), 1, "and not the guild's");
    studio.close().await;
}

/// Draws as `/imagine` in a channel would, also where the bot cannot post.
async fn draw_in(studio: &Studio, channel: u64, words: &str) {
    let app = &studio.running.bot.app;
    let task = json!({
        "kind": "text_to_image", "prompt": words, "size": {"width": 64, "height": 64}, "steps": 1, "guidance_scale": 4.0,
        "sampler": "dpmpp_2m", "seed": 7, "n_images": 1
    });
    let request = Request {
        notes: Vec::new(),
        key: words.to_owned(),
        press: None,
        guild: GuildId(GUILD),
        user: UserId(1_000_000_000_000_000_011),
        roles: Vec::new(),
        speed: Default::default(),
        action: "imagine",
        task: serde_json::from_value(task).expect("a task"),
        parent: None,
        begins: Vec::new(),
        delivery: atelier::discord::delivery(app.clock.now(), serenity::ChannelId::new(channel), "gone"),
    };
    let job = app.door.enqueue(request).await.expect("it is taken");
    let is_done = async {
        while !app.jobs.job(job).await.expect("readable").is_some_and(|job| job.status.is_final()) {
            pause().await;
        }
    };
    tokio::time::timeout(PATIENCE, is_done).await.expect("it is drawn");
}

/// The first lines of a page of everybody's history, newest first, and the message.
async fn everybodys(person: &Visitor, channel: &str, options: &[(&str, Value)]) -> (Vec<String>, Value) {
    let asked = person.slash(channel, "history", options).await.expect("sent");
    shown(person, channel, &asked).await
}

async fn shown(person: &Visitor, channel: &str, asked: &InteractionId) -> (Vec<String>, Value) {
    let is_answer = |message: &&Value| message["interaction_metadata"]["id"] == asked.0 && !content(message).is_empty();
    let message =
        person.wait_for(channel, PATIENCE, |messages| messages.iter().find(is_answer).cloned()).await.expect("the history is shown");
    (lines(&message), message)
}

fn lines(message: &Value) -> Vec<String> {
    let first = |embed: &Value| embed["description"].as_str().and_then(|text| text.lines().next()).unwrap_or_default().replace('*', "");
    message["embeds"].as_array().into_iter().flatten().map(first).collect()
}

async fn everybodys_history_is_what_the_caller_sees(mode: Mode) {
    let studio = studio(mode).await;
    let (ada, grace, linus) = (&studio.ada, studio.visitor("grace").await, studio.visitor("linus").await);
    let everyone = [("everyone", json!(true))];
    for n in 0..4 {
        draw_in(&studio, GENERAL, &format!("open {n}")).await;
        draw_in(&studio, MODERATORS_ONLY, &format!("secret {n}")).await;
    }
    draw_in(&studio, GALLERY, "hung").await;
    draw_in(&studio, GUILD + 99, "of a channel that is gone").await;
    let open = |range: std::ops::RangeInclusive<usize>| range.rev().map(|n| format!("open {n}")).collect::<Vec<_>>();
    let whole = [vec!["hung".to_owned()], open(0..=3)].concat();
    assert_eq!(everybodys(&linus, CHANNEL, &everyone).await.0, whole, "pages are full of what is seen");
    let with_secrets = ["hung", "secret 3", "open 3", "secret 2", "open 2"];
    for person in [ada, &grace] {
        assert_eq!(everybodys(person, CHANNEL, &everyone).await.0, with_secrets);
    }
    assert_eq!(everybodys(&linus, "dm", &everyone).await.1["embeds"], json!([]), "direct messages have none of a guild");

    // A second page, of what is seen.
    draw_in(&studio, MODERATORS_ONLY, "secret 4").await;
    draw_in(&studio, GENERAL, "open 4").await;
    let (first, page) = everybodys(&linus, CHANNEL, &everyone).await;
    assert_eq!(first, [vec!["open 4".to_owned(), "hung".to_owned()], open(1..=3)].concat());
    linus.press(id(&page), "Older ▶").await.expect("sent");
    let turned = linus
        .wait_for(CHANNEL, PATIENCE, |messages| {
            messages.iter().find(|message| id(message) == id(&page) && content(message).contains("6 to 6")).cloned()
        })
        .await
        .expect("the page turns");
    assert_eq!(lines(&turned), ["open 0"]);

    // Age-restricted channels are looked into from such channels only.
    for (place, words) in [("Second studio/after-dark", "at night"), ("Second studio/general", "by day")] {
        grace.slash(place, "imagine", &prompt(words)).await.expect("sent");
        grid_in(&grace, place, words).await;
    }
    assert_eq!(everybodys(&linus, "Second studio/general", &everyone).await.0, ["by day"]);
    assert_eq!(everybodys(&linus, "Second studio/after-dark", &everyone).await.0, ["by day", "at night"]);

    // A guild shares nothing at all.
    linus.slash(CHANNEL, "settings", &[("history_everyone", json!(false))]).await.expect("sent");
    told(&linus, "Only people who may manage this server can do that.").await;
    ada.slash(CHANNEL, "settings", &[("history_everyone", json!(false))]).await.expect("sent");
    told(ada, "/history shows one's own pictures only").await;
    let asked = linus.slash(CHANNEL, "history", &everyone).await.expect("sent");
    assert!(answer_to(&linus, CHANNEL, &asked).await.contains("their own pictures only"));
    let press = linus.press(id(&turned), "◀ Newer").await.expect("sent");
    assert!(answer_to(&linus, CHANNEL, &press).await.contains("their own pictures only"), "an old page tells no more");
    let asked = linus.slash(CHANNEL, "history", &[]).await.expect("sent");
    assert!(answer_to(&linus, CHANNEL, &asked).await.contains("Nothing was drawn here yet"));
    studio.close().await;
}
