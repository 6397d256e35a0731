//! The start and the way to Discord: what goes wrong there is waited for and told in a sentence, or ends the program with one.

use std::{path::Path, sync::Arc, time::Duration};

use atelier::{
    config::Config,
    discord::{Access, Endpoint},
    start,
};
use futures::FutureExt;
use sandbox::{Clock, Fault, FaultKind, ManualClock, Sandbox, SandboxConfig, Visitor};
use tempfile::TempDir;
use tokio::sync::watch;

use crate::support::{PATIENCE, relay::Relay};

/// What the bot asks of Discord before it is at work.
const CALLS: [&str; 3] = ["GET /users/@me", "GET /gateway", "PUT /applications/*/commands"];

/// How a call can go wrong, each as often as it takes to be noticed twice.
fn faults(route: &str) -> Vec<Fault> {
    let of = |kind: FaultKind| Fault { count: Some(2), route: Some(route.to_owned()), ..Fault::new(kind) };
    let status = |status: u16| Fault { status: Some(status), ..of(FaultKind::ServerError) };
    vec![
        Fault { ms: Some(40_000), ..of(FaultKind::RateLimit) },
        Fault { ms: Some(20), ..of(FaultKind::RateLimit) },
        status(500),
        status(502),
        status(503),
        of(FaultKind::Reset),
        of(FaultKind::LostAnswer),
        // Slow is not wrong.
        Fault { ms: Some(3000), count: Some(1), ..of(FaultKind::SlowBody) },
        Fault { ms: Some(3000), count: Some(1), ..of(FaultKind::Latency) },
    ]
}

/// A stand-in and a clock for it and for bots.
struct Place {
    stand_in: Sandbox,
    ada: Visitor,
    clock: ManualClock,
}

impl Place {
    /// `public_url` is where it is found if not where it listens.
    async fn open(public_url: Option<String>) -> Self {
        let clock = ManualClock::new();
        let config = SandboxConfig { public_url, ..SandboxConfig::default() };
        let stand_in = Sandbox::start_with_clock(config, Clock::Manual(clock.clone())).await.expect("the stand-in starts");
        let ada = Visitor::connect(&format!("http://{}", stand_in.address()), "ada").await.expect("ada enters");
        Self { stand_in, ada, clock }
    }

    fn access(&self) -> Access {
        Access { token: self.stand_in.token().to_owned(), endpoint: Endpoint::StandIn(self.stand_in.url().to_owned()) }
    }

    async fn start(&self, folder: &Path) -> anyhow::Result<start::Running> {
        let clock = Clock::Manual(self.clock.clone()).into();
        start::when_possible(config(folder), self.access(), clock, Duration::from_millis(20)).await
    }

    /// Moves the clock on while something is waited for; each second takes a question to the stand-in.
    async fn pass<T>(&self, wanted: impl Future<Output = T>) -> T {
        let moving = async {
            loop {
                self.ada.seq().await.expect("the stand-in answers");
                self.clock.advance(Duration::from_secs(1));
            }
        };
        tokio::select! {
            came = tokio::time::timeout(PATIENCE, wanted) => came.expect("it comes"),
            () = moving => unreachable!("it moves for ever"),
        }
    }
}

fn config(folder: &Path) -> Config {
    let mut config = Config::default();
    config.data.dir = folder.to_owned();
    config
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// Every sentence of a link, as they come.
fn collected(mut sentences: watch::Receiver<String>) -> Arc<std::sync::Mutex<Vec<String>>> {
    let all: Arc<std::sync::Mutex<Vec<String>>> = Arc::default();
    let kept = all.clone();
    tokio::spawn(async move {
        while sentences.changed().await.is_ok() {
            kept.lock().expect("unpoisoned").push(sentences.borrow_and_update().clone());
        }
    });
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_outlives_every_fault_of_every_call() {
    let place = Place::open(None).await;
    for route in CALLS {
        for fault in faults(route) {
            let kind = format!("{route}: {fault:?}");
            let id = place.stand_in.fault(fault).expect("a fault");
            let folder = folder();
            let bot = place.start(folder.path()).await.expect(&kind);
            place.pass(bot.ready()).await;
            assert!(*bot.app.is_registered.borrow() && !bot.app.shutdown.is_cancelled(), "{kind}");
            assert!(!place.stand_in.end_fault(id), "{kind} was met");
            bot.stop().await.expect(&kind);
        }
    }
    place.stand_in.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_answer_of_discord_is_waited_for() {
    // A log-in page of a network between, a proxy's page, other JSON, half an answer, nonsense, nothing.
    let answers: [&[u8]; 7] = [
        b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 15\r\n\r\n<html>Log in</h",
        b"HTTP/1.1 302 Found\r\nlocation: http://192.0.2.1/login\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 403 Forbidden\r\ncontent-type: text/html\r\ncontent-length: 4\r\n\r\nno\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{\"idd\": 7}",
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{",
        b"garbage\r\n\r\n",
        b"",
    ];
    for call in ["GET /api/v10/users/@me ", "GET /api/v10/gateway ", "PUT /api/v10/applications/"] {
        for answer in answers {
            let kind = format!("{call}{:?}", String::from_utf8_lossy(answer));
            let relay = Relay::bind().await;
            let url = relay.url();
            let place = Place::open(Some(url.clone())).await;
            let left = relay.serve(place.stand_in.address(), call, answer, 2);
            let folder = folder();
            let access = Access { token: place.stand_in.token().to_owned(), endpoint: Endpoint::StandIn(url) };
            let clock = Clock::Manual(place.clock.clone()).into();
            let bot = start::start(config(folder.path()), access, clock, Duration::from_millis(20)).await.expect(&kind);
            place.pass(bot.ready()).await;
            assert!(*bot.app.is_registered.borrow() && !bot.app.shutdown.is_cancelled(), "{kind}");
            assert_eq!(left.load(std::sync::atomic::Ordering::SeqCst), 0, "{kind}");
            bot.stop().await.expect(&kind);
            place.stand_in.shutdown().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_told_in_one_sentence_and_its_end_in_another() {
    let place = Place::open(None).await;
    let folder = folder();
    let bot = place.start(folder.path()).await.expect("it starts");
    place.pass(bot.ready()).await;
    let sentences = collected(bot.app.link.sentences());
    let (address, clock) = (place.stand_in.address(), place.clock.clone());
    place.stand_in.shutdown().await;
    let mut told = bot.app.link.sentences();
    // Nobody answers now, so the bot's own wait for its gateway is the only thing to go by.
    let away = async {
        while !told.borrow_and_update().starts_with("I cannot reach") {
            clock.advance(Duration::from_millis(100));
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, away).await.expect("it is noticed");
    for _ in 0..1000 {
        clock.advance(Duration::from_secs(1));
        tokio::task::yield_now().await;
    }
    let again = SandboxConfig { listen: address, ..SandboxConfig::default() };
    let stand_in = Sandbox::start_with_clock(again, Clock::Manual(clock.clone())).await.expect("it is back");
    let ada = Visitor::connect(stand_in.url(), "ada").await.expect("ada enters");
    let back = Place { stand_in, ada, clock };
    let is_back = |said: &String| said.starts_with("I reach");
    let told_all = async {
        while !sentences.lock().expect("unpoisoned").iter().any(is_back) {
            back.ada.seq().await.expect("the stand-in answers");
        }
    };
    back.pass(told_all).await;
    let mut said = sentences.lock().expect("unpoisoned").clone();
    said.truncate(said.iter().position(is_back).map_or(0, |place| place + 1));
    let place = format!("the stand-in at http://{address}");
    let expected = format!("I cannot reach {place} (the connection is refused); trying again in 5 s, later less often.");
    assert_eq!(said.first(), Some(&expected));
    assert_eq!(said.last(), Some(&format!("I reach {place} again.")));
    // Between them at most that it answers, but the gateway has not let the bot in yet: the clock runs far ahead of the library's.
    assert!(said.len() <= 3, "{said:?}");
    bot.stop().await.expect("an orderly end");
    back.stand_in.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_waiting_mends_ends_the_bot_and_says_what_to_do() {
    for (code, expected) in
        [(4004, "copy it again from the application's Bot page"), (4014, "refused the bot's intents"), (4013, "refused the bot's intents")]
    {
        let place = Place::open(None).await;
        let folder = folder();
        let bot = place.start(folder.path()).await.expect("it starts");
        place.pass(bot.ready()).await;
        place.stand_in.gateway().close(code);
        tokio::time::timeout(PATIENCE, bot.app.shutdown.cancelled()).await.expect("it ends");
        let error = atelier::cli::sentence(&bot.stop().await.expect_err("it says why"));
        assert!(error.contains(expected), "{code}: {error}");
        place.stand_in.shutdown().await;
    }
    let place = Place::open(None).await;
    let folder = folder();
    place.stand_in.gateway().revoke_token();
    let bot = place.start(folder.path()).await.expect("it starts");
    place.pass(bot.ready()).await;
    let error = atelier::cli::sentence(&bot.stop().await.expect_err("it says why"));
    assert!(error.contains("Discord refused the token; copy it again"), "{error}");
    place.stand_in.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_the_way_on_this_machine_is_waited_for_while_it_may_pass() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::open(None).await;
    let allow = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("it is ours");

    let in_use = folder();
    let other = storage::SqliteStore::open(&in_use.path().join("atelier.sqlite")).await.expect("a database");
    let mut starting = Box::pin(place.start(in_use.path()));
    place.pass(tries(&place, &mut starting)).await;
    drop(other);
    let bot = place.pass(starting).await.expect("the database is free");
    place.pass(bot.ready()).await;
    bot.stop().await.expect("an orderly end");

    let read_only = folder();
    let data = read_only.path().join("data");
    std::fs::create_dir(&data).expect("a folder");
    allow(&data, 0o500);
    let mut starting = Box::pin(place.start(&data));
    place.pass(tries(&place, &mut starting)).await;
    allow(&data, 0o700);
    let bot = place.pass(starting).await.expect("the folder is writable");
    bot.stop().await.expect("an orderly end");

    // A file in its place stays one, however long we wait.
    let blocked = folder();
    std::fs::write(blocked.path().join("data"), "x").expect("a file");
    let error = place.pass(place.start(&blocked.path().join("data"))).await.err().expect("at once");
    assert!(atelier::cli::sentence(&error).contains("cannot make the data folder"), "{error:#}");
    place.stand_in.shutdown().await;
}

/// Lets a start try for ten minutes of the clock; it must not end.
async fn tries<T>(place: &Place, starting: &mut (impl Future<Output = anyhow::Result<T>> + Unpin)) {
    let until = Clock::Manual(place.clock.clone()).now_ms() + 600_000;
    while Clock::Manual(place.clock.clone()).now_ms() < until {
        assert!((&mut *starting).now_or_never().is_none(), "it goes on trying");
        tokio::task::yield_now().await;
    }
}
