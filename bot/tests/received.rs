//! Whoever is promised an answer gets one: when the promise's own answer is lost, when the process dies right after it, and when a refusal
//! does not get through at once.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::support::{front::Front, *};
use sandbox::{Fault, FaultKind, Sandbox, SandboxConfig, Visitor};
use serde_json::Value;

in_both_modes! {
    a_promise_whose_answer_is_lost_is_kept_in_its_own_message,
    what_was_promised_before_a_kill_is_drawn_late_or_explained,
    a_refusal_is_never_public_and_is_said_however_often_discord_fails,
}

const CALLBACK: &str = "POST /interactions";
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
    let faults = [
        once(FaultKind::LostAnswer, CALLBACK),
        once(FaultKind::Reset, CALLBACK),
        Fault { status: Some(503), ..once(FaultKind::ServerError, CALLBACK) },
        Fault { ms: Some(50), ..once(FaultKind::RateLimit, CALLBACK) },
        // Longer than an interaction waits: it was promised, and its message is asked for afterwards.
        Fault { ms: Some(60_000), ..once(FaultKind::SlowBody, CALLBACK) },
    ];
    for (n, fault) in faults.into_iter().enumerate() {
        let kind = fault.kind;
        studio.running.stand_in.fault(fault.clone()).expect("a fault");
        ada.slash(CHANNEL, "imagine", &prompt(SMALL)).await.expect("sent");
        let grid = nth_grid(ada, 2 * n + 1).await;
        studio.running.stand_in.fault(fault).expect("a fault");
        ada.press(id(&grid), "🔄").await.expect("sent");
        if kind == FaultKind::SlowBody {
            told(ada, "I was interrupted").await;
            grids_alone(&grace, 2 * n + 1).await;
        } else {
            nth_grid(ada, 2 * n + 2).await;
            grids_alone(&grace, 2 * n + 2).await;
        }
    }
    let app = &studio.running.bot.app;
    app.receiving.handlers.close();
    app.receiving.handlers.wait().await;
    assert_eq!(app.jobs.received(9).await.expect("readable"), [], "nothing is left to answer");
    studio.close().await;
}

/// The bot as a process of its own, beside a stand-in that outlives it.
struct Bot(Child);

impl Bot {
    fn start(front: Option<&Front>, stand_in: &Sandbox, folder: &Path) -> Self {
        let mut command = match front {
            Some(front) => {
                std::fs::write(folder.join("root.der"), front.root_der()).expect("writable");
                std::fs::write(folder.join("atelier.toml"), "").expect("writable");
                let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
                command.args(["--exact", "restart::the_bot_as_a_process_of_its_own", "--nocapture"]);
                command.env("ATELIER_TEST_FRONT", front.way().address.to_string()).env("ATELIER_TEST_FOLDER", folder);
                command
            }
            None => {
                let config = format!("[discord]\napi_url = \"{}\"\n[data]\ndir = {:?}", stand_in.url(), folder.join("data"));
                std::fs::write(folder.join("atelier.toml"), config).expect("writable");
                let mut command = Command::new(env!("CARGO_BIN_EXE_atelier"));
                command.arg("--config").arg(folder.join("atelier.toml")).arg("run").env("DISCORD_TOKEN", stand_in.token());
                command
            }
        };
        let child = command.current_dir(std::env::temp_dir()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Self(child.expect("the program starts"))
    }

    /// SIGKILL: nothing of the program runs after this.
    fn kill(mut self) {
        self.0.kill().expect("it is running");
        self.0.wait().expect("it ends");
    }
}

async fn what_was_promised_before_a_kill_is_drawn_late_or_explained(mode: Mode) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let names = vec!["discord.com".to_owned()];
    let stand_in = Sandbox::start(SandboxConfig { names, ..SandboxConfig::default() }).await.expect("the stand-in starts");
    let front = match mode {
        Mode::Plain => None,
        Mode::Production => Some(Front::open(stand_in.address()).await),
    };
    let start = || Bot::start(front.as_ref(), &stand_in, folder.path());
    let ada = Visitor::connect(stand_in.url(), "ada").await.expect("ada enters");
    let grace = Visitor::connect(stand_in.url(), "grace").await.expect("grace enters");
    // The promise is made, and the bot does not hear of it before its end.
    let promised = || stand_in.fault(Fault { ms: Some(60_000), ..once(FaultKind::SlowBody, CALLBACK) }).expect("a fault");

    let bot = start();
    ada.wait_for_command("imagine", PATIENCE).await.expect("registered");
    promised();
    ada.slash(CHANNEL, "imagine", &prompt(SMALL)).await.expect("sent");
    let thinking = waiting(&ada).await;
    bot.kill();

    let bot = start();
    let grid = nth_grid(&ada, 1).await;
    assert_eq!(id(&grid), id(&thinking), "drawn late, where it was promised");
    grids_alone(&grace, 1).await;
    promised();
    ada.press(id(&grid), "🔄").await.expect("sent");
    waiting(&ada).await;
    bot.kill();

    let bot = start();
    told(&ada, "I was interrupted").await;
    grids_alone(&grace, 1).await;
    bot.kill();
    stand_in.shutdown().await;
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
