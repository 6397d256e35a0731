//! How endings reach people while Discord, the network, the disk or the clock does not do its part: each once, none for ever late.

use std::{path::PathBuf, time::Duration};

use crate::support::*;
use atelier::{buttons::custom_id::ButtonAction, config::Config, jobs::enqueue::Request};
use sandbox::{Clock, Fault, FaultKind, ManualClock};
use serde_json::{Value, json};
use storage::{BlobKey, Delivery, GuildId, HistoryFilter, JobId, JobStatus, OutboxItem, Timestamp, UserId};

/// A bot whose clock stands still, so that nothing is tried again before it is moved.
struct Scene {
    studio: Studio,
    clock: ManualClock,
    guild: u64,
    channel: u64,
}

impl Scene {
    async fn open(change: impl FnOnce(&mut Config)) -> Self {
        let clock = ManualClock::new();
        let studio = Studio::open_with_clock(Mode::Plain, Clock::Manual(clock.clone()), change).await;
        let state = studio.ada.state().await.expect("readable");
        let number = |value: &Value| value.as_str().and_then(|id| id.parse().ok()).expect("an id");
        let channels = state["guilds"][0]["channels"].as_array().expect("channels");
        let channel = number(&channels.iter().find(|channel| channel["name"] == CHANNEL).expect("the channel")["id"]);
        Self { guild: number(&state["guilds"][0]["id"]), channel, studio, clock }
    }

    /// Something that goes wrong from here on.
    fn fault(&self, kind: FaultKind, route: &str, count: Option<u64>) -> u64 {
        let fault = Fault { route: Some(route.to_owned()), count, ms: Some(25_000), status: Some(503), ..Fault::new(kind) };
        self.studio.running.stand_in.fault(fault).expect("there is such a fault")
    }

    /// Waits until a fault was met as often as it is to be.
    async fn met(&self, fault: u64) {
        let client = reqwest::Client::builder().no_proxy().build().expect("a plain client");
        let (id, url) = (fault.to_string(), format!("{}/sandbox/api/control/faults", self.studio.running.stand_in.url()));
        let met = async {
            loop {
                let told: Value = client.get(&url).send().await.expect("it answers").json().await.expect("JSON");
                if told["active"].as_array().expect("a list").iter().all(|active| active["id"] != id) {
                    break;
                }
                pause().await;
            }
        };
        tokio::time::timeout(PATIENCE, met).await.expect("it is met");
    }

    fn mend(&self, fault: u64) {
        assert!(self.studio.running.stand_in.end_fault(fault), "it was there");
    }

    /// Asks for a picture in a channel as by a command whose answer cannot be edited any more.
    async fn ask_late(&self, channel: u64) -> JobId {
        self.ask_late_for(channel, 1).await
    }

    async fn ask_late_for(&self, channel: u64, n_images: u32) -> JobId {
        let app = &self.studio.running.bot.app;
        let task = json!({
            "kind": "text_to_image", "prompt": "a frog", "size": {"width": 64, "height": 64}, "steps": 1, "guidance_scale": 4.0,
            "sampler": "dpmpp_2m", "seed": 7, "n_images": n_images
        });
        let request = Request {
            notes: Vec::new(),
            key: JobId::new().to_string(),
            press: None,
            guild: GuildId(self.guild),
            user: self.ada(),
            roles: Vec::new(),
            speed: Default::default(),
            action: "imagine",
            task: serde_json::from_value(task).expect("a task"),
            parent: None,
            begins: Vec::new(),
            delivery: Delivery { channel, token: String::new(), token_expires: app.clock.now(), message: None, is_private: false },
        };
        app.door.enqueue(request).await.expect("it is taken")
    }

    fn ada(&self) -> UserId {
        UserId(self.studio.ada.user_id().parse().expect("an id"))
    }

    /// Waits until the only ending that waits was tried so often in vain.
    async fn tried(&self, attempts: u32) -> OutboxItem {
        let jobs = &self.studio.running.bot.app.jobs;
        let tried = async {
            loop {
                let mut left = jobs.outbox(Timestamp(i64::MAX), 10).await.expect("readable");
                if let Some(item) = left.pop().filter(|item| item.attempts >= attempts) {
                    break item;
                }
                pause().await;
            }
        };
        tokio::time::timeout(PATIENCE, tried).await.expect("it is tried")
    }

    /// Waits until nothing is drawn and no ending waits.
    async fn all_is_over(&self) {
        let jobs = &self.studio.running.bot.app.jobs;
        let over = async {
            loop {
                let (queue, backlog) = (jobs.queue_status().await.expect("readable"), jobs.backlog().await.expect("readable"));
                if queue.queued + queue.running + backlog.undelivered == 0 {
                    break;
                }
                pause().await;
            }
        };
        tokio::time::timeout(PATIENCE, over).await.expect("it ends");
    }

    /// Messages of a channel that are about the frog.
    async fn frogs(&self, channel: &str) -> Vec<Value> {
        let all = self.studio.ada.messages(channel).await.expect("readable");
        all.into_iter().filter(|message| content(message).contains("a frog")).collect()
    }

    /// What the bot's own token is told when it posts.
    async fn post(&self, path: &str, body: Value) -> Value {
        let (url, token) = (self.studio.running.stand_in.url(), self.studio.running.stand_in.token());
        let client = reqwest::Client::builder().no_proxy().build().expect("a plain client");
        let asked = client.post(format!("{url}/api/v10/{path}")).header("authorization", format!("Bot {token}")).json(&body);
        let answer = asked.send().await.expect("it answers").text().await.expect("text");
        serde_json::from_str(&answer).expect("JSON")
    }

    /// Where a picture of a done job is kept.
    async fn file_of(&self, job: JobId, index: usize) -> PathBuf {
        let app = &self.studio.running.bot.app;
        let blob: BlobKey = app.jobs.images(job).await.expect("readable")[index].blob.clone();
        app.config.data.dir.join("pictures").join(&blob.as_str()[..2]).join(blob.as_str())
    }

    /// What ada spent today.
    async fn used(&self) -> f64 {
        let (app, guild) = (&self.studio.running.bot.app, GuildId(self.guild));
        let limits = app.door.limits(guild, self.ada()).await.expect("readable");
        app.jobs.quotas(&storage::Spender::new(guild, self.ada()), &limits, app.clock.now()).await.expect("readable")[0].1.used
    }

    async fn last_job(&self) -> storage::Job {
        let filter = HistoryFilter { guild: GuildId(self.guild), user: None, channels: None };
        let found = self.studio.running.bot.app.jobs.history(filter, 0, 1).await.expect("readable");
        found.0.into_iter().next().expect("a job")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_answer_delays_nobody_else() {
    let scene = Scene::open(|_| {}).await;
    let ada = &scene.studio.ada;
    // The clock stands still: the first edit of the frog's message is not answered before it is moved.
    let fault = scene.fault(FaultKind::Latency, "PATCH /webhooks", Some(1));
    ada.slash(CHANNEL, "imagine", &prompt("a frog --steps 1 --images 1")).await.expect("sent");
    scene.met(fault).await;
    for n in 1..=10 {
        ada.slash(CHANNEL, "imagine", &prompt("a robot --steps 1 --images 1")).await.expect("sent");
        nth_grid(ada, n).await;
    }
    assert!(!scene.frogs(CHANNEL).await.iter().any(is_grid), "it is still on its way");
    scene.clock.advance(Duration::from_secs(25));
    nth_grid(ada, 11).await;
    scene.studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_back_holds_no_ending() {
    let scene = Scene::open(|_| {}).await;
    let ada = &scene.studio.ada;
    let fault = scene.fault(FaultKind::ServerError, "PATCH /webhooks", None);
    ada.slash(CHANNEL, "imagine", &prompt("a frog --steps 1 --images 1")).await.expect("sent");
    scene.tried(1).await;
    scene.clock.set_back(Duration::from_secs(3600));
    scene.mend(fault);
    // Rings the bell.
    ada.slash(CHANNEL, "imagine", &prompt("a robot --steps 1 --images 1")).await.expect("sent");
    nth_grid(ada, 2).await;
    scene.studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ending_waits_for_as_long_as_discord_asks() {
    for (route, is_late) in [("PATCH /webhooks", false), ("GET /channels", true), ("POST /channels", true)] {
        let scene = Scene::open(|_| {}).await;
        let (stand_in, jobs) = (&scene.studio.running.stand_in, &scene.studio.running.bot.app.jobs);
        let asked = Fault { route: Some(route.to_owned()), ms: Some(300_500), ..Fault::new(FaultKind::RateLimit) };
        let fault = stand_in.fault(asked).expect("there is such a fault");
        if is_late {
            scene.ask_late(scene.channel).await;
        } else {
            scene.studio.ada.slash(CHANNEL, "imagine", &prompt("a frog --steps 1 --images 1")).await.expect("sent");
        }
        scene.tried(1).await;
        let now = scene.studio.running.bot.app.clock.now();
        let wait = jobs.outbox_due(now).await.expect("readable").expect("it is tried again");
        assert!((300_500..302_000).contains(&wait.as_millis()), "{route}: {wait:?}");
        scene.mend(fault);
        scene.clock.advance(wait);
        nth_grid(&scene.studio.ada, 1).await;
        scene.all_is_over().await;
        scene.studio.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_which_nothing_was_heard_is_looked_for_and_not_sent_again() {
    let scene = Scene::open(|_| {}).await;
    // More than are tried: each try is settled before the next one.
    let fault = scene.fault(FaultKind::LostAnswer, &format!("POST /channels/{}/messages", scene.channel), Some(3));
    scene.ask_late(scene.channel).await;
    assert_eq!(scene.tried(1).await.posting, Some(scene.channel), "a program that is killed here begins with looking");
    // Discord has forgotten the nonce.
    for minutes in [6, 6, 6] {
        scene.clock.advance(Duration::from_secs(60 * minutes));
        pause().await;
    }
    scene.all_is_over().await;
    scene.mend(fault);
    assert_eq!(scene.frogs(CHANNEL).await.len(), 1);
    let told = scene.last_job().await.delivery.message;
    assert_eq!(told.map(|told| told.to_string()).as_deref(), Some(id(&nth_grid(&scene.studio.ada, 1).await)));
    scene.studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_goes_for_direct_messages() {
    let scene = Scene::open(|_| {}).await;
    let dm = scene.post("users/@me/channels", json!({ "recipient_id": scene.ada().0.to_string() })).await;
    let dm = dm["id"].as_str().and_then(|id| id.parse().ok()).expect("a channel");
    let fault = scene.fault(FaultKind::LostAnswer, &format!("POST /channels/{dm}/messages"), Some(3));
    // There is no such channel.
    scene.ask_late(scene.guild + 99).await;
    assert_eq!(scene.tried(1).await.posting, Some(dm));
    scene.clock.advance(Duration::from_secs(6 * 60));
    scene.all_is_over().await;
    scene.mend(fault);
    let frogs = scene.frogs("dm").await;
    assert!(frogs.len() == 1 && is_grid(&frogs[0]), "{frogs:?}");
    scene.studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_still_says_queued_gets_the_ending() {
    let scene = Scene::open(|_| {}).await;
    let fault = scene.fault(FaultKind::ServerError, "GET /channels", None);
    let job = scene.ask_late(scene.channel).await;
    scene.tried(1).await;
    // As two edits left them whose answers were lost.
    let button = json!({ "type": 2, "style": 2, "label": "x", "custom_id": ButtonAction::Cancel { job }.to_string() });
    let body = json!({ "content": "a frog\n-# Queued", "components": [{ "type": 1, "components": [button] }] });
    for _ in 0..2 {
        scene.post(&format!("channels/{}/messages", scene.channel), body.clone()).await;
    }
    scene.mend(fault);
    scene.clock.advance(Duration::from_secs(60));
    scene.all_is_over().await;
    let frogs = scene.frogs(CHANNEL).await;
    assert!(frogs.len() == 1 && is_grid(&frogs[0]), "{frogs:?}");
    scene.studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_that_cannot_be_read_for_a_moment_is_sent_later_and_one_that_is_lost_is_paid_back() {
    let scene = Scene::open(|_| {}).await;
    let used = async || scene.used().await;
    for is_lost in [false, true] {
        let fault = scene.fault(FaultKind::ServerError, "GET /channels", None);
        let before = used().await;
        let job = scene.ask_late(scene.channel).await;
        scene.tried(1).await;
        assert!(used().await > before, "it was drawn");
        let file = scene.file_of(job, 0).await;
        let kept = file.with_extension("kept");
        std::fs::rename(&file, &kept).expect("moved");
        scene.mend(fault);
        if is_lost {
            scene.clock.advance(Duration::from_secs(60));
            let told = message_with(&scene.studio.ada, "its pictures were lost").await;
            assert!(content(&told).contains("it costs nothing"), "{told}");
            scene.all_is_over().await;
            assert_eq!((scene.last_job().await.status, used().await), (JobStatus::Failed, before));
            break;
        }
        // A file that leads to itself is there and cannot be read.
        std::os::unix::fs::symlink(&file, &file).expect("made");
        scene.clock.advance(Duration::from_secs(60));
        scene.tried(2).await;
        assert!(scene.frogs(CHANNEL).await.is_empty(), "nothing final is said");
        std::fs::rename(&kept, &file).expect("moved back");
        scene.clock.advance(Duration::from_secs(60));
        nth_grid(&scene.studio.ada, 1).await;
        scene.all_is_over().await;
    }
    scene.studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_one_picture_is_lost_the_others_are_shown_and_it_is_told_and_paid_back() {
    let scene = Scene::open(|_| {}).await;
    let (app, ada) = (&scene.studio.running.bot.app, &scene.studio.ada);
    let fault = scene.fault(FaultKind::ServerError, "GET /channels", None);
    let job = scene.ask_late_for(scene.channel, 3).await;
    scene.tried(1).await;
    let price = scene.used().await;
    std::fs::remove_file(scene.file_of(job, 1).await).expect("removed");
    scene.mend(fault);
    scene.clock.advance(Duration::from_secs(60));
    let grid = nth_grid(ada, 1).await;
    assert_eq!(buttons(&grid)[..2], [vec!["U1", "U3", "🔄"], vec!["V1", "V3"]]);
    assert!(content(&grid).contains("Picture 2 was lost before I could show it, and costs nothing."), "{grid}");
    scene.all_is_over().await;
    let left: Vec<u32> = app.jobs.images(job).await.expect("readable").iter().map(|image| image.index).collect();
    assert_eq!((scene.last_job().await.status, left), (JobStatus::Done, vec![0, 2]));
    assert!((scene.used().await - price * 2.0 / 3.0).abs() < 1e-5, "{} of {price}", scene.used().await);
    // Whatever is pressed later knows of the others alone.
    ada.press(id(&grid), "Download").await.expect("sent");
    let files = message_with(ada, "The pictures' files").await;
    assert_eq!(files["attachments"].as_array().map(Vec::len), Some(2), "{files}");
    scene.studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_can_be_told_is_not_called_delivered() {
    log::listen();
    let scene = Scene::open(|_| {}).await;
    let url = format!("{}/sandbox/api/people/{}", scene.studio.running.stand_in.url(), scene.ada().0);
    let client = reqwest::Client::builder().no_proxy().build().expect("a plain client");
    let refused = client.post(url).json(&json!({ "accepts_dms": false })).send().await.expect("it answers");
    assert!(refused.status().is_success(), "{refused:?}");
    let job = scene.ask_late(scene.guild + 99).await;
    scene.all_is_over().await;
    let said: Vec<_> = log::about(&job.to_string()).into_iter().map(|logged| logged.message).collect();
    assert!(said.iter().any(|said| said.contains("it is kept in the history only")), "{said:?}");
    assert!(!said.iter().any(|said| said == "delivered"), "{said:?}");
    assert_eq!(scene.last_job().await.id, job);
    scene.studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_whose_words_are_refused_in_a_channel_go_to_a_direct_message() {
    let scene = Scene::open(|_| {}).await;
    let ada = &scene.studio.ada;
    let word = Fault { word: Some("frog".into()), ..Fault::new(FaultKind::Automod) };
    scene.studio.running.stand_in.fault(word).expect("there is such a fault");
    ada.slash(CHANNEL, "imagine", &prompt("a frog --steps 1 --images 1")).await.expect("sent");
    let told = message_with(ada, "does not take its words").await;
    assert!(content(&told).contains("so I send it to you directly") && told["interaction_metadata"].is_object(), "{told}");
    let grid = ada.wait_for("dm", PATIENCE, |messages| messages.iter().find(|message| is_grid(message)).cloned()).await.expect("it comes");
    assert_eq!(grid["attachments"].as_array().map(Vec::len), Some(1), "{grid}");
    scene.all_is_over().await;
    scene.studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orderly_end_sends_what_waits_for_its_next_try() {
    let scene = Scene::open(|_| {}).await;
    let ada = &scene.studio.ada;
    let fault = scene.fault(FaultKind::ServerError, "PATCH /webhooks", None);
    ada.slash(CHANNEL, "imagine", &prompt("a frog --steps 1 --images 1")).await.expect("sent");
    scene.tried(1).await;
    scene.mend(fault);
    let Scene { studio: Studio { running, ada, .. }, .. } = scene;
    running.bot.stop().await.expect("an orderly end");
    assert!(ada.messages(CHANNEL).await.expect("readable").iter().any(is_grid), "nobody waits for the next start");
    running.stand_in.shutdown().await;
}
