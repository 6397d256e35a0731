//! Models by name, in Discord: suggested, drawn with, kept by buttons, gone.

use crate::support::*;
use inference::task::Task;
use serde_json::json;
use storage::{GuildId, HistoryFilter};

in_both_modes! {
    a_model_is_suggested_and_drawn_with_and_kept_by_buttons,
    an_alias_draws_with_what_suits_it,
    shown_names_of_samplers_and_seeds_of_other_programs_are_taken,
    two_models_are_drawn_with_side_by_side,
    a_button_of_a_model_that_is_gone_says_so,
}

async fn a_model_is_suggested_and_drawn_with_and_kept_by_buttons(mode: Mode) {
    let studio = Studio::open(mode, |_| {}).await;
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
    let (history, _) =
        studio.running.bot.app.jobs.history(HistoryFilter { guild, user: None, channels: None }, 0, 10).await.expect("readable");
    assert_eq!(history.len(), 3);
    for job in history {
        let task: Task = serde_json::from_value(job.task).expect("a task");
        let base = task.base().expect("it draws");
        assert_eq!((base.model.as_deref(), base.clip_skip, base.guidance_rescale, base.seamless), (Some("starter"), 1, 0.5, true));
    }
    studio.close().await;
}

async fn an_alias_draws_with_what_suits_it(mode: Mode) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(atelier::models::starter().expect("the starter").model, &link).expect("a link");
    let text = format!(
        "[model]\npath = \"dreamy\"\n[aliases.dreamy]\npath = {link:?}\nsteps = 3\nguidance_scale = 2.5\nsampler = \"euler\"\n\
         schedule = \"karras\"\nwidth = 96\nheight = 64\nnegative_prompt = \"leaves\""
    );
    let aliased = atelier::config::Config::parse(&text).expect("a configuration");
    let studio = Studio::open(mode, |config| (config.model, config.aliases) = (aliased.model, aliased.aliases)).await;
    let ada = &studio.ada;
    ada.slash(CHANNEL, "imagine", &prompt("a frog --seed 7 --images 1")).await.expect("sent");
    let grid = nth_grid(ada, 1).await;
    assert!(content(&grid).starts_with("**a frog** `--images 1 --seed 7`"), "{}", content(&grid));
    ada.slash(CHANNEL, "imagine", &prompt("a frog --seed 7 --images 1 --model dreamy --steps 2 --ar 1:1 --no text")).await.expect("sent");
    let grid = nth_grid(ada, 2).await;
    assert!(content(&grid).starts_with("**a frog** `--ar 1:1 --steps 2 --images 1 --seed 7 --no text`"), "{}", content(&grid));
    let guild = GuildId(guild_of(&studio).await);
    let (history, _) =
        studio.running.bot.app.jobs.history(HistoryFilter { guild, user: None, channels: None }, 1, 1).await.expect("readable");
    let task: Task = serde_json::from_value(history[0].task.clone()).expect("a task");
    let base = task.base().expect("it draws");
    assert_eq!((base.model.as_deref(), base.steps, base.guidance_scale), (Some("dreamy"), 3, 2.5));
    assert_eq!((base.sampler.name(), base.schedule.name()), ("euler", "karras"));
    assert_eq!((base.size.width, base.size.height, base.negative_prompt.as_deref()), (96, 64, Some("leaves")));
    studio.close().await;
}

async fn shown_names_of_samplers_and_seeds_of_other_programs_are_taken(mode: Mode) {
    let studio = Studio::open(mode, |_| {}).await;
    let ada = &studio.ada;
    let largest = atelier::prompt::MAX_SEED;
    let options = [("prompt", json!("a frog --steps 2")), ("seed", json!(largest)), ("sampler", json!("DPM++ 2M Karras"))];
    ada.slash(CHANNEL, "imagine", &options).await.expect("sent");
    ada.slash(CHANNEL, "imagine", &prompt(&format!("a frog --sampler \"Euler a\" --steps 2 --seed {largest}"))).await.expect("sent");
    nth_grid(ada, 2).await;
    message_with(ada, &format!("**a frog** `--steps 2 --schedule karras --seed {largest}`")).await;
    message_with(ada, &format!("**a frog** `--steps 2 --sampler euler_a --seed {largest}`")).await;
    let guild = GuildId(guild_of(&studio).await);
    let (history, _) =
        studio.running.bot.app.jobs.history(HistoryFilter { guild, user: None, channels: None }, 0, 2).await.expect("readable");
    for job in history {
        let task: Task = serde_json::from_value(job.task).expect("a task");
        assert_eq!(task.base().map(|base| base.seed.0), Some(largest));
        let images = studio.running.bot.app.jobs.images(job.id).await.expect("readable");
        let seeds: Vec<_> = images.iter().map(|image| image.seed).collect();
        assert_eq!(seeds, (largest..largest + 4).collect::<Vec<_>>());
    }
    studio.close().await;
}

async fn two_models_are_drawn_with_side_by_side(mode: Mode) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(atelier::models::starter().expect("the starter").model, &link).expect("a link");
    let text = format!("[aliases.dreamy]\npath = {link:?}\nsteps = 3\nwidth = 96\nheight = 64");
    let aliases = atelier::config::Config::parse(&text).expect("a configuration").aliases;
    let studio = Studio::open(mode, |config| config.aliases = aliases).await;
    let ada = &studio.ada;
    let typed = [("prompt", json!("a frog")), ("model", json!("dre"))];
    let suggested = ada.autocomplete(CHANNEL, "imagine", &typed, "model").await.expect("suggestions come");
    let names: Vec<_> = suggested.iter().map(|choice| choice["value"].as_str().unwrap_or_default()).collect();
    assert_eq!(names, ["dreamy", "starter"]);
    ada.slash(CHANNEL, "imagine", &[("prompt", json!("a frog --seed 7 --images 1")), ("model", json!("dreamy"))]).await.expect("sent");
    ada.slash(CHANNEL, "imagine", &prompt("a robot --seed 7 --images 1")).await.expect("sent");
    let dreamy = message_with(ada, "**a frog** `--model dreamy --images 1 --seed 7`").await;
    nth_grid(ada, 2).await;
    let grid =
        ada.wait_for(CHANNEL, PATIENCE, |messages| messages.iter().find(|message| id(message) == id(&dreamy) && is_grid(message)).cloned());
    let grid = picture(ada, &grid.await.expect("drawn")).await;
    assert_eq!(grid.dimensions(), (512, 341), "its own shape, enlarged to be seen");
    ada.slash(CHANNEL, "info", &[]).await.expect("sent");
    let is_info = |message: &&serde_json::Value| message["embeds"][0]["fields"].to_string().contains("starter (64×64), dreamy (96×64)");
    ada.wait_for(CHANNEL, PATIENCE, |messages| messages.iter().find(is_info).cloned()).await.expect("both are listed");
    studio.close().await;
}

async fn a_button_of_a_model_that_is_gone_says_so(mode: Mode) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let earlier = folder.path().join("earlier");
    std::os::unix::fs::symlink(atelier::models::starter().expect("the starter").model, &earlier).expect("a link");
    let data = folder.path().join("data");
    let studio = Studio::open(mode, |config| {
        config.data.dir = data.clone();
        config.model.path = earlier.clone();
    })
    .await;
    studio.ada.slash(CHANNEL, "imagine", &prompt("a frog --seed 7")).await.expect("sent");
    let grid = nth_grid(&studio.ada, 1).await;
    studio.close().await;

    let studio = Studio::open(mode, |config| config.data.dir = data).await;
    let ada = &studio.ada;
    for button in ["🔄", "V1"] {
        ada.press(id(&grid), button).await.expect("sent");
        told(ada, "That cannot be drawn: there is no model `earlier`; there are starter.").await;
    }
    ada.press(id(&grid), "U1").await.expect("sent");
    message_with(ada, "1024 × 1024 pixels").await;
    studio.close().await;
}

async fn guild_of(studio: &Studio) -> u64 {
    let state = studio.ada.state().await.expect("the stand-in answers");
    state["guilds"][0]["id"].as_str().and_then(|id| id.parse().ok()).expect("a guild")
}
