//! What should not be is the end of one job: told, refunded, and followed by the next.

use crate::support::*;
use atelier::discord;
use inference::task::{ImageSize, ImageToImage, Input, Role, Task, TextToImage};
use poise::serenity_prelude::ChannelId;
use storage::{BlobKey, Enqueued, Failure, GuildId, JobInput, JobStatus, NewJob, UserId};

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_job_that_cannot_be_drawn_ends_alone_and_costs_nothing() {
    let studio = Studio::open(Mode::Plain, |_| {}).await;
    let app = &studio.running.bot.app;
    let number = |value: &serde_json::Value| value.as_str().and_then(|id| id.parse::<u64>().ok()).expect("an id");
    let state = studio.ada.state().await.expect("readable");
    let place = &state["guilds"][0];
    let channel = place["channels"].as_array().into_iter().flatten().find(|channel| channel["name"] == CHANNEL).expect("the channel");
    let channel = ChannelId::new(number(&channel["id"]));
    let (guild, user) = (GuildId(number(&place["id"])), UserId(studio.ada.user_id().parse().expect("an id")));
    let limits = app.door.limits(guild, user).await.expect("readable");

    let small = || TextToImage { prompt: "a frog".into(), size: ImageSize::new(64, 64), steps: 2, ..TextToImage::default() };
    let gone = "ab".repeat(32);
    let controlled = Task { inputs: vec![Input { role: Role::Control("canny".into()), blob: gone.clone() }], ..small().into() };
    let varied = Task::image_to_image(ImageToImage { base: small(), strength: 0.5 }, gone.clone());
    let json = |task: Task| serde_json::to_value(task).expect("JSON");
    let cases = [
        (serde_json::json!({ "kind": "of_tomorrow" }), "internal", "Something went wrong on my side while drawing"),
        (json(controlled), "invalid", "That cannot be drawn: no picture can be given as `control:canny` here."),
        (json(varied), "source_gone", "The picture that this starts from was deleted."),
    ];
    for (n, (task, kind, words)) in cases.into_iter().enumerate() {
        let job = NewJob {
            key: format!("of the test {n}"),
            press: None,
            guild,
            user,
            roles: Vec::new(),
            action: "imagine".into(),
            tier: storage::Tier::Fast,
            model: None,
            task,
            parent: None,
            notes: None,
            inputs: vec![JobInput { role: "init".into(), blob: BlobKey::parse(&gone).expect("a key") }],
            row_megapixels: 3.0,
            delivery: discord::delivery(app.clock.now(), channel, ""),
            admission: storage::Admission::default(),
        };
        let Ok(Enqueued::Created(id)) = app.jobs.enqueue(job, &limits, app.clock.now()).await else { panic!("it is taken") };
        app.board.queue.notify_one();
        let told = message_with(&studio.ada, words).await;
        let found = app.jobs.job(id).await.expect("readable").expect("a job");
        assert_eq!(found.status, JobStatus::Failed, "{words}");
        let failure = found.failure.expect("a reason");
        let stored = serde_json::to_value(&failure).expect("JSON");
        assert_eq!(stored["kind"], kind);
        if failure == Failure::Internal {
            assert!(content(&told).contains(&format!("`{id}`")), "it can be found in the log: {told}");
        }
        let quotas = app.jobs.quotas(&storage::Spender::new(guild, user), &limits, app.clock.now()).await.expect("readable");
        assert!(quotas.iter().all(|(_, quota)| quota.used == 0.0), "{quotas:?}");
    }
    studio.ada.slash(CHANNEL, "imagine", &prompt("a frog")).await.expect("sent");
    nth_grid(&studio.ada, 1).await;
    studio.close().await;
}
