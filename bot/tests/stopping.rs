//! Less of a job than was asked for: pictures that are left out, a stop, and what goes on from there.

use atelier::jobs::live::Phase;
use inference::{
    engine::{Engine, Event, Submission},
    task::Task,
};
use storage::{HistoryFilter, Job, JobStatus, Timestamp};

use crate::support::*;

in_both_modes! {
    pictures_that_are_left_out_and_a_stop_are_paid_by_what_was_drawn_and_go_on_to_the_same_end,
    a_share_of_the_steps_is_drawn_and_its_rest_as_long_as_it_is_kept,
    what_goes_while_its_rest_waits_is_told_and_costs_nothing,
    a_job_of_which_no_picture_is_wanted_is_cancelled,
}

/// The job that ended last.
async fn last_job(studio: &Studio) -> Job {
    let state = studio.ada.state().await.expect("readable");
    let guild = storage::GuildId(state["guilds"][0]["id"].as_str().and_then(|id| id.parse().ok()).expect("a guild"));
    let filter = HistoryFilter { guild, user: None, channels: None };
    studio.running.bot.app.jobs.history(filter, 0, 1).await.expect("readable").0.remove(0)
}

async fn used(studio: &Studio, job: &Job) -> f64 {
    let limits = studio.running.bot.app.door.limits(job.guild, job.user).await.expect("readable");
    studio.running.bot.app.jobs.quotas(&storage::Spender::new(job.guild, job.user), &limits, Timestamp::now()).await.expect("readable")[0]
        .1
        .used
}

/// The pixels of a job's pictures by their numbers.
async fn pictures_of(studio: &Studio, job: &Job) -> Vec<(u32, Vec<u8>)> {
    let app = &studio.running.bot.app;
    let mut pictures = Vec::new();
    for image in app.jobs.images(job.id).await.expect("readable") {
        let bytes = app.blobs.get(&image.blob).await.expect("kept");
        pictures.push((image.index, image::load_from_memory(&bytes).expect("a picture").into_rgb8().into_raw()));
    }
    pictures
}

/// The pixels of a task's pictures, drawn without any interruption.
async fn drawn(engine: &Engine, task: Task) -> Vec<(u32, Vec<u8>)> {
    let mut handle = engine.submit(Submission::new(task)).expect("a valid task");
    let mut pictures = Vec::new();
    while let Some(event) = handle.next().await {
        if let Event::Image(finished) = event {
            pictures.push((finished.index, finished.image.into_raw()));
        }
    }
    pictures.sort();
    pictures
}

async fn pictures_that_are_left_out_and_a_stop_are_paid_by_what_was_drawn_and_go_on_to_the_same_end(mode: Mode) {
    let studio = Studio::open(mode, |_| {}).await;
    let (ada, linus) = (&studio.ada, studio.visitor("linus").await);
    let engine = &studio.running.bot.app.models.engine;
    // It begins when everything was pressed.
    let held = engine.hold();
    ada.slash(CHANNEL, "imagine", &prompt("a frog --steps 12 --seed 7")).await.expect("sent");
    let drawing = message_with(ada, "Drawing").await;
    assert_eq!(buttons(&drawing), [vec!["❌", "■"], vec!["✂1", "✂2", "✂3", "✂4"]]);
    linus.press(id(&drawing), "✂1").await.expect("sent");
    told(&linus, "or a moderator can do that").await;
    ada.press(id(&drawing), "✂2").await.expect("sent");
    noted(&studio, |live| live.culled == [false, true, false, false]).await;
    ada.press(id(&drawing), "■").await.expect("sent");
    noted(&studio, |live| live.is_stopping).await;
    drop(held);
    let grid = nth_grid(ada, 1).await;
    assert_eq!(buttons(&grid)[..2], [vec!["U1", "U3", "U4", "🔄"], vec!["V1", "V3", "V4", "Continue"]]);
    assert!(content(&grid).contains("Stopped at step "), "{}", content(&grid));
    let stopped = last_job(&studio).await;
    assert_eq!(stopped.status, JobStatus::Done);
    let paid = used(&studio, &stopped).await;
    assert!(paid > 0.0 && paid < stopped.row_megapixels * 0.9, "{paid} of {}", stopped.row_megapixels);

    ada.press(id(&grid), "Continue").await.expect("sent");
    let rest = nth_grid(ada, 2).await;
    assert_eq!(buttons(&rest)[..2], [vec!["U1", "U3", "U4", "🔄"], vec!["V1", "V3", "V4"]]);
    let rest = last_job(&studio).await;
    assert_eq!((rest.parent, rest.action.as_str()), (Some((stopped.id, 0)), "continue"));
    let both = used(&studio, &rest).await;
    assert!((both - paid - rest.row_megapixels).abs() < 1e-3, "{both} is not {paid} and the rest's {}", rest.row_megapixels);
    let mut whole = drawn(engine, serde_json::from_value(stopped.task.clone()).expect("a task")).await;
    whole.retain(|(index, _)| *index != 1);
    assert!(pictures_of(&studio, &rest).await == whole, "bit for bit");
    assert!(pictures_of(&studio, &stopped).await != whole);
    ada.press(id(&grid), "Continue").await.expect("sent");
    told(ada, "That was made before").await;
    studio.close().await;
}

async fn a_share_of_the_steps_is_drawn_and_its_rest_as_long_as_it_is_kept(mode: Mode) {
    let studio = Studio::open(mode, |_| {}).await;
    let ada = &studio.ada;
    ada.slash(CHANNEL, "imagine", &prompt("a frog --steps 10 --stop 60 --images 1 --seed 7")).await.expect("sent");
    let grid = nth_grid(ada, 1).await;
    assert!(content(&grid).contains("--stop 60") && content(&grid).contains("Stopped at step 6 of 10"), "{}", content(&grid));
    let job = last_job(&studio).await;
    assert!((used(&studio, &job).await - job.row_megapixels).abs() < 1e-3, "as it was quoted");
    let app = &studio.running.bot.app;
    let later = Timestamp(app.clock.now().0 + 1);
    assert_eq!(app.jobs.forget_states(later, 0).await.expect("writable").len(), 1);
    ada.press(id(&grid), "Continue").await.expect("sent");
    told(ada, "is not kept any more").await;
    assert_eq!(last_job(&studio).await.id, job.id);
    studio.close().await;
}

async fn what_goes_while_its_rest_waits_is_told_and_costs_nothing(mode: Mode) {
    let studio = Studio::open(mode, |config| config.engine.max_running_jobs = 1).await;
    let (ada, app) = (&studio.ada, &studio.running.bot.app);
    ada.slash(CHANNEL, "imagine", &prompt("a frog --steps 4 --stop 50 --images 1 --seed 7")).await.expect("sent");
    let grid = nth_grid(ada, 1).await;
    let frog = last_job(&studio).await;
    let paid = used(&studio, &frog).await;
    // Its rest waits behind another job.
    let held = app.models.engine.hold();
    ada.slash(CHANNEL, "imagine", &prompt("a robot")).await.expect("sent");
    noted(&studio, |live| live.heading.title == "a robot" && live.phase == Phase::Drawing).await;
    let robot = message_with(ada, "a robot").await;
    ada.press(id(&grid), "Continue").await.expect("sent");
    noted(&studio, |live| live.heading.title == "a frog" && matches!(live.phase, Phase::Queued { .. })).await;
    let kept = app.jobs.states(frog.id).await.expect("readable");
    assert_eq!(kept.len(), 1);
    assert!(app.jobs.forget_states(Timestamp(app.clock.now().0 + 1), 0).await.expect("writable").is_empty(), "it is needed still");
    let file = kept[0].blob.as_str();
    std::fs::remove_file(app.config.data.dir.join("pictures").join(&file[..2]).join(file)).expect("removed");
    ada.press(id(&robot), "❌").await.expect("sent");
    message_with(ada, "Cancelled").await;
    drop(held);
    let told = message_with(ada, "would go on from is not kept any more. 🔄 draws them anew.").await;
    assert!(content(&told).contains("it costs nothing"), "{told}");
    let all = app.jobs.history(HistoryFilter { guild: last_job(&studio).await.guild, user: None, channels: None }, 0, 9).await;
    let is_cancelled = |job: &&Job| job.status == JobStatus::Cancelled;
    let robot = all.expect("readable").0.iter().find(is_cancelled).cloned().expect("it was cancelled");
    let spent = used(&studio, &robot).await - paid;
    assert!(spent > -1e-3 && spent < robot.row_megapixels, "the other job's alone: {spent}");
    studio.close().await;
}

async fn a_job_of_which_no_picture_is_wanted_is_cancelled(mode: Mode) {
    let studio = Studio::open(mode, |_| {}).await;
    let ada = &studio.ada;
    let held = studio.running.bot.app.models.engine.hold();
    ada.slash(CHANNEL, "imagine", &prompt("a frog --images 2")).await.expect("sent");
    let drawing = message_with(ada, "Drawing").await;
    ada.press(id(&drawing), "✂1").await.expect("sent");
    noted(&studio, |live| live.culled == [true, false]).await;
    ada.press(id(&drawing), "✂2").await.expect("sent");
    noted(&studio, |live| live.culled == [true, true]).await;
    drop(held);
    message_with(ada, "Cancelled. What was not computed costs nothing.").await;
    let job = last_job(&studio).await;
    assert_eq!(job.status, JobStatus::Cancelled);
    assert!(used(&studio, &job).await < job.row_megapixels);
    studio.close().await;
}
