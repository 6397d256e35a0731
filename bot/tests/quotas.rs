//! What a guild's managers allow, and every way round it: roles, buttons, other places, a hundred at once, midnight.

use std::{sync::Arc, time::Duration};

use crate::support::*;
use atelier::{
    config::Config,
    jobs::enqueue::{Door, Request},
};
use inference::task::Task;
use sandbox::{Clock, InteractionId, ManualClock, Visitor};
use serde_json::{Value, json};
use storage::{Delivery, GuildId, QuotaOf, RoleId, Spender, Timestamp, UserId};

/// The stand-in's other guild, its guild where the bot is no member, and its group of people.
pub const OTHER: &str = "Second studio/general";
pub const CLUB: &str = "Book club/general";
const GUILD: u64 = 1_000_000_000_000_000_100;
const MODERATOR: u64 = GUILD + 2;
pub const LINUS: u64 = 1_000_000_000_000_000_013;
/// The choices of options, by their places.
const MONTH: u64 = 1;
const ALL: u64 = 1;
const USED: u64 = 1;

async fn imagine(visitor: &Visitor, channel: &str) -> InteractionId {
    visitor.slash(channel, "imagine", &prompt("a frog")).await.expect("sent")
}

/// What an interaction was answered with: a grid, or words.
pub async fn answer(visitor: &Visitor, channel: &str, asked: &InteractionId) -> Value {
    let is_done = |message: &&Value| {
        let is_private = message["flags"].as_u64().unwrap_or_default() & 64 != 0;
        message["interaction_metadata"]["id"] == asked.0 && (is_grid(message) || (is_private && !content(message).is_empty()))
    };
    visitor.wait_for(channel, PATIENCE, |messages| messages.iter().find(is_done).cloned()).await.expect("it is answered")
}

async fn draws(visitor: &Visitor, channel: &str) -> Value {
    let asked = imagine(visitor, channel).await;
    let message = answer(visitor, channel, &asked).await;
    assert!(is_grid(&message), "{}", content(&message));
    message
}

pub async fn is_refused(visitor: &Visitor, channel: &str, asked: &InteractionId, words: &str) -> String {
    let message = answer(visitor, channel, asked).await;
    assert!(!is_grid(&message) && content(&message).contains(words), "{}", content(&message));
    content(&message).to_owned()
}

pub async fn admin(visitor: &Visitor, command: &str, options: &[(&str, Value)]) -> String {
    let asked = visitor.slash(CHANNEL, &format!("admin quota {command}"), options).await.expect("sent");
    content(&answer(visitor, CHANNEL, &asked).await).to_owned()
}

pub async fn told(visitor: &Visitor, channel: &str, command: &str) -> String {
    let asked = visitor.slash(channel, command, &[]).await.expect("sent");
    content(&answer(visitor, channel, &asked).await).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn members_are_bound_by_what_managers_set_for_them_their_roles_and_each() {
    let studio = Studio::open(Mode::Plain, |_| {}).await;
    let (ada, grace, linus) = (&studio.ada, studio.visitor("grace").await, studio.visitor("linus").await);
    let said = admin(ada, "set", &[("limit", json!(4))]).await;
    assert!(said.starts_with("Saved.\n") && said.contains("\n• Each person: 4 a day\n"), "{said}");
    let role = ("role", json!(MODERATOR.to_string()));
    let said = admin(ada, "set", &[("limit", json!(8)), role.clone(), ("carry_over", json!(100))]).await;
    assert!(said.contains(&format!("\n• Each person with <@&{MODERATOR}>: 8 a day (of what is left, 8 go over)\n")), "{said}");
    let grid = draws(&linus, CHANNEL).await;
    for _ in 0..2 {
        draws(&grace, CHANNEL).await;
    }
    let sentence = "Nothing is left for you in this server for today. New pictures come <t:";
    is_refused(&grace, CHANNEL, &imagine(&grace, CHANNEL).await, sentence).await;
    let refused = is_refused(&linus, CHANNEL, &imagine(&linus, CHANNEL).await, sentence).await;
    assert!(refused.contains(":R>, at 00:00 UTC; "), "{refused}");
    // Neither a button under one's own picture nor one under another's is a way round it.
    for button in ["U1", "V1", "🔄"] {
        let pressed = linus.press(id(&grid), button).await.expect("sent");
        is_refused(&linus, CHANNEL, &pressed, "left for you in this server for today").await;
    }
    // Another server has rules of its own, as has whoever pays for themselves.
    draws(&linus, OTHER).await;
    draws(&linus, CLUB).await;
    draws(&linus, "dm").await;
    let left = told(&linus, CHANNEL, "quota").await;
    assert!(left.contains("No picture of the usual size is left today for you here (of 4).\n"), "{left}");
    assert!(left.contains("New ones come <t:") && left.contains(":R>, at 00:00 UTC.\n"), "{left}");
    // Where a person is named, that counts.
    let said = admin(ada, "set", &[("limit", json!(8)), ("person", json!(LINUS.to_string())), ("period", json!(MONTH))]).await;
    assert!(said.contains(&format!("\n• <@{LINUS}>: 8 a month\n")), "{said}");
    is_refused(&linus, CHANNEL, &imagine(&linus, CHANNEL).await, sentence).await;
    admin(ada, "set", &[("limit", json!(100)), ("person", json!(LINUS.to_string()))]).await;
    draws(&linus, CHANNEL).await;
    is_refused(&linus, CHANNEL, &imagine(&linus, CHANNEL).await, "left for you in this server for this month").await;
    let seen = admin(ada, "show", &[("person", json!(LINUS.to_string()))]).await;
    assert!(seen.contains(&format!("• <@{LINUS}> has 0 of 8 pictures left for this month; ")), "{seen}");
    assert!(seen.contains(&format!("• <@{LINUS}> has 92 of 100 pictures left for today; ")), "{seen}");
    studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_used_begins_anew_and_limits_go() {
    let studio = Studio::open(Mode::Plain, |_| {}).await;
    let (ada, linus) = (&studio.ada, studio.visitor("linus").await);
    let person = ("person", json!(LINUS.to_string()));
    admin(ada, "set", &[("limit", json!(4)), ("whom", json!(ALL))]).await;
    draws(&linus, CHANNEL).await;
    is_refused(ada, CHANNEL, &imagine(ada, CHANNEL).await, "Nothing is left here for today.").await;
    let said = admin(ada, "reset", &[("what", json!(USED)), ("whom", json!(ALL))]).await;
    assert!(said.starts_with("What all here have used together counts no more.\n"), "{said}");
    draws(ada, CHANNEL).await;
    is_refused(&linus, CHANNEL, &imagine(&linus, CHANNEL).await, "Nothing is left here for today.").await;
    let said = admin(ada, "reset", &[("what", json!(0)), ("whom", json!(ALL))]).await;
    assert!(said.starts_with("That limit is gone.\nThis server has no limits of its own."), "{said}");
    admin(ada, "set", &[("limit", json!(4)), person.clone()]).await;
    is_refused(&linus, CHANNEL, &imagine(&linus, CHANNEL).await, "Nothing is left for you in this server for today.").await;
    let said = admin(ada, "reset", &[("what", json!(USED)), person.clone()]).await;
    assert!(said.starts_with(&format!("What <@{LINUS}> has used here counts no more.\n")), "{said}");
    draws(&linus, CHANNEL).await;
    let said = admin(ada, "reset", &[("what", json!(USED))]).await;
    assert_eq!(said, "What is used is counted for each person and for all together. Please choose a person, or `all here together`.");
    let said = admin(ada, "reset", &[("what", json!(0)), ("role", json!(MODERATOR.to_string()))]).await;
    assert!(said.starts_with("There was no such limit.\n"), "{said}");
    // A limit of nothing forbids, whoever else may.
    admin(ada, "set", &[("limit", json!(0)), person.clone()]).await;
    is_refused(&linus, CHANNEL, &imagine(&linus, CHANNEL).await, "for today: the limit is 0").await;
    draws(ada, CHANNEL).await;
    studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_managers_see_and_set_limits_whatever_discord_lets_through() {
    let studio = Studio::open(Mode::Plain, |_| {}).await;
    let (ada, grace, linus) = (&studio.ada, studio.visitor("grace").await, studio.visitor("linus").await);
    let state = ada.state().await.expect("readable");
    let command = state["commands"].as_array().and_then(|all| all.iter().find(|command| command["name"] == "admin")).expect("it is there");
    let everybody = json!([{ "id": GUILD.to_string(), "type": 1, "permission": true }]);
    let url = format!("{}/sandbox/api/control/command_permissions", studio.running.stand_in.url());
    let body = json!({ "guild": GUILD.to_string(), "id": command["id"], "permissions": everybody });
    let client = reqwest::Client::builder().no_proxy().build().expect("a plain client");
    assert!(client.put(url).json(&body).send().await.expect("it answers").status().is_success());
    for person in [&grace, &linus] {
        for (command, options) in
            [("set", vec![("limit", json!(9))]), ("show", vec![]), ("reset", vec![("what", json!(USED)), ("whom", json!(ALL))])]
        {
            let said = admin(person, command, &options).await;
            assert_eq!(said, "Only people who may manage this server can do that.", "{command}");
        }
    }
    assert!(linus.slash("dm", "admin quota show", &[]).await.is_err(), "it is not offered there");
    assert!(linus.slash(CLUB, "admin quota show", &[]).await.is_err(), "nor where the bot is no member");
    let jobs = &studio.running.bot.app.jobs;
    assert_eq!(jobs.quota_rules(GuildId(GUILD)).await.expect("readable"), []);
    for (options, sentence) in [
        (vec![("limit", json!(-1))], "`limit` must be a number from 0."),
        (vec![("limit", json!(1)), ("carry_over", json!(-1))], "`carry_over` must be a number from 0."),
        (vec![("limit", json!(1e12)), ("whom", json!(ALL))], "The person who runs me allows at most "),
        (
            vec![("limit", json!(1)), ("person", json!(LINUS.to_string())), ("whom", json!(ALL))],
            "Please choose one person, or one role, or `whom`; a limit is about one of them.",
        ),
    ] {
        let said = admin(ada, "set", &options).await;
        assert!(said.starts_with(sentence), "{said}");
    }
    assert_eq!(jobs.quota_rules(GuildId(GUILD)).await.expect("readable"), []);
    studio.close().await;
}

/// As `/imagine` of a person with the role.
async fn ask(door: Arc<Door>, task: Task, n: u64) -> bool {
    let request = Request {
        key: format!("one of many {n}"),
        press: None,
        guild: GuildId(GUILD),
        user: UserId(LINUS),
        roles: vec![RoleId(MODERATOR)],
        speed: Default::default(),
        action: "imagine",
        task,
        notes: Vec::new(),
        parent: None,
        begins: Vec::new(),
        delivery: Delivery { channel: GUILD + 10, token: String::new(), token_expires: Timestamp(0), message: None, is_private: false },
    };
    door.enqueue(request).await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_at_once_get_no_more_than_one_by_one() {
    let studio = Studio::open(Mode::Plain, |config| {
        config.defaults.steps = 1;
        config.defaults.n_images = 1;
        config.limits.max_active_per_user = 1000;
    })
    .await;
    admin(&studio.ada, "set", &[("limit", json!(1))]).await;
    admin(&studio.ada, "set", &[("limit", json!(5)), ("role", json!(MODERATOR.to_string()))]).await;
    let app = &studio.running.bot.app;
    let parsed = atelier::prompt::parse("a frog", &Default::default(), &app.models.parse_context()).expect("a prompt");
    let asked: Vec<_> = (0..100).map(|n| tokio::spawn(ask(app.door.clone(), Task::from(parsed.task.clone()), n))).collect();
    let mut n_taken = 0;
    for answer in asked {
        n_taken += u32::from(answer.await.expect("no panic"));
    }
    let spender = Spender { roles: vec![RoleId(MODERATOR)], ..Spender::new(GuildId(GUILD), UserId(LINUS)) };
    let limits = app.door.limits(spender.guild, spender.user).await.expect("readable");
    let quotas = app.jobs.quotas(&spender, &limits, app.clock.now()).await.expect("readable");
    let (_, quota) = quotas.iter().find(|(of, _)| *of == QuotaOf::Member).expect("a rule");
    assert!((5..100).contains(&n_taken) && quota.used <= quota.limit, "five fit: {n_taken} were taken, {quota:?}");
    studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_begins_where_the_host_says_and_what_is_left_goes_over() {
    let clock = ManualClock::new();
    let change = |config: &mut Config| config.limits.time_zone = "Asia/Kathmandu".into();
    let studio = Studio::open_with_clock(Mode::Plain, Clock::Manual(clock.clone()), change).await;
    let (ada, linus, app) = (&studio.ada, studio.visitor("linus").await, &studio.running.bot.app);
    admin(ada, "set", &[("limit", json!(8)), ("carry_over", json!(4))]).await;
    for _ in 0..2 {
        draws(&linus, CHANNEL).await;
    }
    let spender = Spender::new(GuildId(GUILD), UserId(LINUS));
    let limits = app.door.limits(spender.guild, spender.user).await.expect("readable");
    let resets = app.jobs.quotas(&spender, &limits, app.clock.now()).await.expect("readable")[0].1.resets;
    let refused = is_refused(&linus, CHANNEL, &imagine(&linus, CHANNEL).await, "left for you in this server for today").await;
    assert!(refused.contains(&format!("New pictures come <t:{}:R>, at 00:00 Asia/Kathmandu; ", resets.0 / 1000)), "{refused}");
    let ms_left = u64::try_from(resets.0 - app.clock.now().0).expect("it lies ahead");
    clock.advance(Duration::from_millis(ms_left));
    draws(&linus, CHANNEL).await;
    // Half a quota goes over into the day after.
    clock.advance(Duration::from_secs(24 * 3600));
    let left = told(&linus, CHANNEL, "quota").await;
    assert!(
        left.contains("About 12 pictures of the usual size are left today for you here (of 12, 4 of them left from yesterday).\n"),
        "{left}"
    );
    studio.close().await;
}
