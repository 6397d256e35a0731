//! Every button, pressed by the right people and the wrong ones, once and a hundred times.

use crate::support::*;
use serde_json::json;

in_both_modes! {
    upscale_posts_the_networks_picture_once_however_often_it_is_pressed,
    variations_keep_prompt_and_change_seed_and_resemble_their_picture,
    a_second_press_while_the_first_is_drawn_is_refused,
    cancel_is_for_owner_and_moderators_and_refunds_what_was_not_computed,
    quota_refuses_with_a_sentence_and_charges_nothing,
    a_member_has_only_so_many_jobs_at_once,
    history_info_and_settings_answer,
}

async fn upscale_posts_the_networks_picture_once_however_often_it_is_pressed(mode: Mode) {
    let studio = Studio::open(mode, |_| {}).await;
    let ada = &studio.ada;
    ada.slash(CHANNEL, "imagine", &prompt("a frog --seed 7")).await.expect("sent");
    let grid = nth_grid(ada, 1).await;
    let presses = (0..100).map(|_| ada.press(id(&grid), "U2"));
    for pressed in futures::future::join_all(presses).await {
        pressed.expect("the press is sent");
    }
    let enlarged = message_with(ada, "1024 × 1024 pixels").await;
    let picture = picture(ada, &enlarged).await;
    assert_eq!(picture.dimensions(), (1024, 1024));
    let app = &studio.running.bot.app;
    let n_upscales = || async {
        let messages = ada.messages(CHANNEL).await.expect("readable");
        messages.iter().filter(|message| content(message).contains("1024 × 1024 pixels")).count()
    };
    assert_eq!(n_upscales().await, 1, "one picture for a hundred presses");
    ada.press(id(&grid), "U2").await.expect("sent");
    told(ada, "That was made before: [here it is](http").await;
    assert_eq!(n_upscales().await, 1);
    assert_eq!(app.jobs.queue_status().await.expect("readable"), storage::QueueStatus::default());
    studio.close().await;
}

async fn variations_keep_prompt_and_change_seed_and_resemble_their_picture(mode: Mode) {
    let studio = Studio::open(mode, |config| config.defaults.steps = 20).await;
    let ada = &studio.ada;
    ada.slash(CHANNEL, "imagine", &prompt("a strawberry --seed 7 --no leaves")).await.expect("sent");
    let grid = nth_grid(ada, 1).await;
    ada.press(id(&grid), "V1").await.expect("sent");
    ada.press(id(&grid), "🔄").await.expect("sent");
    let variation = message_with(ada, "of a strawberry**").await;
    assert!(content(&variation).contains("--no leaves"), "{}", content(&variation));
    nth_grid(ada, 3).await;
    let messages = ada.messages(CHANNEL).await.expect("readable");
    let seeds: std::collections::HashSet<_> = messages
        .iter()
        .filter(|message| is_grid(message))
        .filter_map(|message| content(message).split("--seed ").nth(1)?.split([' ', '`']).next())
        .collect();
    assert_eq!(seeds.len(), 3, "three seeds: {seeds:?}");
    assert!(seeds.contains("7"));
    studio.close().await;
}

async fn a_second_press_while_the_first_is_drawn_is_refused(mode: Mode) {
    let studio = Studio::open(mode, |_| {}).await;
    let (ada, linus) = (&studio.ada, studio.visitor("linus").await);
    ada.slash(CHANNEL, "imagine", &prompt("a frog --steps 2")).await.expect("sent");
    let grid = nth_grid(ada, 1).await;
    let held = studio.running.bot.app.models.engine.hold();
    ada.press(id(&grid), "🔄").await.expect("sent");
    message_with(ada, "Drawing").await;
    linus.press(id(&grid), "🔄").await.expect("sent");
    told(&linus, "already being drawn").await;
    drop(held);
    nth_grid(ada, 2).await;
    studio.close().await;
}

async fn cancel_is_for_owner_and_moderators_and_refunds_what_was_not_computed(mode: Mode) {
    let studio = Studio::open(mode, |config| config.limits.max_steps = 150).await;
    let (ada, grace, linus) = (&studio.ada, studio.visitor("grace").await, studio.visitor("linus").await);
    let engine = &studio.running.bot.app.models.engine;
    linus.slash(CHANNEL, "imagine", &prompt("a frog --steps 150")).await.expect("sent");
    noted(&studio, |live| live.done > 0).await;
    let held = engine.hold();
    let drawing = message_with(&linus, "Drawing").await;
    // Another member may not; the stand-in's ada is the guild's owner, grace a moderator.
    grace.press(id(&drawing), "❌").await.expect("sent");
    message_with(&linus, "Cancelled").await;
    drop(held);
    linus.slash(CHANNEL, "quota", &[]).await.expect("sent");
    told(&linus, "pictures of the usual size are left today").await;
    let full = engine.catalogue().cost(&slow_task());
    let state = ada.state().await.expect("readable");
    let guild = storage::GuildId(state["guilds"][0]["id"].as_str().and_then(|id| id.parse().ok()).expect("a guild"));
    let limits = storage::Limits {
        daily_row_megapixels: 20_000.0,
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
    let quotas = studio
        .running
        .bot
        .app
        .jobs
        .quotas(&storage::Spender::new(guild, storage::UserId(1)), &limits, storage::Timestamp::now())
        .await
        .expect("readable");
    assert!(quotas[0].1.used < full, "{} of {full}", quotas[0].1.used);
    ada.slash(CHANNEL, "imagine", &prompt("a frog")).await.expect("sent");
    let grid = nth_grid(ada, 1).await;
    linus.press(id(&grid), "❌").await.expect("sent");
    told(&linus, "or a moderator can do that").await;
    delete(ada, &grid).await;
    studio.close().await;
}

async fn quota_refuses_with_a_sentence_and_charges_nothing(mode: Mode) {
    let studio = Studio::open(mode, |config| config.limits.daily_row_megapixels = 0.5).await;
    let ada = &studio.ada;
    ada.slash(CHANNEL, "imagine", &prompt("a frog --steps 100")).await.expect("sent");
    told(ada, "is left here for today").await;
    ada.slash(CHANNEL, "imagine", &prompt("a frog --steps 4")).await.expect("sent");
    nth_grid(ada, 1).await;
    studio.close().await;
}

async fn a_member_has_only_so_many_jobs_at_once(mode: Mode) {
    let studio = Studio::open(mode, |config| config.limits.max_active_per_user = 1).await;
    let linus = studio.visitor("linus").await;
    let held = studio.running.bot.app.models.engine.hold();
    linus.slash(CHANNEL, "imagine", &prompt("a frog")).await.expect("sent");
    message_with(&linus, "Drawing").await;
    linus.slash(CHANNEL, "imagine", &prompt("a frog")).await.expect("sent");
    told(&linus, "is the most at once").await;
    drop(held);
    nth_grid(&linus, 1).await;
    studio.close().await;
}

async fn history_info_and_settings_answer(mode: Mode) {
    let studio = Studio::open(mode, |config| config.defaults.steps = 2).await;
    let ada = &studio.ada;
    ada.slash(CHANNEL, "history", &[]).await.expect("sent");
    told(ada, "Nothing was drawn here yet").await;
    for n in 1..=6 {
        ada.slash(CHANNEL, "imagine", &prompt(&format!("a frog {n}"))).await.expect("sent");
        nth_grid(ada, n).await;
    }
    ada.slash(CHANNEL, "history", &[]).await.expect("sent");
    let page = told(ada, "Jobs 1 to 5").await;
    assert_eq!(page["embeds"].as_array().map(Vec::len), Some(5));
    assert!(page["embeds"][0]["thumbnail"]["url"].as_str().is_some_and(|url| url.contains("attachments")), "{}", page["embeds"][0]);
    ada.press(id(&page), "Older ▶").await.expect("sent");
    told(ada, "Jobs 6 to 6").await;
    ada.slash(CHANNEL, "info", &[]).await.expect("sent");
    ada.wait_for(CHANNEL, PATIENCE, |messages| messages.iter().any(|message| message["embeds"][0]["title"] == "Atelier").then_some(()))
        .await
        .expect("info");
    ada.slash(CHANNEL, "settings", &[("daily_quota", json!(1.0)), ("jobs_at_once", json!(2))]).await.expect("sent");
    told(ada, "Saved. This is how it is now:\n• This server has about ").await;
    ada.slash(CHANNEL, "settings", &[("jobs_at_once", json!(1000))]).await.expect("sent");
    told(ada, "allows at most 20").await;
    ada.slash(CHANNEL, "imagine", &prompt("a frog --steps 100")).await.expect("sent");
    told(ada, "is left here for today").await;
    studio.close().await;
}

/// What `/imagine a frog --steps 150` asks for.
fn slow_task() -> inference::task::Task {
    let stored = json!({
        "kind": "text_to_image", "prompt": "a frog", "size": {"width": 64, "height": 64}, "steps": 150, "guidance_scale": 4.0,
        "sampler": "dpmpp_2m", "seed": 7, "n_images": 4
    });
    serde_json::from_value(stored).expect("a task")
}
