//! The real program in a storm: people ask, press and press twice, Discord fails now and then, and the program is killed again and again. In the end
//! every promise was kept. How long and how wild it is can be chosen (docs/storm.md).

#[path = "storm/bot.rs"]
mod bot;
#[path = "storm/dice.rs"]
mod dice;
#[path = "storm/evidence.rs"]
mod evidence;
#[path = "storm/gates.rs"]
mod gates;
#[path = "storm/gates_tests.rs"]
mod gates_tests;
#[path = "storm/heard.rs"]
mod heard;
#[path = "storm/message.rs"]
mod message;
#[path = "storm/page.rs"]
mod page;
#[path = "storm/people.rs"]
mod people;
#[path = "storm/weather.rs"]
mod weather;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use atelier::{config::Config, models::Stock};
use inference::catalogue::Catalogue;
use sandbox::{GatewayConfig, OnViolation, Sandbox, SandboxConfig, Visitor};
use storage::Timestamp;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::support::{PATIENCE, front::Front};
use bot::{Bot, Home};
use dice::Dice;
use evidence::Evidence;
use heard::Heard;
use message::Message;
use page::Page;
use people::Person;
use weather::{Faults, Time, Weather};

/// Nobody is refused for want of quota, and nearly nobody for having asked much.
const CONFIG: &str = "[limits]\nmax_active_per_user = 12\ndaily_row_megapixels = 1000000\ndaily_row_megapixels_per_user = 0\n\
    max_looks_per_minute = 1000\n[engine]\npreview_every = 2\n";
/// One end in so many is an orderly one.
const ORDERLY: u64 = 7;
/// A life goes on for so many lines of the journal at most after the first acknowledgement.
const MAX_LINES: u64 = 80;
/// One life in so many ends that much sooner: between an acknowledgement and what it promised.
const SHORT: u64 = 4;
const FEW_LINES: u64 = 4;
/// The others bring something to its end, if they can within this.
const LONGEST_LIFE: Duration = Duration::from_secs(8);
/// On a busy machine everything takes longer: after a life that brought nothing to its end the next ones have so many times the time, and less again
/// after one that did.
const STRETCH: f32 = 1.5;
const EASE: f32 = 0.8;
/// Where nothing happens nobody waits longer for the next line.
const LULL: Duration = Duration::from_secs(1);
/// What the people were told last may still be on its way for so long.
const SETTLE: Duration = Duration::from_secs(30);

/// How wild it is.
struct Plan {
    n_kills: u32,
    seed: u64,
    weather: Weather,
    longest_life: Duration,
    /// Whether nobody is killed who works on a job that was interrupted twice before it got any further: no job is given up then.
    spares_suspects: bool,
}

impl Plan {
    /// As the environment has it; `None` where it says nothing: a storm takes minutes and the whole machine.
    fn chosen() -> Option<Self> {
        let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|error| panic!("{name}: {error}")));
        let word = |name: &str| std::env::var(name);
        let longest_life = number("ATELIER_STORM_LIFE_MS").map_or(LONGEST_LIFE, |ms: u32| Duration::from_millis(ms.into()));
        Some(Self {
            n_kills: number("ATELIER_STORM_KILLS")?,
            seed: number("ATELIER_STORM_SEED").unwrap_or(1).into(),
            weather: word("ATELIER_STORM_WEATHER").map_or(Weather::Faults, |name| Weather::named(&name)),
            longest_life,
            spares_suspects: word("ATELIER_STORM_SUSPECTS").is_ok_and(|word| word == "spared"),
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_promise_is_kept_in_a_storm() {
    let Some(plan) = Plan::chosen() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut storm = Storm::begin(&plan, folder.path()).await;
    let begun = Instant::now();
    storm.rage(&plan).await;
    let raged = begun.elapsed();
    let evidence = storm.end().await;
    let of_status = |status: &str| evidence.jobs.values().filter(|job| job.status == status).count();
    eprintln!(
        "storm: seed {}, {:?}, {} kills in {raged:.0?}, {:.0?} until all was over, {} asked, {} acknowledged; jobs: {} done, {} failed, {} cancelled",
        plan.seed,
        plan.weather,
        plan.n_kills,
        begun.elapsed() - raged,
        evidence.asked.len(),
        evidence.asked.values().filter(|asked| asked.acknowledged.is_some()).count(),
        of_status("done"),
        of_status("failed"),
        of_status("cancelled"),
    );
    let wrong = gates::verdict(&evidence);
    if !wrong.is_empty() {
        let kept = folder.keep();
        panic!("seed {}; what is left of it is in {}\n{}", plan.seed, kept.display(), wrong.join("\n"));
    }
}

/// Discord, the people, and the bot that is there just now.
struct Storm {
    sandbox: Sandbox,
    time: Time,
    front: Front,
    home: Home,
    /// What things cost.
    catalogue: Arc<Catalogue>,
    page: Page,
    visitors: Vec<Visitor>,
    heard: Arc<Heard>,
    listening: tokio::task::JoinHandle<()>,
    people: TaskTracker,
    is_over: CancellationToken,
    dice: Dice,
    bot: Bot,
    n_lives: u32,
    n_orderly: u32,
}

impl Storm {
    async fn begin(plan: &Plan, folder: &std::path::Path) -> Self {
        let mut dice = Dice(plan.seed);
        let time = Time::of(plan.weather);
        let gateway = GatewayConfig { identify_interval: Duration::ZERO, session_starts: u64::MAX, ..GatewayConfig::default() };
        let config = SandboxConfig {
            names: vec!["discord.com".to_owned()],
            data_dir: Some(folder.join("discord")),
            on_violation: OnViolation::Report,
            seed: plan.seed,
            gateway,
            ..SandboxConfig::default()
        };
        let sandbox = Sandbox::start_with_clock(config, time.clock.clone()).await.expect("the stand-in starts");
        let front = Front::open(sandbox.address()).await;
        let home = Home::furnish(folder, &front, CONFIG);
        let stock = Stock::open(&Config::parse(CONFIG).expect("a configuration"), Timestamp::now()).expect("the starter model");
        let catalogue = stock.offered().catalogue.clone();
        let page = Page::of(sandbox.url());
        let mut visitors = Vec::new();
        for name in ["ada", "grace", "linus"] {
            visitors.push(Visitor::connect(sandbox.url(), name).await.expect("they enter"));
        }
        let (heard, listening) = Heard::listen(page.clone(), visitors[0].clone());
        let bot = Bot::start(&home, &front);
        visitors[0].wait_for_command("imagine", PATIENCE).await.expect("the bot comes");
        let (people, is_over) = (TaskTracker::new(), CancellationToken::new());
        for visitor in &visitors {
            let (visitor, dice, heard, is_over) = (visitor.clone(), dice.split(), Arc::clone(&heard), is_over.clone());
            people.spawn(Person { visitor, dice, heard, is_over }.live());
        }
        Self {
            sandbox,
            time,
            front,
            home,
            catalogue,
            page,
            visitors,
            heard,
            listening,
            people,
            is_over,
            dice,
            bot,
            n_lives: 1,
            n_orderly: 0,
        }
    }

    /// Kills the bot so often, each time after it acknowledged something.
    async fn rage(&mut self, plan: &Plan) {
        let (mut n_killed, mut longest) = (0, plan.longest_life);
        while n_killed < plan.n_kills {
            let faults = Faults::begin(plan.weather, &self.sandbox, &mut self.dice);
            let n_endings = self.heard.n_endings();
            self.wait_for_an_acknowledgement().await;
            let is_short = self.dice.once_in(SHORT);
            if !is_short {
                let has_ended = self.wait_for_an_ending(n_endings, longest).await;
                longest = if has_ended { longest.mul_f32(EASE).max(plan.longest_life) } else { longest.mul_f32(STRETCH).min(LONGEST_LIFE) };
            }
            if plan.spares_suspects {
                self.wait_for_suspects().await;
            }
            let n_lines = self.dice.below(if is_short { FEW_LINES } else { MAX_LINES });
            self.heard.more(n_lines, LULL).await;
            let is_orderly = self.dice.once_in(ORDERLY);
            if is_orderly {
                self.bot.end().await;
                self.n_orderly += 1;
            } else {
                self.bot.kill().await;
                n_killed += 1;
            }
            faults.end(&self.sandbox);
            self.time.pass(&mut self.dice);
            self.bot = Bot::start(&self.home, &self.front);
            self.n_lives += 1;
        }
    }

    async fn wait_for_an_acknowledgement(&mut self) {
        let (before, begun) = (self.heard.n_acknowledged(), Instant::now());
        while self.heard.n_acknowledged() == before {
            self.bot.check();
            assert!(begun.elapsed() < PATIENCE, "the bot acknowledges nothing");
            self.heard.more(1, LULL).await;
        }
    }

    /// Whether there was one.
    async fn wait_for_an_ending(&mut self, before: u64, longest: Duration) -> bool {
        let begun = Instant::now();
        while self.heard.n_endings() == before && begun.elapsed() < longest {
            self.bot.check();
            self.heard.more(1, LULL).await;
        }
        self.heard.n_endings() > before
    }

    /// Until no job is under its third attempt, or would be with the next claim.
    async fn wait_for_suspects(&mut self) {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE && evidence::has_suspect(&self.home.data()).await {
            self.bot.check();
            self.heard.more(1, LULL).await;
        }
    }

    /// Nobody asks any more, and the bot has its time.
    async fn end(mut self) -> Evidence {
        self.is_over.cancel();
        self.people.close();
        self.people.wait().await;
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE && !gates::left_over(&self.recorded().await).is_empty() {
            self.bot.check();
            self.heard.more(1, LULL).await;
        }
        let begun = Instant::now();
        while begun.elapsed() < SETTLE && !gates::verdict(&self.evidence().await).is_empty() {
            self.heard.more(1, LULL).await;
        }
        let evidence = self.evidence().await;
        self.bot.end().await;
        self.listening.abort();
        self.sandbox.shutdown().await;
        evidence
    }

    /// What stands in the bot's database.
    async fn recorded(&self) -> Evidence {
        let (jobs, n_received) = evidence::jobs(&self.home.data()).await;
        Evidence { jobs, n_received, n_lives: self.n_lives, n_orderly: self.n_orderly, ..Evidence::default() }
    }

    /// All that there is.
    async fn evidence(&self) -> Evidence {
        let mut evidence = self.recorded().await;
        evidence::look_at_pictures(&mut evidence.jobs, &self.home.data());
        evidence::reckon(&mut evidence.jobs, &self.catalogue);
        for visitor in &self.visitors {
            let (channel, direct) = heard::channel(&self.page, visitor.user_id()).await;
            for channel in [channel, direct] {
                let messages = self.page.messages(visitor.user_id(), &channel).await;
                let messages = messages.iter().filter_map(Message::read);
                evidence.messages.extend(messages.map(|message| (message.id, message)));
            }
        }
        evidence.asked = self.heard.asked();
        let violations = self.sandbox.violations();
        evidence.violations =
            violations.iter().map(|one| format!("{} {} {}: {}", one.direction, one.method, one.path, one.message)).collect();
        evidence
    }
}
