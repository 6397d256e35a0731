//! Models by name, in Discord: suggested, drawn with, kept by buttons, gone.

mod support;

use inference::task::Task;
use serde_json::json;
use storage::{GuildId, HistoryFilter};
use support::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_model_is_suggested_and_drawn_with_and_kept_by_buttons() {
    let studio = Studio::open(|_| {}).await;
    let ada = &studio.ada;
    let suggested = ada.autocomplete(CHANNEL, "imagine", &[("prompt", json!("a frog")), ("model", json!("STAR"))], "model").await;
    assert_eq!(suggested.expect("suggestions come")[0]["value"], "starter");
    let options = [("prompt", json!("a frog --clip-skip 1 --rescale 0.5 --tile --seed 7")), ("model", json!("starter"))];
    ada.slash(CHANNEL, "imagine", &options).await.expect("sent");
    let grid = nth_grid(ada, 1).await;
    assert!(content(&grid).starts_with("**a frog** `--rescale 0.5 --clip-skip 1 --tile --seed 7`"), "{}", content(&grid));
    ada.press(id(&grid), "🔄").await.expect("sent");
    nth_grid(ada, 2).await;
    ada.press(id(&grid), "V1").await.expect("sent");
    nth_grid(ada, 3).await;
    let guild = GuildId(guild_of(&studio).await);
    let (history, _) = studio.running.bot.app.jobs.history(HistoryFilter { guild, user: None }, 0, 10).await.expect("readable");
    assert_eq!(history.len(), 3);
    for job in history {
        let task: Task = serde_json::from_value(job.task).expect("a task");
        let base = task.base().expect("it draws");
        assert_eq!((base.model.as_deref(), base.clip_skip, base.guidance_rescale, base.seamless), (Some("starter"), 1, 0.5, true));
    }
    studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_button_of_a_model_that_is_gone_says_so() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let earlier = folder.path().join("earlier");
    std::os::unix::fs::symlink(atelier::models::starter().expect("the starter").model, &earlier).expect("a link");
    let data = folder.path().join("data");
    let studio = Studio::open(|config| {
        config.data.dir = data.clone();
        config.model.path = earlier.clone();
    })
    .await;
    studio.ada.slash(CHANNEL, "imagine", &prompt("a frog --seed 7")).await.expect("sent");
    let grid = nth_grid(&studio.ada, 1).await;
    studio.close().await;

    let studio = Studio::open(|config| config.data.dir = data).await;
    let ada = &studio.ada;
    for button in ["🔄", "V1"] {
        ada.press(id(&grid), button).await.expect("sent");
        told(ada, "That cannot be drawn: there is no model `earlier`; there are starter.").await;
    }
    ada.press(id(&grid), "U1").await.expect("sent");
    message_with(ada, "256 × 256 pixels").await;
    studio.close().await;
}

async fn guild_of(studio: &Studio) -> u64 {
    let state = studio.ada.state().await.expect("the stand-in answers");
    state["guilds"][0]["id"].as_str().and_then(|id| id.parse().ok()).expect("a guild")
}
