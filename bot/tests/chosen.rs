//! What people choose: the panel of `/settings`, their own words, and whom their pictures are shown to.

use std::time::Duration;

use crate::{restart::Setting, support::*};
use atelier::{
    buttons::custom_id::{ButtonAction, NameHash, Picker, QueueAct, Setting as Chosen, Whose},
    jobs::enqueue::Request,
};
use inference::task::Task;
use sandbox::{Clock, InteractionId, ManualClock, Visitor};
use serde_json::{Value, json};
use storage::{Delivery, GuildId, HistoryFilter, Job, JobId, UserId};

in_both_modes! {
    what_is_private_is_seen_by_nobody_else,
    a_private_job_stays_private_over_a_kill,
}

const GUILD: u64 = 1_000_000_000_000_000_100;
const SMALL: &str = "--images 1 --steps 1 --seed 7";
const OTHER: &str = "Second studio/general";

fn is_for_one(message: &Value) -> bool {
    message["flags"].as_u64().unwrap_or_default() & 64 == 64
}

/// What an interaction was answered with at last: also where what is for one person alone is on its way.
async fn answer(person: &Visitor, channel: &str, asked: &InteractionId) -> Value {
    let is_under_way = |message: &Value| ["-# Queued", "-# Loading", "-# Drawing"].iter().any(|words| content(message).contains(words));
    let is_done = |message: &&Value| {
        let is_answer = message["interaction_metadata"]["id"] == asked.0.as_str();
        is_answer && !content(message).is_empty() && !is_under_way(message)
    };
    person.wait_for(channel, PATIENCE, |messages| messages.iter().find(is_done).cloned()).await.expect("it is answered")
}

/// A grid, or the words of a refusal.
async fn drawn(person: &Visitor, channel: &str, words: &str) -> Value {
    let asked = person.slash(channel, "imagine", &prompt(&format!("{words} {SMALL}"))).await.expect("sent");
    answer(person, channel, &asked).await
}

async fn grid_of(person: &Visitor, channel: &str, words: &str) -> String {
    let message = drawn(person, channel, words).await;
    assert!(is_grid(&message), "{}", content(&message));
    content(&message).to_owned()
}

async fn slash(person: &Visitor, channel: &str, command: &str, options: &[(&str, Value)]) -> Value {
    let asked = person.slash(channel, command, options).await.expect("sent");
    let said = answer(person, channel, &asked).await;
    assert!(is_for_one(&said), "{said}");
    said
}

/// Presses or chooses in a panel, and waits until its words are so.
async fn change(person: &Visitor, channel: &str, panel: &Value, component: &str, values: &[&str], is_so: impl Fn(&Value) -> bool) -> Value {
    person.select(id(panel), component, values).await.expect("sent");
    let is_it = |messages: &[Value]| messages.iter().find(|message| id(message) == id(panel) && is_so(message)).cloned();
    person.wait_for(channel, PATIENCE, is_it).await.expect("the panel changes")
}

async fn last_job(studio: &Studio, guild: u64, user: &Visitor) -> Job {
    let filter = HistoryFilter { guild: GuildId(guild), user: user.user_id().parse().ok().map(UserId), channels: None };
    studio.running.bot.app.jobs.history(filter, 0, 1).await.expect("readable").0.swap_remove(0)
}

fn chosen(message: &Value, menu: &str) -> Option<String> {
    let rows = message["components"].as_array().into_iter().flatten().map(|row| &row["components"][0]);
    let menu = rows.into_iter().find(|component| component["custom_id"] == menu)?;
    let entries = menu["options"].as_array()?.iter();
    entries.into_iter().find(|entry| entry["default"] == true).and_then(|entry| entry["value"].as_str()).map(str::to_owned)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_panel_says_holds_for_prompts_and_buttons_of_its_person() {
    let studio = Studio::open(Mode::Plain, |config| config.defaults.steps = 1).await;
    let (ada, linus) = (&studio.ada, studio.visitor("linus").await);
    let panel = slash(&linus, CHANNEL, "settings", &[]).await;
    assert!(content(&panel).starts_with("**Your settings**"), "{}", content(&panel));
    assert!(!buttons(&panel).iter().flatten().any(|label| label == "This server"), "managers only");
    for (menu, value) in [("aspect", "3:2"), ("sampler", "euler"), ("variation", "strong")] {
        let menu = format!("1:panel-mine:{menu}:0");
        change(&linus, CHANNEL, &panel, &menu, &[value], |panel| chosen(panel, &menu).as_deref() == Some(value)).await;
    }
    for channel in [CHANNEL, OTHER, "dm"] {
        let told = grid_of(&linus, channel, "a frog").await;
        assert!(told.contains("--ar 3:2") && told.contains("--sampler euler"), "{channel}: {told}");
    }
    let told = grid_of(&linus, CHANNEL, "a frog --ar 1:1 --sampler dpmpp_2m").await;
    assert!(!told.contains("--ar 3:2") && !told.contains("--sampler euler"), "what is said stands before it: {told}");
    let told = grid_of(ada, CHANNEL, "a frog").await;
    assert!(!told.contains("--ar 3:2") && !told.contains("--sampler euler"), "others chose nothing: {told}");
    let grid = drawn(&linus, CHANNEL, "a frog").await;
    let pressed = linus.press(id(&grid), "V1").await.expect("sent");
    assert!(is_grid(&answer(&linus, CHANNEL, &pressed).await));
    let task: Task = serde_json::from_value(last_job(&studio, GUILD, &linus).await.task).expect("a task");
    assert_eq!(task.strength(), Some(0.8));

    // Remix mode: a form opens first, and what it sends is a variation all the same.
    change(&linus, CHANNEL, &panel, "Remix: off", &[], |panel| buttons(panel).iter().flatten().any(|label| label == "Remix: on")).await;
    let seq = linus.seq().await.expect("it counts");
    linus.press(id(&grid), "V1").await.expect("sent");
    let form = linus.wait_for_event(seq, PATIENCE, |kind, data| (kind == "modal").then(|| data.clone())).await.expect("a form");
    let sent = linus.submit(&form, &[("prompt0", "a green frog")]).await.expect("sent");
    let varied = answer(&linus, CHANNEL, &sent).await;
    assert!(is_grid(&varied) && content(&varied).contains("a green frog") && content(&varied).contains("Variation of"), "{varied}");
    let job = last_job(&studio, GUILD, &linus).await;
    let task: Task = serde_json::from_value(job.task).expect("a task");
    assert_eq!((job.parent.map(|(_, index)| index), task.strength()), (Some(0), Some(0.8)));

    // Nobody's choices are left after a reset.
    change(&linus, CHANNEL, &panel, "Reset", &[], |panel| chosen(panel, "1:panel-mine:aspect:0").as_deref() == Some("-")).await;
    assert!(!grid_of(&linus, CHANNEL, "a frog").await.contains("--ar 3:2"));
    studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn managers_choose_for_all_who_chose_nothing_and_nobody_else_does() {
    let studio = Studio::open(Mode::Plain, |config| config.defaults.steps = 1).await;
    let (ada, linus) = (&studio.ada, studio.visitor("linus").await);
    let panel = slash(ada, CHANNEL, "settings", &[]).await;
    let panel = change(ada, CHANNEL, &panel, "This server", &[], |panel| content(panel).starts_with("**This server's settings**")).await;
    assert!(content(&panel).contains("One person may have"), "its limits are told too: {}", content(&panel));
    let menu = "1:panel-guild:aspect:0";
    change(ada, CHANNEL, &panel, menu, &["2:3"], |panel| chosen(panel, menu).as_deref() == Some("2:3")).await;
    assert!(grid_of(&linus, CHANNEL, "a frog").await.contains("--ar 2:3"));
    for place in [OTHER, "dm"] {
        assert!(!grid_of(&linus, place, "a frog").await.contains("--ar 2:3"), "{place}: another guild's managers say nothing there");
    }
    let own = slash(&linus, CHANNEL, "settings", &[]).await;
    assert!(content(&own).contains("the shape 2:3"), "{}", content(&own));
    let menu = "1:panel-mine:aspect:0";
    change(&linus, CHANNEL, &own, menu, &["3:2"], |panel| chosen(panel, menu).as_deref() == Some("3:2")).await;
    assert!(grid_of(&linus, CHANNEL, "a frog").await.contains("--ar 3:2"), "a person's own stands before it");
    studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_button_that_is_not_ones_own_to_press_changes_nothing() {
    let studio = Studio::open(Mode::Plain, |_| {}).await;
    let (app, ada, linus) = (&studio.running.bot.app, &studio.ada, studio.visitor("linus").await);
    let starter = NameHash::of("starter");
    let managers = "Only people who may manage this server can do that.";
    let moderators = "Only people who may manage this server or its messages can do that.";
    for (action, sentence) in [
        (ButtonAction::Panel { whose: Whose::Guild, setting: Chosen::Open }, managers),
        (ButtonAction::Panel { whose: Whose::Guild, setting: Chosen::Private }, managers),
        (ButtonAction::UseInChannel { picker: Picker::Model, name: starter }, managers),
        (ButtonAction::Queue { whose: Whose::Guild, act: QueueAct::CancelAll }, moderators),
        (ButtonAction::Queue { whose: Whose::Mine, act: QueueAct::Pause }, moderators),
    ] {
        // As if a panel stood where everybody sees it.
        let button = json!({ "type": 2, "style": 2, "label": "x", "custom_id": action.to_string() });
        let body = json!({ "content": "a panel", "components": [{ "type": 1, "components": [button] }] });
        let url = format!("{}/api/v10/channels/{}/messages", studio.running.stand_in.url(), GUILD + 10);
        let client = reqwest::Client::builder().no_proxy().build().expect("a plain client");
        let token = format!("Bot {}", studio.running.stand_in.token());
        let posted = client.post(url).header("authorization", token).json(&body).send().await.expect("it answers");
        let posted: Value = serde_json::from_str(&posted.text().await.expect("text")).expect("JSON");
        let pressed = linus.press(id(&posted), "x").await.expect("sent");
        assert_eq!(content(&answer(&linus, CHANNEL, &pressed).await), sentence, "{action:?}");
    }
    let of_place = [storage::Chooser::Guild(GuildId(GUILD)), storage::Chooser::Channel(GUILD + 10)];
    assert_eq!(app.jobs.choices(&of_place).await.expect("readable"), []);
    assert_eq!(app.jobs.paused().await.expect("readable"), []);
    assert!(is_grid(&drawn(ada, CHANNEL, "a frog").await));
    studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_default_that_is_gone_is_told_and_the_usual_model_draws() {
    let studio = Studio::open(Mode::Plain, |config| config.defaults.steps = 1).await;
    let (app, ada) = (&studio.running.bot.app, &studio.ada);
    let of = storage::Chooser::Person(UserId(ada.user_id().parse().expect("an id")));
    atelier::chosen::choose(&*app.jobs, of, atelier::chosen::One::Model(Some("misty".into()))).await.expect("kept");
    let told = grid_of(ada, CHANNEL, "a frog").await;
    assert!(told.contains("`misty` was chosen with"), "{told}");
    let panel = slash(ada, CHANNEL, "settings", &[]).await;
    assert!(content(&panel).contains("`misty` that was chosen is not there any more"), "{}", content(&panel));
    studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn own_words_stand_for_pieces_of_ones_own_prompts() {
    let studio = Studio::open(Mode::Plain, |config| {
        config.defaults.steps = 1;
        config.limits.max_looks_per_minute = 1000;
    })
    .await;
    let (ada, linus) = (&studio.ada, studio.visitor("linus").await);
    let set = async |person: &Visitor, channel: &str, name: &str, value: &str| {
        let options = [("name", json!(name)), ("value", json!(value))];
        content(&slash(person, channel, "prefer option set", &options).await).to_owned()
    };
    assert_eq!(
        set(&linus, "dm", "--Mine", "in ink  --ar 3:2").await,
        "Kept: `--mine` in a prompt stands for `in ink --ar 3:2` from now on."
    );
    for place in [CHANNEL, "dm"] {
        let told = grid_of(&linus, place, "a frog --mine").await;
        assert!(told.contains("a frog in ink") && told.contains("--ar 3:2") && !told.contains("--mine"), "shown expanded: {told}");
    }
    let refused = drawn(ada, CHANNEL, "a frog --mine").await;
    assert!(!is_grid(&refused) && content(&refused).contains("`--mine`"), "another's: {refused}");
    for (name, value, words) in [
        ("ar", "red", "has a meaning of its own"),
        ("my own", "red", "is no name that I can keep"),
        ("twice", "--mine", "`--mine`"),
        ("x", " ", "there is nothing to keep"),
    ] {
        let told = set(&linus, CHANNEL, name, value).await;
        assert!(told.contains(words) && !told.starts_with("Kept"), "{name}: {told}");
    }
    for n in 2..=20 {
        assert!(set(&linus, CHANNEL, &format!("n{n}"), "red").await.starts_with("Kept"));
    }
    assert_eq!(set(&linus, CHANNEL, "n21", "red").await, "There are 20 already, and that is the most. Please take one away first.");
    let list = slash(&linus, CHANNEL, "prefer option list", &[]).await;
    assert!(content(&list).contains("• `--mine`: `in ink --ar 3:2`"), "{}", content(&list));
    let file: Value = serde_json::from_slice(&linus.attachment_bytes(&list, 0).await.expect("served")).expect("JSON");
    assert!(file.as_array().is_some_and(|all| all.contains(&json!({ "topic": "option", "name": "mine", "value": "in ink --ar 3:2" }))));
    let offered = linus.autocomplete(CHANNEL, "prefer option remove", &[("name", json!("mi"))], "name").await.expect("suggested");
    assert_eq!(offered.first().map(|choice| choice["value"].clone()), Some(json!("mine")));
    slash(&linus, CHANNEL, "prefer option remove", &[("name", json!("mine"))]).await;
    let again = slash(&linus, CHANNEL, "prefer option remove", &[("name", json!("mine"))]).await;
    assert_eq!(content(&again), "There is nothing under the name `mine`.");
    assert!(!is_grid(&drawn(&linus, CHANNEL, "a frog --mine").await));

    slash(&linus, CHANNEL, "prefer suffix", &[("value", json!("on paper --ar 2:1"))]).await;
    let told = grid_of(&linus, CHANNEL, "a frog").await;
    assert!(told.contains("a frog on paper") && told.contains("--ar 2:1"), "{told}");
    let grid = drawn(&linus, CHANNEL, "a frog --ar 1:1").await;
    assert!(content(&grid).contains("a frog on paper") && !content(&grid).contains("--ar 2:1"), "what is said stands before it: {grid}");
    // What was drawn says all of itself: nothing is added to it once more.
    let pressed = linus.press(id(&grid), "🔄").await.expect("sent");
    let again = answer(&linus, CHANNEL, &pressed).await;
    assert_eq!(content(&again).matches("on paper").count(), 1, "{again}");
    slash(&linus, CHANNEL, "prefer suffix", &[]).await;
    assert!(!grid_of(&linus, CHANNEL, "a frog").await.contains("on paper"));
    studio.close().await;
}

/// All that somebody was shown since.
async fn seen(person: &Visitor, since: u64) -> String {
    let (_, events) = person.events(since, Duration::ZERO).await.expect("readable");
    let messages = person.messages(CHANNEL).await.expect("readable");
    format!("{events:?}{messages:?}")
}

async fn what_is_private_is_seen_by_nobody_else(mode: Mode) {
    let studio = Studio::open(mode, |config| config.engine.preview_every = 1).await;
    let (ada, linus) = (&studio.ada, studio.visitor("linus").await);
    let since = ada.seq().await.expect("it counts");
    slash(&linus, "dm", "private", &[]).await;
    let grid = drawn(&linus, CHANNEL, "a secret frog").await;
    assert!(is_grid(&grid) && is_for_one(&grid), "{grid}");
    for button in ["V1", "🔄", "U1"] {
        let pressed = linus.press(id(&grid), button).await.expect("sent");
        let made = answer(&linus, CHANNEL, &pressed).await;
        assert!(is_for_one(&made), "{button}: {made}");
    }
    let refused = drawn(&linus, CHANNEL, "a secret frog --ar 0:2").await;
    assert!(!is_grid(&refused) && is_for_one(&refused), "{refused}");
    let job = last_job(&studio, GUILD, &linus).await;
    assert!(job.delivery.is_private);

    // What was drawn alone stays so when what follows is for all.
    slash(&linus, CHANNEL, "public", &[]).await;
    let pressed = linus.press(id(&grid), "V1").await.expect("sent");
    assert!(is_for_one(&answer(&linus, CHANNEL, &pressed).await), "a button under what is private");
    let shown = linus.slash(CHANNEL, "show", &[("job", json!(job.id.to_string()))]).await.expect("sent");
    let is_shown = |message: &&Value| message["interaction_metadata"]["id"] == shown.0.as_str() && !content(message).is_empty();
    let shown = linus.wait_for(CHANNEL, PATIENCE, |messages| messages.iter().find(is_shown).cloned()).await.expect("it is shown");
    assert!(is_for_one(&shown) && !content(&shown).starts_with("I have no job"), "{shown}");
    let public = drawn(&linus, CHANNEL, "an open robot").await;
    assert!(is_grid(&public) && !is_for_one(&public), "{public}");

    // Nor can others ask for it.
    let told = slash(ada, CHANNEL, "show", &[("job", json!(job.id.to_string()))]).await;
    assert!(content(&told).starts_with("I have no job"), "{}", content(&told));
    let history = slash(ada, CHANNEL, "history", &[("everyone", json!(true))]).await;
    let listed = history["embeds"].to_string();
    assert!(listed.contains("an open robot") && !listed.contains("secret"), "{listed}");
    let seen = seen(ada, since).await;
    assert!(seen.contains("an open robot") && !seen.contains("secret"), "nothing of it was ever shown to her");
    studio.close().await;
}

async fn a_private_job_stays_private_over_a_kill(mode: Mode) {
    let setting = Setting::new(mode).await;
    let program = setting.start_with("");
    let linus = Visitor::connect(&program.url, "linus").await.expect("linus enters");
    let ada = Visitor::connect(&program.url, "ada").await.expect("ada enters");
    let since = ada.seq().await.expect("it counts");
    slash(&linus, CHANNEL, "private", &[]).await;
    linus.slash(CHANNEL, "imagine", &prompt("a secret frog --seed 7 --steps 60")).await.expect("sent");
    message_with(&linus, "Drawing").await;
    assert!(!seen(&ada, since).await.contains("secret"));
    program.kill();

    let program = setting.start_with("");
    let linus = Visitor::connect(&program.url, "linus").await.expect("linus enters again");
    let ada = Visitor::connect(&program.url, "ada").await.expect("ada enters again");
    let since = ada.seq().await.expect("it counts");
    let arrived = async {
        loop {
            for place in [CHANNEL, "dm"] {
                let messages = linus.messages(place).await.expect("readable");
                if let Some(grid) = messages.into_iter().find(|message| is_grid(message) && content(message).contains("secret")) {
                    assert!(place == "dm" || is_for_one(&grid), "{grid}");
                    return;
                }
            }
            pause().await;
        }
    };
    tokio::time::timeout(PATIENCE, arrived).await.expect("it arrives");
    assert!(!seen(&ada, since).await.contains("secret"));
    program.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_private_and_late_goes_to_direct_messages_or_nowhere() {
    let clock = ManualClock::new();
    let studio = Studio::open_with_clock(Mode::Plain, Clock::Manual(clock.clone()), |_| {}).await;
    let (app, ada, linus) = (&studio.running.bot.app, &studio.ada, studio.visitor("linus").await);
    let user = UserId(linus.user_id().parse().expect("an id"));
    let since = ada.seq().await.expect("it counts");
    let ask = async |message: Option<u64>| {
        let task = json!({
            "kind": "text_to_image", "prompt": "a secret frog", "size": {"width": 64, "height": 64}, "steps": 1, "guidance_scale": 4.0,
            "sampler": "dpmpp_2m", "seed": 7, "n_images": 1
        });
        let delivery = Delivery { channel: GUILD + 10, token: String::new(), token_expires: app.clock.now(), message, is_private: true };
        let request = Request {
            notes: Vec::new(),
            key: JobId::new().to_string(),
            press: None,
            guild: GuildId(GUILD),
            user,
            roles: Vec::new(),
            speed: Default::default(),
            action: "imagine",
            task: serde_json::from_value(task).expect("a task"),
            parent: None,
            begins: Vec::new(),
            delivery,
        };
        app.door.enqueue(request).await.expect("it is taken")
    };
    // Also where the message that waited for it is known: it is nobody's but theirs, and by its id it cannot be reached.
    ask(Some(7)).await;
    let is_it = |message: &&Value| is_grid(message) && content(message).contains("where only you see it");
    let grid = linus.wait_for("dm", PATIENCE, |messages| messages.iter().find(is_it).cloned()).await.expect("it comes");
    let pressed = linus.press(id(&grid), "V1").await.expect("sent");
    assert!(is_grid(&answer(&linus, "dm", &pressed).await), "buttons work there");

    let url = format!("{}/sandbox/api/people/{}", studio.running.stand_in.url(), user.0);
    let client = reqwest::Client::builder().no_proxy().build().expect("a plain client");
    client.post(url).json(&json!({ "accepts_dms": false })).send().await.expect("it answers");
    let job = ask(None).await;
    let over = async {
        while app.jobs.queue_status().await.expect("readable").running + app.jobs.backlog().await.expect("readable").undelivered > 0
            || !app.jobs.job(job).await.expect("readable").is_some_and(|job| job.status.is_final())
        {
            pause().await;
        }
    };
    tokio::time::timeout(PATIENCE, over).await.expect("it ends");
    assert!(!seen(ada, since).await.contains("secret"), "nor is it posted where others are");
    studio.close().await;
}
