//! The buttons under an enlarged picture: what each of them makes of it, and who may not press it.

use crate::{
    remix::{form, joined, send},
    support::*,
};
use atelier::{jobs::after::After, pictures::canvas::Cells};
use inference::task::{ImageSize, Role, Task, TaskKind};
use sandbox::{Clock, InteractionId, ManualClock, Visitor};
use serde_json::{Value, json};
use storage::{GuildId, HistoryFilter, Job};

in_both_modes! {
    every_button_makes_of_the_picture_what_it_says,
    in_direct_messages_they_work_too,
    what_is_refused_is_refused_before_anything_is_taken,
    a_custom_zoom_is_what_its_form_says,
    a_region_is_chosen_by_its_cells_and_drawn_with_other_words,
}

/// A button's label, what its message begins with, how many pictures of which size come, and how much of the picture changes.
type Case = (&'static str, &'static str, u32, (u32, u32), f64);

/// Of a picture of 80 × 48 pixels.
const CASES: [Case; 11] = [
    ("Upscale 2x (Subtle)", "Subtle upscale (2×) of", 1, (160, 96), 0.3),
    ("Upscale 2x (Creative)", "Creative upscale (2×) of", 1, (160, 96), 0.5),
    ("Vary (Subtle)", "Subtle variation of", 2, (80, 48), 0.35),
    ("Vary (Strong)", "Strong variation of", 2, (80, 48), 0.8),
    ("Zoom Out 1.5x", "Zoom out (1.5×) of", 2, (80, 48), 0.5),
    ("Zoom Out 2x", "Zoom out (2×) of", 2, (80, 48), 0.5),
    ("Make Square", "Square of", 2, (80, 80), 0.5),
    ("⬅️", "Pan left of", 2, (128, 48), 0.5),
    ("➡️", "Pan right of", 2, (128, 48), 0.5),
    ("⬆️", "Pan up of", 2, (80, 80), 0.5),
    ("⬇️", "Pan down of", 2, (80, 80), 0.5),
];
const FOUR: Case = ("Upscale 4x", "Upscale (4×) of", 1, (256, 256), 0.3);

async fn studio(mode: Mode) -> Studio {
    Studio::open(mode, |config| {
        config.defaults.steps = 4;
        config.defaults.n_images = 2;
    })
    .await
}

fn guild(state: &Value) -> u64 {
    state["guilds"][0]["id"].as_str().and_then(|id| id.parse().ok()).expect("a guild")
}

/// What has ended, newest first.
async fn history(studio: &Studio, guild: u64) -> Vec<Job> {
    let filter = HistoryFilter { guild: GuildId(guild), user: None, channels: None };
    studio.running.bot.app.jobs.history(filter, 0, 100).await.expect("readable").0
}

/// What a press was answered with, once it has more than words.
async fn answer(person: &Visitor, channel: &str, press: &InteractionId, is_it: impl Fn(&Value) -> bool) -> Value {
    let is_answer = |message: &&Value| message["interaction_metadata"]["id"] == press.0 && is_it(message);
    person.wait_for(channel, PATIENCE, |messages| messages.iter().find(is_answer).cloned()).await.expect("the press is answered")
}

/// An enlarged picture with its buttons.
async fn enlarged(person: &Visitor, channel: &str, line: &str) -> Value {
    let asked = person.slash(channel, "imagine", &prompt(line)).await.expect("sent");
    let grid = answer(person, channel, &asked, is_grid).await;
    let pressed = person.press(id(&grid), "U2").await.expect("sent");
    answer(person, channel, &pressed, |message| content(message).contains(" pixels")).await
}

/// Presses a button and looks at what comes of it: message, job, and the pictures.
async fn check(studio: &Studio, person: &Visitor, channel: &str, payer: u64, message: &Value, case: Case) {
    let (label, phrase, n_images, size, strength) = case;
    let app = &studio.running.bot.app;
    let pressed = person.press(id(message), label).await.unwrap_or_else(|error| panic!("{label}: {error}"));
    let made = answer(person, channel, &pressed, is_grid).await;
    assert!(content(&made).starts_with(&format!("**{phrase} [picture 2](http")), "{label}: {}", content(&made));
    let jobs = history(studio, payer).await;
    let (job, enlarging, drawn) = (&jobs[0], &jobs[jobs.len() - 2], &jobs[jobs.len() - 1]);
    let task: Task = serde_json::from_value(job.task.clone()).expect("a task");
    assert_eq!((task.strength(), job.parent, job.row_megapixels > 0.0), (Some(strength), Some((drawn.id, 1)), true), "{label}");
    assert_eq!(After::of(&job.action).map(After::word), Some(job.action.as_str()), "{label}");
    let images = app.jobs.images(job.id).await.expect("readable");
    assert_eq!(images.len() as u32, n_images, "{label}");
    assert!(images.iter().all(|image| (image.width, image.height) == size), "{label}: {images:?}");
    let kept = |blob: String| async move { atelier::pictures::stored(&*app.blobs, &blob).await.expect("kept") };
    let own = kept(app.jobs.images(drawn.id).await.expect("readable")[1].blob.to_string()).await;
    let source = task.source().expect("a source").to_owned();
    match &task.kind {
        TaskKind::ImageToImage(_) if n_images == 1 => {
            assert_eq!(source, app.jobs.images(enlarging.id).await.expect("readable")[0].blob.as_str(), "{label}: from the larger one");
        }
        TaskKind::ImageToImage(_) => assert!(kept(source).await == own, "{label}: from the picture itself"),
        TaskKind::Inpaint(inpaint) => {
            assert_eq!(inpaint.base.size, ImageSize::new(size.0, size.1), "{label}");
            let (canvas, mask) = (kept(source).await, kept(task.input(&Role::Mask).expect("a mask").to_owned()).await);
            assert_eq!((canvas.dimensions(), mask.dimensions()), (size, size), "{label}");
            assert!(mask.pixels().any(|pixel| pixel.0[0] == 0) && mask.pixels().any(|pixel| pixel.0[0] == 255), "{label}");
            // Where the canvas is larger than the picture, that is on it as it is.
            let at = match label {
                "⬅️" => Some((48, 0)),
                "⬆️" => Some((0, 32)),
                "➡️" | "⬇️" => Some((0, 0)),
                "Make Square" => Some((0, 16)),
                _ => None,
            };
            if let Some((left, top)) = at {
                assert!(image::imageops::crop_imm(&canvas, left, top, own.width(), own.height()).to_image() == own, "{label}");
            }
        }
        other => panic!("{label}: {other:?}"),
    }
}

async fn every_button_makes_of_the_picture_what_it_says(mode: Mode) {
    let studio = studio(mode).await;
    let ada = &studio.ada;
    let payer = guild(&ada.state().await.expect("readable"));
    let wide = enlarged(ada, CHANNEL, "a frog --ar 3:2 --seed 7").await;
    let all: Vec<String> = buttons(&wide).concat();
    for case in CASES {
        assert!(all.iter().any(|label| label == case.0), "{all:?}");
        check(&studio, ada, CHANNEL, payer, &wide, case).await;
    }
    // Drawn again it is of the same picture, and says so.
    let again = |messages: &[Value]| messages.iter().filter(|message| content(message).starts_with("**Pan down of")).nth(1).cloned();
    let first = message_with(ada, "Pan down of").await;
    ada.press(id(&first), "🔄").await.expect("sent");
    ada.wait_for(CHANNEL, PATIENCE, |messages| again(messages).filter(is_grid)).await.expect("it is drawn again");
    let jobs = history(&studio, payer).await;
    let inputs = |job: &Job| serde_json::from_value::<Task>(job.task.clone()).expect("a task").inputs;
    assert_eq!((inputs(&jobs[0]), jobs[0].parent, &jobs[0].action), (inputs(&jobs[1]), jobs[1].parent, &jobs[1].action));
    // What came of it goes on in the same way.
    let pressed = ada.press(id(&first), "U2").await.expect("sent");
    let larger = answer(ada, CHANNEL, &pressed, |message| content(message).contains(" pixels")).await;
    let pressed = ada.press(id(&larger), "Zoom Out 2x").await.expect("sent");
    answer(ada, CHANNEL, &pressed, is_grid).await;
    studio.close().await;
}

async fn in_direct_messages_they_work_too(mode: Mode) {
    let studio = studio(mode).await;
    let linus = studio.visitor("linus").await;
    let payer = linus.user_id().parse().expect("an id");
    let square = enlarged(&linus, "dm", "a frog --seed 7").await;
    assert!(!buttons(&square).concat().iter().any(|label| label == "Make Square"), "it is one");
    check(&studio, &linus, "dm", payer, &square, FOUR).await;
    check(&studio, &linus, "dm", payer, &square, ("Zoom Out 2x", "Zoom out (2×) of", 2, (64, 64), 0.5)).await;
    studio.close().await;
}

async fn what_is_refused_is_refused_before_anything_is_taken(mode: Mode) {
    let studio = studio(mode).await;
    let (ada, linus) = (&studio.ada, studio.visitor("linus").await);
    let payer = guild(&ada.state().await.expect("readable"));
    let wide = enlarged(ada, CHANNEL, "a frog --ar 3:2 --seed 7").await;
    let app = &studio.running.bot.app;
    let used = async || {
        let limits = app.door.limits(GuildId(payer), storage::UserId(1)).await.expect("readable");
        let spender = storage::Spender::new(GuildId(payer), storage::UserId(1));
        app.jobs.quotas(&spender, &limits, storage::Timestamp::now()).await.expect("readable")[0].1.used
    };
    let n_before = history(&studio, payer).await.len();
    let refused = async |person: &Visitor, label: &str, words: &str| {
        let pressed = person.press(id(&wide), label).await.expect("sent");
        let told = answer(person, CHANNEL, &pressed, |message| !content(message).is_empty()).await;
        assert!(content(&told).contains(words), "{label}: {}", content(&told));
        assert_eq!(told["flags"].as_u64().unwrap_or_default() & 64, 64, "{label}: for the presser alone");
    };
    // Four times as large is larger than the model draws.
    refused(ada, FOUR.0, "320×192 cannot be drawn: sides must be multiples of 4 from 4 to 256").await;
    // Nothing is left here.
    let labels: Vec<&str> = CASES.iter().map(|case| case.0).collect();
    crate::quotas::admin(ada, "set", &[("limit", json!(0))]).await;
    let used_before = used().await;
    for label in &labels {
        refused(ada, label, "Nothing is left").await;
    }
    // Who may not use the command may not use its buttons.
    let url = studio.running.stand_in.url();
    let state = ada.state().await.expect("readable");
    let imagine = state["commands"].as_array().and_then(|all| all.iter().find(|command| command["name"] == "imagine")).expect("registered");
    let body = json!({
        "guild": payer.to_string(), "id": imagine["id"],
        "permissions": [{ "id": linus.user_id(), "type": 2, "permission": false }],
    });
    let client = reqwest::Client::builder().no_proxy().build().expect("a plain client");
    let said = client.put(format!("{url}/sandbox/api/control/command_permissions")).json(&body).send().await.expect("it answers");
    assert!(said.status().is_success());
    for label in labels.iter().chain(&[FOUR.0, "Custom Zoom", "Vary (Region)"]) {
        refused(&linus, label, "You may not use /imagine here").await;
    }
    assert_eq!((history(&studio, payer).await.len(), used().await), (n_before, used_before), "nothing was made or taken");
    // And what is gone is told.
    delete(ada, &wide).await;
    studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_is_gone_is_told_by_every_button() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let model = folder.path().join("mine");
    crate::family_models::copy(&atelier::models::starter().expect("the starter").model, &model);
    let clock = ManualClock::new();
    let change = |config: &mut atelier::config::Config| {
        config.models.dir = folder.path().to_owned();
        config.defaults.steps = 2;
    };
    let studio = Studio::open_with_clock(Mode::Plain, Clock::Manual(clock.clone()), change).await;
    let ada = &studio.ada;
    let payer = guild(&ada.state().await.expect("readable"));
    let wide = enlarged(ada, CHANNEL, "a frog --ar 3:2 --seed 7 --model mine").await;
    std::fs::remove_dir_all(&model).expect("it is there");
    // Who looks less than a second after the last look sees what was there then.
    clock.advance(std::time::Duration::from_secs(2));
    for label in CASES.map(|case| case.0).into_iter().chain([FOUR.0]) {
        let pressed = ada.press(id(&wide), label).await.expect("sent");
        let told = answer(ada, CHANNEL, &pressed, |message| !content(message).is_empty()).await;
        assert!(content(&told).contains("the model `mine` is no longer there"), "{label}: {}", content(&told));
    }
    assert_eq!(history(&studio, payer).await.len(), 2, "the grid and the larger picture");
    studio.close().await;
}

/// The job that ended last, and its task.
async fn last(studio: &Studio, payer: u64) -> (Job, Task) {
    let job = history(studio, payer).await.remove(0);
    let task = serde_json::from_value(job.task.clone()).expect("a task");
    (job, task)
}

async fn a_custom_zoom_is_what_its_form_says(mode: Mode) {
    let studio = studio(mode).await;
    let (ada, app) = (&studio.ada, &studio.running.bot.app);
    let payer = guild(&ada.state().await.expect("readable"));
    let square = enlarged(ada, CHANNEL, "a frog --seed 7 --no leaves").await;
    let drawn = history(&studio, payer).await.remove(1);
    let opened = form(ada, &square, "Custom Zoom").await;
    assert_eq!(
        (opened["title"].as_str(), joined(&opened, "prompt"), joined(&opened, "negative")),
        (Some("Custom Zoom"), "a frog".into(), "leaves".into())
    );
    assert!(joined(&opened, "parameters").starts_with("--zoom 2 --"), "{}", joined(&opened, "parameters"));

    // Nothing to draw, and too far; what was typed is there again.
    for (parameters, words) in [("--zoom 1", "leaves nothing to draw"), ("--zoom 3 --steps 2", "the zoom must be a number from 1 to 2")] {
        // A form can be sent once.
        let opened = form(ada, &square, "Custom Zoom").await;
        let sent = send(ada, &opened, &[("parameters0", parameters)]).await;
        let refused = answer(ada, CHANNEL, &sent, |message| content(message).contains(words)).await;
        let again = form(ada, &refused, "Remix").await;
        assert_eq!((again["title"].as_str(), joined(&again, "parameters")), (Some("Custom Zoom"), parameters.to_owned()));
    }
    let opened = form(ada, &square, "Custom Zoom").await;
    let sent = send(ada, &opened, &[("prompt0", "a frog in snow"), ("parameters0", "--zoom 1.5 --ar 3:2 --steps 2 --images 1")]).await;
    let made = answer(ada, CHANNEL, &sent, is_grid).await;
    assert!(content(&made).starts_with("**Zoom out of [picture 2](http"), "{}", content(&made));
    let (job, task) = last(&studio, payer).await;
    let base = task.base().expect("it draws");
    assert_eq!((base.prompt.as_str(), base.size, base.steps, base.n_images), ("a frog in snow", ImageSize::new(80, 48), 2, 1));
    assert_eq!((job.action.as_str(), job.parent, task.strength()), ("zoom", Some((drawn.id, 1)), Some(0.5)));
    // 48 of height through 1.5, in the middle.
    let mask = atelier::pictures::stored(&*app.blobs, task.input(&Role::Mask).expect("a mask")).await.expect("kept");
    let kept: Vec<_> = mask.enumerate_pixels().filter(|(_, _, pixel)| pixel.0[0] == 0).map(|(x, y, _)| (x, y)).collect();
    assert_eq!((kept.first(), kept.last()), (Some(&(28, 12)), Some(&(51, 35))), "a seam of 4 within 32 × 32");
    studio.close().await;
}

async fn a_region_is_chosen_by_its_cells_and_drawn_with_other_words(mode: Mode) {
    let studio = studio(mode).await;
    let linus = studio.visitor("linus").await;
    for channel in [CHANNEL, "dm"] {
        let payer = if channel == "dm" { linus.user_id().parse().expect("an id") } else { guild(&linus.state().await.expect("readable")) };
        let square = enlarged(&linus, channel, "a frog --seed 7").await;
        let drawn = history(&studio, payer).await.remove(1);
        let pressed = linus.press(id(&square), "Vary (Region)").await.expect("sent");
        let asks = answer(&linus, channel, &pressed, |message| content(message).contains("drawn anew")).await;
        assert_eq!(asks["flags"].as_u64().unwrap_or_default() & 64, 64, "for the presser alone");
        assert_eq!(picture(&linus, &asks).await.dimensions(), (768, 768));
        let menu = &asks["components"][0]["components"][0];
        let names: Vec<_> = menu["options"].as_array().into_iter().flatten().filter_map(|option| option["label"].as_str()).collect();
        assert_eq!((names.len(), names[0], names[24], &menu["max_values"]), (25, "A1", "E5", &json!(25)));

        let seq = linus.seq().await.expect("the stand-in counts");
        linus.select(id(&asks), menu["custom_id"].as_str().expect("an id"), &["B2", "C2", "C3"]).await.expect("chosen");
        let opened = |kind: &str, data: &Value| (kind == "modal").then(|| data.clone());
        let opened = linus.wait_for_event(seq, PATIENCE, opened).await.expect("a form");
        assert_eq!(opened["title"], "Vary (Region)");
        let sent = send(&linus, &opened, &[("prompt0", "a red hat"), ("parameters0", "--steps 2 --images 1")]).await;
        let made = answer(&linus, channel, &sent, is_grid).await;
        assert!(content(&made).starts_with("**Region variation of [picture 2](http"), "{}", content(&made));
        let (job, task) = last(&studio, payer).await;
        assert_eq!((job.action.as_str(), job.parent, task.strength()), ("vary-region", Some((drawn.id, 1)), Some(1.0)));
        let app = &studio.running.bot.app;
        assert_eq!(task.source(), Some(app.jobs.images(drawn.id).await.expect("readable")[1].blob.as_str()));
        assert_eq!(task.base().map(|base| base.prompt.as_str()), Some("a red hat"));
        let mask = atelier::pictures::stored(&*app.blobs, task.input(&Role::Mask).expect("a mask")).await.expect("kept");
        let expected = Cells::of(["B2", "C2", "C3"]).mask(ImageSize::new(64, 64));
        assert!(mask.pixels().zip(expected.pixels()).all(|(found, expected)| found.0[0] == expected.0[0]), "{channel}");
    }
    studio.close().await;
}
