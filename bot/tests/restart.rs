//! The real program, killed in the middle of its work and started again.

mod support;

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use sandbox::Visitor;
use support::*;

/// `atelier sandbox` as a process of its own.
struct Program {
    child: Child,
    url: String,
}

impl Program {
    fn start(data: &Path) -> Self {
        Self::start_with(data, "")
    }

    fn start_with(data: &Path, more: &str) -> Self {
        let config = data.join("atelier.toml");
        std::fs::write(&config, format!("[limits]\ndaily_row_megapixels = 10\n{more}")).expect("writable");
        let mut child = Command::new(env!("CARGO_BIN_EXE_atelier"))
            .arg("--config")
            .arg(config)
            .args(["sandbox", "--port", "0", "--data"])
            .arg(data)
            .current_dir(std::env::temp_dir())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let lines = BufReader::new(child.stdout.take().expect("its output is piped")).lines();
        let mut lines = lines.map(|line| line.expect("its output is text"));
        let url = lines.find_map(|line| Some(line.split_once("http://")?.1.trim().to_owned())).expect("it prints its address");
        // What it prints later must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, url: format!("http://{url}") }
    }

    /// SIGKILL: nothing of the program runs after this.
    fn kill(mut self) {
        self.child.kill().expect("it is running");
        self.child.wait().expect("it ends");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_program_goes_on_where_it_was_and_its_old_buttons_work() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let program = Program::start(folder.path());
    let ada = Visitor::connect(&program.url, "ada").await.expect("ada enters");
    ada.slash(CHANNEL, "imagine", &prompt("a frog --seed 7 --steps 4")).await.expect("sent");
    let grid = nth_grid(&ada, 1).await;
    ada.slash(CHANNEL, "imagine", &prompt("a strawberry --seed 8 --steps 60")).await.expect("sent");
    ada.slash(CHANNEL, "imagine", &prompt("a robot --seed 9 --steps 3")).await.expect("sent");
    message_with(&ada, "Drawing").await;
    program.kill();

    let program = Program::start(folder.path());
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
    message_with(&ada, "256 × 256 pixels").await;
    ada.press(id(&grid), "🔄").await.expect("sent");
    nth_grid(&ada, 4).await;
    ada.slash(CHANNEL, "history", &[]).await.expect("sent");
    told(&ada, "Jobs 1 to 5").await;
    program.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn quota_and_history_are_the_same_after_a_kill() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let ask = async |ada: &Visitor| {
        ada.slash(CHANNEL, "quota", &[]).await.expect("sent");
        let quota = content(&told(ada, "row-megapixels are left").await).to_owned();
        ada.slash(CHANNEL, "history", &[]).await.expect("sent");
        let history = told(ada, "newest first").await["embeds"][0]["description"].clone();
        (quota, history)
    };
    let program = Program::start(folder.path());
    let ada = Visitor::connect(&program.url, "ada").await.expect("ada enters");
    ada.slash(CHANNEL, "imagine", &prompt("a frog --seed 7 --steps 10")).await.expect("sent");
    nth_grid(&ada, 1).await;
    let before = ask(&ada).await;
    assert!(!before.0.contains("10 of 10"), "something was spent: {}", before.0);
    program.kill();
    let program = Program::start(folder.path());
    let ada = Visitor::connect(&program.url, "ada").await.expect("ada enters again");
    assert_eq!(ask(&ada).await, before);
    program.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_model_is_gone_after_a_kill_fails_with_a_sentence_and_is_refunded() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let model = folder.path().join("earlier");
    std::os::unix::fs::symlink(atelier::models::starter().expect("the starter").model, &model).expect("a link");
    let program = Program::start_with(folder.path(), &format!("[model]\npath = {model:?}"));
    let ada = Visitor::connect(&program.url, "ada").await.expect("ada enters");
    ada.slash(CHANNEL, "imagine", &prompt("a frog --seed 7 --steps 100")).await.expect("sent");
    message_with(&ada, "Drawing").await;
    ada.slash(CHANNEL, "imagine", &prompt("a robot --seed 8 --steps 100")).await.expect("sent");
    message_with(&ada, "a robot").await;
    program.kill();

    let program = Program::start(folder.path());
    let ada = Visitor::connect(&program.url, "ada").await.expect("ada enters again");
    for word in ["a frog", "a robot"] {
        let is_it = |message: &&serde_json::Value| content(message).contains(word) && content(message).contains("No picture this time");
        let failed = ada.wait_for(CHANNEL, PATIENCE, |messages| messages.iter().find(is_it).cloned()).await.expect("it fails");
        assert!(content(&failed).contains("there is no model `earlier`; there are starter"), "{}", content(&failed));
    }
    ada.slash(CHANNEL, "quota", &[]).await.expect("sent");
    let quota = told(&ada, "row-megapixels are left").await;
    assert!(content(&quota).contains("10 of 10"), "{}", content(&quota));
    program.kill();
}

#[test]
fn a_second_program_on_the_same_data_is_refused_with_a_sentence() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let program = Program::start(folder.path());
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
