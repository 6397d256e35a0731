//! Whoever is promised an answer gets one: when the promise's own answer is lost, when the process dies right after it, and when a refusal
//! does not get through at once.

use std::{
    collections::HashSet,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::support::{front::Front, *};
use sandbox::{Fault, FaultKind, GatewayConfig, InteractionId, Sandbox, SandboxConfig, Visitor};
use serde_json::Value;
use tempfile::TempDir;

in_both_modes! {
    a_promise_whose_answer_is_lost_is_kept_in_its_own_message,
    what_was_promised_before_a_kill_is_drawn_late_or_explained,
    what_was_to_be_drawn_from_a_picture_before_a_kill_is_drawn_from_it_late,
    everybody_who_was_promised_something_around_an_orderly_end_has_pictures_or_a_word,
    the_message_of_a_job_is_known_before_anything_is_shown_in_it,
    a_refusal_whose_words_are_blocked_is_told_without_them,
    a_refusal_is_never_public_and_is_said_however_often_discord_fails,
}

const CALLBACK: &str = "POST /interactions";
const LIMITS: &str = "[limits]\nmax_active_per_user = 100\n";
/// One small picture.
const SMALL: &str = "a frog --images 1 --steps 1";

fn once(kind: FaultKind, route: &str) -> Fault {
    Fault { count: Some(1), route: Some(route.to_owned()), ..Fault::new(kind) }
}

fn is_waiting(message: &Value) -> bool {
    message["flags"].as_u64().unwrap_or_default() & 128 != 0
}

async fn waiting(ada: &Visitor) -> Value {
    let found = ada.wait_for(CHANNEL, PATIENCE, |messages| messages.iter().find(|message| is_waiting(message)).cloned()).await;
    found.expect("a message waits for its answer")
}

/// Waits until all that everybody sees are so many grids.
async fn grids_alone(visitor: &Visitor, n: usize) {
    let are_all = |messages: &[Value]| (messages.len() == n && messages.iter().all(is_grid)).then_some(());
    visitor.wait_for(CHANNEL, PATIENCE, are_all).await.expect("nothing waits beside the pictures");
}

async fn a_promise_whose_answer_is_lost_is_kept_in_its_own_message(mode: Mode) {
    let studio = Studio::open(mode, |_| {}).await;
    let (ada, grace) = (&studio.ada, studio.visitor("grace").await);
    ada.slash(CHANNEL, "imagine", &prompt(SMALL)).await.expect("sent");
    let grid = nth_grid(ada, 1).await;
    let faults = [
        once(FaultKind::LostAnswer, CALLBACK),
        once(FaultKind::Reset, CALLBACK),
        Fault { status: Some(503), ..once(FaultKind::ServerError, CALLBACK) },
        Fault { ms: Some(50), ..once(FaultKind::RateLimit, CALLBACK) },
        // Longer than an interaction waits: it was promised, and its message is asked for afterwards.
        Fault { ms: Some(60_000), ..once(FaultKind::SlowBody, CALLBACK) },
    ];
    let mut n_promised = 1;
    for fault in faults {
        let (kind, before) = (fault.kind, ada.seq().await.expect("readable"));
        studio.running.stand_in.fault(fault.clone()).expect("a fault");
        let drawn = ada.slash(CHANNEL, "imagine", &prompt(SMALL)).await.expect("sent");
        let first = n_acknowledged(ada, before, &[drawn]).await;
        studio.running.stand_in.fault(fault).expect("a fault");
        let pressed = ada.press(id(&grid), "🔄").await.expect("sent");
        let second = n_acknowledged(ada, before, &[pressed]).await;
        // What is tried again on a machine that is busy may be too late to be promised.
        let is_surely_promised = matches!(kind, FaultKind::LostAnswer | FaultKind::SlowBody);
        assert!(!is_surely_promised || first + second == 2, "{kind:?}");
        n_promised += first + second;
        let is_answered = |message: &&Value| is_grid(message) || content(message).contains("I was interrupted");
        let are_all = |messages: &[Value]| {
            let n_answered = messages.iter().filter(is_answered).count();
            (n_answered == n_promised && n_answered == messages.len()).then_some(())
        };
        ada.wait_for(CHANNEL, PATIENCE, are_all).await.unwrap_or_else(|error| panic!("{kind:?}: {error}"));
    }
    let seen = grace.messages(CHANNEL).await.expect("readable");
    assert!(seen.len() > 3 && seen.iter().all(is_grid), "all see pictures alone: {seen:#?}");
    let app = &studio.running.bot.app;
    let is_empty = async {
        while !app.jobs.received(9).await.expect("readable").is_empty() {
            pause().await;
        }
    };
    tokio::time::timeout(PATIENCE, is_empty).await.expect("nothing is left to answer");
    studio.close().await;
}

/// The bot as a process of its own, beside a stand-in that outlives it.
struct Bot(Child);

impl Bot {
    fn start(front: Option<&Front>, stand_in: &Sandbox, folder: &Path) -> Self {
        let mut command = match front {
            Some(front) => {
                std::fs::write(folder.join("root.der"), front.root_der()).expect("writable");
                std::fs::write(folder.join("atelier.toml"), LIMITS).expect("writable");
                let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
                command.args(["--exact", "restart::the_bot_as_a_process_of_its_own", "--nocapture"]);
                command.env("ATELIER_TEST_FRONT", front.way().address.to_string()).env("ATELIER_TEST_FOLDER", folder);
                command
            }
            None => {
                let config = format!("[discord]\napi_url = \"{}\"\n[data]\ndir = {:?}\n{LIMITS}", stand_in.url(), folder.join("data"));
                std::fs::write(folder.join("atelier.toml"), config).expect("writable");
                let mut command = Command::new(env!("CARGO_BIN_EXE_atelier"));
                command.arg("--config").arg(folder.join("atelier.toml")).arg("run").env("DISCORD_TOKEN", stand_in.token());
                command
            }
        };
        let child = command.current_dir(std::env::temp_dir()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Self(child.expect("the program starts"))
    }

    /// SIGTERM: asks for an orderly end.
    fn terminate(&self) {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it is running");
    }

    /// SIGKILL: nothing of the program runs after this.
    fn kill(mut self) {
        self.0.kill().expect("it is running");
        self.0.wait().expect("it ends");
    }
}

/// A stand-in that outlives the bot.
struct Place {
    stand_in: Sandbox,
    front: Option<Front>,
    folder: TempDir,
    ada: Visitor,
    grace: Visitor,
}

impl Place {
    async fn open(mode: Mode) -> Self {
        let names = front::NAMES.map(str::to_owned).to_vec();
        let files_url = (mode == Mode::Production).then(|| "https://cdn.discordapp.com".to_owned());
        // The bot is started again within seconds.
        let gateway = GatewayConfig { identify_interval: Duration::ZERO, ..GatewayConfig::default() };
        let stand_in =
            Sandbox::start(SandboxConfig { names, files_url, gateway, ..SandboxConfig::default() }).await.expect("the stand-in starts");
        let front = match mode {
            Mode::Plain => None,
            Mode::Production => Some(Front::open(stand_in.address()).await),
        };
        let ada = Visitor::connect(stand_in.url(), "ada").await.expect("ada enters");
        let grace = Visitor::connect(stand_in.url(), "grace").await.expect("grace enters");
        Self { stand_in, front, folder: tempfile::tempdir().expect("a temporary folder"), ada, grace }
    }

    fn start(&self) -> Bot {
        Bot::start(self.front.as_ref(), &self.stand_in, self.folder.path())
    }

    /// The next promise is made, and the bot does not hear of it before its end.
    fn silence_the_next_promise(&self) {
        self.stand_in.fault(Fault { ms: Some(60_000), ..once(FaultKind::SlowBody, CALLBACK) }).expect("a fault");
    }
}

async fn what_was_promised_before_a_kill_is_drawn_late_or_explained(mode: Mode) {
    let place = Place::open(mode).await;
    let (ada, grace) = (&place.ada, &place.grace);
    let bot = place.start();
    ada.wait_for_command("imagine", PATIENCE).await.expect("registered");
    place.silence_the_next_promise();
    ada.slash(CHANNEL, "imagine", &prompt(SMALL)).await.expect("sent");
    let thinking = waiting(ada).await;
    bot.kill();

    let bot = place.start();
    let grid = nth_grid(ada, 1).await;
    assert_eq!(id(&grid), id(&thinking), "drawn late, where it was promised");
    grids_alone(grace, 1).await;
    place.silence_the_next_promise();
    ada.press(id(&grid), "🔄").await.expect("sent");
    waiting(ada).await;
    bot.kill();

    let bot = place.start();
    told(ada, "I was interrupted").await;
    grids_alone(grace, 1).await;
    bot.kill();
    place.stand_in.shutdown().await;
}

async fn what_was_to_be_drawn_from_a_picture_before_a_kill_is_drawn_from_it_late(mode: Mode) {
    let place = Place::open(mode).await;
    let ada = &place.ada;
    let bot = place.start();
    ada.wait_for_command("imagine", PATIENCE).await.expect("registered");
    place.silence_the_next_promise();
    let mut file = std::io::Cursor::new(Vec::new());
    image::RgbImage::from_pixel(90, 60, image::Rgb([200, 30, 20])).write_to(&mut file, image::ImageFormat::Png).expect("a PNG file");
    let picture = Visitor::file("mine.png", "image/png", file.get_ref());
    ada.slash(CHANNEL, "imagine", &[("prompt", SMALL.into()), ("image", picture)]).await.expect("sent");
    waiting(ada).await;
    bot.kill();

    let bot = place.start();
    let grid = nth_grid(ada, 1).await;
    assert!(content(&grid).starts_with("**a frog** · from a picture `--ar 3:2"), "{}", content(&grid));
    bot.kill();
    place.stand_in.shutdown().await;
}

async fn everybody_who_was_promised_something_around_an_orderly_end_has_pictures_or_a_word(mode: Mode) {
    const N_ASKED: usize = 24;
    let place = Place::open(mode).await;
    let (ada, grace) = (&place.ada, &place.grace);
    let mut bot = place.start();
    ada.wait_for_command("imagine", PATIENCE).await.expect("registered");
    let before = ada.seq().await.expect("readable");
    // Some before the signal, some after it, some at the same moment.
    let mut asked = tokio::task::JoinSet::new();
    for n in 0..N_ASKED {
        let asking = ada.clone();
        asked.spawn(async move { asking.slash(CHANNEL, "imagine", &prompt(&format!("{SMALL} --seed {n}"))).await.expect("sent") });
        if n == N_ASKED / 3 {
            ada.wait_for(CHANNEL, PATIENCE, |messages| (!messages.is_empty()).then_some(())).await.expect("it has begun");
            bot.terminate();
        }
    }
    let n_promised = n_acknowledged(ada, before, &asked.join_all().await).await;
    assert!(n_promised > 0, "the first waited before the signal");
    assert_eq!(bot.0.wait().expect("it ends").code(), Some(0), "an orderly end");

    let bot = place.start();
    let is_answered = |message: &&Value| is_grid(message) || content(message).contains("about to stop");
    let are_all = |messages: &[Value]| {
        let n_answered = messages.iter().filter(is_answered).count();
        (n_answered == n_promised && n_answered == messages.len()).then_some(())
    };
    ada.wait_for(CHANNEL, PATIENCE, are_all).await.expect("each has pictures or a word, and nothing waits for ever");
    let seen = grace.messages(CHANNEL).await.expect("readable");
    assert!(seen.iter().all(is_grid), "{seen:#?}");
    bot.kill();
    place.stand_in.shutdown().await;
}

/// How many of these interactions were acknowledged, once all were or failed for the person.
async fn n_acknowledged(visitor: &Visitor, since: u64, asked: &[InteractionId]) -> usize {
    let (mut acknowledged, mut failed) = (HashSet::new(), HashSet::new());
    let are_known = |kind: &str, data: &Value| {
        let id = InteractionId(data["interaction"].as_str().unwrap_or_default().to_owned());
        match kind {
            "interaction_acknowledged" if asked.contains(&id) => acknowledged.insert(id),
            "interaction_failed" if asked.contains(&id) => failed.insert(id),
            _ => false,
        };
        (acknowledged.len() + failed.len() == asked.len()).then_some(acknowledged.len())
    };
    visitor.wait_for_event(since, PATIENCE, are_known).await.expect("all are known")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_at_once() {
    let place = Place::open(Mode::Plain).await;
    let mut bot = place.start();
    place.ada.wait_for_command("imagine", PATIENCE).await.expect("registered");
    // An answer on its way that nobody takes holds up the orderly end.
    let never = Fault { ms: Some(600_000), route: Some("PATCH /webhooks".into()), ..Fault::new(FaultKind::Latency) };
    place.stand_in.fault(never).expect("a fault");
    let before = place.ada.seq().await.expect("readable");
    let asked = place.ada.slash(CHANNEL, "history", &[]).await.expect("sent");
    assert_eq!(n_acknowledged(&place.ada, before, &[asked]).await, 1);
    bot.terminate();
    // It has heard the first signal when it does not promise anything more.
    let is_ending = async {
        let stopping = |messages: &[Value]| messages.iter().any(|message| content(message).contains("about to stop")).then_some(());
        loop {
            let seen = place.ada.messages(CHANNEL).await.expect("readable");
            if stopping(&seen).is_some() {
                return;
            }
            place.ada.slash(CHANNEL, "imagine", &prompt(SMALL)).await.expect("sent");
            pause().await;
        }
    };
    tokio::time::timeout(PATIENCE, is_ending).await.expect("it hears the first signal");
    bot.terminate();
    assert_eq!(bot.0.wait().expect("it ends").code(), Some(130), "not after what it waits for");
    place.stand_in.shutdown().await;
}

async fn a_refusal_is_never_public_and_is_said_however_often_discord_fails(mode: Mode) {
    let studio = Studio::open(mode, |config| config.limits.daily_row_megapixels = 0.000_1).await;
    let (ada, grace) = (&studio.ada, studio.visitor("grace").await);
    let before = grace.seq().await.expect("readable");
    let fails = |route: &str| Fault { count: Some(5), status: Some(503), ..once(FaultKind::ServerError, route) };
    for (n, route) in (1..).zip(["DELETE /webhooks", "POST /webhooks"]) {
        studio.running.stand_in.fault(fails(route)).expect("a fault");
        ada.slash(CHANNEL, "imagine", &prompt(SMALL)).await.expect("sent");
        let refused = |messages: &[Value]| {
            let mut refused = messages.iter().filter(|message| content(message).contains("is left here for today"));
            refused.nth(n - 1).filter(|_| !messages.iter().any(is_waiting)).cloned()
        };
        let refused = ada.wait_for(CHANNEL, PATIENCE, refused).await.expect("it is said, and what was promised is taken back");
        assert_eq!(refused["flags"].as_u64().unwrap_or_default() & 64, 64, "to the caller alone: {refused}");
        assert_eq!(buttons(&refused), [["Remix"]], "what was typed is not lost");
        assert_eq!(grace.messages(CHANNEL).await.expect("readable"), Vec::<Value>::new(), "nothing is left where all see it");
    }
    let (_, events) = grace.events(before, Duration::ZERO).await.expect("readable");
    assert!(!events.iter().any(|event| event.to_string().contains("is left here for today")), "nobody else ever read it: {events:?}");
    studio.close().await;
}

async fn the_message_of_a_job_is_known_before_anything_is_shown_in_it(mode: Mode) {
    let studio = Studio::open(mode, |_| {}).await;
    let (ada, app) = (&studio.ada, &studio.running.bot.app);
    // The first edit of each is held back, and with it whatever else would tell of the message.
    let held = Fault { count: Some(2), ms: Some(3000), ..once(FaultKind::Latency, "PATCH /webhooks") };
    studio.running.stand_in.fault(held).expect("a fault");
    let known = async || {
        let find = async {
            loop {
                if let Some(live) = app.board.live.iter().next() {
                    return live.delivery.message.map(|message| message.to_string());
                }
                pause().await;
            }
        };
        tokio::time::timeout(PATIENCE, find).await.expect("a job is there")
    };
    ada.slash(CHANNEL, "imagine", &prompt("a frog --images 1 --steps 30")).await.expect("sent");
    let first = known().await;
    let grid = nth_grid(ada, 1).await;
    assert_eq!(first.as_deref(), Some(id(&grid)));
    while !app.board.live.is_empty() {
        pause().await;
    }
    ada.press(id(&grid), "🔄").await.expect("sent");
    let second = known().await;
    assert_eq!(second.as_deref(), Some(id(&nth_grid(ada, 2).await)));
    studio.close().await;
}

async fn a_refusal_whose_words_are_blocked_is_told_without_them(mode: Mode) {
    let studio = Studio::open(mode, |_| {}).await;
    let ada = &studio.ada;
    studio.running.stand_in.fault(Fault { word: Some("frgo".into()), ..Fault::new(FaultKind::Automod) }).expect("a fault");
    ada.slash(CHANNEL, "imagine", &prompt("a frog --model frgo")).await.expect("sent");
    let said = told(ada, "quotes what you typed").await;
    assert_eq!(buttons(&said), [["Remix"]], "what was typed is not lost");
    studio.close().await;
}
