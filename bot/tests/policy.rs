//! Who may draw, and every way round it: other places, buttons, forms, menus, own installations, a hundred at once.

use crate::quotas::{CLUB, LINUS, OTHER, answer, is_refused};
use crate::remix::{fields, form};
use crate::support::*;
use sandbox::{Clock, InteractionId, ManualClock, Visitor};
use serde_json::{Value, json};
use std::time::Duration;
use storage::{EVERYWHERE, GuildId};

const GUILD: u64 = 1_000_000_000_000_000_100;
const MODERATOR: u64 = GUILD + 2;
/// The choices of options, by their places.
const YES: u64 = 0;
const NO: u64 = 1;
/// What is told of a ban.
const BANNED: &str = "You may not draw in this server";

async fn imagine(visitor: &Visitor, channel: &str, words: &str) -> InteractionId {
    visitor.slash(channel, "imagine", &prompt(words)).await.expect("sent")
}

async fn draws(visitor: &Visitor, channel: &str) -> Value {
    let asked = imagine(visitor, channel, "a frog").await;
    let message = answer(visitor, channel, &asked).await;
    assert!(is_grid(&message), "{}", content(&message));
    message
}

/// What `/admin draw …` is answered with.
async fn rule(visitor: &Visitor, command: &str, options: &[(&str, Value)]) -> String {
    rule_in(visitor, CHANNEL, command, options).await
}

async fn rule_in(visitor: &Visitor, channel: &str, command: &str, options: &[(&str, Value)]) -> String {
    let asked = visitor.slash(channel, &format!("admin draw {command}"), options).await.expect("sent");
    content(&answer(visitor, channel, &asked).await).to_owned()
}

/// The id of a channel of the first guild.
async fn channel_id(visitor: &Visitor, name: &str) -> String {
    let state = visitor.state().await.expect("readable");
    let channels = state["guilds"][0]["channels"].as_array().expect("channels");
    let found = channels.iter().find(|channel| channel["name"] == name).expect("a channel of that name");
    found["id"].as_str().expect("an id").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_banned_draws_in_no_way_and_elsewhere_as_before() {
    let studio = Studio::open(Mode::Plain, |_| {}).await;
    let (ada, linus) = (&studio.ada, studio.visitor("linus").await);
    let (own, of_ada) = (draws(&linus, CHANNEL).await, draws(ada, CHANNEL).await);
    let form = form(&linus, &own, "✏️").await;
    let said = rule(ada, "set", &[("person", json!(LINUS.to_string())), ("draw", json!(NO))]).await;
    assert!(said.starts_with("Saved.\n") && said.contains(&format!("\n• <@{LINUS}>: draw no")), "{said}");
    is_refused(&linus, CHANNEL, &imagine(&linus, CHANNEL, "a frog").await, BANNED).await;
    for (message, button) in [(&own, "U1"), (&own, "V1"), (&own, "🔄"), (&of_ada, "V2"), (&own, "✏️")] {
        let pressed = linus.press(id(message), button).await.expect("sent");
        is_refused(&linus, CHANNEL, &pressed, BANNED).await;
    }
    let typed = fields(&form);
    let typed: Vec<(&str, &str)> = typed.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let sent = linus.submit(&form, &typed).await.expect("sent");
    is_refused(&linus, CHANNEL, &sent, BANNED).await;
    for menu in ["Variations of this picture", "Upscale"] {
        let asked = linus.menu(CHANNEL, menu, id(&own)).await.expect("sent");
        let which = answer(&linus, CHANNEL, &asked).await;
        let pressed = linus.press(id(&which), &buttons(&which)[0][0]).await.expect("sent");
        is_refused(&linus, CHANNEL, &pressed, BANNED).await;
    }
    // Of the first guild alone: neither of another one nor of what the person pays for.
    draws(&linus, OTHER).await;
    draws(&linus, CLUB).await;
    draws(&linus, "dm").await;
    draws(ada, CHANNEL).await;
    let said = rule(ada, "remove", &[("person", json!(LINUS.to_string()))]).await;
    assert!(said.starts_with("That rule is gone.\nThere are no rules"), "{said}");
    draws(&linus, CHANNEL).await;
    studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_banned_everywhere_draws_nowhere_and_only_the_owner_says_so() {
    let studio = Studio::open(Mode::Plain, |_| {}).await;
    let (ada, linus) = (&studio.ada, studio.visitor("linus").await);
    let everywhere = [("person", json!(LINUS.to_string())), ("draw", json!(NO)), ("everywhere", json!(true))];
    rule(ada, "set", &everywhere).await;
    for place in [CHANNEL, OTHER, CLUB, "dm", "dm/Weekend plans"] {
        is_refused(&linus, place, &imagine(&linus, place, "a frog").await, "You may not draw with me").await;
    }
    draws(ada, "dm").await;
    studio.close().await;
    // Whom the configuration names, and nobody else.
    let studio = Studio::open(Mode::Plain, |config| config.policy.owners = vec![LINUS]).await;
    let said = rule(&studio.ada, "set", &everywhere).await;
    assert_eq!(said, "Only the person who runs me can do that.");
    draws(&studio.visitor("linus").await, "dm").await;
    studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_at_once_none_passes_a_ban_and_one_a_pause() {
    let clock = ManualClock::new();
    let studio = Studio::open_with_clock(Mode::Plain, Clock::Manual(clock.clone()), |config| config.limits.max_active_per_user = 200).await;
    let (ada, linus, grace) = (&studio.ada, studio.visitor("linus").await, studio.visitor("grace").await);
    rule(ada, "set", &[("person", json!(LINUS.to_string())), ("draw", json!(NO))]).await;
    rule(ada, "set", &[("pause", json!(60))]).await;
    let at_once = async |visitor: &Visitor| {
        let all = (0..100).map(|_| imagine(visitor, CHANNEL, "a frog --images 1 --steps 1"));
        let asked = futures::future::join_all(all).await;
        let answers = futures::future::join_all(asked.iter().map(|asked| answer(visitor, CHANNEL, asked))).await;
        answers.iter().filter(|message| !content(message).contains(BANNED) && !content(message).contains("You may draw again <t:")).count()
    };
    assert_eq!(at_once(&linus).await, 0);
    assert_eq!(at_once(&grace).await, 1);
    // Buttons wait too, and in another guild nobody does.
    let refused = imagine(&grace, CHANNEL, "a frog").await;
    is_refused(&grace, CHANNEL, &refused, "You may draw again <t:").await;
    draws(&grace, OTHER).await;
    clock.advance(Duration::from_secs(60));
    draws(&grace, CHANNEL).await;
    studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn channels_and_roles_models_and_sizes_are_held_to_in_every_way() {
    let studio = Studio::open(Mode::Plain, |_| {}).await;
    let (ada, linus, grace) = (&studio.ada, studio.visitor("linus").await, studio.visitor("grace").await);
    let grid = draws(&linus, CHANNEL).await;
    let here = ("channel", json!(channel_id(ada, CHANNEL).await));
    rule(ada, "set", &[here.clone(), ("draw", json!(NO))]).await;
    let nobody = "Nobody may draw in this channel";
    is_refused(&linus, CHANNEL, &imagine(&linus, CHANNEL, "a frog").await, nobody).await;
    is_refused(ada, CHANNEL, &ada.press(id(&grid), "V1").await.expect("sent"), nobody).await;
    rule(ada, "remove", &[here]).await;
    // One role alone draws: grace has it, linus does not.
    let role = ("role", json!(MODERATOR.to_string()));
    rule(ada, "set", &[role.clone(), ("draw", json!(YES))]).await;
    let refused = is_refused(&linus, CHANNEL, &linus.press(id(&grid), "🔄").await.expect("sent"), "To draw here one needs the role").await;
    assert!(refused.contains(&format!("<@&{MODERATOR}>")), "{refused}");
    draws(&grace, CHANNEL).await;
    rule(ada, "remove", &[role]).await;
    // No job larger than one picture of the usual size.
    rule(ada, "set", &[("most", json!(1))]).await;
    is_refused(&linus, CHANNEL, &linus.press(id(&grid), "V1").await.expect("sent"), "one job of yours may take").await;
    rule(ada, "set", &[("most", json!(0)), ("models", json!(""))]).await;
    let no_model = "nor with any other model";
    is_refused(&linus, CHANNEL, &linus.press(id(&grid), "V1").await.expect("sent"), no_model).await;
    is_refused(&linus, CHANNEL, &imagine(&linus, CHANNEL, "a frog").await, no_model).await;
    let said = rule(ada, "set", &[("models", json!("no such"))]).await;
    assert!(said.starts_with("I have no model `no such`."), "{said}");
    rule(ada, "set", &[("models", json!("all"))]).await;
    draws(&linus, CHANNEL).await;
    studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_and_changed_stands_in_the_book() {
    let studio = Studio::open(Mode::Plain, |_| {}).await;
    let (ada, linus, jobs) = (&studio.ada, studio.visitor("linus").await, &studio.running.bot.app.jobs);
    rule(ada, "set", &[("person", json!(LINUS.to_string())), ("draw", json!(NO))]).await;
    is_refused(&linus, CHANNEL, &imagine(&linus, CHANNEL, "a frog").await, BANNED).await;
    let book = jobs.audit(GuildId(GUILD), None, 0, 9).await.expect("readable").0;
    let who: Vec<(u64, bool)> = book.iter().map(|line| (line.user.0, line.is_change)).collect();
    assert_eq!(who, [(LINUS, false), (ada.user_id().parse().expect("a number"), true)], "{book:?}");
    assert_eq!(jobs.audit(EVERYWHERE, None, 0, 9).await.expect("readable").0, []);
    studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_managers_make_rules_whatever_discord_lets_through() {
    let studio = Studio::open(Mode::Plain, |_| {}).await;
    let linus = studio.visitor("linus").await;
    let state = linus.state().await.expect("readable");
    let command = state["commands"].as_array().and_then(|all| all.iter().find(|command| command["name"] == "admin")).expect("it is there");
    let everybody = json!([{ "id": GUILD.to_string(), "type": 1, "permission": true }]);
    let url = format!("{}/sandbox/api/control/command_permissions", studio.running.stand_in.url());
    let body = json!({ "guild": GUILD.to_string(), "id": command["id"], "permissions": everybody });
    let client = reqwest::Client::builder().no_proxy().build().expect("a plain client");
    assert!(client.put(url).json(&body).send().await.expect("it answers").status().is_success());
    let everywhere = ("everywhere", json!(true));
    for (command, options, sentence) in [
        ("draw set", vec![("draw", json!(YES))], "Only people who may manage this server can do that."),
        ("draw show", vec![], "Only people who may manage this server can do that."),
        ("draw remove", vec![], "Only people who may manage this server can do that."),
        ("draw set", vec![("draw", json!(YES)), everywhere.clone()], "Only the person who runs me can do that."),
        ("draw show", vec![everywhere.clone()], "Only the person who runs me can do that."),
        ("draw remove", vec![everywhere], "Only the person who runs me can do that."),
    ] {
        let asked = linus.slash(CHANNEL, &format!("admin {command}"), &options).await.expect("sent");
        assert_eq!(content(&answer(&linus, CHANNEL, &asked).await), sentence, "{command} {options:?}");
    }
    let jobs = &studio.running.bot.app.jobs;
    for guild in [GuildId(GUILD), EVERYWHERE] {
        assert_eq!(jobs.draw_rules(guild).await.expect("readable"), []);
        assert_eq!(jobs.audit(guild, Some(true), 0, 9).await.expect("readable").0, []);
    }
    studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn models_for_adults_are_drawn_with_among_adults_and_nowhere_else() {
    let studio = Studio::open(Mode::Plain, |config| config.policy.adult_models = vec!["starter".into()]).await;
    let (ada, linus, margaret) = (&studio.ada, studio.visitor("linus").await, studio.visitor("margaret").await);
    let dark = "Second studio/after-dark";
    let (usual, direct) = ("only in channels that Discord shows to adults alone", "I do not draw with it in direct messages");
    let grid = draws(&linus, dark).await;
    for (place, words) in [(CHANNEL, usual), (OTHER, usual), (CLUB, direct), ("dm", direct), ("dm/Weekend plans", direct)] {
        is_refused(&linus, place, &imagine(&linus, place, "a frog").await, words).await;
    }
    // The manager of the guild can forbid it there, and nobody but the owner can allow it in direct messages.
    let said = rule_in(&margaret, OTHER, "set", &[("adult", json!(NO))]).await;
    assert!(said.ends_with("• Everybody: adult no"), "{said}");
    for button in ["V1", "🔄", "U1"] {
        let pressed = linus.press(id(&grid), button).await.expect("sent");
        is_refused(&linus, dark, &pressed, "the rules of this place forbid that").await;
    }
    rule(ada, "set", &[("adult", json!(YES)), ("everywhere", json!(true))]).await;
    draws(&linus, "dm").await;
    is_refused(&linus, dark, &imagine(&linus, dark, "a frog").await, "the rules of this place forbid that").await;
    is_refused(&linus, CHANNEL, &imagine(&linus, CHANNEL, "a frog").await, usual).await;
    studio.close().await;
}
