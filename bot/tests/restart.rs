//! The real program, killed in the middle of its work and started again.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::support::{front::Front, *};
use atelier::{
    config::Config,
    discord::{self, Access, Endpoint},
    start,
    system::clock::Clock,
};
use sandbox::{Sandbox, SandboxConfig, Visitor};
use storage::{BlobKey, BlobStore, History, Ledger, Limits, LocalBlobs, NewImage, Queue, RunningLimits, SqliteStore, Timestamp, Written};
use tempfile::TempDir;

in_both_modes! {
    a_killed_program_goes_on_where_it_was_and_its_old_buttons_work,
    pictures_that_were_finished_before_a_kill_are_kept_and_the_others_drawn,
    quota_and_history_are_the_same_after_a_kill,
    a_job_whose_model_is_gone_after_a_kill_fails_with_a_sentence_and_is_refunded,
}

/// What [`the_bot_as_a_process_of_its_own`] prints when people can use it.
const READY: &str = "the bot is ready";
/// Its address of Discord, for [`the_bot_as_a_process_of_its_own`].
const FRONT: &str = "ATELIER_TEST_FRONT";
/// Its folder.
const FOLDER: &str = "ATELIER_TEST_FOLDER";

/// What outlives a kill.
pub(crate) struct Setting {
    folder: TempDir,
    /// In production mode Discord goes on while the bot is dead.
    discord: Option<(Sandbox, Front)>,
}

impl Setting {
    pub(crate) async fn new(mode: Mode) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let discord = match mode {
            Mode::Plain => None,
            Mode::Production => {
                let config = SandboxConfig { names: vec!["discord.com".to_owned()], ..SandboxConfig::default() };
                let stand_in = Sandbox::start(config).await.expect("the stand-in starts");
                let front = Front::open(stand_in.address()).await;
                std::fs::write(folder.path().join("root.der"), front.root_der()).expect("writable");
                Some((stand_in, front))
            }
        };
        Self { folder, discord }
    }

    /// Starts the bot, and in plain mode the stand-in with it.
    fn start(&self) -> Program {
        self.start_with("")
    }

    /// Where the bot keeps its data.
    pub(crate) fn data(&self, mode: Mode) -> PathBuf {
        self.folder.path().join(if mode == Mode::Plain { "sandbox" } else { "data" })
    }

    pub(crate) fn start_with(&self, more: &str) -> Program {
        let config = self.folder.path().join("atelier.toml");
        std::fs::write(&config, format!("[limits]\ndaily_row_megapixels = 10\n{more}")).expect("writable");
        let Some((stand_in, front)) = &self.discord else { return Program::sandbox(self.folder.path()) };
        let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
        command
            .args(["--exact", "restart::the_bot_as_a_process_of_its_own", "--nocapture"])
            .env(FRONT, front.way().address.to_string())
            .env(FOLDER, self.folder.path());
        Program::spawn(command, |line| line.contains(READY).then(|| stand_in.url().to_owned()))
    }
}

/// The bot's stores, while it does not run.
pub(crate) async fn open(data: &Path) -> (SqliteStore, LocalBlobs) {
    let store = SqliteStore::open(&data.join("atelier.sqlite")).await.expect("the database opens");
    (store, LocalBlobs::open(&data.join("pictures")).expect("the pictures' folder opens"))
}

/// How many pictures are wholly there, below a folder of folders.
fn n_pictures(folder: &Path) -> usize {
    let entries = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().flatten();
    let files = entries(folder).flat_map(|entry| entries(&entry.path()));
    files.filter(|file| BlobKey::parse(&file.file_name().to_string_lossy()).is_ok()).count()
}

/// Not a test of its own: the others start it as a process in production mode, to kill it.
#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stdout, reason = "the process that started it waits for the line")]
async fn the_bot_as_a_process_of_its_own() {
    let (Ok(address), Ok(folder)) = (std::env::var(FRONT), std::env::var(FOLDER)) else { return };
    let interrupted = tokio::spawn(atelier::cli::interrupted());
    let folder = Path::new(&folder);
    let read = |name: &str| std::fs::read(folder.join(name)).expect("readable");
    let mut config = Config::parse(&String::from_utf8(read("atelier.toml")).expect("text")).expect("a configuration");
    config.data.dir = folder.join("data");
    let root = reqwest::Certificate::from_der(&read("root.der")).expect("a certificate");
    let front = discord::Front { address: address.parse().expect("an address"), root };
    let access = Access { token: SandboxConfig::default().token, endpoint: Endpoint::Front(front) };
    let bot = start::start(config, access, Clock::default(), Duration::from_secs(1)).await.expect("the bot starts");
    bot.ready().await;
    println!("{READY}");
    interrupted.await.expect("it does not panic");
    bot.stop().await.expect("an orderly end");
}

/// The bot as a process of its own.
pub(crate) struct Program {
    child: Child,
    pub(crate) url: String,
}

impl Program {
    /// `atelier sandbox`.
    fn sandbox(data: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_atelier"));
        command.arg("--config").arg(data.join("atelier.toml")).args(["sandbox", "--port", "0", "--data"]).arg(data);
        Self::spawn(command, |line| Some(format!("http://{}", line.split_once("http://")?.1.trim())))
    }

    /// Waits for the line that tells the stand-in's address.
    fn spawn(mut command: Command, address: impl Fn(&str) -> Option<String>) -> Self {
        let mut child = command.current_dir(std::env::temp_dir()).stdout(Stdio::piped()).spawn().expect("the program starts");
        let lines = BufReader::new(child.stdout.take().expect("its output is piped")).lines();
        let mut lines = lines.map(|line| line.expect("its output is text"));
        let url = lines.find_map(|line| address(&line)).expect("it tells that it is ready");
        // What it prints later must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, url }
    }

    /// SIGTERM, and waits for the orderly end.
    pub(crate) fn terminate(mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it is running");
        self.child.wait().expect("it ends");
    }

    /// SIGKILL: nothing of the program runs after this.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it is running");
        self.child.wait().expect("it ends");
    }
}

async fn a_killed_program_goes_on_where_it_was_and_its_old_buttons_work(mode: Mode) {
    let setting = Setting::new(mode).await;
    let program = setting.start();
    let ada = Visitor::connect(&program.url, "ada").await.expect("ada enters");
    ada.slash(CHANNEL, "imagine", &prompt("a frog --seed 7 --steps 4")).await.expect("sent");
    let grid = nth_grid(&ada, 1).await;
    ada.press(id(&grid), "U2").await.expect("sent");
    let enlarged = message_with(&ada, "1024 × 1024 pixels").await;
    ada.slash(CHANNEL, "imagine", &prompt("a strawberry --seed 8 --steps 60")).await.expect("sent");
    ada.slash(CHANNEL, "imagine", &prompt("a robot --seed 9 --steps 3")).await.expect("sent");
    message_with(&ada, "Drawing").await;
    program.kill();

    let program = setting.start();
    let ada = Visitor::connect(&program.url, "ada").await.expect("ada enters again");
    let kept = ada.messages(CHANNEL).await.expect("readable").into_iter().find(|message| id(message) == id(&grid));
    assert_eq!(kept.as_ref().map(buttons), Some(buttons(&grid)), "the old grid is still there");
    nth_grid(&ada, 3).await;
    let grids: Vec<String> = ada
        .messages(CHANNEL)
        .await
        .expect("readable")
        .iter()
        .filter(|message| is_grid(message))
        .map(|message| content(message).to_owned())
        .collect();
    for word in ["a frog", "a strawberry", "a robot"] {
        assert_eq!(grids.iter().filter(|text| text.contains(word)).count(), 1, "exactly one answer for {word}: {grids:?}");
    }
    ada.press(id(&grid), "U1").await.expect("sent");
    message_with(&ada, "Image #1").await;
    ada.press(id(&grid), "🔄").await.expect("sent");
    nth_grid(&ada, 4).await;
    ada.press(id(&enlarged), "Zoom Out 1.5x").await.expect("sent");
    message_with(&ada, "**Zoom out (1.5×) of").await;
    nth_grid(&ada, 5).await;
    ada.slash(CHANNEL, "history", &[]).await.expect("sent");
    told(&ada, "Jobs 1 to 5").await;
    program.kill();
}

async fn pictures_that_were_finished_before_a_kill_are_kept_and_the_others_drawn(mode: Mode) {
    let setting = Setting::new(mode).await;
    // One picture after the other goes through the network, so that they are not finished all at once.
    let config = "[engine]\nmax_batch_rows = 2";
    let program = setting.start_with(config);
    let ada = Visitor::connect(&program.url, "ada").await.expect("ada enters");
    ada.slash(CHANNEL, "imagine", &prompt("a frog --seed 7 --steps 3 --hires 4")).await.expect("sent");
    message_with(&ada, "Drawing").await;
    let data = setting.data(mode);
    let began = std::time::Instant::now();
    // When the bytes of the second are there, the first is recorded.
    while n_pictures(&data.join("pictures")) < 2 {
        assert!(began.elapsed() < PATIENCE, "no picture was finished");
        pause().await;
    }
    program.kill();

    // Whatever was recorded stays; one more, of a colour that nobody draws, is recorded as the program would have.
    let (store, blobs) = open(&data).await;
    assert_eq!(store.reap(true, Timestamp(i64::MAX)).await.expect("reaped"), 1);
    let roomy = RunningLimits { max_running: 9, max_running_per_user: 9, max_running_per_guild: 9 };
    let lease = store.claim(Duration::from_secs(30), &roomy, &[], Timestamp(0)).await.expect("claimed").expect("the job waits");
    let before = lease.images.clone();
    assert!(matches!(before.len(), 1..4), "each when it is finished, not with the last: {before:?}");
    let missing = (0..4).find(|index| before.iter().all(|image| image.index != *index)).expect("one is missing");
    let red = image::RgbImage::from_pixel(256, 256, image::Rgb([255, 0, 0]));
    let mut png = Vec::new();
    red.write_to(&mut std::io::Cursor::new(&mut png), image::ImageFormat::Png).expect("a PNG");
    let blob = blobs.put(png.into()).await.expect("kept");
    let red = NewImage { index: missing, blob, ..before[0].clone() };
    assert_eq!(store.record_image(&lease, &red).await.expect("recorded"), Written::Done);
    store.close().await;

    let program = setting.start_with(config);
    let ada = Visitor::connect(&program.url, "ada").await.expect("ada enters again");
    let grid = nth_grid(&ada, 1).await;
    let shown = picture(&ada, &grid).await;
    let is_red = |pixel: &&image::Rgb<u8>| pixel[0] > 240 && pixel[1] < 16 && pixel[2] < 16;
    let share = shown.pixels().filter(is_red).count() as f64 / shown.pixels().len() as f64;
    assert!((0.2..0.3).contains(&share), "a quarter of the grid is the red picture: {share}");
    program.kill();

    let (store, _) = open(&data).await;
    let after = store.images(lease.job.id).await.expect("read");
    assert_eq!(after.iter().map(|image| image.index).collect::<Vec<_>>(), [0, 1, 2, 3]);
    for image in before.iter().chain([&red]) {
        assert_eq!(after[image.index as usize].blob, image.blob, "picture {} is the one from before", image.index);
    }
    let limits = Limits {
        daily_row_megapixels: 10.0,
        daily_row_megapixels_per_user: None,
        daily_row_megapixels_host: None,
        monthly_row_megapixels: None,
        monthly_row_megapixels_per_user: None,
        monthly_row_megapixels_host: None,
        is_relax_free: false,
        max_active_per_user: 1,
        max_queued_per_guild: 1,
        max_queued: 1,
    };
    let spent =
        store.quotas(&storage::Spender::new(lease.job.guild, lease.job.user), &limits, lease.job.created).await.expect("read")[0].1.used;
    assert!((spent - lease.job.row_megapixels).abs() < 1e-5, "charged once, as without a kill: {spent} of {}", lease.job.row_megapixels);
    store.close().await;
}

async fn quota_and_history_are_the_same_after_a_kill(mode: Mode) {
    let setting = Setting::new(mode).await;
    let ask = async |ada: &Visitor, program: &Program| {
        // The page keeps what it was told before the kill.
        let known: Vec<_> = ada.messages(CHANNEL).await.expect("readable").iter().map(|message| id(message).to_owned()).collect();
        let answer = async |command: &str, words: &str| {
            ada.slash(CHANNEL, command, &[]).await.expect("sent");
            let is_it =
                |message: &&serde_json::Value| message.to_string().contains(words) && known.iter().all(|known| known != id(message));
            ada.wait_for(CHANNEL, PATIENCE, |messages| messages.iter().find(is_it).cloned()).await.expect("it is told")
        };
        let quota = content(&answer("quota", "of the usual size").await).to_owned();
        let history = answer("history", "newest first").await;
        // The sandbox has another port each time.
        (quota, history["embeds"][0]["description"].as_str().expect("a text").replace(&program.url, "the page"))
    };
    let program = setting.start();
    let ada = Visitor::connect(&program.url, "ada").await.expect("ada enters");
    ada.slash(CHANNEL, "imagine", &prompt("a frog --seed 7 --steps 10")).await.expect("sent");
    nth_grid(&ada, 1).await;
    let before = ask(&ada, &program).await;
    assert!(before.1.contains("[open]("), "its message is known: {}", before.1);
    assert!(!before.0.contains("In row-megapixels: 10 of 10;"), "something was spent: {}", before.0);
    program.kill();
    let program = setting.start();
    let ada = Visitor::connect(&program.url, "ada").await.expect("ada enters again");
    assert_eq!(ask(&ada, &program).await, before);
    program.kill();
}

async fn a_job_whose_model_is_gone_after_a_kill_fails_with_a_sentence_and_is_refunded(mode: Mode) {
    let setting = Setting::new(mode).await;
    let model = setting.folder.path().join("earlier");
    std::os::unix::fs::symlink(atelier::models::starter().expect("the starter").model, &model).expect("a link");
    let program = setting.start_with(&format!("[model]\npath = {model:?}"));
    let ada = Visitor::connect(&program.url, "ada").await.expect("ada enters");
    ada.slash(CHANNEL, "imagine", &prompt("a frog --seed 7 --steps 100")).await.expect("sent");
    message_with(&ada, "Drawing").await;
    ada.slash(CHANNEL, "imagine", &prompt("a robot --seed 8 --steps 100")).await.expect("sent");
    message_with(&ada, "a robot").await;
    program.kill();

    let program = setting.start();
    let ada = Visitor::connect(&program.url, "ada").await.expect("ada enters again");
    for word in ["a frog", "a robot"] {
        let is_it = |message: &&serde_json::Value| content(message).contains(word) && content(message).contains("No picture this time");
        let failed = ada.wait_for(CHANNEL, PATIENCE, |messages| messages.iter().find(is_it).cloned()).await.expect("it fails");
        assert!(content(&failed).contains("The model `earlier` is not here any more"), "{}", content(&failed));
    }
    ada.slash(CHANNEL, "quota", &[]).await.expect("sent");
    let quota = told(&ada, "of the usual size").await;
    assert!(content(&quota).contains("In row-megapixels: 10 of 10;"), "{}", content(&quota));
    program.kill();
}

#[test]
fn a_second_program_on_the_same_data_is_refused_with_a_sentence() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("atelier.toml"), "").expect("writable");
    let program = Program::sandbox(folder.path());
    let second = Command::new(env!("CARGO_BIN_EXE_atelier"))
        .args(["sandbox", "--port", "0", "--data"])
        .arg(folder.path())
        .output()
        .expect("it starts");
    let error = String::from_utf8_lossy(&second.stderr);
    assert!(!second.status.success() && error.contains("in use by another"), "{error}");
    program.kill();
}

#[test]
fn what_stands_in_the_way_of_a_start_is_one_sentence() {
    let check = |arguments: &[&str], token: Option<&str>, sentence: &str| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut command = Command::new(env!("CARGO_BIN_EXE_atelier"));
        command.args(arguments).current_dir(folder.path()).env_remove("DISCORD_TOKEN");
        std::fs::write(folder.path().join("unknown.toml"), "[model]\npaht = \"x\"").expect("writable");
        std::fs::write(folder.path().join("gone.toml"), "[aliases.dreamy]\npath = \"/nowhere/dreamy\"").expect("writable");
        std::fs::write(folder.path().join("far.toml"), "[discord]\napi_url = \"http://192.0.2.1:80\"").expect("writable");
        if let Some(token) = token {
            command.env("DISCORD_TOKEN", token);
        }
        let output = command.output().expect("it starts");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && error.contains(sentence), "{arguments:?}: {error}");
    };
    check(&["run"], None, "DISCORD_TOKEN is not set");
    check(&["--config", "unknown.toml", "sandbox"], None, "unknown field `paht`");
    check(&["--config", "gone.toml", "sandbox"], None, "the model `dreamy` should be at /nowhere/dreamy, where nothing is");
    check(&["--config", "missing.toml", "sandbox"], None, "cannot read the configuration missing.toml");
    check(&["--config", "far.toml", "run"], Some("x"), "a stand-in must be on loopback");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_ends_the_program_with_a_sentence() {
    let studio = Studio::open(Mode::Plain, |_| {}).await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config =
        format!("[discord]\napi_url = \"{}\"\n[data]\ndir = \"{}\"", studio.running.stand_in.url(), folder.path().join("data").display());
    std::fs::write(folder.path().join("config.toml"), config).expect("writable");
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_atelier"))
        .args(["--config", "config.toml", "run"])
        .current_dir(folder.path())
        .env("DISCORD_TOKEN", "another.token")
        .output()
        .await
        .expect("it starts");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && error.contains("refused the token"), "{error}");
    assert!(!error.contains("another.token"), "the token is not shown");
    studio.close().await;
}
