//! Every rule of who may draw against every way to draw: commands, buttons, forms, menus, questions and examples; in a guild, in direct messages
//! and where only the person installed the bot; one by one and all at once.

use crate::quotas::{CLUB, LINUS, OTHER};
use crate::remix::{fields, form};
use crate::support::*;
use sandbox::{InteractionId, Visitor};
use serde_json::{Value, json};
use storage::{GuildId, HistoryFilter, UserId};

in_both_modes! {
    no_rule_of_a_guild_is_got_round_in_any_way,
    no_rule_of_all_places_is_got_round_by_private_ways,
    what_is_chosen_and_looked_at_works_for_persons_who_installed_the_bot,
}

const GUILD: u64 = 1_000_000_000_000_000_100;
const MODERATOR: u64 = GUILD + 2;
const ROUNDS: usize = 8;
const SMALL: &str = "--steps 2 --seed 7";

/// How somebody comes to a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// A command with these options.
    Imagine,
    Verify,
    Explain,
    /// A button of the grid, and of somebody else's where there is one.
    Grid(&'static str),
    OfAnother(&'static str),
    /// A button of a single, enlarged picture.
    Single(&'static str),
    /// ▶️ of a job that was stopped.
    Continue,
    /// The button under a receipt.
    Receipt,
    /// An entry of a message's menu, with a picture chosen where it asks.
    Menu(&'static str),
    /// A form that was open before the rule.
    Form(usize),
    /// The question about several grids.
    Several,
    /// An example of `/help`.
    Example,
}

use Way::*;

const WAYS: [Way; 28] = [
    Imagine,
    Verify,
    Explain,
    Grid("U1"),
    Grid("V1"),
    Grid("🔄"),
    OfAnother("U2"),
    OfAnother("V2"),
    OfAnother("🔄"),
    Single("Vary (Subtle)"),
    Single("Vary (Strong)"),
    Single("Upscale 2x (Subtle)"),
    Single("Upscale 2x (Creative)"),
    Single("Upscale 4x"),
    Single("Zoom Out 1.5x"),
    Single("Zoom Out 2x"),
    Single("⬅️"),
    Single("➡️"),
    Single("⬆️"),
    Single("⬇️"),
    Continue,
    Receipt,
    Menu("Variations of this picture"),
    Menu("Upscale"),
    Form(0),
    Form(1),
    Several,
    Example,
];

impl Way {
    /// Whether it only enlarges: then there are neither words nor a model that draws.
    fn enlarges(self) -> bool {
        matches!(self, Grid("U1") | OfAnother("U2") | Single("Upscale 2x (Subtle)" | "Upscale 4x") | Menu("Upscale"))
    }
}

/// What one person has open in a place before there is a rule.
struct Open<'a> {
    person: &'a Visitor,
    place: &'static str,
    /// The job of the grid.
    job: String,
    grid: Value,
    of_another: Value,
    single: Value,
    stopped: Value,
    receipt: Value,
    help: Value,
    /// ✏️ of the grid and the custom zoom of the single picture, for each round.
    forms: Vec<[Value; 2]>,
    /// Questions about several grids, for each round.
    questions: Vec<Value>,
}

/// Waits for a message that comes of an interaction.
async fn comes(person: &Visitor, place: &str, asked: &InteractionId, is_so: impl Fn(&Value) -> bool) -> Value {
    let is_it = |message: &&Value| message["interaction_metadata"]["id"] == asked.0.as_str() && is_so(message);
    let found = person.wait_for(place, PATIENCE, |messages| messages.iter().find(is_it).cloned()).await;
    found.unwrap_or_else(|error| panic!("nothing comes of it in {place}: {error}"))
}

async fn imagine(person: &Visitor, place: &str, words: &str) -> InteractionId {
    person.slash(place, "imagine", &prompt(&format!("{words} {SMALL}"))).await.expect("sent")
}

fn has(message: &Value, label: &str) -> bool {
    buttons(message).iter().flatten().any(|found| found == label)
}

async fn open<'a>(studio: &Studio, person: &'a Visitor, (place, payer): (&'static str, u64), other: Option<&Visitor>) -> Open<'a> {
    let drawn = async |person: &Visitor| comes(person, place, &imagine(person, place, "a frog").await, is_grid).await;
    let grid = drawn(person).await;
    let filter = HistoryFilter { guild: GuildId(payer), user: None, channels: None };
    let job = studio.running.bot.app.jobs.history(filter, 0, 1).await.expect("readable").0[0].id.to_string();
    let of_another = match other {
        Some(other) => drawn(other).await,
        None => drawn(person).await,
    };
    let large = person.press(id(&grid), "U3").await.expect("sent");
    let single = comes(person, place, &large, |message| has(message, "Vary (Subtle)")).await;
    let asked = imagine(person, place, "a frog --images 1 --stop 50").await;
    let stopped = comes(person, place, &asked, |message| has(message, "▶️")).await;
    let asked = person.press(id(&grid), "🔎").await.expect("sent");
    let mut receipt = comes(person, place, &asked, |message| !content(message).is_empty()).await;
    if !has(&receipt, "How it came from noise") {
        let asked = person.press(id(&receipt), &buttons(&receipt)[0][0]).await.expect("sent");
        receipt = comes(person, place, &asked, |message| has(message, "How it came from noise")).await;
    }
    let asked = person.slash(place, "help", &[]).await.expect("sent");
    let help = comes(person, place, &asked, |message| !buttons(message).is_empty()).await;
    let (mut forms, mut questions) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        forms.push([form(person, &grid, "✏️").await, form(person, &single, "Custom Zoom").await]);
        let asked = imagine(person, place, "a {red, calm} frog").await;
        questions.push(comes(person, place, &asked, |message| has(message, "Draw 2 grids")).await);
    }
    Open { person, place, job, grid, of_another, single, stopped, receipt, help, forms, questions }
}

impl Open<'_> {
    /// Goes a way; what it asks and the message that an answer may stand in instead of a new one.
    async fn go(&self, way: Way, round: usize) -> (InteractionId, Option<String>) {
        let press = async |message: &Value, button: &str| self.person.press(id(message), button).await.expect("sent");
        let job = [("job", json!(self.job)), ("picture", json!(1))];
        let asked = match way {
            Imagine => imagine(self.person, self.place, "a frog").await,
            Verify => self.person.slash(self.place, "verify", &job).await.expect("sent"),
            Explain => self.person.slash(self.place, "explain", &job).await.expect("sent"),
            Grid(button) => press(&self.grid, button).await,
            OfAnother(button) => press(&self.of_another, button).await,
            Single(button) => press(&self.single, button).await,
            Continue => press(&self.stopped, "▶️").await,
            Receipt => press(&self.receipt, "How it came from noise").await,
            Menu(entry) => {
                let asked = self.person.menu(self.place, entry, id(&self.grid)).await.expect("chosen");
                let said = comes(self.person, self.place, &asked, |message| !content(message).is_empty()).await;
                if !has(&said, "1") {
                    return (asked, None);
                }
                press(&said, "1").await
            }
            Form(which) => {
                let form = &self.forms[round][which];
                let typed = fields(form);
                let typed: Vec<(&str, &str)> = typed.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                self.person.submit(form, &typed).await.expect("sent")
            }
            Several => {
                let question = &self.questions[round];
                return (press(question, "Draw 2 grids").await, Some(id(question).to_owned()));
            }
            Example => press(&self.help, &buttons(&self.help)[0][0]).await,
        };
        (asked, None)
    }

    /// Goes a way that must be refused, to this person alone and with these words.
    async fn is_refused(&self, way: Way, round: usize, words: &str) {
        let (asked, instead) = self.go(way, round).await;
        let is_answer = |message: &&Value| {
            let is_of_it = message["interaction_metadata"]["id"] == asked.0.as_str() || instead.as_deref() == Some(id(message));
            let is_private = message["flags"].as_u64().unwrap_or_default() & 64 != 0;
            is_of_it && !has(message, "Draw 2 grids") && (is_grid(message) || (is_private && !content(message).is_empty()))
        };
        let said = self.person.wait_for(self.place, PATIENCE, |messages| messages.iter().find(is_answer).cloned()).await;
        let said = said.unwrap_or_else(|error| panic!("{way:?} in {} is not answered ({words}): {error}", self.place));
        assert!(!is_grid(&said) && content(&said).contains(words), "{way:?} in {} ({words}): {}", self.place, content(&said));
    }

    /// Goes all ways at once, and each must be refused; nothing is drawn.
    async fn are_refused(&self, studio: &Studio, (payer, round): (u64, usize), words: &str, concerns: impl Fn(Way) -> bool) {
        let before = n_jobs(studio, self.person, payer).await;
        let ways = WAYS.into_iter().filter(|way| concerns(*way));
        futures::future::join_all(ways.map(|way| self.is_refused(way, round, words))).await;
        assert_eq!(n_jobs(studio, self.person, payer).await, before, "{words}");
    }

    /// Goes each way, and something is drawn.
    async fn draws(&self, studio: &Studio, (payer, round): (u64, usize)) {
        for way in WAYS {
            let before = n_jobs(studio, self.person, payer).await;
            self.go(way, round).await;
            let drawn = async {
                while n_jobs(studio, self.person, payer).await == before || is_at_work(studio, self.person).await {
                    pause().await;
                }
            };
            tokio::time::timeout(PATIENCE, drawn).await.unwrap_or_else(|_| panic!("{way:?} draws nothing in {}", self.place));
        }
    }
}

fn user(person: &Visitor) -> UserId {
    UserId(person.user_id().parse().expect("a number"))
}

async fn is_at_work(studio: &Studio, person: &Visitor) -> bool {
    !studio.running.bot.app.jobs.open_jobs(user(person)).await.expect("readable").is_empty()
}

/// How many jobs of a person there are, ended or not.
async fn n_jobs(studio: &Studio, person: &Visitor, payer: u64) -> usize {
    let filter = HistoryFilter { guild: GuildId(payer), user: Some(user(person)), channels: None };
    let jobs = &studio.running.bot.app.jobs;
    let open = jobs.open_jobs(user(person)).await.expect("readable").len();
    jobs.history(filter, 0, 1000).await.expect("readable").0.len() + open
}

/// Lets `ada` say something as a manager, and as the owner.
async fn says(ada: &Visitor, command: &str, options: &[(&str, Value)]) {
    let asked = ada.slash(CHANNEL, &format!("admin {command}"), options).await.expect("sent");
    comes(ada, CHANNEL, &asked, |message| !content(message).is_empty()).await;
}

async fn channel_id(visitor: &Visitor) -> String {
    let state = visitor.state().await.expect("readable");
    let channels = state["guilds"][0]["channels"].as_array().expect("channels");
    let found = channels.iter().find(|channel| channel["name"] == CHANNEL).expect("a channel of that name");
    found["id"].as_str().expect("an id").to_owned()
}

/// A rule: what makes it, what takes it away, what it says, and what it concerns.
struct Rule {
    set: (&'static str, Vec<(&'static str, Value)>),
    end: (&'static str, Vec<(&'static str, Value)>),
    says: &'static str,
    concerns: fn(Way) -> bool,
}

const ALL: fn(Way) -> bool = |_| true;
const DRAWN: fn(Way) -> bool = |way| !way.enlarges();
/// The choices of an option by their places.
const YES: u64 = 0;
const NO: u64 = 1;

fn rule(set: (&'static str, Vec<(&'static str, Value)>), end: (&'static str, Vec<(&'static str, Value)>), says: &'static str) -> Rule {
    Rule { set, end, says, concerns: ALL }
}

async fn studio(mode: Mode) -> Studio {
    Studio::open(mode, |config| {
        config.limits.max_active_per_user = 1000;
        config.limits.max_looks_per_minute = 10_000;
    })
    .await
}

async fn no_rule_of_a_guild_is_got_round_in_any_way(mode: Mode) {
    let studio = studio(mode).await;
    let (ada, linus, grace) = (&studio.ada, studio.visitor("linus").await, studio.visitor("grace").await);
    let open = open(&studio, &linus, (CHANNEL, GUILD), Some(&grace)).await;
    let (person, role) = (("person", json!(LINUS.to_string())), ("role", json!(MODERATOR.to_string())));
    let channel = ("channel", json!(channel_id(ada).await));
    let draw = |value: u64| ("draw", json!(value));
    let rules = [
        rule(("draw set", vec![person.clone(), draw(NO)]), ("draw remove", vec![person.clone()]), "You may not draw in this server"),
        rule(("draw set", vec![role.clone(), draw(YES)]), ("draw remove", vec![role]), "To draw here one needs the role"),
        rule(("draw set", vec![channel.clone(), draw(NO)]), ("draw remove", vec![channel]), "Nobody may draw in this channel"),
        rule(("draw set", vec![("most", json!(0.0001))]), ("draw remove", vec![]), "one job of yours may take"),
        Rule { concerns: DRAWN, ..rule(("draw set", vec![("models", json!(""))]), ("draw remove", vec![]), "nor with any other model") },
        Rule {
            concerns: DRAWN,
            ..rule(
                ("words block", vec![("word", json!("/[a-z]/"))]),
                ("words unblock", vec![("word", json!("/[a-z]/"))]),
                "may not be said in prompts here",
            )
        },
        rule(
            ("quota set", vec![person.clone(), ("limit", json!(0))]),
            ("quota set", vec![person, ("limit", json!(100_000))]),
            "is left for you in this server for today: the limit is 0",
        ),
    ];
    assert!(rules.len() < ROUNDS);
    for (round, rule) in rules.iter().enumerate() {
        says(ada, rule.set.0, &rule.set.1).await;
        open.are_refused(&studio, (GUILD, round), rule.says, rule.concerns).await;
        // It is this guild's: in another one, in direct messages and where the person pays themselves it says nothing.
        for place in [OTHER, CLUB, "dm"] {
            comes(&linus, place, &imagine(&linus, place, "a frog --images 1").await, is_grid).await;
        }
        says(ada, rule.end.0, &rule.end.1).await;
    }
    // No way is refused for another reason.
    open.draws(&studio, (GUILD, rules.len())).await;
    says(ada, "draw set", &[("pause", json!(3600))]).await;
    let before = n_jobs(&studio, &linus, GUILD).await;
    let hundred = (0..100).map(|_| imagine(&linus, CHANNEL, "a frog --images 1"));
    let hundred = futures::future::join_all(hundred).await;
    for asked in &hundred {
        comes(&linus, CHANNEL, asked, |message| is_grid(message) || content(message).contains("You may draw again <t:")).await;
    }
    assert!(n_jobs(&studio, &linus, GUILD).await <= before + 1, "one of a hundred at most");
    studio.close().await;
}

async fn no_rule_of_all_places_is_got_round_by_private_ways(mode: Mode) {
    let studio = studio(mode).await;
    let (ada, linus) = (&studio.ada, studio.visitor("linus").await);
    let person = ("person", json!(LINUS.to_string()));
    let everywhere = ("everywhere", json!(true));
    let no = ("draw", json!(NO));
    let rules = [
        rule(
            ("draw set", vec![person.clone(), no.clone(), everywhere.clone()]),
            ("draw remove", vec![person, everywhere.clone()]),
            "You may not draw with me",
        ),
        rule(("owner drain", vec![]), ("owner open", vec![]), "I take no new jobs just now"),
        rule(
            ("draw set", vec![("most", json!(0.0001)), everywhere.clone()]),
            ("draw remove", vec![everywhere.clone()]),
            "one job of yours may take",
        ),
        Rule {
            concerns: DRAWN,
            ..rule(
                ("words block", vec![("word", json!("/[a-z]/")), everywhere.clone()]),
                ("words unblock", vec![("word", json!("/[a-z]/")), everywhere.clone()]),
                "may not be said in prompts",
            )
        },
    ];
    for place in ["dm", CLUB] {
        let open = open(&studio, &linus, (place, LINUS), None).await;
        for (round, rule) in rules.iter().enumerate() {
            says(ada, rule.set.0, &rule.set.1).await;
            open.are_refused(&studio, (LINUS, round), rule.says, rule.concerns).await;
            says(ada, rule.end.0, &rule.end.1).await;
        }
        open.draws(&studio, (LINUS, rules.len())).await;
    }
    studio.close().await;
}

async fn what_is_chosen_and_looked_at_works_for_persons_who_installed_the_bot(mode: Mode) {
    let studio = studio(mode).await;
    let linus = studio.visitor("linus").await;
    for place in [CLUB, "dm/Weekend plans"] {
        comes(&linus, place, &imagine(&linus, place, "a frog").await, is_grid).await;
        let filter = HistoryFilter { guild: GuildId(LINUS), user: None, channels: None };
        let job = studio.running.bot.app.jobs.history(filter, 0, 1).await.expect("readable").0[0].id.to_string();
        let name = |name: &str, value: &str| vec![("name", json!(name)), ("value", json!(value))];
        for (command, options, words) in [
            ("settings", vec![], "settings"),
            ("prefer option set", name("mine", "--ar 3:2"), "mine"),
            ("prefer option list", vec![], "mine"),
            ("prefer option remove", vec![("name", json!("mine"))], "mine"),
            ("prefer suffix", vec![], ""),
            ("private", vec![], ""),
            ("public", vec![], ""),
            ("fast", vec![], ""),
            ("relax", vec![], ""),
            ("queue", vec![], ""),
            ("model", vec![("name", json!("starter"))], "starter"),
            ("lora", vec![], "There are no LoRAs here."),
            ("style set", name("neon", "neon lights"), "neon lights"),
            ("style list", vec![], "neon"),
            ("style remove", vec![("name", json!("neon"))], "neon"),
            ("favourites", vec![], ""),
            ("history", vec![], "frog"),
            ("info", vec![], ""),
            ("quota", vec![], ""),
            ("privacy export", vec![], ""),
            ("show", vec![("job", json!(job))], "frog"),
            ("tree", vec![("job", json!(job))], ""),
            ("verify", vec![("job", json!(job))], "**Identical** to"),
        ] {
            let asked = linus.slash(place, command, &options).await.unwrap_or_else(|error| panic!("/{command} in {place}: {error}"));
            let said = comes(&linus, place, &asked, |message| {
                let is_under_way = ["-# Queued", "-# Loading", "-# Drawing"].iter().any(|words| content(message).contains(words));
                !content(message).is_empty() && !is_under_way
            })
            .await;
            let text = content(&said).to_lowercase();
            assert!(text.contains(&words.to_lowercase()), "/{command} in {place}: {}", content(&said));
            for refusal in ["something went wrong", "only in servers", "only people who may", "may not"] {
                assert!(!text.contains(refusal), "/{command} in {place}: {}", content(&said));
            }
        }
    }
    studio.close().await;
}
